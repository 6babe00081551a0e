//! The token's rules, run natively.

extern crate std;

use kempe_sdk::interfaces::FungibleClient;
use kempe_sdk::prelude::*;
use kempe_sdk::testing::{Instance, TestChain};

use crate::{Approval, Burn, Mint, Token, TokenError, Transfer};

struct Setup {
    chain: TestChain,
    token: Instance<Token>,
    owner: Address,
    alice: Address,
    bob: Address,
    carol: Address,
}

/// A token with 100 at alice.
fn setup() -> Setup {
    let mut chain = TestChain::native();
    let [owner, alice, bob, carol] = ["owner", "alice", "bob", "carol"].map(|n| chain.account(n));
    let token = chain.deploy::<Token>(owner, (owner,));
    chain.send(owner, &token, "mint", (alice, 100u128)).assert_ok();
    Setup { chain, token, owner, alice, bob, carol }
}

impl Setup {
    fn balance(&mut self, of: Address) -> u128 {
        self.chain.view(&self.token, "balance", (of,))
    }

    fn supply(&mut self) -> u128 {
        self.chain.view(&self.token, "total_supply", ())
    }
}

#[test]
fn only_the_owner_mints() {
    let mut s = setup();
    let receipt = s.chain.send(s.owner, &s.token, "mint", (s.bob, 5u128));
    assert_eq!(receipt.events::<Mint>(), [Mint { to: s.bob, amount: 5 }]);
    s.chain.send(s.alice, &s.token, "mint", (s.bob, 5u128)).assert_revert(TokenError::NotOwner);
    assert_eq!((s.balance(s.bob), s.supply()), (5, 105));
    assert_eq!(s.chain.view::<Option<Address>>(&s.token, "owner", ()), Some(s.owner));
}

#[test]
fn a_transfer_moves_and_reports() {
    let mut s = setup();
    let receipt = s.chain.send(s.alice, &s.token, "transfer", (s.bob, 30u128));
    let event = Transfer { from: s.alice, to: s.bob, amount: 30 };
    assert_eq!(receipt.assert_ok().events::<Transfer>(), [event]);
    assert_eq!((s.balance(s.alice), s.balance(s.bob), s.supply()), (70, 30, 100));
}

#[test]
fn a_transfer_beyond_the_balance_changes_nothing() {
    let mut s = setup();
    let receipt = s.chain.send(s.alice, &s.token, "transfer", (s.bob, 101u128));
    receipt.assert_revert(TokenError::InsufficientBalance);
    assert!(receipt.events.is_empty());
    assert_eq!((s.balance(s.alice), s.balance(s.bob)), (100, 0));
}

#[test]
fn a_transfer_to_oneself_keeps_the_balance() {
    let mut s = setup();
    s.chain.send(s.alice, &s.token, "transfer", (s.alice, 60u128)).assert_ok();
    s.chain
        .send(s.alice, &s.token, "transfer", (s.alice, 101u128))
        .assert_revert(TokenError::InsufficientBalance);
    assert_eq!((s.balance(s.alice), s.supply()), (100, 100));
}

#[test]
fn zero_amounts_are_fine() {
    let mut s = setup();
    s.chain.send(s.bob, &s.token, "transfer", (s.carol, 0u128)).assert_ok();
    s.chain.send(s.bob, &s.token, "burn", (0u128,)).assert_ok();
    s.chain.send(s.owner, &s.token, "mint", (s.bob, 0u128)).assert_ok();
    s.chain.send(s.carol, &s.token, "transfer_from", (s.alice, s.bob, 0u128)).assert_ok();
    assert_eq!((s.balance(s.bob), s.supply()), (0, 100));
}

#[test]
fn an_allowance_is_used_up() {
    let mut s = setup();
    let receipt = s.chain.send(s.alice, &s.token, "approve", (s.bob, 50u128));
    let event = Approval { owner: s.alice, spender: s.bob, amount: 50 };
    assert_eq!(receipt.events::<Approval>(), [event]);
    s.chain.send(s.bob, &s.token, "transfer_from", (s.alice, s.carol, 30u128)).assert_ok();
    s.chain
        .send(s.bob, &s.token, "transfer_from", (s.alice, s.carol, 21u128))
        .assert_revert(TokenError::InsufficientAllowance);
    s.chain
        .send(s.carol, &s.token, "transfer_from", (s.alice, s.carol, 1u128))
        .assert_revert(TokenError::InsufficientAllowance);
    assert_eq!(s.chain.view::<u128>(&s.token, "allowance", (s.alice, s.bob)), 20);
    assert_eq!((s.balance(s.alice), s.balance(s.carol)), (70, 30));
}

#[test]
fn a_refused_move_restores_the_allowance() {
    let mut s = setup();
    s.chain.send(s.alice, &s.token, "approve", (s.bob, 500u128)).assert_ok();
    s.chain
        .send(s.bob, &s.token, "transfer_from", (s.alice, s.carol, 101u128))
        .assert_revert(TokenError::InsufficientBalance);
    assert_eq!(s.chain.view::<u128>(&s.token, "allowance", (s.alice, s.bob)), 500);
}

#[test]
fn burning_lowers_the_supply() {
    let mut s = setup();
    let receipt = s.chain.send(s.alice, &s.token, "burn", (40u128,));
    assert_eq!(receipt.events::<Burn>(), [Burn { from: s.alice, amount: 40 }]);
    s.chain
        .send(s.alice, &s.token, "burn", (61u128,))
        .assert_revert(TokenError::InsufficientBalance);
    assert_eq!((s.balance(s.alice), s.supply()), (60, 60));
}

#[test]
fn the_supply_is_bounded() {
    let mut s = setup();
    let most = u128::MAX >> 1;
    s.chain.send(s.owner, &s.token, "mint", (s.bob, most)).assert_ok();
    s.chain
        .send(s.owner, &s.token, "mint", (s.carol, most))
        .assert_trap(kempe_sdk::abi::TrapKind::CounterOutOfBounds);
    s.chain
        .send(s.owner, &s.token, "mint", (s.carol, most + 1))
        .assert_revert(TokenError::AmountTooLarge);
    assert_eq!((s.balance(s.carol), s.supply()), (0, most + 100));
}

#[test]
fn transfers_between_different_accounts_run_at_once() {
    let mut s = setup();
    s.chain.send(s.owner, &s.token, "mint", (s.carol, 100u128)).assert_ok();
    let (dave, erin) = (s.chain.account("dave"), s.chain.account("erin"));
    let report = s.chain.block([
        s.token.tx(s.alice, "transfer", (s.bob, 1u128)),
        s.token.tx(s.carol, "transfer", (dave, 1u128)),
        s.token.tx(s.bob, "transfer", (erin, 1u128)),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1], &[2]]);
}

#[test]
fn burns_do_not_conflict_on_the_supply_but_reading_it_does() {
    let mut s = setup();
    s.chain.send(s.alice, &s.token, "transfer", (s.bob, 50u128)).assert_ok();
    let report = s.chain.block([
        s.token.tx(s.alice, "burn", (1u128,)),
        s.token.tx(s.bob, "burn", (1u128,)),
        s.token.tx(s.owner, "total_supply", ()),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1], &[2]]);
    assert_eq!(report.receipts[2].value::<u128>(), 98);
}

#[test]
fn the_client_and_the_token_agree() {
    // The client sends selectors and arguments by the interface; the token has the methods.
    let methods = Token::DEF.methods;
    let of = |name: &str| methods.iter().find(|method| method.name == name).map(|m| m.params.len());
    for (name, n_params) in [
        ("transfer", 2),
        ("transfer_from", 3),
        ("approve", 2),
        ("balance", 1),
        ("allowance", 2),
        ("total_supply", 0),
    ] {
        assert_eq!(of(name), Some(n_params), "{name}");
    }
    assert_eq!(FungibleClient::new(Address::ZERO).address(), Address::ZERO);
}
