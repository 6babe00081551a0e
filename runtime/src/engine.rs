//! Runs transactions in wasmtime: configuration, admission of modules, compiled code, instances,
//! host functions, fuel and traps.
//!
//! The engine is a function: a transaction and the cells of its access list go in, the outcome, the
//! events, the fuel and the changed cells come out. It owns no state.

pub mod admission;
mod artifacts;
mod cell;
mod codes;
mod compile;
mod compiler;
mod contracts;
mod deploy;
mod host;
mod instance;
mod loading;
mod run;
mod session;
mod upgrade;
mod weight;

pub use admission::{Admitted, Refusal, admit};
pub use artifacts::Artifacts;
pub(crate) use cell::{Accumulator, Cell, Delta, number};
pub use compile::{Code, ENGINE_VERSION, Engine, EngineError, config};
pub(crate) use contracts::Find;
pub use contracts::{Contract, ContractSet};
pub(crate) use loading::Loading;
pub(crate) use run::{Mode, Run, Worker};
pub(crate) use session::{Appended, Copies};
pub use session::{BlockEnv, CALL_STACK_BYTES};
