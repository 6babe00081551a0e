//! Compiled contracts that commands leave for the next ones.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::Kempe;

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
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
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
