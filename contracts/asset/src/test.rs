//! The asset's rules, run natively.

extern crate std;

use std::vec::Vec;

use kempe_sdk::abi::TrapKind;
use kempe_sdk::prelude::*;
use kempe_sdk::testing::{Instance, Receipt, TestChain};

use crate::{
    ALL_ROLES, Approval, Asset, AssetError, COURT, Deed, Holder, ISSUER, Line, OFFICER, PAUSER,
    Recorded,
};

const REASON: Hash = Hash([9; 32]);

struct Setup {
    chain: TestChain,
    asset: Instance<Asset>,
    owner: Address,
    ann: Address,
    ben: Address,
    cid: Address,
    /// Every line so far.
    lines: Vec<Recorded>,
}

/// Ann and Ben are admitted up to 1,000; Ann has 100.
fn setup() -> Setup {
    let mut chain = TestChain::native();
    let [owner, ann, ben, cid] = ["owner", "ann", "ben", "cid"].map(|name| chain.account(name));
    let asset = chain.deploy::<Asset>(owner, (owner,));
    let mut s = Setup { chain, asset, owner, ann, ben, cid, lines: Vec::new() };
    for holder in [ann, ben] {
        s.send(owner, "admit", (holder, 1_000u128)).assert_ok();
    }
    s.send(owner, "issue", (ann, 100u128)).assert_ok();
    s
}

impl Setup {
    fn send(&mut self, by: Address, method: &str, args: impl kempe_sdk::abi::Encode) -> Receipt {
        let receipt = self.chain.send(by, &self.asset, method, args);
        self.lines.extend(receipt.events::<Recorded>());
        receipt
    }

    fn holder(&mut self, of: Address) -> Holder {
        self.chain.view(&self.asset, "holder", (of,))
    }

    fn balances(&mut self) -> [u128; 2] {
        [self.ann, self.ben].map(|of| self.chain.view(&self.asset, "balance", (of,)))
    }
}

#[test]
fn admitted_holders_transfer_up_to_their_limits() {
    let mut s = setup();
    s.send(s.ann, "transfer", (s.ben, 40u128)).assert_ok();
    assert_eq!(s.balances(), [60, 40]);
    s.send(s.ann, "transfer", (s.cid, 1u128)).assert_revert(AssetError::NotAdmitted);
    s.send(s.ann, "transfer", (s.ben, 61u128)).assert_revert(AssetError::InsufficientBalance);
    s.send(s.owner, "admit", (s.ben, 50u128)).assert_ok();
    s.send(s.ann, "transfer", (s.ben, 11u128)).assert_revert(AssetError::OverLimit);
    s.send(s.ann, "transfer", (s.ben, 10u128)).assert_ok();
    // Shut out: Ben keeps what he has, may send it, and receives nothing.
    s.send(s.owner, "admit", (s.ben, 0u128)).assert_ok();
    s.send(s.ann, "transfer", (s.ben, 1u128)).assert_revert(AssetError::NotAdmitted);
    s.send(s.ben, "transfer", (s.ann, 50u128)).assert_ok();
    s.send(s.ann, "transfer", (s.ann, 100u128)).assert_ok();
    assert_eq!((s.balances(), s.chain.view::<u128>(&s.asset, "total_supply", ())), ([100, 0], 100));
}

#[test]
fn spenders_are_bound_by_the_same_rules() {
    let mut s = setup();
    let receipt = s.send(s.ann, "approve", (s.cid, 50u128));
    let event = Approval { owner: s.ann, spender: s.cid, amount: 50 };
    assert_eq!(receipt.assert_ok().events::<Approval>(), [event]);
    let take = |amount: u128, to: Address| (s.ann, to, amount);
    let (much, out, fine) = (take(51, s.ben), take(1, s.cid), take(30, s.ben));
    s.send(s.cid, "transfer_from", much).assert_revert(AssetError::InsufficientAllowance);
    s.send(s.cid, "transfer_from", out).assert_revert(AssetError::NotAdmitted);
    s.send(s.cid, "transfer_from", fine).assert_ok();
    assert_eq!(s.chain.view::<u128>(&s.asset, "allowance", (s.ann, s.cid)), 20);
}

/// Every change of who may do what is a line about somebody, and in the register.
#[test]
fn power_leaves_a_trace() {
    let mut s = setup();
    let asset = s.asset.address();
    let (owner, ann, ben) = (s.owner, s.ann, s.ben);
    // That the owner has all roles and the ownership are the first two.
    assert_eq!(s.chain.view::<u64>(&s.asset, "n_registered", ()), 2);
    let begin = [owner, asset].map(|of| s.holder(of).trail);
    for (index, trail) in begin.into_iter().enumerate() {
        let registered = s.chain.view::<Option<Hash>>(&s.asset, "registered", (index as u64,));
        assert_eq!((registered, trail == Hash::ZERO), (Some(trail), false));
    }
    s.send(ann, "offer_ownership", (ann,)).assert_revert(AssetError::NotOwner);
    s.send(ann, "accept_ownership", ()).assert_revert(AssetError::NotOwner);
    let acts = [
        s.send(owner, "set_roles", (ann, PAUSER)),
        s.send(ann, "set_paused", (true,)),
        s.send(ann, "set_paused", (false,)),
        s.send(owner, "offer_ownership", (ann,)),
        s.send(owner, "offer_ownership", (ben,)),
    ];
    s.send(ann, "accept_ownership", ()).assert_revert(AssetError::NotOwner);
    assert_eq!(s.chain.view::<Option<Address>>(&s.asset, "owner", ()), Some(owner));
    let taken = s.send(ben, "accept_ownership", ());
    s.send(ben, "accept_ownership", ()).assert_revert(AssetError::NotOwner);
    s.send(owner, "set_roles", (owner, 0u8)).assert_revert(AssetError::NotOwner);
    let role = s.send(ben, "set_roles", (owner, 0u8));
    let lines: Vec<Recorded> =
        acts.iter().chain([&taken, &role]).flat_map(Receipt::events).collect();
    let said = |r: &Recorded| (r.line.holder, r.line.deed, r.line.amount, r.line.other, r.line.by);
    assert_eq!(
        lines.iter().map(said).collect::<Vec<_>>(),
        [
            (ann, Deed::RolesSet, PAUSER.into(), ann, owner),
            (asset, Deed::Paused, 1, asset, ann),
            (asset, Deed::Paused, 0, asset, ann),
            (asset, Deed::OwnershipOffered, 0, ann, owner),
            (asset, Deed::OwnershipOffered, 0, ben, owner),
            (asset, Deed::OwnershipTaken, 0, owner, ben),
            (owner, Deed::RolesSet, 0, owner, ben),
        ]
    );
    for (index, line) in lines.iter().enumerate() {
        let args = (index as u64 + 2,);
        let registered = s.chain.view::<Option<Hash>>(&s.asset, "registered", args);
        assert_eq!(registered, Some(line.trail), "{index}");
    }
    let about_asset = lines.iter().filter(|r| r.line.holder == asset);
    let end = about_asset.fold(begin[1], |before, r| {
        assert_eq!((r.line.before, hash(&r.line)), (before, r.trail));
        r.trail
    });
    assert_eq!(s.holder(asset).trail, end);
}

#[test]
fn freezes_and_locks_hold() {
    let mut s = setup();
    s.send(s.owner, "lock", (s.ann, 70u128, REASON)).assert_ok();
    s.send(s.ann, "transfer", (s.ben, 31u128)).assert_revert(AssetError::InsufficientBalance);
    s.send(s.ann, "transfer", (s.ben, 30u128)).assert_ok();
    s.send(s.owner, "freeze", (s.ben, true, Hash::ZERO)).assert_revert(AssetError::NoReason);
    s.send(s.owner, "freeze", (s.ben, true, REASON)).assert_ok();
    let spend = |from: Address, to: Address| (from, to, 0u128);
    for (by, method, refused) in [
        (s.ben, "transfer", s.send(s.ben, "transfer", (s.ann, 1u128))),
        (s.ann, "transfer", s.send(s.ann, "transfer", (s.ben, 0u128))),
        (s.cid, "transfer_from", s.send(s.cid, "transfer_from", spend(s.ben, s.ann))),
        (s.cid, "transfer_from", s.send(s.cid, "transfer_from", spend(s.ann, s.ben))),
        (s.ben, "transfer_from", s.send(s.ben, "transfer_from", spend(s.ann, s.cid))),
        (s.owner, "issue", s.send(s.owner, "issue", (s.ben, 1u128))),
        (s.owner, "redeem", s.send(s.owner, "redeem", (s.ben, 1u128, REASON))),
    ] {
        refused.assert_trap(TrapKind::Guarded);
        let guard = refused.guard.expect("it says which");
        assert_eq!((&*guard.field, &*guard.key), ("frozen", &s.ben.0[..]), "{method} by {by}");
    }
    s.send(s.owner, "freeze", (s.ben, false, REASON)).assert_ok();
    s.send(s.ben, "transfer", (s.ann, 1u128)).assert_ok();
}

/// Who moves something before an officer's order comes does not escape it.
#[test]
fn a_lock_of_more_than_there_is_holds_what_comes() {
    let mut s = setup();
    s.send(s.owner, "issue", (s.ben, 50u128)).assert_ok();
    s.send(s.ann, "transfer", (s.ben, 1u128)).assert_ok();
    s.send(s.owner, "lock", (s.ann, 100u128, REASON)).assert_ok();
    s.send(s.ann, "transfer", (s.ben, 1u128)).assert_revert(AssetError::InsufficientBalance);
    s.send(s.ben, "transfer", (s.ann, 3u128)).assert_ok();
    s.send(s.ann, "transfer", (s.ben, 3u128)).assert_revert(AssetError::InsufficientBalance);
    s.send(s.ann, "transfer", (s.ben, 2u128)).assert_ok();
    // A court takes what is free first, and then of the lock.
    s.send(s.ben, "transfer", (s.ann, 10u128)).assert_ok();
    s.send(s.owner, "force_transfer", (s.ann, s.ben, 30u128, REASON)).assert_ok();
    let ann = s.holder(s.ann);
    assert_eq!((ann.balance, ann.locked, ann.free()), (80, 80, 0));
    // And nobody loses a lock by being sender and receiver.
    s.send(s.owner, "force_transfer", (s.ann, s.ann, 80u128, REASON))
        .assert_revert(AssetError::SameHolder);
    assert_eq!(s.holder(s.ann).locked, 80);
}

/// An amount of zero needs neither units nor an allowance: it leaves no line, whoever asks for it.
#[test]
fn nothing_is_recorded_of_nothing() {
    let mut s = setup();
    let before = [s.ann, s.ben].map(|of| s.holder(of));
    for receipt in [
        s.send(s.cid, "transfer", (s.ben, 0u128)),
        s.send(s.cid, "transfer_from", (s.ann, s.ben, 0u128)),
        s.send(s.cid, "transfer_from", (s.ben, s.ben, 0u128)),
    ] {
        assert_eq!(receipt.assert_ok().events::<Recorded>(), []);
    }
    assert_eq!([s.ann, s.ben].map(|of| s.holder(of)), before);
}

/// The host looks at what was there before the block, the contract at what is there now: whichever of the
/// two says frozen, nothing moves.
#[test]
fn a_freeze_holds_in_its_own_block_too() {
    let mut s = setup();
    s.send(s.ann, "transfer", (s.ben, 10u128)).assert_ok();
    let report = s.chain.block([
        s.asset.tx(s.owner, "freeze", (s.ben, true, REASON)),
        s.asset.tx(s.ben, "transfer", (s.ann, 1u128)),
        s.asset.tx(s.ann, "transfer", (s.ben, 1u128)),
        s.asset.tx(s.owner, "issue", (s.ben, 1u128)),
        s.asset.tx(s.owner, "redeem", (s.ben, 1u128, REASON)),
    ]);
    report.receipts[0].assert_ok();
    report.receipts[1].assert_revert(AssetError::SenderFrozen);
    report.receipts[2].assert_revert(AssetError::ReceiverFrozen);
    report.receipts[3].assert_revert(AssetError::ReceiverFrozen);
    report.receipts[4].assert_revert(AssetError::SenderFrozen);
    let report = s.chain.block([
        s.asset.tx(s.owner, "freeze", (s.ben, false, REASON)),
        s.asset.tx(s.ben, "transfer", (s.ann, 1u128)),
    ]);
    report.receipts[0].assert_ok();
    report.receipts[1].assert_trap(TrapKind::Guarded);
    assert_eq!(s.balances(), [90, 10]);
}

#[test]
fn a_court_moves_frozen_and_locked_units_with_a_reason() {
    let mut s = setup();
    s.send(s.owner, "lock", (s.ann, 100u128, REASON)).assert_ok();
    s.send(s.owner, "freeze", (s.ann, true, REASON)).assert_ok();
    s.send(s.owner, "set_paused", (true,)).assert_ok();
    let order = (s.ann, s.ben, 60u128);
    let args = (order.0, order.1, order.2, Hash::ZERO);
    s.send(s.owner, "force_transfer", args).assert_revert(AssetError::NoReason);
    let out = (order.0, s.cid, order.2, REASON);
    s.send(s.owner, "force_transfer", out).assert_revert(AssetError::NotAdmitted);
    let receipt = s.send(s.owner, "force_transfer", (order.0, order.1, order.2, REASON));
    let lines = receipt.assert_ok().events::<Recorded>();
    assert_eq!([lines[0].line.deed, lines[1].line.deed], [Deed::ForcedOut, Deed::ForcedIn]);
    assert_eq!(lines[0].line.reason, REASON);
    let ann = s.holder(s.ann);
    assert_eq!((ann.balance, ann.locked, s.balances()), (40, 40, [40, 60]));
}

#[test]
fn a_pause_begins_with_the_next_block() {
    let mut s = setup();
    let report = s.chain.block([
        s.asset.tx(s.owner, "set_paused", (true,)),
        s.asset.tx(s.ann, "transfer", (s.ben, 1u128)),
    ]);
    // The pause and the transfer run at once.
    report.assert_ok().assert_batches(&[&[0, 1]]);
    let refused = s.send(s.ann, "transfer", (s.ben, 1u128));
    assert_eq!(refused.assert_trap(TrapKind::Guarded).guard.as_ref().unwrap().field, "paused");
    s.send(s.owner, "issue", (s.ben, 1u128)).assert_ok();
    s.send(s.owner, "set_paused", (false,)).assert_ok();
    s.send(s.ann, "transfer", (s.ben, 1u128)).assert_ok();
}

#[test]
fn redeeming_needs_a_reason_and_lowers_the_supply() {
    let mut s = setup();
    s.send(s.owner, "redeem", (s.ann, 1u128, Hash::ZERO)).assert_revert(AssetError::NoReason);
    s.send(s.owner, "redeem", (s.ann, 30u128, REASON)).assert_ok();
    let too_much = (s.ann, u128::MAX, REASON);
    s.send(s.owner, "redeem", too_much).assert_revert(AssetError::AmountTooLarge);
    s.send(s.owner, "issue", (s.ann, u128::MAX)).assert_revert(AssetError::AmountTooLarge);
    assert_eq!((s.balances()[0], s.chain.view::<u128>(&s.asset, "total_supply", ())), (70, 70));
}

#[test]
fn each_role_does_its_own() {
    let mut s = setup();
    let (ann, ben) = (s.ann, s.ben);
    s.send(ann, "set_roles", (ann, ALL_ROLES)).assert_revert(AssetError::NotOwner);
    s.send(s.owner, "set_roles", (ann, 16u8)).assert_revert(AssetError::UnknownRole);
    for role in [0, ISSUER, OFFICER, COURT, PAUSER] {
        s.send(s.owner, "set_roles", (ann, role)).assert_ok();
        assert_eq!(s.chain.view::<u8>(&s.asset, "roles", (ann,)), role);
        let done = [
            (ISSUER, s.send(ann, "issue", (ben, 1u128))),
            (ISSUER, s.send(ann, "redeem", (ben, 0u128, REASON))),
            (OFFICER, s.send(ann, "admit", (ben, 1_000u128))),
            (OFFICER, s.send(ann, "freeze", (ben, false, REASON))),
            (OFFICER, s.send(ann, "lock", (ben, 0u128, REASON))),
            (COURT, s.send(ann, "force_transfer", (ann, ben, 1u128, REASON))),
            (PAUSER, s.send(ann, "set_paused", (false,))),
        ];
        for (needed, receipt) in done {
            if needed == role {
                receipt.assert_ok();
            } else {
                receipt.assert_revert(AssetError::MissingRole);
            }
        }
    }
}

#[test]
fn the_trail_of_an_account_is_whole() {
    let mut s = setup();
    s.send(s.ann, "transfer", (s.ben, 40u128)).assert_ok();
    s.send(s.owner, "freeze", (s.ben, true, REASON)).assert_ok();
    s.send(s.owner, "force_transfer", (s.ben, s.ann, 5u128, REASON)).assert_ok();
    for holder in [s.ann, s.ben] {
        let lines: Vec<&Recorded> =
            s.lines.iter().filter(|record| record.line.holder == holder).collect();
        let mut trail = Hash::ZERO;
        for Recorded { line, trail: after } in lines.iter().copied() {
            assert_eq!(line.before, trail);
            assert_eq!(hash(line), *after);
            trail = *after;
        }
        let found: Holder = s.chain.view(&s.asset, "holder", (holder,));
        assert_eq!((lines.len(), found.trail), (4, trail));
        // A line that is changed does not fit any more.
        let altered = Line { amount: 1_000, ..lines[1].line };
        assert_ne!(hash(&altered), lines[1].trail);
    }
}

#[test]
fn what_needs_a_reason_is_in_the_register() {
    let mut s = setup();
    s.send(s.ann, "transfer", (s.ben, 40u128)).assert_ok();
    // What a register would make wait for each other runs at once.
    let report = s.chain.block([
        s.asset.tx(s.owner, "freeze", (s.cid, true, REASON)),
        s.asset.tx(s.owner, "lock", (s.ann, 7u128, REASON)),
        s.asset.tx(s.owner, "redeem", (s.ben, 3u128, REASON)),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1, 2]]);
    s.send(s.owner, "force_transfer", (s.ben, s.ann, 5u128, REASON)).assert_ok();
    s.send(s.owner, "force_transfer", (s.ann, s.cid, 5u128, REASON))
        .assert_revert(AssetError::NotAdmitted);
    assert_eq!(s.chain.view::<u64>(&s.asset, "n_registered", ()), 2 + 5);
    // The block's lines, and then those that `send` kept.
    let mut lines: Vec<Recorded> = report.receipts.iter().flat_map(|r| r.events()).collect();
    lines.extend(s.lines.iter().filter(|record| record.line.reason == REASON).cloned());
    let deeds: Vec<Deed> = lines.iter().map(|record| record.line.deed).collect();
    let wanted = [Deed::Frozen, Deed::Locked, Deed::Redeemed, Deed::ForcedOut, Deed::ForcedIn];
    assert_eq!(deeds, wanted);
    for index in 0..6 {
        let args = (index as u64 + 2,);
        let found = s.chain.view::<Option<Hash>>(&s.asset, "registered", args);
        assert_eq!(found, lines.get(index).map(|record| hash(&record.line)), "{index}");
    }
}

#[test]
fn transfers_of_different_pairs_run_at_once() {
    let mut s = setup();
    let dan = s.chain.account("dan");
    for holder in [s.cid, dan] {
        s.send(s.owner, "admit", (holder, 1_000u128)).assert_ok();
    }
    s.send(s.owner, "issue", (s.cid, 100u128)).assert_ok();
    let report = s.chain.block([
        s.asset.tx(s.ann, "transfer", (s.ben, 1u128)),
        s.asset.tx(s.cid, "transfer", (dan, 1u128)),
        s.asset.tx(s.owner, "issue", (dan, 1u128)),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1], &[2]]);
}
