//! The escrow's rules, run natively.

extern crate std;

use kempe_sdk::prelude::*;
use kempe_sdk::sha256;
use kempe_sdk::testing::{Instance, TestChain};
use kempe_token::{Token, TokenError};

use crate::{Claimed, Closed, Deal, Escrow, EscrowError, Lock, Opened, Revealed, State};

const SECRET: [u8; 32] = [7; 32];

struct Setup {
    chain: TestChain,
    token: Instance<Token>,
    escrow: Instance<Escrow>,
    buyer: Address,
    seller: Address,
    arbiter: Address,
}

fn setup() -> Setup {
    let mut chain = TestChain::native();
    let [buyer, seller, arbiter] = ["buyer", "seller", "arbiter"].map(|name| chain.account(name));
    let token = chain.deploy::<Token>(buyer, (buyer,));
    let escrow = chain.deploy::<Escrow>(buyer, ());
    chain.send(buyer, &token, "mint", (buyer, 1_000u128)).assert_ok();
    chain.send(buyer, &token, "approve", (escrow.address(), u128::MAX)).assert_ok();
    Setup { chain, token, escrow, buyer, seller, arbiter }
}

impl Setup {
    fn deal(&self, salt: u64) -> Deal {
        Deal {
            buyer: self.buyer,
            seller: self.seller,
            arbiter: self.arbiter,
            token: self.token.address(),
            amount: 100,
            deadline_ms: 1_000_000,
            salt,
        }
    }

    fn lock(&self) -> Lock {
        Lock {
            sender: self.buyer,
            recipient: self.seller,
            token: self.token.address(),
            amount: 100,
            secret_hash: sha256(&SECRET),
            deadline_ms: 1_000_000,
            salt: 0,
        }
    }

    fn send(&mut self, sender: Address, method: &str, deal: &Deal) -> kempe_sdk::testing::Receipt {
        self.chain.send(sender, &self.escrow, method, (deal.clone(),))
    }

    fn balances(&mut self) -> [u128; 3] {
        let escrow = self.escrow.address();
        [self.buyer, self.seller, escrow].map(|of| self.chain.view(&self.token, "balance", (of,)))
    }
}

#[test]
fn the_buyer_releases() {
    let mut s = setup();
    let deal = s.deal(0);
    let receipt = s.send(s.buyer, "open", &deal);
    let id: Hash = receipt.value();
    assert_eq!(receipt.events::<Opened>(), [Opened { id, deal: deal.clone() }]);
    assert_eq!(s.balances(), [900, 0, 100]);
    let receipt = s.send(s.buyer, "release", &deal);
    assert_eq!(receipt.events::<Closed>(), [Closed { id, paid: true, by: s.buyer }]);
    assert_eq!(s.balances(), [900, 100, 0]);
    assert_eq!(s.chain.view::<Option<State>>(&s.escrow, "deal", (deal,)), Some(State::Paid));
}

#[test]
fn each_party_may_do_its_part_only() {
    let mut s = setup();
    let deal = s.deal(0);
    s.send(s.seller, "open", &deal).assert_revert(EscrowError::NotAllowed);
    s.send(s.buyer, "open", &deal).assert_ok();
    s.send(s.seller, "release", &deal).assert_revert(EscrowError::NotAllowed);
    s.send(s.buyer, "refund", &deal).assert_revert(EscrowError::NotAllowed);
    s.send(s.seller, "refund", &deal).assert_ok();
    assert_eq!(s.balances(), [1_000, 0, 0]);

    for (salt, method, after) in [(1, "refund", [1_000, 0, 0]), (2, "release", [900, 100, 0])] {
        let deal = s.deal(salt);
        s.send(s.buyer, "open", &deal).assert_ok();
        s.send(s.arbiter, method, &deal).assert_ok();
        assert_eq!(s.balances(), after);
    }
}

#[test]
fn the_buyer_takes_back_from_the_deadline_on() {
    let mut s = setup();
    let deal = Deal { deadline_ms: s.chain.time_ms() + 2_000, ..s.deal(0) };
    s.send(s.buyer, "open", &deal).assert_ok();
    s.send(s.buyer, "refund", &deal).assert_revert(EscrowError::NotAllowed);
    s.send(s.buyer, "refund", &deal).assert_ok();
    assert_eq!(s.balances(), [1_000, 0, 0]);
}

#[test]
fn a_deal_is_closed_once_and_never_opened_again() {
    let mut s = setup();
    let deal = s.deal(0);
    s.send(s.buyer, "release", &deal).assert_revert(EscrowError::NotOpen);
    s.send(s.buyer, "refund", &deal).assert_revert(EscrowError::NotOpen);
    s.send(s.buyer, "open", &deal).assert_ok();
    s.send(s.buyer, "open", &deal).assert_revert(EscrowError::AlreadyOpened);
    s.send(s.buyer, "release", &deal).assert_ok();
    s.send(s.arbiter, "refund", &deal).assert_revert(EscrowError::NotOpen);
    s.send(s.buyer, "release", &deal).assert_revert(EscrowError::NotOpen);
    s.send(s.buyer, "open", &deal).assert_revert(EscrowError::AlreadyOpened);
    // Other terms are another deal: nothing can be taken out of one with the terms of the other.
    let other = Deal { amount: 101, ..deal };
    s.send(s.buyer, "release", &other).assert_revert(EscrowError::NotOpen);
}

#[test]
fn bad_terms() {
    let mut s = setup();
    let deal = s.deal(0);
    let nothing = Deal { amount: 0, ..deal };
    s.send(s.buyer, "open", &nothing).assert_revert(EscrowError::BadTerms);
    for oneself in [
        Deal { seller: s.buyer, ..deal },
        Deal { arbiter: s.buyer, ..deal },
        Deal { arbiter: s.seller, ..deal },
    ] {
        s.send(s.buyer, "open", &oneself).assert_revert(EscrowError::BadTerms);
    }
    let late = Deal { deadline_ms: s.chain.time_ms(), ..deal };
    s.send(s.buyer, "open", &late).assert_revert(EscrowError::Expired);
    let rich = Deal { amount: 1_001, ..deal };
    s.send(s.buyer, "open", &rich).assert_revert(TokenError::InsufficientBalance);
    assert_eq!(s.chain.view::<Option<State>>(&s.escrow, "deal", (rich,)), None);
}

#[test]
fn a_secret_unlocks() {
    let mut s = setup();
    let lock = s.lock();
    let id: Hash = s.chain.send(s.buyer, &s.escrow, "lock", (lock.clone(),)).value();
    assert_eq!(s.balances(), [900, 0, 100]);
    s.chain
        .send(s.arbiter, &s.escrow, "claim", (lock.clone(), [8u8; 32]))
        .assert_revert(EscrowError::WrongSecret);
    s.chain.send(s.buyer, &s.escrow, "reclaim", (lock.clone(),)).assert_revert(EscrowError::NotYet);
    let receipt = s.chain.send(s.arbiter, &s.escrow, "claim", (lock.clone(), SECRET));
    assert_eq!(receipt.events::<Claimed>(), [Claimed { id, secret: SECRET }]);
    assert_eq!(s.balances(), [900, 100, 0]);
    s.chain
        .send(s.arbiter, &s.escrow, "claim", (lock.clone(), SECRET))
        .assert_revert(EscrowError::NotOpen);
    s.chain
        .send(s.buyer, &s.escrow, "reclaim", (lock.clone(),))
        .assert_revert(EscrowError::NotOpen);
    assert_eq!(s.chain.view::<Option<State>>(&s.escrow, "lock_state", (lock,)), Some(State::Paid));
}

/// A claim that the token refuses has shown the secret: the recipient is paid all the same, when the token lets them.
#[test]
fn who_showed_the_secret_in_time_is_paid_late() {
    let mut s = setup();
    let lock = Lock { deadline_ms: s.chain.time_ms() + 5_000, ..s.lock() };
    let id: Hash = s.chain.send(s.buyer, &s.escrow, "lock", (lock.clone(),)).value();
    let send = |s: &mut Setup, method: &str, secret: [u8; 32]| {
        s.chain.send(s.arbiter, &s.escrow, method, (lock.clone(), secret))
    };
    send(&mut s, "reveal", [8; 32]).assert_revert(EscrowError::WrongSecret);
    let receipt = send(&mut s, "reveal", SECRET);
    assert_eq!(receipt.events::<Revealed>(), [Revealed { id, secret: SECRET }]);
    send(&mut s, "reveal", SECRET).assert_revert(EscrowError::NotOpen);
    s.chain.set_time_ms(lock.deadline_ms + 1_000);
    let reclaim = s.chain.send(s.buyer, &s.escrow, "reclaim", (lock.clone(),));
    reclaim.assert_revert(EscrowError::NotOpen);
    send(&mut s, "claim", [8; 32]).assert_revert(EscrowError::WrongSecret);
    send(&mut s, "claim", SECRET).assert_ok();
    assert_eq!(s.balances(), [900, 100, 0]);
    send(&mut s, "claim", SECRET).assert_revert(EscrowError::NotOpen);
    send(&mut s, "reveal", SECRET).assert_revert(EscrowError::NotOpen);
}

#[test]
fn a_lock_runs_out() {
    let mut s = setup();
    let lock = Lock { deadline_ms: s.chain.time_ms() + 1_000, ..s.lock() };
    s.chain.send(s.buyer, &s.escrow, "lock", (lock.clone(),)).assert_ok();
    for method in ["claim", "reveal"] {
        s.chain
            .send(s.seller, &s.escrow, method, (lock.clone(), SECRET))
            .assert_revert(EscrowError::Expired);
    }
    s.chain.send(s.arbiter, &s.escrow, "reclaim", (lock.clone(),)).assert_ok();
    assert_eq!(s.balances(), [1_000, 0, 0]);
    for (sender, lock, error) in [
        (s.seller, s.lock(), EscrowError::NotAllowed),
        (s.buyer, Lock { amount: 0, ..s.lock() }, EscrowError::BadTerms),
        (s.buyer, Lock { deadline_ms: 1, ..s.lock() }, EscrowError::Expired),
        (s.buyer, Lock { deadline_ms: lock.deadline_ms, ..s.lock() }, EscrowError::Expired),
    ] {
        s.chain.send(sender, &s.escrow, "lock", (lock,)).assert_revert(error);
    }
    let lock = s.lock();
    s.chain.send(s.buyer, &s.escrow, "lock", (lock.clone(),)).assert_ok();
    s.chain.send(s.buyer, &s.escrow, "lock", (lock,)).assert_revert(EscrowError::AlreadyOpened);
}

#[test]
fn deals_touch_nothing_in_common_here() {
    let mut s = setup();
    let deals = [s.deal(0), s.deal(1)];
    for deal in &deals {
        s.send(s.buyer, "open", deal).assert_ok();
    }
    // In different tokens not even a balance is shared.
    let other = s.chain.deploy::<Token>(s.arbiter, (s.arbiter,));
    s.chain.send(s.arbiter, &other, "mint", (s.arbiter, 100u128)).assert_ok();
    s.chain.send(s.arbiter, &other, "approve", (s.escrow.address(), 100u128)).assert_ok();
    let third = Deal { token: other.address(), buyer: s.arbiter, arbiter: s.buyer, ..s.deal(0) };
    s.send(s.arbiter, "open", &third).assert_ok();
    let report = s.chain.block([
        s.escrow.tx(s.buyer, "release", (deals[0].clone(),)),
        s.escrow.tx(s.arbiter, "release", (third,)),
        s.escrow.tx(s.buyer, "deal", (deals[1].clone(),)),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1, 2]]);
}
