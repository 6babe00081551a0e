//! The verbs that need a chain, as a process: what they print, where, and how they end.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use kempe_abi::def::{
    CellDef, ClauseDef, ContractDef, ExprDef, FieldDef, MethodDef, MethodKindDef,
};
use kempe_abi::{AbiType, AccessKind, TypeDef, section};
use kempe_runtime::chain::{Chain, ChainOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

struct Kempe {
    home: TempDir,
}

impl Kempe {
    fn new() -> Self {
        let kempe = Self { home: TempDir::new().unwrap() };
        kempe.write("token.wasm", kempe_contracts::TOKEN);
        kempe
    }

    /// With a development chain, on which alice owns a token and bob has 100 of it.
    fn with_token() -> Self {
        let kempe = Self::new();
        kempe.ok("init");
        kempe.ok("deploy token.wasm --owner alice");
        kempe.ok("call token mint --to bob --amount 100");
        kempe
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home.path().join(name);
        fs::write(&path, contents).unwrap();
        path
    }

    fn run(&self, words: &str) -> Ended {
        self.run_with(words, &[])
    }

    fn run_with(&self, words: &str, env: &[(&str, &str)]) -> Ended {
        let output = Command::new(env!("CARGO_BIN_EXE_kempe"))
            .args(words.split(' '))
            .current_dir(self.home.path())
            .env("KEMPE_HOME", self.home.path())
            .env_remove("KEMPE_PASSWORD")
            .env_remove("KEMPE_DIR")
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Ended {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    fn ok(&self, words: &str) -> String {
        let ended = self.run(words);
        assert_eq!(ended.code, 0, "{words}: {}", ended.stderr);
        ended.stdout
    }

    #[track_caller]
    fn json(&self, words: &str) -> Value {
        serde_json::from_str(&self.ok(&format!("{words} --json"))).unwrap()
    }

    /// Fails with nothing on standard output.
    #[track_caller]
    fn fails(&self, code: i32, words: &str) -> String {
        let ended = self.run(words);
        assert_eq!((ended.code, &*ended.stdout), (code, ""), "{words}: {}", ended.stderr);
        ended.stderr
    }
}

/// The text without what differs from run to run, hashes, addresses and times, and without fuel,
/// which changes with the compiler.
fn redacted(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("0x") {
        let digits = rest[at + 2..].bytes().take_while(u8::is_ascii_hexdigit).count();
        out.push_str(&rest[..at]);
        out.push_str(if digits == 64 { "0x..." } else { &rest[at..at + 2 + digits] });
        rest = &rest[at + 2 + digits..];
    }
    out.push_str(rest);
    let label = |line: &str| ["time ", "fuel "].into_iter().find(|label| line.starts_with(label));
    let lines =
        out.lines().map(|line| label(line).map_or(line.to_owned(), |l| l.to_owned() + "..."));
    lines.collect::<Vec<_>>().join("\n")
}

const CALLS: &str = r#"{"from":"bob","contract":"token","method":"transfer","args":["carol",10]}
{"from":"bob","contract":"token","method":"transfer","args":{"to":"dave","amount":"1000"}}

{"from":"carol","contract":"token","method":"transfer","args":{"to":"erin","amount":3}}
{"from":"alice","contract":"token","method":"mint","args":{"to":"dave","amount":7},"fuel":200000}
"#;

#[test]
fn a_call_is_run_shown_and_explained() {
    let kempe = Kempe::with_token();
    assert_eq!(kempe.ok("call token balance --of bob"), "100\n");
    let sent = kempe.json("call token transfer --to carol --amount 30 --from bob");
    assert_eq!(sent["outcome"], json!({ "status": "ok" }));
    assert_eq!(sent["events"][0]["name"], "Transfer");
    assert_eq!(sent["events"][0]["fields"]["amount"], "30");
    assert_eq!((&sent["height"], &sent["batch"]), (&json!(3), &json!(0)));
    let hash = sent["tx"].as_str().unwrap();
    let shown = kempe.json(&format!("tx {hash}"));
    assert_eq!(shown, sent);

    let explained = kempe.json(&format!("explain {hash}"));
    let entry = |kind: &str, key: &str, touched: &[&str]| json!({ "kind": kind, "key": key, "touched": touched });
    let list = json!([
        entry("read", "contract token", &["read"]),
        entry("write", "token.balances[bob]", &["read", "write"]),
        entry("write", "token.balances[carol]", &["read", "write"]),
    ]);
    assert_eq!(explained["list"], list);
    insta::assert_snapshot!("tx", redacted(&kempe.ok("tx 3:0")));
    insta::assert_snapshot!("block", redacted(&kempe.ok("block")));
    insta::assert_snapshot!("events", kempe.ok("events --contract token"));
    assert_eq!(kempe.json("events --name Mint").as_array().unwrap().len(), 1);
}

#[test]
fn a_revert_ends_with_3_and_names_the_error() {
    let kempe = Kempe::with_token();
    let words = "call token transfer --to carol --amount 101 --from bob";
    let ended = kempe.run(words);
    assert_eq!(ended.code, 3);
    assert!(ended.stdout.contains("outcome  revert InsufficientBalance (101) in token"));
    assert!(ended.stderr.contains("error: token reverted: InsufficientBalance (101): The balance"));
    assert!(ended.stderr.contains("\nhelp: "), "{}", ended.stderr);
    let ended = kempe.run(&format!("{words} --json"));
    let receipt: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((ended.code, &receipt["outcome"]["code"]), (3, &json!(101)));
    assert_eq!(receipt["outcome"]["name"], "InsufficientBalance");
    let error: Value = serde_json::from_str(&ended.stderr).unwrap();
    assert_eq!(error["exit"], 3);

    let ended = kempe.run("call token transfer --to carol --amount 1 --from bob --fuel 34000");
    assert_eq!(ended.code, 3);
    assert!(ended.stderr.contains("OutOfFuel"), "{}", ended.stderr);
    let ended = kempe.run("simulate token transfer --to carol --amount 101 --from bob");
    assert_eq!(ended.code, 3);
    assert_eq!(kempe.ok("call token balance --of bob"), "100\n");
}

#[test]
fn wrong_usage_ends_with_2_and_helps() {
    let kempe = Kempe::with_token();
    let method = kempe.fails(2, "call token transfr --to bob");
    assert!(method.contains("did you mean `transfer`?\nhelp: `kempe call token -- --help`"));
    let missing = kempe.fails(2, "call token transfer --to bob");
    assert!(missing.contains("parameter `amount` (u128) is missing"), "{missing}");
    assert!(missing.contains("help: the method is transfer(to: address, amount: u128)"));
    let unknown = kempe.fails(2, "call token transfer --too bob --amount 1");
    assert!(unknown.contains("there is no parameter `too`: did you mean `to`?"), "{unknown}");
    let typed = kempe.fails(2, "call token transfer --to bob --amount many");
    assert!(typed.contains("at `amount`: expected u128"), "{typed}");
    let contract = kempe.fails(1, "call tokn transfer");
    assert!(contract.contains("there is no contract `tokn`: did you mean `token`?"), "{contract}");
    let account = kempe.fails(1, "call token transfer --to bob --amount 1 --from alise");
    assert!(account.contains("there is no account `alise`: did you mean `alice`?"), "{account}");
    let own = kempe.fails(2, "call token transfer_from --from alice --to bob --amount 1");
    assert!(own.contains("its own --from stands behind a --"), "{own}");
    let help = kempe.ok("call token transfer -- --help");
    assert!(help.contains("touches  write(balances[caller], balances[to])"), "{help}");
    assert!(help.contains("kempe call token transfer --to alice --amount 100"), "{help}");
    assert_eq!(kempe.json("block")["height"], 2, "nothing of this made a block");
}

#[test]
fn a_file_of_calls_runs_as_blocks() {
    let kempe = Kempe::with_token();
    kempe.write("calls.jsonl", CALLS);
    let summary = kempe.json("run calls.jsonl --scheduler layers --threads 1,2");
    for (key, expected) in [
        ("txs", json!(4)),
        ("blocks", json!(1)),
        ("batches", json!(3)),
        ("critical_path", json!(3)),
        ("ok", json!(3)),
        ("reverts", json!(1)),
        ("reverts_by_name", json!({ "InsufficientBalance (101)": 1 })),
        ("roots_equal", json!(true)),
        ("height", json!(3)),
    ] {
        assert_eq!(summary[key], expected, "{key}");
    }
    let rates = summary["tx_per_s"].as_object().unwrap();
    assert!(rates.keys().eq(["1", "2"]) && rates.values().all(|rate| rate.as_f64() > Some(0.0)));
    assert_eq!(kempe.ok("call token balance --of dave"), "7\n");
    assert_eq!(kempe.ok("call token balance --of erin"), "3\n");
    let explained = kempe.json("explain 3:2");
    assert_eq!(explained["waits_for"][0]["key"], "token.balances[carol]");
    assert_eq!(explained["waits_for"][0]["index"], 0);
    insta::assert_snapshot!("explain", redacted(&kempe.ok("explain 3:2")));

    let csv = "from,contract,method,to,amount,arg:from\nerin,token,transfer,bob,2,\n\
               alice,token,transfer_from,bob,0,bob\n";
    kempe.write("calls.csv", csv);
    let summary = kempe.json("run calls.csv --block-size 1 --threads 2 --no-oracle");
    assert_eq!((&summary["blocks"], &summary["ok"]), (&json!(2), &json!(2)), "{summary}");

    let report = kempe.json("replay");
    assert_eq!((&report["roots_equal"], &report["txs"]), (&json!(true), &json!(8)));
    assert_eq!(report["blocks"], 5);
    let report = kempe.json("replay --bisect");
    assert_eq!((&report["roots_equal"], report.get("bisection")), (&json!(true), None));
    assert_eq!(kempe.json("replay --bisect 3"), json!({ "height": 3, "bisection": null }));
    assert_eq!(kempe.ok("replay --bisect 5 --threads 2"), "block 5: both executions are equal\n");
    let error = kempe.fails(2, "replay --bisect 6");
    assert!(
        error.contains("there is no block 6") && error.contains("the last block is 5"),
        "{error}"
    );
    kempe.fails(2, "replay --bisect 0");
}

#[test]
fn a_broken_line_commits_nothing_of_its_block() {
    let kempe = Kempe::with_token();
    let broken = |line: &str, expected: &str| {
        kempe.write("calls.jsonl", format!("{CALLS}{line}\n"));
        let error = kempe.fails(1, "run calls.jsonl");
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("help: nothing was committed"), "{error}");
        assert_eq!(kempe.json("block")["height"], 2);
    };
    broken("{\"from\":\"bob\"", "error: calls.jsonl:6:13: EOF while parsing an object");
    let call = |rest: &str| format!(r#"{{"from":"bob","contract":"token",{rest}}}"#);
    let bad_type = call(r#""method":"transfer","args":{"to":"carol","amount":-1}"#);
    broken(&bad_type, "error: calls.jsonl:6:75: argument `amount`: expected u128");
    let missing = call(r#""method":"transfer","args":{"to":"carol"}"#);
    broken(&missing, "calls.jsonl:6:54: parameter `amount` (u128) is missing");
    broken(
        &call(r#""method":"transfr""#),
        "error: calls.jsonl:6:34\n  because: `token` has no method",
    );
    broken(&call(r#""method":"burn","args":[1,2]"#), "2 arguments are 1 too many");

    kempe.write("calls.jsonl", format!("{CALLS}{}\n", call(r#""method":"none""#)));
    let error = kempe.fails(1, "run calls.jsonl --block-size 2");
    assert!(error.contains("help: the 4 calls before this block are committed"), "{error}");
    assert_eq!(kempe.json("block")["height"], 4);

    kempe.write("calls.csv", "from,contract,method,amount\nbob,token,burn,1\nbob,token,burn,x\n");
    let error = kempe.fails(1, "run calls.csv");
    assert!(error.contains("calls.csv:3:4: at `amount`: expected u128"), "{error}");
    kempe.write("empty.jsonl", "\n\n");
    assert!(kempe.fails(1, "run empty.jsonl").contains("empty.jsonl has no calls"));
}

#[test]
fn a_recorded_block_runs_on_a_chain_of_its_own() {
    let kempe = Kempe::new();
    let line = |tx: usize, from: &str, to: &str| {
        format!(
            "{{\"tx\":{tx},\"reads\":[{tx}],\"writes\":[{tx},9],\"gas\":21000,\"ns\":1,\
             \"from\":\"{from}\",\"to\":\"{to}\"}}\n"
        )
    };
    let trace = [("0xa", "0xb"), ("0xc", "0xd"), ("0xb", "0xe"), ("0xa", "0xf")];
    let trace: String = trace.iter().zip(0..).map(|((from, to), tx)| line(tx, from, to)).collect();
    kempe.write("block.jsonl", trace);
    let summary = kempe.json("run --trace block.jsonl --repeats 1");
    assert_eq!((&summary["txs"], &summary["accounts"]), (&json!(4), &json!(6)));
    assert_eq!((&summary["batches"], &summary["critical_path"]), (&json!(2), &json!(2)));
    assert_eq!((&summary["reverts"], &summary["roots_equal"]), (&json!(0), &json!(true)));
    assert!(summary["tx_per_s"].as_object().unwrap().keys().eq(["1", "2"]));
    assert_eq!(summary["roots"].as_object().unwrap().len(), 3, "one and two threads, the oracle");

    // With its own keys every transaction writes key 9; as transfers they hardly conflict.
    assert_eq!(kempe.json("schedule block.jsonl")["batches"], 4);
    assert_eq!(kempe.json("schedule block.jsonl --transfers")["batches"], 2);
    insta::assert_snapshot!("schedule", kempe.ok("schedule block.jsonl --transfers"));

    kempe.ok("run --trace block.jsonl --repeats 1 --dir kept");
    assert_eq!(kempe.json("replay --dir kept")["roots_equal"], true);
    let error = kempe.fails(1, "run --trace block.jsonl --dir kept");
    assert!(error.contains("there is a chain already"), "{error}");
    kempe.write("block.jsonl", "{\"tx\":0,\"reads\":[");
    assert!(kempe.fails(1, "run --trace block.jsonl").contains("block.jsonl"));
}

#[test]
fn the_demo_needs_nothing() {
    let kempe = Kempe::new();
    let words = "demo --workload one-hot:50 --txs 60 --block-size 40 --repeats 1";
    let summary = kempe.json(words);
    assert_eq!((&summary["txs"], &summary["blocks"]), (&json!(60), &json!(2)));
    // Everybody pays one account, so nothing runs beside anything.
    assert_eq!((&summary["batches"], &summary["critical_path"]), (&json!(60), &json!(60)));
    assert_eq!((&summary["ok"], &summary["roots_equal"]), (&json!(60), &json!(true)));
    let text = kempe.ok(words);
    assert!(text.contains("state roots    equal (1 thread"), "{text}");
    assert!(kempe.fails(2, "demo --workload zipf:1").contains("zipf:N:EXPONENT_PERCENT"));
}

#[test]
fn a_schedule_is_drawn_with_the_contracts_names() {
    let kempe = Kempe::with_token();
    kempe.write("calls.jsonl", CALLS);
    let dot = kempe.ok("schedule calls.jsonl --format dot");
    assert!(dot.contains("n0 -> n1 [label=\"token.balances[bob]\"];"), "{dot}");
    assert!(kempe.ok("schedule calls.jsonl --format svg").starts_with("<svg "));
    let json: Value =
        serde_json::from_str(&kempe.ok("schedule calls.jsonl --format json --scheduler layers"))
            .unwrap();
    assert_eq!(json["schedule"], json!([[0], [1, 2], [3]]));
    assert_eq!(kempe.json("block")["height"], 2, "nothing was executed");
    kempe.fails(2, "schedule calls.jsonl --scheduler fastest");
}

#[test]
fn state_is_shown_and_proven() {
    let kempe = Kempe::with_token();
    assert_eq!(kempe.ok("state token balances bob"), "100\n");
    let all = kempe.ok("state token");
    assert_eq!(
        all,
        "token.owner = alice\ntoken.supply = 100\ntoken.balances[bob] = 100\ntoken.roles[alice] = 3\n"
    );
    assert_eq!(kempe.json("state alice")["nonce"], 2);
    let proof = kempe.ok("state token balances bob --proof");
    kempe.write("proof.json", &proof);
    let verified = kempe.ok("state --verify proof.json");
    assert!(verified.ends_with("token.balances[bob] = 100\n"), "{verified}");
    let absent = kempe.ok("state token balances erin --proof");
    kempe.write("absent.json", absent);
    assert!(kempe.ok("state --verify absent.json").contains("token.balances[erin] = no value"));

    let mut forged: Value = serde_json::from_str(&proof).unwrap();
    forged["value"] = json!(hex::encode(101u128.to_le_bytes()));
    kempe.write("forged.json", forged.to_string());
    let error = kempe.fails(1, "state --verify forged.json");
    assert!(error.contains("the state has another value"), "{error}");
    kempe.ok("call token mint --to bob --amount 1");
    let stale = kempe.fails(1, "state --verify proof.json");
    assert!(stale.contains("help: the proof was made at height 2, this chain is at 3"), "{stale}");
    assert!(kempe.fails(2, "state token balance").contains("did you mean `balances`?"));
    assert!(kempe.fails(2, "state token balances bob bob").contains("has 1 keys (address)"));
}

#[test]
fn modules_are_checked_and_inspected() {
    let kempe = Kempe::new();
    let report = kempe.json("check token.wasm");
    assert_eq!((&report["admitted"], &report["reason"]), (&json!(true), &Value::Null));
    insta::assert_snapshot!("check", kempe.ok("check token.wasm").split_once('\n').unwrap().1);
    let report = kempe.json("inspect token.wasm");
    assert_eq!(report["contract"]["name"], "Token");
    assert_eq!(report["size_bytes"], kempe_contracts::TOKEN.len());

    kempe.write("grow.wat", "(module (memory 1) (func (drop (memory.grow (i32.const 1)))))");
    let ended = kempe.run("check grow.wat --json");
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((ended.code, &report["admitted"]), (1, &json!(false)));
    assert!(report["reason"].as_str().unwrap().len() > 10, "{report}");
    assert!(kempe.ok("inspect grow.wat").contains("no contract: there is no section `kempe.abi`"));
    kempe.ok("init");
    kempe.fails(1, "deploy grow.wat");
    kempe.write("broken.wat", "(module");
    kempe.write("text.wasm", "not wasm");
    for (file, reason) in [("broken.wat", "broken.wat"), ("text.wasm", "neither wasm nor WAT text")]
    {
        let ended = kempe.run(&format!("check {file} --json"));
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!((ended.code, &report["admitted"]), (1, &json!(false)));
        assert!(report["reason"].as_str().unwrap().contains(reason), "{report}");
        assert!(ended.stderr.contains(reason), "{}", ended.stderr);
    }
    assert_eq!(kempe.run("check missing.wasm --json").stdout, "");
}

#[test]
fn a_chain_belongs_to_one_process_and_one_directory() {
    let kempe = Kempe::with_token();
    let error = kempe.fails(1, "init");
    assert!(error.contains("there is a chain already"), "{error}");
    let missing = kempe.fails(1, "block --dir nowhere");
    assert!(missing.contains("there is no chain") && missing.contains("help: `kempe init`"));
    let error = kempe.fails(1, "deploy token.wasm --owner alice");
    assert!(error.contains("the name `token` is taken") && error.contains("--name token-2"));
    kempe.ok("deploy token.wasm --name coin --owner bob");
    assert_eq!(kempe.ok("call coin owner"), "alice\n".replace("alice", "bob"));

    let held =
        Chain::open(&kempe.home.path().join("kempe-chain"), ChainOptions::default()).unwrap();
    let error = kempe.fails(1, "block");
    assert!(error.contains("in use by another process"), "{error}");
    assert!(error.contains("help: another kempe uses this chain"), "{error}");
    drop(held);
    assert_eq!(kempe.json("block")["height"], 3);
    let findings = kempe.json("doctor");
    let broken = |found: &&Value| found["status"] == "broken";
    assert!(findings.as_array().unwrap().iter().find(broken).is_none(), "{findings}");
    kempe.write("kempe-chain/names.json", r#"{"token":"0x00"}"#);
    assert_eq!(kempe.run("doctor").code, 1);
}

#[test]
fn a_damaged_chain_is_repaired_from_its_blocks() {
    let kempe = Kempe::with_token();
    let dir = kempe.home.path().join("kempe-chain");
    let state = kempe.ok("state token");
    assert!(kempe.ok("doctor --repair").contains("the chain's store is whole"));
    assert!(kempe.run("doctor --truncate-to 1").stderr.contains("--repair"));

    fs::remove_file(dir.join("store/manifest")).unwrap();
    let error = kempe.fails(1, "block");
    assert!(error.contains("help: `kempe doctor --repair`"), "{error}");
    let repaired = kempe.ok("doctor --repair");
    assert!(repaired.contains("executed up to block 2 again"), "{repaired}");
    assert!(dir.join("store.damaged-1/blocks").exists());
    assert_eq!(kempe.ok("state token"), state);

    let log = dir.join("store/blocks/00000000.log");
    let mut bytes = fs::read(&log).unwrap();
    // The last 64 bytes are the mark of the end, and before them is the body of block 2.
    let at = bytes.len() - 64 - 128;
    bytes[at] ^= 1;
    fs::write(&log, &bytes).unwrap();
    fs::remove_file(dir.join("store/names")).unwrap();
    let ended = kempe.run("doctor --repair");
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains("block 2 cannot be recovered"), "{}", ended.stdout);
    assert!(ended.stdout.contains("`kempe doctor --repair --truncate-to 1`"), "{}", ended.stdout);
    assert_eq!(fs::read(&log).unwrap(), bytes);
    assert_eq!(kempe.run("doctor --repair --truncate-to 0").code, 1);
    kempe.ok("doctor --repair --truncate-to 1");
    assert_eq!(kempe.json("block")["height"], 1);
    assert_eq!(fs::read(dir.join("store.damaged-2/blocks/00000000.log")).unwrap(), bytes);

    kempe.write("kempe-chain/names.json", "{\"token\": ");
    let repaired = kempe.ok("doctor --repair");
    assert!(repaired.contains("cannot be recovered; what was there is in"), "{repaired}");
    assert_eq!(fs::read(dir.join("names.json.damaged-1")).unwrap(), b"{\"token\": ");
    let address = repaired.split("The contracts: ").nth(1).unwrap().lines().next().unwrap();
    assert_eq!(kempe.ok(&format!("call {address} owner")), "alice\n");
}

#[test]
fn other_chains_sign_with_stored_keys() {
    let kempe = Kempe::new();
    let password = [("KEMPE_PASSWORD", "correct horse")];
    let address = kempe.run_with("keys new zoe", &password).stdout;
    let genesis = format!(
        "chain_id = 9\n[prices]\ngas = 1\n[[accounts]]\nname = \"treasury\"\naddress = \"{}\"\n\
         balance = 1000000000\n",
        address.trim()
    );
    kempe.write("genesis.toml", genesis);
    kempe.ok("init --genesis genesis.toml");
    let deploy = "deploy token.wasm --owner zoe --from zoe";
    assert_eq!(kempe.run_with(deploy, &[("KEMPE_PASSWORD", "wrong")]).code, 1);
    let ended = kempe.run_with(&format!("{deploy} --json"), &password);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let deployed: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_ne!(deployed["fee"], "0");
    // A view needs no key, and whoever has none cannot sign.
    assert_eq!(kempe.ok("call token total_supply"), "0\n");
    let error = kempe.fails(2, "call token burn --amount 1");
    assert!(error.contains("help: name a key of `kempe keys list` with --from"), "{error}");
    kempe.write("bad.toml", "chain_id = \"x\"");
    assert_eq!(kempe.run("init --dir other --genesis bad.toml").code, 1);
    assert!(!kempe.home.path().join("other").exists());
}

/// A module with these methods, each with a template and a result.
fn vault(methods: &[(&'static str, &'static [ClauseDef], u32)]) -> String {
    const FIELDS: &[FieldDef] = &[FieldDef {
        name: "cells",
        doc: "",
        cell: CellDef::Value,
        keys: &[u64::TYPE],
        value: u64::TYPE,
    }];
    const PARAMS: &[(&str, &TypeDef)] = &[("slot", u64::TYPE)];
    let (mut defs, mut functions) = (Vec::new(), String::new());
    for &(name, access, code) in methods {
        let kind = if name == "migrate" { MethodKindDef::Migrate } else { MethodKindDef::Call };
        let returns = <()>::TYPE;
        defs.push(MethodDef { name, doc: "", kind, params: PARAMS, returns, error: None, access });
        functions +=
            &format!(r#"(func (export "call.{name}") (param i32) (result i32) i32.const {code})"#);
    }
    let (methods, interfaces) = (&*defs.leak(), &[]);
    let def = ContractDef { name: "Vault", doc: "", fields: FIELDS, methods, interfaces };
    let abi = section::contract_to_vec(&def);
    let abi: String = abi.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!(r#"(module (memory (export "memory") 1 1) {functions} (@custom "kempe.abi" "{abi}"))"#)
}

const fn touch(kind: AccessKind) -> ClauseDef {
    ClauseDef::Touch { kind, field: 0, key: &[ExprDef::Param(0)] }
}
const READS: &[ClauseDef] = &[touch(AccessKind::Read)];
const WRITES: &[ClauseDef] = &[touch(AccessKind::Write)];

#[test]
fn what_the_linter_finds_is_shown_and_may_be_denied() {
    let kempe = Kempe::new();
    // Both declare a cell that their code does not touch.
    kempe.write("idle.wat", vault(&[("idle", WRITES, 0), ("look", READS, 0), ("rest", &[], 0)]));
    let found = [("over-declared", "idle", "cells"), ("over-declared", "look", "cells")];

    assert!(!kempe.ok("check idle.wat").contains("lint"), "nobody asked");
    assert_eq!(kempe.json("check idle.wat")["lints"], Value::Null);
    let text = kempe.ok("check idle.wat --lint");
    for (rule, method, field) in found {
        let words = [rule, method, field];
        let line = text.lines().find(|line| line.split_whitespace().take(3).eq(words));
        assert!(line.is_some(), "{text}");
    }
    assert_eq!(text.matches("  #[access()]").count(), 2, "{text}");
    let report = kempe.json("check idle.wat --lint");
    let rows = report["lints"].as_array().unwrap();
    assert_eq!(rows.len(), found.len(), "{report}");
    for (row, (rule, method, field)) in rows.iter().zip(found) {
        assert_eq!((&row["rule"], &row["method"]), (&json!(rule), &json!(method)));
        assert_eq!((&row["field"], &row["fix"]), (&json!(field), &json!(["#[access()]"])));
        assert!(row["explanation"].as_str().unwrap().contains("`cells"), "{row}");
    }

    // Denied, the same is shown, and the command fails.
    let denied = kempe.run("check idle.wat --deny-lints");
    assert_eq!((denied.code, &denied.stdout), (1, &text));
    assert!(
        denied.stderr.starts_with("error: 2 findings of the linter\nhelp: "),
        "{}",
        denied.stderr
    );
    let denied = kempe.run("check idle.wat --deny-lints --json");
    assert_eq!(denied.code, 1);
    assert_eq!(serde_json::from_str::<Value>(&denied.stdout).unwrap(), report);
    let error: Value = serde_json::from_str(&denied.stderr).unwrap();
    assert!(error.to_string().contains("2 findings of the linter"), "{error}");

    assert!(kempe.ok("check token.wasm --deny-lints").ends_with("lint: nothing found\n"));
    assert_eq!(kempe.json("check token.wasm --deny-lints")["lints"], json!([]));
    kempe.write("bad.wat", "(module)");
    assert_eq!(kempe.run("check bad.wat --deny-lints").code, 1);
}

#[test]
fn an_upgrade_shows_what_changes_and_refuses_more() {
    let kempe = Kempe::new();
    kempe.ok("init");
    kempe.write("v1.wat", vault(&[("keep", READS, 0), ("trim", WRITES, 0), ("drop", READS, 0)]));
    kempe.write("v2.wat", vault(&[("keep", READS, 0), ("trim", READS, 101), ("add", WRITES, 0)]));
    kempe.write("v3.wat", vault(&[("keep", WRITES, 0), ("trim", READS, 0), ("migrate", READS, 0)]));
    kempe.ok("deploy v1.wat --upgradable-by bob");
    kempe.ok("deploy v1.wat --name fixed");

    let shown = kempe.ok("upgrade vault v2.wat --dry-run");
    let lines = "\
equal      keep
narrower   trim
         - trim(slot: u64)
         - write(cells[slot])
         + trim(slot: u64)
         + read(cells[slot])
new        add
         + add(slot: u64)
         + write(cells[slot])
removed    drop
         - drop(slot: u64)
         - read(cells[slot])
code       0x";
    assert!(shown.starts_with(lines) && shown.contains("authority  bob\nterms      0x"), "{shown}");
    // Contract, code, no arguments, not wider, no authority.
    let terms = &kempe.json("upgrade vault v2.wat --final --dry-run")["terms"];
    let bytes = |field: &str| hex::decode(&terms[field].as_str().unwrap()[2..]).unwrap();
    let encoded = [bytes("contract"), bytes("code"), vec![0; 4], vec![0, 0]].concat();
    assert_eq!(bytes("hash"), blake3::hash(&encoded).as_bytes(), "{terms}");
    assert_eq!(kempe.run("call vault trim --slot 1").code, 0, "nothing has changed");
    for (contract, from) in [("vault", "alice"), ("fixed", "alice")] {
        assert_eq!(kempe.run(&format!("upgrade {contract} v2.wat --from {from}")).code, 3);
    }
    let upgraded = kempe.json("upgrade vault v2.wat --from bob");
    let changes: Vec<_> = upgraded["methods"].as_array().unwrap().iter().collect();
    assert_eq!((changes.len(), &changes[1]["change"]), (4, &json!("narrower")));
    assert_eq!(upgraded["outcome"]["status"], "ok", "{upgraded}");
    assert_eq!(kempe.run("call vault trim --slot 1").code, 3, "the new code runs");

    let error = kempe.fails(1, "upgrade vault v3.wat --from bob --slot 1");
    assert!(error.contains("calls of `keep` may touch more") && error.contains("--allow-wider"));
    assert!(error.contains("wider      keep"), "{error}");
    let usage = kempe.fails(2, "upgrade vault v3.wat --from bob --allow-wider");
    assert!(usage.contains("slot"), "{usage}");
    assert!(kempe.ok("upgrade vault v3.wat -- --help").starts_with("migrate(slot: u64)"));
    kempe.ok("upgrade vault v3.wat --from bob --allow-wider --final --slot 1");
    assert_eq!(kempe.run("upgrade vault v2.wat --from bob --allow-wider").code, 3);
    assert!(kempe.ok("replay").contains("blocks"));
}
