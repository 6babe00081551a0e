//! What must hold for any bytes. The tests feed them random and damaged ones.

use std::cell::RefCell;

use borsh::{BorshDeserialize, from_slice, to_vec};
use kempe_abi::derive::{Contracts, Sink, derive};
use kempe_abi::{Abi, AccessKind, Address};
use kempe_runtime::chain::Chain;
use kempe_runtime::engine::{Engine, admit};
use kempe_runtime::scheduler::{
    Access, Accesses, Block, Color, Dsatur, Layers, Mode, Schedule, Scheduler, Sequential, verify,
};
use kempe_runtime::types::{self, Action, SignedTransaction};

use kempe_tests::{World, call, genesis, options};

/// A transaction decodes to one value and encodes to the same bytes; checking it never panics.
pub(crate) fn transaction(bytes: &[u8]) {
    let Ok(signed) = SignedTransaction::decode(bytes) else { return };
    assert_eq!(to_vec(&signed).expect("it encodes"), bytes, "one encoding only");
    let hash = signed.transaction.hash();
    let _ = signed.transaction.check_form(kempe_tests::CHAIN_ID, 1_000_000_000);
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
pub(crate) fn abi(bytes: &[u8]) {
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
pub(crate) fn module(bytes: &[u8]) {
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
pub(crate) fn schedule(bytes: &[u8]) {
    let mut reader = bytes;
    let Ok(rows) = Vec::<Vec<(u8, u8)>>::deserialize(&mut reader) else { return };
    let mut accesses = Accesses::default();
    for row in rows.iter().take(64) {
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
    let Ok(block) = Block::new(&accesses, &[], &senders, &[]) else { return };
    if let Ok(schedule) = from_slice::<Schedule>(reader) {
        for mode in [Mode::Free, Mode::Preserve] {
            let first = verify(&schedule, &block, mode).is_ok();
            assert_eq!(verify(&schedule, &block, mode).is_ok(), first);
        }
        assert_eq!(to_vec(&schedule).expect("it encodes"), reader, "one encoding only");
    }
    for scheduler in [&Color as &dyn Scheduler, &Layers, &Dsatur, &Sequential] {
        let schedule = scheduler.schedule(&block);
        verify(&schedule, &block, scheduler.mode()).expect("what a scheduler makes is legal");
    }
}

struct Stage {
    chain: Chain,
    time_ms: u64,
    block: Vec<u8>,
}

fn stage() -> Stage {
    let mut world = World::of(genesis(3, 1), options(1, &Color));
    let counter = world.deploy(0, kempe_contracts::COUNTER, &());
    let to = world.accounts[1].address;
    let txs = world.sign(vec![
        (0, vec![call(counter, "raise", &5_u64)]),
        (1, vec![Action::Transfer { to, amount: 7 }, call(counter, "raise", &6_u64)]),
        (2, vec![call(counter, "raise_slowly", &7_u64)]),
    ]);
    let before = world.chain.block(1).expect("readable").expect("there");
    let record = world.build(txs).record;
    let mut chain = Chain::in_memory(genesis(3, 1), options(1, &Color)).expect("it starts");
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
pub(crate) fn block(bytes: &[u8]) {
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
