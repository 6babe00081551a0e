//! `unless`: calls that the host refuses before they run, by what was there before the block.

use kempe_abi::{Address, Outcome, TrapKind};
use kempe_runtime::scheduler::{Color, SCHEDULERS};
use kempe_runtime::types::{Action, Receipt, StateKey};
use kempe_tests::{CHAOS, FUEL, World, call, genesis, number, options};
use proptest::prelude::*;

/// The numbers of the fields of `Chaos`.
const SUMS: u8 = 1;
const FLAGS: u8 = 7;

/// Set before the block of each test.
const SET: u8 = 3;
const CLEAR: u8 = 4;
/// What `flag` takes to set a flag, and to put `false` there.
const ON: u8 = 1;
const OFF: u8 = 2;

const GUARDED: Outcome = Outcome::Trap(TrapKind::Guarded);

struct Setup {
    world: World,
    chaos: Address,
    other: Address,
}

fn setup(gas: u64) -> Setup {
    let mut world = World::of(genesis(6, gas), options(3, &Color));
    let [chaos, other] = [0, 1].map(|from| world.deploy(from, CHAOS, &()));
    for contract in [chaos, other] {
        for args in [(SET, ON), (CLEAR, OFF)] {
            assert_eq!(world.send(0, call(contract, "flag", &args)).outcome, Outcome::Ok);
        }
    }
    Setup { world, chaos, other }
}

impl Setup {
    /// Runs a block by every scheduler, each against the oracle, and then builds it. The receipts are in the
    /// order of the transactions.
    fn block(&mut self, txs: Vec<(usize, Vec<Action>)>) -> Vec<Receipt> {
        let txs = self.world.sign(txs);
        let mut receipts = Vec::new();
        for scheduler in SCHEDULERS {
            self.world.chain.set_options(options(3, scheduler)).expect("threads start");
            let prepared = self.world.chain.prepare(txs.clone(), 0).expect("it is prepared");
            let output = self.world.chain.execute(&prepared).expect("it runs");
            let oracle = self.world.chain.execute_oracle(&prepared).expect("it runs");
            assert_eq!(output, oracle, "{}", scheduler.name());
            if scheduler.name() == "color" {
                receipts = output.receipts;
            }
        }
        self.world.chain.set_options(options(3, &Color)).expect("threads start");
        self.world.build(txs);
        receipts
    }

    fn one(&mut self, action: Action) -> Receipt {
        self.block(vec![(2, vec![action])]).remove(0)
    }

    fn cell(&self, field: u8, slot: u8) -> Option<Vec<u8>> {
        let state = self.world.chain.state().expect("readable");
        let key = StateKey::new(self.chaos, field, &[slot]);
        state.get(&key.hash()).expect("readable").map(|value| value.to_vec())
    }

    fn sum(&self, slot: u8) -> Option<Vec<u8>> {
        self.cell(SUMS, slot)
    }
}

/// Asserts that a call was stopped by a flag of `contract`.
fn assert_stopped(receipt: &Receipt, contract: Address, slot: u8) {
    assert_eq!(receipt.outcome, GUARDED);
    let failure = receipt.failure.as_ref().expect("it says why");
    assert_eq!(failure.guard, Some(StateKey::new(contract, FLAGS, &[slot])));
    assert_eq!((failure.contract, &failure.undeclared), (contract, &None));
    assert!(receipt.results.is_empty() && receipt.events.is_empty());
}

#[test]
fn a_set_flag_stops_the_call_before_it_runs() {
    let mut s = setup(3);
    let receipt = s.one(call(s.chaos, "guarded", &(SET, 1u8)));
    assert_stopped(&receipt, s.chaos, SET);
    // Neither what holds `false` nor what holds nothing stops anything.
    for slot in [CLEAR, 5] {
        let ran = s.one(call(s.chaos, "guarded", &(slot, 1u8)));
        assert_eq!((ran.outcome, s.sum(slot)), (Outcome::Ok, Some(vec![1])));
        assert!(receipt.fuel < ran.fuel, "{} {}", receipt.fuel, ran.fuel);
    }
    assert_eq!(s.sum(SET), None);
    let prices = s.world.chain.genesis().prices;
    assert_eq!(receipt.fee, prices.fee(receipt.fuel));
    // Code that never ends did not begin; where it begins, it burns all there is.
    let never = s.one(call(s.chaos, "spin_guarded", &SET));
    assert_stopped(&never, s.chaos, SET);
    assert!(never.fuel < FUEL / 100, "{}", never.fuel);
    let spun = s.one(call(s.chaos, "spin_guarded", &CLEAR));
    assert_eq!((spun.outcome, spun.fuel), (Outcome::Trap(TrapKind::OutOfFuel), FUEL));
}

#[test]
fn what_the_block_does_to_a_flag_holds_from_the_next_one_on() {
    let mut s = setup(0);
    let guarded = |s: &Setup, slot: u8| call(s.chaos, "guarded", &(slot, 1u8));
    let block = vec![
        (0, vec![call(s.chaos, "flag", &(CLEAR, ON))]),
        (1, vec![guarded(&s, CLEAR)]),
        (2, vec![call(s.chaos, "flag", &(SET, OFF))]),
        (3, vec![guarded(&s, SET)]),
        // Its own transaction's write does not count either.
        (4, vec![call(s.chaos, "flag", &(5u8, ON)), guarded(&s, 5)]),
    ];
    let prepared = s.world.chain.prepare(s.world.sign(block.clone()), 0).expect("it is prepared");
    assert_eq!(prepared.plan.schedule().n_batches(), 1, "flags and those they guard commute");
    let receipts = s.block(block);
    let outcomes: Vec<Outcome> = receipts.iter().map(|receipt| receipt.outcome).collect();
    assert_eq!(outcomes, [Outcome::Ok, Outcome::Ok, Outcome::Ok, GUARDED, Outcome::Ok]);
    assert_stopped(&s.one(guarded(&s, CLEAR)), s.chaos, CLEAR);
    assert_stopped(&s.one(guarded(&s, 5)), s.chaos, 5);
    assert_eq!(s.one(guarded(&s, SET)).outcome, Outcome::Ok);
}

#[test]
fn each_element_of_a_list_guards() {
    let mut s = setup(0);
    let spread = |s: &Setup, slots: &[u8]| call(s.chaos, "spread_guarded", &(slots, 9u64));
    assert_stopped(&s.one(spread(&s, &[CLEAR, 5, SET, 6])), s.chaos, SET);
    assert_eq!(s.one(spread(&s, &[CLEAR, 5, 6])).outcome, Outcome::Ok);
    assert_eq!(s.one(spread(&s, &[])).outcome, Outcome::Ok);
}

#[test]
fn a_call_of_another_contract_is_guarded_by_what_it_is_called_with() {
    let mut s = setup(0);
    let both = |s: &Setup, slot: u8, next: u8| call(s.chaos, "try_guarded", &(s.other, slot, next));
    // Who catches it goes on; the second is the one that is named.
    let caught = s.one(both(&s, SET, CLEAR));
    assert_eq!((caught.outcome, caught.results), (Outcome::Ok, vec![vec![0]]));
    let free = s.one(both(&s, CLEAR, CLEAR));
    assert_eq!((free.outcome, free.results), (Outcome::Ok, vec![vec![1]]));
    assert_stopped(&s.one(both(&s, CLEAR, SET)), s.other, SET);
    assert_stopped(&s.one(both(&s, SET, SET)), s.other, SET);
    // A template that names no callee changes nothing about it.
    let seek = |s: &Setup| call(s.chaos, "seek_guarded", &(s.other, 0u8));
    assert_eq!(s.one(seek(&s)).outcome, Outcome::Ok);
    assert_eq!(s.one(call(s.chaos, "put", &(0u8, u64::from(SET)))).outcome, Outcome::Ok);
    assert_stopped(&s.one(seek(&s)), s.other, SET);
}

#[test]
fn a_later_call_that_is_stopped_undoes_the_earlier_ones() {
    let mut s = setup(0);
    let add = |s: &Setup, slot: u8| call(s.chaos, "guarded", &(slot, 1u8));
    let actions = vec![add(&s, CLEAR), add(&s, SET)];
    let receipt = s.block(vec![(2, actions)]).remove(0);
    assert_stopped(&receipt, s.chaos, SET);
    assert_eq!((receipt.failure.expect("it failed").action, s.sum(CLEAR)), (1, None));
}

const METHODS: &[&str] =
    &["flag", "guarded", "guarded", "spread_guarded", "try_guarded", "seek_guarded", "add", "put"];

proptest! {
    #![proptest_config(ProptestConfig {
        cases: number("KEMPE_CASES", 3), ..ProptestConfig::default()
    })]

    /// Blocks of flags and what they guard, against a model: the flags before the block.
    #[test]
    fn flags_before_the_block_decide_by_every_scheduler(
        blocks in proptest::collection::vec(
            proptest::collection::vec(
                (0..6_usize, proptest::sample::select(METHODS), 0..4_u8, 0..8_u8), 1..12,
            ),
            6,
        ),
    ) {
        let mut s = setup(0);
        let mut flags = [false; 8];
        flags[usize::from(SET)] = true;
        for block in blocks {
            let txs = block.iter().map(|&(from, method, slot, n)| {
                let action = match method {
                    "spread_guarded" => call(s.chaos, method, &(vec![slot, n], 5u64)),
                    "try_guarded" => call(s.other, method, &(s.chaos, slot, n)),
                    "seek_guarded" => call(s.other, method, &(s.chaos, slot)),
                    "put" => call(s.other, method, &(slot, u64::from(n))),
                    _ => call(s.chaos, method, &(slot, n)),
                };
                (from, vec![action])
            });
            let txs = txs.collect();
            let receipts = s.block(txs);
            let before = flags;
            let set = |slot: u8| before[usize::from(slot)];
            for (receipt, &(_, method, slot, n)) in receipts.iter().zip(&block) {
                let stopped = receipt.outcome == GUARDED;
                match method {
                    "guarded" => prop_assert_eq!(stopped, set(slot)),
                    "spread_guarded" => prop_assert_eq!(stopped, set(slot) || set(n)),
                    "try_guarded" => {
                        prop_assert_eq!(stopped, set(n), "{:?}", receipt);
                        let tried = vec![vec![u8::from(!set(slot))]];
                        prop_assert!(receipt.outcome != Outcome::Ok || receipt.results == tried);
                    }
                    "flag" => prop_assert_eq!(receipt.outcome, Outcome::Ok),
                    _ => {}
                }
            }
            // Those who set one flag are ordered; the last in the published order holds.
            for slot in 0..4_u8 {
                flags[usize::from(slot)] = s.cell(FLAGS, slot) == Some(vec![1]);
            }
        }
    }
}
