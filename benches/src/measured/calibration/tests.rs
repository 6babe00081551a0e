//! Overheads of made-up machines, and the blocks on which they are found.

use kempe_abi::AccessKind;
use kempe_runtime::scheduler::{SCHEDULERS, by_name};

use super::super::TimedAt;
use super::*;
use crate::{InputTx, Model, simulate, simulate_as};

#[test]
fn what_waits_for_nobody_is_planned_in_few_ways() {
    let (firsts, places) = alike(&SCHEDULERS, &independent((500, 10), N_KEYS[0]), 2);
    let name = |at: usize| SCHEDULERS[firsts[places[at]]].name();
    let of = |name: &str| SCHEDULERS.iter().position(|known| known.name() == name).unwrap();
    assert_eq!(places.len(), SCHEDULERS.len());
    assert_eq!(name(of("dsatur")), name(of("layers")));
    let forms = ["color", "graph", "versions", "values", "block-stm", "aria", "sequential"];
    let forms: std::collections::BTreeSet<_> = forms.map(|form| places[of(form)]).into();
    assert_eq!(forms.len(), 7, "no two of them run in the same way");
    assert!(firsts.len() < 14, "{firsts:?}");
}

#[test]
fn what_overheads_are_found_on_gives_what_the_oracle_gives() {
    let how = Measure { n_threads: 3, n_rounds: 1, limit: None };
    let runs = RealRuns { slowness: |_| 1000, ..RealRuns::new(&SCHEDULERS, how).unwrap() };
    let short = (60, 10);
    for input in [
        independent(short, N_KEYS[1]),
        sharing(short),
        adding(short),
        chain(short, N_KEYS[0]),
        ladder(short, N_ON_RUNG[0]),
        moving(short, 20),
    ] {
        let rows = runs.rows_once(&input, &mut TimedAt::default()).unwrap();
        assert!(rows.iter().all(|row| row.root_equal), "{}: {rows:?}", input.name());
    }
}

/// What a machine has as overheads that is as the simulator says.
fn truth(kind: Kind) -> Overheads {
    let is = |kinds: &[Kind], ns| if kinds.contains(&kind) { ns } else { 0 };
    Overheads {
        dispatch: if kind == Kind::Optimistic { 700 } else { 300 },
        access: 20,
        key: 60,
        wake: 5000,
        barrier: 400,
        single: 80,
        settle: 90,
        add: is(&[Kind::Graph, Kind::Optimistic], 120),
        take: 150,
        handover: 200,
        ordered: if kind == Kind::Other { 0 } else { 70 },
        remote: 44,
        inflation_permille: 40,
        around: 150,
        around_key: 30,
    }
}

/// The block as the runtime has it: all name the record of their contract, which none looks at.
fn with_record(input: &Input) -> Input {
    let tx = |(tx, &cost): (u32, &u64)| {
        let row = input.accesses().of(tx).iter();
        let own = row.map(|access| (access.slot.into(), access.kind, false));
        let accesses: Vec<_> = own.chain([(u64::MAX, AccessKind::Read, false)]).collect();
        let cost = cost + 900 + 100 * accesses.len() as u64;
        InputTx { accesses, cost, n_untouched: 1, ..InputTx::default() }
    };
    Input::new(input.name().to_owned(), (0..).zip(input.costs()).map(tx).collect())
}

/// What such a machine takes, all by `noise` longer.
fn made_up(
    noise: impl Fn(&str) -> u64,
) -> impl FnMut(&RealRuns<'_>, &Input) -> Result<Vec<(Found, u64)>, WorldError> {
    move |runs, input| {
        let (real, n_workers) = (with_record(input), runs.how.n_threads);
        let (block, n_txs) = (real.block(), real.n_txs() as u64);
        let is_touched = |tx, at| real.touches(tx, at);
        let model = Model { is_touched: &is_touched, reads_at_start: true, ..Model::default() };
        let found = |(at, scheduler): (usize, &&dyn Scheduler)| {
            let plan = scheduler.plan(&block, n_workers);
            let run = |overheads| simulate_as(&plan, &block, n_workers, overheads, model).makespan;
            let of = truth(Kind::of(runs, at, (100, 1)));
            let (makespan_ns, predicted_ns) =
                (run(of) + noise(input.name()), run(runs.used.overheads[at]));
            let missing_ns = makespan_ns.cast_signed() - predicted_ns.cast_signed();
            let cost = real.costs().iter().sum::<u64>() / n_txs;
            (Found { makespan_ns, missing_ns }, cost)
        };
        Ok(runs.schedulers.iter().enumerate().map(found).collect())
    }
}

/// Those that plan independent transactions as one batch, or each alone: others have barriers there.
const PLAIN: [&str; 6] = ["layers", "graph", "versions", "values", "block-stm", "aria"];

/// What is found of such a machine for these schedulers, with what it has.
fn found_of(
    names: &[&str],
    noise: impl Fn(&str) -> u64,
    hop_ns: u64,
) -> Vec<(Overheads, Overheads)> {
    let schedulers: Vec<&dyn Scheduler> = names.iter().map(|name| by_name(name).unwrap()).collect();
    let how = Measure { n_threads: 2, n_rounds: 1, limit: None };
    let place = Place { n_txs: 1000, hop_ns };
    let found = fitted(&schedulers, how, place, &mut made_up(noise)).unwrap();
    let runs = RealRuns::new(&schedulers, how).unwrap();
    let kinds = (0..schedulers.len()).map(|at| truth(Kind::of(&runs, at, (100, 1))));
    found.into_iter().zip(kinds).collect()
}

#[test]
fn a_machine_that_is_as_the_simulator_says_gives_the_overheads_that_it_has() {
    for (at, (found, truth)) in found_of(&PLAIN, |_| 0, 33).into_iter().enumerate() {
        let columns = |of: Overheads| {
            let Overheads { dispatch, access, key, wake, barrier, single, settle, .. } = of;
            let Overheads { add, take, handover, ordered, remote, .. } = of;
            let Overheads { inflation_permille, around, around_key, .. } = of;
            let some = [dispatch, access, key, wake, barrier, single, settle, add];
            let others = [take, handover, ordered, remote, inflation_permille];
            [&some[..], &others, &[around, around_key]].concat()
        };
        let name = PLAIN[at];
        for (found_ns, ns) in columns(found).into_iter().zip(columns(truth)) {
            // A worker that wakes up late is part of what long transactions take.
            let is_near = found_ns.abs_diff(ns) <= if ns == 5000 { 700 } else { 7 + ns / 20 };
            assert!(is_near, "{name}: {found_ns} {ns}\n{found:?}\n{truth:?}");
        }
    }
}

#[test]
fn noise_in_the_block_of_additions_is_in_no_overhead() {
    // As much as twice what they cost.
    let noise = |name: &str| if name == "adding" { 240_000 } else { 0 };
    let names = ["layers", "graph", "block-stm"];
    assert_eq!(found_of(&names, noise, 33), found_of(&names, |_| 0, 33));
}

#[test]
fn where_threads_take_turns_nothing_is_taken_from_another() {
    let remote = |hop_ns| found_of(&["graph"], |_| 0, hop_ns)[0].0.remote;
    assert_eq!([remote(33), remote(162), remote(APART_NS_MAX)], [44, 216, 0]);
}

#[test]
fn what_an_execution_costs_in_all_stays_whatever_noise_its_parts_have() {
    for (sums, parts) in [
        ([500, 1300, 700], [20, 60, 320]),
        ([500, 400, 300], [0, 0, 500]),
        ([500, 400, 900], [0, 0, 500]),
        ([500, 5500, 900], [40, 126, 128]),
        ([500, 5500, 9000], [166, 0, 2]),
        ([0, 1300, 700], [0, 0, 0]),
    ] {
        let Overheads { access, key, dispatch, .. } = of_sums(sums, Overheads::default());
        assert_eq!([access, key, dispatch], parts, "{sums:?}");
        // Its own keys and the record of the contract.
        assert_eq!(dispatch + access * (N_KEYS[0] + 1) + key * N_KEYS[0], sums[0]);
    }
}

#[test]
fn a_second_search_adds_to_what_the_first_has_seen() {
    let how = Measure { n_threads: 2, n_rounds: 1, limit: Some(Duration::ZERO) };
    let mut seen = Seen::new();
    for n_searches in 1..=2 {
        find(&SCHEDULERS, how, Place { n_txs: 60, hop_ns: 40 }, &mut seen).unwrap();
        // As many as there are blocks and who plans them, none under the name of another.
        assert_eq!(seen.len(), 13);
        for (name, times) in &seen {
            assert_eq!((times.alone.n(), times.plans[0].n()), (n_searches, n_searches), "{name}");
        }
    }
}

#[test]
fn a_ladder_has_a_layer_for_each_pair() {
    let ladder = ladder((20, 1), 2);
    let schedule = Layers.plan(&ladder.block(), 2).into_schedule(&ladder.block());
    assert_eq!(schedule.batches().map(<[u32]>::len).collect::<Vec<_>>(), [2; 10]);
    let plan = Graph.plan(&ladder.block(), 2);
    let handover = Overheads { handover: 5, ..Overheads::default() };
    let run = |overheads| simulate(&plan, &ladder.block(), 2, overheads).makespan;
    assert_eq!((run(Overheads::default()), run(handover)), (10, 10 + 9 * 5));
}
