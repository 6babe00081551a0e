//! What must hold for any bytes. `tests/tests/fuzz.rs` and the targets of `tests/fuzz` feed these functions true
//! encodings with changes; each panics where something does not hold.

mod run;
pub mod seeds;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path;

use borsh::{BorshDeserialize, from_slice, to_vec};
use kempe_abi::derive::{Contracts, Sink, derive};
use kempe_abi::{Abi, AccessKind, Address, Hash, Member, Type, Variant};
use kempe_runtime::chain::Chain;
use kempe_runtime::engine::{Engine, admit};
use kempe_runtime::scheduler::{
    Access, Accesses, Block, Color, Mode, SCHEDULERS, Schedule, Scheduler, verify, verify_plan,
};
use kempe_runtime::state::{
    Proof, ProofError, StateChange, StateRead, StateTable, StateTree, Witness, bucket_hashes,
    bucket_of, value_hash,
};
use kempe_runtime::types::{self, Action, Bytes, Genesis, KeyHash, SignedTransaction, StateKey};

pub use run::execution;

use crate::{World, call, options};

/// Something that must hold for any bytes.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// The name of its target in `tests/fuzz`.
    pub name: &'static str,
    /// Panics where it does not hold.
    pub holds: fn(&[u8]),
    /// Inputs that get far, to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

macro_rules! properties {
    ($($name:ident)*) => {
        /// All of them.
        pub const ALL: &[Property] =
            &[$(Property { name: stringify!($name), holds: $name, seeds: seeds::$name }),*];
    };
}

properties! {
    transaction abi module schedule block record genesis witness proof trace value state execution
}

/// A transaction decodes to one value and encodes to the same bytes; checking it never panics.
pub fn transaction(bytes: &[u8]) {
    let Ok(signed) = SignedTransaction::decode(bytes) else { return };
    assert_eq!(to_vec(&signed).expect("it encodes"), bytes, "one encoding only");
    let hash = signed.transaction.hash();
    let _ = signed.transaction.check_form(crate::CHAIN_ID, 1_000_000_000);
    if let Ok(verified) = signed.verify() {
        assert_eq!(verified, hash);
    }
}

struct Everywhere<'a>(&'a Abi);

impl Contracts for Everywhere<'_> {
    fn abi(&self, _: &Address) -> Option<&Abi> {
        Some(self.0)
    }

    fn immutable(&self, _: &Address, field: u8) -> Option<&[u8]> {
        const BYTES: &[u8] = &[7; 64];
        BYTES.get(..usize::from(field % 65))
    }
}

#[derive(Default)]
struct Count(usize);

impl Sink for Count {
    fn call(&mut self, _: &Address) {
        self.0 += 1;
    }

    fn touch(&mut self, _: AccessKind, _: &Address, _: u8, _: &[u8]) {
        self.0 += 1;
    }

    fn dynamic(&mut self, _: &Address) {
        self.0 += 1;
    }
}

/// A section is refused or becomes an ABI whose templates can be asked about any call: every contract
/// that they call is this one again. The bytes behind the length in the first one are arguments.
pub fn abi(bytes: &[u8]) {
    let Some((&n_args, bytes)) = bytes.split_first() else { return };
    let (args, section) = bytes.split_at(bytes.len().min(n_args.into()));
    let Ok(abi) = Abi::decode(section) else { return };
    for method in &abi.methods {
        let id = kempe_abi::MethodId::of(&method.name);
        let mut touches = Count::default();
        let address = Address([1; 32]);
        let result = derive(&Everywhere(&abi), &address, &address, id, args, &mut touches);
        let mut again = Count::default();
        assert_eq!(derive(&Everywhere(&abi), &address, &address, id, args, &mut again), result);
        assert_eq!(touches.0, again.0);
    }
}

/// A module is refused with a text that can be printed, or it compiles.
pub fn module(bytes: &[u8]) {
    match admit(bytes) {
        Err(refusal) => {
            let text = refusal.to_string();
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
        Ok(_) => {
            let engine = Engine::new().expect("it is configured");
            engine.load(bytes).expect("what is admitted compiles");
        }
    }
}

/// A schedule is decoded or refused, verified or refused; what schedulers make is verified.
pub fn schedule(bytes: &[u8]) {
    let mut reader = bytes;
    let Ok(rows) = Vec::<Vec<(u8, u8)>>::deserialize(&mut reader) else { return };
    let rows = &rows[..rows.len().min(64)];
    let mut accesses = Accesses::default();
    for row in rows {
        // Each slot once, as in a list that was interned.
        let mut slots = std::collections::BTreeMap::new();
        for (slot, kind) in row {
            let kind =
                [AccessKind::Read, AccessKind::Add, AccessKind::Write][usize::from(kind % 3)];
            slots.entry(u32::from(slot % 16)).or_insert(kind);
        }
        accesses.push_tx(slots.into_iter().map(|(slot, kind)| Access::new(slot, kind)));
    }
    let n_txs = accesses.n_txs();
    let senders: Vec<u32> = (0..n_txs).map(|at| u32::try_from(at % 5).unwrap_or(0)).collect();
    let costs: Vec<u64> =
        rows.iter().map(|row| row.iter().map(|(slot, _)| u64::from(*slot)).sum()).collect();
    let unlisted: Vec<bool> = rows.iter().map(|row| row.len() == 7).collect();
    let block = Block::new(&accesses, &costs, &senders, &unlisted).expect("one row for each");
    if let Ok(schedule) = from_slice::<Schedule>(reader) {
        for mode in [Mode::Free, Mode::Preserve] {
            let first = verify(&schedule, &block, mode).is_ok();
            assert_eq!(verify(&schedule, &block, mode).is_ok(), first);
        }
        assert_eq!(to_vec(&schedule).expect("it encodes"), reader, "one encoding only");
    }
    for scheduler in SCHEDULERS {
        let (plan, mode) = (scheduler.plan(&block, 1 + rows.len() % 4), scheduler.mode());
        verify_plan(&plan, &block, mode).expect("what a scheduler makes is legal");
        verify(&plan.schedule(&block), &block, mode).expect("what it publishes is legal");
    }
}

struct Stage {
    chain: Chain,
    time_ms: u64,
    block: Vec<u8>,
}

fn stage() -> Stage {
    let mut world = World::of(crate::genesis(3, 1), options(1, &Color));
    let counter = world.deploy(0, kempe_contracts::COUNTER, &());
    let to = world.accounts[1].address;
    let txs = world.sign(vec![
        (0, vec![call(counter, "raise", &5_u64)]),
        (1, vec![Action::Transfer { to, amount: 7 }, call(counter, "raise", &6_u64)]),
        (2, vec![call(counter, "raise_slowly", &7_u64)]),
    ]);
    let before = world.chain.block(1).expect("readable").expect("there");
    let record = world.build(txs).record;
    let mut chain = Chain::in_memory(crate::genesis(3, 1), options(1, &Color)).expect("it starts");
    chain.apply(&before.block).expect("it fits");
    let time_ms = record.block.header.time_ms;
    Stage { chain, time_ms, block: to_vec(&record.block).expect("it encodes") }
}

thread_local! {
    static STAGE: RefCell<Stage> = RefCell::new(stage());
}

/// A valid block with some bytes changed, or any bytes for a block: unless it is the valid one, it is refused
/// and the chain stays as it was.
///
/// The first byte says which: below 128 the rest is pairs of a position (two bytes) and a change.
pub fn block(bytes: &[u8]) {
    let Some((&how, bytes)) = bytes.split_first() else { return };
    STAGE.with_borrow_mut(|stage| {
        let mut encoded = stage.block.clone();
        if how < 128 {
            for edit in bytes.chunks_exact(3) {
                let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % encoded.len();
                encoded[at] ^= edit[2];
            }
        } else {
            encoded = bytes.to_vec();
        }
        if encoded == stage.block {
            return;
        }
        let Ok(block) = from_slice::<types::Block>(&encoded) else { return };
        // Whoever builds a block chooses its time, and no call here asks for it.
        let mut timeless = block.clone();
        timeless.header.time_ms = stage.time_ms;
        if to_vec(&timeless).expect("it encodes") == stage.block {
            return;
        }
        let head = stage.chain.head().clone();
        assert!(stage.chain.apply(&block).is_err(), "only the true block fits");
        assert_eq!(*stage.chain.head(), head);
    });
}

/// A stored block decodes to one value and encodes to the same bytes.
pub fn record(bytes: &[u8]) {
    if let Ok(record) = from_slice::<types::BlockRecord>(bytes) {
        assert_eq!(to_vec(&record).expect("it encodes"), bytes, "one encoding only");
    }
}

/// A genesis file that is read is written so that it reads as the same one, with the same rules.
pub fn genesis(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(genesis) = Genesis::parse(text) else { return };
    let again = Genesis::parse(&genesis.to_toml()).expect("what is written is read");
    assert_eq!(genesis, again);
    assert_eq!(genesis.protocol("x"), again.protocol("x"));
}

/// The root that a proof has, whatever it was asked for.
fn root_of(result: Result<(), ProofError>) -> Option<Hash> {
    match result {
        Err(ProofError::Root { found, .. }) => Some(found),
        Err(ProofError::Malformed { .. }) => None,
        // The zero root is that of the empty state.
        Ok(()) | Err(_) => Some(Hash([0; 32])),
    }
}

/// A witness is malformed, or it has one root, under which it says of its rows what they are and writing
/// nothing changes nothing.
pub fn witness(bytes: &[u8]) {
    let Ok(witness) = from_slice::<Witness>(bytes) else { return };
    assert_eq!(to_vec(&witness).expect("it encodes"), bytes, "one encoding only");
    let Some(root) = root_of(witness.verify(&Hash([0; 32])).map(|_| ())) else { return };
    let proven = witness.verify(&root).expect("it is of its own root");
    assert_eq!(proven.update(&[]).expect("nothing is written"), root);
    for row in witness.buckets.iter().flat_map(|bucket| &bucket.rows) {
        assert_eq!(proven.value_hash(&row.key).expect("it is covered"), Some(row.value));
        let removed = proven.update(&[(row.key, None)]).expect("it is covered");
        assert_ne!(removed, root, "a row less is another root");
    }
}

/// A proof is malformed, or it has one root for each key, under which it proves its rows and nothing for
/// other keys. The first 32 bytes are the key.
pub fn proof(bytes: &[u8]) {
    let Some((key, bytes)) = bytes.split_first_chunk::<32>() else { return };
    let Ok(proof) = from_slice::<Proof>(bytes) else { return };
    assert_eq!(to_vec(&proof).expect("it encodes"), bytes, "one encoding only");
    let key = KeyHash(*key);
    let Some(root) = root_of(proof.verify(&Hash([0; 32]), &key, None)) else { return };
    let is_there = proof.rows.iter().any(|row| row.key == key);
    assert_eq!(proof.verify(&root, &key, None).is_ok(), !is_there);
    let other = value_hash(b"a value whose hash nobody has put into a proof");
    if proof.rows.iter().all(|row| row.value != other) {
        let value = Some(&b"a value whose hash nobody has put into a proof"[..]);
        assert!(proof.verify(&root, &key, value).is_err());
    }
}

/// A trace is refused with a place and a text that can be printed, or a scheduler can plan it.
pub fn trace(bytes: &[u8]) {
    match kempe_bench::Trace::read(bytes, Path::new("any.jsonl")) {
        Err(error) => {
            let text = error.to_string();
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
        Ok(trace) => {
            let accesses = trace.accesses();
            let (senders, costs) = (trace.senders(), trace.costs());
            let block = Block::new(&accesses, &costs, &senders, &[]).expect("one row for each");
            let schedule = Color.schedule(&block);
            verify(&schedule, &block, Color.mode()).expect("what a scheduler makes is legal");
        }
    }
}

/// Types of every kind, and nested.
fn types() -> Vec<Type> {
    let boxed = |ty: &Type| Box::new(ty.clone());
    let member = |name: &str, ty: &Type| Member { name: name.into(), ty: ty.clone() };
    let tuple = Type::Tuple(vec![Type::I8, Type::String, Type::Option(boxed(&Type::U64))]);
    let fields = vec![member("price", &Type::U128), member("tags", &Type::List(boxed(&tuple)))];
    let variants = vec![
        Variant { name: "Cancel".into(), fields: Vec::new() },
        Variant { name: "Limit".into(), fields: fields.clone() },
        Variant { name: "Swap".into(), fields: vec![member("0", &Type::I64), member("1", &tuple)] },
    ];
    let variant = Type::Enum("Order".into(), variants);
    vec![
        Type::Unit,
        Type::Bool,
        Type::U8,
        Type::U64,
        Type::U128,
        Type::I16,
        Type::I128,
        Type::String,
        Type::Address,
        Type::Hash,
        Type::List(boxed(&Type::U8)),
        Type::Array(boxed(&Type::U8), 4),
        Type::Array(boxed(&Type::I32), 3),
        Type::Option(boxed(&Type::String)),
        Type::Option(boxed(&Type::Option(boxed(&Type::Bool)))),
        Type::Option(boxed(&Type::Unit)),
        Type::List(boxed(&variant)),
        Type::Struct("Terms".into(), fields),
        Type::Option(boxed(&variant)),
        variant,
        tuple,
    ]
}

/// What people write is refused with a text that can be printed, or becomes a value that is the same after it
/// was read as JSON; and so are any bytes. The first one is the type.
pub fn value(bytes: &[u8]) {
    let Some((&ty, bytes)) = bytes.split_first() else { return };
    let types = types();
    let ty = &types[usize::from(ty) % types.len()];
    let nobody = |_: &str| None;
    let same = |bytes: &[u8]| {
        let json = kempe_cli::value::to_json(ty, bytes).expect("it is a value of the type");
        assert_eq!(kempe_cli::value::from_json(ty, &json, &nobody).as_deref(), Ok(bytes), "{json}");
        let text = kempe_cli::value::display(ty, bytes, &()).expect("it is a value of the type");
        assert!(!text.chars().any(char::is_control), "{text:?}");
    };
    if let Ok(text) = std::str::from_utf8(bytes) {
        match kempe_cli::value::from_text(ty, text, &nobody) {
            Ok(value) => same(&value),
            Err(error) => {
                let text = error.to_string();
                assert!(!text.chars().any(char::is_control), "{text:?}");
            }
        }
    }
    if kempe_cli::value::to_json(ty, bytes).is_ok() {
        same(bytes);
    }
}

thread_local! {
    /// Without rows. To make one takes longer than all that is asked of it, so each input leaves it as it was.
    static EMPTY_STATE: RefCell<(StateTable, StateTree)> =
        RefCell::new((StateTable::new(), StateTree::empty()));
}

/// The state, its tree, its proofs and its witnesses against a map. Each three bytes are a step: which
/// key, the length of its value, or that it is removed, and its bytes; a key above 200 ends a block.
pub fn state(bytes: &[u8]) {
    EMPTY_STATE.with_borrow_mut(|(table, tree)| {
        let model = run_blocks(bytes, table, tree);
        let root = tree.root();
        let buckets: BTreeSet<u32> = KEYS.map(|n| bucket_of(&key_of(n).hash())).collect();
        let hashes = buckets.into_iter().map(|bucket| bucket_hashes(table, bucket..bucket + 1));
        let hashes: Vec<_> = hashes.flat_map(|hashes| hashes.expect("in memory")).collect();
        assert_eq!(StateTree::from_buckets(hashes).root(), root);
        for n in KEYS.step_by(7) {
            let (key, expected) = (key_of(n), model.get(&key_of(n)).map(Vec::as_slice));
            assert_eq!(table.get(&key.hash()).expect("in memory").as_deref(), expected);
            let proof = tree.prove(table, &key.hash()).expect("in memory");
            proof.verify(&root, &key.hash(), expected).expect("it is so");
            let other = if expected.is_none() { Some(&b"x"[..]) } else { None };
            assert!(proof.verify(&root, &key.hash(), other).is_err(), "it is not so");
        }
        let removals = model.into_keys().map(|key| {
            let hash = key.hash();
            StateChange::new(key, hash, None)
        });
        commit(table, tree, removals.collect());
        assert_eq!(tree.root(), Hash([0; 32]), "it has the root of no rows");
        assert_eq!(table.used_bytes(), 0, "nothing is left");
    });
}

/// The keys that [`state`] writes.
const KEYS: RangeInclusive<u8> = 0..=200;

/// Of few contracts and fields; the tree has 2^20 buckets, so that few share one.
fn key_of(n: u8) -> StateKey {
    StateKey::new(Address([n % 3; 32]), n % 5, &[n / 15; 3])
}

/// Applies the blocks that the bytes are, and says what they leave.
fn run_blocks(
    bytes: &[u8],
    table: &StateTable,
    tree: &mut StateTree,
) -> BTreeMap<StateKey, Vec<u8>> {
    let (mut model, mut changes) = (BTreeMap::new(), Vec::new());
    for step in bytes.chunks_exact(3).take(300) {
        let [n, len, byte] = [step[0], step[1], step[2]];
        if !KEYS.contains(&n) {
            commit(table, tree, std::mem::take(&mut changes));
            continue;
        }
        let (key, value) = (key_of(n), vec![byte; usize::from(len)]);
        let value = (len % 4 != 3).then_some(value);
        match &value {
            Some(value) => model.insert(key.clone(), value.clone()),
            None => model.remove(&key),
        };
        let hash = key.hash();
        changes.push(StateChange::new(key, hash, value.as_deref().map(Bytes::from_slice)));
    }
    commit(table, tree, changes);
    model
}

/// Applies a block, whose new root must follow from a witness alone.
fn commit(table: &StateTable, tree: &mut StateTree, changes: Vec<StateChange>) {
    let keys: Vec<KeyHash> = changes.iter().map(|change| *change.hash()).collect();
    let witness = tree.witness(table, &keys).expect("in memory");
    let writes: Vec<_> =
        changes.iter().map(|change| (*change.hash(), change.value().map(|v| &**v))).collect();
    let update = tree.update(table, &changes).expect("in memory");
    if !keys.is_empty() {
        let updated = witness.update(&tree.root(), &writes);
        assert_eq!(updated.expect("it covers them"), update.root());
    }
    table.apply(&changes);
    tree.apply(update);
}
