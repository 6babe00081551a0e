//! Every file that the command line reads, as somebody who means harm leaves it: what the process says, how it
//! ends, and that it changes nothing.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::fs::{self, File, Permissions};
use std::io::{Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a refusal may take, on a busy machine.
const TIME_MAX: Duration = Duration::from_secs(20);

/// What a refusal may take of memory: the largest file that is read is 256 MiB.
const MEMORY_KIB_MAX: u64 = 400 << 10;

/// More than any file may have, and than there is memory.
const HUGE_BYTES: u64 = 100 << 30;

/// Who reads: a word, the arguments with the file as `FILE`, and where the file is.
type Reader = (&'static str, &'static str, &'static str);

/// Files that are named by whoever runs the command.
const GIVEN: [Reader; 14] = [
    ("wasm", "check FILE", "input.wasm"),
    ("WAT", "inspect FILE", "input.wat"),
    ("deployment", "deploy FILE --from alice", "input.wasm"),
    ("upgrade", "upgrade alice FILE", "input.wasm"),
    ("bindings", "bindings typescript FILE --out client", "input.wasm"),
    ("genesis", "init --genesis FILE --dir fresh", "genesis.toml"),
    ("calls", "run FILE", "calls.jsonl"),
    ("CSV", "run FILE", "calls.csv"),
    ("trace", "run --trace FILE --threads 1 --repeats 1", "trace.jsonl"),
    ("schedule", "schedule FILE", "trace.jsonl"),
    ("lab", "bench --trace FILE --threads 0 --workers 1 --schedulers layers", "trace.jsonl"),
    ("report", "bench compare FILE FILE", "before.json"),
    ("proof", "state --verify FILE", "proof.json"),
    ("chain", "block --dir FILE", "other-chain"),
];

/// Files that are there already: those of a chain, and of keys.
const KEPT: [Reader; 12] = [
    ("key", "keys export zoe --reveal-secret", "keys/zoe.json"),
    ("signer", "deploy right.wasm --from zoe", "keys/zoe.json"),
    ("names", "state", "kempe-chain/names.json"),
    ("manifest", "block", "kempe-chain/store/manifest"),
    ("log", "block", "kempe-chain/store/blocks/00000000.log"),
    ("log's key", "block", "kempe-chain/store/blocks/key"),
    ("replay", "replay --threads 1", "kempe-chain/store/blocks/00000000.log"),
    ("receipts", "block", "kempe-chain/store/receipts/00000000.log"),
    ("receipts' key", "block", "kempe-chain/store/receipts/key"),
    ("rows", "block", "kempe-chain/store/state/00000000.rows"),
    ("cells' names", "state", "kempe-chain/store/names"),
    ("lock", "block", "kempe-chain/store/LOCK"),
];

/// A word, and what makes the file, given what would be right.
type Harm = (&'static str, fn(&Path, &[u8]));

/// What becomes of a file.
const HARMS: [Harm; 17] = [
    ("missing", |_, _| ()),
    ("directory", |path, _| fs::create_dir(path).unwrap()),
    ("empty", |path, _| fs::write(path, "").unwrap()),
    ("huge", |path, _| File::create(path).unwrap().set_len(HUGE_BYTES).unwrap()),
    ("half", |path, right| fs::write(path, &right[..right.len() / 2]).unwrap()),
    ("random", |path, _| fs::write(path, random(50_000)).unwrap()),
    ("not text", |path, _| fs::write(path, [0xff, 0xfe, 0x80, b'\n'].repeat(50)).unwrap()),
    ("NUL", |path, _| fs::write(path, [0; 300]).unwrap()),
    ("deep", |path, _| fs::write(path, "[".repeat(100_000)).unwrap()),
    ("long", |path, _| {
        fs::write(path, format!("{{\"\u{1b}[31m{}\":1}}", "é".repeat(300_000))).unwrap()
    }),
    ("steering", |path, _| fs::write(path, steering(path)).unwrap()),
    ("BOM", |path, right| fs::write(path, [b"\xef\xbb\xbf", right].concat()).unwrap()),
    ("dangling", |path, _| symlink("nowhere", path).unwrap()),
    ("circle", |path, _| symlink(path.file_name().unwrap(), path).unwrap()),
    ("pipe", |path, _| assert!(Command::new("mkfifo").arg(path).status().unwrap().success())),
    ("device", |path, _| symlink("/dev/zero", path).unwrap()),
    ("locked", |path, right| {
        fs::write(path, right).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o000)).unwrap();
    }),
];

/// A name that would start lines of its own, and turn and hide what stands in them, as far as each format can
/// say that.
fn steering(path: &Path) -> String {
    let name = "a\\nerror: b\\r\\u202e\\u200bc";
    match path.extension().and_then(OsStr::to_str) {
        Some("toml") => format!("chain_id = \"9\"\n\"{name}\" = 1\n"),
        Some("csv") => {
            "from,contract,method,\"a\nerror: b\u{202e}\u{200b}c\"\nbob,token,owner,1\n".into()
        }
        Some("wat") => "(module (func (call $\"a\\nerror: b\\u{202e}\\u{200b}c\")))\n".into(),
        _ => format!("{{\"{name}\": 1}}\n"),
    }
}

/// The same bytes each time.
fn random(n: usize) -> Vec<u8> {
    let mut output = vec![0; n];
    blake3::Hasher::new().finalize_xof().fill(&mut output);
    output
}

/// What a file of this name may hold.
fn right(name: &str) -> Vec<u8> {
    match name {
        // One memory, so that no message depends on what a contract compiles to.
        "input.wasm" => b"\0asm\x01\0\0\0\x05\x03\x01\0\x01".to_vec(),
        "input.wat" => b"(module (memory 1))\n".to_vec(),
        "genesis.toml" => b"chain_id = \"9\"\n".to_vec(),
        "calls.jsonl" => br#"{"from":"bob","contract":"token","method":"owner"}"#.to_vec(),
        "calls.csv" => b"from,contract,method\nbob,token,owner\n".to_vec(),
        "trace.jsonl" => {
            br#"{"tx":0,"reads":[1],"writes":[1],"gas":1,"ns":1,"from":"0xa","to":"0xb"}"#.to_vec()
        }
        "before.json" => br#"{"version":1}"#.to_vec(),
        "proof.json" => br#"{"height":0}"#.to_vec(),
        _ => Vec::new(),
    }
}

struct Ended {
    code: i32,
    stderr: String,
    memory_kib: u64,
}

/// Runs a command whose user may not read what is locked, root or not.
fn command(home: &Path, words: &[OsString]) -> Command {
    let mut command = Command::new("setpriv");
    command
        .arg("--bounding-set=-dac_override,-dac_read_search")
        .arg(env!("CARGO_BIN_EXE_kempe"))
        .args(words)
        .current_dir(home)
        .env("KEMPE_HOME", home)
        .env("KEMPE_PASSWORD", "correct horse")
        .env_remove("KEMPE_DIR");
    command
}

/// The words, with the path in place of `FILE`.
fn with_file(words: &str, file: &OsStr) -> Vec<OsString> {
    let word = |word| if word == "FILE" { file.to_owned() } else { OsString::from(word) };
    words.split(' ').map(word).collect()
}

/// The most memory that a process had at once so far.
fn peak_kib(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

fn run(home: &Path, words: &[OsString], stdin: Stdio) -> Ended {
    // A file takes any length without a reader.
    let mut said = tempfile::tempfile().unwrap();
    let mut command = command(home, words);
    command.stdin(stdin).stdout(Stdio::null()).stderr(said.try_clone().unwrap());
    let mut child = command.spawn().unwrap();
    let start = Instant::now();
    let mut memory_kib = 0;
    let status = loop {
        memory_kib = peak_kib(&child).unwrap_or(memory_kib);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > TIME_MAX || memory_kib > MEMORY_KIB_MAX {
            child.kill().unwrap();
            panic!("{words:?} takes {memory_kib} KiB and {:?}", start.elapsed());
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let mut stderr = String::new();
    said.rewind().unwrap();
    said.read_to_string(&mut stderr).unwrap();
    Ended { code: status.code().expect("no signal"), stderr, memory_kib }
}

/// Ends with a message for people, within its means.
fn check(what: &str, ended: &Ended) {
    let Ended { code, stderr, memory_kib } = ended;
    assert!(!stderr.contains("panicked"), "{what}: {stderr}");
    assert!((0..=3).contains(code), "{what}: {code}: {stderr}");
    assert!(*memory_kib < MEMORY_KIB_MAX, "{what}: {memory_kib} KiB");
    assert!(stderr.len() < 2_000, "{what}: {} bytes are said", stderr.len());
    let is_text = stderr.chars().all(|c| c == '\n' || !c.is_control());
    assert!(is_text, "{what}: control characters in {stderr:?}");
    // Nothing that is quoted is a line of its own, or hides another.
    let own = ["error: ", "warning: ", "help: ", "  because: "];
    let is_own = stderr.lines().all(|line| own.iter().any(|start| line.starts_with(start)));
    assert!(is_own, "{what}: a line of somebody else's: {stderr}");
    assert!(!stderr.contains(['\u{202e}', '\u{200b}', '\u{feff}']), "{what}: {stderr:?}");
}

/// Names, kinds and contents of everything below a directory; of a large file its size.
fn listing(directory: &Path) -> Vec<(PathBuf, u32, u64, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let data = fs::symlink_metadata(&path).unwrap();
        if data.is_dir() {
            found.extend(listing(&path));
        }
        let is_small = data.is_file() && data.len() < 1 << 20;
        let contents = if is_small { fs::read(&path).unwrap() } else { Vec::new() };
        found.push((path, data.permissions().mode(), data.len(), contents));
    }
    found.sort();
    found
}

/// With a chain, a key, and what the first command leaves.
fn home() -> TempDir {
    let home = TempDir::new().unwrap();
    for words in ["init", "keys new zoe", "block"] {
        let ended = run(home.path(), &with_file(words, OsStr::new("")), Stdio::null());
        assert_eq!(ended.code, 0, "{}", ended.stderr);
    }
    fs::write(home.path().join("right.wasm"), kempe_contracts::COUNTER).unwrap();
    home
}

fn remove(path: &Path) {
    if path.is_dir() {
        fs::remove_dir(path).unwrap();
    } else if path.is_symlink() || path.exists() {
        fs::remove_file(path).unwrap();
    }
}

/// What each reader says of each harm.
fn table(readers: &[Reader]) -> String {
    let home = home();
    let mut table = String::new();
    for (reader, words, name) in readers {
        let path = home.path().join(name);
        let (whole, mode) = match fs::read(&path) {
            Ok(bytes) => (Some(bytes), fs::metadata(&path).unwrap().permissions()),
            Err(_) => (None, Permissions::from_mode(0o644)),
        };
        let right = whole.clone().unwrap_or_else(|| right(name));
        for (harm, make) in HARMS {
            remove(&path);
            make(&path, &right);
            if path.is_file() && !path.is_symlink() && harm != "locked" {
                fs::set_permissions(&path, mode.clone()).unwrap();
            }
            let before = listing(home.path());
            let ended = run(home.path(), &with_file(words, OsStr::new(name)), Stdio::null());
            let what = format!("{reader}, {harm}");
            check(&what, &ended);
            let said = ended.stderr.trim_end();
            if ended.code != 0 {
                // Where the key of a log is another one, it is the log that does not fit.
                let log = name.strip_suffix("key").unwrap_or(name);
                assert!(said.contains(log) || said.contains("`zoe`"), "{what}: not named: {said}");
            }
            // A lock that is gone is made again.
            if (*reader, harm) != ("lock", "missing") {
                let names = |all: Vec<(PathBuf, u32, u64, Vec<u8>)>| -> Vec<_> {
                    all.into_iter().map(|it| it.0).collect()
                };
                let after = listing(home.path());
                assert!(after == before, "{what}: something changed: {said}: {:?}", names(after));
            }
            writeln!(table, "{what}: {}\n    {}", ended.code, said.replace('\n', "\n    "))
                .unwrap();
        }
        remove(&path);
        if let Some(whole) = &whole {
            fs::write(&path, whole).unwrap();
            fs::set_permissions(&path, mode).unwrap();
        }
    }
    table.replace(&*home.path().to_string_lossy(), "HOME").replace(" \n", "\n")
}

#[test]
fn a_given_file_that_harms_is_named_and_changes_nothing() {
    insta::assert_snapshot!("given", table(&GIVEN));
}

#[test]
fn a_kept_file_that_harms_is_named_and_changes_nothing() {
    insta::assert_snapshot!("kept", table(&KEPT));
}

#[test]
fn a_name_that_is_not_text_is_a_name() {
    let home = home();
    for (reader, words, name) in GIVEN {
        let mut odd = OsStr::from_bytes(b"\xff\x1b[31m").to_owned();
        odd.push(name);
        for is_there in [false, true] {
            if is_there {
                fs::write(home.path().join(&odd), right(name)).unwrap();
            }
            let before = listing(home.path());
            let ended = run(home.path(), &with_file(words, &odd), Stdio::null());
            check(reader, &ended);
            assert!(is_there || ended.code != 0, "{reader}");
            assert!(ended.code == 0 || listing(home.path()) == before, "{reader}: it changed");
        }
        fs::remove_file(home.path().join(&odd)).unwrap();
    }
}

#[test]
fn standard_input_without_an_end_is_refused() {
    let home = home();
    for words in ["keys new eve --password-stdin", "keys import eve"] {
        let zeros = File::open("/dev/zero").unwrap();
        let ended = run(home.path(), &with_file(words, OsStr::new("")), zeros.into());
        check(words, &ended);
        assert_eq!(ended.code, 1);
        assert!(ended.stderr.contains("is longer than 4096 bytes"), "{}", ended.stderr);
    }
    assert!(!home.path().join("keys/eve.json").exists());
}

/// Where a directory is named, the file that says what it is may be anything, too.
#[test]
fn a_manifest_that_harms_is_of_no_sdk() {
    let home = TempDir::new().unwrap();
    let manifest = home.path().join("sdk/Cargo.toml");
    fs::create_dir(home.path().join("sdk")).unwrap();
    for (harm, make) in HARMS {
        make(&manifest, b"");
        let words = with_file("new greeter --sdk FILE", OsStr::new("sdk"));
        let ended = run(home.path(), &words, Stdio::null());
        check(harm, &ended);
        let said = "error: sdk is not kempe-sdk\n";
        assert!(ended.code == 1 && ended.stderr.starts_with(said), "{harm}: {}", ended.stderr);
        assert!(!home.path().join("greeter").exists(), "{harm}");
        remove(&manifest);
    }
}

/// What a file calls a key is on the line of the key, as text and in pictures.
#[test]
fn a_name_in_a_result_stays_on_its_line() {
    let home = TempDir::new().unwrap();
    let key = "a\\nb\\u202ec\\u200b";
    let line = format!("{{\"reads\":[\"{key}\"],\"writes\":[\"{key}\"]}}\n");
    fs::write(home.path().join("block.jsonl"), line.repeat(2)).unwrap();
    let shown = "a\\nb\\u{202e}c\\u{200b}";
    for format in ["text", "dot", "flame"] {
        let words = format!("schedule FILE --format {format}");
        let mut command = command(home.path(), &with_file(&words, OsStr::new("block.jsonl")));
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(!said.contains(['\u{202e}', '\u{200b}']), "{format}: {said}");
        let escaped = said.contains(shown) || said.contains(&shown.escape_default().to_string());
        assert!(escaped, "{format}: {said}");
    }
}
