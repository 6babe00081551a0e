//! The organization's rules, run natively.

extern crate std;

use kempe_sdk::abi::Encode;
use kempe_sdk::abi::upgrade::UpgradeTerms;
use kempe_sdk::prelude::*;
use kempe_sdk::testing::{Instance, Receipt, TestChain};
use kempe_token::{Token, TokenError};

use crate::{
    Agreed, CHANGES_MAX, Canceled, Change, Choice, Executed, Governance, GovernanceError, History,
    PERIOD_MS_MAX, PowerChanged, Proposal, Proposed, STEPS_BYTES_MAX, STEPS_MAX, Settings, Stage,
    Step, Tally, Voted,
};

const TEXT: Hash = Hash([9; 32]);

const SETTINGS: Settings = Settings {
    delay_ms: 10_000,
    voting_ms: 100_000,
    timelock_ms: 50_000,
    grace_ms: 200_000,
    quorum_bp: 1_333,
    quorum_min: 0,
    threshold: 100,
};

struct Setup {
    chain: TestChain,
    token: Instance<Token>,
    gov: Instance<Governance>,
    members: [Address; 3],
    stranger: Address,
}

/// Members with 500, 300 and 200 of power; a treasury of 50.
fn setup() -> Setup {
    let mut chain = TestChain::native();
    let members = ["ada", "bea", "cas"].map(|name| chain.account(name));
    let stranger = chain.account("stranger");
    let token = chain.deploy::<Token>(stranger, (stranger,));
    let gov = chain.deploy::<Governance>(stranger, (token.address(), SETTINGS));
    chain.send(stranger, &token, "mint", (gov.address(), 50u128)).assert_ok();
    let mut s = Setup { chain, token, gov, members, stranger };
    for (who, amount) in members.into_iter().zip([500, 300, 200]) {
        s.chain.send(stranger, &s.token, "mint", (who, 1_000u128)).assert_ok();
        s.chain.send(who, &s.token, "approve", (s.gov.address(), u128::MAX)).assert_ok();
        s.lock(who, amount).assert_ok();
    }
    s
}

fn encoded(args: &impl Encode) -> Vec<u8> {
    let mut bytes = Vec::new();
    args.serialize(&mut bytes).unwrap();
    bytes
}

impl Setup {
    fn lock(&mut self, who: Address, amount: u128) -> Receipt {
        self.chain.send(who, &self.gov, "lock", (amount,))
    }

    fn pay(&self, amount: u128) -> Step {
        Step::call(self.token.address(), "transfer", encoded(&(self.stranger, amount)))
    }

    fn try_propose(&mut self, by: Address, steps: Vec<Step>, salt: u64) -> Receipt {
        self.chain.send(by, &self.gov, "propose", (steps, TEXT, salt))
    }

    fn propose(&mut self, steps: Vec<Step>, salt: u64) -> Hash {
        self.try_propose(self.members[0], steps, salt).value()
    }

    fn vote(&mut self, who: usize, id: Hash, choice: Choice) -> Receipt {
        self.chain.send(self.members[who], &self.gov, "vote", (id, choice))
    }

    fn execute(&mut self, id: Hash) -> Receipt {
        self.chain.send(self.stranger, &self.gov, "execute", (id,))
    }

    fn agreed(&mut self, contract: Address) -> Option<Agreed> {
        self.chain.view(&self.gov, "agreed_upgrade", (contract,))
    }

    /// Asks as the host does, or as somebody else.
    fn ask(&mut self, who: Address, terms: &UpgradeTerms) -> Receipt {
        self.chain.send(who, &self.gov, "authorize_upgrade", (terms.clone(),))
    }

    fn proposal(&mut self, id: Hash) -> Proposal {
        self.chain.view::<Option<Proposal>>(&self.gov, "proposal", (id,)).unwrap()
    }

    fn stage(&mut self, id: Hash) -> Option<Stage> {
        self.chain.view(&self.gov, "stage", (id,))
    }

    /// The next block is at this time.
    fn at(&mut self, time_ms: u64) {
        let now = self.chain.time_ms();
        self.chain.advance_ms(time_ms - now);
    }

    /// A proposal that is ready, for which the first member voted.
    fn ready(&mut self, steps: Vec<Step>, salt: u64) -> Hash {
        let id = self.propose(steps, salt);
        let proposal = self.proposal(id);
        self.at(proposal.begin_ms);
        self.vote(0, id, Choice::For).assert_ok();
        self.at(proposal.ready_ms);
        id
    }
}

#[test]
fn a_proposal_is_voted_on_waits_and_is_executed_once() {
    let mut s = setup();
    let receipt = s.try_propose(s.members[0], vec![s.pay(20), s.pay(30)], 1);
    let id: Hash = receipt.value();
    assert_eq!(receipt.events::<Proposed>(), [Proposed { id, by: s.members[0], text: TEXT }]);
    let proposal = s.proposal(id);
    // Of 3,000 tokens: 50 are the organization's.
    assert_eq!((proposal.quorum, s.stage(id)), (400, Some(Stage::Pending)));
    s.vote(0, id, Choice::For).assert_revert(GovernanceError::WrongStage);
    s.at(proposal.begin_ms);
    assert_eq!(s.stage(id), Some(Stage::Voting));
    let receipt = s.vote(1, id, Choice::For);
    let voted = Voted { id, by: s.members[1], choice: Choice::For, power: 300 };
    assert_eq!(receipt.assert_ok().events::<Voted>(), [voted]);
    s.vote(1, id, Choice::Against).assert_revert(GovernanceError::AlreadyVoted);
    s.vote(2, id, Choice::Abstain).assert_ok();
    let tally = Tally { against: 0, in_favor: 300, abstaining: 200 };
    assert_eq!(s.chain.view::<Tally>(&s.gov, "tally", (id,)), tally);
    s.at(proposal.end_ms);
    assert_eq!(s.stage(id), Some(Stage::Locked));
    s.vote(0, id, Choice::Against).assert_revert(GovernanceError::WrongStage);
    s.execute(id).assert_revert(GovernanceError::WrongStage);
    s.at(proposal.ready_ms);
    let receipt = s.execute(id);
    assert_eq!(receipt.assert_ok().events::<Executed>(), [Executed { id }]);
    assert_eq!(s.chain.view::<u128>(&s.token, "balance", (s.stranger,)), 50);
    s.execute(id).assert_revert(GovernanceError::WrongStage);
    assert_eq!(s.stage(id), Some(Stage::Closed));
}

#[test]
fn a_vote_is_lost_without_a_majority_or_a_quorum() {
    let mut s = setup();
    for (salt, votes, stage) in [
        (1, [None, None, Some(Choice::For)], Stage::Defeated),
        (2, [Some(Choice::Against), Some(Choice::For), Some(Choice::For)], Stage::Defeated),
        (3, [Some(Choice::Abstain), None, None], Stage::Defeated),
        (4, [None, Some(Choice::For), Some(Choice::Abstain)], Stage::Ready),
        (5, [Some(Choice::For), Some(Choice::Against), None], Stage::Ready),
    ] {
        let id = s.propose(vec![s.pay(1)], salt);
        let proposal = s.proposal(id);
        s.at(proposal.begin_ms);
        for (who, choice) in votes.into_iter().enumerate() {
            if let Some(choice) = choice {
                s.vote(who, id, choice).assert_ok();
            }
        }
        s.at(proposal.ready_ms);
        assert_eq!(s.stage(id), Some(stage), "{salt}");
        if stage == Stage::Defeated {
            s.execute(id).assert_revert(GovernanceError::WrongStage);
        }
    }
}

/// Whoever holds the token answers a proposal while it is pending, and not when its vote has begun.
#[test]
fn only_power_from_before_the_vote_counts() {
    let mut s = setup();
    s.chain.send(s.stranger, &s.token, "mint", (s.stranger, 9_000u128)).assert_ok();
    s.chain.send(s.stranger, &s.token, "approve", (s.gov.address(), u128::MAX)).assert_ok();
    let id = s.propose(vec![s.pay(50)], 0);
    s.lock(s.stranger, 4_000).assert_ok();
    let late = s.chain.account("late");
    s.chain.send(s.stranger, &s.token, "transfer", (late, 5_000u128)).assert_ok();
    s.chain.send(late, &s.token, "approve", (s.gov.address(), u128::MAX)).assert_ok();
    let begin_ms = s.proposal(id).begin_ms;
    s.at(begin_ms);
    // In the first block of the vote, and behind it.
    s.lock(late, 2_000).assert_ok();
    s.lock(late, 3_000).assert_ok();
    let against = (id, Choice::Against);
    s.chain.send(late, &s.gov, "vote", against).assert_revert(GovernanceError::NoPower);
    assert_eq!(s.chain.send(s.stranger, &s.gov, "vote", against).value::<u128>(), 4_000);
    // Who unlocks in the vote keeps it; the tokens are no power for the next one.
    s.chain.send(s.members[0], &s.gov, "unlock", (450u128,)).assert_ok();
    assert_eq!(s.vote(0, id, Choice::For).value::<u128>(), 500);
    s.try_propose(s.members[0], vec![s.pay(1)], 9)
        .assert_revert(GovernanceError::InsufficientPower);
    let history: History = s.chain.view(&s.gov, "history", (s.members[0],));
    assert_eq!((history.now(), history.changes.len()), (50, 2));
}

/// Whoever is the first to lock has all power, and not the treasury.
#[test]
fn few_who_locked_decide_nothing_while_the_others_wait() {
    let mut chain = TestChain::native();
    let [ada, bob, founder] = ["ada", "bob", "founder"].map(|name| chain.account(name));
    let token = chain.deploy::<Token>(founder, (founder,));
    let gov = chain.deploy::<Governance>(founder, (token.address(), SETTINGS));
    for (who, amount) in [(gov.address(), 5_000u128), (ada, 4_900), (bob, 100)] {
        chain.send(founder, &token, "mint", (who, amount)).assert_ok();
    }
    for (who, amount) in [(bob, 100u128), (ada, 4_900)] {
        chain.send(who, &token, "approve", (gov.address(), amount)).assert_ok();
    }
    chain.send(bob, &gov, "lock", (100u128,)).assert_ok();
    let take = Step::call(token.address(), "transfer", encoded(&(bob, 5_000u128)));
    for salt in [0u64, 1] {
        let args = (vec![take.clone()], TEXT, salt);
        let id: Hash = chain.send(bob, &gov, "propose", args).value();
        let proposal = chain.view::<Option<Proposal>>(&gov, "proposal", (id,)).unwrap();
        // Of all tokens that can be locked, whether they are or not.
        assert_eq!(proposal.quorum, 667);
        if salt == 1 {
            chain.send(ada, &gov, "lock", (4_900u128,)).assert_ok();
        }
        chain.set_time_ms(proposal.begin_ms);
        if salt == 1 {
            chain.send(ada, &gov, "vote", (id, Choice::Against)).assert_ok();
        }
        chain.send(bob, &gov, "vote", (id, Choice::For)).assert_ok();
        chain.set_time_ms(proposal.ready_ms);
        chain.send(bob, &gov, "execute", (id,)).assert_revert(GovernanceError::WrongStage);
    }
}

/// What the organization has cannot vote. If it counted for the quorum, a treasury of more than the rest would let nothing be
/// decided, not even to pay itself out.
#[test]
fn a_large_treasury_puts_no_quorum_out_of_reach() {
    let mut chain = TestChain::native();
    let [ada, founder] = ["ada", "founder"].map(|name| chain.account(name));
    let token = chain.deploy::<Token>(founder, (founder,));
    let settings = Settings { quorum_bp: 5_000, ..SETTINGS };
    let gov = chain.deploy::<Governance>(founder, (token.address(), settings));
    for (who, amount) in [(gov.address(), 9_000u128), (ada, 600), (founder, 400)] {
        chain.send(founder, &token, "mint", (who, amount)).assert_ok();
    }
    chain.send(ada, &token, "approve", (gov.address(), u128::MAX)).assert_ok();
    chain.send(ada, &gov, "lock", (600u128,)).assert_ok();
    let pay = Step::call(token.address(), "transfer", encoded(&(founder, 9_000u128)));
    let id: Hash = chain.send(ada, &gov, "propose", (vec![pay], TEXT, 0u64)).value();
    let proposal = chain.view::<Option<Proposal>>(&gov, "proposal", (id,)).unwrap();
    // Half of 1,000, whatever of them is locked.
    assert_eq!(proposal.quorum, 500);
    chain.set_time_ms(proposal.begin_ms);
    chain.send(ada, &gov, "vote", (id, Choice::For)).assert_ok();
    chain.set_time_ms(proposal.ready_ms);
    chain.send(founder, &gov, "execute", (id,)).assert_ok();
    assert_eq!(chain.view::<u128>(&token, "balance", (founder,)), 9_400);
}

/// Whoever unlocks, moves and locks again around the beginning of a vote: a token votes once.
#[test]
fn a_token_is_power_once() {
    let mut s = setup();
    let [ada, bea, cas] = s.members;
    let id = s.propose(vec![s.pay(1)], 0);
    let Proposal { begin_ms, quorum, .. } = s.proposal(id);
    // The last block before the vote: what is moved in it counts where it went to.
    s.at(begin_ms - 1);
    let moved = [
        s.gov.tx(ada, "unlock", (500u128,)),
        s.token.tx(ada, "transfer", (cas, 500u128)),
        s.gov.tx(cas, "lock", (500u128,)),
    ];
    s.chain.block(moved).assert_ok();
    // The first block of it.
    let moved = [
        s.gov.tx(bea, "unlock", (300u128,)),
        s.token.tx(bea, "transfer", (cas, 300u128)),
        s.gov.tx(cas, "lock", (300u128,)),
    ];
    assert!(s.chain.time_ms() >= begin_ms);
    s.chain.block(moved).assert_ok();
    s.vote(0, id, Choice::For).assert_revert(GovernanceError::NoPower);
    let powers = [1, 2].map(|who| s.vote(who, id, Choice::For).value::<u128>());
    assert_eq!((powers, quorum), ([300, 700], 400));
}

#[test]
fn proposals_wait_for_whoever_locks_and_not_for_each_other() {
    let mut s = setup();
    let txs = [
        s.gov.tx(s.members[2], "unlock", (1u128,)),
        s.gov.tx(s.members[0], "propose", (vec![s.pay(1)], TEXT, 0u64)),
        s.gov.tx(s.members[1], "propose", (vec![s.pay(1)], TEXT, 0u64)),
    ];
    s.chain.block(txs).assert_ok().assert_batches(&[&[0], &[1, 2]]);
}

#[test]
fn what_is_locked_can_always_be_unlocked() {
    let mut s = setup();
    let [ada, ..] = s.members;
    // One change by the setup; a change a block.
    for _ in 1..CHANGES_MAX {
        s.lock(ada, 2).assert_ok();
    }
    s.lock(ada, 2).assert_revert(GovernanceError::TooManyChanges);
    s.chain.send(ada, &s.gov, "unlock", (500u128,)).assert_ok();
    s.chain.send(ada, &s.gov, "unlock", (50u128,)).assert_ok();
    let history: History = s.chain.view(&s.gov, "history", (ada,));
    assert_eq!((history.now(), history.changes.len()), (12, CHANGES_MAX));
    s.lock(ada, 1).assert_revert(GovernanceError::TooManyChanges);
    s.chain.send(ada, &s.gov, "unlock", (12u128,)).assert_ok();
    s.chain.send(ada, &s.gov, "unlock", (1u128,)).assert_revert(GovernanceError::InsufficientPower);
    assert_eq!(s.chain.view::<u128>(&s.token, "balance", (ada,)), 1_000);
    // And when the changes do not matter any more, locking goes on.
    s.chain.advance_ms(PERIOD_MS_MAX + 1);
    s.lock(ada, 1).assert_ok();
    assert_eq!(s.chain.view::<History>(&s.gov, "history", (ada,)).now(), 1);
}

#[test]
fn locking_and_unlocking() {
    let mut s = setup();
    let receipt = s.lock(s.members[0], 7);
    let changed = PowerChanged { of: s.members[0], power: 507 };
    assert_eq!(receipt.events::<PowerChanged>(), [changed]);
    s.lock(s.members[0], 0).assert_revert(GovernanceError::ZeroAmount);
    s.lock(s.members[0], 494).assert_revert(TokenError::InsufficientBalance);
    s.lock(s.members[0], u128::MAX).assert_revert(GovernanceError::TooLarge);
    s.lock(s.members[0], u128::MAX >> 1).assert_revert(GovernanceError::TooLarge);
    for (amount, error) in
        [(0u128, GovernanceError::ZeroAmount), (508, GovernanceError::InsufficientPower)]
    {
        s.chain.send(s.members[0], &s.gov, "unlock", (amount,)).assert_revert(error);
    }
    s.chain.send(s.members[0], &s.gov, "unlock", (507u128,)).assert_ok();
    assert_eq!(s.chain.view::<u128>(&s.gov, "total", ()), 500);
    assert_eq!(s.chain.view::<u128>(&s.token, "balance", (s.members[0],)), 1_000);
}

#[test]
fn a_history_forgets_what_no_vote_asks_for() {
    let mut history = History::default();
    assert_eq!((history.now(), history.before(9)), (0, 0));
    let change = |time_ms: u64, power| Change { time_ms, power };
    for time_ms in 1..=CHANGES_MAX as u64 {
        history.set(change(time_ms, time_ms.into()), 0).unwrap();
    }
    let error = history.clone().set(change(99, 33), 0);
    assert_eq!(error, Err(GovernanceError::TooManyChanges));
    // Less counts from the last change on: never more than there was.
    let mut full = history.clone();
    full.set(change(99, 3), 0).unwrap();
    assert_eq!((full.now(), full.before(99), full.before(32)), (3, 3, 31));
    // Another change at the same time replaces it.
    history.set(change(CHANGES_MAX as u64, 7), 0).unwrap();
    assert_eq!((history.now(), history.changes.len()), (7, CHANGES_MAX));
    assert_eq!((history.before(5), history.before(1), history.before(2)), (4, 0, 1));
    // From 10 on: the change at 9 still says what the power was then.
    history.set(change(99, 1), 10).unwrap();
    assert_eq!((history.before(10), history.before(9), history.before(100)), (9, 0, 1));
}

#[test]
fn locked_tokens_are_not_the_treasury() {
    let mut s = setup();
    let id = s.ready(vec![s.pay(51)], 1);
    s.execute(id).assert_revert(GovernanceError::LockedTokens);
    let approve = Step::call(s.token.address(), "approve", encoded(&(s.stranger, 1u128)));
    s.try_propose(s.members[0], vec![approve], 2).assert_revert(GovernanceError::BadProposal);
    let id = s.ready(vec![s.pay(50)], 3);
    s.execute(id).assert_ok();
}

#[test]
fn the_organization_owns_what_is_given_to_it_and_changes_its_settings() {
    let mut s = setup();
    let coin = s.chain.deploy::<Token>(s.stranger, (s.gov.address(),));
    let mint = Step::call(coin.address(), "mint", encoded(&(s.members[2], 5u128)));
    let settings = Settings { threshold: 500, ..SETTINGS };
    let id = s.ready(vec![mint, Step::SetSettings { settings }], 1);
    s.execute(id).assert_ok();
    assert_eq!(s.chain.view::<u128>(&coin, "balance", (s.members[2],)), 5);
    assert_eq!(s.chain.view::<Option<Settings>>(&s.gov, "settings", ()), Some(settings));
    s.try_propose(s.members[1], vec![s.pay(1)], 2)
        .assert_revert(GovernanceError::InsufficientPower);
    s.propose(vec![s.pay(1)], 2);
}

#[test]
fn a_step_that_fails_undoes_all_and_time_runs_out() {
    let mut s = setup();
    let fails = Step::call(s.token.address(), "transfer", encoded(&(s.stranger, 9_999u128)));
    let id = s.ready(vec![s.pay(5), fails], 1);
    s.execute(id).assert_revert(TokenError::InsufficientBalance);
    assert_eq!(s.chain.view::<u128>(&s.token, "balance", (s.stranger,)), 0);
    let expires_ms = s.proposal(id).expires_ms;
    s.at(expires_ms);
    assert_eq!(s.stage(id), Some(Stage::Expired));
    s.execute(id).assert_revert(GovernanceError::WrongStage);
}

#[test]
fn proposals_are_canceled_by_their_proposers() {
    let mut s = setup();
    let id = s.propose(vec![s.pay(5)], 1);
    let cancel =
        |s: &mut Setup, who: usize, id: Hash| s.chain.send(s.members[who], &s.gov, "cancel", (id,));
    cancel(&mut s, 1, id).assert_revert(GovernanceError::NotProposer);
    assert_eq!(cancel(&mut s, 0, id).assert_ok().events::<Canceled>(), [Canceled { id }]);
    cancel(&mut s, 0, id).assert_revert(GovernanceError::WrongStage);
    // Of what is voted on, or was, the proposer has no veto.
    let won = s.propose(vec![s.pay(5)], 2);
    let Proposal { begin_ms, ready_ms, .. } = s.proposal(won);
    s.at(begin_ms);
    cancel(&mut s, 0, won).assert_revert(GovernanceError::WrongStage);
    s.vote(0, won, Choice::For).assert_ok();
    s.vote(1, won, Choice::For).assert_ok();
    s.vote(2, won, Choice::For).assert_ok();
    s.at(ready_ms);
    cancel(&mut s, 0, won).assert_revert(GovernanceError::WrongStage);
    s.execute(won).assert_ok();
    s.execute(id).assert_revert(GovernanceError::WrongStage);
    cancel(&mut s, 0, TEXT).assert_revert(GovernanceError::NoSuchProposal);
    s.execute(TEXT).assert_revert(GovernanceError::NoSuchProposal);
    s.vote(0, TEXT, Choice::For).assert_revert(GovernanceError::NoSuchProposal);
    assert_eq!(s.stage(TEXT), None);
}

/// Whoever can make the supply smaller for the time of a proposal makes a part of it smaller, and not what is needed at least.
#[test]
fn a_smaller_supply_makes_no_quorum_smaller_than_the_least() {
    let mut chain = TestChain::native();
    let [ada, bea] = ["ada", "bea"].map(|name| chain.account(name));
    let token = chain.deploy::<Token>(ada, (ada,));
    let settings = Settings { quorum_bp: 8_000, quorum_min: 800, ..SETTINGS };
    let gov = chain.deploy::<Governance>(ada, (token.address(), settings));
    for (who, amount) in [(ada, 700u128), (bea, 300)] {
        chain.send(ada, &token, "mint", (who, amount)).assert_ok();
        chain.send(who, &token, "approve", (gov.address(), u128::MAX)).assert_ok();
    }
    chain.send(ada, &gov, "lock", (100u128,)).assert_ok();
    chain.send(ada, &token, "burn", (600u128,)).assert_ok();
    let keep = Step::SetSettings { settings };
    let id: Hash = {
        let refused = chain.send(ada, &gov, "propose", (vec![keep], TEXT, 0u64));
        refused.assert_revert(GovernanceError::BadSettings);
        let pay = Step::call(token.address(), "transfer", encoded(&(ada, 0u128)));
        chain.send(ada, &gov, "propose", (vec![pay], TEXT, 0u64)).value()
    };
    let proposal = chain.view::<Option<Proposal>>(&gov, "proposal", (id,)).unwrap();
    assert_eq!(proposal.quorum, 800);
}

#[test]
fn proposals_and_settings_that_are_refused() {
    let mut s = setup();
    let bad = Settings { voting_ms: 0, ..SETTINGS };
    let high = Settings { threshold: 501, ..SETTINGS };
    let out_of_reach = Settings { quorum_min: 1_000_000, ..SETTINGS };
    let long = Step::call(s.token.address(), "transfer", vec![0; STEPS_BYTES_MAX + 1]);
    let itself = Step::call(s.gov.address(), "unlock", encoded(&(1u128,)));
    for (steps, error) in [
        (vec![], GovernanceError::BadProposal),
        (vec![s.pay(1); STEPS_MAX + 1], GovernanceError::BadProposal),
        (vec![Step::SetSettings { settings: bad }], GovernanceError::BadSettings),
        // A threshold that nobody may reach, and a step that could not be taken.
        (vec![Step::SetSettings { settings: high }], GovernanceError::BadSettings),
        (vec![Step::SetSettings { settings: out_of_reach }], GovernanceError::BadSettings),
        (vec![s.pay(1), itself], GovernanceError::BadProposal),
        (vec![long], GovernanceError::BadProposal),
    ] {
        s.try_propose(s.members[0], steps, 1).assert_revert(error);
    }
    s.propose(vec![s.pay(1)], 1);
    s.try_propose(s.members[0], vec![s.pay(1)], 1).assert_revert(GovernanceError::AlreadyProposed);
    s.try_propose(s.stranger, vec![s.pay(1)], 1).assert_revert(GovernanceError::InsufficientPower);
    for bad in [
        bad,
        Settings { grace_ms: 0, ..SETTINGS },
        Settings { delay_ms: PERIOD_MS_MAX + 1, ..SETTINGS },
        Settings { quorum_bp: 0, ..SETTINGS },
        Settings { quorum_bp: 10_001, ..SETTINGS },
    ] {
        let refused = s.chain.try_deploy::<Governance>(s.stranger, (s.token.address(), bad));
        refused.unwrap_err().assert_revert(GovernanceError::BadSettings);
    }
}

#[test]
fn votes_run_at_once() {
    let mut s = setup();
    let ids = [s.propose(vec![s.pay(1)], 1), s.propose(vec![s.pay(1)], 2)];
    let begin_ms = s.proposal(ids[1]).begin_ms;
    s.at(begin_ms);
    let vote = |who: usize, id, choice| s.gov.tx(s.members[who], "vote", (id, choice));
    let txs = [
        vote(0, ids[0], Choice::For),
        vote(1, ids[0], Choice::For),
        vote(2, ids[0], Choice::Against),
        vote(2, ids[1], Choice::For),
        s.gov.tx(s.stranger, "tally", (ids[0],)),
    ];
    s.chain.block(txs).assert_ok().assert_batches(&[&[0, 1, 2, 3], &[4]]);
}

/// Terms of an upgrade of some contract.
fn terms(contract: Address, code: u8) -> UpgradeTerms {
    UpgradeTerms {
        contract,
        code: Hash([code; 32]),
        args: Vec::from([1, 2, 3]),
        allow_wider: false,
        authority: None,
    }
}

fn agree(terms: &UpgradeTerms) -> Step {
    Step::Upgrade { contract: terms.contract, terms: hash(terms) }
}

#[test]
fn an_upgrade_is_agreed_to_in_all_its_terms_once_and_for_a_while() {
    let mut s = setup();
    let contract = Address([8; 32]);
    let agreed_to = terms(contract, 1);
    let id = s.ready(vec![agree(&agreed_to)], 1);
    assert_eq!(s.agreed(contract), None, "before it is executed");
    // As late as it can be: there is all of the grace period to send it.
    let executed_ms = s.proposal(id).expires_ms - 1;
    let until_ms = executed_ms + SETTINGS.grace_ms;
    s.at(executed_ms);
    s.execute(id).assert_ok();
    assert_eq!(s.agreed(contract), Some(Agreed { terms: hash(&agreed_to), until_ms }));

    // Not by anybody but the host, though the terms are right.
    for who in [s.members[0], s.stranger, s.gov.address(), contract] {
        s.ask(who, &agreed_to).assert_revert(GovernanceError::NotHost);
    }
    let host = Address::ZERO;
    for other in [
        terms(contract, 2),
        terms(Address([9; 32]), 1),
        UpgradeTerms { args: Vec::new(), ..agreed_to.clone() },
        UpgradeTerms { allow_wider: true, ..agreed_to.clone() },
        UpgradeTerms { authority: Some(s.stranger), ..agreed_to.clone() },
    ] {
        s.ask(host, &other).assert_revert(GovernanceError::NotAgreed);
    }
    let before = s.chain.snapshot();
    s.ask(host, &agreed_to).assert_ok();
    assert_eq!(s.agreed(contract), None);
    s.ask(host, &agreed_to).assert_revert(GovernanceError::NotAgreed);

    s.chain = before;
    s.at(until_ms - 1);
    let in_time = s.chain.snapshot();
    s.ask(host, &agreed_to).assert_ok();
    s.chain = in_time;
    s.at(until_ms);
    s.ask(host, &agreed_to).assert_revert(GovernanceError::NotAgreed);
}

#[test]
fn a_later_agreement_replaces_the_one_before() {
    let mut s = setup();
    let contract = Address([8; 32]);
    let (old, new) = (terms(contract, 1), terms(contract, 2));
    for (salt, terms) in [(1, &old), (2, &new)] {
        let id = s.ready(vec![agree(terms)], salt);
        s.execute(id).assert_ok();
    }
    s.ask(Address::ZERO, &old).assert_revert(GovernanceError::NotAgreed);
    s.ask(Address::ZERO, &new).assert_ok();
    // And the first is not agreed to again by that.
    s.ask(Address::ZERO, &old).assert_revert(GovernanceError::NotAgreed);
}

#[test]
fn the_code_of_the_token_is_not_the_members_to_replace() {
    let mut s = setup();
    let step = agree(&terms(s.token.address(), 1));
    s.try_propose(s.members[0], vec![s.pay(1), step], 1)
        .assert_revert(GovernanceError::BadProposal);
}
