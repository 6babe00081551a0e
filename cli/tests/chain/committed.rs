//! What is said of transactions that are committed where something fails behind that, or while it is done.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::{Value, json};

use super::{CALLS, Ended, Kempe};

/// A file that may not grow stands for a disk that is full.
#[test]
fn calls_are_counted_when_they_are_committed() {
    let kempe = Kempe::with_token();
    let call = r#"{"from":"bob","contract":"token","method":"transfer","args":["carol",1]}"#;
    kempe.write("many.jsonl", format!("{call}\n").repeat(1_500));
    // The limit is in units of 512 bytes. The log takes 256 KiB first, and then twice as much.
    let run = |limit: u32| {
        let script = format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" \"$@\"");
        let words = "run many.jsonl --block-size 100 --threads 1 --no-oracle";
        let ended = kempe.scripted(&script, words);
        assert_eq!((ended.code, &*ended.stdout), (1, ""), "{}", ended.stderr);
        ended.stderr
    };
    let ask = "`kempe block` says which block is the last";
    let error = run(500);
    let said = "error: block 3 may be committed or not\n  because: cannot take space for";
    assert!(error.starts_with(said), "{error}");
    assert_eq!(error.matches("File too large").count(), 1, "{error}");
    assert!(error.ends_with(&format!("the first of the file; {ask}\n")), "{error}");
    assert_eq!(kempe.json("block")["height"], 2);

    let error = run(600);
    let height = kempe.json("block")["height"].as_u64().unwrap();
    assert!((3..17).contains(&height), "{height}");
    let said = format!("error: block {} may be committed or not\n", height + 1);
    assert!(error.starts_with(&said), "{error}");
    let n_calls = (height - 2) * 100;
    let before = format!("the {n_calls} calls before this block are committed, up to height");
    assert!(error.contains(&format!("help: {before} {height}; {ask}\n")), "{error}");
}

#[test]
fn a_contract_whose_name_cannot_be_kept_is_not_lost() {
    let kempe = Kempe::with_token();
    let chain = kempe.home.path().join("kempe-chain");
    // What has the name that a new file of names had once is in nobody's way.
    fs::create_dir(chain.join("names.json.new")).unwrap();
    kempe.ok("deploy token.wasm --owner alice --name kept");

    let mode = |mode| fs::set_permissions(&chain, Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    // Root could write there all the same.
    let script = "exec setpriv --bounding-set=-dac_override,-dac_read_search \"$0\" \"$@\"";
    let ended = kempe.scripted(script, "deploy token.wasm --owner alice --name lost");
    mode(0o755);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    let address = ended.stdout.lines().next().unwrap().strip_prefix("lost ").unwrap();
    let said = format!("the contract is deployed at {address} by transaction 0x");
    assert!(ended.stderr.contains(&said), "{}", ended.stderr);
    assert!(ended.stderr.contains("help: do not deploy it again: use the address, or write"));
    assert_eq!(kempe.ok(&format!("call {address} owner")), "alice\n");

    assert_eq!(kempe.json("tx 4:0")["contracts"], json!([address]));
    assert!(kempe.ok("tx 4:0").contains(&format!("contract {address}\n")));
    let doctor = kempe.ok("doctor");
    assert!(doctor.contains(&format!("contracts without a name: {address}\n")), "{doctor}");
    // A deployment that failed has no address.
    let ended = kempe.run("deploy token.wasm --name none --owner alice --fuel 120000 --json");
    let failed: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((ended.code, failed.get("contracts")), (3, None), "{failed}");
}

#[test]
fn what_cannot_be_printed_is_said_to_be_committed() {
    let kempe = Kempe::with_token();
    let full = |words: &str, said: &str, help: &str| {
        let Ended { code, stderr, .. } = kempe.scripted("exec \"$0\" \"$@\" >/dev/full", words);
        assert_eq!(code, 1, "{words}: {stderr}");
        let error = stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
        assert!(
            error.contains(said) && error.ends_with(", but that could not be printed"),
            "{error}"
        );
        assert!(stderr.contains("  because: writing to standard output\n"), "{stderr}");
        assert!(stderr.contains(help), "{stderr}");
    };
    let tx = |height: u64| format!("help: do not send it again: `kempe tx {height}:0` shows it\n");
    full("call token mint --to bob --amount 7", "is committed in block 3", &tx(3));
    assert_eq!(kempe.ok("call token balance --of bob"), "107\n");
    let deploy = "deploy token.wasm --owner alice --name second";
    full(deploy, "is committed in block 4 with contract 0x", &tx(4));
    assert_eq!(kempe.ok("call second owner"), "alice\n");
    kempe.write("calls.jsonl", CALLS);
    let said = "the 4 calls are committed, up to height 5";
    full("run calls.jsonl", said, "help: do not run the file again");
    full("init --dir other", "the chain in other is made", "");
    kempe.ok("block --dir other");
}

#[test]
fn a_directory_whose_name_is_not_text_is_printed_as_json() {
    let kempe = Kempe::new();
    for words in ["init --json --dir", "new greeter --json --dir"] {
        let mut command: Command = kempe.command(words);
        let ended = Ended::of(command.arg(OsStr::from_bytes(&[0xff, words.as_bytes()[0]])));
        assert_eq!(ended.code, 0, "{words}: {}", ended.stderr);
        let made: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(made["dir"], format!("\u{fffd}{}", &words[..1]));
    }
}
