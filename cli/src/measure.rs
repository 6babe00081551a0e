//! Executes blocks on several numbers of threads and with the serial oracle, compares what comes
//! out, commits one of them, and sums up.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kempe_abi::{Hash, Outcome};
use kempe_runtime::chain::{BlockReport, Chain, ChainOptions, Prepared};
use kempe_runtime::executor::BlockOutput;
use kempe_runtime::scheduler::{Mode, lower_bound};
use kempe_runtime::types::{Receipt, SignedTransaction};
use serde::Serialize;

use crate::describe::Describer;
use crate::output::{Exit, Failure};
use crate::send::commit_failure;
use crate::session::Names;

/// How to execute.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The numbers of threads, at least one, each once.
    pub threads: Vec<usize>,
    /// How often on each, of which the fastest counts: whatever else the machine does only slows.
    pub repeats: usize,
    /// Whether the serial oracle executes too.
    pub oracle: bool,
}

/// What executing blocks came to. Times are in milliseconds; keys of maps are numbers of threads.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// The transactions executed.
    pub txs: u64,
    /// The blocks.
    pub blocks: u64,
    /// The batches of all blocks.
    pub batches: u64,
    /// The transactions of the largest batch.
    pub widest_batch: u64,
    /// The transactions that ran one by one, in the tail lane.
    pub tail: u64,
    /// The transactions on the longest chain of conflicts, in the given order; added up over blocks.
    pub critical_path: u64,
    /// The steps that no schedule can beat where every transaction takes one, added up over blocks.
    pub lower_bound: BTreeMap<usize, u64>,
    /// The transactions that succeeded.
    pub ok: u64,
    /// The transactions that a contract refused.
    pub reverts: u64,
    /// The same by error.
    pub reverts_by_name: BTreeMap<String, u64>,
    /// The transactions that the host stopped.
    pub traps: u64,
    /// The same by kind.
    pub traps_by_name: BTreeMap<String, u64>,
    /// The fuel burned.
    pub fuel: u64,
    /// Checking signatures, deriving lists and scheduling, on the most threads.
    pub prepare_ms: f64,
    /// Executing.
    pub execute_ms: BTreeMap<usize, f64>,
    /// Executing with the serial oracle, which makes a fresh instance for each call.
    pub oracle_ms: Option<f64>,
    /// Hashing and making durable.
    pub commit_ms: f64,
    /// Transactions executed in a second.
    pub tx_per_s: BTreeMap<usize, f64>,
    /// How much faster than on the fewest threads.
    pub speedup: BTreeMap<usize, f64>,
    /// Whether all executions gave the same receipts, changes and state root.
    pub roots_equal: bool,
    /// The state root after each block's executions, of the last block.
    pub roots: BTreeMap<String, String>,
    /// The state root of the chain.
    pub state_root: String,
    /// The height of the chain.
    pub height: u64,
}

struct Executed {
    by: String,
    output: BlockOutput,
    root: Hash,
}

impl Summary {
    /// Nothing executed yet.
    #[must_use]
    pub fn new() -> Self {
        Self { roots_equal: true, ..Self::default() }
    }

    /// Executes transactions as the next block, with this time, by the plan, and commits it if all agree.
    ///
    /// # Errors
    /// When a transaction is not valid, in which case nothing was executed; when the executions
    /// disagree, in which case nothing was committed; or when the chain fails. Only what is committed
    /// is counted.
    pub fn run_block(
        &mut self,
        chain: &mut Chain,
        names: &Names,
        transactions: Vec<SignedTransaction>,
        plan: &Plan,
        time_ms: u64,
    ) -> Result<BlockReport, Failure> {
        let start = Instant::now();
        let prepared = chain.prepare(transactions, time_ms)?;
        self.prepare_ms += ms(start.elapsed());
        if let Some((at, error)) = prepared.rejected.first() {
            let message = format!("transaction {at} of the block is not valid: {error}");
            return Err(Failure::new(Exit::Failed, message));
        }
        let mut executed = self.execute(chain, &prepared, plan)?;
        self.roots = executed.iter().map(|run| (run.by.clone(), run.root.to_string())).collect();
        let others = executed.split_off(executed.len().min(1));
        let Some(first) = executed.pop() else {
            return Err(Failure::new(Exit::Usage, "no number of threads is named"));
        };
        let same = |run: &Executed| run.root == first.root && run.output == first.output;
        self.roots_equal &= others.iter().all(same);
        let mut counted = self.clone();
        counted.count(chain, names, &prepared, &first.output.receipts)?;
        if !self.roots_equal {
            return Err(Failure::new(Exit::Failed, self.disagreement())
                .with_help("this is a bug of the runtime; nothing of the block was committed"));
        }
        let start = Instant::now();
        let height = prepared.env.height;
        let report = chain.commit_prepared(prepared, first.output).map_err(|error| {
            commit_failure(error, height, "`kempe block` says which block is the last")
        })?;
        *self = counted;
        self.commit_ms += ms(start.elapsed());
        self.state_root = chain.head().state_root.to_string();
        self.height = chain.head().height;
        Ok(report)
    }

    fn disagreement(&self) -> String {
        let roots: Vec<_> = self.roots.iter().map(|(by, root)| format!("{by}: {root}")).collect();
        format!("the executions of a block disagree: {}", roots.join(", "))
    }

    fn execute(
        &mut self,
        chain: &mut Chain,
        prepared: &Prepared,
        plan: &Plan,
    ) -> Result<Vec<Executed>, Failure> {
        let mut executed = Vec::new();
        for &n_threads in &plan.threads {
            let options = chain.options();
            if options.n_threads != n_threads {
                chain.set_options(ChainOptions { n_threads, ..options })?;
            }
            // The threads may have no instances of these contracts yet; making them is not what is measured.
            chain.execute(prepared)?;
            let mut best = Duration::MAX;
            let mut last = None;
            for _ in 0..plan.repeats.max(1) {
                let start = Instant::now();
                last = Some(chain.execute(prepared)?);
                best = best.min(start.elapsed());
            }
            *self.execute_ms.entry(n_threads).or_default() += ms(best);
            let Some(output) = last else { continue };
            let root = chain.root_after(&output)?;
            let by = format!("{n_threads} thread{}", if n_threads == 1 { "" } else { "s" });
            executed.push(Executed { by, output, root });
        }
        if plan.oracle {
            let start = Instant::now();
            let output = chain.execute_oracle(prepared)?;
            *self.oracle_ms.get_or_insert_default() += ms(start.elapsed());
            let root = chain.root_after(&output)?;
            executed.push(Executed { by: "serial oracle".into(), output, root });
        }
        Ok(executed)
    }

    fn count(
        &mut self,
        chain: &Chain,
        names: &Names,
        prepared: &Prepared,
        receipts: &[Receipt],
    ) -> Result<(), Failure> {
        let interned = prepared.plan.interned();
        let block = interned.block();
        let path = chain.conflicts(interned).critical_path(&block);
        self.txs += receipts.len() as u64;
        self.blocks += 1;
        self.batches += prepared.plan.schedule().n_batches() as u64;
        let widest = prepared.plan.schedule().batches().map(<[u32]>::len).max().unwrap_or(0);
        self.widest_batch = self.widest_batch.max(widest as u64);
        self.tail += prepared.plan.schedule().tail().len() as u64;
        self.critical_path += path.txs.len() as u64;
        for &n_threads in self.execute_ms.keys() {
            let bound = lower_bound(&block, n_threads as u64, Mode::Free).max();
            *self.lower_bound.entry(n_threads).or_default() += bound;
        }
        let describer = Describer::new(chain, names);
        for receipt in receipts {
            self.fuel += receipt.fuel;
            let view = describer.outcome(receipt.outcome, receipt.failure.as_deref(), None);
            match receipt.outcome {
                Outcome::Ok => self.ok += 1,
                Outcome::Revert(_) => {
                    self.reverts += 1;
                    *self.reverts_by_name.entry(view.line()).or_default() += 1;
                }
                Outcome::Trap(_) => {
                    self.traps += 1;
                    *self.traps_by_name.entry(view.line()).or_default() += 1;
                }
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of transactions has few digits")]
        let n_txs = self.txs as f64;
        let base = self.execute_ms.values().next().copied().unwrap_or_default();
        for (&n_threads, &time) in &self.execute_ms {
            self.tx_per_s.insert(n_threads, (n_txs / time * 1000.0).round());
            self.speedup.insert(n_threads, (base / time * 100.0).round() / 100.0);
        }
        Ok(())
    }

    /// The table that `run` and `demo` print.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        let mut row = |label: &str, value: String| lines.push(format!("{label:15}{value}"));
        row("transactions", format!("{} in {}", self.txs, plural(self.blocks, "block")));
        let tail = match self.tail {
            0 => String::new(),
            n => format!(", {n} one by one in the tail lane"),
        };
        let batches = if self.batches == 1 { "batch" } else { "batches" };
        let widest = self.widest_batch;
        row("schedule", format!("{} {batches}, the widest of {widest}{tail}", self.batches));
        row("critical path", plural(self.critical_path, "transaction"));
        let bounds = self.lower_bound.iter().map(|(threads, bound)| {
            format!("{} on {}", plural(*bound, "step"), plural(*threads as u64, "thread"))
        });
        row("lower bound", bounds.collect::<Vec<_>>().join(", "));
        row("outcomes", self.outcomes());
        for (n_threads, tx_per_s) in &self.tx_per_s {
            let time = self.execute_ms.get(n_threads).copied().unwrap_or_default();
            let speedup = self.speedup.get(n_threads).copied().unwrap_or_default();
            let label = plural(*n_threads as u64, "thread");
            row(&label, format!("{tx_per_s:>9} tx/s  {time:>9.2} ms  speedup {speedup:.2}"));
        }
        if let Some(oracle_ms) = self.oracle_ms {
            row("serial oracle", format!("{:>14}  {oracle_ms:>9.2} ms", ""));
        }
        row(
            "around it",
            format!(
                "{:.2} ms signatures, lists and schedule; {:.2} ms commit",
                self.prepare_ms, self.commit_ms
            ),
        );
        let by: Vec<_> = self.roots.keys().map(|by| &**by).collect();
        let equal = if self.roots_equal { "equal" } else { "DIFFERENT" };
        row("state roots", format!("{equal} ({})", by.join(", ")));
        row("", self.state_root.clone());
        lines.join("\n")
    }

    fn outcomes(&self) -> String {
        let mut parts = vec![format!("{} ok", self.ok)];
        for (kind, count, names) in [
            ("revert", self.reverts, &self.reverts_by_name),
            ("trap", self.traps, &self.traps_by_name),
        ] {
            if count > 0 {
                let names = names.iter().map(|(name, n)| format!("{n} {name}"));
                let names = names.collect::<Vec<_>>().join(", ");
                parts.push(format!("{}: {names}", plural(count, kind)));
            }
        }
        parts.join("; ")
    }
}

/// A number of things: `1 block`, `2 blocks`.
pub(crate) fn plural(n: u64, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
