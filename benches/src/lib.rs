//! Workloads, trace import and measurements.
//!
//! A [`Trace`] is a recorded block: what each transaction read, wrote and added to. It becomes
//! [`Accesses`](kempe_runtime::scheduler::Accesses) for a scheduler, or through [`transfers`] token
//! transfers that a chain can run. A [`Workload`] makes transfers from a seed, and a [`TokenWorld`]
//! makes blocks of them that run on the executor alone.

mod memory;
mod token_block;
mod trace;
mod transfers;
mod workload;

pub use memory::keep_freed_memory;
pub use token_block::{BALANCE, TokenBlock, TokenError, TokenWorld, account_address, run_block};
pub use trace::{LINE_BYTES_MAX, TRACE_TXS_MAX, Trace, TraceError, TraceFault, TraceKind, TraceTx};
pub use transfers::{AMOUNT_MAX, TransferSpec, Transfers, transfer_accesses, transfers};
pub use workload::{ACCOUNTS_MAX, Workload, WorkloadError};
