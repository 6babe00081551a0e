//! The wallet's rules, run natively.

extern crate std;

use kempe_sdk::abi::upgrade::UpgradeTerms;
use kempe_sdk::abi::{Encode, TrapKind};
use kempe_sdk::prelude::*;
use kempe_sdk::testing::{Instance, TestChain};
use kempe_token::{Token, TokenError};

use crate::{
    Agreed, Board, Executed, MEMBERS_MAX, Multisig, MultisigError, Proposal, Proposed, STEPS_MAX,
    Step, Voted,
};

const FOREVER: u64 = u64::MAX;

struct Setup {
    chain: TestChain,
    token: Instance<Token>,
    wallet: Instance<Multisig>,
    members: [Address; 3],
    stranger: Address,
}

/// A wallet of three, two of whom must approve, with 100 of a token.
fn setup() -> Setup {
    let mut chain = TestChain::native();
    let members = ["ada", "bea", "cas"].map(|name| chain.account(name));
    let stranger = chain.account("stranger");
    let token = chain.deploy::<Token>(stranger, (stranger,));
    let wallet = chain.deploy::<Multisig>(stranger, (members.to_vec(), 2u8));
    chain.send(stranger, &token, "mint", (wallet.address(), 100u128)).assert_ok();
    Setup { chain, token, wallet, members, stranger }
}

fn encoded(args: &impl Encode) -> Vec<u8> {
    let mut bytes = Vec::new();
    args.serialize(&mut bytes).unwrap();
    bytes
}

impl Setup {
    fn pay(&self, amount: u128) -> Step {
        Step::call(self.token.address(), "transfer", encoded(&(self.stranger, amount)))
    }

    fn propose(&mut self, steps: &[Step], salt: u64) -> Hash {
        let args = (steps.to_vec(), FOREVER, salt);
        self.chain.send(self.members[0], &self.wallet, "propose", args).value()
    }

    fn vote(&mut self, member: usize, id: Hash, approves: bool) -> kempe_sdk::testing::Receipt {
        self.chain.send(self.members[member], &self.wallet, "vote", (id, approves))
    }

    fn execute(&mut self, member: usize, id: Hash) -> kempe_sdk::testing::Receipt {
        self.chain.send(self.members[member], &self.wallet, "execute", (id,))
    }

    fn received(&mut self) -> u128 {
        self.chain.view(&self.token, "balance", (self.stranger,))
    }
}

#[test]
fn two_of_three_pay() {
    let mut s = setup();
    let args = (vec![s.pay(30), s.pay(12)], FOREVER, 0u64);
    let receipt = s.chain.send(s.members[0], &s.wallet, "propose", args);
    let id: Hash = receipt.value();
    assert_eq!(receipt.events::<Proposed>(), [Proposed { id, by: s.members[0] }]);
    s.execute(0, id).assert_revert(MultisigError::NotApproved);
    let voted = Voted { id, by: s.members[1], approves: true };
    assert_eq!(s.vote(1, id, true).events::<Voted>(), [voted]);
    assert!(s.chain.view::<bool>(&s.wallet, "approves", (id, s.members[1])));
    let receipt = s.execute(2, id);
    assert_eq!(receipt.assert_ok().events::<Executed>(), [Executed { id, by: s.members[2] }]);
    assert_eq!(s.received(), 42);
    s.execute(2, id).assert_revert(MultisigError::AlreadyExecuted);
    s.vote(2, id, true).assert_revert(MultisigError::AlreadyExecuted);
    let proposal = s.chain.view::<Option<Proposal>>(&s.wallet, "proposal", (id,));
    assert!(proposal.is_some_and(|proposal| proposal.executed));
}

#[test]
fn an_approval_can_be_taken_back() {
    let mut s = setup();
    let id = s.propose(&[s.pay(1)], 0);
    s.vote(0, id, true).assert_revert(MultisigError::NothingChanges);
    s.vote(1, id, false).assert_revert(MultisigError::NothingChanges);
    s.vote(1, id, true).assert_ok();
    s.vote(1, id, false).assert_ok();
    s.execute(0, id).assert_revert(MultisigError::NotApproved);
}

#[test]
fn a_step_that_fails_undoes_all() {
    let mut s = setup();
    let id = s.propose(&[s.pay(60), s.pay(60)], 0);
    s.vote(1, id, true).assert_ok();
    s.execute(0, id).assert_revert(TokenError::InsufficientBalance);
    assert_eq!(s.received(), 0);
    // Nothing of it stands, so it can be executed when the wallet can pay.
    s.chain.send(s.stranger, &s.token, "mint", (s.wallet.address(), 20u128)).assert_ok();
    s.execute(0, id).assert_ok();
    assert_eq!(s.received(), 120);
}

#[test]
fn the_wallet_does_not_call_itself() {
    let mut s = setup();
    let step = Step::call(s.wallet.address(), "vote", encoded(&(Hash::ZERO, true)));
    let id = s.propose(&[step], 0);
    s.vote(1, id, true).assert_ok();
    s.execute(0, id).assert_trap(TrapKind::Reentry);
}

#[test]
fn only_approvals_of_current_members_count() {
    let mut s = setup();
    let pay = s.propose(&[s.pay(5)], 0);
    s.vote(1, pay, true).assert_ok();
    let board = Board { members: vec![s.members[0], s.members[2], s.stranger], threshold: 2 };
    let change = s.propose(&[Step::SetBoard { board: board.clone() }], 1);
    s.vote(2, change, true).assert_ok();
    s.execute(0, change).assert_ok();
    assert_eq!(s.chain.view::<Option<Board>>(&s.wallet, "board", ()), Some(board));
    s.execute(0, pay).assert_revert(MultisigError::NotApproved);
    s.execute(1, pay).assert_revert(MultisigError::NotMember);
    s.vote(1, pay, true).assert_revert(MultisigError::NotMember);
    // Who may be a member again has said no.
    s.vote(1, pay, false).assert_ok();
    s.chain.send(s.stranger, &s.wallet, "vote", (pay, true)).assert_ok();
    s.execute(0, pay).assert_ok();
}

#[test]
fn refusals() {
    let mut s = setup();
    let now = s.chain.time_ms();
    let good = vec![s.pay(1)];
    let bad_board = Board { members: vec![s.stranger], threshold: 2 };
    // It would act only when it has decided to.
    let own_board = Board { members: vec![s.wallet.address()], threshold: 1 };
    for (sender, steps, expires_ms, error) in [
        (s.stranger, good.clone(), FOREVER, MultisigError::NotMember),
        (s.members[0], vec![], FOREVER, MultisigError::BadProposal),
        (s.members[0], vec![s.pay(1); STEPS_MAX + 1], FOREVER, MultisigError::BadProposal),
        (s.members[0], vec![Step::SetBoard { board: bad_board }], FOREVER, MultisigError::BadBoard),
        (s.members[0], vec![Step::SetBoard { board: own_board }], FOREVER, MultisigError::BadBoard),
        (s.members[0], good.clone(), now, MultisigError::Expired),
    ] {
        s.chain.send(sender, &s.wallet, "propose", (steps, expires_ms, 0u64)).assert_revert(error);
    }
    let id = s.propose(&good, 0);
    let args = (good.clone(), FOREVER, 0u64);
    s.chain
        .send(s.members[0], &s.wallet, "propose", args)
        .assert_revert(MultisigError::AlreadyProposed);
    s.vote(1, Hash::ZERO, true).assert_revert(MultisigError::NoSuchProposal);
    s.execute(1, Hash::ZERO).assert_revert(MultisigError::NoSuchProposal);
    s.chain.send(s.stranger, &s.wallet, "execute", (id,)).assert_revert(MultisigError::NotMember);
    // Another member's salts are others.
    let soon = s.chain.time_ms() + 1_000;
    let args = (good, soon, 0u64);
    let id: Hash = s.chain.send(s.members[1], &s.wallet, "propose", args).value();
    s.vote(2, id, true).assert_revert(MultisigError::Expired);
    s.execute(2, id).assert_revert(MultisigError::Expired);
}

#[test]
fn boards_that_cannot_decide() {
    let mut chain = TestChain::native();
    let accounts: Vec<Address> =
        (0..=MEMBERS_MAX).map(|i| chain.account(&format!("member {i}"))).collect();
    for (members, threshold) in [
        (vec![], 0u8),
        (vec![accounts[0]], 0),
        (vec![accounts[0]], 2),
        (vec![accounts[0], accounts[1], accounts[0]], 2),
        (accounts.clone(), 2),
        (vec![accounts[0], Address::ZERO], 1),
    ] {
        let receipt = chain.try_deploy::<Multisig>(accounts[0], (members, threshold)).unwrap_err();
        receipt.assert_revert(MultisigError::BadBoard);
    }
    let all = accounts[..MEMBERS_MAX].to_vec();
    chain.deploy::<Multisig>(accounts[0], (all, u8::try_from(MEMBERS_MAX).unwrap()));
}

#[test]
fn an_upgrade_is_agreed_to_once_and_for_a_while() {
    let mut s = setup();
    let contract = Address([8; 32]);
    let terms = UpgradeTerms {
        contract,
        code: Hash([1; 32]),
        args: Vec::new(),
        allow_wider: false,
        authority: None,
    };
    let other = UpgradeTerms { code: Hash([2; 32]), ..terms.clone() };
    let expires_ms = s.chain.time_ms() + 60_000;
    let steps = vec![Step::Upgrade { contract, terms: hash(&terms) }];
    let args = (steps, expires_ms, 0u64);
    let id: Hash = s.chain.send(s.members[0], &s.wallet, "propose", args).value();
    let ask = |s: &mut Setup, by: Address, terms: &UpgradeTerms| {
        s.chain.send(by, &s.wallet, "authorize_upgrade", (terms.clone(),))
    };
    s.vote(1, id, true).assert_ok();
    ask(&mut s, Address::ZERO, &terms).assert_revert(MultisigError::NotAgreed);
    s.execute(0, id).assert_ok();
    let agreed = Agreed { terms: hash(&terms), until_ms: expires_ms };
    let view = s.chain.view::<Option<Agreed>>(&s.wallet, "agreed_upgrade", (contract,));
    assert_eq!(view, Some(agreed));
    let by = s.members[0];
    ask(&mut s, by, &terms).assert_revert(MultisigError::NotHost);
    ask(&mut s, Address::ZERO, &other).assert_revert(MultisigError::NotAgreed);
    let before = s.chain.snapshot();
    ask(&mut s, Address::ZERO, &terms).assert_ok();
    ask(&mut s, Address::ZERO, &terms).assert_revert(MultisigError::NotAgreed);
    s.chain = before;
    s.chain.set_time_ms(expires_ms);
    ask(&mut s, Address::ZERO, &terms).assert_revert(MultisigError::NotAgreed);
}

#[test]
fn approvals_run_at_once() {
    let mut s = setup();
    let ids = [s.propose(&[s.pay(1)], 0), s.propose(&[s.pay(2)], 1)];
    let report = s.chain.block([
        s.wallet.tx(s.members[1], "vote", (ids[0], true)),
        s.wallet.tx(s.members[2], "vote", (ids[0], true)),
        s.wallet.tx(s.members[2], "vote", (ids[1], true)),
        s.wallet.tx(s.members[1], "propose", (vec![s.pay(3)], FOREVER, 0u64)),
        s.wallet.tx(s.members[0], "execute", (ids[0],)),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1, 2, 3], &[4]]);
}
