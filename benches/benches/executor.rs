//! What each stage of the executor costs: blocks of 20,000 token transfers, without signatures,
//! nonces and disk. Elements are transactions: the time for one is 1 / throughput.

use std::sync::Arc;

use criterion::measurement::WallTime;
use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use kempe_abi::AccessKind;
use kempe_bench::{Input, InputTx, ReplayWorld, TokenWorld, UnsignedBlock, Workload, run_block};
use kempe_runtime::engine::BlockEnv;
use kempe_runtime::executor::{Executor, Plan, Tx};
use kempe_runtime::scheduler::{Color, Mode, Scheduler, by_name};
use kempe_runtime::state::{Changes, StateRead, StateTable, StateTree};

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
    dispatch(criterion);
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
        let intern = |lists| executor.intern(lists, txs).expect("numbers");
        bencher.iter_batched(|| lists.clone(), intern, BatchSize::PerIteration);
    });
    let interned = executor.intern(lists, txs).expect("numbers");
    let schedule = Color.schedule(&interned.block());
    let plan = Plan::new(interned, schedule, Mode::Free).expect("it fits");
    group(criterion, "executor::execute").bench_function(id(), |bencher| {
        bencher.iter(|| executor.execute(txs, &plan, &state, ENV).expect("it runs"));
    });
    let output = executor.execute(txs, &plan, &state, ENV).expect("it runs");
    merge(criterion, output.changes.rows(), id());
}

/// What a block changed into the state and its tree.
fn merge(criterion: &mut Criterion, changes: &Changes, id: BenchmarkId) {
    let (table, tree) = (StateTable::new(), StateTree::empty());
    group(criterion, "state::merge").bench_function(id, |bencher| {
        bencher.iter(|| {
            table.apply_changes(changes);
            tree.update_rows(&table, changes).expect("memory is readable")
        });
    });
}

/// What it takes to get at each transaction of a block and away from it: they touch two keys each and burn no
/// time, on both threads.
fn dispatch(criterion: &mut Criterion) {
    let tx = |at: u64| InputTx {
        accesses: [2 * at, 2 * at + 1].map(|key| (key, AccessKind::Write, false)).to_vec(),
        ..InputTx::default()
    };
    let input = Input::new("independent".to_owned(), (0..N_TXS as u64).map(tx).collect());
    let world = ReplayWorld::new().expect("the contract is deployed");
    let block = world.idle_block(&input).expect("the lists are short");
    let (txs, state) = (block.txs(), world.base.state());
    let mut executor = world.base.executor(2).expect("threads start");
    for name in ["color", "graph", "versions", "values", "block-stm"] {
        let lists = executor.derive(&txs, &state).expect("memory is readable");
        let interned = executor.intern(lists, &txs).expect("numbers");
        let scheduler = by_name(name).expect("there is one of the name");
        let plan = Plan::by(interned, scheduler, 2).expect("the plan is legal");
        let id = BenchmarkId::from_parameter(format!("scheduler={name}/threads=2"));
        group(criterion, "executor::dispatch").bench_function(id, |bencher| {
            bencher.iter(|| executor.execute(&txs, &plan, &state, ENV).expect("it runs"));
        });
    }
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
