//! A chain that was changed from outside with every checksum made again: what a replay says of it.

use std::fs;
use std::path::Path;

use borsh::{BorshDeserialize, BorshSerialize};
use kempe_runtime::chain::{Chain, ChainOptions};
use kempe_runtime::scheduler::Schedule;
use kempe_runtime::types::{Block, Receipt, schedule_hash};
use serde_json::{Value, json};

use super::{CALLS, Kempe};

/// Blocks 3 to 5 behind the token's, all of them below a checkpoint, so that opening executes none again.
fn checkpointed() -> Kempe {
    let kempe = Kempe::with_token();
    kempe.write("calls.jsonl", CALLS);
    kempe.ok("run calls.jsonl --scheduler layers");
    kempe.ok("call token mint --to erin --amount 5");
    let mut chain = Chain::open(&directory(&kempe), ChainOptions::default()).unwrap();
    chain.checkpoint().unwrap();
    drop(chain);
    // The next opening gives the space back that logs had reserved.
    kempe.ok("block");
    kempe
}

fn directory(kempe: &Kempe) -> std::path::PathBuf {
    kempe.home.path().join("kempe-chain")
}

/// Changes what a record of a log says, as somebody who can make its checksums: the body's key is the same for
/// all, the header's is beside the log.
fn forge<T: BorshSerialize + BorshDeserialize>(
    log: &Path,
    height: usize,
    edit: impl FnOnce(&mut T),
) {
    let key: [u8; 32] = fs::read(log.join("key")).unwrap().try_into().unwrap();
    let path = log.join("00000000.log");
    let old = fs::read(&path).unwrap();
    let (mut new, mut at, mut n_records, mut edit) = (Vec::new(), 0, 0, Some(edit));
    // Behind the records is the mark of the end, of kind 2.
    while old.len() > at + 64 && old[at + 4] == 1 {
        let mut header: [u8; 64] = old[at..at + 64].try_into().unwrap();
        let length =
            usize::try_from(u64::from_le_bytes(header[8..16].try_into().unwrap())).unwrap();
        let mut body = old[at + 64..at + 64 + length].to_vec();
        at += 64 + length.next_multiple_of(64);
        if n_records == height {
            let mut value: T = borsh::from_slice(&body).unwrap();
            edit.take().unwrap()(&mut value);
            body = borsh::to_vec(&value).unwrap();
        }
        n_records += 1;
        header[8..16].copy_from_slice(&(body.len() as u64).to_le_bytes());
        let mut sum = blake3::Hasher::new_keyed(b"kempe store 2026: log body      ");
        header[32..56].copy_from_slice(&sum.update(&body).finalize().as_bytes()[..24]);
        let sum = blake3::keyed_hash(&key, &header[..56]);
        header[56..].copy_from_slice(&sum.as_bytes()[..8]);
        new.extend_from_slice(&header);
        new.extend_from_slice(&body);
        new.resize(new.len().next_multiple_of(64), 0);
    }
    assert!(edit.is_none(), "there are {n_records} records");
    new.extend_from_slice(&old[at..]);
    fs::write(&path, new).unwrap();
}

fn forge_block(kempe: &Kempe, height: usize, edit: impl FnOnce(&mut Block)) {
    forge(&directory(kempe).join("store/blocks"), height, edit);
}

/// The names and contents of all files of the chain.
fn contents(directory: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((path.clone(), fs::read(path).unwrap()));
        }
    }
    found.sort();
    found
}

/// A replay that finds a difference at this height, of stored and executed; bisecting adds that both executions
/// are the same. As text, as JSON, by its exit code, and without a change on the disk.
#[track_caller]
fn differs(kempe: &Kempe, height: u64, what: &str) {
    let before = contents(&directory(kempe));
    for words in ["replay", "replay --bisect", "replay --bisect --threads 2"] {
        let ended = kempe.run(words);
        assert_eq!(ended.code, 1, "{words}: {}", ended.stderr);
        assert!(ended.stdout.contains("roots and receipts DIFFERENT"), "{}", ended.stdout);
        let same = "both executions give the same: what is stored differs from them\n";
        assert_eq!(ended.stdout.ends_with(same), words != "replay", "{}", ended.stdout);
        let error = format!("error: block {height} replays differently: {what}");
        assert!(ended.stderr.starts_with(&error), "{}", ended.stderr);
        assert!(ended.stderr.contains("\nhelp: the chain was changed from outside"));

        let ended = kempe.run(&format!("{words} --json"));
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        let error: Value = serde_json::from_str(&ended.stderr).unwrap();
        assert_eq!((ended.code, &error["exit"]), (1, &json!(1)));
        assert_eq!((&report["roots_equal"], &report["blocks"]), (&json!(false), &json!(height)));
        assert_eq!(report["divergence"]["height"], height);
        assert!(report["divergence"]["what"].as_str().unwrap().starts_with(what), "{report}");
        assert_eq!(report.get("bisection"), None);
    }
    assert!(contents(&directory(kempe)) == before, "a replay changed the chain");
}

/// A replay that ends because a block does not stand up to itself.
#[track_caller]
fn refused(kempe: &Kempe, words: &str, what: &str) {
    let before = contents(&directory(kempe));
    let error = kempe.fails(1, words);
    assert!(error.contains(what), "{error}");
    assert!(contents(&directory(kempe)) == before, "a replay changed the chain");
}

#[test]
fn other_receipts_than_the_executed_ones_are_a_difference() {
    let kempe = checkpointed();
    forge(&directory(&kempe).join("store/receipts"), 3, |receipts: &mut Vec<Receipt>| {
        receipts[2].fuel += 1;
    });
    differs(&kempe, 3, "the stored receipts differ from the executed ones");
    // The block itself is executed as the oracle does.
    assert_eq!(kempe.ok("replay --bisect 3"), "block 3: both executions are equal\n");
}

#[test]
fn roots_that_no_execution_gives_are_a_difference() {
    let kempe = checkpointed();
    forge_block(&kempe, 3, |block| block.header.state_root.0[0] ^= 1);
    differs(&kempe, 3, "state_root=0x");
    // Block 4 does not follow the forged one.
    refused(&kempe, "replay --bisect 4", "state_root");
    let kempe = checkpointed();
    forge_block(&kempe, 3, |block| block.header.receipts_root.0[31] ^= 1);
    differs(&kempe, 3, "receipts_root=0x");
}

#[test]
fn another_schedule_than_the_published_one_is_refused() {
    let batches = |block: &Block| block.schedule.batches().map(<[u32]>::to_vec).collect::<Vec<_>>();
    let kempe = checkpointed();
    // A legal schedule, but not the one that the header names.
    forge_block(&kempe, 3, |block| {
        assert_eq!(batches(block), [vec![0, 3], vec![1, 2]]);
        block.schedule = Schedule::new([[0], [1], [2], [3]], &[]).unwrap();
    });
    for words in ["replay", "replay --bisect", "replay --bisect 3"] {
        refused(&kempe, words, "schedule_hash");
    }
    // One that the header names, with conflicting transactions in one batch.
    let kempe = checkpointed();
    forge_block(&kempe, 3, |block| {
        block.schedule = Schedule::new([vec![0, 1], vec![2], vec![3]], &[]).unwrap();
        block.header.schedule_hash = schedule_hash(&block.schedule);
    });
    for words in ["replay", "replay --bisect", "replay --bisect 3"] {
        refused(&kempe, words, "the schedule is not legal");
    }
}
