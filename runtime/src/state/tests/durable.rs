//! The files of the durable store: reopened, locked, half created, damaged.

use std::fs;
use std::path::Path;

use super::*;

fn filled(dir: &Path) -> Hash {
    let mut store = RedbStore::create(dir).unwrap();
    let changes: Vec<_> = KEYS.iter().map(|key| change(key, Some(&key.key))).collect();
    let mut batch = batch(changes);
    batch.block = Some((0, vec![5; 10_000]));
    batch.transactions = vec![(Hash([3; 32]), TxLocation { height: 0, index: 4 })];
    store.commit(batch).unwrap();
    StateTree::from_state(&store).unwrap().root()
}

#[test]
fn a_store_is_created_once_and_opened_after() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/er");
    assert!(matches!(RedbStore::open(&path), Err(StoreError::Missing { .. })));
    assert!(!path.exists(), "opening must not leave anything behind");
    let root = filled(&path);
    assert!(matches!(RedbStore::create(&path), Err(StoreError::Exists { .. })));
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(StateTree::from_state(&store).unwrap().root(), root);
}

#[test]
fn only_one_may_have_it_open() {
    let dir = tempfile::tempdir().unwrap();
    let first = RedbStore::create(dir.path()).unwrap();
    for second in [RedbStore::open(dir.path()), RedbStore::create(dir.path())] {
        let error = second.unwrap_err();
        assert!(matches!(&error, StoreError::Locked { path } if path == dir.path()), "{error}");
    }
    drop(first);
    RedbStore::open(dir.path()).unwrap();
}

#[test]
fn a_snapshot_outlives_its_store() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let store = RedbStore::open(dir.path()).unwrap();
    let snapshot = store.snapshot();
    drop(store);
    // redb may refuse to read from a closed database, but it must say so.
    if let Ok(value) = snapshot.get(&KEYS[0].hash()) {
        assert_eq!(value.unwrap(), KEYS[0].key);
    }
}

#[test]
fn a_crash_during_creation_is_overcome() {
    for leftover in [&b""[..], b"redb", &[0; 5_000]] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("state.redb.new"), leftover).unwrap();
        assert!(matches!(RedbStore::open(dir.path()), Err(StoreError::Missing { .. })));
        let root = filled(dir.path());
        let store = RedbStore::open(dir.path()).unwrap();
        assert_eq!(StateTree::from_state(&store).unwrap().root(), root);
        assert!(!dir.path().join("state.redb.new").exists());
    }
}

#[test]
fn a_file_of_something_else_is_corrupt() {
    for bytes in [&b""[..], b"hello", &[0xff; 100_000]] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("state.redb"), bytes).unwrap();
        let error = RedbStore::open(dir.path()).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    }
}

/// Opens the store and reads all of it.
fn read_all(dir: &Path) -> Result<(Hash, Vec<u8>, TxLocation), StoreError> {
    let store = RedbStore::open(dir)?;
    let root = StateTree::from_state(&store)?.root();
    for key in &*KEYS {
        if let Some(value) = store.get(&key.hash())? {
            assert_eq!(value, key.key, "a wrong value was served");
        }
    }
    let block = store.block(0)?.unwrap_or_default();
    let location = store.tx_location(&Hash([3; 32]))?;
    Ok((root, block, location.unwrap_or(TxLocation { height: 0, index: 0 })))
}

/// Damages the file in many places, one at a time; `read_all` must never serve something wrong.
#[test]
fn damage_is_named_or_harmless() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let file = dir.path().join("state.redb");
    let bytes = fs::read(&file).unwrap();
    let whole = read_all(dir.path()).unwrap();
    let places: Vec<usize> = (0..bytes.len()).filter(|&i| bytes[i] != 0).collect();
    let mut n_refused = 0;
    let mut n_missing = 0;
    // A step that is coprime to every page size visits all offsets within pages.
    for &place in places.iter().step_by(places.len() / 300 + 1) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x41;
        fs::write(&file, &damaged).unwrap();
        match read_all(dir.path()) {
            Ok(read) if read == whole => {}
            Ok((root, ..)) if root != whole.0 => n_missing += 1,
            Ok(read) => {
                let (block, location) = (read.1 == whole.1, read.2 == whole.2);
                assert!(block || read.1.is_empty(), "place={place} a wrong block was served");
                assert!(location || read.2.index == 0, "place={place} a wrong location was served");
            }
            Err(StoreError::Corrupt { .. } | StoreError::Format { .. }) => n_refused += 1,
            Err(error) => panic!("place={place} {error}"),
        }
    }
    assert!(n_refused > 100, "n_refused={n_refused} n_missing={n_missing}");
}

#[test]
fn a_changed_value_is_never_served() {
    let dir = tempfile::tempdir().unwrap();
    let value = b"one value to be found in the file";
    let mut store = RedbStore::create(dir.path()).unwrap();
    store.commit(batch(vec![change(&KEYS[0], Some(value))])).unwrap();
    drop(store);

    let file = dir.path().join("state.redb");
    let mut bytes = fs::read(&file).unwrap();
    let places: Vec<usize> = (0..bytes.len()).filter(|&i| bytes[i..].starts_with(value)).collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place + 9] ^= 1;
    }
    fs::write(&file, &bytes).unwrap();
    // Without a tree that would look at every row first.
    let store = RedbStore::open(dir.path()).unwrap();
    let error = store.get(&KEYS[0].hash()).unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { path, .. } if *path == file), "{error}");
}
