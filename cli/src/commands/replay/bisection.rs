//! What `--bisect` found, for people and for scripts.

use std::fmt::Write;

use kempe_runtime::chain::Bisection;
use kempe_runtime::types::{Block, Bytes, Receipt};
use serde::Serialize;

use crate::describe::Describer;

/// The fewest transactions that are executed differently.
#[derive(Debug, Serialize)]
pub(super) struct BisectionView {
    height: u64,
    /// How many transactions the block has.
    block_txs: usize,
    txs: Vec<TxLine>,
    runs: u32,
    key: Option<KeyView>,
    receipt: Option<ReceiptView>,
    panic: Option<String>,
}

#[derive(Debug, Serialize)]
struct TxLine {
    index: u32,
    sender: String,
    actions: Vec<String>,
}

#[derive(Debug, Serialize)]
struct KeyView {
    key: String,
    /// The value in hexadecimal; none if there is none.
    oracle: Option<String>,
    executed: Option<String>,
}

#[derive(Debug, Serialize)]
struct ReceiptView {
    index: u32,
    /// The fields that differ, with both values.
    differs: Vec<(&'static str, String, String)>,
}

impl BisectionView {
    /// The view of what was found in this block.
    pub(super) fn new(describer: &Describer<'_>, block: &Block, found: &Bisection) -> Self {
        let Bisection { height, n_txs, txs, n_runs, key, receipt, panic } = found;
        let line = |&index: &u32| {
            let tx = &block.transactions.get(index as usize)?.transaction;
            let sender = describer.names().show(&tx.sender);
            let actions = tx.actions.iter().map(|action| describer.action(action)).collect();
            Some(TxLine { index, sender, actions })
        };
        let hex = |value: &Option<Bytes>| value.as_ref().map(|v| format!("0x{}", hex::encode(v)));
        Self {
            height: *height,
            block_txs: *n_txs,
            txs: txs.iter().filter_map(line).collect(),
            runs: *n_runs,
            key: key.as_ref().map(|key| KeyView {
                key: describer.key(&key.key),
                oracle: hex(&key.oracle),
                executed: hex(&key.executed),
            }),
            receipt: receipt.as_ref().map(|receipt| ReceiptView {
                index: receipt.tx,
                differs: differing(&receipt.oracle, &receipt.executed),
            }),
            panic: panic.clone(),
        }
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut put = |line: String| writeln!(text, "{line}").expect("a string takes any text");
        let Self { height, block_txs, txs, runs, key, receipt, panic } = self;
        put(format!(
            "block {height}: {} of {block_txs} transactions differ, found in {runs} executions",
            txs.len()
        ));
        for TxLine { index, sender, actions } in txs {
            put(format!("  {height}:{index}  {} by {sender}", actions.join("; ")));
        }
        if let Some(KeyView { key, oracle, executed }) = key {
            let show = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".into());
            put(format!("the first key that differs is {key}"));
            put(format!("  one by one    {}", show(oracle)));
            put(format!("  in parallel   {}", show(executed)));
        }
        if let Some(ReceiptView { index, differs }) = receipt {
            put(format!("the first receipt that differs is that of {height}:{index}"));
            for (field, oracle, executed) in differs {
                put(format!("  {field}: {oracle} one by one, {executed} in parallel"));
            }
        }
        if let Some(panic) = panic {
            put(format!("a worker panicked: {panic}"));
        }
        text.truncate(text.trim_end().len());
        text
    }
}

fn differing(oracle: &Receipt, executed: &Receipt) -> Vec<(&'static str, String, String)> {
    let fields = |of: &Receipt| {
        [
            ("outcome", format!("{:?}", of.outcome)),
            ("fuel", of.fuel.to_string()),
            ("fee", of.fee.to_string()),
            ("results", of.results.iter().map(hex::encode).collect::<Vec<_>>().join(" ")),
            ("events", format!("{:?}", of.events)),
            ("footprint", of.footprint.to_string()),
            ("tail", of.tail.to_string()),
            ("failure", format!("{:?}", of.failure)),
        ]
    };
    let pairs = fields(oracle).into_iter().zip(fields(executed));
    pairs
        .filter(|((_, oracle), (_, executed))| oracle != executed)
        .map(|((field, oracle), (_, executed))| (field, oracle, executed))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text() {
        let line = |index: u32, action: &str| TxLine {
            index,
            sender: "alice".into(),
            actions: vec![action.into()],
        };
        let view = BisectionView {
            height: 17,
            block_txs: 400,
            txs: vec![line(3, "token.mint(bob, 1)"), line(90, "token.burn(1)")],
            runs: 52,
            key: Some(KeyView {
                key: "token.balances[bob]".into(),
                oracle: Some("0x01".into()),
                executed: None,
            }),
            receipt: Some(ReceiptView {
                index: 90,
                differs: vec![("fuel", "7".into(), "8".into())],
            }),
            panic: None,
        };
        let expected = "\
block 17: 2 of 400 transactions differ, found in 52 executions
  17:3  token.mint(bob, 1) by alice
  17:90  token.burn(1) by alice
the first key that differs is token.balances[bob]
  one by one    0x01
  in parallel   nothing
the first receipt that differs is that of 17:90
  fuel: 7 one by one, 8 in parallel";
        assert_eq!(view.text(), expected);
    }
}
