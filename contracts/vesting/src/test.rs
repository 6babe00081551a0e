//! The rules of vesting, run natively.

extern crate std;

use kempe_sdk::prelude::*;
use kempe_sdk::testing::{Instance, Receipt, TestChain};
use kempe_token::{Token, TokenError};

use crate::{Grant, Granted, Progress, Released, Revoked, Vesting, VestingError};

struct Setup {
    chain: TestChain,
    token: Instance<Token>,
    vesting: Instance<Vesting>,
    funder: Address,
    worker: Address,
    start_ms: u64,
}

fn setup() -> Setup {
    let mut chain = TestChain::native();
    let [funder, worker] = ["funder", "worker"].map(|name| chain.account(name));
    let token = chain.deploy::<Token>(funder, (funder,));
    let vesting = chain.deploy::<Vesting>(funder, ());
    chain.send(funder, &token, "mint", (funder, 10_000u128)).assert_ok();
    chain.send(funder, &token, "approve", (vesting.address(), u128::MAX)).assert_ok();
    let start_ms = chain.time_ms();
    Setup { chain, token, vesting, funder, worker, start_ms }
}

impl Setup {
    /// 1,000 over 100 seconds, nothing before 20.
    fn grant(&self) -> Grant {
        Grant {
            funder: self.funder,
            beneficiary: self.worker,
            token: self.token.address(),
            amount: 1_000,
            start_ms: self.start_ms,
            cliff_ms: self.start_ms + 20_000,
            end_ms: self.start_ms + 100_000,
            revocable: true,
            salt: 0,
        }
    }

    /// The next block is this long after the start.
    fn at(&mut self, seconds: u64) {
        let now = self.chain.time_ms();
        self.chain.advance_ms(self.start_ms + seconds * 1_000 - now);
    }

    fn send(&mut self, sender: Address, method: &str, grant: &Grant) -> Receipt {
        self.chain.send(sender, &self.vesting, method, (grant.clone(),))
    }

    fn balances(&mut self) -> [u128; 3] {
        let vesting = self.vesting.address();
        [self.funder, self.worker, vesting].map(|of| self.chain.view(&self.token, "balance", (of,)))
    }

    fn releasable(&mut self, grant: &Grant) -> u128 {
        self.chain.view(&self.vesting, "releasable", (grant.clone(),))
    }
}

#[test]
fn a_grant_vests_by_the_second_behind_its_cliff() {
    let mut s = setup();
    let grant = s.grant();
    let receipt = s.send(s.funder, "fund", &grant);
    let id: Hash = receipt.value();
    assert_eq!(receipt.events::<Granted>(), [Granted { id, grant: grant.clone() }]);
    s.at(19);
    s.send(s.worker, "release", &grant).assert_revert(VestingError::NothingVested);
    assert_eq!(s.releasable(&grant), 200);
    s.at(50);
    let receipt = s.send(s.worker, "release", &grant);
    assert_eq!(receipt.events::<Released>(), [Released { id, amount: 500 }]);
    assert_eq!(s.balances(), [9_000, 500, 500]);
    s.at(51);
    assert_eq!(s.send(s.funder, "release", &grant).value::<u128>(), 10);
    s.at(1_000);
    assert_eq!(s.send(s.worker, "release", &grant).value::<u128>(), 490);
    s.send(s.worker, "release", &grant).assert_revert(VestingError::NothingVested);
    assert_eq!(s.balances(), [9_000, 1_000, 0]);
    let progress = s.chain.view::<Option<Progress>>(&s.vesting, "progress", (grant,));
    assert_eq!(progress, Some(Progress { released: 1_000, revoked_at: None }));
}

#[test]
fn what_has_vested_is_not_taken_back() {
    let mut s = setup();
    let grant = s.grant();
    let id: Hash = s.send(s.funder, "fund", &grant).value();
    s.at(30);
    s.send(s.worker, "release", &grant).assert_ok();
    s.at(40);
    let receipt = s.send(s.funder, "revoke", &grant);
    assert_eq!(receipt.events::<Revoked>(), [Revoked { id, vested: 400, returned: 600 }]);
    // What has vested is paid when somebody asks for it, and the funder does not depend on that.
    assert_eq!(s.balances(), [9_600, 300, 100]);
    s.at(90);
    assert_eq!(s.releasable(&grant), 100);
    assert_eq!(s.send(s.worker, "release", &grant).value::<u128>(), 100);
    assert_eq!(s.balances(), [9_600, 400, 0]);
    s.send(s.worker, "release", &grant).assert_revert(VestingError::NothingVested);
    s.send(s.funder, "revoke", &grant).assert_revert(VestingError::NotActive);
    s.send(s.funder, "fund", &grant).assert_revert(VestingError::AlreadyFunded);
}

#[test]
fn refusals() {
    let mut s = setup();
    let grant = s.grant();
    s.send(s.worker, "fund", &grant).assert_revert(VestingError::NotFunder);
    for bad in [
        Grant { amount: 0, ..grant.clone() },
        Grant { beneficiary: s.funder, ..grant.clone() },
        Grant { cliff_ms: grant.start_ms - 1, ..grant.clone() },
        Grant { end_ms: grant.cliff_ms - 1, ..grant.clone() },
    ] {
        s.send(s.funder, "fund", &bad).assert_revert(VestingError::BadTerms);
    }
    let rich = Grant { amount: 10_001, ..grant.clone() };
    s.send(s.funder, "fund", &rich).assert_revert(TokenError::InsufficientBalance);
    s.send(s.worker, "release", &grant).assert_revert(VestingError::NotActive);
    s.send(s.funder, "fund", &grant).assert_ok();
    s.send(s.worker, "revoke", &grant).assert_revert(VestingError::NotFunder);
    let firm = Grant { revocable: false, ..grant };
    s.send(s.funder, "fund", &firm).assert_ok();
    s.send(s.funder, "revoke", &firm).assert_revert(VestingError::NotRevocable);
}

#[test]
fn a_grant_that_begins_and_ends_at_once_is_a_payment() {
    let mut s = setup();
    let now = s.start_ms;
    let grant = Grant { cliff_ms: now, end_ms: now, ..s.grant() };
    s.send(s.funder, "fund", &grant).assert_ok();
    assert_eq!(s.send(s.worker, "release", &grant).value::<u128>(), 1_000);
}

#[test]
fn vesting_is_exact_at_the_edges() {
    let s = setup();
    let grant = Grant { amount: u128::MAX, cliff_ms: s.start_ms, ..s.grant() };
    assert_eq!(grant.vested(grant.start_ms), 0);
    assert_eq!(grant.vested(grant.start_ms + 50_000), u128::MAX / 2);
    assert_eq!(grant.vested(grant.end_ms - 1), u128::MAX - u128::MAX / 100_000 - 1);
    assert_eq!(grant.vested(grant.end_ms), u128::MAX);
}
