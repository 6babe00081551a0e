//! Everything in [`kempe_tests::hold`] on true encodings with changes, more and more of them: the short form of
//! `just fuzz`, whose targets in `tests/fuzz` are the same functions under libFuzzer.
//!
//! What failed once is in `tests/fuzz/corpus`, a directory for each name, and is tried first. Nothing here knows which
//! code an input reaches. When something fails, its bytes are written to `found/` of the target directory.
//!
//! `KEMPE_FUZZ_MS` is how long each is tried, and `KEMPE_SEED` what the changes follow from.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use kempe_tests::hold::{self, Property};
use kempe_tests::number;
use mutatis::Session;

/// The most changes of an input on the way to another.
const CHANGES_MAX: u64 = 12;

/// How many inputs that were changed are kept to be changed further.
const KEPT: usize = 64;

fn crate_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let dir = crate_dir().join("fuzz/corpus").join(name);
    let Ok(files) = fs::read_dir(dir) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("readable").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).expect("readable")).collect()
}

/// Where the bytes are that failed.
fn keep(name: &str, bytes: &[u8]) -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| crate_dir().join("../target"), PathBuf::from);
    let dir = target.join("found").join(name);
    fs::create_dir_all(&dir).expect("the target directory is writable");
    let hash = blake3::hash(bytes).to_hex();
    let path = dir.join(&hash[..16]);
    fs::write(&path, bytes).expect("the target directory is writable");
    path
}

/// Tries one input.
fn check(property: &Property, bytes: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| (property.holds)(bytes))).is_err() {
        let (name, path) = (property.name, keep(property.name, bytes));
        panic!("{name} does not hold for the {} bytes in {}", bytes.len(), path.display());
    }
}

/// Changes inputs until the time is over; gives how many it tried.
fn fuzz(property: &Property, seed: u64, time: Duration) -> u64 {
    let mut first = (property.seeds)();
    first.extend(corpus(property.name));
    for bytes in &first {
        check(property, bytes);
    }
    let random = &mut fastrand::Rng::with_seed(seed);
    let mut session = Session::new().seed(seed);
    let mut inputs = first.clone();
    let start = Instant::now();
    let mut n = 0;
    while start.elapsed() < time {
        let mut bytes = inputs[random.usize(..inputs.len())].clone();
        for _ in 0..random.u64(1..=CHANGES_MAX) {
            match random.u8(..8) {
                // Parts of two inputs.
                0 => {
                    let other = &inputs[random.usize(..inputs.len())];
                    let (at, from) = (random.usize(..=bytes.len()), random.usize(..=other.len()));
                    bytes.truncate(at);
                    bytes.extend(&other[from..]);
                }
                1 => bytes.truncate(random.usize(..=bytes.len())),
                _ => session.mutate(&mut bytes).expect("bytes can be changed"),
            }
        }
        check(property, &bytes);
        n += 1;
        // The first ones stay; the others take turns.
        if inputs.len() < first.len() + KEPT {
            inputs.push(bytes);
        } else if random.u8(..4) == 0 {
            let at = first.len() + random.usize(..KEPT);
            inputs[at] = bytes;
        }
    }
    n
}

#[test]
fn everything_holds_for_changed_inputs() {
    let time = Duration::from_millis(number("KEMPE_FUZZ_MS", 300));
    let seed = number("KEMPE_SEED", 0);
    for property in hold::ALL {
        let n = fuzz(property, seed, time);
        println!("{:12} {n:8} inputs", property.name);
    }
}

/// Whoever builds everything else does not build the targets: see their manifest.
#[test]
fn each_property_is_a_target() {
    let dir = crate_dir().join("fuzz");
    let manifest = fs::read_to_string(dir.join("Cargo.toml")).expect("readable");
    assert_eq!(manifest.matches("[[bin]]").count(), hold::ALL.len());
    for Property { name, .. } in hold::ALL {
        let path = format!("targets/{name}.rs");
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"{path}\"")), "{name}");
        let target = fs::read_to_string(dir.join(path)).expect("readable");
        assert!(target.contains(&format!("seeds::{name}()")), "{name}");
        assert!(target.contains(&format!("hold::{name}(bytes)")), "{name}");
    }
}
