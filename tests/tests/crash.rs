//! A process that is killed while it builds blocks, again and again; and directories with flipped bits.
//!
//! The short form runs in CI. `KEMPE_CRASHES` and `KEMPE_FLIPS` are the numbers of kills and flips.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{env, fs};

use kempe_abi::Hash;
use kempe_runtime::chain::{Chain, ChainError, exists, replay};
use kempe_runtime::scheduler::Color;
use kempe_runtime::state::TxLocation;
use kempe_runtime::types::Action;
use kempe_tests::{
    CHAIN_ID, World, assert_named, call, cells_of, deploy, genesis, number, options,
};

const N_ACCOUNTS: u8 = 4;

/// Where the child finds its directory.
const DIRECTORY: &str = "KEMPE_CRASH_DIRECTORY";

fn open(directory: &Path) -> World {
    let chain = Chain::open(directory, options(2, &Color)).expect("a killed chain opens");
    World::on(chain, N_ACCOUNTS)
}

/// Not a test: what the killed process does. It makes blocks of transfers, calls and deployments,
/// and says of each, once it is durable, its height and hash.
#[test]
#[ignore = "the child of `what_was_acknowledged_survives_kill_9`"]
fn child() {
    let Some(directory) = env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    let mut world = if exists(&directory) {
        open(&directory)
    } else {
        let chain = Chain::create(&directory, genesis(N_ACCOUNTS, 1), options(2, &Color));
        World::on(chain.expect("it is created"), N_ACCOUNTS)
    };
    let counter = {
        let sender = world.accounts[0].address;
        kempe_runtime::types::contract_address(CHAIN_ID, &sender, 0, 0)
    };
    let mut stdout = std::io::stdout();
    loop {
        let height = world.chain.head().height;
        let mut actions: Vec<(usize, Vec<Action>)> = (0..40)
            .map(|at| {
                let to = world.accounts[(at + 1) % 4].address;
                (at % 4, vec![Action::Transfer { to, amount: height.into() }])
            })
            .collect();
        actions.push((1, vec![call(counter, "raise", &height)]));
        if height.is_multiple_of(16) {
            actions.insert(0, (0, vec![deploy(kempe_contracts::COUNTER, &())]));
        }
        let txs =
            actions.into_iter().map(|(from, actions)| (from, actions, 900_000_000, Vec::new()));
        let txs = world.sign_with(txs);
        let report = world.build(txs);
        let header = &report.record.block.header;
        writeln!(stdout, "\nacknowledged {} {}", header.height, header.hash())
            .and_then(|()| stdout.flush())
            .expect("the parent reads");
    }
}

fn spawn(directory: &Path) -> Child {
    Command::new(env::current_exe().expect("this test has a path"))
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts")
}

/// Lets a child run until it has acknowledged some blocks and a little longer, kills it, and gives
/// what it acknowledged.
fn run_and_kill(directory: &Path, rng: &mut fastrand::Rng) -> Vec<(u64, String)> {
    let mut child = spawn(directory);
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let n = rng.usize(0..6);
    let mut acknowledged = Vec::new();
    let read = |line: &str| {
        let (height, hash) = line.strip_prefix("acknowledged ")?.split_once(' ')?;
        Some((height.parse().ok()?, hash.to_owned()))
    };
    while acknowledged.len() < n {
        let Some(Ok(line)) = lines.next() else { break };
        acknowledged.extend(read(&line));
    }
    // Some part of a block more: anywhere between two acknowledgments.
    for _ in 0..rng.u32(0..2_000_000) {
        std::hint::spin_loop();
    }
    child.kill().expect("it is killed");
    child.wait().expect("it is gone");
    // What was written to the pipe before counts as acknowledged.
    acknowledged.extend(lines.map_while(Result::ok).filter_map(|line| read(&line)));
    acknowledged
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let parent = tempfile::tempdir().expect("a directory");
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut n_blocks, mut n_empty) = (0, 0);
    let points: usize = number("KEMPE_CRASHES", 24);
    // A new chain now and then, so that creation is interrupted too, and replays stay short.
    for chain in 0..points.div_ceil(24) {
        let directory = parent.path().join(format!("chain-{chain}"));
        let mut all: Vec<(u64, String)> = Vec::new();
        for _ in 0..24.min(points - 24 * chain) {
            let acknowledged = run_and_kill(&directory, &mut rng);
            n_empty += u32::from(acknowledged.is_empty());
            all.extend(acknowledged);
            if !exists(&directory) {
                assert!(all.is_empty(), "a chain with blocks is gone");
                continue;
            }
            let world = open(&directory);
            let head = world.chain.head().height;
            for (height, hash) in &all {
                assert!(*height <= head, "block {height} was acknowledged, {head} is the head");
                let record = world.chain.block(*height).expect("readable").expect("there");
                assert_eq!(record.block.header.hash().to_string(), *hash);
            }
        }
        if exists(&directory) {
            let world = open(&directory);
            let report = replay(&world.chain, options(1, &Color), |_| ()).expect("it replays");
            assert_eq!(report.divergence, None);
            n_blocks += report.n_blocks;
        }
    }
    println!("{points} kills, {n_blocks} blocks, {n_empty} kills before the first acknowledgment");
    assert!(n_blocks > 10);
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.metadata().is_ok_and(|data| data.len() > 0) {
            found.push(path);
        }
    }
    found.sort();
}

/// Everything that a chain answers.
#[derive(Debug, PartialEq, Eq)]
struct Answers {
    head: Hash,
    blocks: Vec<Hash>,
    balances: Vec<u128>,
    nonces: Vec<u64>,
    /// By transaction, in the order of the blocks.
    places: Vec<Option<TxLocation>>,
    /// Of contracts too.
    cells: Vec<String>,
}

fn ask(directory: &Path) -> Result<Answers, ChainError> {
    let chain = Chain::open(directory, options(1, &Color))?;
    let heights = 0..=chain.head().height;
    let accounts: Vec<_> = (0..N_ACCOUNTS).map(|n| kempe_tests::Account::new(n).address).collect();
    let mut places = Vec::new();
    let blocks = heights.map(|height| {
        let record = chain.block(height)?.expect("a block below the head is there or an error");
        for signed in &record.block.transactions {
            places.push(chain.find_transaction(&signed.transaction.hash())?);
        }
        Ok(kempe_runtime::types::merkle_root(&[
            record.block.header.hash(),
            Hash(*blake3::hash(&borsh::to_vec(&record).expect("encodes")).as_bytes()),
        ]))
    });
    let blocks = blocks.collect::<Result<_, ChainError>>()?;
    Ok(Answers {
        head: chain.head().hash(),
        blocks,
        balances: accounts.iter().map(|who| chain.balance(who)).collect::<Result<_, _>>()?,
        nonces: accounts.iter().map(|who| chain.next_nonce(who)).collect::<Result<_, _>>()?,
        places,
        cells: cells_of(&chain)?,
    })
}

#[test]
fn a_flipped_bit_is_harmless_or_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let chain = Chain::create(directory.path(), genesis(N_ACCOUNTS, 1), options(1, &Color));
    let mut world = World::on(chain.expect("it is created"), N_ACCOUNTS);
    let counter = world.deploy(0, kempe_contracts::COUNTER, &());
    for amount in 0..12_u64 {
        let to = world.accounts[1].address;
        world.send(2, Action::Transfer { to, amount: amount.into() });
        world.send(3, call(counter, "raise", &amount));
    }
    drop(world);
    let truth = ask(directory.path()).expect("it opens");
    let mut paths = Vec::new();
    files(directory.path(), &mut paths);
    let mut rng = fastrand::Rng::with_seed(11);
    let flips: usize = number("KEMPE_FLIPS", 240);
    let (mut harmless, mut named) = (0, 0);
    for at in 0..flips {
        // Each file in turn, whatever its size.
        let path = &paths[at % paths.len()];
        let bytes = fs::read(path).expect("readable");
        let mut changed = bytes.clone();
        changed[rng.usize(0..bytes.len())] ^= 1 << rng.u8(0..8);
        fs::write(path, &changed).expect("writable");
        match ask(directory.path()) {
            Ok(answers) => {
                assert_eq!(answers, truth, "{} serves something else", path.display());
                harmless += 1;
            }
            Err(error) => {
                assert_named(&error, path);
                named += 1;
            }
        }
        fs::write(path, &bytes).expect("writable");
    }
    assert_eq!(ask(directory.path()).expect("the true files open"), truth);
    let n_files = paths.len();
    println!("{flips} flips in {n_files} files: {named} named, {harmless} harmless");
    assert!(named * 4 > flips, "most of what is stored is checked: {named} of {flips}");
}
