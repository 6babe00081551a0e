//! What became of transactions.

use std::fmt;

use kempe_abi::{AbiType, AccessKind, Address, Bound, CellKind, Outcome, TrapKind};

use crate::codec::Any;
use crate::{ContractError, Event, codec};

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Success, a refusal of the contract, or a stop by the host.
    pub outcome: Outcome,
    /// The encoded result; empty without success.
    pub output: Vec<u8>,
    /// What was emitted; empty without success.
    pub events: Vec<Emitted>,
    /// The fuel, where the backend meters it.
    pub fuel: Option<u64>,
    /// Lines for debugging.
    pub log: Vec<String>,
    /// The access that the list does not permit, for [`TrapKind::UndeclaredAccess`].
    pub violation: Option<Violation>,
    /// The cell that was set before the block, for [`TrapKind::Guarded`].
    pub guard: Option<NamedCell>,
    /// The counter or stock that would have left its bounds, for [`TrapKind::CounterOutOfBounds`].
    pub counter: Option<NamedCell>,
    /// The name of the error, for a revert with a name.
    pub error_name: Option<String>,
}

/// An event as it was emitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emitted {
    /// The contract that emitted it.
    pub contract: Address,
    /// Which event: [`Event::ID`].
    pub id: u32,
    /// The encoded event.
    pub data: Vec<u8>,
}

/// An access that the transaction's list does not permit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The contract.
    pub contract: Address,
    /// The contract's name.
    pub contract_name: String,
    /// The name of the field; empty when calling the contract is what was not declared.
    pub field: String,
    /// The encoded keys.
    pub key: Vec<u8>,
    /// What a cell of the field is.
    pub cell: CellKind,
    /// The kind of access.
    pub wanted: AccessKind,
    /// What the list declares for the cell, if anything: of a stock that is only taken from, `Add`.
    pub declared: Option<AccessKind>,
    /// If a stock was to be taken from: how much in all by this call, and what was to be left.
    pub takes: Option<Bound>,
    /// How much the list declares that is taken, where it declares nothing else for the cell.
    pub may_take: Option<Bound>,
    /// The cell, with its keys in their types and by the names that the test gave: `Vault.coins[alice]`. Empty until a
    /// [`TestChain`](super::TestChain) fills it.
    pub cell_name: String,
    /// The clause to declare: `write(coins[caller])`. Empty where it is not known, as in what another contract calls.
    pub clause: String,
}

impl Default for Violation {
    /// A read that nothing declares.
    fn default() -> Self {
        Self {
            contract: Address::ZERO,
            contract_name: String::new(),
            field: String::new(),
            key: Vec::new(),
            cell: CellKind::Value,
            wanted: AccessKind::Read,
            declared: None,
            takes: None,
            may_take: None,
            cell_name: String::new(),
            clause: String::new(),
        }
    }
}

/// A cell by the names of its contract and its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedCell {
    /// The contract.
    pub contract: Address,
    /// The contract's name.
    pub contract_name: String,
    /// The name of the field.
    pub field: String,
    /// The encoded keys.
    pub key: Vec<u8>,
}

/// A cell by its contract's and its field's names.
fn write_cell(f: &mut fmt::Formatter<'_>, contract: &str, field: &str, key: &[u8]) -> fmt::Result {
    write!(f, "{contract}.{field}")?;
    if !key.is_empty() {
        f.write_str("[0x")?;
        key.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("]")?;
    }
    Ok(())
}

impl fmt::Display for NamedCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_cell(f, &self.contract_name, &self.field, &self.key)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            return write!(
                f,
                "the call of {} at {} is not declared",
                self.contract_name, self.contract
            );
        }
        write_access(f, self.cell.word(self.wanted), self.takes)?;
        f.write_str("(")?;
        if self.cell_name.is_empty() {
            write_cell(f, &self.contract_name, &self.field, &self.key)?;
        } else {
            f.write_str(&self.cell_name)?;
        }
        f.write_str(") is not in the access list, which has ")?;
        match self.declared {
            Some(declared) => {
                write_access(f, self.cell.word(declared), self.may_take)?;
                f.write_str(" for it")?;
            }
            None => f.write_str("nothing for it")?,
        }
        match &*self.clause {
            "" => Ok(()),
            clause if self.takes.is_some() && self.may_take.is_some() => {
                write!(f, ": declare `{clause}` instead")
            }
            clause => write!(f, ": declare `{clause}`"),
        }
    }
}

/// How a cell is touched, and how much is taken of it.
fn write_access(f: &mut fmt::Formatter<'_>, word: &str, bound: Option<Bound>) -> fmt::Result {
    match bound {
        Some(Bound { amount, floor: 0 }) => write!(f, "reserve of {amount}"),
        Some(Bound { amount, floor }) => write!(f, "reserve of {amount} that leave {floor}"),
        None => f.write_str(word),
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.outcome, &self.error_name) {
            (Outcome::Ok, _) => f.write_str("ok")?,
            (Outcome::Revert(code), Some(name)) => write!(f, "revert: {name} ({code})")?,
            (Outcome::Revert(code), None) => write!(f, "revert: code {code}")?,
            (Outcome::Trap(kind), _) => write!(f, "trap: {}", kind.describe())?,
        }
        if let Some(violation) = &self.violation {
            write!(f, ": {violation}")?;
        }
        if let Some(guard) = &self.guard {
            write!(f, ": unless({guard})")?;
        }
        if let Some(counter) = &self.counter {
            write!(f, ": {counter}")?;
        }
        self.log.iter().try_for_each(|line| write!(f, "\n  log: {line}"))
    }
}

impl Receipt {
    /// A receipt with nothing but an outcome.
    #[must_use]
    pub fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            output: Vec::new(),
            events: Vec::new(),
            fuel: None,
            log: Vec::new(),
            violation: None,
            guard: None,
            counter: None,
            error_name: None,
        }
    }

    /// Whether it succeeded.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.outcome == Outcome::Ok
    }

    /// Asserts success.
    ///
    /// # Panics
    /// If it did not succeed; the message says why.
    #[track_caller]
    pub fn assert_ok(&self) -> &Self {
        assert!(self.is_ok(), "expected success, got {self}");
        self
    }

    /// Asserts that the contract refused with this error.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    #[allow(clippy::needless_pass_by_value, reason = "`assert_revert(E::X)` reads best")]
    pub fn assert_revert(&self, error: impl ContractError + fmt::Debug) -> &Self {
        assert!(
            self.outcome == Outcome::Revert(error.code()),
            "expected a revert with {error:?} ({}), got {self}",
            error.code()
        );
        self
    }

    /// Asserts that the host stopped it for this reason.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn assert_trap(&self, kind: TrapKind) -> &Self {
        assert!(self.outcome == Outcome::Trap(kind), "expected {kind:?}, got {self}");
        self
    }

    /// The result.
    ///
    /// # Panics
    /// If it did not succeed, or the result has another type.
    #[track_caller]
    #[must_use]
    pub fn value<T: AbiType>(&self) -> T {
        self.assert_ok();
        codec::decode::<Any, T>(&self.output)
            .expect("the result has another type than the test asks for")
    }

    /// The events of one type, in order.
    #[must_use]
    pub fn events<E: Event>(&self) -> Vec<E> {
        let of_type = self.events.iter().filter(|event| event.id == E::ID);
        of_type.filter_map(|event| codec::decode::<Any, E>(&event.data)).collect()
    }
}

/// What became of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockReport {
    /// One receipt for each transaction, in the order they were given.
    pub receipts: Vec<Receipt>,
    /// Which transactions ran at the same time: positions, in the order of the batches. Behind them, each alone,
    /// those whose lists were not known or turned out too short: replayed one by one in this order, a block
    /// gives what it gave.
    pub batches: Vec<Vec<usize>>,
    /// How many there are behind the batches.
    pub n_tail: usize,
}

impl BlockReport {
    /// The report of a block whose transactions `tail` ran behind its batches, also those that some batch has.
    #[must_use]
    pub fn new(receipts: Vec<Receipt>, mut batches: Vec<Vec<usize>>, tail: &[usize]) -> Self {
        batches.iter_mut().for_each(|batch| batch.retain(|tx| !tail.contains(tx)));
        batches.retain(|batch| !batch.is_empty());
        batches.extend(tail.iter().map(|tx| vec![*tx]));
        Self { receipts, batches, n_tail: tail.len() }
    }

    /// Asserts that every transaction succeeded.
    ///
    /// # Panics
    /// If one did not; the message says which and why.
    #[track_caller]
    pub fn assert_ok(&self) -> &Self {
        for (i, receipt) in self.receipts.iter().enumerate() {
            assert!(receipt.is_ok(), "expected success of transaction {i}, got {receipt}");
        }
        self
    }

    /// Asserts how each transaction ended.
    ///
    /// # Panics
    /// If one ended otherwise; the message says which and how.
    #[track_caller]
    pub fn assert_outcomes(&self, expected: &[Outcome]) -> &Self {
        assert_eq!(self.receipts.len(), expected.len(), "the number of transactions");
        for (i, (receipt, expected)) in self.receipts.iter().zip(expected).enumerate() {
            let same = receipt.outcome == *expected;
            assert!(same, "expected {expected:?} of transaction {i}, got {receipt}");
        }
        self
    }

    /// Asserts which transactions may run at the same time: `&[&[0, 1], &[2]]` says that the first two
    /// do not conflict and that the third conflicts with one of them.
    ///
    /// # Panics
    /// If the batches are others.
    #[track_caller]
    pub fn assert_batches(&self, expected: &[&[usize]]) -> &Self {
        let same = self.batches.iter().map(Vec::as_slice).eq(expected.iter().copied());
        assert!(same, "expected the batches {expected:?}, got {:?}", self.batches);
        self
    }
}
