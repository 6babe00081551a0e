//! Proposals, votes by snapshot, a timelock, and a treasury.
//!
//! Members lock a token; what they have locked is their power. A proposal is a list of calls. Its vote counts
//! the power that members have when the vote begins, before the first block of it, and its quorum is a part of
//! the token's supply, of all but what the organization itself has, which nobody can lock: a large treasury puts no quorum out of
//! reach. So whoever holds the token can answer a proposal by locking some while it is pending,
//! few who locked early decide nothing while the others wait, unlocking makes no quorum smaller, and what is
//! unlocked in a vote and locked by another account votes once. Tokens that were borrowed over the end of the one block before the vote
//! are power, too, as everywhere that power is counted at a moment: a quorum and a timelock are what stands against them.
//! What was voted waits, and then anyone may have it executed: the organization
//! is the caller of the steps, so it owns a treasury and whatever was given to its address. It can be the
//! upgrade authority of contracts, its own among them: a step agrees to the terms of an upgrade, which
//! anyone sends then.
//!
//! What conflicts: votes do not conflict with each other. A vote reads the proposal and the voter's own
//! history, writes a ballot of its own and adds to the power behind a choice. Locking and unlocking add to the
//! total and write the account's history; making a proposal waits for them, and for what else changes
//! the token's supply or what the organization has of it. Executing is `dynamic`: what it touches is what was proposed.
//!
//! Invariants:
//! - an account votes once on a proposal, with the power it had before the vote began; a token is power once;
//! - what a member has locked can be unlocked at any time;
//! - what is executed was voted for by more power than against, with a quorum, and waited its timelock; it is
//!   executed at most once, as a whole or not at all;
//! - the contract has at least the tokens that members have locked: a proposal can pay out what it has
//!   beyond them, and nothing else of that token is done in its name;
//! - in the organization's name code is replaced only by an upgrade whose terms, by their hash, an executed
//!   proposal named, at most once, in time, and not if another was agreed to for the same contract since.
//!
//! Source: the life of a proposal and the snapshot are those of OpenZeppelin's `Governor` (2021).
#![no_std]

use kempe_sdk::abi::MethodId;
use kempe_sdk::abi::upgrade::UpgradeTerms;
use kempe_sdk::call_encoded;
use kempe_sdk::interfaces::FungibleClient;
use kempe_sdk::prelude::*;

mod storage;
#[cfg(test)]
mod test;

use storage::quorum;
pub use storage::{
    Agreed, CHANGES_MAX, Canceled, Change, Choice, Executed, GovernanceError, History,
    PERIOD_MS_MAX, PowerChanged, Proposal, Proposed, STEPS_BYTES_MAX, STEPS_MAX, Settings, Stage,
    Step, Tally, Voted,
};

/// An organization of those who lock a token.
#[contract]
#[derive(Debug)]
pub struct Governance {
    /// What members lock.
    token: Immutable<Address>,
    /// How it decides.
    settings: Item<Settings>,
    /// All tokens that are locked.
    total: Counter<u128>,
    /// How each account's power changed.
    power: Map<Address, History>,
    /// What was proposed, by `hash(proposer, salt)`.
    proposals: Map<Hash, Proposal>,
    /// What each account said to each proposal.
    ballots: Map<Hash, Map<Address, Choice>>,
    /// The power against each proposal.
    against: Map<Hash, Counter<u128>>,
    /// The power for each proposal.
    in_favor: Map<Hash, Counter<u128>>,
    /// The power that abstained from each proposal.
    abstaining: Map<Hash, Counter<u128>>,
    /// The upgrade of each contract that was agreed to last, until it is done.
    upgrades: Map<Address, Agreed>,
}

#[contract]
impl Governance {
    /// Sets up the organization.
    ///
    /// # Arguments
    /// - `token`: what members lock. Not one that takes a fee out of transfers. Where its holders can make its supply smaller and larger
    ///   again, `quorum_min` of the settings is what a quorum has to rely on.
    /// - `settings`: how it decides; a proposal can change them. Nobody decides anything where nobody has the
    ///   threshold.
    ///
    /// # Errors
    /// - [`GovernanceError::BadSettings`].
    pub fn init(&mut self, token: Address, settings: Settings) -> Result<(), GovernanceError> {
        ensure!(settings.is_sound(), GovernanceError::BadSettings);
        self.token.set(token);
        self.settings.put(settings);
        Ok(())
    }

    /// Locks tokens, out of the caller's allowance.
    ///
    /// # Arguments
    /// - `amount`: how much.
    ///
    /// # Errors
    /// - [`GovernanceError::ZeroAmount`], [`GovernanceError::TooManyChanges`],
    ///   [`GovernanceError::TooLarge`].
    ///
    /// # Events
    /// [`PowerChanged`].
    #[access(
        write(power[caller]),
        add(total),
        calls(token.transfer_from(caller, this, amount))
    )]
    pub fn lock(&mut self, amount: u128) -> Result<(), GovernanceError> {
        ensure!(amount > 0, GovernanceError::ZeroAmount);
        let history = self.power.get(caller());
        let power = history.now().checked_add(amount).ok_or(GovernanceError::TooLarge)?;
        // One step of a counter is at most 2^127 - 1.
        ensure!(power <= u128::MAX >> 1, GovernanceError::TooLarge);
        self.set_power(history, power)?;
        self.total.add(amount);
        FungibleClient::new(self.token.get()).transfer_from(caller(), this(), amount);
        Ok(())
    }

    /// Unlocks tokens. Votes that were cast stay.
    ///
    /// Who has changed their power [`CHANGES_MAX`] times within the periods that votes can ask about loses with
    /// this, for votes on proposals made since the last change, the power that is unlocked.
    ///
    /// # Arguments
    /// - `amount`: how much.
    ///
    /// # Errors
    /// - [`GovernanceError::ZeroAmount`], [`GovernanceError::InsufficientPower`].
    ///
    /// # Events
    /// [`PowerChanged`].
    #[access(write(power[caller]), add(total), calls(token.transfer(caller, amount)))]
    pub fn unlock(&mut self, amount: u128) -> Result<(), GovernanceError> {
        ensure!(amount > 0, GovernanceError::ZeroAmount);
        let history = self.power.get(caller());
        let power = history.now().checked_sub(amount);
        self.set_power(history, power.ok_or(GovernanceError::InsufficientPower)?)?;
        self.total.sub(amount);
        FungibleClient::new(self.token.get()).transfer(caller(), amount);
        Ok(())
    }

    /// Proposes steps.
    ///
    /// # Arguments
    /// - `steps`: 1 to [`STEPS_MAX`], of at most [`STEPS_BYTES_MAX`] bytes together, executed in order, all or none. Of the token that members lock only
    ///   `transfer` can be called, and its code cannot be replaced; a step cannot call the organization itself,
    ///   nor ask more of later proposers than the caller's own power, or of a quorum than there is.
    /// - `text`: the hash of a text that explains them.
    /// - `salt`: any number that the caller has not used.
    ///
    /// Returns the proposal's identifier, `hash(caller, salt)`.
    ///
    /// # Errors
    /// - [`GovernanceError::InsufficientPower`]: less than the threshold, before this block's time.
    /// - [`GovernanceError::BadProposal`], [`GovernanceError::BadSettings`],
    ///   [`GovernanceError::AlreadyProposed`].
    ///
    /// # Events
    /// [`Proposed`].
    #[access(
        read(settings, power[caller], total),
        write(proposals[hash(caller, salt)]),
        calls(token.total_supply(), token.balance(this))
    )]
    pub fn propose(
        &mut self,
        steps: Vec<Step>,
        text: Hash,
        salt: u64,
    ) -> Result<Hash, GovernanceError> {
        let settings = self.settings.get().ok_or(GovernanceError::BadSettings)?;
        let (by, id) = (caller(), hash(&(caller(), salt)));
        let power = self.power.get(by).before(time_ms());
        ensure!(power >= settings.threshold, GovernanceError::InsufficientPower);
        ensure!(!steps.is_empty() && steps.len() <= STEPS_MAX, GovernanceError::BadProposal);
        let n_bytes: usize = steps.iter().map(Step::n_bytes).sum();
        ensure!(n_bytes <= STEPS_BYTES_MAX, GovernanceError::BadProposal);
        let lockable = self.lockable();
        steps.iter().try_for_each(|step| self.check_step(step, power, lockable))?;
        ensure!(!self.proposals.contains(id), GovernanceError::AlreadyProposed);
        let begin_ms = time_ms() + settings.delay_ms;
        let end_ms = begin_ms + settings.voting_ms;
        let ready_ms = end_ms + settings.timelock_ms;
        let proposal = Proposal {
            proposer: by,
            steps,
            text,
            quorum: quorum(lockable, &settings),
            begin_ms,
            end_ms,
            ready_ms,
            expires_ms: ready_ms + settings.grace_ms,
            closed: false,
        };
        self.proposals.put(id, &proposal);
        emit(Proposed { id, by, text });
        Ok(id)
    }

    /// Votes, with the power that the caller had before the vote began.
    ///
    /// # Arguments
    /// - `id`: the proposal.
    /// - `choice`: what the caller says. It stays.
    ///
    /// Returns the power.
    ///
    /// # Errors
    /// - [`GovernanceError::NoSuchProposal`], [`GovernanceError::WrongStage`],
    ///   [`GovernanceError::AlreadyVoted`], [`GovernanceError::NoPower`].
    ///
    /// # Events
    /// [`Voted`].
    #[access(
        read(proposals[id], power[caller]),
        write(ballots[id][caller]),
        add(against[id], in_favor[id], abstaining[id])
    )]
    pub fn vote(&mut self, id: Hash, choice: Choice) -> Result<u128, GovernanceError> {
        let proposal = self.proposals.try_get(id).ok_or(GovernanceError::NoSuchProposal)?;
        let stage = proposal.stage(&Tally::default(), time_ms());
        ensure!(stage == Stage::Voting, GovernanceError::WrongStage);
        let by = caller();
        ensure!(!self.ballots.contains((id, by)), GovernanceError::AlreadyVoted);
        let power = self.power.get(by).before(proposal.begin_ms);
        ensure!(power > 0, GovernanceError::NoPower);
        self.ballots.put((id, by), choice);
        match choice {
            Choice::Against => self.against.add(id, power),
            Choice::For => self.in_favor.add(id, power),
            Choice::Abstain => self.abstaining.add(id, power),
        }
        emit(Voted { id, by, choice, power });
        Ok(power)
    }

    /// Withdraws a proposal whose vote has not begun: from then on it is the members'.
    ///
    /// # Arguments
    /// - `id`: the proposal; the caller made it.
    ///
    /// # Errors
    /// - [`GovernanceError::NoSuchProposal`], [`GovernanceError::NotProposer`],
    ///   [`GovernanceError::WrongStage`].
    ///
    /// # Events
    /// [`Canceled`].
    #[access(write(proposals[id]))]
    pub fn cancel(&mut self, id: Hash) -> Result<(), GovernanceError> {
        let mut proposal = self.proposals.try_get(id).ok_or(GovernanceError::NoSuchProposal)?;
        ensure!(caller() == proposal.proposer, GovernanceError::NotProposer);
        let stage = proposal.stage(&Tally::default(), time_ms());
        ensure!(stage == Stage::Pending, GovernanceError::WrongStage);
        proposal.closed = true;
        self.proposals.put(id, &proposal);
        emit(Canceled { id });
        Ok(())
    }

    /// Executes a proposal whose vote was won and whose timelock is over. Anyone may.
    ///
    /// # Arguments
    /// - `id`: the proposal.
    ///
    /// # Errors
    /// - [`GovernanceError::NoSuchProposal`], [`GovernanceError::WrongStage`].
    /// - [`GovernanceError::LockedTokens`]: the steps would pay out what members have locked.
    ///
    /// If a step fails the transaction fails as the step did, and nothing of it stands.
    ///
    /// # Events
    /// [`Executed`], and those of the steps.
    #[access(dynamic)]
    pub fn execute(&mut self, id: Hash) -> Result<(), GovernanceError> {
        let mut proposal = self.proposals.try_get(id).ok_or(GovernanceError::NoSuchProposal)?;
        let stage = proposal.stage(&self.count(id), time_ms());
        ensure!(stage == Stage::Ready, GovernanceError::WrongStage);
        proposal.closed = true;
        self.proposals.put(id, &proposal);
        let token = self.token.get();
        // As long as the proposal could be executed, whenever in that time it is.
        let until_ms = time_ms() + (proposal.expires_ms - proposal.ready_ms);
        let mut pays = false;
        for step in proposal.steps {
            match step {
                Step::Call { contract, method, args } => {
                    pays |= contract == token;
                    call_encoded(&contract, MethodId(method), &args);
                }
                Step::SetSettings { settings } => self.settings.put(settings),
                Step::Upgrade { contract, terms } => {
                    self.upgrades.put(contract, Agreed { terms, until_ms });
                }
            }
        }
        if pays {
            let left = FungibleClient::new(token).balance(this());
            ensure!(left >= self.total.get(), GovernanceError::LockedTokens);
        }
        emit(Executed { id });
        Ok(())
    }

    /// Uses up the agreement to an upgrade. The host calls it, in the upgrade's own transaction, and what
    /// fails there is undone with it.
    ///
    /// # Arguments
    /// - `terms`: those of the upgrade.
    ///
    /// # Errors
    /// - [`GovernanceError::NotHost`], [`GovernanceError::NotAgreed`].
    #[access(write(upgrades[terms.contract]))]
    pub fn authorize_upgrade(&mut self, terms: UpgradeTerms) -> Result<(), GovernanceError> {
        ensure!(caller() == Address::ZERO, GovernanceError::NotHost);
        let agreed = self.upgrades.take(terms.contract).ok_or(GovernanceError::NotAgreed)?;
        let holds = agreed.terms == hash(&terms) && time_ms() < agreed.until_ms;
        ensure!(holds, GovernanceError::NotAgreed);
        Ok(())
    }

    /// The upgrade of a contract that was agreed to and not done.
    #[access(read(upgrades[contract]))]
    pub fn agreed_upgrade(&self, contract: Address) -> Option<Agreed> {
        self.upgrades.try_get(contract)
    }

    /// What was proposed.
    #[access(read(proposals[id]))]
    pub fn proposal(&self, id: Hash) -> Option<Proposal> {
        self.proposals.try_get(id)
    }

    /// The power behind each choice so far.
    #[access(read(against[id], in_favor[id], abstaining[id]))]
    pub fn tally(&self, id: Hash) -> Tally {
        self.count(id)
    }

    /// How far a proposal is, if there is one.
    #[access(read(proposals[id], against[id], in_favor[id], abstaining[id]))]
    pub fn stage(&self, id: Hash) -> Option<Stage> {
        let proposal = self.proposals.try_get(id)?;
        Some(proposal.stage(&self.count(id), time_ms()))
    }

    /// The power of an account, with its changes that votes can still ask for.
    #[access(read(power[of]))]
    pub fn history(&self, of: Address) -> History {
        self.power.get(of)
    }

    /// How the organization decides.
    #[access(read(settings))]
    pub fn settings(&self) -> Option<Settings> {
        self.settings.get()
    }

    /// All tokens that are locked.
    #[access(read(total))]
    pub fn total(&self) -> u128 {
        self.total.get()
    }

    fn set_power(&mut self, mut history: History, power: u128) -> Result<(), GovernanceError> {
        let (of, now_ms) = (caller(), time_ms());
        // A vote that still runs asks for the power before its beginning, one period ago at most.
        history.set(Change { time_ms: now_ms, power }, now_ms.saturating_sub(PERIOD_MS_MAX))?;
        self.power.put(of, history);
        emit(PowerChanged { of, power });
        Ok(())
    }

    /// The token's supply less what the organization has of it beyond what members have locked.
    fn lockable(&self) -> u128 {
        let token = FungibleClient::new(self.token.get());
        let treasury = token.balance(this()).saturating_sub(self.total.get());
        token.total_supply().saturating_sub(treasury)
    }

    /// Checks a step that an account with so much power proposes, of so much that can be locked.
    fn check_step(&self, step: &Step, power: u128, lockable: u128) -> Result<(), GovernanceError> {
        match step {
            Step::Call { contract, .. } if *contract == this() => {
                return Err(GovernanceError::BadProposal);
            }
            Step::Call { contract, method, .. } if *contract == self.token.get() => {
                // An allowance, or a role, would outlive the check of what is locked.
                let pays = MethodId(*method) == MethodId::of("transfer");
                ensure!(pays, GovernanceError::BadProposal);
            }
            Step::Upgrade { contract, .. } => {
                // New code of the token could do anything with what is locked.
                ensure!(*contract != self.token.get(), GovernanceError::BadProposal);
            }
            Step::Call { .. } => {}
            Step::SetSettings { settings } => {
                // Somebody can propose again, though nobody else may have so much.
                let reachable = settings.threshold <= power && settings.quorum_min <= lockable;
                let sound = settings.is_sound() && reachable;
                ensure!(sound, GovernanceError::BadSettings);
            }
        }
        Ok(())
    }

    fn count(&self, id: Hash) -> Tally {
        Tally {
            against: self.against.get(id),
            in_favor: self.in_favor.get(id),
            abstaining: self.abstaining.get(id),
        }
    }
}
