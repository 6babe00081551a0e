//! Blocks from bytes, executed in every way.

use std::cell::RefCell;

use kempe_abi::{AccessKind, Address};
use kempe_runtime::scheduler::{Color, SCHEDULERS};
use kempe_runtime::types::{Action, DeclaredAccess, StateKey};

use crate::{CHAOS, World, call, deploy, genesis, options};

const N_ACCOUNTS: u8 = 5;

/// The most transactions of a block.
const TXS_MAX: usize = 24;

struct Stage {
    world: World,
    token: Address,
    pool: Address,
    chaos: [Address; 2],
}

fn stage() -> Stage {
    let mut world = World::of(genesis(N_ACCOUNTS, 2), options(1, &Color));
    let owner = world.accounts[0].address;
    let tokens = [0, 1].map(|_| world.deploy(0, kempe_contracts::TOKEN, &owner));
    let pool = world.deploy(0, kempe_contracts::POOL, &(tokens[0], tokens[1], 30u16));
    let chaos = [0, 1].map(|_| world.deploy(0, CHAOS, &()));
    for token in tokens {
        for from in 0..usize::from(N_ACCOUNTS) {
            let to = world.accounts[from].address;
            world.send(0, call(token, "mint", &(to, 50_000u128)));
            world.send(from, call(token, "approve", &(pool, 1_000_000u128)));
        }
    }
    world.send(0, call(pool, "add_liquidity", &(20_000u128, 20_000u128, 0u128, u64::MAX)));
    Stage { world, token: tokens[0], pool, chaos }
}

thread_local! {
    static STAGE: RefCell<Stage> = RefCell::new(stage());
}

/// A block gives the same in parallel, by any scheduler and on any number of threads, as one by one.
///
/// The first byte is the scheduler, the second the number of threads. Then each five bytes are a
/// transaction: who sends it, what it does with which two arguments, and which list it carries, which
/// may be one that lies.
pub fn execution(bytes: &[u8]) {
    let [scheduler, n_threads, rest @ ..] = bytes else { return };
    STAGE.with_borrow_mut(|stage| {
        let txs = rest.chunks_exact(5).take(TXS_MAX).map(|bytes| stage.tx(bytes));
        let txs: Vec<_> = txs.collect();
        let world = &mut stage.world;
        let txs = world.sign_with(txs);
        let scheduler = SCHEDULERS[usize::from(*scheduler) % SCHEDULERS.len()];
        let n_threads = 1 + usize::from(n_threads % 4);
        world.chain.set_options(options(n_threads, scheduler)).expect("threads start");
        let prepared = world.chain.prepare(txs, 0).expect("it is prepared");
        let oracle = world.chain.execute_oracle(&prepared).expect("it runs");
        let parallel = world.chain.execute(&prepared).expect("it runs");
        assert_eq!(parallel, oracle);
    });
}

impl Stage {
    fn tx(&self, bytes: &[u8]) -> (usize, Vec<Action>, u64, Vec<DeclaredAccess>) {
        let &[from, what, a, b, list] = bytes else { unreachable!("five bytes each") };
        let from = usize::from(from % N_ACCOUNTS);
        let fuel = if list & 0x80 == 0 { 5_000_000 } else { 60_000 + u64::from(a) * 500 };
        (from, vec![self.action(what, a, b)], fuel, self.list(list & 0x7f, a, b))
    }

    fn action(&self, what: u8, a: u8, b: u8) -> Action {
        let who = |n: u8| self.world.accounts[usize::from(n % N_ACCOUNTS)].address;
        let amount = u128::from(b) * 40;
        let (chaos, other) = (self.chaos[usize::from(a >> 7)], self.chaos[usize::from(!a >> 7)]);
        let slot = a % 8;
        match what % 24 {
            0..4 => call(self.token, "transfer", &(who(a), amount)),
            4 => call(self.token, "transfer_from", &(who(a), who(b), 1u128)),
            5 => call(self.token, "burn", &amount),
            6 => call(self.pool, "sell_a", &(amount, 0u128, u64::MAX)),
            7 => call(self.pool, "sell_b", &(amount, 0u128, u64::MAX)),
            8 => Action::Transfer { to: who(a), amount },
            9 => call(chaos, "put", &(slot, u64::from(b))),
            10 => call(chaos, "fail_after_writing", &(slot, u64::from(b))),
            11 => call(chaos, "remove", &slot),
            12 => call(chaos, "show", &slot),
            13 => call(chaos, "copy", &(slot, b % 8)),
            14 => call(chaos, "recall", &(slot, b % 8)),
            15 => call(chaos, "add", &(slot, b)),
            16 => call(chaos, "sub", &(slot, b)),
            17 => call(chaos, "follow", &(slot, b % 8)),
            18 => call(chaos, "juggle", &(other, slot)),
            19 => call(chaos, "forgive", &(other, slot, u64::from(b))),
            20 => call(chaos, "reenter", &(other, slot)),
            21 => call(chaos, "spread", &(vec![slot, b % 8], 5u64)),
            22 => call(chaos, "soil_and_panic", &slot),
            _ => deploy(kempe_contracts::COUNTER, &()),
        }
    }

    /// None, or one with entries of the contract, true or not.
    fn list(&self, list: u8, a: u8, b: u8) -> Vec<DeclaredAccess> {
        let kind =
            |n: u8| [AccessKind::Read, AccessKind::Add, AccessKind::Write][usize::from(n % 3)];
        let entry = |n: u8, slot: u8| DeclaredAccess {
            kind: kind(n),
            key: StateKey::new(self.chaos[usize::from(a >> 7)], n / 3 % 2, &[slot % 8]),
        };
        match list % 8 {
            0..4 => Vec::new(),
            4 => vec![entry(list / 8, a)],
            5 => vec![entry(list / 8, a), entry(2, b)],
            6 => vec![entry(2, a), entry(2, b), entry(5, a), entry(5, b)],
            _ => (0..8).map(|slot| entry(list / 8, slot)).collect(),
        }
    }
}
