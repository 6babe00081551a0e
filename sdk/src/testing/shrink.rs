//! Makes a failing sequence of calls short, and shows it.

use std::fmt::Write;

use kempe_abi::{Abi, Address, Type, section, size_of_value, split};

use super::backend::Tx;
use super::campaign::{Broken, Planned};
use super::chain::TestChain;

/// The most replays of one shrinking: it ends in seconds, whatever fails.
const REPLAYS_MAX: usize = 1_500;

/// Leaves out calls, then makes numbers smaller, as long as it `fails`. Also returns what the
/// shortest sequence broke.
///
/// Source: delta debugging, Zeller and Hildebrandt, "Simplifying and isolating failure-inducing
/// input" (2002), with halves only.
pub(crate) fn shrink(
    plan: &[Planned],
    chain: &TestChain,
    fails: &dyn Fn(&[Planned]) -> Option<Broken>,
) -> (Vec<Planned>, Option<String>) {
    let mut least = Least { plan: plan.to_vec(), text: None, replays: 0, fails };
    least.blocks();
    least.calls();
    least.numbers(chain);
    least.plan.retain(|block| !block.txs.is_empty() || block.wait_ms > 0);
    (least.plan, least.text)
}

struct Least<'a> {
    plan: Vec<Planned>,
    text: Option<String>,
    replays: usize,
    fails: &'a dyn Fn(&[Planned]) -> Option<Broken>,
}

impl Least<'_> {
    /// Takes the shorter plan if it fails too.
    fn try_plan(&mut self, plan: Vec<Planned>) -> bool {
        if self.replays == REPLAYS_MAX {
            return false;
        }
        self.replays += 1;
        match (self.fails)(&plan) {
            Some(broken) => {
                self.text = Some(broken.text);
                self.plan = plan;
                true
            }
            None => false,
        }
    }

    /// Empties runs of blocks, each half as long as the last; time goes on passing.
    fn blocks(&mut self) {
        let mut len = self.plan.len().div_ceil(2);
        while len > 0 {
            let mut from = 0;
            while from < self.plan.len() {
                let to = (from + len).min(self.plan.len());
                let empty = self.plan[from..to].iter().all(|block| block.txs.is_empty());
                if !empty {
                    let mut plan = self.plan.clone();
                    plan[from..to].iter_mut().for_each(|block| block.txs.clear());
                    self.try_plan(plan);
                }
                from = to;
            }
            len = if len == 1 { 0 } else { len.div_ceil(2) };
        }
        // Blocks without calls, and the time before them, are rarely needed.
        let plan: Vec<_> = self.plan.iter().filter(|b| !b.txs.is_empty()).cloned().collect();
        self.try_plan(plan);
    }

    fn calls(&mut self) {
        for block in 0..self.plan.len() {
            let mut tx = 0;
            while tx < self.plan[block].txs.len() {
                let mut plan = self.plan.clone();
                plan[block].txs.remove(tx);
                if !self.try_plan(plan) {
                    tx += 1;
                }
            }
            if self.plan[block].wait_ms > 0 {
                let mut plan = self.plan.clone();
                plan[block].wait_ms = 0;
                self.try_plan(plan);
            }
        }
    }

    fn numbers(&mut self, chain: &TestChain) {
        for block in 0..self.plan.len() {
            for tx in 0..self.plan[block].txs.len() {
                let Some(types) = params(&self.plan[block].txs[tx].1, chain) else { continue };
                let mut at = 0;
                for ty in &types {
                    let args = &self.plan[block].txs[tx].1.args;
                    let Ok(len) = size_of_value(ty, &args[at..]) else { break };
                    if is_unsigned(ty) {
                        self.number((block, tx), at..at + len);
                    }
                    at += len;
                }
            }
        }
    }

    /// Looks for a smaller number by halving the distance to the smallest that is known to fail.
    fn number(&mut self, (block, tx): (usize, usize), at: std::ops::Range<usize>) {
        let read = |bytes: &[u8]| {
            let mut wide = [0; 16];
            wide[..bytes.len()].copy_from_slice(bytes);
            u128::from_le_bytes(wide)
        };
        let (mut low, mut high) = (0, read(&self.plan[block].txs[tx].1.args[at.clone()]));
        while low < high {
            let middle = low + (high - low) / 2;
            let mut plan = self.plan.clone();
            let bytes = middle.to_le_bytes();
            plan[block].txs[tx].1.args[at.clone()].copy_from_slice(&bytes[..at.len()]);
            if self.try_plan(plan) {
                high = middle;
            } else if self.replays == REPLAYS_MAX {
                return;
            } else {
                low = middle + 1;
            }
        }
    }
}

fn is_unsigned(ty: &Type) -> bool {
    matches!(ty, Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::U128)
}

/// What is known of the contract at an address.
pub(crate) fn abi(address: &Address, chain: &TestChain) -> Option<Abi> {
    Abi::decode(&section::contract_to_vec(chain.def(address)?)).ok()
}

/// The types of the parameters of what is called.
fn params(tx: &Tx, chain: &TestChain) -> Option<Vec<Type>> {
    let abi = abi(&tx.contract, chain)?;
    Some(abi.method(&tx.method)?.params.iter().map(|param| param.ty.clone()).collect())
}

/// The calls, a line each, a blank line between blocks.
pub(crate) fn show(plan: &[Planned], chain: &TestChain) -> String {
    let mut text = String::new();
    for block in plan {
        if !text.is_empty() {
            text.push('\n');
        }
        if block.wait_ms > 0 {
            writeln!(text, "  ({} ms pass)", block.wait_ms).expect("a string takes any text");
        }
        for (_, tx) in &block.txs {
            let (who, contract) = (chain.name(&tx.sender), chain.name(&tx.contract));
            writeln!(text, "  {who}: {contract}.{}({})", tx.method, arguments(tx, chain))
                .expect("a string takes any text");
        }
    }
    text
}

fn arguments(tx: &Tx, chain: &TestChain) -> String {
    let mut parts = Vec::new();
    let types = params(tx, chain).unwrap_or_default();
    let mut rest = types.iter();
    let shown = split(types.iter(), &tx.args, |bytes| {
        parts.push(rest.next().map_or_else(String::new, |ty| value(ty, bytes, chain)));
    });
    if shown.is_err() {
        return hex(&tx.args);
    }
    parts.join(", ")
}

pub(crate) fn value(ty: &Type, bytes: &[u8], chain: &TestChain) -> String {
    match (ty, <[u8; 32]>::try_from(bytes)) {
        (Type::Address, Ok(address)) => chain.name(&Address(address)),
        (Type::Bool, _) => (bytes == [1]).to_string(),
        (Type::String, _) => format!("{:?}", String::from_utf8_lossy(&bytes[4..])),
        (ty, _) if is_unsigned(ty) => {
            let mut wide = [0; 16];
            wide[..bytes.len()].copy_from_slice(bytes);
            u128::from_le_bytes(wide).to_string()
        }
        _ => hex(bytes),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_string(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes any text");
        text
    })
}
