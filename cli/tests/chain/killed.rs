//! The command, killed in the middle: nothing that it said is lost, and what it did not say is found.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Kempe;

/// How often each command is killed. `KEMPE_CRASHES` is the number in the long form.
fn n_kills(short: u32) -> u32 {
    std::env::var("KEMPE_CRASHES").map_or(short, |text| text.parse().unwrap())
}

/// Kills the command after a while; what it has printed.
fn killed(kempe: &Kempe, words: &str, after: Duration) -> String {
    let mut command = kempe.command(words);
    let start = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // A pause could be much longer than it says, on a machine with others.
    while start.elapsed() < after && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// How long a command takes that is not killed.
fn time(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

/// The named contracts, and the addresses of those that `kempe doctor` finds without a name.
fn contracts(kempe: &Kempe) -> (BTreeSet<String>, BTreeSet<String>) {
    let findings = kempe.json("doctor");
    let findings = findings.as_array().unwrap();
    assert!(findings.iter().all(|found| found["status"] != "broken"), "{findings:?}");
    let names = findings.iter().find(|found| found["what"] == "names").unwrap();
    let said = names["detail"].as_str().unwrap();
    let unnamed = said.strip_prefix("contracts without a name: ").unwrap_or_default();
    let unnamed = unnamed.split(", ").filter(|address| !address.is_empty());
    let file = std::fs::read(kempe.home.path().join("kempe-chain/names.json")).unwrap();
    let file: Value = serde_json::from_slice(&file).unwrap();
    let named =
        file.as_object().unwrap().iter().filter(|(name, _)| name.starts_with(char::is_alphabetic));
    let named = named.map(|(_, address)| address.as_str().unwrap().to_owned());
    (named.collect(), unnamed.map(str::to_owned).collect())
}

#[test]
fn a_deployment_that_is_killed_is_there_or_not() {
    let kempe = Kempe::with_token();
    let whole = time(|| drop(kempe.ok("deploy token.wasm --owner alice --name first")));
    let n_kills = n_kills(8);
    for kill in 0..n_kills {
        let name = format!("coin-{kill}");
        // From the start to somewhat behind the end.
        let after = whole * (kill + 1) / n_kills * 5 / 4;
        let said = killed(&kempe, &format!("deploy token.wasm --owner alice --name {name}"), after);
        // Block 1 deploys the token, block 2 is a call of it, all others deploy.
        let height = kempe.json("block")["height"].as_u64().unwrap();
        let (named, unnamed) = contracts(&kempe);
        assert_eq!((named.len() + unnamed.len()) as u64, height - 1, "{named:?} {unnamed:?}");
        if let Some(address) =
            said.strip_prefix(&format!("{name} ")).and_then(|rest| rest.lines().next())
        {
            assert!(named.contains(address), "{said} is lost");
        }
        for address in &unnamed {
            assert_eq!(kempe.ok(&format!("call {address} owner")), "alice\n");
        }
    }
    assert_eq!(kempe.ok("call first owner"), "alice\n");
}

#[test]
fn a_run_that_is_killed_leaves_whole_blocks() {
    const N_CALLS: u16 = 40;
    let kempe = Kempe::with_token();
    let call = r#"{"from":"bob","contract":"token","method":"transfer","args":["carol",1]}"#;
    kempe.write("calls.jsonl", format!("{call}\n").repeat(N_CALLS.into()));
    let n_calls = u64::from(N_CALLS);
    let words = "run calls.jsonl --block-size 1 --threads 1 --no-oracle";
    let start = kempe.json("block")["height"].as_u64().unwrap();
    let whole = time(|| drop(kempe.ok(words)));
    let mut height = kempe.json("block")["height"].as_u64().unwrap();
    assert_eq!(height, start + n_calls);
    let n_kills = n_kills(4);
    let mut n_partly = 0;
    for kill in 0..n_kills {
        let said = killed(&kempe, words, whole * (kill + 1) / n_kills * 9 / 8);
        let now = kempe.json("block")["height"].as_u64().unwrap();
        assert!((height..=height + n_calls).contains(&now), "{height} was there, {now} is");
        assert!(said.is_empty() || now == height + n_calls, "{said}");
        n_partly += u32::from((height + 1..height + n_calls).contains(&now));
        height = now;
        // Each block is one call: whoever has what bob had knows how many there were.
        let (named, unnamed) = contracts(&kempe);
        assert_eq!((named.len(), unnamed.len()), (1, 0));
        let balance = kempe.ok("call token balance --of carol");
        let expected = (height - start).min(100);
        assert_eq!(balance.trim(), expected.to_string());
    }
    println!("{n_partly} of {n_kills} were killed between two blocks");
    kempe.ok("replay --threads 1");
}
