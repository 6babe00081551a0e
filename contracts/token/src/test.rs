//! The token's rules, run natively.

extern crate std;

use kempe_sdk::prelude::*;
use kempe_sdk::testing::{Instance, TestChain};

use crate::{
    Approval, Burn, Described, MINTER, Metadata, Mint, OwnerChanged, OwnerOffered, PAUSER,
    PERMIT_TAG, PauseChanged, Permit, RolesChanged, Token, TokenError, Transfer,
};

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
fn only_a_minter_mints() {
    let mut s = setup();
    let receipt = s.chain.send(s.owner, &s.token, "mint", (s.bob, 5u128));
    assert_eq!(receipt.events::<Mint>(), [Mint { to: s.bob, amount: 5 }]);
    s.chain.send(s.alice, &s.token, "mint", (s.bob, 5u128)).assert_revert(TokenError::MissingRole);
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
    // Nor is more moved at once; all of it can be, in two steps.
    s.chain.send(s.owner, &s.token, "mint", (s.bob, 1u128)).assert_ok();
    let mut send = |amount: u128| s.chain.send(s.bob, &s.token, "transfer", (s.carol, amount));
    send(most + 1).assert_revert(TokenError::AmountTooLarge);
    send(most).assert_ok();
    send(1).assert_ok();
    assert_eq!(s.balance(s.carol), most + 1);
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

/// What many pay to one is added up; only what it has of that in the block waits for them.
#[test]
fn transfers_to_one_account_run_at_once() {
    let mut s = setup();
    s.chain.send(s.owner, &s.token, "mint", (s.carol, 100u128)).assert_ok();
    s.chain.send(s.bob, &s.token, "approve", (s.owner, 5u128)).assert_ok();
    s.chain.send(s.alice, &s.token, "transfer", (s.bob, 50u128)).assert_ok();
    let (before, dave) = (s.balance(s.bob), s.chain.account("dave"));
    let report = s.chain.block([
        s.token.tx(s.alice, "transfer", (dave, 1u128)),
        s.token.tx(s.carol, "transfer", (dave, 2u128)),
        s.token.tx(s.owner, "transfer_from", (s.bob, dave, 3u128)),
        s.token.tx(dave, "transfer", (s.bob, 6u128)),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1, 2], &[3]]);
    assert_eq!((s.balance(dave), s.balance(s.bob)), (0, before + 3));
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
fn the_owner_gives_and_takes_roles() {
    let Setup { mut chain, token, owner, alice, bob, .. } = setup();
    chain.send(alice, &token, "set_roles", (alice, MINTER)).assert_revert(TokenError::NotOwner);
    chain.send(owner, &token, "set_roles", (alice, 4u8)).assert_revert(TokenError::UnknownRole);
    let receipt = chain.send(owner, &token, "set_roles", (alice, MINTER));
    let event = RolesChanged { of: alice, roles: MINTER };
    assert_eq!(receipt.assert_ok().events::<RolesChanged>(), [event]);
    chain.send(alice, &token, "mint", (bob, 1u128)).assert_ok();
    chain.send(alice, &token, "set_paused", (true,)).assert_revert(TokenError::MissingRole);
    // The owner can be left without roles, and is the owner still.
    chain.send(owner, &token, "set_roles", (owner, 0u8)).assert_ok();
    chain.send(owner, &token, "mint", (bob, 1u128)).assert_revert(TokenError::MissingRole);
    chain.send(owner, &token, "set_roles", (alice, 0u8)).assert_ok();
    chain.send(alice, &token, "mint", (bob, 1u128)).assert_revert(TokenError::MissingRole);
    assert_eq!(chain.view::<u8>(&token, "roles", (alice,)), 0);
}

#[test]
fn an_ownership_is_taken_by_whom_it_is_offered_to() {
    let mut s = setup();
    s.chain
        .send(s.alice, &s.token, "offer_ownership", (s.alice,))
        .assert_revert(TokenError::NotOwner);
    s.chain.send(s.alice, &s.token, "accept_ownership", ()).assert_revert(TokenError::NotOwner);
    let receipt = s.chain.send(s.owner, &s.token, "offer_ownership", (s.alice,));
    let event = OwnerOffered { to: s.alice };
    assert_eq!(receipt.assert_ok().events::<OwnerOffered>(), [event]);
    s.chain.send(s.bob, &s.token, "accept_ownership", ()).assert_revert(TokenError::NotOwner);
    assert_eq!(s.chain.view::<Option<Address>>(&s.token, "owner", ()), Some(s.owner));
    let receipt = s.chain.send(s.alice, &s.token, "accept_ownership", ());
    let event = OwnerChanged { from: s.owner, to: s.alice };
    assert_eq!(receipt.assert_ok().events::<OwnerChanged>(), [event]);
    s.chain.send(s.alice, &s.token, "accept_ownership", ()).assert_revert(TokenError::NotOwner);
    s.chain.send(s.owner, &s.token, "set_roles", (s.bob, 0u8)).assert_revert(TokenError::NotOwner);
    s.chain.send(s.alice, &s.token, "set_roles", (s.bob, PAUSER)).assert_ok();
}

#[test]
fn a_pause_stops_issuance_and_allowances_but_no_holder() {
    let mut s = setup();
    s.chain.send(s.alice, &s.token, "approve", (s.bob, 10u128)).assert_ok();
    let receipt = s.chain.send(s.owner, &s.token, "set_paused", (true,));
    let event = PauseChanged { by: s.owner, paused: true };
    assert_eq!(receipt.assert_ok().events::<PauseChanged>(), [event]);
    assert!(s.chain.view::<bool>(&s.token, "is_paused", ()));
    let take = (s.alice, s.bob, 1u128);
    s.chain.send(s.owner, &s.token, "mint", (s.bob, 1u128)).assert_revert(TokenError::Paused);
    s.chain.send(s.alice, &s.token, "burn", (1u128,)).assert_revert(TokenError::Paused);
    s.chain.send(s.bob, &s.token, "transfer_from", take).assert_revert(TokenError::Paused);
    s.chain.send(s.alice, &s.token, "transfer", (s.bob, 1u128)).assert_ok();
    s.chain.send(s.owner, &s.token, "set_paused", (false,)).assert_ok();
    s.chain.send(s.bob, &s.token, "transfer_from", take).assert_ok();
}

#[test]
fn a_permit_is_good_once_and_for_one_thing() {
    let mut s = setup();
    let permit = Permit {
        tag: PERMIT_TAG,
        token: s.token.address(),
        owner: s.alice,
        spender: s.bob,
        amount: 40,
        number: 0,
        deadline_ms: 1_000_000,
    };
    let signature = s.chain.sign(s.alice, hash(&permit).as_bytes());
    let shown = (permit.owner, permit.spender, permit.amount, permit.deadline_ms);
    let shown = s.chain.view::<Vec<u8>>(&s.token, "permit_message", shown);
    assert_eq!(kempe_sdk::blake3(&shown), hash(&permit));
    let args = |amount: u128| (s.alice, s.bob, amount, 1_000_000u64, signature);
    // Another amount, another signer, another token: all the same to a signature.
    s.chain.send(s.bob, &s.token, "permit", args(41)).assert_revert(TokenError::BadPermit);
    let by_bob = s.chain.sign(s.bob, hash(&permit).as_bytes());
    let forged = (s.alice, s.bob, 40u128, 1_000_000u64, by_bob);
    s.chain.send(s.bob, &s.token, "permit", forged).assert_revert(TokenError::BadPermit);
    // Anyone can sign for the key of all zeros: R is the neutral element, and s is zero.
    let mut signed_by_nobody = [0u8; 64];
    signed_by_nobody[0] = 1;
    let forged = (Address::ZERO, s.bob, 40u128, 1_000_000u64, signed_by_nobody);
    s.chain.send(s.bob, &s.token, "permit", forged).assert_revert(TokenError::BadPermit);
    let other = s.chain.deploy::<Token>(s.owner, (s.owner,));
    s.chain.send(s.bob, &other, "permit", args(40)).assert_revert(TokenError::BadPermit);
    // Carol sends it and pays for it.
    let receipt = s.chain.send(s.carol, &s.token, "permit", args(40));
    let event = Approval { owner: s.alice, spender: s.bob, amount: 40 };
    assert_eq!(receipt.assert_ok().events::<Approval>(), [event]);
    s.chain.send(s.carol, &s.token, "permit", args(40)).assert_revert(TokenError::BadPermit);
    s.chain.send(s.bob, &s.token, "transfer_from", (s.alice, s.bob, 40u128)).assert_ok();
    assert_eq!(s.chain.view::<u64>(&s.token, "permits", (s.alice,)), 1);
    s.chain.set_time_ms(1_000_001);
    s.chain.send(s.carol, &s.token, "permit", args(40)).assert_revert(TokenError::PermitExpired);
}

#[test]
fn a_token_is_described_once() {
    let mut s = setup();
    let mut metadata = Metadata { decimals: 6, ..Metadata::default() };
    metadata.symbol[..4].copy_from_slice(b"COIN");
    s.chain.send(s.alice, &s.token, "describe", (metadata,)).assert_revert(TokenError::NotOwner);
    let receipt = s.chain.send(s.owner, &s.token, "describe", (metadata,));
    assert_eq!(receipt.assert_ok().events::<Described>(), [Described { metadata }]);
    s.chain
        .send(s.owner, &s.token, "describe", (Metadata::default(),))
        .assert_revert(TokenError::AlreadyDescribed);
    assert_eq!(s.chain.view::<Metadata>(&s.token, "metadata", ()), metadata);
}

#[test]
fn mints_and_transfers_run_at_once() {
    let mut s = setup();
    s.chain.send(s.owner, &s.token, "set_roles", (s.carol, MINTER)).assert_ok();
    let (dave, erin) = (s.chain.account("dave"), s.chain.account("erin"));
    let report = s.chain.block([
        s.token.tx(s.owner, "mint", (dave, 1u128)),
        s.token.tx(s.carol, "mint", (erin, 1u128)),
        s.token.tx(s.alice, "transfer", (s.bob, 1u128)),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1, 2]]);
}
