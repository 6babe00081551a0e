//! Workloads, trace import and measurements.
//!
//! A [`Trace`] is a recorded block: what each transaction read, wrote and added to. It becomes
//! [`Accesses`](kempe_runtime::scheduler::Accesses) for a scheduler, or through [`transfers`] token
//! transfers that a chain can run. A [`Workload`] makes transfers from a seed, and a [`TokenWorld`]
//! makes blocks of them that run on the executor alone.

mod input;
mod lab;
mod measured;
mod memory;
mod pattern;
mod planning;
mod simulate;
mod trace;
mod transfers;
mod workload;
mod world;

pub use input::{Input, InputTx, first_fields};
pub use lab::{
    BlockLatency, BuildTime, Calibrated, Change, Comparison, Contention, HotKey, LabReport,
    Machine, PipelineCase, PipelineReport, PlotError, Prediction, REPORT_VERSION, Row, Rung, SHOWN,
    Together, best_change, compare, contention, html, is_serializable, ladder, simulate_rows,
    speedup_with_overheads,
};
pub use measured::{Calibration, Measure, RealRuns, Timed};
pub use memory::keep_freed_memory;
pub use pattern::{ACCESSES_MAX, COMMON, Parameter, Pattern, PatternError, SHAPES, Shape};
pub use planning::{PlanningTime, planning_time};
pub use simulate::{Model, Overheads, Simulated, Span, simulate, simulate_as};
pub use trace::{
    COST_NS_MAX, LINE_BYTES_MAX, TRACE_TXS_MAX, Trace, TraceError, TraceFault, TraceKind, TraceTx,
};
pub use transfers::{
    AMOUNT_MAX, TransferSpec, Transfers, plain_transfer_accesses, transfer_accesses, transfers,
};
pub use workload::{ACCOUNTS_MAX, Workload, WorkloadError};
pub use world::{
    BALANCE, ReplayWorld, TokenWorld, UnsignedBlock, World, WorldError, account_address, run_block,
};

/// The chapter of the guide, whose code runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../../docs/src/schedulers.md")]
mod guide {}
