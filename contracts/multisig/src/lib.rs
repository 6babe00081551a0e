//! A wallet whose calls need the approval of several members.
//!
//! A member proposes steps, others approve, and once enough current members approve any of them has the
//! steps executed. The wallet is the caller of those steps, so whatever it owns (tokens, roles, the
//! ownership of other contracts) moves only so. Changing the members is itself a step.
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
//! - in the wallet's name code is replaced only by an upgrade whose terms, by their hash, an executed proposal named,
//!   at most once and in time;
//! - the board always has between `threshold` and [`MEMBERS_MAX`] members, each once.
#![no_std]

use kempe_sdk::abi::MethodId;
use kempe_sdk::abi::upgrade::UpgradeTerms;
use kempe_sdk::call_encoded;
use kempe_sdk::prelude::*;

mod storage;
#[cfg(test)]
mod test;

pub use storage::{
    Agreed, Board, Executed, MEMBERS_MAX, MultisigError, Proposal, Proposed, STEPS_MAX, Step, Voted,
};

/// A wallet of several members.
#[contract]
#[derive(Debug)]
pub struct Multisig {
    /// Who decides.
    board: Item<Board>,
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
    /// - `members`: 1 to [`MEMBERS_MAX`], each once.
    /// - `threshold`: how many must approve, 1 to all.
    ///
    /// # Errors
    /// - [`MultisigError::BadBoard`].
    pub fn init(&mut self, members: Vec<Address>, threshold: u8) -> Result<(), MultisigError> {
        let board = Board { members, threshold };
        ensure!(board.is_sound(&this()), MultisigError::BadBoard);
        self.board.put(board);
        Ok(())
    }

    /// Proposes steps, and approves them.
    ///
    /// # Arguments
    /// - `steps`: 1 to [`STEPS_MAX`], executed in order, all or none.
    /// - `expires_ms`: it can be executed before this block time.
    /// - `salt`: any number that the caller has not used.
    ///
    /// Returns the proposal's identifier, `hash(caller, salt)`.
    ///
    /// # Errors
    /// - [`MultisigError::NotMember`], [`MultisigError::BadProposal`], [`MultisigError::BadBoard`].
    /// - [`MultisigError::Expired`]: the time is not in the future.
    /// - [`MultisigError::AlreadyProposed`]: the salt was used.
    ///
    /// # Events
    /// [`Proposed`].
    #[access(
        read(board),
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
        for step in &steps {
            if let Step::SetBoard { board } = step {
                ensure!(board.is_sound(&this()), MultisigError::BadBoard);
            }
        }
        ensure!(expires_ms > time_ms(), MultisigError::Expired);
        let (by, id) = (caller(), hash(&(caller(), salt)));
        ensure!(!self.proposals.contains(id), MultisigError::AlreadyProposed);
        self.proposals.put(id, Proposal { steps, expires_ms, executed: false });
        self.approvals.put((id, by), true);
        emit(Proposed { id, by });
        Ok(id)
    }

    /// Approves a proposal, or takes an approval back: also who is no longer a member, but may be again.
    ///
    /// # Arguments
    /// - `id`: the proposal.
    /// - `approves`: whether the caller approves from now on.
    ///
    /// # Errors
    /// - [`MultisigError::NotMember`], [`MultisigError::NoSuchProposal`],
    ///   [`MultisigError::AlreadyExecuted`], [`MultisigError::Expired`].
    /// - [`MultisigError::NothingChanges`]: that is what the caller said before.
    ///
    /// # Events
    /// [`Voted`].
    #[access(read(board, proposals[id]), write(approvals[id][caller]))]
    pub fn vote(&mut self, id: Hash, approves: bool) -> Result<(), MultisigError> {
        if approves {
            self.check_member()?;
        }
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
    /// - [`MultisigError::NotMember`], [`MultisigError::NoSuchProposal`],
    ///   [`MultisigError::AlreadyExecuted`], [`MultisigError::Expired`].
    /// - [`MultisigError::NotApproved`]: too few members approve.
    ///
    /// If a step fails the transaction fails as the step did, and nothing of it stands. A step cannot call
    /// the wallet itself.
    ///
    /// # Events
    /// [`Executed`], and those of the steps.
    #[access(dynamic)]
    pub fn execute(&mut self, id: Hash) -> Result<(), MultisigError> {
        let board = self.check_member()?;
        let proposal = self.pending(id)?;
        let approving = board.members.iter().filter(|member| self.approvals.get((id, **member)));
        ensure!(approving.count() >= usize::from(board.threshold), MultisigError::NotApproved);
        self.proposals.put(id, Proposal { executed: true, ..proposal.clone() });
        for step in proposal.steps {
            match step {
                Step::Call { contract, method, args } => {
                    call_encoded(&contract, MethodId(method), &args);
                }
                Step::SetBoard { board } => self.board.put(board),
                Step::Upgrade { contract, terms } => {
                    self.upgrades.put(contract, Agreed { terms, until_ms: proposal.expires_ms });
                }
            }
        }
        emit(Executed { id, by: caller() });
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
    #[access(write(upgrades[terms.contract]))]
    pub fn authorize_upgrade(&mut self, terms: UpgradeTerms) -> Result<(), MultisigError> {
        ensure!(caller() == Address::ZERO, MultisigError::NotHost);
        let agreed = self.upgrades.take(terms.contract).ok_or(MultisigError::NotAgreed)?;
        let holds = agreed.terms == hash(&terms) && time_ms() < agreed.until_ms;
        ensure!(holds, MultisigError::NotAgreed);
        Ok(())
    }

    /// The upgrade of a contract that was agreed to and not done.
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
        ensure!(!proposal.executed, MultisigError::AlreadyExecuted);
        ensure!(time_ms() < proposal.expires_ms, MultisigError::Expired);
        Ok(proposal)
    }
}
