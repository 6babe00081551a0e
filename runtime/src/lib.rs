//! Derives access lists, schedules transactions and runs them in parallel in wasmtime.

pub mod types;
