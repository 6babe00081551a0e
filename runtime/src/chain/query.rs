//! Running something against the state as it is, committing nothing; and explaining a block.

use std::sync::Arc;

use kempe_abi::{Address, Bound, Hash, MethodId, Outcome, TrapKind};

use super::{Chain, ChainError};
use crate::engine::{BlockEnv, Worker};
use crate::executor::{Interned, Tx, fits, solo};
use crate::scheduler::ConflictGraph;
use crate::state::StateRead;
use crate::types::{Action, Block, DeclaredAccess, EventRecord, Failure, Transaction};

/// What a transaction would do now. The same code runs in a block, with the same limits.
#[derive(Debug)]
pub struct Simulation {
    /// How it would end.
    pub outcome: Outcome,
    /// The fuel it would burn when it runs in a batch.
    pub fuel: u64,
    /// The fee it would pay.
    pub fee: u128,
    /// The results of its actions.
    pub results: Vec<Vec<u8>>,
    /// Its events.
    pub events: Vec<EventRecord>,
    /// Its log lines.
    pub logs: Vec<String>,
    /// Where it would fail.
    pub failure: Option<Box<Failure>>,
    /// Whether a method is declared as dynamic, so that the transaction should carry `touched`.
    pub dynamic: bool,
    /// What its templates and its explicit list declare.
    pub declared: Vec<DeclaredAccess>,
    /// For each of `declared`, how much may be taken, where it is a stock for which nothing else is declared.
    pub may_take: Vec<Option<Bound>>,
    /// What it touched, contracts' cells and the chain's own.
    pub touched: Vec<DeclaredAccess>,
}

impl Simulation {
    /// The explicit list that the transaction should carry: what a dynamic transaction touched of
    /// contracts' cells, and the contracts it called; empty for others, whose templates say it.
    #[must_use]
    pub fn explicit_list(&self) -> Vec<DeclaredAccess> {
        if !self.dynamic {
            return Vec::new();
        }
        self.touched.iter().filter(|entry| entry.is_permitted()).cloned().collect()
    }
}

/// A call to be asked about: who calls what with which arguments.
#[derive(Clone, Debug)]
pub struct CallSpec {
    /// Who calls; for a view any address.
    pub caller: Address,
    /// The contract.
    pub contract: Address,
    /// The method's selector.
    pub method: MethodId,
    /// The encoded arguments.
    pub args: Vec<u8>,
}

impl Chain {
    /// Runs a transaction against the current state and commits nothing. It sees the time of the last block.
    ///
    /// # Errors
    /// [`ChainError`] when this node fails; what the transaction does is in the result.
    pub fn simulate(&self, tx: &Transaction) -> Result<Simulation, ChainError> {
        self.simulate_at(tx, self.head.time_ms)
    }

    /// As [`simulate`](Self::simulate), as if the next block were [built](Self::build) at this time, in milliseconds since
    /// 1970: it has the time of the last one if that is later.
    ///
    /// # Errors
    /// As [`simulate`](Self::simulate).
    pub fn simulate_at(&self, tx: &Transaction, time_ms: u64) -> Result<Simulation, ChainError> {
        self.simulate_at_price(tx, self.genesis.prices, time_ms)
    }

    /// Asks a contract: the call is free, needs no signature, and changes nothing. It sees the time of the last block.
    ///
    /// # Errors
    /// [`ChainError`] when this node fails.
    pub fn query(&self, call: &CallSpec) -> Result<Simulation, ChainError> {
        self.query_at(call, self.head.time_ms)
    }

    /// As [`query`](Self::query), as if the next block were built at this time; see [`simulate_at`](Self::simulate_at).
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn query_at(&self, call: &CallSpec, time_ms: u64) -> Result<Simulation, ChainError> {
        let action =
            Action::Call { contract: call.contract, method: call.method, args: call.args.clone() };
        let tx = Transaction {
            chain_id: self.genesis.chain_id,
            sender: call.caller,
            nonce: 0,
            fuel_limit: self.genesis.limits.tx_fuel_max,
            actions: vec![action],
            access: Vec::new(),
        };
        let mut prices = self.genesis.prices;
        prices.gas = 0;
        self.simulate_at_price(&tx, prices, time_ms)
    }

    fn simulate_at_price(
        &self,
        tx: &Transaction,
        prices: crate::types::Prices,
        time_ms: u64,
    ) -> Result<Simulation, ChainError> {
        let state = self.state()?;
        let env =
            BlockEnv { height: self.head.height + 1, time_ms: time_ms.max(self.head.time_ms) };
        let (lists, mode) = solo(tx, &self.engine, &*state, &prices)?;
        let lists = Arc::new(lists);
        let list = lists.of(0);
        let dynamic = list.is_some_and(|list| list.dynamic);
        let listed = list.into_iter().flat_map(|list| list.iter());
        let (declared, may_take) = listed
            .map(|key| (DeclaredAccess { kind: key.kind, key: key.state_key() }, key.bound))
            .unzip();
        let mut worker = Worker::new(&self.engine, prices, false);
        worker.set_state(&state);
        worker.load(&lists, 0, |_, _, key| Ok((u32::MAX, state.look(key)?)))?;
        let (worker, run) = self.executor.install(move || {
            let run = worker.run(tx, mode, env, 0);
            (worker, run)
        });
        let mut run = run?;
        if let Some((counter, _)) = worker.keys().find(|(_, cell)| !fits(cell)) {
            run.outcome = Outcome::Trap(TrapKind::CounterOutOfBounds);
            (run.results, run.events) = (Vec::new(), Vec::new());
            run.failure.get_or_insert_with(|| Box::new(Failure::of_counter(counter)));
        }
        let touched = worker
            .keys()
            .filter_map(|(key, cell)| Some(DeclaredAccess { kind: cell.touched.kind()?, key }));
        Ok(Simulation {
            outcome: run.outcome,
            fuel: run.fuel,
            fee: run.fee,
            touched: touched.collect(),
            results: run.results,
            events: run.events,
            logs: run.logs,
            failure: run.failure,
            dynamic,
            declared,
            may_take,
        })
    }

    /// The access lists of a block's transactions and the numbering of their keys, from which
    /// [`Chain::conflicts`] tells who waits for whom.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn lists(&self, block: &Block) -> Result<Interned, ChainError> {
        let state: Arc<dyn StateRead> = self.state()?;
        let hashes: Vec<Hash> = block.transactions.iter().map(|tx| tx.transaction.hash()).collect();
        let txs: Vec<Tx<'_>> = block
            .transactions
            .iter()
            .zip(&hashes)
            .map(|(signed, &hash)| Tx { transaction: &signed.transaction, hash })
            .collect();
        let lists = self.executor.derive(&txs, &state)?.published_by(&block.schedule);
        Ok(self.executor.intern(lists, &txs)?)
    }

    /// The thinned conflict graph over interned lists.
    #[must_use]
    pub fn conflicts(&self, interned: &Interned) -> ConflictGraph {
        ConflictGraph::new(&interned.block())
    }
}
