//! A block for the lab, wherever it comes from: what each transaction touches, and what it costs.

mod lines;

pub use lines::first_fields;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use kempe_abi::AccessKind;
use kempe_runtime::scheduler::{Access, Accesses, Block};

use crate::trace::Numbers;
use crate::world::{CHAIN, Calls, Stage, WorldError};
use crate::{Trace, TraceError};

/// A transaction of an [`Input`] in the making.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputTx {
    /// What it touches: the key, how, and whether a write does not read.
    pub accesses: Vec<(u64, AccessKind, bool)>,
    /// What it costs, in nanoseconds; at least 1 is assumed.
    pub cost: u64,
    /// Who sent it; without one, nobody who sent another.
    pub sender: Option<u64>,
    /// Whether it traps halfway.
    pub traps: bool,
    /// How many of its accesses, the last ones, are declared and not touched.
    pub n_untouched: usize,
}

/// A block of the lab.
#[derive(Clone, Debug)]
pub struct Input {
    name: String,
    accesses: Accesses,
    blind: Vec<bool>,
    /// By transaction: how many of its accesses it touches, the first ones.
    n_touched: Vec<usize>,
    costs: Vec<u64>,
    senders: Vec<u32>,
    traps: Vec<bool>,
    keys: Vec<String>,
    /// What it was made of, where its transactions are calls of contracts.
    calls: Option<Arc<Calls>>,
    warning: Option<String>,
}

impl PartialEq for Input {
    fn eq(&self, other: &Self) -> bool {
        let columns = |input: &Self| {
            (input.costs.clone(), input.senders.clone(), input.blind.clone(), input.keys.clone())
        };
        columns(self) == columns(other) && self.accesses.rows().eq(other.accesses.rows())
    }
}

impl Input {
    /// A block of these transactions. A key's name is its space and number, as the workloads make
    /// them.
    #[must_use]
    pub fn new(name: String, txs: Vec<InputTx>) -> Self {
        let key_name = |key: u64| format!("{}:{}", key >> 40, key & ((1 << 40) - 1));
        Self::named(name, txs, key_name)
    }

    /// A recorded block. A key's name is its number.
    #[must_use]
    pub fn of_trace(name: String, trace: &Trace) -> Self {
        let mut senders = Numbers::default();
        let txs = trace.txs.iter().map(|tx| {
            let read = tx.reads.iter().map(|&key| (key, AccessKind::Read, false));
            // A blind write stands in `reads` too, because reading it costs gas.
            let blind: HashSet<u64> = tx.blind.iter().copied().collect();
            let is_blind = |key: &u64| blind.contains(key);
            let read = read.filter(|(key, ..)| !is_blind(key));
            let written = tx.writes.iter().map(|&key| (key, AccessKind::Write, is_blind(&key)));
            let added = tx.adds.iter().map(|&key| (key, AccessKind::Add, false));
            let sender = tx.from.as_ref();
            let sender = sender.map(|from| u64::from(senders.of(from.to_ascii_lowercase())));
            let accesses = read.chain(written).chain(added).collect();
            InputTx { accesses, cost: tx.ns, sender, traps: !tx.ok, n_untouched: 0 }
        });
        let txs = txs.collect();
        let n_blind = trace.n_blind_unwritten();
        let warning = (n_blind > 0).then(|| {
            format!(
                "{n_blind} of {} transactions name keys in `blind` that are not in `writes`: these are taken as not \
                 touched",
                trace.txs.len()
            )
        });
        Self { warning, ..Self::named(name, txs, |key| format!("key {key}")) }
    }

    /// A block of calls, with their lists and with the fuel that they burn as costs. Keys have the contracts'
    /// names for them.
    pub(crate) fn of_calls(name: String, stage: Stage) -> Result<Self, WorldError> {
        let (calls, keys, txs) = stage.perform(&name)?;
        let key_name = |key| usize::try_from(key).ok().and_then(|at| keys.get(at)).cloned();
        let input = Self::named(name, txs, |key| key_name(key).unwrap_or_default());
        Ok(Self { calls: Some(Arc::new(calls)), ..input })
    }

    fn named(name: String, txs: Vec<InputTx>, key_name: impl Fn(u64) -> String) -> Self {
        let (mut slots, mut senders) = (Numbers::default(), Numbers::default());
        let mut accesses = Accesses::with_capacity(txs.len(), 0);
        let (mut blind, mut touched, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        let mut columns = (Vec::new(), Vec::new(), Vec::new());
        for (at, tx) in (0u32..).zip(txs) {
            let mut row: Vec<(Access, bool)> = Vec::with_capacity(tx.accesses.len());
            let n_touched = tx.accesses.len().saturating_sub(tx.n_untouched);
            for &(key, kind, blind) in &tx.accesses {
                let slot = slots.of(key);
                if slot as usize == keys.len() {
                    keys.push(key_name(key));
                }
                row.push((Access::new(slot, kind), blind && kind == AccessKind::Write));
            }
            accesses.push_tx(row.iter().map(|(access, _)| *access));
            // A key that is named twice is blind only if it is so each time.
            let seen = row.iter().filter(|(_, blind)| !blind).map(|(access, _)| access.slot);
            let seen: HashSet<u32> = seen.collect();
            blind.extend(accesses.of(at).iter().map(|access| !seen.contains(&access.slot)));
            let of_touched: HashSet<u32> =
                row[..n_touched].iter().map(|(access, _)| access.slot).collect();
            let is_touched = |access: &&Access| of_touched.contains(&access.slot);
            touched.push(accesses.of(at).iter().filter(is_touched).count());
            columns.0.push(tx.cost.max(1));
            columns.1.push(senders.of(match tx.sender {
                Some(sender) => (Some(sender), 0),
                None => (None, at),
            }));
            columns.2.push(tx.traps);
        }
        let (costs, senders, traps) = columns;
        let (calls, warning) = (None, None);
        Self {
            name,
            accesses,
            blind,
            n_touched: touched,
            costs,
            senders,
            traps,
            keys,
            calls,
            warning,
        }
    }

    /// Reads a file: a [recorded block](Trace), or lines of reads and writes.
    ///
    /// ```json
    /// {"reads":["price"],"writes":["alice",7],"adds":[],"blind":[],"cost":1500,"from":"alice"}
    /// ```
    ///
    /// Keys are texts or numbers; what reads and writes a key names it in `writes`. `blind` names keys
    /// of `writes` that are not read. Everything may be left out but one of `reads`, `writes`, `adds`;
    /// the cost is then 1,000 ns. It is at most [`COST_NS_MAX`](crate::COST_NS_MAX), and 0 counts as 1. Other fields are refused.
    ///
    /// # Errors
    /// [`TraceError`], with the line.
    pub fn open(path: &Path) -> Result<Self, TraceError> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if lines::is_recorded(path)? {
            return Ok(Self::of_trace(name, &Trace::open(path)?));
        }
        let (txs, keys) = lines::read(path)?;
        Ok(Self::named(name, txs, |key| {
            let at = usize::try_from(key).ok();
            at.and_then(|at| keys.get(at)).cloned().unwrap_or_default()
        }))
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is odd about the file that it was read from.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// The same under another name.
    #[must_use]
    pub fn renamed(self, name: String) -> Self {
        Self { name, ..self }
    }

    /// How many transactions.
    #[must_use]
    pub fn n_txs(&self) -> usize {
        self.costs.len()
    }

    /// The block as a scheduler sees it.
    ///
    /// # Panics
    /// Never: the columns were made together.
    #[must_use]
    pub fn block(&self) -> Block<'_> {
        let block = Block::new(&self.accesses, &self.costs, &self.senders, &[]);
        let block = block.and_then(|block| block.with_blind(&self.blind));
        block.expect("the columns were made together")
    }

    /// The accesses.
    #[must_use]
    pub fn accesses(&self) -> &Accesses {
        &self.accesses
    }

    /// The cost of each transaction in nanoseconds.
    #[must_use]
    pub fn costs(&self) -> &[u64] {
        &self.costs
    }

    /// The number of each transaction's sender.
    #[must_use]
    pub fn senders(&self) -> &[u32] {
        &self.senders
    }

    /// Which transactions trap.
    #[must_use]
    pub fn traps(&self) -> &[bool] {
        &self.traps
    }

    /// The calls that it was made of.
    pub(crate) fn calls(&self) -> Option<&Arc<Calls>> {
        self.calls.as_ref()
    }

    /// The name of a key.
    #[must_use]
    pub fn key_name(&self, slot: u32) -> &str {
        self.keys.get(slot as usize).map_or("", String::as_str)
    }

    /// Whether a slot is a contract's record, which a call names and does not look at: finding the contract is part of any call.
    pub(crate) fn is_record(&self, slot: u32) -> bool {
        self.calls.is_some() && self.key_name(slot).starts_with(CHAIN)
    }

    /// How many accesses are declared and not touched.
    #[must_use]
    pub fn n_untouched(&self) -> usize {
        self.accesses.n_accesses() - self.n_touched.iter().sum::<usize>()
    }

    /// How many of a transaction's accesses it touches: the first ones. The others it only declares.
    ///
    /// # Panics
    /// If there is no such transaction.
    #[must_use]
    pub fn n_touched(&self, tx: u32) -> usize {
        self.n_touched[tx as usize]
    }

    /// Whether a transaction touches the access at that position of its list, which it declares.
    pub(crate) fn touches(&self, tx: u32, at: usize) -> bool {
        at < self.n_touched(tx)
    }

    /// Whether what a transaction does by that access stays: it touches it and does not trap.
    pub(crate) fn does(&self, tx: u32, at: usize) -> bool {
        self.touches(tx, at) && !self.traps[tx as usize]
    }
}
