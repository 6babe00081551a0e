//! Whether a simulated run could have given another result than the published order.

use kempe_abi::AccessKind::{Add, Read, Write};
use kempe_runtime::scheduler::{Block, Form, Plan};

use crate::{Model, Simulated, Span};

/// Runs the block on symbols, once one by one in the published order and once as the simulated run
/// interleaved it, and compares what every key comes to hold.
///
/// A transaction writes a mix of its number, the key, and all it read; so a read that came too early
/// or too late shows in the end. Where the plan keeps versions, what a transaction reads is fixed by
/// the order, and the run is checked to have had it in time; without hints what only is declared counts for nothing. Where values
/// are published nothing is read that another transaction left, so there is nothing to check.
#[must_use]
pub fn is_serializable(plan: &Plan, block: &Block<'_>, model: Model<'_>, run: &Simulated) -> bool {
    let mut expected = Symbols::new(block);
    for &tx in plan.order() {
        let read = expected.read(block, tx);
        expected.write(block, tx, read);
    }
    let spans = last_spans(block, run);
    let Some(spans) = spans else { return false };
    match plan.form() {
        Form::Versions(_) | Form::Optimistic { hints: Some(_) } => {
            is_in_time(plan, block, Model::default(), |writer, reader| {
                spans[writer].end <= spans[reader].start
            })
        }
        Form::Optimistic { hints: None } => {
            is_in_time(plan, block, model, |writer, reader| spans[writer].end <= spans[reader].end)
        }
        Form::Values => true,
        Form::Rounds { again, .. } => {
            let counted = &plan.body()[..plan.body().len() - again.len()];
            let mut found = Symbols::new(block);
            let read: Vec<u64> = counted.iter().map(|&tx| found.read(block, tx)).collect();
            counted.iter().zip(read).for_each(|(&tx, read)| found.write(block, tx, read));
            found.interleave(block, again.iter().chain(plan.tail()), &spans);
            found == expected
        }
        _ => {
            let mut found = Symbols::new(block);
            found.interleave(block, plan.order().iter(), &spans);
            found == expected
        }
    }
}

/// The execution of each transaction that counts; `None` if there is not exactly one of each.
fn last_spans(block: &Block<'_>, run: &Simulated) -> Option<Vec<Span>> {
    let mut spans: Vec<Option<Span>> = vec![None; block.n_txs()];
    // An execution that was repeated does not count, wherever the second one stands.
    for span in run.spans.iter().filter(|span| span.counted) {
        if spans.get_mut(span.tx as usize)?.replace(*span).is_some() {
            return None;
        }
    }
    // Only transactions that ran twice by plan may have their second execution alone.
    spans.into_iter().collect()
}

/// What each key holds.
#[derive(PartialEq, Eq)]
struct Symbols(Vec<u64>);

impl Symbols {
    fn new(block: &Block<'_>) -> Self {
        Self(vec![0; block.accesses().n_slots()])
    }

    fn read(&self, block: &Block<'_>, tx: u32) -> u64 {
        let row = block.accesses().of(tx).iter().enumerate();
        let read = row.filter(|&(at, access)| match access.kind {
            Read => true,
            Write => !block.is_blind(tx, at),
            Add => false,
        });
        read.fold(u64::from(tx), |mix, (_, access)| mixed(mix ^ self.0[access.slot as usize]))
    }

    fn write(&mut self, block: &Block<'_>, tx: u32, read: u64) {
        for access in block.accesses().of(tx) {
            let symbol = mixed(read ^ u64::from(access.slot) << 32);
            let value = &mut self.0[access.slot as usize];
            match access.kind {
                Read => {}
                Write => *value = symbol,
                // What an addition adds may depend on what was read, its effect not on the order.
                Add => *value = value.wrapping_add(symbol),
            }
        }
    }

    /// Reads when executions start and writes when they end.
    fn interleave<'t>(
        &mut self,
        block: &Block<'_>,
        txs: impl Iterator<Item = &'t u32>,
        spans: &[Span],
    ) {
        let mut events = Vec::new();
        for (place, &tx) in txs.enumerate() {
            let span = spans[tx as usize];
            // Ends before starts, except that what takes no time starts before it ends.
            let takes_time = u8::from(span.end > span.start);
            events.push((span.start, takes_time, place, 0, tx));
            events.push((span.end, 0, place, 1, tx));
        }
        events.sort_unstable();
        let mut read = vec![0; block.n_txs()];
        for (_, _, _, ends, tx) in events {
            if ends == 1 {
                self.write(block, tx, read[tx as usize]);
            } else {
                read[tx as usize] = self.read(block, tx);
            }
        }
    }
}

/// Source: the finalizer of MurmurHash3, which maps different inputs to different outputs.
fn mixed(mut mix: u64) -> u64 {
    mix = (mix ^ mix >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mix = (mix ^ mix >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mix ^ mix >> 33
}

/// Whether every transaction had what it reads: the last write before it, and the additions since.
fn is_in_time(
    plan: &Plan,
    block: &Block<'_>,
    model: Model<'_>,
    in_time: impl Fn(usize, usize) -> bool,
) -> bool {
    let mut writers: Vec<Vec<u32>> = vec![Vec::new(); block.accesses().n_slots()];
    for &tx in plan.body() {
        for (at, access) in block.accesses().of(tx).iter().enumerate() {
            let writers = &mut writers[access.slot as usize];
            let reads = access.kind == Read || access.kind == Write && !block.is_blind(tx, at);
            let reads = reads && (model.is_touched)(tx, at);
            if reads && !writers.iter().all(|&writer| in_time(writer as usize, tx as usize)) {
                return false;
            }
            // Who has read all of them stands for them: the next reader's writers are later.
            match access.kind {
                Read => {}
                _ if !(model.is_done)(tx, at) => {}
                Write => {
                    writers.clear();
                    writers.push(tx);
                }
                Add => writers.push(tx),
            }
        }
    }
    true
}
