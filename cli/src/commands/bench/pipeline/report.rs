//! What was measured, as tables.

use comfy_table::{Table, presets};
use kempe_bench::{BlockLatency, PipelineCase, PipelineReport};

/// The report as tables.
pub(super) fn text(report: &PipelineReport) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "path",
        "threads",
        "accounts",
        "contention",
        "mix",
        "block size",
        "tx/s",
        "of sequential",
        "CPU ns/tx",
        "blocks",
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
            case.mix.clone(),
            case.block_size.to_string(),
            format!("{:.0}", case.tx_per_s),
            case.of_sequential.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            format!("{:.0}", case.cpu_ns_per_tx_total),
            case.blocks.to_string(),
            format!("{:.1}", case.latency_ms_p50),
            format!("{:.1}", case.latency_ms_p99),
            if case.root_equal { "equal" } else { "DIFFERENT" }.to_owned(),
        ]);
    }
    let mut text = table.trim_fmt();
    for case in report.results.iter().filter(|case| !case.cpu_ns_per_tx.is_empty()) {
        let stages = case.cpu_ns_per_tx.iter().map(|(stage, ns)| format!("{stage} {ns:.0}"));
        let stages = stages.collect::<Vec<_>>().join(", ");
        let PipelineCase { path, threads, accounts, contention, mix, .. } = case;
        text += &format!(
            "\n\nCPU ns/tx, {path}, {threads} threads, {accounts} accounts, {contention} contention, {mix}: \
             {stages}"
        );
    }
    if let Some(first) = report.latency.first() {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["block size", "blocks", "p50 ms", "p99 ms"]);
        for latency in &report.latency {
            table.add_row([
                latency.block_size.to_string(),
                latency.n_blocks.to_string(),
                format!("{:.2}", latency.latency_ms_p50),
                format!("{:.2}", latency.latency_ms_p99),
            ]);
        }
        let BlockLatency { threads, accounts, contention, mix, .. } = first;
        text += &format!(
            "\n\nFrom bytes to durable, signed, one block at a time, {threads} threads, {accounts} accounts, \
             {contention} contention, {mix}; of fewer than 100 blocks p99 is the slowest:\n{}",
            table.trim_fmt()
        );
    }
    text
}
