//! The clients in TypeScript: node comes to the same bytes, hashes and signatures.

use std::fs;
use std::path::Path;
use std::process::Command;

use kempe_abi::Abi;
use kempe_cli::bindings::{File, typescript};

use kempe_runtime::types::contract_address;

use crate::clients::{FUEL, World};
use crate::token::Token;
use crate::{abi_of, scratch, shapes_abi, vectors};

fn write(dir: &Path, files: &[File]) {
    files.iter().for_each(|file| fs::write(dir.join(&file.name), &file.contents).unwrap());
}

/// Runs a program on files; one that is not installed is said to be skipped.
#[expect(clippy::print_stderr, reason = "so that nobody takes a skipped test for one that ran")]
fn run(program: &str, args: &[&str], dir: &Path) {
    match Command::new(program).args(args).current_dir(dir).output() {
        Ok(output) => {
            let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
            assert!(output.status.success(), "{program}: {}", text.concat());
        }
        Err(error) => eprintln!("skipped: {program} does not start: {error}"),
    }
}

const CHECK: &str = include_str!("check.mjs");
const USAGE: &str = include_str!("usage.ts");
const GUIDE: &str = include_str!("../../../docs/src/bindings.md");
const VECTORS: &str = include_str!("vectors.json");

#[test]
fn node_makes_the_committed_vectors() {
    let dir = scratch("node-protocol");
    write(&dir, &typescript(&[shapes_abi::abi()]).unwrap());
    fs::write(dir.join("check.mjs"), CHECK).unwrap();
    fs::write(dir.join("vectors.json"), VECTORS).unwrap();
    run("node", &["check.mjs"], &dir);
}

fn shipped() -> Vec<Abi> {
    kempe_contracts::ALL.iter().map(|(_, wasm)| abi_of(wasm)).collect()
}

#[test]
fn node_calls_every_method_of_every_shipped_contract() {
    let dir = scratch("node-shipped");
    let abis = shipped();
    write(&dir, &typescript(&abis).unwrap());
    fs::write(dir.join("check.mjs"), CHECK).unwrap();
    let contracts = abis.iter().zip(0..).map(|(abi, seed)| vectors::contract(abi, 3, seed));
    let vectors = serde_json::json!({
        "hashes": [], "transactions": [], "receipts": [], "contracts": contracts.collect::<Vec<_>>(),
    });
    fs::write(dir.join("vectors.json"), vectors.to_string()).unwrap();
    run("node", &["check.mjs"], &dir);
}

#[test]
fn the_declarations_have_the_types_that_usage_expects() {
    let dir = scratch("node-types");
    let mut abis = shipped();
    abis.push(shapes_abi::abi());
    write(&dir, &typescript(&abis).unwrap());
    fs::write(dir.join("usage.ts"), USAGE).unwrap();
    let mut args =
        vec!["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "usage.ts"];
    let modules: Vec<String> =
        abis.iter().map(|abi| format!("{}.d.ts", abi.name.to_ascii_lowercase())).collect();
    args.extend(modules.iter().map(|module| &**module));
    run("tsc", &args, &dir);
}

/// The example of the guide makes the transaction that the runtime makes, and reads its receipt.
#[test]
fn the_guide_runs() {
    let (_, rest) = GUIDE.split_once("```ts\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let mut world = World::new();
    world.send(vec![Token::deploy(kempe_contracts::TOKEN.to_vec(), None, world.sender)], FUEL);
    let token = Token::at(contract_address(7, &world.sender, 0, 0));
    let actions = vec![token.mint(world.sender, 100).into(), token.balance(world.sender).into()];
    let receipt = world.send(actions, 10_000_000);
    let record = world.chain.block(2).unwrap().unwrap();
    let signed = &record.block.transactions[0];

    let dir = scratch("node-guide");
    write(&dir, &typescript(&[abi_of(kempe_contracts::TOKEN)]).unwrap());
    fs::write(dir.join("example.js"), example).unwrap();
    let check = format!(
        "import assert from 'node:assert/strict';
         import {{ bytes, hash, report }} from './example.js';
         import {{ fromHex, toHex }} from './kempe.js';
         assert.equal(toHex(bytes), '{}');
         assert.equal(hash, '{}');
         assert.equal(report(fromHex('{}')), '100 minted, 100 in all');",
        vectors::to_hex(signed),
        signed.transaction.hash(),
        vectors::to_hex(&receipt),
    );
    fs::write(dir.join("check.mjs"), check).unwrap();
    run("node", &["check.mjs"], &dir);
}

#[test]
fn the_guide_shows_rust_that_runs() {
    let (_, rest) = GUIDE.split_once("```rust,ignore\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let clients = include_str!("clients.rs");
    example.lines().for_each(|line| assert!(clients.contains(line), "{line}"));
}
