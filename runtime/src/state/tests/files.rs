//! The files of a store: reopened, locked, half created, damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::model::Blocks;
use super::*;

const N_BLOCKS: u8 = 6;

fn blocks() -> Vec<Vec<StateChange>> {
    let block = |height: u8| {
        let keys = KEYS.iter().enumerate().filter(|(i, _)| i % 3 == usize::from(height) % 3);
        keys.map(|(i, key)| change(key, Some(&vec![height; i * 3]))).collect()
    };
    (1..=N_BLOCKS).map(block).collect()
}

/// Blocks, a checkpoint after the fourth, and a clean end.
fn filled(dir: &Path) -> Vec<Vec<StateChange>> {
    let disk = Disk::default();
    ChainStore::create(&disk, dir, &[], b"block 0").unwrap();
    let mut store = Blocks::reopen(&disk, dir, u64::MAX, Vec::new()).unwrap();
    for (number, block) in (1..).zip(blocks()) {
        store.commit(block).unwrap();
        if number == 4 {
            store.store.checkpoint().unwrap();
        }
    }
    store.check();
    store.done
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

fn open(dir: &Path) -> Result<(ChainStore, StateTree, u64), StoreError> {
    ChainStore::open(&Disk::default(), dir, u64::MAX)
}

#[test]
fn a_store_is_missing_before_it_is_created() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/er");
    assert!(matches!(open(&path), Err(StoreError::Missing { .. })));
    assert!(!path.exists(), "opening must not leave anything behind");
    filled(&path);
    let blocks = Blocks::reopen(&Disk::default(), &path, u64::MAX, blocks()).unwrap();
    blocks.check();
    assert_eq!(blocks.store.height(), u64::from(N_BLOCKS));
}

#[test]
fn only_one_may_have_it_open() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let first = open(dir.path()).unwrap();
    let error = open(dir.path()).unwrap_err();
    assert!(matches!(&error, StoreError::Locked { path } if path == dir.path()), "{error}");
    drop(first);
    open(dir.path()).unwrap();
}

#[test]
fn who_holds_a_lock_for_a_moment_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    // A process that was just started has it until it becomes the other program.
    let held = fs::File::options().write(true).open(dir.path().join("LOCK")).unwrap();
    held.lock().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            held.unlock().unwrap();
        });
        open(dir.path()).unwrap();
    });
}

#[test]
fn another_format_is_named() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let manifest = dir.path().join("manifest");
    let written = fs::read(&manifest).unwrap();
    let mut bytes = written.clone();
    bytes[0] = 77;
    fs::write(&manifest, bytes).unwrap();
    let error = open(dir.path()).unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { path, .. } if *path == manifest), "{error}");
    fs::write(&manifest, written).unwrap();
    super::super::archive::reformat(dir.path(), 77);
    assert!(matches!(open(dir.path()), Err(StoreError::Format { found: 77, .. })));
}

/// Reads everything. What is served must be right, or an error; a store may say that it has fewer
/// blocks only if nothing tells that there were more.
fn read_all(dir: &Path) -> Result<u64, StoreError> {
    let blocks = Blocks::reopen(&Disk::default(), dir, u64::MAX, blocks())?;
    let expected = blocks.model();
    for key in &*KEYS {
        let value = blocks.store.state().table().get(&key.hash())?;
        let expected = expected.get(&key.hash()).map(|(_, value)| &value[..]);
        assert_eq!(value.as_deref(), expected, "a wrong value was served");
    }
    // That is what a chain compares with the header at the checkpoint's height.
    if blocks.tree.root() != naive_root(&expected) {
        return Err(StoreError::inconsistent("another root".to_owned()));
    }
    for height in 1..=blocks.store.height() {
        let block = blocks.store.block(height)?.unwrap();
        assert_eq!(block, format!("block {height}").into_bytes(), "a wrong block was served");
        let receipts = blocks.store.receipts(height)?.unwrap();
        assert_eq!(**receipts, height.to_le_bytes(), "wrong receipts were served");
        let hash = Hash([u8::try_from(height).unwrap(); 32]);
        let place = blocks.store.tx_location(&hash)?;
        if place != Some(TxLocation { height, index: 0 }) {
            return Err(StoreError::inconsistent("a transaction is not found".to_owned()));
        }
    }
    blocks.store.cells(&mut |_, _| Ok(()))?;
    Ok(blocks.store.height())
}

/// Where the key of a log is another one, it is a file of the log that does not fit.
#[track_caller]
fn assert_named(error: &StoreError, file: &Path) {
    let is_key = file.file_name().is_some_and(|name| name == "key");
    let named = if is_key { file.parent().unwrap() } else { file };
    let (error, named) = (error.to_string(), named.display().to_string());
    assert!(error.contains(&named), "{} is damaged, not named: {error}", file.display());
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
}

#[test]
fn damage_is_named_or_harmless() {
    let whole = tempfile::tempdir().unwrap();
    filled(whole.path());
    assert_eq!(read_all(whole.path()).unwrap(), u64::from(N_BLOCKS));
    let whole_files = tempfile::tempdir().unwrap();
    copy(whole.path(), whole_files.path());
    let (mut n_refused, mut n_harmless) = (0, 0);
    for file in files(whole_files.path()) {
        let bytes = fs::read(&file).unwrap();
        let places: Vec<usize> = (0..bytes.len()).filter(|&i| bytes[i] != 0).collect();
        for &place in places.iter().step_by(places.len() / 12 + 1) {
            let dir = tempfile::tempdir().unwrap();
            copy(whole_files.path(), dir.path());
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x41;
            let name = file.strip_prefix(whole_files.path()).unwrap();
            fs::write(dir.path().join(name), &damaged).unwrap();
            match read_all(dir.path()) {
                Ok(height) => {
                    assert_eq!(height, u64::from(N_BLOCKS), "blocks are lost: {}", name.display());
                    n_harmless += 1;
                }
                Err(error) => {
                    assert_named(&error, &dir.path().join(name));
                    n_refused += 1;
                }
            }
        }
    }
    assert!(n_refused > 40 && n_harmless < n_refused, "refused {n_refused}, harmless {n_harmless}");
}

#[test]
fn a_file_that_is_gone_or_cut_is_named() {
    let whole = tempfile::tempdir().unwrap();
    filled(whole.path());
    for file in files(whole.path()) {
        let name = file.strip_prefix(whole.path()).unwrap();
        if name == Path::new("LOCK") || file.metadata().unwrap().len() == 0 {
            continue;
        }
        for is_gone in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            copy(whole.path(), dir.path());
            let file = dir.path().join(name);
            if is_gone {
                fs::remove_file(&file).unwrap();
            } else {
                let length = file.metadata().unwrap().len();
                fs::File::options().write(true).open(&file).unwrap().set_len(length / 2).unwrap();
            }
            match read_all(dir.path()) {
                // Half a log without its mark of the end is what a torn write leaves, and the second
                // half of a file may be space taken ahead.
                Ok(height) => assert!(height >= 4, "{} is_gone={is_gone}", name.display()),
                Err(error) => assert_named(&error, &file),
            }
        }
    }
}

/// The last record as a power failure may leave it: cut at every place, or with zeros from there on.
#[test]
fn a_torn_end_of_the_log_is_cut_off() {
    let whole = tempfile::tempdir().unwrap();
    filled(whole.path());
    let name = Path::new("blocks/00000000.log");
    let bytes = fs::read(whole.path().join(name)).unwrap();
    // Without the mark of the clean end, which is the last header.
    let end = bytes.len() - 64;
    let last = end - 128;
    // Every kind of place, at a step that meets no boundary twice.
    for length in (last..end).step_by(9).chain([last + 64 + 7, end - 1]) {
        for torn in [bytes[..length].to_vec(), [&bytes[..length], &vec![0; 5_000]].concat()] {
            let dir = tempfile::tempdir().unwrap();
            copy(whole.path(), dir.path());
            fs::write(dir.path().join(name), torn).unwrap();
            let mut blocks =
                Blocks::reopen(&Disk::default(), dir.path(), u64::MAX, blocks()).unwrap();
            let is_whole = blocks.store.height() == u64::from(N_BLOCKS);
            // The body is eight bytes; what is cut behind it is padding.
            assert_eq!(is_whole, length >= last + 64 + 7, "length={length}");
            blocks.check();
            blocks.commit(vec![change(&KEYS[0], Some(b"new"))]).unwrap();
            let Blocks { store, done, .. } = blocks;
            drop(store);
            let again = Blocks::reopen(&Disk::default(), dir.path(), u64::MAX, done).unwrap();
            again.check();
        }
    }
}

#[test]
fn a_record_that_is_damaged_before_the_end_is_named_even_after_a_crash() {
    let whole = tempfile::tempdir().unwrap();
    let done = filled(whole.path());
    let name = Path::new("blocks/00000000.log");
    let mut bytes = fs::read(whole.path().join(name)).unwrap();
    bytes.truncate(bytes.len() - 64);
    // In the body of the last but one.
    let at = bytes.len() - 2 * 128 + 64;
    bytes[at] ^= 1;
    fs::write(whole.path().join(name), &bytes).unwrap();
    let error = open(whole.path()).unwrap_err();
    assert!(error.to_string().contains("the record of height=5 is damaged"), "{error}");
    drop(done);
}

/// The files of a log are each of eight records here.
#[test]
fn a_file_of_the_log_is_not_lost_unseen() {
    let whole = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    ChainStore::create(&disk, whole.path(), &[], b"block 0").unwrap();
    let mut blocks = Blocks::reopen(&disk, whole.path(), u64::MAX, Vec::new()).unwrap();
    for height in 1..=18 {
        blocks.commit(vec![change(&KEYS[0], Some(&[height]))]).unwrap();
        if height == 4 {
            // That is all that the other files know of the blocks.
            blocks.store.checkpoint().unwrap();
        }
    }
    drop(blocks.store);
    let log = |dir: &Path, number: usize| dir.join(format!("blocks/{number:08}.log"));
    let again = Blocks::reopen(&disk, whole.path(), u64::MAX, blocks.done.clone()).unwrap();
    again.check();
    drop(again);
    assert!(log(whole.path(), 2).exists() && !log(whole.path(), 3).exists());
    for (last, key) in [(2, true), (1, true), (2, false)] {
        let dir = tempfile::tempdir().unwrap();
        copy(whole.path(), dir.path());
        for number in last..3 {
            fs::remove_file(log(dir.path(), number)).unwrap();
        }
        let missing = log(dir.path(), last);
        if key {
            let error = open(dir.path()).unwrap_err();
            let is_named = matches!(&error, StoreError::Corrupt { path, .. } if *path == missing);
            assert!(is_named, "{error}");
        } else {
            fs::remove_file(dir.path().join("blocks/key")).unwrap();
        }
        let found = SalvagedBlocks::find(&disk, dir.path()).unwrap();
        let damage = found.damage().unwrap();
        assert_eq!((damage.height, &damage.path), (8 * last as u64, &missing));
        assert_eq!(found.n_blocks(), 8 * last as u64);
    }
    // What a power failure leaves while the next file is begun: the mark torn, and the file there or not.
    for (mark, next) in [(0, None), (0, Some(0)), (40, Some(0)), (64, Some(0)), (64, Some(70))] {
        let dir = tempfile::tempdir().unwrap();
        copy(whole.path(), dir.path());
        fs::File::options()
            .write(true)
            .open(log(dir.path(), 1))
            .and_then(|file| file.set_len(8 * 128 + mark))
            .unwrap();
        match next {
            None => fs::remove_file(log(dir.path(), 2)).unwrap(),
            Some(length) => {
                let file = fs::File::options().write(true).open(log(dir.path(), 2)).unwrap();
                file.set_len(length).unwrap();
            }
        }
        let done = blocks.done.clone();
        let mut again = Blocks::reopen(&disk, dir.path(), u64::MAX, done).unwrap();
        assert_eq!(again.store.height(), 15, "mark={mark} next={next:?}");
        for height in 16..=20 {
            again.commit(vec![change(&KEYS[0], Some(&[height]))]).unwrap();
        }
        again.check();
        let Blocks { store, done, .. } = again;
        drop(store);
        Blocks::reopen(&disk, dir.path(), u64::MAX, done).unwrap().check();
    }
}

#[test]
fn a_snapshot_of_the_state_outlives_its_store() {
    let dir = tempfile::tempdir().unwrap();
    let done = filled(dir.path());
    let blocks = Blocks::reopen(&Disk::default(), dir.path(), 0, done).unwrap();
    let (table, model) = (Arc::clone(blocks.store.state().table()), blocks.model());
    drop(blocks);
    for (hash, (_, value)) in model {
        assert_eq!(table.get(&hash).unwrap().as_deref(), Some(&value[..]));
    }
}
