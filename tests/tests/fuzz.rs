//! Everything in [`kempe_tests::hold`] on true encodings with changes, more and more of them.
//!
//! Nothing here knows which code an input reaches: the pinned toolchain has no coverage guidance for it. When something
//! fails, its bytes are written to `fuzz/` of the target directory. Copy them to `corpus/`, a directory for each name,
//! with the fix: what is there is tried first. So far nothing is.
//!
//! `KEMPE_FUZZ_MS` is how long each is tried, `KEMPE_SEED` what the changes follow from, and
//! `KEMPE_FUZZ` the only name that is tried.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use borsh::to_vec;
use kempe_runtime::state::{StateTable, StateTree};
use kempe_runtime::types::{Action, KeyHash};
use kempe_tests::hold::{self, Hold};
use kempe_tests::{World, call, genesis, number};
use mutatis::Session;

/// The most changes of an input on the way to another.
const CHANGES_MAX: u64 = 12;

/// How many inputs that were changed are kept to be changed further.
const KEPT: usize = 64;

fn crate_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let Ok(files) = fs::read_dir(crate_dir().join("corpus").join(name)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("readable").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).expect("readable")).collect()
}

/// The ABI's section of a shipped contract, behind the length of arguments and these.
fn section(wasm: &[u8]) -> Vec<u8> {
    let at = wasm.windows(9).position(|bytes| bytes == b"kempe.abi").expect("it has one");
    let mut bytes = vec![48];
    bytes.extend([7; 48]);
    bytes.extend(&wasm[at + 9..]);
    bytes
}

/// True encodings.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let encode = |value: &dyn Fn() -> borsh::io::Result<Vec<u8>>| value().expect("it encodes");
    let mut world = World::new(2);
    let to = world.accounts[0].address;
    let actions = vec![Action::Transfer { to, amount: 1 }, call(to, "go", &7_u64)];
    let txs = world.sign(vec![(1, actions)]);
    match name {
        "transaction" => vec![encode(&|| to_vec(&txs[0]))],
        "abi" => [kempe_contracts::POOL, kempe_contracts::TOKEN, kempe_tests::CHAOS]
            .map(section)
            .to_vec(),
        "module" => vec![kempe_contracts::COUNTER.to_vec(), wat_module()],
        "schedule" => vec![encode(&|| {
            let rows = vec![vec![(1_u8, 2_u8), (3, 0)], vec![(1, 1)], vec![(4, 2)]];
            to_vec(&(rows, vec![0_u32, 2, 1], vec![2_u32]))
        })],
        "block" => vec![vec![0, 9, 0, 1], vec![1, 200, 0, 7, 90, 1, 3]],
        "record" => {
            let record = world.build(txs).record;
            vec![encode(&|| to_vec(&record))]
        }
        "genesis" => vec![genesis(2, 3).to_toml().into_bytes(), b"chain_id = 7".to_vec()],
        "witness" | "proof" => proofs(name),
        "trace" => {
            let line = r#"{"tx":0,"reads":[1,2],"writes":[2],"adds":[3],"gas":21000,"ns":900}"#;
            let next = line.replacen("\"tx\":0", "\"tx\":1", 1);
            vec![format!("{line}\n{next}\n").into_bytes()]
        }
        "value" => values(),
        "state" => vec![(0..120).collect(), vec![1, 5, 9, 1, 3, 0, 255, 0, 0, 1, 40, 2]],
        "execution" => vec![
            (0..=122).collect(),
            vec![1, 2, 0, 15, 1, 200, 0, 1, 16, 1, 90, 0, 2, 12, 1, 0, 0, 3, 17, 1, 2, 5],
        ],
        other => panic!("no seeds for {other}"),
    }
}

fn wat_module() -> Vec<u8> {
    let text = r#"(module (import "kempe" "get:0" (func (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1 1) (global (export "g") (mut i32) (i32.const 0))
        (func (export "call.go") (param i32) (result i32) (local i64)
            (loop (br_if 0 (i32.const 0))) (i32.load (local.get 0))))"#;
    wat::parse_str(text).expect("it is a module")
}

fn proofs(name: &str) -> Vec<Vec<u8>> {
    let world = World::new(3);
    let table = StateTable::new();
    let keys: Vec<KeyHash> = (0..3_u8).map(|n| KeyHash([n.wrapping_mul(85); 32])).collect();
    let name_of = |n: u8| {
        kempe_runtime::types::StateKey::new(world.accounts[usize::from(n)].address, n, &[n; 4])
    };
    let changes: Vec<_> = (0..3_u8)
        .map(|n| {
            let value = kempe_runtime::types::Bytes::from_slice(&[n; 40]);
            let key = name_of(n);
            kempe_runtime::state::StateChange::new(key, keys[usize::from(n)], Some(value))
        })
        .collect();
    table.apply(&changes);
    let tree = StateTree::from_state(&table).expect("in memory");
    if name == "witness" {
        let witness = tree.witness(&table, &keys[..2]).expect("in memory");
        return vec![to_vec(&witness).expect("it encodes")];
    }
    let proof = tree.prove(&table, &keys[1]).expect("in memory");
    let mut bytes = keys[1].0.to_vec();
    bytes.extend(to_vec(&proof).expect("it encodes"));
    vec![bytes]
}

/// Texts and encodings of values, behind the number of their type.
fn values() -> Vec<Vec<u8>> {
    let texts: [(u8, &str); 9] = [
        (4, "1_000_000"),
        (6, "-170141183460469231731687303715884105728"),
        (8, "0x0101010101010101010101010101010101010101010101010101010101010101"),
        (10, "0xc0ffee"),
        (13, "\"none\""),
        (14, r#"{"some": null}"#),
        (16, r#"["Cancel", {"Limit": {"price": "9", "tags": [[-1, "a", 7]]}}]"#),
        (17, r#"{"price": 9, "tags": [[1, "x", null]]}"#),
        (19, r#"{"Swap": [1, [2, "y", 3]]}"#),
    ];
    texts.iter().map(|(ty, text)| [&[*ty], text.as_bytes()].concat()).collect()
}

/// Where the bytes are that failed.
fn keep(name: &str, bytes: &[u8]) -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| crate_dir().join("../target"), PathBuf::from);
    let dir = target.join("fuzz").join(name);
    fs::create_dir_all(&dir).expect("the target directory is writable");
    let hash = blake3::hash(bytes).to_hex();
    let path = dir.join(&hash[..16]);
    fs::write(&path, bytes).expect("the target directory is writable");
    path
}

/// Tries one input.
fn check(name: &str, holds: Hold, bytes: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| holds(bytes))).is_err() {
        let path = keep(name, bytes);
        panic!("{name} does not hold for the {} bytes in {}", bytes.len(), path.display());
    }
}

/// Changes inputs until the time is over; gives how many it tried.
fn fuzz(name: &str, holds: Hold, seed: u64, time: Duration) -> u64 {
    let first: Vec<Vec<u8>> = seeds(name).into_iter().chain(corpus(name)).collect();
    for bytes in &first {
        check(name, holds, bytes);
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
        check(name, holds, &bytes);
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
    let only = env::var("KEMPE_FUZZ").ok().filter(|only| !only.is_empty());
    let chosen: Vec<_> = hold::ALL
        .iter()
        .filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name))
        .collect();
    assert!(!chosen.is_empty(), "KEMPE_FUZZ={only:?} is none of {:?}", hold::ALL);
    for (name, holds) in chosen {
        let n = fuzz(name, *holds, seed, time);
        println!("{name:12} {n:8} inputs");
    }
}
