//! A chain whose files were damaged, and its repair.

use std::fs;

use serde_json::Value;

use super::Kempe;

/// What is said of contracts that have no name.
#[track_caller]
fn unnamed(said: &str) -> &str {
    said.split("contracts without a name: ").nth(1).unwrap().lines().next().unwrap()
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
    let address = unnamed(&repaired).to_owned();
    assert_eq!(kempe.ok(&format!("call {address} owner")), "alice\n");
    // So they are where there is no file at all.
    for words in ["doctor --repair", "doctor"] {
        assert_eq!(unnamed(&kempe.ok(words)), address);
    }
    // Nothing tells that what somebody writes is what was meant, so it is shown.
    kempe.write("kempe-chain/names.json", format!("{{\"token\": \"{address}\"}}"));
    let ended = kempe.run("doctor");
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains("kempe-chain/names.json has no checksum"), "{}", ended.stdout);
    let repaired = kempe.ok("doctor --repair");
    let taken = format!("took the names in kempe-chain/names.json: token {address}\n");
    assert!(repaired.contains(&taken), "{repaired}");
    assert!(repaired.contains("names       1 contract\n"), "{repaired}");
    assert!(kempe.ok("doctor --repair").contains("the chain's store is whole"));
}

/// The chain knows no names, so a digit that became another one would be somebody else's.
#[test]
fn a_name_that_became_another_one_is_not_served() {
    let kempe = Kempe::with_token();
    let file = kempe.home.path().join("kempe-chain/names.json");
    let whole = fs::read_to_string(&file).unwrap();
    for (from, to) in [("token", "tokem"), ("\"token\": \"0x", "\"token\": \"0xf")] {
        let mut changed = whole.replace(from, to);
        if to.ends_with('f') {
            // The last digit, so that it stays an address.
            let at = changed.rfind('"').unwrap() - 1;
            changed.remove(at);
        }
        fs::write(&file, &changed).unwrap();
        let error = kempe.fails(1, "call token owner");
        let said = "error: kempe-chain/names.json is not what was written";
        assert!(error.starts_with(said), "{error}");
        assert!(
            error.contains("help: if somebody has edited it, `kempe doctor --repair`"),
            "{error}"
        );
    }
    // Where there is no contract, the repair takes nothing.
    let repaired = kempe.run("doctor --repair");
    assert_eq!(repaired.code, 1);
    assert!(repaired.stdout.contains("where there is no contract"), "{}", repaired.stdout);
    fs::write(&file, &whole).unwrap();
    assert_eq!(kempe.ok("call token owner"), "alice\n");
}

#[test]
fn a_damaged_key_is_named_by_whoever_needs_it() {
    let kempe = Kempe::with_token();
    let password = [("KEMPE_PASSWORD", "correct horse")];
    assert_eq!(kempe.run_with("keys new zoe", &password).code, 0);
    let file = kempe.home.path().join("keys/zoe.json");
    let whole = fs::read_to_string(&file).unwrap();
    let said = format!("{} is not a key file", file.display());
    for damaged in
        [whole.replacen("0x", "0xf", 1), whole.replacen("\"salt\": \"", "\"salt\": \"a", 1)]
    {
        fs::write(&file, damaged).unwrap();
        let error = kempe.fails(1, "deploy token.wasm --owner alice --name coin --from zoe");
        assert!(error.contains(&said), "{error}");
        let error = kempe.fails(1, "keys show zoe");
        assert!(error.contains(&said), "{error}");
        let ended = kempe.run("doctor");
        assert_eq!(ended.code, 1);
        let line = ended.stdout.lines().find(|line| line.starts_with("broken  keys")).unwrap();
        assert!(line.contains(&said), "{line}");
        let listed = kempe.run("keys list");
        assert_eq!((listed.code, &*listed.stdout), (0, ""));
        assert!(listed.stderr.contains(&said), "{}", listed.stderr);
    }
    fs::write(&file, whole).unwrap();
    assert!(kempe.ok("keys list").starts_with("zoe"));
}

/// It is written by hand where it was lost, and who gives somebody a chain writes it, too.
#[test]
fn a_file_of_names_says_one_thing_and_no_more() {
    let kempe = Kempe::with_token();
    let file = "kempe-chain/names.json";
    let names: Value =
        serde_json::from_slice(&fs::read(kempe.home.path().join(file)).unwrap()).unwrap();
    let token = names["token"].as_str().unwrap();
    let digits = "a".repeat(64);
    for (name, said) in [
        ("token", "`token` is given twice at line 1 column"),
        ("", "`` is not a name"),
        ("a b", "`a b` is not a name"),
        ("b\\n\\u001b[2J\\u202e", "`b\\n\\u{1b}[2J\\u{202e}` is not a name"),
        (&digits, &format!("`{digits}` is not a name")),
        (token, &format!("`{token}` is not a name")),
    ] {
        kempe.write(file, format!("{{\"token\": \"{token}\", \"{name}\": \"{token}\"}}"));
        let error = kempe.fails(1, "state");
        assert!(
            error.starts_with("error: kempe-chain/names.json is not a file of names"),
            "{error}"
        );
        assert!(error.contains(said), "{error}");
    }
    kempe.write(file, format!("{{\"USD-coin_2\": \"{token}\"}}"));
    assert!(kempe.fails(1, "state").contains("kempe-chain/names.json has no checksum"));
    kempe.ok("doctor --repair");
    assert_eq!(kempe.ok("call USD-coin_2 owner"), "alice\n");
    let error = kempe.fails(2, &format!("deploy token.wasm --owner alice --name {digits}"));
    assert!(error.contains("is not a name for a contract"), "{error}");
}
