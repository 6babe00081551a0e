//! A chain whose files were damaged, and its repair.

use std::fs;

use super::Kempe;

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
