//! A chain's directory under every kind of damage: what a repair makes of it, and what it refuses.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kempe_abi::Hash;
use kempe_runtime::chain::{Chain, ChainError, RepairError, repair, repair_on};
use kempe_runtime::scheduler::Color;
use kempe_runtime::state::{Disk, FaultKind, Faults, StoreError};
use kempe_runtime::types::{Action, BlockRecord};
use kempe_tests::{World, call, cells_of, genesis, names, number, options};

const N_ACCOUNTS: u8 = 4;

/// Blocks of transfers and calls, a checkpoint in the middle, and a clean end.
fn make(directory: &Path) {
    let chain = Chain::create(directory, genesis(N_ACCOUNTS, 1), options(1, &Color));
    let mut world = World::on(chain.expect("it is created"), N_ACCOUNTS);
    let counter = world.deploy(0, kempe_contracts::COUNTER, &());
    for amount in 0..3_u64 {
        let to = world.accounts[1].address;
        world.send(2, Action::Transfer { to, amount: amount.into() });
        world.send(3, call(counter, "raise", &amount));
        if amount == 1 {
            world.chain.checkpoint().expect("it is written");
        }
    }
}

/// All that a chain says: its head, blocks, receipts and cells; every transaction is found.
fn ask(directory: &Path) -> Result<(Hash, Vec<BlockRecord>, Vec<String>), ChainError> {
    let chain = Chain::open(directory, options(1, &Color))?;
    let mut records = Vec::new();
    for height in 0..=chain.head().height {
        let record = chain.block(height)?.expect("a block below the head is there or an error");
        for signed in &record.block.transactions {
            let place = chain.find_transaction(&signed.transaction.hash())?;
            if place.is_none_or(|place| place.height != height) {
                let what = "a transaction is not found".to_owned();
                return Err(StoreError::Inconsistent { what }.into());
            }
        }
        records.push(record);
    }
    Ok((chain.head().hash(), records, cells_of(&chain)?))
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let name = |file: &Path| file.strip_prefix(directory).expect("it is inside").to_owned();
    files(directory).iter().map(|file| (name(file), fs::read(file).expect("readable"))).collect()
}

fn write(directory: &Path, contents: &[(PathBuf, Vec<u8>)]) {
    if directory.exists() {
        fs::remove_dir_all(directory).expect("removable");
    }
    for (name, bytes) in contents {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("writable");
        fs::write(path, bytes).expect("writable");
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Harmless,
    Repaired,
    Refused(u64),
}

/// Damages one file, repairs the chain if it is broken, and compares it with the true one.
fn check(whole: &Whole, damaged: &[(PathBuf, Vec<u8>)]) -> Ended {
    let (directory, truth) = (&*whole.directory(), &whole.truth);
    write(directory, damaged);
    match ask(directory) {
        Ok(found) => {
            assert_eq!(&found, truth, "something else is served");
            return Ended::Harmless;
        }
        Err(error) => {
            let changed = whole.files.iter().filter(|file| !damaged.contains(file));
            let error = error.to_string();
            // A directory is gone with its only file, and a file of the log says that there is another one.
            let is_named = |(name, _): &(PathBuf, Vec<u8>)| {
                let file = directory.join(name);
                let beside = !file.exists() || is_log(name);
                names(&error, &file) || beside && names(&error, file.parent().expect("inside"))
            };
            let changed: Vec<_> = changed.collect();
            assert!(changed.iter().any(|file| is_named(file)), "{error}");
        }
    }
    write(directory, damaged);
    match repair(directory, options(1, &Color), None, |_| ()) {
        Ok(repair) => {
            assert_eq!(&ask(directory).expect("a repaired chain opens"), truth);
            let aside: Vec<_> = damaged
                .iter()
                .map(|(name, bytes)| (name.strip_prefix("store").expect("inside"), bytes))
                .filter(|(name, _)| *name != Path::new("LOCK"))
                .collect();
            let kept = contents(&repair.set_aside);
            let kept: Vec<_> = kept
                .iter()
                .map(|(name, bytes)| (name.as_path(), bytes))
                .filter(|(name, _)| *name != Path::new("LOCK"))
                .collect();
            assert_eq!(kept, aside, "the damaged files are not kept as they were");
            Ended::Repaired
        }
        Err(RepairError::Block { height, .. }) => {
            assert!(unchanged(directory, damaged), "a refusal changed something");
            let again = repair(directory, options(1, &Color), Some(height), |_| ());
            let is_refused =
                matches!(again, Err(RepairError::Keep { .. } | RepairError::Block { .. }));
            assert!(is_refused, "too much is kept");
            assert!(unchanged(directory, damaged), "a refusal changed something");
            let kept = repair(directory, options(1, &Color), Some(height - 1), |_| ());
            assert_eq!(kept.expect("what is whole can be kept").height, height - 1);
            let (_, records, _) = ask(directory).expect("it opens");
            let last = usize::try_from(height).expect("a few");
            assert_eq!(records, truth.1[..last], "what was kept is something else");
            Ended::Refused(height)
        }
        Err(RepairError::Genesis { .. }) => {
            assert!(unchanged(directory, damaged), "a refusal changed something");
            Ended::Refused(0)
        }
        Err(error) => panic!("{error}"),
    }
}

fn unchanged(directory: &Path, before: &[(PathBuf, Vec<u8>)]) -> bool {
    let lock = |name: &Path| name != Path::new("store/LOCK");
    let without = |all: &[(PathBuf, Vec<u8>)]| {
        all.iter().filter(|(name, _)| lock(name)).cloned().collect::<Vec<_>>()
    };
    without(&contents(directory)) == without(before)
}

/// A chain, what it says, and its files.
struct Whole {
    parent: tempfile::TempDir,
    truth: (Hash, Vec<BlockRecord>, Vec<String>),
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Whole {
    fn new() -> Self {
        let parent = tempfile::tempdir().expect("a directory");
        let made = parent.path().join("made");
        make(&made);
        let files = contents(&made);
        Self { truth: ask(&made).expect("it opens"), files, parent }
    }

    fn directory(&self) -> PathBuf {
        self.parent.path().join("damaged")
    }

    /// With the bytes of one file changed.
    fn with(&self, at: usize, change: impl FnOnce(&mut Vec<u8>)) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = self.files.clone();
        change(&mut files[at].1);
        files
    }

    fn at(&self, name: &str) -> usize {
        let found = self.files.iter().position(|(file, _)| file == Path::new(name));
        found.unwrap_or_else(|| panic!("{name} is not a file of the store"))
    }
}

fn is_log(name: &Path) -> bool {
    name.starts_with("store/blocks") && name.extension().is_some_and(|ext| ext == "log")
}

#[test]
fn a_file_that_is_gone_is_made_again_unless_it_has_the_blocks() {
    let whole = Whole::new();
    for (at, (name, bytes)) in whole.files.iter().enumerate() {
        let mut gone = whole.files.clone();
        gone.remove(at);
        let ended = check(&whole, &gone);
        let expected = match name.file_name().and_then(|name| name.to_str()) {
            Some("LOCK") => Ended::Harmless,
            _ if is_log(name) => Ended::Refused(0),
            _ => Ended::Repaired,
        };
        assert_eq!(ended, expected, "{} is gone", name.display());
        if bytes.is_empty() || is_log(name) {
            continue;
        }
        let emptied = check(&whole, &whole.with(at, Vec::clear));
        assert_eq!(emptied, Ended::Repaired, "{} is empty", name.display());
    }
}

#[test]
fn a_flipped_bit_is_repaired_or_its_block_is_named() {
    let whole = Whole::new();
    let mut rng = fastrand::Rng::with_seed(5);
    let (mut n_repaired, mut n_refused) = (0, 0);
    for _ in 0..number("KEMPE_REPAIRS", 2) {
        for (at, (name, bytes)) in whole.files.iter().enumerate() {
            if bytes.is_empty() {
                continue;
            }
            let (byte, bit) = (rng.usize(0..bytes.len()), rng.u8(0..8));
            let damaged = whole.with(at, |bytes| bytes[byte] ^= 1 << bit);
            match check(&whole, &damaged) {
                Ended::Repaired => n_repaired += 1,
                Ended::Refused(_) => {
                    assert!(is_log(name), "{} is no block log", name.display());
                    n_refused += 1;
                }
                Ended::Harmless => {}
            }
        }
    }
    println!("{n_repaired} repaired, {n_refused} refused");
    assert!(n_repaired > 0 && n_refused > 0);
}

/// Where the record of each height starts in the log, and the length of its body.
fn records(log: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    // The mark of the end is of kind 2.
    while log[at + 4] == 1 {
        let length = u64::from_le_bytes(log[at + 8..at + 16].try_into().expect("eight bytes"));
        let length = usize::try_from(length).expect("it fits");
        found.push((at, length));
        at += 64 + length.next_multiple_of(64);
    }
    found
}

#[test]
fn the_block_that_is_lost_is_named() {
    let whole = Whole::new();
    let log = whole.at("store/blocks/00000000.log");
    let records = records(&whole.files[log].1);
    assert_eq!(records.len(), whole.truth.1.len());
    for (height, &(start, length)) in (0..).zip(&records).step_by(number("KEMPE_REPAIR_BLOCKS", 3))
    {
        let body = whole.with(log, |bytes| bytes[start + 64 + length / 2] ^= 4);
        assert_eq!(check(&whole, &body), Ended::Refused(height));
        // What the header says of the body decides; the rest of it is made again.
        let header = whole.with(log, |bytes| bytes[start + 17] ^= 4);
        assert_eq!(check(&whole, &header), Ended::Repaired);
        let length = whole.with(log, |bytes| bytes[start + 10] ^= 4);
        assert_eq!(check(&whole, &length), Ended::Refused(height));
    }
    // Cut off where a record ends, with what the checkpoint of block 5 was made of.
    let cut = whole.with(log, |bytes| bytes.truncate(records[4].0));
    assert_eq!(check(&whole, &cut), Ended::Refused(4));
    // Without the key nothing tells a torn end from damage.
    let (start, _) = records[records.len() - 1];
    let mut damaged = whole.with(log, |bytes| bytes[start + 64] ^= 4);
    damaged.remove(whole.at("store/blocks/key"));
    let last = whole.truth.1.len() as u64 - 1;
    assert_eq!(check(&whole, &damaged), Ended::Refused(last));
}

/// The log as it is when it goes on in a second file, which is gone.
#[test]
fn the_last_file_of_the_log_is_not_lost_unseen() {
    let whole = Whole::new();
    let log = whole.at("store/blocks/00000000.log");
    let key = &whole.files[whole.at("store/blocks/key")].1;
    let lost = whole.with(log, |bytes| {
        let mark = bytes.len() - 64;
        let header = &mut bytes[mark..];
        assert_eq!(header[4], 2, "the mark of the end");
        header[4] = 3;
        let sum = blake3::keyed_hash(key.as_slice().try_into().expect("32 bytes"), &header[..56]);
        header[56..].copy_from_slice(&sum.as_bytes()[..8]);
    });
    write(&whole.directory(), &lost);
    let error = repair(&whole.directory(), options(1, &Color), None, |_| ()).expect_err("refused");
    assert!(error.to_string().contains("blocks/00000001.log"), "{error}");
    let height = whole.truth.1.len() as u64;
    assert_eq!(check(&whole, &lost), Ended::Refused(height));
}

#[test]
fn a_block_that_executes_differently_is_named() {
    let whole = Whole::new();
    let log = whole.at("store/blocks/00000000.log");
    // Nothing is wrong with the record but what it says: the state root of block 3.
    let (start, length) = records(&whole.files[log].1)[3];
    let root = whole.truth.1[3].block.header.state_root.0;
    let forged = whole.with(log, |bytes| {
        let body = &mut bytes[start + 64..start + 64 + length];
        let at = body.windows(32).position(|found| found == root).expect("the header has it");
        body[at] ^= 1;
        let mut sum = blake3::Hasher::new_keyed(b"kempe store 2026: log body      ");
        let sum = sum.update(body).finalize();
        bytes[start + 32..start + 56].copy_from_slice(&sum.as_bytes()[..24]);
    });
    assert_eq!(check(&whole, &forged), Ended::Refused(3));

    // A later block is damaged, too: first that is told, and then the earlier one, and what is before both is kept.
    let (start, _) = records(&whole.files[log].1)[5];
    let mut both = forged;
    both[log].1[start + 70] ^= 1;
    write(&whole.directory(), &both);
    let repair = |keep| repair(&whole.directory(), options(1, &Color), keep, |_| ());
    for (keep, told) in [(None, 5), (Some(4), 3)] {
        let ended = repair(keep);
        assert!(
            matches!(ended, Err(RepairError::Block { height, .. }) if height == told),
            "{ended:?}"
        );
    }
    for asked in [0, 1, 3] {
        let ended = repair(Some(asked));
        let is_refused = matches!(ended, Err(RepairError::Keep { .. } | RepairError::Block { .. }));
        assert!(is_refused, "{asked}: {ended:?}");
    }
    assert_eq!(repair(Some(2)).expect("what is whole can be kept").height, 2);
}

#[test]
fn whole_blocks_are_not_cut_off() {
    let whole = Whole::new();
    write(&whole.directory(), &whole.files);
    // What an interrupted repair left gets into no store.
    let mut damaged = whole.files.clone();
    damaged.remove(whole.at("store/manifest"));
    for left in ["store.unfinished/blocks/00000007.log", "store.repaired/blocks/00000007.log"] {
        damaged.push((left.into(), b"left".to_vec()));
    }
    write(&whole.directory(), &damaged);
    repair(&whole.directory(), options(1, &Color), None, |_| ()).expect("it is repaired");
    assert_eq!(ask(&whole.directory()).expect("it opens"), whole.truth);
    let is_left = |(name, _): &(PathBuf, _)| name.ends_with("00000007.log");
    assert!(!contents(&whole.directory()).iter().any(is_left));
    write(&whole.directory(), &whole.files);
    let height = whole.truth.1.len() as u64 - 1;
    for asked in [0, height - 1, height, u64::MAX] {
        let ended = repair(&whole.directory(), options(1, &Color), Some(asked), |_| ());
        assert!(matches!(ended, Err(RepairError::Keep { last, .. }) if last == height));
        assert!(unchanged(&whole.directory(), &whole.files));
    }
    let held = Chain::open(&whole.directory(), options(1, &Color)).expect("it opens");
    let ended = repair(&whole.directory(), options(1, &Color), None, |_| ());
    let Err(RepairError::Chain(ChainError::Store(StoreError::Locked { .. }))) = ended else {
        panic!("a chain in use is repaired: {ended:?}")
    };
    drop(held);
}

/// Repairs until the power fails after so many operations, and again; whether it failed.
fn fails_after(n_operations: u64, whole: &Whole, damaged: &[(PathBuf, Vec<u8>)]) -> bool {
    let directory = whole.directory();
    write(&directory, damaged);
    let faults = Faults::after(n_operations, FaultKind::Power);
    let disk = Disk::with_faults(Arc::clone(&faults));
    let ended = repair_on(&disk, &directory, options(1, &Color), None, |_| ());
    if !directory.join("store").exists() {
        let refused = Chain::create(&directory, genesis(1, 1), options(1, &Color));
        assert!(matches!(refused, Err(ChainError::Exists(_))), "another chain takes its place");
    }
    if ask(&directory).is_err() {
        let ended = repair(&directory, options(1, &Color), None, |_| ());
        assert!(ended.expect("the next one succeeds").set_aside.exists());
    }
    assert_eq!(ask(&directory).expect("it opens"), whole.truth, "n_operations={n_operations}");
    let kept = contents(&directory.join("store.damaged-1"));
    assert_eq!(kept.len() + 1, whole.files.len(), "the damaged files are kept");
    ended.is_err() || faults.failed()
}

#[test]
fn a_repair_may_be_interrupted_at_any_operation() {
    let whole = Whole::new();
    let mut damaged = whole.files.clone();
    damaged.remove(whole.at("store/manifest"));
    let (mut fails, mut succeeds) = (0, 256);
    while fails + 1 < succeeds {
        let middle = u64::midpoint(fails, succeeds);
        let bound = if fails_after(middle, &whole, &damaged) { &mut fails } else { &mut succeeds };
        *bound = middle;
    }
    assert!((20..250).contains(&succeeds), "n_operations={succeeds}");
    // The last ones are those that change names.
    let others = (0..succeeds - 8).step_by(number("KEMPE_REPAIR_STEP", 40));
    for n_operations in others.chain(succeeds - 8..succeeds) {
        assert!(fails_after(n_operations, &whole, &damaged));
    }
}
