//! A wallet whose calls need the approval of several members.
//!
//! A member proposes steps, others approve, and once enough current members approve any of them has the
//! steps executed. The wallet is the caller of those steps, so whatever it owns (tokens, roles, the
//! ownership of other contracts) moves only so. Changing the members is itself a step, and ends every
//! other proposal: no approval of an earlier board counts for a later one. It can be the upgrade authority of contracts, its
//! own among them: a step agrees to the terms of an upgrade, which anyone sends then.
//!
//! What conflicts: approvals do not conflict with each other, each is a cell of its own, and neither do
//! proposals, whose identifiers are hashes and not numbers from a shared counter. An execution conflicts
//! with approvals of the same proposal, and with every other call if it changes the board. What it calls
//! is known only from what was proposed, so it is `dynamic`: its transaction carries the list that a
//! simulation found.
//!
//! Invariants:
//! - a proposal is executed at most once, as a whole or not at all;
//! - when it is, at least `threshold` members of that moment approve;
//! - the board always has between `threshold` and [`MEMBERS_MAX`] members, each once, and none of them is the wallet;
//! - in the wallet's name code is replaced only by an upgrade whose terms, by their hash, an executed proposal named,
//!   at most once, within [`UPGRADE_MS`], and not if another was agreed to for the same contract since.
#![no_std]

use kempe_sdk::abi::MethodId;
use kempe_sdk::abi::upgrade::UpgradeTerms;
use kempe_sdk::call_encoded;
use kempe_sdk::prelude::*;

mod storage;
#[cfg(test)]
mod test;

pub use storage::{
    Agreed, Board, BoardChanged, Canceled, Executed, LIFE_MS_MAX, MEMBERS_MAX, MultisigError,
    Proposal, Proposed, STEPS_BYTES_MAX, STEPS_MAX, Step, UPGRADE_MS, Voted,
};

/// A wallet of several members.
#[contract]
#[derive(Debug)]
pub struct Multisig {
    /// Who decides.
    board: Item<Board>,
    /// How often the board was changed.
    era: Item<u64>,
    /// What was proposed, by `hash(proposer, salt)`.
    proposals: Map<Hash, Proposal>,
    /// Which members approve of which proposal; absent is no.
    approvals: Map<Hash, Map<Address, bool>>,
    /// The upgrade of each contract that was agreed to last, until it is done.
    upgrades: Map<Address, Agreed>,
}

#[contract]
impl Multisig {
    /// Sets up the wallet.
    ///
    /// # Arguments
    /// - `members`: 1 to [`MEMBERS_MAX`], each once, and not the wallet itself.
    /// - `threshold`: how many must approve, 1 to all.
    ///
    /// # Errors
    /// - [`MultisigError::BadBoard`].
    ///
    /// # Events
    /// [`BoardChanged`].
    pub fn init(&mut self, members: Vec<Address>, threshold: u8) -> Result<(), MultisigError> {
        let board = Board { members, threshold };
        check_board(&board)?;
        emit(BoardChanged { board: board.clone() });
        self.board.put(board);
        Ok(())
    }

    /// Proposes steps, and approves them.
    ///
    /// # Arguments
    /// - `steps`: 1 to [`STEPS_MAX`], of at most [`STEPS_BYTES_MAX`] bytes together, executed in order, all or none. None calls the wallet itself.
    /// - `expires_ms`: it can be executed before this block time, at most [`LIFE_MS_MAX`] ahead.
    /// - `salt`: any number that the caller has not used.
    ///
    /// Returns the proposal's identifier, `hash(caller, salt)`.
    ///
    /// # Errors
    /// - [`MultisigError::NotMember`], [`MultisigError::BadProposal`], [`MultisigError::BadBoard`].
    /// - [`MultisigError::Expired`]: the time is not in the future, or too far.
    /// - [`MultisigError::AlreadyProposed`]: the salt was used.
    ///
    /// # Events
    /// [`Proposed`].
    #[access(
        read(board, era),
        write(proposals[hash(caller, salt)], approvals[hash(caller, salt)][caller])
    )]
    pub fn propose(
        &mut self,
        steps: Vec<Step>,
        expires_ms: u64,
        salt: u64,
    ) -> Result<Hash, MultisigError> {
        self.check_member()?;
        ensure!(!steps.is_empty() && steps.len() <= STEPS_MAX, MultisigError::BadProposal);
        let n_bytes: usize = steps.iter().map(Step::n_bytes).sum();
        ensure!(n_bytes <= STEPS_BYTES_MAX, MultisigError::BadProposal);
        steps.iter().try_for_each(check_step)?;
        let now_ms = time_ms();
        let timely = now_ms < expires_ms && expires_ms - now_ms <= LIFE_MS_MAX;
        ensure!(timely, MultisigError::Expired);
        let (by, id) = (caller(), hash(&(caller(), salt)));
        ensure!(!self.proposals.contains(id), MultisigError::AlreadyProposed);
        let era = self.era.get().unwrap_or_default();
        let proposal = Proposal { proposer: by, steps, expires_ms, era, closed: false };
        self.proposals.put(id, &proposal);
        self.approvals.put((id, by), true);
        emit(Proposed { id, by, steps: proposal.steps, expires_ms });
        Ok(id)
    }

    /// Approves a proposal, or takes an approval back.
    ///
    /// # Arguments
    /// - `id`: the proposal.
    /// - `approves`: whether the caller approves from now on.
    ///
    /// # Errors
    /// - [`MultisigError::NotMember`], [`MultisigError::NoSuchProposal`], [`MultisigError::Closed`],
    ///   [`MultisigError::Expired`], [`MultisigError::EarlierBoard`].
    /// - [`MultisigError::NothingChanges`]: that is what the caller said before.
    ///
    /// # Events
    /// [`Voted`].
    #[access(read(board, era, proposals[id]), write(approvals[id][caller]))]
    pub fn vote(&mut self, id: Hash, approves: bool) -> Result<(), MultisigError> {
        self.check_member()?;
        self.pending(id)?;
        let by = caller();
        ensure!(self.approvals.get((id, by)) != approves, MultisigError::NothingChanges);
        self.approvals.put((id, by), approves);
        emit(Voted { id, by, approves });
        Ok(())
    }

    /// Executes a proposal that enough current members approve. Any member may.
    ///
    /// # Arguments
    /// - `id`: the proposal.
    ///
    /// # Errors
    /// - [`MultisigError::NotMember`], [`MultisigError::NoSuchProposal`], [`MultisigError::Closed`],
    ///   [`MultisigError::Expired`], [`MultisigError::EarlierBoard`].
    /// - [`MultisigError::NotApproved`]: too few members approve.
    ///
    /// If a step fails the transaction fails as the step did, and nothing of it stands.
    ///
    /// # Events
    /// [`Executed`], [`BoardChanged`] for each change of the board, and those of the steps.
    #[access(dynamic)]
    pub fn execute(&mut self, id: Hash) -> Result<(), MultisigError> {
        let board = self.check_member()?;
        let mut proposal = self.pending(id)?;
        let approving = board.members.iter().filter(|member| self.approvals.get((id, **member)));
        ensure!(approving.count() >= usize::from(board.threshold), MultisigError::NotApproved);
        proposal.closed = true;
        self.proposals.put(id, &proposal);
        for step in proposal.steps {
            match step {
                Step::Call { contract, method, args } => {
                    call_encoded(&contract, MethodId(method), &args);
                }
                Step::SetBoard { board } => {
                    emit(BoardChanged { board: board.clone() });
                    self.board.put(board);
                    // Ends all other proposals.
                    self.era.put(proposal.era + 1);
                }
                Step::Upgrade { contract, terms } => {
                    let until_ms = time_ms().saturating_add(UPGRADE_MS);
                    let era = self.era.get().unwrap_or_default();
                    self.upgrades.put(contract, Agreed { terms, until_ms, era });
                }
            }
        }
        emit(Executed { id, by: caller() });
        Ok(())
    }

    /// Withdraws a proposal that was not executed.
    ///
    /// # Arguments
    /// - `id`: the proposal; the caller made it.
    ///
    /// # Errors
    /// - [`MultisigError::NoSuchProposal`], [`MultisigError::NotProposer`], [`MultisigError::Closed`].
    ///
    /// # Events
    /// [`Canceled`].
    #[access(write(proposals[id]))]
    pub fn cancel(&mut self, id: Hash) -> Result<(), MultisigError> {
        let mut proposal = self.proposals.try_get(id).ok_or(MultisigError::NoSuchProposal)?;
        ensure!(caller() == proposal.proposer, MultisigError::NotProposer);
        ensure!(!proposal.closed, MultisigError::Closed);
        proposal.closed = true;
        self.proposals.put(id, &proposal);
        emit(Canceled { id });
        Ok(())
    }

    /// Uses up the agreement to an upgrade. The host calls it, in the upgrade's own transaction, and what
    /// fails there is undone with it.
    ///
    /// # Arguments
    /// - `terms`: those of the upgrade.
    ///
    /// # Errors
    /// - [`MultisigError::NotHost`], [`MultisigError::NotAgreed`].
    #[access(read(era), write(upgrades[terms.contract]))]
    pub fn authorize_upgrade(&mut self, terms: UpgradeTerms) -> Result<(), MultisigError> {
        ensure!(caller() == Address::ZERO, MultisigError::NotHost);
        let agreed = self.upgrades.take(terms.contract).ok_or(MultisigError::NotAgreed)?;
        let holds = agreed.terms == hash(&terms) && time_ms() < agreed.until_ms;
        let current = agreed.era == self.era.get().unwrap_or_default();
        ensure!(holds && current, MultisigError::NotAgreed);
        Ok(())
    }

    /// The upgrade of a contract that was agreed to last and not done, by this board or an earlier one.
    #[access(read(upgrades[contract]))]
    pub fn agreed_upgrade(&self, contract: Address) -> Option<Agreed> {
        self.upgrades.try_get(contract)
    }

    /// Who decides.
    #[access(read(board))]
    pub fn board(&self) -> Option<Board> {
        self.board.get()
    }

    /// What was proposed.
    #[access(read(proposals[id]))]
    pub fn proposal(&self, id: Hash) -> Option<Proposal> {
        self.proposals.try_get(id)
    }

    /// Whether a member approves of a proposal.
    #[access(read(approvals[id][member]))]
    pub fn approves(&self, id: Hash, member: Address) -> bool {
        self.approvals.get((id, member))
    }

    /// The board, if the caller is a member.
    fn check_member(&self) -> Result<Board, MultisigError> {
        let board = self.board.get().ok_or(MultisigError::BadBoard)?;
        ensure!(board.members.contains(&caller()), MultisigError::NotMember);
        Ok(board)
    }

    /// The proposal, if it can still be executed.
    fn pending(&self, id: Hash) -> Result<Proposal, MultisigError> {
        let proposal = self.proposals.try_get(id).ok_or(MultisigError::NoSuchProposal)?;
        ensure!(!proposal.closed, MultisigError::Closed);
        ensure!(time_ms() < proposal.expires_ms, MultisigError::Expired);
        let era = self.era.get().unwrap_or_default();
        ensure!(proposal.era == era, MultisigError::EarlierBoard);
        Ok(proposal)
    }
}

/// A member that can vote is an account, or a contract that calls: never the wallet, which does not call itself.
fn check_board(board: &Board) -> Result<(), MultisigError> {
    let sound = board.is_sound() && !board.members.contains(&this());
    ensure!(sound, MultisigError::BadBoard);
    Ok(())
}

fn check_step(step: &Step) -> Result<(), MultisigError> {
    match step {
        Step::Call { contract, .. } => ensure!(*contract != this(), MultisigError::BadProposal),
        Step::SetBoard { board } => check_board(board)?,
        Step::Upgrade { .. } => {}
    }
    Ok(())
}
