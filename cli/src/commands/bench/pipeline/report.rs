//! What was measured, as tables.

use comfy_table::{Table, presets};
use kempe_bench::PipelineReport;

/// The report as tables.
pub(super) fn text(report: &PipelineReport) -> String {
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
    for case in &report.results {
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
    for case in report.results.iter().filter(|case| !case.cpu_ns_per_tx.is_empty()) {
        let stages = case.cpu_ns_per_tx.iter().map(|(stage, ns)| format!("{stage} {ns:.0}"));
        let stages = stages.collect::<Vec<_>>().join(", ");
        let (path, threads, accounts) = (case.path, case.threads, case.accounts);
        text += &format!("\n\nCPU ns/tx, {path}, {threads} threads, {accounts} accounts: {stages}");
    }
    if !report.latency.is_empty() {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["block size", "p50 ms", "p99 ms"]);
        for latency in &report.latency {
            table.add_row([
                latency.block_size.to_string(),
                format!("{:.2}", latency.latency_ms_p50),
                format!("{:.2}", latency.latency_ms_p99),
            ]);
        }
        text += &format!("\n\nFrom bytes to durable, one block at a time:\n{}", table.trim_fmt());
    }
    text
}
