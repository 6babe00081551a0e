use std::cell::{Cell, RefCell};

use kempe_abi::AccessKind;
use kempe_runtime::executor::Executor;
use kempe_runtime::scheduler::{Block, Mode, Plan, SCHEDULERS, Schedule, Scheduler};

use super::*;
use crate::{InputTx, Pattern};

const HOW: Measure = Measure { n_threads: 3, n_rounds: 1, limit: None };

fn runs() -> RealRuns<'static> {
    RealRuns { slowness: |_| 1000, ..RealRuns::new(&SCHEDULERS, HOW).unwrap() }
}

thread_local! {
    /// The distances between threads that [`scripted`] runs find, one after the other.
    static SCRIPT: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

fn scripted() -> RealRuns<'static> {
    let distance = |_: &Executor| SCRIPT.with_borrow_mut(|script| script.remove(0));
    RealRuns { distance, ..runs() }
}

fn calibration(n_schedulers: usize, dispatch: u64) -> Calibration {
    let overheads = vec![Overheads { dispatch, ..Overheads::default() }; n_schedulers];
    Calibration { n_txs: SIZES[0], settled_permille: 1000, overheads, ..Calibration::default() }
}

fn known(calibration: Calibration) -> Search {
    Search { calibration, n_searches: 1, ..Search::default() }
}

/// Of one time.
fn once(runs: &RealRuns<'_>, input: &Input) -> Vec<Row> {
    runs.rows_once(input, &mut TimedAt::default()).unwrap()
}

fn check(rows: Vec<Row>) {
    assert_eq!(rows.len(), SCHEDULERS.len());
    for row in rows {
        assert!(row.root_equal && !row.simulated && row.predicted_ns > Some(0), "{row:?}");
        let [least, most] = [row.speedup_min, row.speedup_max].map(Option::unwrap);
        assert!(least <= row.speedup && row.speedup <= most, "{row:?}");
        assert_eq!((row.rounds, least), (Some(HOW.n_rounds), most), "{row:?}");
    }
}

#[test]
fn overheads_are_found_for_each_distance_and_not_while_it_changes() {
    let mut runs = scripted();
    let found = Cell::new(0);
    let find = |schedulers: &[&dyn Scheduler], _, _, _: &mut Seen| {
        found.set(found.get() + 1);
        Ok(calibration(schedulers.len(), found.get()))
    };
    // Before, and after each search: what is seen, how often was searched, whose overheads count, and for what distance.
    for (script, hop, n_found, dispatch, of) in [
        (&[60, 280, 60][..], 60, 2, 2, None), // it changed all the time: the last count for this block
        (&[60, 280, 270], 270, 4, 4, Some(280)), // it changed once: only the second count
        (&[290], 290, 4, 4, Some(280)),
        (&[60, 66], 66, 5, 5, Some(60)),
        (&[250], 250, 5, 4, Some(280)),
        (&[700, 60], 60, 6, 5, Some(60)), // it changed back to what is known
    ] {
        SCRIPT.set(script.to_vec());
        assert_eq!(runs.calibrate(SIZES[0], 1, find).unwrap(), hop, "{script:?}");
        let Calibration { hop_ns, overheads, .. } = runs.calibration();
        let found = (found.get(), overheads[0].dispatch, *hop_ns);
        assert_eq!(found, (n_found, dispatch, of), "{script:?}");
    }
    assert_eq!(runs.of_size(SIZES[0]).count(), 2);
    // The distance comes before what settled, and what settled before the nearest.
    let of = |hop_ns, dispatch, settled_permille| {
        let hop_ns = Some(hop_ns);
        let calibration = calibration(SCHEDULERS.len(), dispatch);
        known(Calibration { hop_ns, settled_permille, ..calibration })
    };
    runs.known = vec![of(60, 1, 1000), of(280, 2, 100), of(300, 3, 600), of(70, 4, 499)];
    runs.known.extend([runs.known[3].clone(), runs.known[3].clone()]);
    for (seen, dispatch) in [(285, 3), (70, 1), (110, 1), (281, 3)] {
        SCRIPT.set(vec![seen]);
        runs.calibrate(SIZES[0], 1, find).unwrap();
        assert_eq!(runs.calibration().overheads[0].dispatch, dispatch, "{seen}");
    }
    runs.known.retain(|known| known.calibration.hop_ns != Some(300));
    runs.known.push(runs.known[3].clone());
    SCRIPT.set(vec![285]);
    runs.calibrate(SIZES[0], 1, find).unwrap();
    assert_eq!(runs.calibration().overheads[0].dispatch, 2);
}

#[test]
fn overheads_are_found_as_often_as_a_block_is_timed_of_all_that_was_seen() {
    let mut runs = scripted();
    let find = |schedulers: &[&dyn Scheduler], _, _, seen: &mut Seen| {
        seen.insert(seen.len().to_string(), BlockTimes::default());
        Ok(calibration(schedulers.len(), seen.len() as u64))
    };
    // Before, and after each search: for which time, of how many searches, and for what distance.
    for (script, n_searches, n_seen, of) in [
        (&[60, 60][..], 1, 1, Some(60)),
        (&[60], 1, 1, Some(60)),
        (&[66, 66], 2, 2, Some(60)), // it stays that of the first
        (&[66], 2, 2, Some(60)),
        (&[66, 280, 66], 3, 2, Some(60)), // what changes in between does not count
        (&[66, 66], 3, 3, Some(60)),
        (&[280, 280, 280], 2, 2, Some(280)), // nothing was seen there
    ] {
        SCRIPT.set(script.to_vec());
        runs.calibrate(SIZES[0], n_searches, find).unwrap();
        let Calibration { hop_ns, overheads, .. } = runs.calibration();
        assert_eq!((overheads[0].dispatch, *hop_ns), (n_seen, of), "{script:?}");
        assert!(SCRIPT.with_borrow(Vec::is_empty), "{script:?}");
    }
}

#[test]
fn a_block_that_is_timed_again_has_the_rows_of_all_times() {
    let how = Measure { n_rounds: 2, limit: Some(Duration::ZERO), ..HOW };
    let mut runs = RealRuns { how, ..scripted() };
    runs.known = vec![known(Calibration { hop_ns: Some(60), ..calibration(SCHEDULERS.len(), 0) })];
    runs.known[0].n_searches = 99;
    let input = "amm:txs=40".parse::<Pattern>().unwrap().generate().unwrap();
    let mut timed = Timed::default();
    SCRIPT.set(vec![60, 60, 61, 61, 60, 280, 60, 60, 280, 280, 62, 62, 270, 270]);
    runs.time(&input, &mut timed).unwrap();
    // There are two rounds at least, and one each time; none counts later while the distance changes, nor those at another.
    for (n_rounds, hop_ns) in
        [(3, Some(61)), (4, None), (4, Some(60)), (2, Some(280)), (5, Some(62)), (3, Some(270))]
    {
        for row in runs.input_timed(&input, &mut timed).unwrap() {
            assert_eq!((row.rounds, row.hop_ns, row.root_equal), (Some(n_rounds), hop_ns, true));
        }
    }
}

#[test]
fn a_block_during_which_the_distance_changes_is_measured_again() {
    let mut runs = scripted();
    for hop_ns in [60, 280] {
        let hop_ns = Some(hop_ns);
        runs.known.push(known(Calibration { hop_ns, ..calibration(SCHEDULERS.len(), 0) }));
    }
    // Before and after each try: how often it was measured, and what the rows say.
    for (script, n_runs, hop_ns) in [
        (&[60, 70][..], 1, Some(60)),
        (&[60, 280, 280, 290], 2, Some(280)),
        (&[60, 280, 280, 60], 2, None),
    ] {
        SCRIPT.set(script.to_vec());
        let n = Cell::new(0);
        let measure = |_: &RealRuns<'_>, _: &mut TimedAt| {
            n.set(n.get() + 1);
            Ok(())
        };
        let ((), found) = runs.measured(1, &mut Timed::default(), measure).unwrap();
        assert_eq!(found, hop_ns, "{script:?}");
        assert_eq!(n.get(), n_runs, "{script:?}");
    }
}

#[test]
fn with_a_limit_little_is_measured_again() {
    let how = Measure { n_rounds: 4, limit: Some(Duration::ZERO), ..HOW };
    let mut runs = RealRuns { how, ..scripted() };
    let found = Cell::new(0);
    let find = |schedulers: &[&dyn Scheduler], _, _, _: &mut Seen| {
        found.set(found.get() + 1);
        Ok(calibration(schedulers.len(), 0))
    };
    // Before, and after each search: how often was searched.
    for (script, n_found) in [(&[60, 60][..], 1), (&[110], 1), (&[130, 130], 2)] {
        SCRIPT.set(script.to_vec());
        runs.calibrate(SIZES[0], 1, find).unwrap();
        assert_eq!(found.get(), n_found, "{script:?}");
    }
    // What never settles is not looked for before each block.
    let mut restless = RealRuns { how, ..scripted() };
    for (script, n_found) in [(&[60, 280, 60][..], 4), (&[280], 4)] {
        SCRIPT.set(script.to_vec());
        restless.calibrate(SIZES[0], 1, find).unwrap();
        assert_eq!((found.get(), restless.calibration().hop_ns), (n_found, None), "{script:?}");
    }
    SCRIPT.set(vec![60, 280]);
    let input = Input::new("one".to_owned(), vec![InputTx::default()]);
    for row in runs.input(&input).unwrap() {
        assert_eq!((row.rounds, row.hop_ns), (Some(how.n_rounds), None));
    }
}

#[test]
fn every_plan_of_calls_gives_what_the_oracle_gives() {
    for pattern in ["token:accounts=60,zipf=1,txs=300", "token:accounts=50,hot=100,txs=200"] {
        let input = pattern.parse::<Pattern>().unwrap().generate().unwrap();
        check(once(&runs(), &input));
    }
    let calls = crate::SHAPES.iter().filter(|shape| shape.is_of_calls());
    for pattern in calls.map(|shape| format!("{}:txs=150", shape.name)) {
        let input = pattern.parse::<Pattern>().unwrap().generate().unwrap();
        check(once(&runs(), &input));
    }
}

#[test]
fn blocks_of_the_lab_run_as_wasm() {
    for pattern in ["amm:txs=120", "p2p:accounts=9,txs=90,trap=30,over=3", "oracle:txs=100"] {
        let input = pattern.parse::<Pattern>().unwrap().generate().unwrap();
        check(once(&runs(), &input));
    }
}

#[test]
fn the_longest_list_runs() {
    let accesses = (0..1023).map(|key| (key, AccessKind::Write, false)).collect();
    let txs = vec![InputTx { accesses, ..InputTx::default() }];
    check(once(&runs(), &Input::new("longest".to_owned(), txs)));
}

#[test]
fn a_block_that_is_hardly_there_is_timed_many_times() {
    let runs = runs();
    let n_times = |n_txs| {
        let input = Input::new("short".to_owned(), vec![InputTx::default(); n_txs]);
        let block = runs.world.block(&input).unwrap();
        let mut times = BlockTimes::default();
        Bench::new(String::new(), &runs.world.base, &block, &runs, &mut times).unwrap().n_times
    };
    assert!((2..=1000).contains(&n_times(1)), "{}", n_times(1));
    assert_eq!(n_times(5000), 1);
}

/// Puts all transactions into one batch, whatever they touch.
#[derive(Debug)]
struct AllAtOnce;

impl Scheduler for AllAtOnce {
    fn name(&self) -> &'static str {
        "all-at-once"
    }

    fn mode(&self) -> Mode {
        Mode::Free
    }

    fn plan(&self, block: &Block<'_>, _: usize) -> Plan {
        let all: Vec<u32> = block.txs().collect();
        Plan::batches(Schedule::new([all], &[]).unwrap())
    }
}

#[test]
fn an_illegal_plan_is_named_with_its_key() {
    let tx = InputTx { accesses: vec![(7, AccessKind::Write, false)], ..InputTx::default() };
    let input = Input::new("same".to_owned(), vec![tx.clone(), tx]);
    let schedulers: [&dyn Scheduler; 1] = [&AllAtOnce];
    let runs = RealRuns { slowness: |_| 1000, ..RealRuns::new(&schedulers, HOW).unwrap() };
    let error = runs.rows_once(&input, &mut TimedAt::default()).unwrap_err().to_string();
    assert!(error.starts_with("all-at-once on same: tx=0 and tx=1 "), "{error}");
    assert!(error.contains("(key ") && error.ends_with("])"), "{error}");
}

#[test]
fn a_list_that_is_too_long_is_named() {
    let accesses = (0..1024).map(|key| (key, AccessKind::Read, false)).collect();
    let txs = vec![InputTx::default(), InputTx { accesses, ..InputTx::default() }];
    // Before overheads are looked for: the distance is not asked for.
    SCRIPT.set(Vec::new());
    let error = scripted().input(&Input::new("long".to_owned(), txs));
    assert_eq!(
        error.unwrap_err().to_string(),
        "transaction 1 of long touches 1024 keys, and a list names at most 1023"
    );
}
