//! Blocks in a pipeline against the same blocks one by one, under bad input, and when the disk fails or
//! the process is killed.

mod kill;

use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kempe_abi::{Address, Outcome, TrapKind};
use kempe_runtime::chain::{
    Acknowledged, Chain, ChainError, ChainOptions, EncodedTxs, Pipeline, PipelineOptions,
    Signatures, StageObserver, replay,
};
use kempe_runtime::executor::ExecutorError;
use kempe_runtime::scheduler::{
    Block, Color, Form, Mode, Plan, PlanError, ScheduleError, Scheduler,
};
use kempe_runtime::state::{Disk, FaultKind, Faults, Lag, StoreError};
use kempe_runtime::types::{
    Action, Genesis, SignedTransaction, Transaction, TransactionError, contract_address,
};
use kempe_tests::{Account, CHAIN_ID, CHAOS, FUEL, call, deploy, genesis, options};

const N_ACCOUNTS: u8 = 20;

/// Accounts that sign with nonces in order.
struct Senders {
    accounts: Vec<(Account, u64)>,
}

impl Senders {
    fn new() -> Self {
        Self { accounts: (0..N_ACCOUNTS).map(|number| (Account::new(number), 0)).collect() }
    }

    fn address(&self, at: usize) -> Address {
        self.accounts[at].0.address
    }

    fn sign(&mut self, from: usize, action: Action) -> SignedTransaction {
        let (account, nonce) = &mut self.accounts[from];
        *nonce += 1;
        account.sign(Transaction {
            chain_id: CHAIN_ID,
            sender: account.address,
            nonce: *nonce - 1,
            fuel_limit: if matches!(action, Action::Deploy { .. }) { 1_000_000_000 } else { FUEL },
            actions: vec![action],
            access: Vec::new(),
        })
    }
}

fn encode(signed: &SignedTransaction) -> Vec<u8> {
    borsh::to_vec(signed).expect("encoding to memory cannot fail")
}

/// Blocks of encoded transactions: deployments, calls of what the block before deployed, transfers that
/// succeed and fail, and bytes and signatures that are none.
fn blocks() -> Vec<Vec<Vec<u8>>> {
    let mut senders = Senders::new();
    let mut random = 7u64;
    let mut next = |n: usize| {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        usize::try_from(random >> 33).expect("31 bits") % n
    };
    let mut blocks = Vec::new();
    let owner = senders.address(0);
    let token = contract_address(CHAIN_ID, &owner, 0, 0);
    let chaos = contract_address(CHAIN_ID, &senders.address(2), 0, 0);
    blocks.push(vec![
        encode(&senders.sign(0, deploy(kempe_contracts::TOKEN, &owner))),
        encode(&senders.sign(2, deploy(CHAOS, &()))),
    ]);
    let to = |senders: &Senders, at: usize| senders.address(at);
    let mints = (0..usize::from(N_ACCOUNTS)).map(|at| {
        let args = (to(&senders, at), 1_000u128);
        call(token, "mint", &args)
    });
    let mints: Vec<Action> = mints.collect();
    blocks.push(mints.into_iter().map(|mint| encode(&senders.sign(0, mint))).collect());
    for number in 0..12usize {
        let mut block = Vec::new();
        // A contract that the next block calls, derived before this block is executed.
        let deployer = senders.address(1);
        let tally = contract_address(CHAIN_ID, &deployer, senders.accounts[1].1, 0);
        block.push(encode(&senders.sign(1, deploy(kempe_contracts::COUNTER, &()))));
        for _ in 0..40 {
            let (from, to, amount) = (next(20), next(20), next(700) as u128);
            let to = senders.address(to);
            block.push(encode(&senders.sign(from, call(token, "transfer", &(to, amount)))));
        }
        // Whether the takers of the next block commute is up to what this one leaves.
        let to = u8::try_from(number * 20).expect("a stock of a byte");
        block.push(encode(&senders.sign(5, call(chaos, "restock", &(0u8, to)))));
        block.push(encode(&senders.sign(5, call(chaos, "note", &(0u8, 2u8)))));
        // So is whether a guard stops those that it guards.
        let flag = u8::try_from(number % 3).expect("one of three");
        block.push(encode(&senders.sign(6, call(chaos, "flag", &(1u8, flag)))));
        if number % 3 == 0 {
            let mut bad = senders.sign(3, call(token, "transfer", &(owner, 1u128)));
            bad.signature[5] ^= 1;
            senders.accounts[3].1 -= 1;
            block.insert(number * 2, encode(&bad));
            block.insert(0, b"no transaction".to_vec());
            let early = senders.sign(4, call(token, "transfer", &(owner, 1u128)));
            block.push(encode(&early));
            block.push(encode(&early));
        }
        blocks.push(block);
        let raises = (0..10).map(|at| senders.sign(at, call(tally, "raise", &5u64)));
        let mut block: Vec<Vec<u8>> = raises.map(|signed| encode(&signed)).collect();
        let takers = (10..16).map(|at| senders.sign(at, call(chaos, "book", &(0u8, 17u8))));
        block.extend(takers.map(|signed| encode(&signed)));
        // What the block before appended, which may not be applied yet, and what this one does.
        let last = number as u64 * 2;
        block.push(encode(&senders.sign(16, call(chaos, "noted", &(0u8, last)))));
        block.push(encode(&senders.sign(17, call(chaos, "note", &(0u8, 1u8)))));
        block.push(encode(&senders.sign(18, call(chaos, "n_notes", &0u8))));
        block.push(encode(&senders.sign(6, call(chaos, "flag", &(1u8, 1u8)))));
        let guarded = (16..20).map(|at| senders.sign(at, call(chaos, "guarded", &(1u8, 1u8))));
        block.extend(guarded.map(|signed| encode(&signed)));
        blocks.push(block);
    }
    blocks
}

fn start() -> Genesis {
    genesis(N_ACCOUNTS, 0)
}

/// Builds the blocks one after the other; those without a valid transaction are none.
fn one_by_one(mut chain: Chain, blocks: &[Vec<Vec<u8>>]) -> Chain {
    for (time_ms, block) in (1..).zip(blocks) {
        let decoded = block.iter().filter_map(|bytes| SignedTransaction::decode(bytes).ok());
        chain.build(decoded.collect(), time_ms).expect("it is built");
    }
    chain
}

fn pipelined(
    chain: Chain,
    blocks: &[Vec<Vec<u8>>],
    signatures: Signatures,
) -> (Result<Chain, ChainError>, Vec<Acknowledged>) {
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&acknowledged);
    let pipeline_options = PipelineOptions { signatures, ..PipelineOptions::default() };
    let next_height = chain.head().height + 1;
    let mut pipeline = Pipeline::start(chain, pipeline_options, move |block| {
        into.lock().expect("nobody panics").push(block);
    })
    .expect("it starts");
    for (time_ms, block) in (next_height..).zip(blocks) {
        if pipeline.submit(block.iter().collect::<EncodedTxs>(), time_ms).is_err() {
            break;
        }
    }
    let chain = pipeline.finish();
    let acknowledged = std::mem::take(&mut *acknowledged.lock().expect("nobody panics"));
    (chain, acknowledged)
}

fn assert_same(chain: &Chain, expected: &Chain) {
    assert_eq!(chain.head(), expected.head());
    for height in 0..=expected.head().height {
        let (found, expected) = (chain.block(height), expected.block(height));
        assert_eq!(found.expect("readable"), expected.expect("readable"), "height={height}");
    }
}

#[test]
fn a_pipeline_makes_the_same_blocks_at_any_price_of_gas() {
    for (gas, n_threads) in [(0, 1), (0, 2), (0, 3), (1, 2)] {
        let genesis = genesis(N_ACCOUNTS, gas);
        let chain = || Chain::in_memory(genesis.clone(), options(n_threads, &Color));
        let expected = one_by_one(chain().expect("it starts"), &blocks());
        let (chain, acknowledged) =
            pipelined(chain().expect("it starts"), &blocks(), Signatures::Check);
        let chain = chain.expect("it ends well");
        assert_same(&chain, &expected);
        let (mut n_ok, mut n_failed, mut n_guarded) = (0, 0, 0);
        for (ticket, (block, height)) in (0..).zip(acknowledged.iter().zip(1..)) {
            let stored = expected.block(height).expect("readable").expect("there");
            assert_eq!((block.ticket, block.header.as_ref()), (ticket, Some(&stored.block.header)));
            assert_eq!(block.receipts, stored.receipts);
            n_ok += block.receipts.iter().filter(|r| r.outcome == Outcome::Ok).count();
            n_failed += block.receipts.iter().filter(|r| r.outcome != Outcome::Ok).count();
            let guarded = Outcome::Trap(TrapKind::Guarded);
            n_guarded += block.receipts.iter().filter(|r| r.outcome == guarded).count();
        }
        assert!(n_ok > 400 && n_failed > 50, "ok={n_ok} failed={n_failed}");
        assert_eq!(n_guarded, 16, "the four of each of four blocks behind one that sets the flag");
        let rejected = &acknowledged[2].rejected;
        let places: Vec<usize> = rejected.iter().map(|(at, _)| *at).collect();
        assert_eq!(places, [0, 1, 47], "bytes, signature, nonce: {rejected:?}");
        assert!(matches!(rejected[0].1, TransactionError::Encoding(_)));
        assert!(matches!(rejected[1].1, TransactionError::BadSignature(_)));
        assert!(matches!(rejected[2].1, TransactionError::Nonce { .. }));
    }
}

#[test]
fn a_chain_on_disk_survives_its_pipeline_and_replays() {
    let directory = tempfile::tempdir().expect("a directory");
    let chain = Chain::create(directory.path(), start(), options(2, &Color)).expect("created");
    let (chain, _) = pipelined(chain, &blocks(), Signatures::Check);
    let mut chain = chain.expect("it ends well");
    let head = chain.head().clone();
    // It goes on one by one, too.
    let account = Account::new(9);
    let nonce = chain.next_nonce(&account.address).expect("readable");
    let action = Action::Transfer { to: Address([1; 32]), amount: 3 };
    let tx = Transaction {
        chain_id: CHAIN_ID,
        sender: account.address,
        nonce,
        fuel_limit: FUEL,
        actions: vec![action],
        access: Vec::new(),
    };
    let last = chain.build(vec![account.sign(tx)], 0).expect("it is built").record.block.header;
    assert_eq!((last.height, last.parent), (head.height + 1, head.hash()));
    let hash =
        chain.block(3).expect("readable").expect("there").block.transactions[5].transaction.hash();
    let place = chain.find_transaction(&hash).expect("readable").expect("there");
    assert_eq!((place.height, place.index), (3, 5));
    drop(chain);
    let chain = Chain::open(directory.path(), options(2, &Color)).expect("it opens");
    assert_eq!(chain.head(), &last);
    assert_eq!(chain.find_transaction(&hash).expect("readable"), Some(place));
    let report = replay(&chain, options(2, &Color), |_| ()).expect("it replays");
    assert_eq!((report.n_blocks, report.divergence), (last.height, None));
}

#[test]
fn a_block_of_nothing_valid_is_none_and_too_many_are_refused() {
    let mut genesis = start();
    genesis.limits.block_txs_max = 3;
    let chain = Chain::in_memory(genesis, options(1, &Color)).expect("it starts");
    let junk = vec![vec![b"junk".to_vec(); 3], Vec::new(), vec![b"junk".to_vec()]];
    let (chain, acknowledged) = pipelined(chain, &junk, Signatures::Check);
    let chain = chain.expect("it ends well");
    let headers: Vec<Option<u64>> =
        acknowledged.iter().map(|block| block.header.as_ref().map(|h| h.height)).collect();
    assert_eq!(headers, [None, Some(1), None], "a block of no transactions is one");
    assert_eq!(acknowledged[0].rejected.len(), 3);
    let mut pipeline = Pipeline::start(chain, PipelineOptions::default(), |_| ()).expect("starts");
    let four: EncodedTxs = [b"a"; 4].iter().collect();
    assert!(matches!(pipeline.submit(four, 0), Err(ChainError::TooManyTransactions { .. })));
    assert_eq!(pipeline.finish().expect("it ends well").head().height, 1);
}

/// One bad signature among many is left out, and the others are a block.
#[test]
fn one_bad_signature_in_many() {
    const N_TXS: usize = 20_000;
    let mut senders = Senders::new();
    let to = Address([8; 32]);
    let mut block: Vec<Vec<u8>> = (0..N_TXS)
        .map(|at| encode(&senders.sign(at % 20, Action::Transfer { to, amount: 1 })))
        .collect();
    // The last of its sender, so that no nonce misses it.
    let last = block[N_TXS - 7].len() - 1;
    block[N_TXS - 7][last - 40] ^= 4;
    let chain = Chain::in_memory(start(), options(2, &Color)).expect("it starts");
    let (chain, acknowledged) = pipelined(chain, &[block], Signatures::Check);
    assert_eq!(chain.expect("it ends well").head().height, 1);
    assert_eq!(acknowledged[0].receipts.len(), N_TXS - 1);
    let rejected = &acknowledged[0].rejected;
    assert!(matches!(rejected[..], [(at, TransactionError::BadSignature(_))] if at == N_TXS - 7));
}

/// A scheduler that publishes an order which is none.
#[derive(Debug)]
struct Broken {
    last: u32,
}

impl Scheduler for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn mode(&self) -> Mode {
        Mode::Free
    }

    fn plan(&self, block: &Block<'_>, _: usize) -> Plan {
        let mut order: Vec<u32> = block.txs().collect();
        *order.last_mut().expect("the block is not empty") = self.last;
        Plan::new(order, 0, Form::Values)
    }
}

/// What a scheduler of anyone's publishes is checked before it is used.
#[test]
fn an_illegal_plan_is_refused() {
    let mut senders = Senders::new();
    let to = Address([8; 32]);
    let block: Vec<Vec<u8>> =
        (0..3).map(|at| encode(&senders.sign(at, Action::Transfer { to, amount: 1 }))).collect();
    let (twice, unknown): (&Broken, &Broken) = (&Broken { last: 0 }, &Broken { last: 3 });
    for (scheduler, expected) in [
        (twice, ScheduleError::Duplicate { tx: 0 }),
        (unknown, ScheduleError::OutOfRange { tx: 3, n_txs: 3 }),
    ] {
        let chain = Chain::in_memory(start(), options(2, scheduler)).expect("it starts");
        let (chain, acknowledged) =
            pipelined(chain, std::slice::from_ref(&block), Signatures::Check);
        let ChainError::IllegalPlan(error) = chain.expect_err("the plan is none") else {
            panic!("another error")
        };
        assert_eq!(error, PlanError::Schedule(expected));
        assert!(acknowledged.is_empty());
    }
}

/// Two threads, and a checkpoint in the background for every other block.
fn with_checkpoints() -> ChainOptions {
    let lag_max = Lag { blocks: 1, ..Lag::default() };
    ChainOptions { lag_max, ..options(2, &Color) }
}

/// Runs the pipeline on a disk that fails after so many operations, with checkpoints in the background; gives the height
/// that was acknowledged last.
fn run_on(disk: &Disk, directory: &Path, blocks: &[Vec<Vec<u8>>]) -> u64 {
    let Ok(chain) = Chain::open_on(disk, directory, with_checkpoints()) else { return 0 };
    let (chain, acknowledged) = pipelined(chain, blocks, Signatures::Check);
    if let Ok(mut chain) = chain {
        // What the background has not come to.
        let _ = chain.checkpoint();
    }
    acknowledged.last().and_then(|block| block.header.as_ref()).map_or(0, |header| header.height)
}

/// Who hands in one block at a time and waits for its acknowledgement learns that none comes.
#[test]
fn a_waiter_learns_that_the_disk_is_full() {
    let blocks = &blocks()[..2];
    for n_operations in 0.. {
        let directory = tempfile::tempdir().expect("a directory");
        drop(Chain::create(directory.path(), start(), options(1, &Color)).expect("created"));
        let faults = Faults::after(n_operations, FaultKind::Full);
        let disk = Disk::with_faults(Arc::clone(&faults));
        let Ok(chain) = Chain::open_on(&disk, directory.path(), options(2, &Color)) else {
            continue;
        };
        let (sender, acknowledged) = channel();
        let mut pipeline = Pipeline::start(chain, PipelineOptions::default(), move |block| {
            sender.send(block.ticket).expect("the test listens");
        })
        .expect("it starts");
        for (time_ms, block) in (1..).zip(blocks) {
            let Ok(ticket) = pipeline.submit(block.iter().collect(), time_ms) else { break };
            match acknowledged.recv_timeout(Duration::from_secs(60)) {
                Ok(acknowledged) => assert_eq!(acknowledged, ticket),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("{n_operations}: nobody says anything"),
            }
        }
        let failed = faults.failed();
        let Err(error) = pipeline.finish() else {
            assert!(!failed, "{n_operations}: it did not end well");
            break;
        };
        assert!(matches!(error, ChainError::Store(StoreError::Io { .. })), "{error}");
    }
}

#[test]
fn nothing_acknowledged_is_lost_whenever_the_disk_fails() {
    let blocks = &blocks()[..6];
    let chain = Chain::in_memory(start(), options(1, &Color)).expect("it starts");
    let expected = one_by_one(chain, blocks);
    for kind in [FaultKind::Power, FaultKind::Full, FaultKind::Sync, FaultKind::Once] {
        let step = match kind {
            FaultKind::Power => 1,
            FaultKind::Once => 9,
            _ => 3,
        };
        for n_operations in (0..).step_by(step) {
            let directory = tempfile::tempdir().expect("a directory");
            drop(Chain::create(directory.path(), start(), options(1, &Color)).expect("created"));
            let faults = Faults::after(n_operations, kind);
            let n_acknowledged =
                run_on(&Disk::with_faults(Arc::clone(&faults)), directory.path(), blocks);
            let chain = Chain::open(directory.path(), options(1, &Color));
            let chain = chain.unwrap_or_else(|error| {
                panic!("{kind:?} {n_operations}, {n_acknowledged} acknowledged: {error}")
            });
            let head = chain.head();
            assert!(head.height >= n_acknowledged, "{kind:?} {n_operations}: a block is lost");
            let same = expected.block(head.height).expect("readable").expect("there");
            assert_eq!(head, &same.block.header, "{kind:?} {n_operations}");
            if !faults.failed() {
                assert_eq!(head, expected.head());
                break;
            }
        }
    }
}

/// A scheduler with a bug.
#[derive(Debug)]
struct Panicking;

impl Scheduler for Panicking {
    fn name(&self) -> &'static str {
        "panicking"
    }

    fn mode(&self) -> Mode {
        Mode::Free
    }

    fn plan(&self, _: &Block<'_>, _: usize) -> Plan {
        panic!("as the test wants it")
    }
}

/// Whatever the other stages meet then, the panic is what is said.
#[test]
fn a_panic_in_a_stage_is_named_and_loses_no_acknowledged_block() {
    let is_named = |error: ChainError| match error {
        ChainError::Executor(ExecutorError::Panicked(text)) => text == "as the test wants it",
        _ => false,
    };
    let blocks = blocks();
    let chain = Chain::in_memory(start(), options(2, &Panicking)).expect("it starts");
    let (chain, acknowledged) = pipelined(chain, &blocks, Signatures::Check);
    assert!(is_named(chain.expect_err("a stage panicked")) && acknowledged.is_empty());
    for stage in kill::STAGES {
        let directory = tempfile::tempdir().expect("a directory");
        let chain = Chain::create(directory.path(), start(), options(2, &Color)).expect("created");
        let n_passed = AtomicUsize::new(0);
        let observer: StageObserver = Arc::new(move |passed| {
            let is_third = passed == stage && n_passed.fetch_add(1, Ordering::Relaxed) == 2;
            assert!(!is_third, "as the test wants it");
        });
        let last = Arc::new(AtomicU64::new(0));
        let into = Arc::clone(&last);
        let options_of = PipelineOptions { observer: Some(observer), ..PipelineOptions::default() };
        let mut pipeline = Pipeline::start(chain, options_of, move |block| {
            into.fetch_max(block.header.map_or(0, |header| header.height), Ordering::Relaxed);
        })
        .expect("it starts");
        let submitted = (1..).zip(&blocks).take_while(|(time_ms, block)| {
            pipeline.submit(block.iter().collect::<EncodedTxs>(), *time_ms).is_ok()
        });
        let n_submitted = submitted.count();
        let error = pipeline.finish().expect_err("a stage panicked");
        let text = error.to_string();
        assert!(is_named(error), "{stage:?}, {n_submitted} blocks: {text}");
        let chain = Chain::open(directory.path(), options(1, &Color)).expect("it opens again");
        let last = last.load(Ordering::Relaxed);
        assert!(chain.head().height >= last, "{stage:?}: block {last} was acknowledged");
    }
}
