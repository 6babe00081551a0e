//! What `kempe bench pipeline` found, for scripts and as a page.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Machine;
use super::html::{Page, escaped};
use super::plots::{self, PlotError};

/// Everything that was measured of the whole way of transactions.
#[derive(Clone, Debug, Serialize)]
pub struct PipelineReport {
    /// Where it ran.
    pub machine: Machine,
    /// One path on one number of threads each.
    pub results: Vec<PipelineCase>,
    /// Blocks one at a time on an idle chain.
    pub latency: Vec<BlockLatency>,
}

/// One path on one number of threads.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PipelineCase {
    /// `signed-durable`, `unsigned-durable`, `execute` or `sequential`.
    pub path: &'static str,
    /// The number of threads.
    pub threads: usize,
    /// The number of accounts with a balance.
    pub accounts: u32,
    /// `low`, `high` or `hot`.
    pub contention: &'static str,
    /// What transactions do, in turn: names separated by commas.
    pub mix: String,
    /// How much of the state is kept in memory, in MiB of rows.
    pub memory_mib: u32,
    /// How many transactions in a block.
    pub block_size: u32,
    /// How many blocks.
    pub blocks: usize,
    /// How many transactions in all of them.
    pub txs: usize,
    /// Those that succeeded.
    pub ok: usize,
    /// Transactions in a second.
    pub tx_per_s: f64,
    /// Of `execute`, the speed as a multiple of that of `sequential` on the same blocks, where both were measured.
    pub of_sequential: Option<f64>,
    /// From bytes in to durable while the pipeline is full, its queues included: half of the blocks. Of
    /// `execute` and `sequential`, from lists to receipts.
    pub latency_ms_p50: f64,
    /// The same: 99 of 100 blocks; the slowest, where there are fewer.
    pub latency_ms_p99: f64,
    /// The process's time for a transaction in the run whose speed is given, with everything.
    pub cpu_ns_per_tx_total: f64,
    /// The same by stage, with one block at a time on its way.
    pub cpu_ns_per_tx: BTreeMap<&'static str, f64>,
    /// Cells changed for each transaction.
    pub changes_per_tx: f64,
    /// Whether applying all blocks one by one, on one thread, gives the same headers, state roots among them. Of
    /// `execute` and `sequential`, whether the serial oracle gives the same receipts, changes and root of every block.
    pub root_equal: bool,
}

/// The time from bytes to durable of signed blocks of one size.
#[derive(Clone, Debug, Serialize)]
pub struct BlockLatency {
    /// How many transactions in a block.
    pub block_size: u32,
    /// The number of threads.
    pub threads: usize,
    /// The number of accounts with a balance.
    pub accounts: u32,
    /// `low`, `high` or `hot`.
    pub contention: &'static str,
    /// What transactions do, in turn: names separated by commas.
    pub mix: String,
    /// How many blocks, without a first one that is not measured.
    pub n_blocks: usize,
    /// What half of them do not exceed.
    pub latency_ms_p50: f64,
    /// What 99 of 100 do not exceed: the slowest, where there are fewer.
    pub latency_ms_p99: f64,
}

impl PipelineReport {
    /// One page that needs nothing from elsewhere: the table, a chart of the stages of each case that has
    /// them, and the latencies.
    ///
    /// # Errors
    /// [`PlotError`].
    pub fn html(&self) -> Result<String, PlotError> {
        let mut page = Page::default();
        page.begin("Kempe pipeline", &self.machine);
        page.put(
            "</p><p>From bytes to durable blocks, with roots that applying the blocks one by one \
            gives too. CPU is the process's time.</p><table><tr><th>path</th><th>threads</th>\
            <th>accounts</th><th>contention</th><th>mix</th><th>block size</th><th>tx/s</th>\
            <th>of sequential</th><th>CPU ns/tx</th><th>blocks</th><th>p50 ms</th><th>p99 ms</th>\
            <th>roots</th></tr>",
        );
        for case in &self.results {
            page.put(format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
                 <td>{:.0}</td><td>{}</td><td>{:.0}</td><td>{}</td><td>{:.1}</td><td>{:.1}</td>\
                 <td>{}</td></tr>",
                escaped(case.path),
                case.threads,
                case.accounts,
                escaped(case.contention),
                escaped(&case.mix),
                case.block_size,
                case.tx_per_s,
                case.of_sequential.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
                case.cpu_ns_per_tx_total,
                case.blocks,
                case.latency_ms_p50,
                case.latency_ms_p99,
                if case.root_equal { "equal" } else { "DIFFERENT" }
            ));
        }
        page.put("</table>");
        for case in self.results.iter().filter(|case| !case.cpu_ns_per_tx.is_empty()) {
            let stages = case.cpu_ns_per_tx.iter().map(|(name, ns)| ((*name).to_owned(), *ns));
            let mut stages: Vec<(String, f64)> = stages.collect();
            stages.sort_by(|a, b| b.1.total_cmp(&a.1));
            let svg = plots::rungs(&stages, "CPU nanoseconds for a transaction")?;
            let PipelineCase { path, threads, accounts, contention, .. } = case;
            page.figure(
                &format!("{path}, {threads} threads, {accounts} accounts, {contention} contention"),
                &svg,
                "By stage, with one block at a time on its way.",
            );
        }
        if !self.latency.is_empty() {
            page.put(
                "<h2>From bytes to durable, one block at a time</h2><p>Of fewer than 100 blocks p99 is \
                the slowest.</p><table><tr><th>block size</th><th>threads</th><th>accounts</th>\
                <th>contention</th><th>mix</th><th>blocks</th><th>p50 ms</th><th>p99 ms</th></tr>",
            );
            for row in &self.latency {
                page.put(format!(
                    "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
                     <td>{:.2}</td><td>{:.2}</td></tr>",
                    row.block_size,
                    row.threads,
                    row.accounts,
                    escaped(row.contention),
                    escaped(&row.mix),
                    row.n_blocks,
                    row.latency_ms_p50,
                    row.latency_ms_p99
                ));
            }
            page.put("</table>");
        }
        Ok(page.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_what_was_measured_and_needs_nothing_else() {
        let case = PipelineCase {
            path: "signed-durable",
            threads: 2,
            accounts: 1_000_000,
            contention: "low",
            mix: "token,pool".to_owned(),
            memory_mib: 4096,
            block_size: 20_000,
            blocks: 3,
            txs: 60_000,
            ok: 59_000,
            tx_per_s: 123_456.7,
            of_sequential: Some(1.75),
            latency_ms_p50: 1.5,
            latency_ms_p99: 2.5,
            cpu_ns_per_tx_total: 14_000.0,
            cpu_ns_per_tx: [("check", 9_876.0), ("log", 86.0)].into(),
            changes_per_tx: 2.9,
            root_equal: true,
        };
        let report = PipelineReport {
            machine: Machine::here(Some("<commit>".to_owned())),
            results: vec![case],
            latency: vec![BlockLatency {
                block_size: 1000,
                threads: 2,
                accounts: 1_000_000,
                contention: "low",
                mix: "token,pool".to_owned(),
                n_blocks: 20,
                latency_ms_p50: 8.25,
                latency_ms_p99: 40.75,
            }],
        };
        let page = report.html().unwrap();
        for text in [
            "123457",
            "check  9876.00",
            "log  86.00",
            "<td>1000</td><td>2</td><td>1000000</td><td>low</td><td>token,pool</td><td>20</td>",
            "40.75",
            "<td>1.75</td>",
            "equal",
            "&lt;commit&gt;",
        ] {
            assert!(page.contains(text), "{text} is not in {page}");
        }
        assert!(!page.replace("http://www.w3.org/2000/svg", "").contains("http"));
    }
}
