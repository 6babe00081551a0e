//! Compiled code on disk: what was changed is compiled again and never runs, and nothing depends on it.

use std::fs;
use std::hash::{Hash as _, Hasher};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use kempe_abi::Hash;
use kempe_runtime::chain::ChainOptions;
use kempe_runtime::engine::{Artifacts, ENGINE_VERSION, Engine, config};
use kempe_runtime::scheduler::Color;
use kempe_tests::{World, call, genesis, options};
use tempfile::TempDir;

const KEY: [u8; 32] = [7; 32];
const WASM: [&[u8]; 2] = [kempe_contracts::COUNTER, kempe_contracts::ROUTER];

/// Both contracts' files, whole.
struct Scene {
    home: TempDir,
    whole: [Vec<u8>; 2],
}

impl Scene {
    fn new() -> Self {
        let home = TempDir::new().expect("a directory");
        let scene = Self { home, whole: Default::default() };
        scene.load(KEY);
        let whole = [0, 1].map(|at| fs::read(scene.path(at)).expect("it is kept"));
        assert!(whole.iter().all(|bytes| bytes.len() > 1_000));
        Self { whole, ..scene }
    }

    fn directory(&self) -> PathBuf {
        self.home.path().join("compiled")
    }

    fn path(&self, at: usize) -> PathBuf {
        self.directory().join(blake3::hash(WASM[at]).to_hex().as_str())
    }

    /// Loads both contracts in a new engine, as a new process does.
    fn load(&self, key: [u8; 32]) {
        load(&self.directory(), key, u64::MAX);
    }

    /// Loads, and whether the contract's file is as it was when it was whole: nothing but compiling writes it.
    fn is_made_again(&self, at: usize) -> bool {
        self.load(KEY);
        let path = self.path(at);
        path.symlink_metadata().is_ok_and(|data| data.is_file())
            && fs::read(path).is_ok_and(|bytes| bytes == self.whole[at])
    }
}

fn kept(directory: &Path, key: [u8; 32], bytes_max: u64) -> &'static Artifacts {
    Box::leak(Box::new(Artifacts::new(directory.to_owned(), key, bytes_max)))
}

fn load(directory: &Path, key: [u8; 32], bytes_max: u64) {
    let engine = Engine::with_artifacts(kept(directory, key, bytes_max)).expect("it starts");
    for wasm in WASM {
        let code = engine.load(wasm).expect("it is admitted");
        assert_eq!(code.hash, Hash(*blake3::hash(wasm).as_bytes()));
    }
}

#[test]
fn whatever_is_changed_is_compiled_again() {
    let scene = Scene::new();
    let whole = &scene.whole[0];
    // The seal, and 64 places of what it seals.
    let places = (0..32).chain((0..64).map(|part| 32 + (whole.len() - 33) * part / 63));
    for at in places {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 8);
        fs::write(scene.path(0), &changed).expect("writable");
        assert!(scene.is_made_again(0), "byte {at} is changed");
    }
    for length in [0, 1, 31, 32, 33, whole.len() / 2, whole.len() - 1] {
        fs::write(scene.path(0), &whole[..length]).expect("writable");
        assert!(scene.is_made_again(0), "it is cut off after {length} bytes");
    }
    fs::write(scene.path(0), [whole.as_slice(), &[0]].concat()).expect("writable");
    assert!(scene.is_made_again(0), "it is longer");
}

#[test]
fn a_whole_file_is_used_and_not_written() {
    let scene = Scene::new();
    let made = |at| fs::metadata(scene.path(at)).and_then(|data| data.modified()).expect("there");
    let before = [0, 1].map(made);
    scene.load(KEY);
    assert_eq!([0, 1].map(made), before);
    assert_eq!(
        fs::read_dir(scene.directory()).expect("readable").count(),
        2,
        "nothing is left over"
    );
}

#[test]
fn another_contracts_file_and_another_key_are_refused() {
    let scene = Scene::new();
    fs::write(scene.path(0), &scene.whole[1]).expect("writable");
    fs::write(scene.path(1), &scene.whole[0]).expect("writable");
    assert!(scene.is_made_again(0) && scene.is_made_again(1), "they are swapped");

    scene.load([8; 32]);
    let other = fs::read(scene.path(0)).expect("it is kept");
    assert_eq!((other[..32] == scene.whole[0][..32], &other[32..]), (false, &scene.whole[0][32..]));
    assert!(scene.is_made_again(0), "it has the seal of another key");
    // The seal of the contents alone.
    let sealed = blake3::keyed_hash(&KEY, &scene.whole[0][32..]);
    fs::write(scene.path(0), [sealed.as_bytes(), &scene.whole[0][32..]].concat())
        .expect("writable");
    assert!(scene.is_made_again(0), "the seal says nothing of the code and the engine");
}

/// The seal by the letter of the documentation, of an engine of some version.
fn seal(version: &str, artifact: &[u8]) -> blake3::Hash {
    struct Feed(blake3::Hasher);
    impl Hasher for Feed {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            unreachable!("nobody asks")
        }
    }
    let engine = wasmtime::Engine::new(&config()).expect("it is configured");
    let mut identity = Feed(blake3::Hasher::new_derive_key("kempe 2026 artifact"));
    identity.write(blake3::hash(WASM[0]).as_bytes());
    version.hash(&mut identity);
    engine.precompile_compatibility_hash().hash(&mut identity);
    let mut seal = blake3::Hasher::new_keyed(&KEY);
    seal.update(identity.0.finalize().as_bytes()).update(artifact).finalize()
}

#[test]
fn a_file_of_another_version_is_compiled_again() {
    let scene = Scene::new();
    let (right, artifact) = scene.whole[0].split_at(32);
    assert_eq!(seal(ENGINE_VERSION, artifact), *<&[u8; 32]>::try_from(right).expect("32 bytes"));
    // The same code, engine and bytes: only what the protocol calls the engine is another.
    let other = ENGINE_VERSION.replace("kempe", "another");
    assert_ne!(other, ENGINE_VERSION);
    let sealed = seal(&other, artifact);
    fs::write(scene.path(0), [sealed.as_bytes(), artifact].concat()).expect("writable");
    assert!(scene.is_made_again(0));
}

#[test]
fn what_is_no_file_is_replaced_or_left_alone() {
    let scene = Scene::new();
    let elsewhere = scene.home.path().join("elsewhere");
    fs::write(&elsewhere, "somebody's").expect("writable");
    for target in ["nowhere", "/dev/zero", "../elsewhere"] {
        fs::remove_file(scene.path(0)).expect("removable");
        symlink(target, scene.path(0)).expect("possible");
        assert!(scene.is_made_again(0), "a link to {target}");
    }
    assert_eq!(fs::read(&elsewhere).expect("readable"), b"somebody's");
    assert!(!scene.directory().join("nowhere").exists());
    fs::remove_file(scene.path(0)).expect("removable");
    fs::create_dir(scene.path(0)).expect("possible");
    scene.load(KEY);
    // No directory can be made below a file; the contracts are compiled.
    load(&elsewhere.join("compiled"), KEY, u64::MAX);
    assert_eq!(fs::read(&elsewhere).expect("readable"), b"somebody's");
}

#[test]
fn the_oldest_make_room() {
    let scene = Scene::new();
    let larger = scene.whole.iter().map(|bytes| bytes.len() as u64).max().expect("two");
    fs::remove_dir_all(scene.directory()).expect("removable");
    load(&scene.directory(), KEY, larger);
    let left: Vec<_> = fs::read_dir(scene.directory()).expect("readable").collect();
    assert_eq!(left.len(), 1);
    assert!(scene.path(1).exists(), "the last one stays");
    // One that is larger than all may be together must not drive out the others.
    fs::remove_dir_all(scene.directory()).expect("removable");
    let smaller = usize::from(scene.whole[0].len() > scene.whole[1].len());
    load(&scene.directory(), KEY, larger - 1);
    assert!(scene.path(smaller).exists() && !scene.path(1 - smaller).exists());
    load(&scene.directory(), KEY, 0);
    assert_eq!(fs::read_dir(scene.directory()).expect("readable").count(), 0);
}

#[test]
fn what_somebody_else_keeps_there_stays() {
    let scene = Scene::new();
    let others = ["notes", "c0ffee", "c0ffee.1", &"g".repeat(64)];
    let others = others.map(|name| scene.directory().join(name));
    others.iter().for_each(|path| fs::write(path, [0; 1_000]).expect("writable"));
    // What a process that was killed left goes with the others.
    let cut = scene.path(0).with_extension("1-0");
    fs::write(&cut, [0; 1_000]).expect("writable");
    // With another key both are compiled, and kept if there is room.
    load(&scene.directory(), [8; 32], 0);
    assert!(others.iter().all(|path| path.exists()));
    assert_eq!(fs::read_dir(scene.directory()).expect("readable").count(), others.len());
}

/// The head of a chain on which contracts ran.
fn head(options: ChainOptions) -> Hash {
    let mut world = World::of(genesis(4, 1), options);
    let counter = world.deploy(0, kempe_contracts::COUNTER, &());
    let owner = world.accounts[0].address;
    let token = world.deploy(0, kempe_contracts::TOKEN, &owner);
    let to = world.accounts[1].address;
    world.send(0, call(token, "mint", &(to, 100u128)));
    world.send(1, call(token, "transfer", &(owner, 30u128)));
    world.send(2, call(token, "transfer", &(owner, 1u128)));
    world.send(3, call(counter, "raise", &3u64));
    world.chain.head().hash()
}

#[test]
fn results_do_not_depend_on_them() {
    let home = TempDir::new().expect("a directory");
    let compiled = head(options(2, &Color));
    for _ in 0..2 {
        let artifacts = Some(kept(home.path(), KEY, u64::MAX));
        assert_eq!(head(ChainOptions { artifacts, ..options(2, &Color) }), compiled);
    }
    assert_eq!(fs::read_dir(home.path()).expect("readable").count(), 2);
}
