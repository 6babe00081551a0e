//! What must hold for any bytes, with bytes from proptest: random ones, and true ones with changes.

use std::fs;

use borsh::to_vec;
use kempe_runtime::types::Action;
use kempe_tests::{World, cases, hold, root, sources};
use proptest::collection::vec;
use proptest::prelude::*;

/// Changes of bytes.
type Edits = Vec<(prop::sample::Index, u8)>;

fn edits() -> impl Strategy<Value = Edits> {
    vec((any::<prop::sample::Index>(), 1..=u8::MAX), 0..6)
}

fn edited(mut bytes: Vec<u8>, edits: Edits, cut: Option<prop::sample::Index>) -> Vec<u8> {
    for (at, change) in edits {
        let at = at.index(bytes.len());
        bytes[at] ^= change;
    }
    if let Some(cut) = cut {
        bytes.truncate(cut.index(bytes.len() + 1));
    }
    bytes
}

fn a_transaction() -> Vec<u8> {
    let world = World::new(2);
    let to = world.accounts[0].address;
    let actions = vec![Action::Transfer { to, amount: 1 }, kempe_tests::call(to, "go", &7_u64)];
    to_vec(&world.sign(vec![(1, actions)])[0]).expect("encoding to memory cannot fail")
}

/// The ABI's section of a shipped contract.
fn a_section(wasm: &[u8]) -> Vec<u8> {
    let at = wasm.windows(9).position(|bytes| bytes == b"kempe.abi").expect("it has one");
    wasm[at + 9..].to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(400), ..ProptestConfig::default() })]

    #[test]
    fn transactions(edits in edits(), cut in any::<Option<prop::sample::Index>>()) {
        hold::transaction(&edited(a_transaction(), edits, cut));
    }

    #[test]
    fn sections(edits in edits(), n_args in any::<u8>(), args in vec(any::<u8>(), 256)) {
        let mut bytes = vec![n_args];
        bytes.extend(&args[..n_args.into()]);
        bytes.extend(edited(a_section(kempe_contracts::POOL), edits, None));
        hold::abi(&bytes);
    }

    #[test]
    fn modules(edits in edits(), cut in proptest::option::weighted(0.2, any::<prop::sample::Index>())) {
        hold::module(&edited(kempe_contracts::COUNTER.to_vec(), edits, cut));
    }

    #[test]
    fn schedules(rows in vec(vec(any::<(u8, u8)>(), 0..6), 0..24), order in vec(any::<u8>(), 0..64)) {
        let mut bytes = to_vec(&rows).unwrap();
        bytes.extend(order);
        hold::schedule(&bytes);
    }

    #[test]
    fn schedules_of_the_right_form(rows in vec(vec(any::<(u8, u8)>(), 0..6), 1..24), ends in vec(any::<prop::sample::Index>(), 0..4)) {
        let n = u32::try_from(rows.len()).unwrap();
        let mut ends: Vec<u32> = ends.iter().map(|end| u32::try_from(end.index(rows.len() + 1)).unwrap()).collect();
        ends.sort_unstable();
        let mut bytes = to_vec(&rows).unwrap();
        bytes.extend(to_vec(&((0..n).collect::<Vec<_>>(), ends)).unwrap());
        hold::schedule(&bytes);
    }

    #[test]
    fn blocks(how in 0..128_u8, edits in vec(any::<(u16, u8)>(), 1..4)) {
        let mut bytes = vec![how];
        for (at, change) in edits {
            bytes.extend(at.to_le_bytes());
            bytes.push(change);
        }
        hold::block(&bytes);
    }

    #[test]
    fn anything(bytes in vec(any::<u8>(), 0..400)) {
        hold::transaction(&bytes);
        hold::abi(&bytes);
        hold::module(&bytes);
        hold::schedule(&bytes);
        hold::block(&bytes);
    }
}

/// A number of cases that is written out is the same in the long form.
#[test]
fn every_number_of_cases_follows_the_environment() {
    let mut files = Vec::new();
    sources(root(), &mut files);
    let mut n_configs = 0;
    for file in files {
        let text = fs::read_to_string(&file).expect("readable");
        for config in text.split("#![proptest_config(").skip(1) {
            let config = config.split(")]").next().unwrap_or_default();
            let counts = ["cases: ", "with_cases("].map(|before| config.split(before).nth(1));
            let is_number = |count: &str| count.starts_with(|c: char| c.is_ascii_digit());
            let is_fixed = counts.into_iter().flatten().any(is_number);
            assert!(!is_fixed, "{}: {config}", file.display());
            n_configs += 1;
        }
    }
    assert!(n_configs > 10, "{n_configs} are found");
}
