//! The wallet's rules, run natively.

extern crate std;

use kempe_sdk::abi::Encode;
use kempe_sdk::abi::upgrade::UpgradeTerms;
use kempe_sdk::prelude::*;
use kempe_sdk::testing::{Instance, TestChain, UpgradeOptions};
use kempe_token::{Token, TokenError};

use crate::{
    Agreed, Board, BoardChanged, Canceled, Executed, LIFE_MS_MAX, MEMBERS_MAX, Multisig,
    MultisigError, Proposal, Proposed, STEPS_BYTES_MAX, STEPS_MAX, Step, UPGRADE_MS, Voted,
};

/// Beyond every test.
const LATE: u64 = LIFE_MS_MAX;

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
        let args = (steps.to_vec(), LATE, salt);
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
    let steps = vec![s.pay(30), s.pay(12)];
    let args = (steps.clone(), LATE, 0u64);
    let receipt = s.chain.send(s.members[0], &s.wallet, "propose", args);
    let id: Hash = receipt.value();
    let proposed = Proposed { id, by: s.members[0], steps, expires_ms: LATE };
    assert_eq!(receipt.events::<Proposed>(), [proposed]);
    s.execute(0, id).assert_revert(MultisigError::NotApproved);
    let voted = Voted { id, by: s.members[1], approves: true };
    assert_eq!(s.vote(1, id, true).events::<Voted>(), [voted]);
    assert!(s.chain.view::<bool>(&s.wallet, "approves", (id, s.members[1])));
    let receipt = s.execute(2, id);
    assert_eq!(receipt.assert_ok().events::<Executed>(), [Executed { id, by: s.members[2] }]);
    assert_eq!(s.received(), 42);
    s.execute(2, id).assert_revert(MultisigError::Closed);
    s.vote(2, id, true).assert_revert(MultisigError::Closed);
    let proposal = s.chain.view::<Option<Proposal>>(&s.wallet, "proposal", (id,));
    assert!(proposal.is_some_and(|proposal| proposal.closed));
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
    let args = (vec![s.pay(1), step], LATE, 0u64);
    let refused = s.chain.send(s.members[0], &s.wallet, "propose", args);
    refused.assert_revert(MultisigError::BadProposal);
    // So it cannot be a member, either: a board of it could do nothing, ever.
    for nobody in [s.wallet.address(), Address::ZERO] {
        let board = Board { members: vec![s.members[0], nobody], threshold: 1 };
        let args = (vec![Step::SetBoard { board }], LATE, 0u64);
        let refused = s.chain.send(s.members[0], &s.wallet, "propose", args);
        refused.assert_revert(MultisigError::BadBoard);
    }
}

/// A member who was removed approves nothing any more, neither of what was proposed before nor when it is back.
#[test]
fn a_new_board_begins_anew() {
    let mut s = setup();
    let [ada, _, cas] = s.members;
    let pay = s.propose(&[s.pay(5)], 0);
    s.vote(1, pay, true).assert_ok();
    let boards = [vec![ada, cas, s.stranger], s.members.to_vec()];
    for (salt, members) in (1u64..).zip(boards) {
        let board = Board { members, threshold: 2 };
        let change = s.propose(&[Step::SetBoard { board: board.clone() }], salt);
        s.vote(2, change, true).assert_ok();
        let receipt = s.execute(0, change);
        assert_eq!(receipt.events::<BoardChanged>(), [BoardChanged { board: board.clone() }]);
        assert_eq!(s.chain.view::<Option<Board>>(&s.wallet, "board", ()), Some(board));
        s.execute(0, pay).assert_revert(MultisigError::EarlierBoard);
        s.vote(2, pay, true).assert_revert(MultisigError::EarlierBoard);
        if salt == 1 {
            s.execute(1, pay).assert_revert(MultisigError::NotMember);
        }
    }
    let pay = s.propose(&[s.pay(5)], 9);
    s.execute(0, pay).assert_revert(MultisigError::NotApproved);
}

#[test]
fn a_proposal_is_withdrawn_by_its_proposer() {
    let mut s = setup();
    let id = s.propose(&[s.pay(5)], 0);
    s.vote(1, id, true).assert_ok();
    let cancel = |s: &mut Setup, member: usize, id: Hash| {
        s.chain.send(s.members[member], &s.wallet, "cancel", (id,))
    };
    cancel(&mut s, 1, id).assert_revert(MultisigError::NotProposer);
    cancel(&mut s, 0, Hash::ZERO).assert_revert(MultisigError::NoSuchProposal);
    assert_eq!(cancel(&mut s, 0, id).events::<Canceled>(), [Canceled { id }]);
    cancel(&mut s, 0, id).assert_revert(MultisigError::Closed);
    s.execute(0, id).assert_revert(MultisigError::Closed);
}

#[test]
fn an_upgrade_is_agreed_to_in_all_its_terms_once_and_for_a_while() {
    let mut s = setup();
    let contract = Address([8; 32]);
    let code = |code: u8| UpgradeTerms {
        contract,
        code: Hash([code; 32]),
        args: Vec::new(),
        allow_wider: false,
        authority: None,
    };
    let step = |terms: &UpgradeTerms| Step::Upgrade { contract, terms: hash(terms) };
    let id = s.propose(&[step(&code(1))], 0);
    let host = Address::ZERO;
    let ask = |s: &mut Setup, who: Address, terms: UpgradeTerms| {
        s.chain.send(who, &s.wallet, "authorize_upgrade", (terms,))
    };
    ask(&mut s, host, code(1)).assert_revert(MultisigError::NotAgreed);
    s.vote(1, id, true).assert_ok();
    s.execute(1, id).assert_ok();
    let until_ms = s.chain.time_ms() + UPGRADE_MS;
    let agreed: Option<Agreed> = s.chain.view(&s.wallet, "agreed_upgrade", (contract,));
    assert_eq!(agreed.map(|agreed| agreed.terms), Some(hash(&code(1))));
    let before = s.chain.snapshot();
    for who in [s.members[0], s.wallet.address(), contract] {
        ask(&mut s, who, code(1)).assert_revert(MultisigError::NotHost);
    }
    for other in [code(2), UpgradeTerms { allow_wider: true, ..code(1) }] {
        ask(&mut s, host, other).assert_revert(MultisigError::NotAgreed);
    }
    ask(&mut s, host, code(1)).assert_ok();
    ask(&mut s, host, code(1)).assert_revert(MultisigError::NotAgreed);
    s.chain = before;
    let later = s.propose(&[step(&code(2))], 1);
    s.vote(1, later, true).assert_ok();
    let late = s.chain.snapshot();
    s.execute(1, later).assert_ok();
    ask(&mut s, host, code(1)).assert_revert(MultisigError::NotAgreed);
    ask(&mut s, host, code(2)).assert_ok();
    s.chain = late.snapshot();
    s.chain.set_time_ms(until_ms + 1_000);
    ask(&mut s, host, code(1)).assert_revert(MultisigError::NotAgreed);
    // Whoever replaces the board has not agreed to it.
    s.chain = late;
    let board = Board { members: s.members[..2].to_vec(), threshold: 2 };
    let id = s.propose(&[Step::SetBoard { board }], 2);
    s.vote(1, id, true).assert_ok();
    s.execute(1, id).assert_ok();
    ask(&mut s, host, code(1)).assert_revert(MultisigError::NotAgreed);
    // What the new one agrees to by itself holds.
    let id = s.propose(&[step(&code(4))], 3);
    s.vote(1, id, true).assert_ok();
    s.execute(1, id).assert_ok();
    ask(&mut s, host, code(4)).assert_ok();
}

/// Through the host: whoever sends what was agreed to upgrades, and nobody before, or once more.
#[test]
fn a_wallet_is_the_authority_of_upgrades() {
    let mut s = setup();
    let wallet = s.wallet.address();
    let token = s.chain.deploy_upgradable::<Token>(s.stranger, wallet, (s.stranger,));
    let options = UpgradeOptions { allow_wider: false, authority: Some(wallet) };
    let early = s.chain.try_upgrade::<Token>(s.stranger, &token, (), options).unwrap_err();
    early.assert_revert(MultisigError::NotAgreed);
    let terms = s.chain.upgrade_terms::<Token>(&token, (), options);
    let id = s.propose(&[Step::Upgrade { contract: token.address(), terms: hash(&terms) }], 0);
    s.vote(1, id, true).assert_ok();
    s.execute(0, id).assert_ok();
    s.chain.upgrade::<Token>(s.stranger, &token, (), options);
    let again = s.chain.try_upgrade::<Token>(s.stranger, &token, (), options).unwrap_err();
    again.assert_revert(MultisigError::NotAgreed);
}

#[test]
fn refusals() {
    let mut s = setup();
    let now = s.chain.time_ms();
    let good = vec![s.pay(1)];
    let long = Step::call(s.stranger, "go", vec![0; STEPS_BYTES_MAX + 1]);
    let bad_board = Board { members: vec![s.stranger], threshold: 2 };
    for (sender, steps, expires_ms, error) in [
        (s.stranger, good.clone(), LATE, MultisigError::NotMember),
        (s.members[0], vec![], LATE, MultisigError::BadProposal),
        (s.members[0], vec![s.pay(1); STEPS_MAX + 1], LATE, MultisigError::BadProposal),
        (s.members[0], vec![long], LATE, MultisigError::BadProposal),
        (s.members[0], vec![Step::SetBoard { board: bad_board }], LATE, MultisigError::BadBoard),
        (s.members[0], good.clone(), now, MultisigError::Expired),
        (s.members[0], good.clone(), u64::MAX, MultisigError::Expired),
    ] {
        s.chain.send(sender, &s.wallet, "propose", (steps, expires_ms, 0u64)).assert_revert(error);
    }
    let id = s.propose(&good, 0);
    let args = (good.clone(), LATE, 0u64);
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
    ] {
        let receipt = chain.try_deploy::<Multisig>(accounts[0], (members, threshold)).unwrap_err();
        receipt.assert_revert(MultisigError::BadBoard);
    }
    let all = accounts[..MEMBERS_MAX].to_vec();
    chain.deploy::<Multisig>(accounts[0], (all, u8::try_from(MEMBERS_MAX).unwrap()));
}

#[test]
fn approvals_run_at_once() {
    let mut s = setup();
    let ids = [s.propose(&[s.pay(1)], 0), s.propose(&[s.pay(2)], 1)];
    let report = s.chain.block([
        s.wallet.tx(s.members[1], "vote", (ids[0], true)),
        s.wallet.tx(s.members[2], "vote", (ids[0], true)),
        s.wallet.tx(s.members[2], "vote", (ids[1], true)),
        s.wallet.tx(s.members[1], "propose", (vec![s.pay(3)], LATE, 0u64)),
        s.wallet.tx(s.members[0], "execute", (ids[0],)),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1, 2, 3], &[4]]);
}
