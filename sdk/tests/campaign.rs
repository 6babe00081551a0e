//! A campaign finds a planted bug, and shows the shortest sequence of calls that has it.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::missing_errors_doc,
    reason = "contracts are public, a test is not"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use kempe_sdk::abi::upgrade::UpgradeTerms;
use kempe_sdk::prelude::*;
use kempe_sdk::testing::{
    Backend, BlockReport, Campaign, CodeSource, Instance, Native, NewChain, Receipt, TestChain, Tx,
};

/// Loses one coin of each payment that is larger than 40, if the receiver has paid before.
#[contract]
pub struct Leaky {
    coins: Map<Address, u64>,
    has_paid: Map<Address, bool>,
}

#[contract]
impl Leaky {
    #[access(write(coins[caller]))]
    pub fn fill(&mut self) {
        self.coins.put(caller(), 1_000);
    }

    #[access(write(coins[caller], coins[to], has_paid[caller]), read(has_paid[to]))]
    pub fn pay(&mut self, to: Address, amount: u64) -> Result<(), Revert> {
        let left = self.coins.get(caller()).checked_sub(amount).ok_or(revert(100))?;
        self.coins.put(caller(), left);
        let lost = u64::from(amount > 40 && self.has_paid.get(to));
        self.coins.update(to, |had| had + amount - lost);
        self.has_paid.put(caller(), true);
        Ok(())
    }

    #[access(read(coins[of]))]
    pub fn coins(&self, of: Address) -> u64 {
        self.coins.get(of)
    }
}

struct World {
    leaky: Instance<Leaky>,
    people: [Address; 3],
    filled: u64,
}

fn campaign() -> Campaign<World> {
    Campaign::new(|chain| {
        let people = ["ann", "ben", "cid"].map(|name| chain.account(name));
        let leaky = chain.deploy::<Leaky>(people[0], ());
        for person in people {
            chain.send(person, &leaky, "fill", ()).assert_ok();
        }
        World { leaky, people, filled: 3_000 }
    })
    .call(1, "pay", |w, rng, _| {
        let [from, to] = [0, 1].map(|_| w.people[rng.usize(0..3)]);
        w.leaky.tx(from, "pay", (to, rng.u64(0..100)))
    })
    .invariant("no coin is lost", |w, chain| {
        let sum: u64 =
            w.people.map(|who| chain.view::<u64>(&w.leaky, "coins", (who,))).iter().sum();
        if sum == w.filled { Ok(()) } else { Err(format!("sum={sum}")) }
    })
}

/// A campaign in which nothing is wrong.
fn filling() -> Campaign<(Instance<Leaky>, Address)> {
    Campaign::new(|chain| {
        let ann = chain.account("ann");
        (chain.deploy::<Leaky>(ann, ()), ann)
    })
    .call(1, "fill", |(leaky, ann), _, _| leaky.tx(*ann, "fill", ()))
}

fn failure(run: impl FnOnce()) -> String {
    let thrown = catch_unwind(AssertUnwindSafe(run)).expect_err("the campaign fails");
    thrown.downcast_ref::<String>().cloned().expect("a panic with a message")
}

#[test]
fn a_leak_is_found_and_shrunk() {
    let text = failure(|| drop(campaign().run(2_000, &[("native", &TestChain::native)])));
    assert!(text.starts_with("invariant `no coin is lost` does not hold on native"), "{text}");
    let calls: Vec<&str> = text.lines().filter(|line| line.contains("Leaky.pay(")).collect();
    // Somebody pays, then is paid the least that loses a coin: or pays herself.
    assert_eq!(calls.len(), 2, "{text}");
    assert!(calls[0].ends_with(", 0)") && calls[1].ends_with(", 41)"), "{text}");
}

#[test]
fn calls_that_never_succeed_are_no_test() {
    let campaign = Campaign::new(|chain| {
        let ann = chain.account("ann");
        (chain.deploy::<Leaky>(ann, ()), ann)
    })
    .call(1, "pay too much", |(leaky, ann), _, _| leaky.tx(*ann, "pay", (*ann, 1u64)));
    let text = failure(|| drop(campaign.run(20, &[("native", &TestChain::native)])));
    assert!(text.contains("none of 20 calls `pay too much` succeeded"), "{text}");
}

#[test]
fn calls_that_are_never_made_up_are_no_test() {
    let never = || filling().call(0, "again", |(leaky, ann), _, _| leaky.tx(*ann, "fill", ()));
    let native: NewChain<'_> = ("native", &TestChain::native);
    let text = failure(|| drop(never().run(5, &[native])));
    assert!(text.starts_with("no call `again` was made up in 5 calls"), "{text}");
    // An attack need not be tried.
    filling().attack(0, "again", |(leaky, ann), _, _| leaky.tx(*ann, "fill", ())).run(5, &[native]);
}

#[test]
fn ways_that_disagree_are_found() {
    // The second way's chain is one block ahead, which a contract can see.
    #[contract]
    pub struct Clock {
        at: Item<u64>,
    }
    #[contract]
    impl Clock {
        #[access(write(at))]
        pub fn tick(&mut self) -> u64 {
            self.at.put(height());
            height()
        }
    }
    let campaign = Campaign::new(|chain| {
        let ann = chain.account("ann");
        (chain.deploy::<Clock>(ann, ()), ann)
    })
    .call(1, "tick", |(clock, ann), _, _| clock.tx(*ann, "tick", ()));
    let late = || {
        let mut chain = TestChain::native();
        chain.advance_blocks(1);
        chain
    };
    let ways: [(&str, &dyn Fn() -> TestChain); 2] =
        [("native", &TestChain::native), ("late", &late)];
    let text = failure(|| drop(campaign.run(50, &ways)));
    assert!(text.starts_with("one receipt in every way does not hold on late"), "{text}");
}

/// A native chain with a root of its own, which only counts blocks, from a number on.
#[derive(Clone)]
struct Rooted(Native, u8);

impl Backend for Rooted {
    fn account(&mut self, name: &str, address: Address, seed: [u8; 32]) {
        self.0.account(name, address, seed);
    }
    fn deploy(
        &mut self,
        deployer: Address,
        code: &CodeSource,
        args: &[u8],
        authority: Option<Address>,
    ) -> (Receipt, Option<Address>) {
        self.0.deploy(deployer, code, args, authority)
    }
    fn upgrade(&mut self, sender: Address, code: &CodeSource, terms: &UpgradeTerms) -> Receipt {
        self.0.upgrade(sender, code, terms)
    }
    fn code_hash(&self, code: &CodeSource) -> Hash {
        self.0.code_hash(code)
    }
    fn snapshot(&self) -> Box<dyn Backend> {
        Box::new(self.clone())
    }
    fn block(&mut self, txs: &[Tx]) -> BlockReport {
        self.1 = self.1.wrapping_add(1);
        self.0.block(txs)
    }
    fn view(&mut self, call: &Tx) -> Receipt {
        self.0.view(call)
    }
    fn advance_ms(&mut self, ms: u64) {
        self.0.advance_ms(ms);
    }
    fn height(&self) -> u64 {
        self.0.height()
    }
    fn time_ms(&self) -> u64 {
        self.0.time_ms()
    }
    fn root(&self) -> Option<Hash> {
        Some(Hash([self.1; 32]))
    }
    fn cell(&self, contract: Address, field: u8, key: &[u8]) -> Option<Vec<u8>> {
        self.0.cell(contract, field, key)
    }
}

#[test]
fn roots_that_differ_are_found_behind_a_way_that_has_none() {
    let rooted = |from| move || TestChain::on(Rooted(Native::default(), from));
    let (zero, one) = (rooted(0), rooted(1));
    let native: NewChain<'_> = ("native", &TestChain::native);
    filling().run(20, &[native, ("parallel", &zero), ("one by one", &zero)]);
    let ways: [NewChain<'_>; 3] = [native, ("parallel", &zero), ("one by one", &one)];
    let text = failure(|| drop(filling().run(20, &ways)));
    assert!(text.starts_with("one state root does not hold on one by one"), "{text}");
    assert!(text.contains(" on parallel\n"), "{text}");
}

#[test]
fn height_and_time_are_the_tests_to_set() {
    let mut chain = TestChain::native();
    chain.advance_to_height(7);
    chain.set_time_ms(1_000_000);
    assert_eq!((chain.height(), chain.time_ms()), (7, 1_000_000));
}
