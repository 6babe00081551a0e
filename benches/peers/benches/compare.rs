//! Kempe on one thread, Kempe on two, and revm, on the same 20,000 token transfers.
//!
//! They take turns in one process, so that whatever else the machine does meets all of them alike.
//! All start from the same transactions in memory, without signatures and checks of nonces, and
//! end with receipts, events and changed balances, which are then freed. Kempe derives the access
//! lists, schedules, checks the schedule, executes and sorts the changes; the store does not take
//! them, so each round starts from the same state. revm executes one transaction after the other
//! and commits each to its database in memory, so later rounds find other balances.
#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::env;
use std::hint::black_box;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use kempe_bench::{TokenWorld, Workload, run_block};
use kempe_peers::Erc20World;
use kempe_runtime::engine::BlockEnv;
use kempe_runtime::executor::{Executor, Plan, Tx};
use kempe_runtime::scheduler::{Color, Mode, Scheduler};
use kempe_runtime::state::StateRead;

/// The allocator of the command line too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const N_TXS: usize = 20_000;
const N_ROUNDS: usize = 15;
const WORKLOADS: [&str; 4] =
    ["uniform:1000000", "uniform:10000", "zipf:1000000:100", "one-hot:10000"];

fn main() {
    kempe_bench::keep_freed_memory();
    // Cargo passes `--bench`; what is not an option is a filter, as criterion has it.
    let filter = env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    for name in WORKLOADS.into_iter().filter(|name| format!("compare/{name}").contains(&filter)) {
        compare(name);
    }
}

/// The times of one contestant.
#[derive(Default)]
struct Times {
    wall: Vec<Duration>,
    cpu: Vec<Duration>,
}

impl Times {
    fn measure<R>(&mut self, body: impl FnOnce() -> R) -> R {
        let (wall, cpu) = (Instant::now(), ProcessTime::now());
        let result = body();
        self.cpu.push(cpu.elapsed());
        self.wall.push(wall.elapsed());
        result
    }
}

/// The least and the median, for one transaction.
fn ns_per_tx(times: &[Duration]) -> (f64, f64) {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let ns = |time: Duration| time.as_secs_f64() * 1e9 / N_TXS as f64;
    (ns(sorted[0]), ns(sorted[sorted.len() / 2]))
}

fn compare(name: &str) {
    let workload: Workload = name.parse().expect("the names above are workloads");
    let specs = workload.transfers(N_TXS, 7).expect("their parameters are in range");
    let n_accounts = workload.n_accounts(N_TXS);

    let world = TokenWorld::new(n_accounts).expect("the token is deployed");
    let (block, state) = (world.block(&specs), world.base.state());
    let txs = block.txs();
    let mut executors =
        [1, 2].map(|n_threads| world.base.executor(n_threads).expect("threads start"));
    let mut revm = Erc20World::new(n_accounts);
    let revm_txs = revm.txs(&specs);

    let mut times: [Times; 3] = Default::default();
    let mut spins: [Times; 2] = Default::default();
    for round in 0..=N_ROUNDS {
        for (executor, times) in executors.iter_mut().zip(&mut times) {
            times.measure(|| {
                drop(black_box(run_block(executor, &txs, &state).expect("the block runs")));
            });
        }
        let revm_txs = revm_txs.clone();
        times[2].measure(|| revm.run(revm_txs).expect("no account runs dry"));
        for (n_threads, times) in [1, 2].into_iter().zip(&mut spins) {
            times.measure(|| spin(n_threads));
        }
        if round == 0 {
            // The first round compiles, makes instances and grows the heap.
            (times, spins) = Default::default();
        }
    }
    print(name, &times);
    for executor in &mut executors {
        print_stages(executor, &txs, &state);
    }
    let [one, two] = spins.map(|times| ns_per_tx(&times.wall).1);
    println!("  the machine alone: {:.2}x, twice as much counting on two threads", 2.0 * one / two);
}

/// Prints where the time of a block goes: the median of each stage, in wall time.
fn print_stages(executor: &mut Executor, txs: &[Tx<'_>], state: &Arc<dyn StateRead>) {
    const STAGES: [&str; 6] = ["derive", "intern", "schedule", "verify", "execute", "free"];
    let mut times: [Times; STAGES.len()] = Default::default();
    for _ in 0..N_ROUNDS {
        let [derive, intern, schedule, verify, execute, free] = &mut times;
        let lists = derive.measure(|| executor.derive(txs, state).expect("memory is readable"));
        let interned = intern.measure(|| executor.intern(lists, txs).expect("numbers"));
        let plan = schedule.measure(|| Color.schedule(&interned.block()));
        let plan = verify.measure(|| Plan::new(interned, plan, Mode::Free).expect("it fits"));
        let env = BlockEnv { height: 1, time_ms: 1 };
        let output =
            execute.measure(|| executor.execute(txs, &plan, state, env).expect("the block runs"));
        free.measure(|| drop((plan, output)));
    }
    print!("  stages, {} thread(s):", executor.n_threads());
    for (name, times) in STAGES.iter().zip(&times) {
        print!("  {name} {:.0}", ns_per_tx(&times.wall).1);
    }
    println!("  (wall ns per transfer)");
}

/// Counts for a few milliseconds on each thread, without memory: what two threads can gain here. Far
/// below 2, somebody else uses the cores, and what Kempe gains from a second thread says nothing.
fn spin(n_threads: usize) {
    thread::scope(|scope| {
        for _ in 0..n_threads {
            scope.spawn(|| (0..10_000_000_u64).fold(0, |sum, number| black_box(sum ^ number)));
        }
    });
}

fn print(name: &str, times: &[Times; 3]) {
    let (_, revm) = ns_per_tx(&times[2].wall);
    println!("compare/{name}: {N_TXS} transfers, {N_ROUNDS} rounds, ns per transfer");
    println!(
        "  {:<18} {:>8} {:>8} {:>8} {:>8} {:>11} {:>9}",
        "", "wall min", "median", "CPU min", "median", "transfers/s", "over revm"
    );
    for (label, times) in
        ["kempe, 1 thread", "kempe, 2 threads", "revm, 1 thread"].iter().zip(times)
    {
        let ((wall_min, wall), (cpu_min, cpu)) = (ns_per_tx(&times.wall), ns_per_tx(&times.cpu));
        println!(
            "  {label:<18} {wall_min:>8.0} {wall:>8.0} {cpu_min:>8.0} {cpu:>8.0} {:>11.0} {:>8.2}x",
            1e9 / wall,
            revm / wall
        );
    }
    let (one, two) = (ns_per_tx(&times[0].wall).1, ns_per_tx(&times[1].wall).1);
    println!("  two threads over one: {:.2}x", one / two);
}
