//! Power failures, full disks and failed syncs at every single operation.

use super::model::Blocks;
use super::*;

fn block(height: u8) -> Vec<StateChange> {
    let keys = KEYS.iter().enumerate().filter(|(i, _)| (i + usize::from(height)).is_multiple_of(3));
    keys.map(|(i, key)| change(key, (i % 5 != 0).then_some(&vec![height; i * 3][..]))).collect()
}

/// Blocks with checkpoints until the disk fails; how many blocks were acknowledged.
fn run(disk: &Disk, dir: &std::path::Path) -> Result<(u64, Vec<Vec<StateChange>>), StoreError> {
    let mut blocks = Blocks::reopen(disk, dir, 600, Vec::new())?;
    for height in 1..=5 {
        // What is tried and fails may be on the disk all the same.
        let tried = [blocks.done.clone(), vec![block(height)]].concat();
        if blocks.commit(block(height)).is_err() {
            // The disk may work again, but nobody knows what is on it: no checkpoint may be ahead of that.
            assert!(blocks.commit(block(height)).is_err());
            assert!(blocks.store.checkpoint().is_err());
            return Ok((u64::from(height) - 1, tried));
        }
        if height % 2 == 0 && blocks.store.checkpoint().is_err() {
            return Ok((u64::from(height), blocks.done));
        }
    }
    Ok((blocks.store.height(), blocks.done))
}

fn fails_at_every_operation(kind: FaultKind) -> u64 {
    fails_at_operations(kind, 1)
}

/// Lets the disk fail at every `step`th operation; how many there are.
fn fails_at_operations(kind: FaultKind, step: usize) -> u64 {
    for n_operations in (0..).step_by(step) {
        let dir = tempfile::tempdir().unwrap();
        // So long that the third record behind it is in the next file.
        ChainStore::create(&Disk::default(), dir.path(), &[], &[0; 600]).unwrap();
        let faults = Faults::after(n_operations, kind);
        let disk = Disk::with_faults(std::sync::Arc::clone(&faults));
        let ended = run(&disk, dir.path());
        let (n_acknowledged, tried) = ended.unwrap_or((0, vec![block(1)]));
        let again = Blocks::reopen(&Disk::default(), dir.path(), u64::MAX, tried.clone());
        let mut again = again.unwrap_or_else(|error| panic!("n_operations={n_operations} {error}"));
        assert!(again.store.height() >= n_acknowledged, "n_operations={n_operations}");
        assert!(again.store.height() <= tried.len() as u64, "n_operations={n_operations}");
        again.check();
        again.commit(block(77)).unwrap();
        again.store.checkpoint().unwrap();
        again.check();
        if !faults.failed() {
            return n_operations;
        }
    }
    unreachable!("there are not so many operations")
}

#[test]
fn the_power_may_fail_at_any_moment() {
    // Five records and syncs, a second file of the log, two checkpoints with several files each, and the end.
    let n_operations = fails_at_every_operation(FaultKind::Power);
    assert!(n_operations > 40, "n_operations={n_operations}");
}

#[test]
fn the_disk_may_be_full_at_any_moment() {
    fails_at_every_operation(FaultKind::Full);
}

#[test]
fn one_sync_may_fail() {
    fails_at_every_operation(FaultKind::Sync);
}

/// What is behind a write that failed is not written either: it would stand on what nobody knows.
#[test]
fn one_operation_may_fail() {
    // Where a full disk fails, too, which is tried at every one.
    let n_operations = fails_at_operations(FaultKind::Once, 3);
    assert!(n_operations > 40, "n_operations={n_operations}");
}

/// What cannot be read is an error, and nothing stays of it: whoever asks again is told.
#[test]
fn one_read_may_fail() {
    let dir = tempfile::tempdir().unwrap();
    ChainStore::create(&Disk::default(), dir.path(), &[], &[0; 600]).unwrap();
    let (_, done) = run(&Disk::default(), dir.path()).unwrap();
    let (mut n_opening, mut n_asking) = (0, 0);
    for n_reads in (0..).step_by(7) {
        let faults = Faults::after(n_reads, FaultKind::Read);
        let disk = Disk::with_faults(std::sync::Arc::clone(&faults));
        // Without memory, so that rows are read when they are asked for.
        let blocks = match Blocks::reopen(&disk, dir.path(), 0, done.clone()) {
            Ok(blocks) => blocks,
            Err(error) => {
                assert_read(&error);
                n_opening += 1;
                continue;
            }
        };
        match ask(&blocks) {
            Ok(()) => {
                assert!(!faults.failed(), "n_reads={n_reads}: nobody is told");
                break;
            }
            Err(error) => {
                assert_read(&error);
                n_asking += 1;
            }
        }
        ask(&blocks).unwrap();
    }
    assert!(n_opening > 5 && n_asking > 5, "{n_opening} while it opens, {n_asking} afterward");
}

#[track_caller]
fn assert_read(error: &StoreError) {
    assert!(matches!(error, StoreError::Io { action: "read", .. }), "{error}");
}

/// Reads a little of everything.
fn ask(blocks: &Blocks) -> Result<(), StoreError> {
    let model = blocks.model();
    for key in &*KEYS {
        let found = blocks.store.state().table().get(&key.hash())?;
        let expected = model.get(&key.hash()).map(|(_, value)| value.as_slice());
        assert_eq!(found.as_deref(), expected);
    }
    for height in 1..=blocks.store.height() {
        assert!(blocks.store.block(height)?.is_some());
        assert!(blocks.store.receipts(height)?.is_some());
        let hash = Hash([u8::try_from(height).unwrap(); 32]);
        assert_eq!(blocks.store.tx_location(&hash)?, Some(TxLocation { height, index: 0 }));
    }
    blocks.store.cells(&mut |_, _| Ok(()))
}

/// A copy of a directory as it is.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn the_power_may_fail_again_while_a_store_recovers() {
    let mut model = Model::new();
    let roots: Vec<Hash> = (1..=5)
        .map(|height| {
            apply(&mut model, &block(height));
            naive_root(&model)
        })
        .collect();
    let mut n_crashes = 0;
    // At some of the first crashes, at every operation of what follows.
    for n_operations in (0..).step_by(5) {
        let dir = tempfile::tempdir().unwrap();
        ChainStore::create(&Disk::default(), dir.path(), &[], &[0; 600]).unwrap();
        let faults = Faults::after(n_operations, FaultKind::Power);
        let ended = run(&Disk::with_faults(std::sync::Arc::clone(&faults)), dir.path());
        let (n_acknowledged, tried) = ended.unwrap_or((0, vec![block(1)]));
        for n_more in 0.. {
            let crashed = tempfile::tempdir().unwrap();
            copy(dir.path(), crashed.path());
            let again = Faults::after(n_more, FaultKind::Power);
            let disk = Disk::with_faults(std::sync::Arc::clone(&again));
            drop(Blocks::reopen(&disk, crashed.path(), 600, tried.clone()));
            let whole = Blocks::reopen(&Disk::default(), crashed.path(), 600, tried.clone());
            let whole = whole.unwrap_or_else(|error| panic!("{n_operations} {n_more}: {error}"));
            let height = whole.store.height();
            assert!(height >= n_acknowledged, "{n_operations} {n_more}: a block is lost");
            let before = usize::try_from(height).unwrap().checked_sub(1);
            let expected = before.map_or(Hash([0; 32]), |at| roots[at]);
            assert_eq!(whole.tree.root(), expected, "{n_operations} {n_more}");
            if !again.failed() {
                break;
            }
            n_crashes += 1;
        }
        if !faults.failed() {
            break;
        }
    }
    println!("{n_crashes} crashes of a recovery");
    assert!(n_crashes > 20, "{n_crashes} crashes");
}

#[test]
fn a_crash_during_creation_leaves_no_store_or_a_whole_one() {
    for n_operations in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults::after(n_operations, FaultKind::Power);
        let disk = Disk::with_faults(std::sync::Arc::clone(&faults));
        let created = ChainStore::create(&disk, dir.path(), &block(3), b"block 0");
        if created.is_ok() {
            ChainStore::open(&Disk::default(), dir.path(), u64::MAX).unwrap();
            return;
        }
        // The directory has another name until creation succeeds, so nobody opens it; whoever does
        // gets an error or all of it.
        if let Ok((_, tree, height)) = ChainStore::open(&Disk::default(), dir.path(), u64::MAX) {
            let mut model = Model::new();
            apply(&mut model, &block(3));
            assert_eq!((tree.root(), height), (naive_root(&model), 0));
        }
    }
}
