//! One token transfer in Kempe and in the engines that a user would otherwise pick: revm, litesvm
//! (Solana), soroban-env-host (Stellar) and cosmwasm-vm (Cosmos).
//!
//! Each has a token that holds the same accounts with the same balances, and runs the same 20,000
//! transfers on one thread. They take turns in one process, so that whatever else the machine does
//! meets all of them alike. A round starts from transactions that are in memory as the engine takes
//! them, and ends when what they changed is in the engine's state in memory, where the next round
//! finds it. Signatures are not checked, no state root is computed and nothing is written to disk.
//! At the end every account's balance in every engine must be what a plain sum of the transfers
//! says, or the program fails.
//!
//! | engine | a transaction | code |
//! | --- | --- | --- |
//! | Kempe | a call of `transfer` of the shipped token; all of them are one block | wasm, compiled by cranelift |
//! | revm 43 | a call of `transfer` of an ERC-20 token, committed | EVM code written by hand, interpreted |
//! | litesvm 0.16 | one instruction `Transfer` of the SPL token | the program of Solana's main network, compiled |
//! | soroban-env-host 30 | an invocation of `transfer` of the native asset's contract | built into the host, no wasm |
//! | cosmwasm-vm 3.0.9 | a call of `transfer` of cw20-base 2.0 | wasm, compiled by singlepass |
//!
//! What of it is more than a transfer is in Kempe stands in the file of each. `Cargo.lock` has the
//! exact versions. Two are not the newest: litesvm after 0.16 needs crates that want Rust 1.98, newer
//! than what compiles Kempe, and cosmwasm-vm after 3.0.9 is on wasmer 7, whose singlepass compiler
//! is under the Business Source License.
//!
//! # Licenses
//!
//! Nothing here is part of what Kempe ships: this crate has its own lock file, and nothing depends
//! on it. litesvm, soroban-env-host, cosmwasm-vm and cw20-base are under Apache-2.0, revm under
//! MIT. What they depend on is under what `deny.toml` allows, or BSD-2-Clause, BSL-1.0 (Boost),
//! CC0-1.0, CDLA-Permissive-2.0, ISC, 0BSD, and MPL-2.0 (dynasm, fastrlp).
#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]

mod cosmwasm;
mod ethereum;
mod kempe;
mod solana;
mod stellar;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kempe_bench::{BALANCE, TransferSpec, Workload};

/// The allocator of the command line too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const N_ACCOUNTS: usize = 10_000;
const N_TXS: usize = 20_000;
/// The first one is not counted: it compiles, makes instances and grows the heap.
const N_ROUNDS: usize = 12;

/// An engine with a token in it, whose accounts all start with [`BALANCE`].
trait Peer {
    /// The engine, and what of it runs.
    fn name(&self) -> &'static str;

    /// Runs every transfer once, and says how long that took.
    ///
    /// # Errors
    /// The first transfer that does not succeed.
    fn round(&mut self) -> Result<Duration>;

    /// What an account has.
    ///
    /// # Errors
    /// If the engine's state cannot be read.
    fn balance(&mut self, account: usize) -> Result<u128>;
}

/// How long something takes that can fail.
fn timed(body: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let start = Instant::now();
    body()?;
    Ok(start.elapsed())
}

fn main() -> Result<()> {
    kempe_bench::keep_freed_memory();
    // Kempe's state takes changes on all threads of the pool.
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global()?;
    let specs = Workload::Uniform { n_accounts: N_ACCOUNTS }.transfers(N_TXS, 7)?;
    let mut peers: Vec<Box<dyn Peer>> = vec![
        Box::new(kempe::Kempe::new(N_ACCOUNTS, &specs)?),
        Box::new(ethereum::Revm::new(N_ACCOUNTS, &specs)),
        Box::new(solana::Litesvm::new(N_ACCOUNTS, &specs)?),
        Box::new(stellar::Soroban::new(N_ACCOUNTS, &specs)?),
        Box::new(cosmwasm::CosmWasm::new(N_ACCOUNTS, &specs)?),
    ];
    let mut times = vec![Vec::with_capacity(N_ROUNDS); peers.len()];
    for _ in 0..N_ROUNDS {
        for (peer, times) in peers.iter_mut().zip(&mut times) {
            times.push(peer.round().with_context(|| peer.name())?);
        }
    }
    let expected = balances(N_ACCOUNTS, &specs, N_ROUNDS);
    for peer in &mut peers {
        check(peer.as_mut(), &expected).with_context(|| peer.name())?;
    }
    print(&peers, &times);
    Ok(())
}

/// What every account has when all transfers have run so many times.
fn balances(n_accounts: usize, specs: &[TransferSpec], n_rounds: usize) -> Vec<u128> {
    let mut balances = vec![BALANCE; n_accounts];
    for spec in specs {
        balances[spec.from] -= spec.amount * n_rounds as u128;
        balances[spec.to] += spec.amount * n_rounds as u128;
    }
    balances
}

fn check(peer: &mut dyn Peer, expected: &[u128]) -> Result<()> {
    for (account, &expected) in expected.iter().enumerate() {
        let found = peer.balance(account)?;
        ensure!(found == expected, "account {account} has {found} instead of {expected}");
    }
    Ok(())
}

fn print(peers: &[Box<dyn Peer>], times: &[Vec<Duration>]) {
    println!(
        "{N_TXS} transfers among {N_ACCOUNTS} accounts, {} alternating rounds, one thread;\nwithout \
         signatures, state root and disk; every balance is right at the end",
        N_ROUNDS - 1
    );
    let n_width = peers.iter().map(|peer| peer.name().len()).max().unwrap_or_default();
    println!("{:n_width$}  ns (median)  ns (least)  transfers/s  of Kempe's time", "");
    let mut kempe = None;
    for (peer, times) in peers.iter().zip(times) {
        let mut sorted = times[1..].to_vec();
        sorted.sort_unstable();
        let ns = |time: Duration| time.as_secs_f64() * 1e9 / N_TXS as f64;
        let (median, least) = (ns(sorted[sorted.len() / 2]), ns(sorted[0]));
        let kempe = *kempe.get_or_insert(median);
        println!(
            "{:n_width$}  {median:>11.0}  {least:>10.0}  {:>11.0}  {:>14.1}x",
            peer.name(),
            1e9 / median,
            median / kempe
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Few transfers, several from an account that has received some before.
    fn specs() -> Vec<TransferSpec> {
        Workload::Uniform { n_accounts: 10 }.transfers(60, 3).expect("the numbers are in range")
    }

    fn test(mut peer: impl Peer, specs: &[TransferSpec]) {
        for n_rounds in 0..3 {
            check(&mut peer, &balances(10, specs, n_rounds)).expect("the balances are right");
            peer.round().expect("the transfers succeed");
        }
        let wrong = balances(10, specs, 2);
        check(&mut peer, &wrong).expect_err("a round less is found");
    }

    #[test]
    fn transfers_move_the_same_in_kempe() {
        test(kempe::Kempe::new(10, &specs()).expect("it is set up"), &specs());
    }

    #[test]
    fn transfers_move_the_same_in_revm() {
        test(ethereum::Revm::new(10, &specs()), &specs());
    }

    #[test]
    fn transfers_move_the_same_in_litesvm() {
        test(solana::Litesvm::new(10, &specs()).expect("it is set up"), &specs());
    }

    #[test]
    fn transfers_move_the_same_in_soroban() {
        test(stellar::Soroban::new(10, &specs()).expect("it is set up"), &specs());
    }

    #[test]
    fn transfers_move_the_same_in_cosmwasm() {
        test(cosmwasm::CosmWasm::new(10, &specs()).expect("it is set up"), &specs());
    }

    /// One more than the sender has is refused by every engine, so that none only adds and
    /// subtracts.
    #[test]
    fn nobody_can_send_more_than_there_is() {
        let specs = [TransferSpec { from: 0, to: 1, amount: BALANCE + 1 }];
        let mut peers: Vec<Box<dyn Peer>> = vec![
            Box::new(kempe::Kempe::new(2, &specs).expect("it is set up")),
            Box::new(ethereum::Revm::new(2, &specs)),
            Box::new(solana::Litesvm::new(2, &specs).expect("it is set up")),
            Box::new(stellar::Soroban::new(2, &specs).expect("it is set up")),
            Box::new(cosmwasm::CosmWasm::new(2, &specs).expect("it is set up")),
        ];
        for peer in &mut peers {
            peer.round().expect_err(peer.name());
        }
    }
}
