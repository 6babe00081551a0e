//! What each stage of the executor costs: blocks of 20,000 token transfers, without signatures,
//! nonces and disk. Elements are transactions: the time for one is 1 / throughput.

use std::sync::Arc;

use criterion::measurement::WallTime;
use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use kempe_bench::{TokenWorld, UnsignedBlock, Workload, run_block};
use kempe_runtime::engine::BlockEnv;
use kempe_runtime::executor::{Executor, Plan, Tx};
use kempe_runtime::scheduler::{Color, Mode, Scheduler, verify};
use kempe_runtime::state::StateRead;

/// The allocator of the command line too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const N_TXS: usize = 20_000;
const N_ACCOUNTS: [usize; 2] = [10_000, 1_000_000];
const ENV: BlockEnv = BlockEnv { height: 1, time_ms: 1 };

fn executor(criterion: &mut Criterion) {
    for n_accounts in N_ACCOUNTS {
        let world = TokenWorld::new(n_accounts).expect("the token is deployed");
        let uniform = block(&world, Workload::Uniform { n_accounts });
        stages(criterion, &world, &uniform.txs(), n_accounts);
        for n_threads in [1, 2] {
            let parameter = format!("threads={n_threads}/accounts={n_accounts}");
            whole(criterion, &world, &uniform.txs(), n_threads, &parameter);
        }
    }
    let n_accounts = N_ACCOUNTS[0];
    let world = TokenWorld::new(n_accounts).expect("the token is deployed");
    let hot = block(&world, Workload::OneHot { n_accounts });
    for n_threads in [1, 2] {
        let parameter = format!("threads={n_threads}/one-hot={n_accounts}");
        whole(criterion, &world, &hot.txs(), n_threads, &parameter);
    }
}

fn block(world: &TokenWorld, workload: Workload) -> UnsignedBlock {
    world.block(&workload.transfers(N_TXS, 7).expect("the workloads here are in range"))
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(N_TXS as u64)).sample_size(20);
    group
}

/// The stages one by one, on one thread.
fn stages(criterion: &mut Criterion, world: &TokenWorld, txs: &[Tx<'_>], n_accounts: usize) {
    let state: Arc<dyn StateRead> = world.base.state();
    let mut executor: Executor = world.base.executor(1).expect("a thread starts");
    let id = || BenchmarkId::from_parameter(format!("accounts={n_accounts}"));
    let derive = |executor: &Executor| executor.derive(txs, &state).expect("memory is readable");
    group(criterion, "executor::derive")
        .bench_function(id(), |bencher| bencher.iter(|| derive(&executor)));
    let lists = derive(&executor);
    group(criterion, "executor::intern").bench_function(id(), |bencher| {
        let intern = |lists| executor.intern(lists, txs);
        bencher.iter_batched(|| lists.clone(), intern, BatchSize::PerIteration);
    });
    let interned = executor.intern(lists, txs);
    group(criterion, "scheduler::color")
        .bench_function(id(), |bencher| bencher.iter(|| Color.schedule(&interned.block())));
    let schedule = Color.schedule(&interned.block());
    group(criterion, "scheduler::verify").bench_function(id(), |bencher| {
        bencher.iter(|| verify(&schedule, &interned.block(), Mode::Free).expect("it fits"));
    });
    let plan = Plan::new(interned, schedule, Mode::Free).expect("it fits");
    group(criterion, "executor::execute").bench_function(id(), |bencher| {
        bencher.iter(|| executor.execute(txs, &plan, &state, ENV).expect("it runs"));
    });
}

/// A block from its transactions to receipts and changes.
fn whole(
    criterion: &mut Criterion,
    world: &TokenWorld,
    txs: &[Tx<'_>],
    n_threads: usize,
    parameter: &str,
) {
    let state = world.base.state();
    let mut executor = world.base.executor(n_threads).expect("threads start");
    group(criterion, "executor::block").bench_function(
        BenchmarkId::from_parameter(parameter),
        |bencher| {
            bencher.iter(|| run_block(&mut executor, txs, &state).expect("it runs"));
        },
    );
}

criterion_group!(benches, executor);
criterion_main!(benches);
