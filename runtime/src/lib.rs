//! Derives access lists, schedules transactions and runs them in parallel in wasmtime.

pub mod access;
#[cfg(test)]
mod cases;
pub mod chain;
pub mod engine;
pub mod executor;
pub mod files;
mod prefetch;
pub mod scheduler;
pub mod state;
mod sync;
mod tasks;
pub mod types;
