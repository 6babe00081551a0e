//! Against what is plain and slow.

use kempe_abi::AccessKind::{Add, Read};
use kempe_runtime::scheduler::{Access, Accesses, Block, by_name};

use super::*;
use crate::{Model, Overheads, Simulated, simulate};

/// A block, and what its transactions do of what they declare.
struct Drawn {
    accesses: Accesses,
    costs: Vec<u64>,
    senders: Vec<u32>,
    does: Vec<bool>,
}

fn drawn(rng: &mut fastrand::Rng) -> Drawn {
    let (mut accesses, n_txs, n_slots) = (Accesses::default(), rng.usize(1..60), rng.u32(1..14));
    for _ in 0..n_txs {
        let row = (0..rng.usize(0..5)).map(|_| {
            let kind = [Read, Add, Write, Write][rng.usize(0..4)];
            Access::new(rng.u32(0..n_slots), kind)
        });
        accesses.push_tx(row.collect::<Vec<_>>());
    }
    let most = [3, 50, 1000][rng.usize(0..3)];
    let costs = (0..n_txs).map(|_| rng.u64(1..most)).collect();
    let does = (0..n_txs * 5).map(|_| rng.usize(0..4) > 0).collect();
    let n_senders = u32::try_from(rng.usize(1..=n_txs)).unwrap();
    let senders = (0..n_txs).map(|_| rng.u32(0..n_senders)).collect();
    Drawn { accesses, costs, senders, does }
}

fn optimistic<'m, 'a, 'q>(
    machine: &'m mut Machine<'a>,
    quiet: &'q Machine<'q>,
) -> Optimistic<'m, 'a, 'q> {
    let txs: Vec<u32> = machine.block.txs().collect();
    Optimistic::new(machine, quiet, &txs)
}

impl Memory<'_> {
    /// What a read sees, by all transactions before.
    fn read_plainly(&self, tx: u32, slot: u32) -> Result<Seen, u32> {
        let machine = self.machine;
        let mut found = Vec::new();
        for writer in (0..tx).rev() {
            let row = machine.block.accesses().of(writer).iter().enumerate();
            let mut here =
                row.filter(|&(at, access)| access.slot == slot && machine.changes(writer, at));
            let Some((_, access)) = here.next() else { continue };
            match self.written[writer as usize] {
                Written::Nothing => continue,
                Written::Estimate => return Err(writer),
                Written::Value(run) => found.push((writer, run)),
            }
            if access.kind == Write {
                break;
            }
        }
        let seen = found.into_iter().rev().fold(0, |seen, (writer, run)| mixed(seen, writer, run));
        Ok(seen)
    }

    /// Whether reads see what they should, and all that is done saw what is there now.
    fn is_right(&self) -> bool {
        self.machine.block.txs().all(|tx| {
            let all: Vec<_> = self.reads(tx).map(|slot| self.read_plainly(tx, slot)).collect();
            let found = self.reads(tx).map(|slot| self.read(tx, slot));
            let saw = &self.seen[tx as usize];
            let stands = || all.iter().zip(saw).all(|(now, saw)| now.as_ref() == Ok(saw));
            all.iter().copied().eq(found) && (!self.is_done[tx as usize] || stands())
        })
    }
}

#[test]
fn who_waits_in_a_group_runs_as_who_waits_alone() {
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut n_again, mut n_grouped) = (0, 0);
    for _ in 0..600 {
        let Drawn { accesses, costs, senders, does } = drawn(&mut rng);
        let block = Block::new(&accesses, &costs, &senders, &[]).unwrap();
        let is_done = |tx: u32, at: usize| does[tx as usize * 5 + at];
        let (n_workers, reads_at_start) = ([1, 2, 3, 8][rng.usize(0..4)], rng.bool());
        let model = Model { is_done: &is_done, reads_at_start, ..Model::default() };
        let some =
            Overheads { dispatch: 7, access: 2, wake: 20, remote: 3, ..Overheads::default() };
        let mut run = |is_alone: bool| {
            let quiet = Machine::new(&block, n_workers, some, model);
            let mut machine = Machine::new(&block, n_workers, some, model);
            let mut run = optimistic(&mut machine, &quiet);
            run.is_alone = is_alone;
            loop {
                run.start();
                n_grouped += run.waiting.iter().map(Waiting::n_in_groups).max().unwrap_or(0) / 2;
                if !run.next() {
                    break;
                }
                assert!(run.memory.is_right(), "{block:?}");
            }
            machine.spans.retain(|span| span.tx != NOBODY);
            let Machine { now, spans, .. } = machine;
            let run = Simulated { makespan: now, spans, ..Simulated::default() };
            assert_eq!(run.latencies().len(), block.n_txs());
            n_again += run.n_executions() - block.n_txs();
            run
        };
        let [alone, grouped] = [true, false].map(&mut run);
        assert_eq!(grouped, alone, "{n_workers} {reads_at_start} {block:?}");
    }
    assert!(n_again > 1000 && n_grouped > 1000, "{n_again} {n_grouped}");
}

#[test]
fn thousands_that_wait_for_one_key_are_looked_at_a_few_times_each() {
    let n_txs = 4000;
    let mut accesses = Accesses::default();
    for tx in 0..n_txs {
        let own = Access::new(1 + tx, Write);
        accesses.push_tx([own, Access::new(if tx % 5 < 3 { 0 } else { 1 + tx }, Write)]);
    }
    let block = Block::new(&accesses, &[], &[], &[]).unwrap();
    let quiet = Machine::new(&block, 16, Overheads::default(), Model::default());
    let mut machine = Machine::new(&block, 16, Overheads::default(), Model::default());
    let mut run = optimistic(&mut machine, &quiet);
    run.all();
    let n_looks = run.n_looks;
    assert!(machine.spans.iter().filter(|span| span.counted).count() == n_txs as usize);
    // Ever so often as it runs, and as it waits for the one before it: not for all of those that wait with it.
    assert!(n_looks < 20 * u64::from(n_txs), "{n_looks}");
}

#[test]
fn a_chain_goes_from_worker_to_worker_and_passing_others_over_takes_time() {
    let mut accesses = Accesses::default();
    for _ in 0..3 {
        accesses.push_tx([Access::new(0, Write)]);
    }
    let block = Block::new(&accesses, &[10, 10, 10], &[], &[]).unwrap();
    let run = |n_workers, overheads| {
        let model = Model { reads_at_start: true, ..Model::default() };
        let quiet = Machine::new(&block, n_workers, overheads, model);
        let mut machine = Machine::new(&block, n_workers, overheads, model);
        optimistic(&mut machine, &quiet).all();
        let last = machine.spans.iter().filter(|span| span.counted && span.tx > 0);
        let workers: Vec<u32> = last.map(|span| span.worker).collect();
        (machine.now, workers)
    };
    // All three begin; tx 1 counts in its second execution, and tx 2 in its second one after that, on whoever was idle.
    let some = Overheads::default();
    assert_eq!(run(3, some), (30, vec![0, 1]));
    // Each comes from another worker.
    assert_eq!(run(3, Overheads { remote: 4, ..some }).0, 30 + 3 * 4);
    // Tx 2 waits for tx 1, and whoever comes by finds that out for nothing.
    assert_eq!(run(3, Overheads { access: 5, ..some }).0, 3 * 15);
}

#[test]
fn a_sender_s_transactions_wait_for_each_other_until_one_has_nothing_to_do_with_the_last() {
    let run = |slots: &[u32], senders: &[u32], n_workers| {
        let mut accesses = Accesses::default();
        slots.iter().for_each(|&slot| accesses.push_tx([Access::new(slot, Write)]));
        let costs = vec![10; slots.len()];
        let block = Block::new(&accesses, &costs, senders, &[]).unwrap();
        let plan = by_name("block-stm").unwrap().plan(&block, n_workers);
        let run = simulate(&plan, &block, n_workers, Overheads::default());
        (run.makespan, run.n_executions())
    };
    let slots = [0, 0, 0, 1, 2, 3];
    assert_eq!(run(&slots, &[0, 0, 0, 1, 1, 1], 2), (30, 6));
    assert!(run(&slots, &[0, 1, 2, 3, 4, 5], 2).1 > 6, "nobody knows what strangers do");
    assert_eq!(run(&[0, 1, 2, 3, 4], &[0; 5], 4), (30, 5), "all behind the second at once");
}

#[test]
fn whoever_looks_for_work_passes_all_places_from_the_first_that_was_set_free() {
    let run = |slot: fn(u32) -> u32, remote: u64| {
        let mut accesses = Accesses::default();
        (0..40).for_each(|tx| accesses.push_tx([Access::new(slot(tx), Write)]));
        let block = Block::new(&accesses, &[10; 40], &[], &[]).unwrap();
        let plan = by_name("block-stm-hints").unwrap().plan(&block, 2);
        simulate(&plan, &block, 2, Overheads { remote, ..Overheads::default() }).makespan
    };
    let longer = |slot| run(slot, 1) - run(slot, 0);
    // The value and two lines beside it come from the other worker each time. Where one of two chains stands behind the other, who runs it passes the
    // rest of that, too.
    let [mixed, apart] = [longer(|tx| tx % 2), longer(|tx| tx / 20)];
    assert!(mixed <= 3 * 20 && apart >= mixed + 5 * 20, "{mixed} {apart}");
}
