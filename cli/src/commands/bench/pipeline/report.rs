//! What was measured, as a table and as JSON.

use std::collections::BTreeMap;

use comfy_table::{Table, presets};
use serde::Serialize;

/// Everything that was measured.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) results: Vec<Case>,
    /// Blocks one at a time on an idle chain.
    pub(super) latency: Vec<Latency>,
}

/// One path on one number of threads.
#[derive(Debug, Serialize)]
pub(super) struct Case {
    pub(super) path: &'static str,
    pub(super) threads: usize,
    pub(super) accounts: u32,
    pub(super) contention: &'static str,
    pub(super) blocks: usize,
    pub(super) txs: usize,
    /// Those that succeeded.
    pub(super) ok: usize,
    pub(super) tx_per_s: f64,
    /// From bytes in to durable while the pipeline is full, its queues included.
    pub(super) latency_ms_p50: f64,
    pub(super) latency_ms_p99: f64,
    /// The process's time for a transaction in the run whose speed is given, with everything.
    pub(super) cpu_ns_per_tx_total: f64,
    /// The same by stage, with one block at a time on its way.
    pub(super) cpu_ns_per_tx: BTreeMap<&'static str, f64>,
    /// Cells changed for each transaction.
    pub(super) changes_per_tx: f64,
    /// Whether applying the first blocks one by one gives the same headers, state roots among them.
    pub(super) root_equal: bool,
}

/// The time from bytes to durable of blocks of one size.
#[derive(Debug, Serialize)]
pub(super) struct Latency {
    pub(super) block_size: u32,
    pub(super) n_blocks: usize,
    pub(super) latency_ms_p50: f64,
    pub(super) latency_ms_p99: f64,
}

impl Report {
    pub(super) fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header([
            "path",
            "threads",
            "accounts",
            "contention",
            "tx/s",
            "CPU ns/tx",
            "p50 ms",
            "p99 ms",
            "roots",
        ]);
        for case in &self.results {
            table.add_row([
                case.path.to_owned(),
                case.threads.to_string(),
                case.accounts.to_string(),
                case.contention.to_owned(),
                format!("{:.0}", case.tx_per_s),
                format!("{:.0}", case.cpu_ns_per_tx_total),
                format!("{:.1}", case.latency_ms_p50),
                format!("{:.1}", case.latency_ms_p99),
                if case.root_equal { "equal" } else { "DIFFERENT" }.to_owned(),
            ]);
        }
        let mut text = table.trim_fmt();
        for case in self.results.iter().filter(|case| !case.cpu_ns_per_tx.is_empty()) {
            let stages = case.cpu_ns_per_tx.iter().map(|(stage, ns)| format!("{stage} {ns:.0}"));
            let stages = stages.collect::<Vec<_>>().join(", ");
            let (path, threads, accounts) = (case.path, case.threads, case.accounts);
            text +=
                &format!("\n\nCPU ns/tx, {path}, {threads} threads, {accounts} accounts: {stages}");
        }
        if !self.latency.is_empty() {
            let mut table = Table::new();
            table.load_style(presets::NOTHING);
            table.set_header(["block size", "p50 ms", "p99 ms"]);
            for latency in &self.latency {
                table.add_row([
                    latency.block_size.to_string(),
                    format!("{:.2}", latency.latency_ms_p50),
                    format!("{:.2}", latency.latency_ms_p99),
                ]);
            }
            text +=
                &format!("\n\nFrom bytes to durable, one block at a time:\n{}", table.trim_fmt());
        }
        text
    }
}
