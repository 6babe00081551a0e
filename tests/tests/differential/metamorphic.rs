//! What must not change when a block does: if it is split, if something without effect is among it, if transactions that
//! have nothing to do with each other change places, and if accounts have other addresses.

use std::collections::BTreeMap;

use kempe_abi::Hash;
use kempe_runtime::chain::Prepared;
use kempe_runtime::scheduler::{Mode, SCHEDULERS, Scheduler};
use kempe_runtime::types::{Receipt, SignedTransaction};
use kempe_tests::{Account, FUEL, World, call, cells_of, genesis, options};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::calls::{Contracts, N_ACCOUNTS, Spec, What, block, setup};
use crate::cases;

/// Methods of chaos that only read and write cells, fail, or do nothing.
const PLAIN: &[&str] =
    &["put", "fail_after_writing", "remove", "show", "copy", "recall", "nothing"];

/// Whether what a transaction does follows from what those before it left, however many blocks they are in and in whichever
/// order they add to what it does not read: nothing comes to a bound of what additions make.
fn is_plain(what: &What) -> bool {
    match what {
        What::Mint { amount, .. } => *amount < 1_000_000,
        What::Chaos { method, .. } => PLAIN.contains(method),
        What::Lower { .. } | What::Deploy => false,
        _ => true,
    }
}

fn plain_block() -> impl Strategy<Value = Vec<Spec>> {
    let plain = block().prop_map(|mut block| {
        block.retain(|spec| spec.actions.iter().all(is_plain));
        block
    });
    plain.prop_filter("of a few transactions", |block| block.len() > 3)
}

/// Schedulers that keep the given order where it matters.
fn in_order() -> impl Strategy<Value = &'static dyn Scheduler> {
    let all: Vec<_> = SCHEDULERS.iter().filter(|by| by.mode() == Mode::Preserve).collect();
    proptest::sample::select(all).prop_map(|by| *by)
}

/// A chain with contracts, and one account more than blocks use.
fn started(by: &'static dyn Scheduler) -> (World, Contracts) {
    let mut world = World::of(genesis(N_ACCOUNTS + 1, 0), options(3, by));
    let contracts = setup(&mut world);
    (world, contracts)
}

/// The transactions of a block, and behind them one that does nothing, of the account that is left.
fn signed(world: &World, contracts: &Contracts, block: &[Spec]) -> Vec<SignedTransaction> {
    let nothing = call(contracts.chaos[0], "nothing", &());
    let txs = block.iter().map(|spec| {
        let actions = spec.actions.iter().map(|what| what.action(world, contracts)).collect();
        (spec.from, actions, spec.fuel, Vec::new())
    });
    let last = (usize::from(N_ACCOUNTS), vec![nothing], FUEL, Vec::new());
    world.sign_with(txs.chain([last]))
}

/// When all blocks are made, since contracts add up prices over time.
const TIME_MS: u64 = 1_000_000_000;

/// What a chain has after some blocks: its cells, and the receipts by transaction.
type Left = (Vec<String>, BTreeMap<Hash, Receipt>);

fn left(by: &'static dyn Scheduler, blocks: Vec<Vec<SignedTransaction>>) -> Left {
    let (mut world, _) = started(by);
    let mut receipts = BTreeMap::new();
    for block in blocks {
        let report = world.chain.build(block, TIME_MS).expect("the block is built");
        assert!(report.rejected.is_empty(), "{:?}", report.rejected);
        // Behind a list that is not found all wait for the end of their block, wherever that is.
        let plain = report.record.receipts.into_iter().map(|of| Receipt { tail: false, ..of });
        receipts.extend(plain.map(|receipt| (receipt.tx, receipt)));
    }
    (cells_of(&world.chain).expect("readable"), receipts)
}

/// Without all the cells where it fails.
fn same(one: &Left, other: &Left) -> Result<(), TestCaseError> {
    prop_assert_eq!(&one.1, &other.1);
    let differs = one.0.iter().zip(&other.0).find(|(one, other)| one != other);
    prop_assert!(one.0 == other.0, "{} and {} cells, {differs:.300?}", one.0.len(), other.0.len());
    Ok(())
}

/// An order in which all that have to do with each other, and all of one sender, stay in theirs; others are drawn. Of whom no list is known, because it
/// was not found or whoever's it is waits for that, nobody knows what it has to do with.
fn reordered(prepared: &Prepared, luck: &[Index]) -> Vec<usize> {
    let interned = prepared.plan.interned();
    let (accesses, senders) = (interned.accesses(), interned.senders());
    let conflict = |one: usize, other: usize| {
        let [one_s, other_s] =
            [one, other].map(|tx| accesses.of(u32::try_from(tx).expect("a block is short")));
        let meets = one_s.iter().any(|one| {
            other_s.iter().any(|other| one.slot == other.slot && one.kind.conflicts(other.kind))
        });
        let is_unknown = interned.tail()[one] || interned.tail()[other];
        is_unknown || meets || senders[one] == senders[other]
    };
    let (mut left, mut order): (Vec<usize>, _) = ((0..senders.len()).collect(), Vec::new());
    for luck in luck.iter().cycle().take(senders.len()) {
        let free =
            (0..left.len()).filter(|&at| !left[..at].iter().any(|&tx| conflict(tx, left[at])));
        let free: Vec<usize> = free.collect();
        order.push(left.remove(free[luck.index(free.len())]));
    }
    order
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases().div_ceil(8), max_shrink_iters: 50, ..ProptestConfig::default() })]

    #[test]
    fn a_block_in_two_leaves_what_it_leaves_in_one(
        block in plain_block(), at: Index, [one, other] in [in_order(), in_order()],
    ) {
        let (world, contracts) = started(one);
        let txs = signed(&world, &contracts, &block);
        let (first, second) = txs.split_at(at.index(txs.len()));
        let whole = left(one, vec![txs.clone()]);
        same(&whole, &left(other, vec![first.to_vec(), second.to_vec()]))?;
    }

    #[test]
    fn what_does_nothing_changes_nothing_wherever_it_stands(
        block in plain_block(), at: Index, [one, other] in [in_order(), in_order()],
    ) {
        let (world, contracts) = started(one);
        let mut txs = signed(&world, &contracts, &block);
        let last = left(one, vec![txs.clone()]);
        let nothing = txs.pop().expect("it is there");
        txs.insert(at.index(txs.len() + 1), nothing);
        same(&last, &left(other, vec![txs]))?;
    }

    #[test]
    fn who_has_nothing_to_do_with_each_other_may_change_places(
        block in plain_block(),
        luck in proptest::collection::vec(any::<Index>(), 1..30),
        [one, other] in [in_order(), in_order()],
    ) {
        let (world, contracts) = started(one);
        let txs = signed(&world, &contracts, &block);
        let prepared = world.chain.prepare(txs.clone(), 0).expect("it is prepared");
        let order = reordered(&prepared, &luck).into_iter().map(|tx| txs[tx].clone()).collect();
        same(&left(one, vec![txs]), &left(other, vec![order]))?;
    }

    #[test]
    fn accounts_by_other_names_do_the_same(
        block in plain_block(), n_on in 1..N_ACCOUNTS, [one, other] in [in_order(), in_order()],
    ) {
        let run = |by, n_on: u8| {
            let mut world = World::of(genesis(N_ACCOUNTS + 1, 0), options(3, by));
            let name = |at| Account::new((at + n_on) % (N_ACCOUNTS + 1));
            world.accounts = (0..=N_ACCOUNTS).map(name).collect();
            let contracts = setup(&mut world);
            let txs = signed(&world, &contracts, &block);
            let receipts = world.build(txs).record.receipts;
            let ends = receipts.into_iter().map(|of| (of.outcome, of.results, of.events.len()));
            let ends: Vec<_> = ends.collect();
            let mut has = Vec::new();
            for token in contracts.tokens {
                has.push(world.send(0, call(token, "total_supply", &())).results);
                for at in 0..usize::from(N_ACCOUNTS) {
                    let who = world.accounts[at].address;
                    has.push(world.send(0, call(token, "balance_of", &who)).results);
                }
            }
            (ends, has)
        };
        prop_assert_eq!(run(one, 0), run(other, n_on));
    }
}
