//! Contracts that do what a contract should not: each with the exact outcome, on one, two and three threads
//! and in the oracle.

mod calls;
mod everywhere;
mod guards;
mod host;
mod lists;
mod logs;
mod panics;
mod prices;
mod run;
mod unread;
mod wide;

/// That of the command line: prices are what things take there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
