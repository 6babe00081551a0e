//! The command as a process: what it prints, where, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use kempe_cli::keystore::address_of;
use kempe_cli::session::development_key;
use kempe_runtime::chain::{Chain, ChainOptions};
use tempfile::TempDir;

const PASSWORD: &str = "correct horse";

/// The secret and public key of the first test vector. Source: RFC 8032, section 7.1.
const SECRET: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
/// Its signature of the blake3 hash of the empty message, made by OpenSSL.
const SIGNATURE: &str = "0xa4b4a4b661bc57e570c061bd31c2a72f7677e348f064f7133b8716af5b5ac82d3110ce4defc27926096f7ceb62bf05199d05382525084c83c8dafdc2cd3d4905";
const ADDRESS: &str = "0xd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

struct Kempe {
    home: TempDir,
}

struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Kempe {
    fn new() -> Self {
        Self { home: TempDir::new().unwrap() }
    }

    fn run(&self, args: &[&str], stdin: &str) -> Ended {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kempe"))
            .args(args)
            .current_dir(self.home.path())
            .env("KEMPE_HOME", self.home.path())
            .env_remove("KEMPE_PASSWORD")
            .env_remove("NO_COLOR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read its input may be gone by now.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        Ended {
            code: status.code().unwrap(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }

    fn ok(&self, args: &[&str], stdin: &str) -> String {
        let ended = self.run(args, stdin);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        ended.stdout
    }

    fn fails(&self, code: i32, args: &[&str], stdin: &str) -> String {
        let ended = self.run(args, stdin);
        assert_eq!((ended.code, &*ended.stdout), (code, ""), "{}", ended.stderr);
        ended.stderr
    }

    fn import(&self, name: &str) -> String {
        let stdin = format!("{PASSWORD}\n{SECRET}\n");
        self.ok(&["keys", "import", name, "--password-stdin"], &stdin)
    }

    fn key_file(&self) -> std::path::PathBuf {
        self.home.path().join("keys/alice.json")
    }
}

#[test]
fn a_key_is_stored_shown_exported_and_removed() {
    let kempe = Kempe::new();
    assert_eq!(kempe.import("alice"), format!("{ADDRESS}\n"));
    assert_eq!(kempe.ok(&["keys", "show", "alice"], ""), format!("{ADDRESS}\n"));
    assert_eq!(kempe.ok(&["keys", "list"], ""), format!("alice  {ADDRESS}\n"));
    let json: serde_json::Value =
        serde_json::from_str(&kempe.ok(&["--json", "keys", "list"], "")).unwrap();
    assert_eq!(json, serde_json::json!([{ "name": "alice", "address": ADDRESS }]));

    let export = ["keys", "export", "alice", "--reveal-secret", "--password-stdin"];
    assert_eq!(kempe.ok(&export, PASSWORD), format!("{SECRET}\n"));
    kempe.fails(2, &["keys", "export", "alice", "--password-stdin"], PASSWORD);

    let sign = |message| ["keys", "sign", "alice", message, "--password-stdin"];
    assert_eq!(kempe.ok(&sign("0x"), PASSWORD), format!("{SIGNATURE}\n"));
    kempe.fails(2, &sign("0x6f7"), PASSWORD);

    let stored = fs::read_to_string(kempe.key_file()).unwrap();
    assert!(!stored.contains(SECRET) && !stored.contains(PASSWORD), "{stored}");

    let error = kempe.fails(2, &["keys", "remove", "alice"], "");
    assert!(error.contains("help: add --yes"), "{error}");
    kempe.ok(&["keys", "remove", "alice", "--yes"], "");
    assert_eq!(kempe.ok(&["keys", "list"], ""), "");
}

#[test]
fn development_accounts_sign_and_come_before_keys_of_their_name() {
    let kempe = Kempe::new();
    let show = |who| kempe.run(&["keys", "show", who], "");
    let sign =
        |who| kempe.run(&["keys", "sign", who, "0x6f7261636c65", "--password-stdin"], PASSWORD);
    let new = |name| kempe.run(&["keys", "new", name, "--password-stdin"], PASSWORD);
    assert_eq!(sign("alice").code, 1, "there is no chain");
    kempe.ok(&["init"], "");
    let key = development_key("alice");
    let alice = format!("{}\n", address_of(&key));
    let signature = key.sign(blake3::hash(b"oracle").as_bytes()).to_bytes();
    let signature = format!("0x{}\n", hex::encode(signature));
    // No password is asked for.
    let signed = kempe.ok(&["keys", "sign", "alice", "0x6f7261636c65"], "");
    assert_eq!((signed, sign(alice.trim()).stdout), (signature.clone(), signature.clone()));
    assert_eq!((show("alice").stdout, show("alice").stderr), (alice.clone(), String::new()));
    kempe.ok(&["keys", "sign", "alice", "0x", "--dir", "kempe-chain"], "");
    kempe.fails(1, &["keys", "sign", "alice", "0x", "--dir", "elsewhere"], "");

    // A key of the same name is possible: the keys are for all chains. What the name means is said.
    let made = new("alice");
    assert!(
        made.stderr.contains("the chain in kempe-chain has another `alice`"),
        "{}",
        made.stderr
    );
    assert!(made.code == 0 && made.stdout != alice, "{}", made.stdout);
    let shown = show("alice");
    assert_eq!(shown.stdout, alice);
    let other = format!("the key called `alice` is {}", made.stdout);
    assert!(shown.stderr.ends_with(&other), "{}", shown.stderr);
    assert_eq!(sign("alice").stdout, signature);
    let own = sign(made.stdout.trim());
    assert!(own.code == 0 && own.stdout != signature && own.stderr.is_empty(), "{}", own.stderr);
    assert_eq!(show(made.stdout.trim()).stdout, made.stdout);
    assert_eq!(kempe.ok(&["keys", "show", "alice", "--dir", "elsewhere"], ""), made.stdout);
    let nobody = format!("0x{}", "11".repeat(32));
    assert!(sign(&nobody).stderr.contains("the key of 0x1111"));

    // Other names are not warned of, nor is the account's own key.
    assert!(!new("zoe").stderr.contains("warning"));
    let stdin = format!("{PASSWORD}\n{}\n", hex::encode(development_key("bob").as_bytes()));
    let import = |name| kempe.run(&["keys", "import", name, "--password-stdin"], &stdin);
    assert_eq!((import("bob").code, &*import("robert").stderr), (0, ""));
    assert!(import("carol").stderr.contains("has another `carol`"));
    // Where the chain cannot be opened, the keys can be used all the same.
    let dir = kempe.home.path().join("kempe-chain");
    let held = Chain::open(&dir, ChainOptions::default()).unwrap();
    let shown = show("zoe");
    assert!(shown.code == 0 && shown.stderr.contains("the chain in kempe-chain is not asked"));
    drop(held);
}

#[test]
fn two_random_keys_differ() {
    let kempe = Kempe::new();
    let new = |name| kempe.ok(&["keys", "new", name, "--password-stdin"], PASSWORD);
    let (alice, bob) = (new("alice"), new("bob"));
    assert!(alice.starts_with("0x") && alice.len() == 67 && alice != bob);
    let error = kempe.fails(1, &["keys", "new", "alice", "--password-stdin"], PASSWORD);
    assert!(error.starts_with("error: there is a key called `alice` already\nhelp: "), "{error}");
}

/// A key file as the first version was.
fn unchecked(stored: &str) -> String {
    let mut file: serde_json::Value = serde_json::from_str(stored).unwrap();
    file["version"] = 1.into();
    assert!(file.as_object_mut().unwrap().remove("checksum").is_some());
    serde_json::to_string_pretty(&file).unwrap()
}

/// Reads what a command prints, on both streams, and checks that no secret is in it.
fn says_no_secret(kempe: &Kempe, args: &[&str], stdin: &str, secrets: &[&str]) {
    for json in [false, true] {
        let args = if json { [args, &["--json"]].concat() } else { args.to_vec() };
        let Ended { stdout, stderr, .. } = kempe.run(&args, stdin);
        let shows = args.contains(&"--reveal-secret") && !stdout.is_empty();
        for (stream, text) in [("stdout", stdout), ("stderr", stderr)] {
            let text = text.to_lowercase();
            for secret in secrets {
                // What is asked for is shown, and nothing else.
                let is_asked = shows && stream == "stdout" && SECRET.starts_with(secret);
                let is_there = text.contains(&secret.to_lowercase());
                assert_eq!(is_there, is_asked, "{args:?}, {stream}: {text}");
            }
        }
    }
}

#[test]
fn no_secret_is_said_that_was_not_asked_for() {
    const WRONG: &str = "battery staple";
    let kempe = Kempe::new();
    let file = "keys/alice.json";
    // As bytes, too, and the parts of one that is none.
    let seed = hex::decode(SECRET).unwrap();
    let listed = seed.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let secrets = [PASSWORD, WRONG, SECRET, &SECRET[..40], &listed];
    let says = |args: &[&str], stdin: &str| says_no_secret(&kempe, args, stdin, &secrets);
    let both = format!("{PASSWORD}\n{SECRET}\n");
    let import = ["keys", "import", "alice", "--password-stdin"];
    says(&import, &both);
    assert!(kempe.home.path().join(file).exists());
    let spoiled = format!("{PASSWORD}\n{}\n", SECRET.replace("7f60", "7fxx"));
    says(&["keys", "import", "bob", "--password-stdin"], &spoiled);
    says(&["keys", "import", "bob", "--password-stdin"], &format!("{PASSWORD}\n{SECRET}{SECRET}"));
    says(
        &["keys", "import", "bob", "--password-stdin"],
        &format!("{}{SECRET}\n", PASSWORD.repeat(400)),
    );
    says(&["keys", "new", "yuri", "--password-stdin"], PASSWORD);
    says(&["keys", "list"], "");
    says(&["keys", "show", "alice"], "");
    for password in [PASSWORD, WRONG] {
        says(&["keys", "sign", "alice", "0x", "--password-stdin"], password);
        says(&["keys", "export", "alice", "--reveal-secret", "--password-stdin"], password);
    }
    says(&["keys", "sign", "alice", "0xzz", "--password-stdin"], PASSWORD);
    says(&["keys", "export", "alice", "--password-stdin"], PASSWORD);
    says(&["deploy", "x.wasm", "--from", "alice", "--password-stdin"], PASSWORD);
    // In a chain's directory, with a file that fails.
    kempe.ok(&["init"], "");
    fs::write(kempe.home.path().join("x.wasm"), b"\0asm").unwrap();
    says(&["deploy", "x.wasm", "--from", ADDRESS, "--password-stdin"], PASSWORD);
    says(&["keys", "remove", "alice", "--yes"], "");
    says(&["keys", "show", "alice"], "");
}

/// So that it is in no buffer of the process, and whoever started it can go on with it.
#[cfg(unix)]
#[test]
fn what_is_behind_a_secret_is_not_read() {
    use std::io::Seek;

    let kempe = Kempe::new();
    let mut input = tempfile::tempfile().unwrap();
    write!(input, "{PASSWORD}\n{SECRET}\nthe rest\n").unwrap();
    let read_by = |verb: &[&str], mut input: fs::File| {
        input.rewind().unwrap();
        let status = Command::new(env!("CARGO_BIN_EXE_kempe"))
            .args(verb)
            .arg("--password-stdin")
            .env("KEMPE_HOME", kempe.home.path())
            .current_dir(kempe.home.path())
            .stdin(input.try_clone().unwrap())
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success());
        usize::try_from(input.stream_position().unwrap()).unwrap()
    };
    let (one, two) = (PASSWORD.len() + 1, PASSWORD.len() + SECRET.len() + 2);
    assert_eq!(read_by(&["keys", "import", "alice"], input.try_clone().unwrap()), two);
    assert_eq!(read_by(&["keys", "sign", "alice", "0x"], input.try_clone().unwrap()), one);
}

#[test]
fn a_key_opens_only_with_its_password_and_unchanged() {
    let kempe = Kempe::new();
    kempe.import("alice");
    let export = ["keys", "export", "alice", "--reveal-secret", "--password-stdin"];
    let error = kempe.fails(1, &export, "wrong");
    assert!(error.contains("the password of key `alice` is wrong"), "{error}");

    // Whoever exchanges something can make a checksum, too: it is against damage. The first version has none.
    let stored = unchecked(&fs::read_to_string(kempe.key_file()).unwrap());
    let other = format!("0x{}", "11".repeat(32));
    fs::write(kempe.key_file(), stored.replace(ADDRESS, &other)).unwrap();
    let error = kempe.fails(1, &export, PASSWORD);
    assert!(error.contains("or its file was changed"), "{error}");

    // Four times the memory that is written, or the passes, are tried; not both, and no more.
    let asking = |memory_kib: u32, passes: u32, lanes: u32| {
        let kdf = [("memory_kib", 65_536, memory_kib), ("passes", 3, passes), ("lanes", 1, lanes)];
        let text = kdf.iter().fold(stored.clone(), |text, (name, from, to)| {
            text.replace(&format!("\"{name}\": {from}"), &format!("\"{name}\": {to}"))
        });
        fs::write(kempe.key_file(), text).unwrap();
        kempe.fails(1, &export, PASSWORD)
    };
    for [memory_kib, passes, lanes] in [[262_144, 3, 1], [65_536, 12, 1], [65_536, 3, 4]] {
        let error = asking(memory_kib, passes, lanes);
        assert!(error.contains("the password of key `alice` is wrong"), "{error}");
    }
    for [memory_kib, passes, lanes] in
        [[262_145, 1, 1], [65_536, 13, 1], [262_144, 4, 1], [65_536, 3, 5], [u32::MAX, u32::MAX, 1]]
    {
        let error = asking(memory_kib, passes, lanes);
        assert!(error.contains("it asks for too much memory or time"), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let kempe = Kempe::new();
    kempe.import("alice");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&kempe.key_file()), 0o600);
    fs::set_permissions(kempe.key_file(), fs::Permissions::from_mode(0o640)).unwrap();
    let error = kempe.fails(1, &["keys", "show", "alice"], "");
    assert!(error.contains("has mode 0640") && error.contains("help: chmod 600 "), "{error}");
}

#[cfg(unix)]
#[test]
fn a_key_that_others_may_exchange_is_refused() {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};
    let kempe = Kempe::new();
    kempe.import("alice");
    let (file, keys) = (kempe.key_file(), kempe.home.path().join("keys"));
    let show = ["keys", "show", "alice"];
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for mode in [0o777, 0o770, 0o702, 0o1777] {
        set(&keys, mode);
        let help = format!("help: chmod go-w {}\n", keys.display());
        for args in [&show[..], &["keys", "list"], &["keys", "new", "bob", "--password-stdin"]] {
            let error = kempe.fails(1, args, PASSWORD);
            assert!(error.contains(&format!("{} has mode {mode:04o}", keys.display())), "{error}");
            assert!(error.ends_with(&help), "{error}");
        }
    }
    set(&keys, 0o755);
    kempe.ok(&show, "");

    let elsewhere = kempe.home.path().join("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    let error = kempe.fails(1, &show, "");
    assert!(error.contains("it is a symbolic link"), "{error}");
    fs::rename(&elsewhere, &file).unwrap();
    kempe.ok(&show, "");

    // Only root can give files away.
    if chown(&file, Some(12345), None).is_ok() {
        let error = kempe.fails(1, &show, "");
        assert!(error.contains(&format!("{} belongs to another user", file.display())), "{error}");
        assert_eq!(kempe.ok(&["keys", "list"], ""), "");
        chown(&file, Some(0), None).unwrap();
        chown(&keys, Some(12345), None).unwrap();
        let error = kempe.fails(1, &show, "");
        assert!(error.contains(&format!("{} belongs to another user", keys.display())), "{error}");
    }
}

#[test]
fn bad_input_is_refused_before_anything_is_written() {
    let kempe = Kempe::new();
    for name in ["../alice", "Alice", "", "a b", &"a".repeat(33)] {
        let error = kempe.fails(1, &["keys", "new", "--password-stdin", "--", name], PASSWORD);
        assert!(error.contains("is not a name for a key"), "{error}");
    }
    let empty = kempe.fails(1, &["keys", "new", "alice", "--password-stdin"], "\n");
    assert!(empty.contains("the password is empty"), "{empty}");
    let none = kempe.fails(1, &["keys", "new", "alice"], "");
    assert!(none.contains("use --password-stdin or KEMPE_PASSWORD"), "{none}");
    let stdin = format!("{PASSWORD}\nnot hexadecimal\n");
    let secret = kempe.fails(1, &["keys", "import", "alice", "--password-stdin"], &stdin);
    assert!(secret.contains("a secret key is 64 hexadecimal digits"), "{secret}");
    let missing = kempe.fails(1, &["keys", "show", "alice"], "");
    assert!(missing.contains("help: `kempe keys new alice` makes one"), "{missing}");
    assert!(!kempe.home.path().join("keys").exists());
}

#[test]
fn errors_are_json_when_asked_and_colored_when_asked() {
    let kempe = Kempe::new();
    let error = kempe.fails(1, &["keys", "show", "alice", "--json"], "");
    let error: serde_json::Value = serde_json::from_str(&error).unwrap();
    assert_eq!(error["exit"], 1);
    assert!(error["help"].as_str().unwrap().contains("kempe keys new alice"));
    let plain = kempe.fails(1, &["keys", "show", "alice"], "");
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let colored = kempe.fails(1, &["keys", "show", "alice", "--color=always"], "");
    assert!(colored.starts_with("\u{1b}[1;31merror\u{1b}[0m: "), "{colored}");
}

#[test]
fn help_has_examples_before_the_reference() {
    let kempe = Kempe::new();
    for verb in [&["--help"][..], &["new", "-h"], &["build", "-h"], &["keys", "-h"]] {
        let help = kempe.ok(verb, "");
        let place = |text: &str| help.find(text).unwrap_or_else(|| panic!("no {text} in {help}"));
        assert!(place("Examples:\n  kempe ") < place("Usage: kempe"), "{help}");
    }
    kempe.fails(2, &["frobnicate"], "");
    assert!(kempe.ok(&["completions", "bash"], "").contains("_kempe()"));
}

#[test]
fn a_new_contract_passes_its_tests_and_builds() {
    let kempe = Kempe::new();
    let stdout = kempe.ok(&["new", "token-sale"], "");
    assert_eq!(stdout, "token-sale\n");
    let dir = kempe.home.path().join("token-sale");
    let source = fs::read_to_string(dir.join("src/lib.rs")).unwrap();
    assert!(source.contains("pub struct TokenSale {") && !source.contains("{{"), "{source}");

    // The same versions of everything as here, so that nothing has to be fetched.
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock");
    fs::copy(lock, dir.join("Cargo.lock")).unwrap();
    // Not in the temporary directory: compiled dependencies serve the next run.
    let target = concat!(env!("CARGO_TARGET_TMPDIR"), "/new");
    let test = Command::new(env!("CARGO"))
        .args(["test", "--quiet"])
        .current_dir(&dir)
        .env_remove("RUSTFLAGS")
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&test.stderr);
    assert!(test.status.success(), "{said}{}", String::from_utf8_lossy(&test.stdout));
    assert!(!said.contains("--> src/"), "{said}");

    let built = kempe.ok(&["build", "token-sale", "--json", "--target-dir", target], "");
    let built: serde_json::Value = serde_json::from_str(&built).unwrap();
    assert_eq!(built[0]["contract"], "TokenSale");
    assert_eq!(built[0]["methods"], 3);
    assert_eq!(built[0]["memory_bytes"], 16384);
    let wasm = fs::read(built[0]["wasm"].as_str().unwrap()).unwrap();
    assert_eq!(built[0]["size_bytes"], wasm.len());
    assert!(wasm.starts_with(b"\0asm"));
}

#[test]
fn a_new_contract_is_formatted() {
    let kempe = Kempe::new();
    // A line with a name of more than 32 bytes would have to be broken.
    let long = "a".repeat(32);
    for name in ["a", "greeter", &long] {
        kempe.ok(&["new", name], "");
        // It follows `mod test`.
        let ended = Command::new("rustfmt")
            .args(["--check", "--edition", "2024", "src/lib.rs"])
            .current_dir(kempe.home.path().join(name))
            .output()
            .unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    }
}

#[test]
fn a_new_contract_takes_the_sdk_from_a_repository() {
    let kempe = Kempe::new();
    // Where the SDK lies in the repository is cargo's to find. This one is empty, so that nothing is compiled.
    let repository = kempe.home.path().join("repository");
    fs::create_dir_all(repository.join("sdk/src")).unwrap();
    let manifest = "[package]\nname = \"kempe-sdk\"\nversion = \"7.8.9\"\nedition = \"2024\"\n";
    fs::write(repository.join("sdk/Cargo.toml"), manifest).unwrap();
    fs::write(repository.join("sdk/src/lib.rs"), "").unwrap();
    let commit = "-c user.name=a -c user.email=a@b commit --quiet --message sdk";
    for words in ["init --quiet", "add .", commit] {
        let git = Command::new("git").args(words.split(' ')).current_dir(&repository).output();
        assert!(git.unwrap().status.success(), "git {words}");
    }
    let url = format!("file://{}", repository.display());
    kempe.ok(&["new", "greeter", "--sdk-git", &url], "");
    let found = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1"])
        .current_dir(kempe.home.path().join("greeter"))
        .env("CARGO_HOME", kempe.home.path().join("cargo"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&found.stderr);
    assert!(found.status.success(), "{said}");
    let found: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    let packages = found["packages"].as_array().unwrap();
    let sdk = packages.iter().find(|package| package["name"] == "kempe-sdk").unwrap();
    assert_eq!(sdk["version"], "7.8.9");
    assert!(sdk["source"].as_str().unwrap().starts_with(&format!("git+{url}")), "{sdk}");
}

#[test]
fn new_and_build_refuse_with_help() {
    let kempe = Kempe::new();
    fs::create_dir_all(kempe.home.path().join("full/src")).unwrap();
    let error = kempe.fails(1, &["new", "full"], "");
    assert!(error.contains("full is there already\nhelp: choose another name"), "{error}");
    for name in ["Greeter", "match", "test", "1st", "counter"] {
        let error = kempe.fails(2, &["new", name], "");
        assert!(error.contains("help: a good name: greeter"), "{error}");
    }
    let error = kempe.fails(1, &["new", "greeter", "--sdk", "full"], "");
    assert!(error.contains("full is not kempe-sdk\nhelp: "), "{error}");
    let error = kempe.fails(1, &["build", "nowhere"], "");
    assert!(error.contains("help: `kempe new NAME` makes a contract"), "{error}");
}
