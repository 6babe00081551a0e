//! `kempe bindings` as a process.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use kempe_cli::bindings;

use crate::{abi_of, scratch};

fn kempe(dir: &Path, words: &str) -> (i32, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_kempe"))
        .args(words.split(' '))
        .current_dir(dir)
        .output()
        .unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
    (status.code().unwrap(), stdout, stderr)
}

#[test]
fn the_command_writes_what_the_library_makes() {
    let dir = scratch("command");
    fs::write(dir.join("token.wasm"), kempe_contracts::TOKEN).unwrap();
    fs::write(dir.join("pool.wasm"), kempe_contracts::POOL).unwrap();
    let abis = [abi_of(kempe_contracts::TOKEN), abi_of(kempe_contracts::POOL)];
    let source = bindings::rust(&abis[0]).unwrap();
    assert_eq!(kempe(&dir, "bindings rust token.wasm"), (0, source, String::new()));

    // The second time over the files of the first.
    for _ in 0..2 {
        let ended = kempe(&dir, "bindings typescript token.wasm pool.wasm --out a/client");
        assert_eq!(ended, (0, "a/client\n".into(), String::new()));
    }
    let files = bindings::typescript(&abis).unwrap();
    assert_eq!(fs::read_dir(dir.join("a/client")).unwrap().count(), files.len());
    for file in files {
        let written = fs::read_to_string(dir.join("a/client").join(&file.name)).unwrap();
        assert_eq!(written, file.contents, "{}", file.name);
    }

    // A module that the package no longer has goes; what somebody else put there stays.
    fs::write(dir.join("a/client/mine.js"), "// A client of the contract `Mine`.\n").unwrap();
    let (code, stdout, stderr) = kempe(&dir, "bindings typescript token.wasm --out a/client");
    assert_eq!((code, &*stdout), (0, "a/client\n"), "{stderr}");
    for gone in ["pool.d.ts", "pool.js"] {
        let said = format!("a/client/{gone} is of no contract named now, and removed\n");
        assert!(stderr.contains(&said) && !dir.join("a/client").join(gone).exists(), "{stderr}");
    }
    assert!(dir.join("a/client/mine.js").exists() && dir.join("a/client/token.js").exists());
}

#[test]
fn nothing_is_written_over_or_made_of_what_a_chain_would_refuse() {
    let dir = scratch("command-refused");
    fs::write(dir.join("token.wasm"), kempe_contracts::TOKEN).unwrap();
    fs::write(dir.join("bad.wasm"), b"\0asm\x01\0\0\0").unwrap();
    let (code, stdout, stderr) = kempe(&dir, "bindings typescript token.wasm --out .");
    assert_eq!((code, &*stdout), (1, ""));
    assert!(stderr.contains("is there already") && stderr.contains("--out"), "{stderr}");
    for words in ["bindings rust bad.wasm", "bindings typescript token.wasm bad.wasm --out new"] {
        let (code, stdout, stderr) = kempe(&dir, words);
        assert_eq!((code, &*stdout), (1, ""), "{stderr}");
        assert!(stderr.contains("bad.wasm would be refused"), "{stderr}");
    }
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 2);
}

/// A name that is taken says nothing about who wrote the file.
#[test]
fn a_file_of_somebody_elses_is_never_written_over() {
    let dir = scratch("command-others");
    fs::write(dir.join("token.wasm"), kempe_contracts::TOKEN).unwrap();
    let own = "{\n  \"name\": \"my-site\"\n}\n";
    fs::create_dir(dir.join("site")).unwrap();
    fs::write(dir.join("site/package.json"), own).unwrap();
    fs::write(dir.join("site/kempe.js"), "").unwrap();
    let refused = |out: &str, what: &str| {
        let (code, stdout, stderr) =
            kempe(&dir, &format!("bindings typescript token.wasm --out {out}"));
        assert_eq!((code, &*stdout), (1, ""), "{stderr}");
        let said = format!("error: {what} is there already, and is no package of ours\n");
        assert!(stderr.starts_with(&said), "{stderr}");
    };
    refused("site", "site/kempe.js");
    assert_eq!(kempe(&dir, "bindings typescript token.wasm --out client").0, 0);
    fs::copy(dir.join("client/kempe.js"), dir.join("site/kempe.js")).unwrap();
    refused("site", "site/package.json");
    assert_eq!(fs::read_to_string(dir.join("site/package.json")).unwrap(), own);
    assert_eq!(fs::read_dir(dir.join("site")).unwrap().count(), 2);

    fs::write(dir.join("client/token.js"), "// Mine.\n").unwrap();
    refused("client", "client/token.js");
    fs::remove_file(dir.join("client/token.js")).unwrap();
    assert_eq!(kempe(&dir, "bindings typescript token.wasm --out client").0, 0);
    // Nobody reads from the pipe, so that opening it would never end.
    #[cfg(target_os = "linux")]
    {
        fs::remove_file(dir.join("client/token.js")).unwrap();
        let made = Command::new("mkfifo").arg(dir.join("client/token.js")).status().unwrap();
        assert!(made.success());
        refused("client", "client/token.js");
    }
}
