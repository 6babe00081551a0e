//! Calls, what is shown of them, and whose chain it is.

use kempe_runtime::chain::{Chain, ChainOptions};
use serde_json::{Value, json};

use super::{Kempe, redacted};

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
        entry("add", "token.balances[carol]", &["add"]),
    ]);
    assert_eq!(explained["list"], list);
    insta::assert_snapshot!("tx", redacted(&kempe.ok("tx 3:0")));
    insta::assert_snapshot!("block", redacted(&kempe.ok("block")));
    insta::assert_snapshot!("events", kempe.ok("events --contract token"));
    assert_eq!(kempe.json("events --name Mint").as_array().unwrap().len(), 1);
    let error = kempe.fails(1, "explain 3:1");
    assert!(error.contains("block 3 has 1 transaction, none at position 1"), "{error}");
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
    // There is no simulating a deployment.
    let ended = kempe.run("deploy token.wasm --name second --owner alice --fuel 120000");
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(ended.stderr.contains("\nhelp: nothing but the sender's nonce"), "{}", ended.stderr);
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
    assert!(help.contains("touches  add(balances[to])"), "{help}");
    assert!(help.contains("kempe call token transfer --to alice --amount 100"), "{help}");
    assert_eq!(kempe.json("block")["height"], 2, "nothing of this made a block");
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
fn a_log_is_shown_and_its_items_are_proven() {
    let kempe = Kempe::with_token();
    kempe.write("asset.wasm", kempe_contracts::ASSET);
    kempe.ok("deploy asset.wasm --owner alice");
    // Two lines, that alice has all roles and the ownership.
    let trail = |index: u8| kempe.ok(&format!("call asset registered --index {index}"));
    let trails = [trail(0), trail(1)];
    assert!(trails[0].starts_with("0x") && trails[0] != trails[1], "{trails:?}");
    assert_eq!(kempe.ok("state asset register 0"), trails[0]);
    let all = kempe.ok("state asset register");
    let items = format!("asset.register[0] = {}asset.register[1] = {}", trails[0], trails[1]);
    assert_eq!(all, format!("asset.register = 2\n{items}"));
    let json = kempe.json("state asset register 1");
    assert_eq!(json["value"], trails[1].trim_end());

    kempe.write("item.json", kempe.ok("state asset register 1 --proof"));
    let verified = kempe.ok("state --verify item.json");
    assert!(verified.ends_with(&format!("asset.register[1] = {}", trails[1])), "{verified}");
    // Behind the last item there is none, and that can be proven, too.
    assert_eq!(kempe.ok("state asset register 2"), "");
    kempe.write("none.json", kempe.ok("state asset register 2 --proof"));
    assert!(kempe.ok("state --verify none.json").ends_with("asset.register[2] = no value\n"));
    let error = kempe.fails(2, "state asset register 1 1");
    assert!(
        error.contains("`register` has 0 keys () and the index of an item, 2 are given"),
        "{error}"
    );
    assert!(kempe.fails(2, "state asset register first").contains("expected u64"));
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
