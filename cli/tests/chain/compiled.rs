//! Compiled contracts that commands leave for the next ones.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use super::{Ended, Kempe};

fn compiled(kempe: &Kempe) -> Vec<PathBuf> {
    let entries = fs::read_dir(kempe.home.path().join("compiled")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_compiled_contract_that_was_changed_is_compiled_again() {
    let kempe = Kempe::with_token();
    let files = compiled(&kempe);
    let [file] = &*files else { panic!("one contract was compiled") };
    let whole = fs::read(file).unwrap();
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    fs::write(file, changed).unwrap();
    assert_eq!(kempe.ok("call token balance --of bob"), "100\n");
    assert_eq!(fs::read(file).unwrap(), whole);
    assert!(!file.starts_with(kempe.home.path().join("kempe-chain")));
}

#[test]
fn a_key_that_others_may_know_is_replaced() {
    let kempe = Kempe::with_token();
    let path = kempe.home.path().join("compiled.key");
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    let key = fs::read(&path).unwrap();
    let files = compiled(&kempe);
    let [file] = &*files else { panic!("one contract was compiled") };
    let sealed = fs::read(file).unwrap();
    assert_eq!((key.len(), mode()), (32, 0o600));

    kempe.ok("call token balance --of bob");
    assert_eq!((&fs::read(&path).unwrap(), &fs::read(file).unwrap()), (&key, &sealed));
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    assert_eq!(kempe.ok("call token balance --of bob"), "100\n");
    assert_ne!(fs::read(&path).unwrap(), key);
    assert_ne!(fs::read(file).unwrap(), sealed);
    assert_eq!(mode(), 0o600);

    fs::write(&path, "short").unwrap();
    kempe.ok("call token balance --of bob");
    assert_eq!((fs::read(&path).unwrap().len(), mode()), (32, 0o600));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(kempe.ok("call token balance --of bob"), "100\n");
}

/// The thread that waits for the compiler has the stack that the environment says, which is larger here than there is
/// memory to name.
#[test]
fn a_machine_that_cannot_compile_makes_no_block() {
    let kempe = Kempe::new();
    kempe.ok("init");
    let poor = [("RUST_MIN_STACK", "140737488355328")];
    let fails = |words: &str| {
        let ended = kempe.run_with(words, &poor);
        assert_eq!((ended.code, &*ended.stdout), (1, ""), "{words}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("error: this machine cannot run the code"),
            "{}",
            ended.stderr
        );
        assert!(ended.stderr.contains("help: nothing was changed"), "{}", ended.stderr);
    };
    fails("deploy token.wasm --owner alice");
    kempe.fails(1, "block 1");
    kempe.ok("deploy token.wasm --owner alice");
    assert!(kempe.ok("block 1").contains("ok"));

    // What is compiled is not compiled again, so it must be gone.
    fs::remove_dir_all(kempe.home.path().join("compiled")).unwrap();
    fails("call token mint --to bob --amount 100");
    let repaired = kempe.run_with("doctor --repair", &poor);
    assert!(!repaired.stdout.contains("executed up to"), "{}", repaired.stdout);
    let checked = kempe.run_with("check token.wasm", &poor);
    assert_eq!((checked.code, &*checked.stdout), (1, ""), "{}", checked.stderr);
    kempe.ok("call token mint --to bob --amount 100");
    kempe.ok("doctor");
}

/// Whether a command uses this key and leaves it as it is.
fn is_used(kempe: &Kempe, key: &[u8]) -> bool {
    assert_eq!(kempe.ok("call token balance --of bob"), "100\n");
    fs::read(kempe.home.path().join("compiled.key")).unwrap() == key
}

#[test]
fn a_key_that_somebody_else_made_is_replaced() {
    let kempe = Kempe::with_token();
    let path = kempe.home.path().join("compiled.key");
    // Of a file elsewhere that is as it should be, too.
    let elsewhere = kempe.write("elsewhere", [9; 32]);
    fs::set_permissions(&elsewhere, Permissions::from_mode(0o600)).unwrap();
    fs::remove_file(&path).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert!(!is_used(&kempe, &[9; 32]));
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
    assert_eq!(fs::read(&elsewhere).unwrap(), [9; 32]);

    let key = fs::read(&path).unwrap();
    assert!(is_used(&kempe, &key));
    // Only root can give files away.
    if chown(&path, Some(12345), None).is_ok() {
        assert!(!is_used(&kempe, &key));
        let home = fs::metadata(kempe.home.path()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().uid(), home.uid());
    }
}

#[test]
fn nothing_is_kept_where_others_may_write() {
    let kempe = Kempe::with_token();
    let home = kempe.home.path().to_owned();
    let files = compiled(&kempe);
    let [file] = &*files else { panic!("one contract was compiled") };
    let owner = fs::metadata(&home).unwrap().uid();
    let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&home.join("compiled")), 0o700);
    let ended = || {
        let _ = fs::remove_file(file);
        let ended = kempe.run("call token balance --of bob");
        assert_eq!((ended.code, &*ended.stdout), (0, "100\n"), "{}", ended.stderr);
        ended.stderr
    };
    let is_kept = |why: &str| {
        let said = ended();
        // The person hears of it once, with what is wrong and what to do.
        let n_said = usize::from(!file.exists());
        assert_eq!(
            said.matches("warning: compiled contracts are not kept").count(),
            n_said,
            "{said}"
        );
        assert!(file.exists() || said.contains(why), "{said}");
        file.exists()
    };
    for directory in [home.join("compiled"), home.clone()] {
        for (given, kept) in [(0o770, false), (0o702, false), (0o1777, false), (0o755, true)] {
            set(&directory, given);
            let path = directory.display();
            let why = format!(
                "{path} has mode {given:04o}: others than its owner may use it; chmod go-w {path}\n"
            );
            assert_eq!(is_kept(&why), kept, "{path} {given:o}");
        }
        if chown(&directory, Some(12345), None).is_ok() {
            let why = format!("{} belongs to another user", directory.display());
            assert!(!is_kept(&why), "{why}");
            chown(&directory, Some(owner), None).unwrap();
        }
    }
    assert!(is_kept(""));
}

#[test]
fn no_key_is_made_without_a_chain_or_a_home() {
    let kempe = Kempe::new();
    kempe.fails(1, "block");
    kempe.fails(1, "call token balance --of bob");
    assert!(!kempe.home.path().join("compiled.key").exists());
    // A home that is in no certain place must not become one below the current directory.
    kempe.ok("init");
    let mut deploy = kempe.command("deploy token.wasm --owner alice");
    let ended = Ended::of(deploy.env_remove("KEMPE_HOME").env("HOME", "here"));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let names = fs::read_dir(kempe.home.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, ["kempe-chain", "token.wasm"]);
}
