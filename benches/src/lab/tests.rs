//! Rows, the check that must be able to fail, the comparison, and the page.

use kempe_runtime::scheduler::{SCHEDULERS, by_name};

use super::plots::Line;
use super::*;
use crate::Pattern;
use crate::simulate;

fn input(text: &str) -> Input {
    text.parse::<Pattern>().unwrap().generate().unwrap()
}

fn report(texts: &[&str]) -> LabReport {
    let inputs: Vec<Input> = texts.iter().map(|text| input(text)).collect();
    let mut results = Vec::new();
    for input in &inputs {
        for scheduler in SCHEDULERS {
            results.extend(simulate_rows(scheduler, input, &[1, 2, 8]).unwrap());
        }
    }
    LabReport {
        version: REPORT_VERSION,
        machine: Machine::here(None),
        method: vec!["a <test>".to_owned()],
        repeats: 1,
        results,
        overheads: Vec::new(),
        build_times: vec![build_time(10, 5.0), build_time(99, 6.0)],
        ladder: inputs.iter().flat_map(ladder).collect(),
    }
}

fn build_time(txs: usize, ns_per_tx: f64) -> BuildTime {
    BuildTime {
        scheduler: "graph".into(),
        workload: "w".into(),
        txs,
        ns_per_tx,
        ns_per_tx_max: Some(2.0 * ns_per_tx),
    }
}

#[test]
fn every_simulated_run_gives_the_result_of_its_order() {
    let report = report(&["p2p:accounts=30,txs=300,heavy=5", "counters:txs=200", "oracle:txs=200"]);
    for row in &report.results {
        assert!(row.root_equal, "{row:?}");
        assert!(row.bound_ratio >= 0.9999, "{row:?}");
        assert!(row.speedup <= 1.0001 * f64::from(u32::try_from(row.workers).unwrap()), "{row:?}");
    }
    let json = serde_json::to_string(&report).unwrap();
    let again: LabReport = serde_json::from_str(&json).unwrap();
    assert_eq!(again.results, report.results);
    let page = html(&report, Some(&input("p2p:accounts=30,txs=60"))).unwrap();
    assert!(page.contains("a &lt;test&gt;") && page.matches("<svg").count() >= 9);
    assert!(!page.contains("http://") || !page.contains("src="), "nothing from elsewhere");
}

/// The report with a measured run for each simulated one on two workers.
fn measured(texts: &[&str]) -> LabReport {
    let mut report = report(texts);
    let rows = report.results.iter().filter(|row| row.workers == 2).cloned();
    let rows = rows.map(|row| Row {
        simulated: false,
        speedup: 1.5,
        spread: 0.05,
        rounds: Some(5),
        speedup_min: Some(1.25),
        speedup_max: Some(1.75),
        predicted_ns: Some(row.makespan_ns),
        ..row
    });
    let rows: Vec<Row> = rows.collect();
    report.results.extend(rows);
    report
}

#[test]
fn figures_that_were_measured_show_their_spread_and_all_say_where_they_are_from() {
    let report = measured(&["p2p:accounts=30,txs=50", "nft:txs=40"]);
    let page = html(&report, None).unwrap();
    assert!(page.contains("<td>1.50</td><td>1.25–1.75</td><td>5.0 %</td>"), "{page}");
    assert!(page.contains("<td>1.50 (1.25–1.75)"), "{page}");
    let run =
        "<tr><td>nft:txs=40</td><td>graph</td><td>2</td><td>1.50</td><td>1.25–1.75</td><td>5</td>";
    assert!(page.contains(run), "{page}");
    let machine = format!("({} threads at once)", report.machine.cores);
    let captions: Vec<&str> = page.split("<figcaption>").skip(1).collect();
    assert!(captions.len() >= 6);
    for caption in captions {
        let caption = caption.split("</figcaption>").next().unwrap();
        assert!(caption.contains(&machine) && caption.contains("at commit unknown"), "{caption}");
        let spread = ["no spread", "its fastest", "the least of three"];
        assert!(spread.iter().any(|words| caption.contains(words)), "{caption}");
    }
    // The line of a bar's repeats is drawn from end to end of them.
    let at = |range| plots::spreads(&[("a".to_owned(), 1.5, range)], "").unwrap();
    assert_ne!(at([1.25, 1.75]), at([1.25, 1.5]));
    assert_ne!(at([1.25, 1.75]), at([1.0, 1.75]));
    let mut line = Line { points: vec![(1.0, 2.0), (2.0, 3.0)], ..Line::default() };
    let axes = plots::lines::Axes { x: "", y: "", log_y: true };
    let before = plots::lines(std::slice::from_ref(&line), &axes).unwrap();
    line.whiskers = vec![(2.0, [2.5, 3.0])];
    assert_ne!(plots::lines(&[line], &axes).unwrap(), before);
}

#[test]
fn plots_are_drawn_for_the_workers_and_schedulers_that_there_are() {
    let mut report = report(&["p2p:accounts=30,txs=50", "p2p:txs=50", "p2p:txs=50,trap=5"]);
    let titles = ["Makespan over lower bound", "Latency", "Throughput against contention"];
    let page = |report: &LabReport| html(report, None).unwrap();
    assert!(
        titles.iter().all(|title| page(&report).contains(&format!("<h2>{title}</h2><figure>")))
    );
    assert_eq!(report.schedulers_shown(), SHOWN);
    // Eight, or the next; the most there are, where all are fewer.
    assert_eq!(report.workers_shown(), Some(8));
    report.results.retain(|row| row.workers < 8);
    assert_eq!(report.workers_shown(), Some(2));
    let found = page(&report);
    for title in titles {
        assert!(found.contains(&format!("<h2>{title}</h2><figure>")), "{title}: {found}");
    }
    assert!(found.contains("The blocks p2p:txs=50 with so many accounts, 2 workers."), "{found}");
    // What plots show by choice is nothing that they leave out.
    report.results.retain(|row| row.scheduler == "dsatur" || row.scheduler == "graph");
    assert_eq!(report.schedulers_shown(), ["graph", "dsatur"]);
    // What cannot be drawn says why.
    report.results.retain(|row| row.workload == "p2p:txs=50");
    report.build_times.clear();
    let found = page(&report);
    for why in [
        "no two blocks of p2p differ in the number of accounts alone",
        "no scheduler of the run was given large blocks",
        "no block ran for real",
    ] {
        assert!(found.contains(&format!("Not drawn: {why}.")), "{why}: {found}");
    }
    report.results.clear();
    assert_eq!(report.workers_shown(), None);
    page(&report);
}

#[test]
fn a_page_shows_what_was_run_and_says_on_how_many_workers() {
    let mut report = report(&["p2p:accounts=9,txs=50"]);
    let block = input("p2p:accounts=100,txs=60,trap=30,over=3");
    let page = |report: &LabReport| html(report, Some(&block)).unwrap();
    let drawn = |page: &str| -> Vec<String> {
        let titles = page.split("<h2>").skip(1).filter_map(|rest| rest.split_once("</h2>"));
        let ends = titles.filter_map(|(title, _)| title.strip_suffix(", worker by worker"));
        ends.map(|title| title.split_once(" on ").unwrap().0.to_owned()).collect()
    };
    let found = page(&report);
    assert_eq!(drawn(&found), ["color", "heaviest-first-graph", "versions", "block-stm"]);
    // The picture is the run of the row: executions of those that only declare what others write are none.
    let stm = by_name("block-stm").unwrap();
    let rows = simulate_rows(stm, &block, &[8]).unwrap();
    let (run, is_equal) = simulated(&stm.plan(&block.block(), 8), &block, 8);
    assert!(is_equal && run.makespan == rows[0].makespan_ns);
    let declared = simulate(&stm.plan(&block.block(), 8), &block.block(), 8, Overheads::default());
    assert_ne!(declared.makespan, run.makespan);
    let (svg, _) = plots::gantt(&run.spans, 8).unwrap();
    assert!(found.contains(&svg));
    // The same column as on the terminal; and no word of a band that is not drawn.
    assert!(found.contains("<th>runs/tx at P=8<"), "{found}");
    assert!(!found.contains("Dotted: where"));
    let rows = report.results.iter_mut().filter(|row| row.workers < 8);
    rows.for_each(|row| row.executions_per_tx = 77.0);
    assert!(!page(&report).contains("<td>77.00"));
    report.results.iter_mut().for_each(|row| row.speedup_with_overheads = Some(0.9));
    assert!(page(&report).contains("Dotted: where"));
    // Who planned in the place of another.
    assert!(!page(&report).contains(" is color on "));
    let dsatur = report.results.iter_mut().filter(|row| row.scheduler == "dsatur");
    dsatur.for_each(|row| row.stand_in = Some("color".to_owned()));
    let sentence = "dsatur is color on 1 block that is too large for it.";
    assert_eq!(page(&report).matches(sentence).count(), 2, "below the box plot and the table");
    report.results.retain(|row| ["graph", "layers", "values"].contains(&&*row.scheduler));
    report.results.retain(|row| row.workers == 1);
    let found = page(&report);
    assert_eq!(drawn(&found), ["layers", "graph", "values"]);
    assert!(found.contains("<p>Kempe ") && found.contains("\n1 repeat at least.</p>"), "{found}");
    assert!(found.contains(">1 worker. Each bar"), "{found}");
}

#[test]
fn a_plot_of_some_schedulers_says_of_how_many() {
    let mut report = report(&["p2p:accounts=30,txs=50", "p2p:txs=50"]);
    let block = input("p2p:accounts=100,txs=60");
    let caption = |page: &str, title: &str| -> String {
        let figure = page.split_once(&format!("<h2>{title}")).unwrap().1;
        figure.split("</figcaption>").next().unwrap().to_owned()
    };
    let page = html(&report, Some(&block)).unwrap();
    for (title, n_drawn) in [
        ("Speedup against workers", 8),
        ("Throughput against contention", 8),
        ("Makespan over lower bound", SCHEDULERS.len() - 1),
        ("color on ", 4),
        ("What planning costs: w", 1),
    ] {
        let caption = caption(&page, title);
        let sentence = format!(" Of {} schedulers {n_drawn} ", SCHEDULERS.len());
        assert_eq!(caption.matches(&sentence).count(), 1, "{title}: {caption}");
    }
    let of_some = "The tables at the end have all.";
    assert!(page.contains(of_some) && !caption(&page, "Latency").contains(of_some));
    report.results.retain(|row| row.scheduler == "graph");
    let page = html(&report, Some(&block)).unwrap();
    assert!(page.contains("<h2>graph on ") && !page.contains(of_some), "{page}");
}

#[test]
fn guides_rise_as_the_transactions_and_as_their_square() {
    let line = |points: &[(f64, f64)]| Line { points: points.to_vec(), ..Line::default() };
    let drawn = [line(&[(10.0, 3.0), (1000.0, 500.0)]), line(&[(10.0, 2.0), (100.0, 9.0)])];
    let found: Vec<_> = html::guides(&drawn).into_iter().map(|guide| guide.points).collect();
    assert_eq!(found, [[(10.0, 2.0), (1000.0, 200.0)], [(10.0, 2.0), (1000.0, 20_000.0)]]);
    assert!(html::guides(&[]).is_empty());
}

#[test]
fn the_parts_of_a_plot_that_is_split_are_numbered() {
    let mut report = report(&["p2p:txs=20"]);
    let title = "<h2>What planning costs: w";
    assert!(html(&report, None).unwrap().contains(&format!("{title}</h2>")));
    for at in 0..8 {
        report.build_times.push(BuildTime { scheduler: format!("s{at}"), ..build_time(10, 5.0) });
    }
    let page = html(&report, None).unwrap();
    for part in ["(1 of 2)", "(2 of 2)"] {
        assert_eq!(page.matches(&format!("{title} {part}</h2>")).count(), 1, "{part}");
    }
}

#[test]
fn a_run_that_reads_too_early_is_found() {
    let input = input("chain:txs=20");
    let block = input.block();
    for name in ["graph", "color", "versions", "block-stm", "aria", "greedy"] {
        let plan = by_name(name).unwrap().plan(&block, 2);
        let mut run = simulate(&plan, &block, 2, Overheads::default());
        assert!(is_serializable(&plan, &block, Model::default(), &run), "{name}");
        // The last to end starts as if it had waited for nobody, and ends with the first.
        let last = run.spans.iter().position(|span| span.counted && span.end == run.makespan);
        let span = &mut run.spans[last.unwrap()];
        (span.start, span.end) = (0, 1);
        assert!(!is_serializable(&plan, &block, Model::default(), &run), "{name}");
        run.spans.pop();
        assert!(!is_serializable(&plan, &block, Model::default(), &run), "{name}: one is lost");
    }
}

#[test]
fn a_comparison_says_what_changed_beyond_the_noise() {
    let before = report(&["p2p:accounts=30,txs=100"]);
    assert_eq!(compare(&before, &before).changes, []);
    let mut after = before.clone();
    after.results[3].speedup *= 0.5;
    after.results[4].root_equal = false;
    after.results[5].simulated = false;
    let comparison = compare(&before, &after);
    let [change] = &comparison.changes[..] else { panic!("{comparison:?}") };
    assert_eq!(change.figure, "speedup");
    assert!((change.change + 0.5).abs() < 0.01, "{change:?}");
    assert_eq!((comparison.broken.len(), comparison.n_gone, comparison.n_new), (1, 1, 1));
    assert_eq!((comparison.n_compared, comparison.n_apart), (before.results.len() - 1, 0));
}

#[test]
fn every_figure_is_compared_and_not_only_speed() {
    let before = report(&["p2p:accounts=30,txs=100"]);
    let mut after = before.clone();
    after.results[0].executions_per_tx *= 3.0;
    after.results[1].makespan_ns *= 10;
    after.results[2].bound_ratio *= 1.1;
    after.results[3].plan_ns_per_tx = before.results[3].plan_ns_per_tx.map(|ns| ns * 100.0 + 1.0);
    after.build_times[1].ns_per_tx = 7.0;
    after.build_times[0].ns_per_tx = 500.0;
    after.machine.cores += 1;
    let comparison = compare(&before, &after);
    let mut found: Vec<_> = comparison.changes.iter().map(|change| change.figure).collect();
    assert_ne!(found[0], "bound_ratio", "the greatest loss first: {comparison:?}");
    found.sort_unstable();
    let all =
        ["bound_ratio", "build_ns_per_tx", "executions_per_tx", "makespan_ns", "plan_ns_per_tx"];
    assert_eq!(found, all);
    assert!(comparison.machines.is_some());
}

#[test]
fn changes_from_and_to_nothing_are_said() {
    let mut before = report(&["p2p:accounts=30,txs=100"]);
    let find = |report: &LabReport, name: &str| {
        report.results.iter().position(|row| row.scheduler == name && row.workers == 8).unwrap()
    };
    let (graph, color) = (find(&before, "graph"), find(&before, "color"));
    before.results[graph].idle = None;
    let mut after = before.clone();
    after.results[graph].idle = Some(0.5);
    assert_eq!(before.results[graph].overtakes_per_tx, Some(0.0));
    after.results[graph].overtakes_per_tx = Some(58.2);
    after.results[color].idle_at_barriers = Some(0.0);
    after.results[color].speedup = 0.0;
    let idled = -before.results[color].idle_at_barriers.unwrap();
    let Comparison { changes, .. } = compare(&before, &after);
    let found: Vec<(&str, f64)> =
        changes.iter().map(|found| (found.figure, found.change)).collect();
    let expected = [
        ("overtakes_per_tx", f64::INFINITY),
        ("speedup", -1.0),
        ("idle", 0.5),
        ("idle_at_barriers", idled),
    ];
    assert_eq!(found, expected);
    assert!(serde_json::to_string(&changes).unwrap().contains("\"change\":null"));
}

#[test]
fn what_is_wrong_is_said_whatever_was_before_and_so_is_who_came_and_went() {
    let mut before = report(&["p2p:accounts=30,txs=100"]);
    before.results.retain(|row| row.scheduler != "layers");
    before.results[0].root_equal = false;
    let mut after = report(&["p2p:accounts=30,txs=100"]);
    after.results.retain(|row| row.scheduler != "graph");
    let layers = after.results.iter().position(|row| row.scheduler == "layers").unwrap();
    after.results[layers].root_equal = false;
    let first = before.results[0].clone();
    let same = |row: &&mut Row| (&row.scheduler, row.workers) == (&first.scheduler, first.workers);
    after.results.iter_mut().find(same).unwrap().root_equal = false;
    let Comparison { broken, only: [gone, new], n_gone, n_new, .. } = compare(&before, &after);
    assert_eq!(broken.len(), 2, "{broken:?}");
    assert_eq!(gone.into_iter().collect::<Vec<_>>(), ["graph on p2p:accounts=30,txs=100"]);
    assert_eq!(new.into_iter().collect::<Vec<_>>(), ["layers on p2p:accounts=30,txs=100"]);
    assert!(n_gone > 1 && n_new == n_gone, "one for each number of workers");
}

#[test]
fn runs_on_threads_that_were_farther_apart_are_not_compared() {
    let mut before = report(&["p2p:accounts=30,txs=100"]);
    before.results.iter_mut().for_each(|row| row.hop_ns = Some(60));
    let mut after = before.clone();
    after.results.iter_mut().for_each(|row| row.speedup *= 0.5);
    after.results[0].hop_ns = Some(240);
    after.results[1].hop_ns = Some(70);
    let Comparison { n_compared, n_apart, changes, .. } = compare(&before, &after);
    assert_eq!((n_compared, n_apart, changes.len()), (n_compared, 1, n_compared));
    assert_eq!(n_compared, before.results.len() - 1);
}

#[test]
fn runs_that_did_not_settle_are_not_compared() {
    let mut before = measured(&["p2p:accounts=30,txs=100"]);
    let rows = before.results.iter_mut().filter(|row| !row.simulated);
    rows.for_each(|row| row.settled = Some(true));
    let first = before.results.iter().position(|row| !row.simulated).unwrap();
    let mut after = before.clone();
    after.results.iter_mut().for_each(|row| row.speedup *= 0.5);
    after.results[first].settled = Some(false);
    before.results[first + 1].settled = Some(false);
    let Comparison { n_compared, n_unsettled, changes, .. } = compare(&before, &after);
    let n_changes = changes.iter().filter(|change| change.figure == "speedup").count();
    assert_eq!((n_unsettled, n_compared), (2, before.results.len() - 2));
    assert_eq!(n_changes, n_compared);
}

#[test]
fn overtakes_are_counted() {
    assert_eq!(overtakes(&[0, 1, 2]), 0);
    assert_eq!(overtakes(&[2, 1, 0]), 3);
    assert_eq!(overtakes(&[1, 0, 2]), 1);
}

#[test]
fn each_rung_of_the_ladder_permits_more() {
    for text in ["oracle:txs=500,writes=5", "counters:txs=500", "readers:txs=500", "p2p:txs=500"] {
        let rungs = ladder(&input(text));
        assert_eq!(rungs.len(), 5);
        for pair in rungs.windows(2) {
            assert!(pair[0].parallelism <= pair[1].parallelism, "{text}: {pair:?}");
        }
    }
}

/// Who does not know the lists does not wait for what is only declared, nor run again for it, nor for who failed.
#[test]
fn an_optimistic_run_is_the_same_however_much_is_declared() {
    let run = |text: &str| {
        let rows = simulate_rows(by_name("block-stm").unwrap(), &input(text), &[8]).unwrap();
        (rows[0].makespan_ns, rows[0].executions_per_tx, rows[0].root_equal)
    };
    let plain = run("p2p:accounts=100,txs=500");
    assert!(plain.1 > 1.0 && plain.2, "{plain:?}");
    assert_eq!(run("p2p:accounts=100,txs=500,over=10"), plain);
    let failed = run("p2p:accounts=2,txs=500,trap=100");
    assert_eq!((failed.1, failed.2), (1.0, true), "nobody has written anything");
}

#[test]
fn what_was_disturbed_is_counted() {
    let mut report = report(&["p2p:txs=20", "chain:txs=20"]);
    assert!(report.disturbed().is_empty());
    let of_graph = report.results.iter_mut().filter(|row| row.scheduler == "graph");
    let of_chain = of_graph.filter(|row| row.workload.starts_with("chain"));
    of_chain.for_each(|row| {
        (row.simulated, row.settled, row.hop_ns, row.predicted_ns) =
            (false, Some(true), None, Some(1));
    });
    let moved = report.disturbed();
    assert_eq!(moved.len(), 1);
    assert!(moved[0].starts_with("While 1 block ran the processors moved"), "{moved:?}");
    let of_graph = report.results.iter_mut().filter(|row| row.scheduler == "graph");
    let of_p2p = of_graph.filter(|row| row.workload.starts_with("p2p"));
    of_p2p.for_each(|row| {
        (row.simulated, row.settled, row.hop_ns) = (false, Some(false), Some(60));
        row.predicted_ns = Some(2 * row.makespan_ns);
    });
    let both = report.disturbed();
    let n = report.results.iter().filter(|row| row.settled == Some(false)).count();
    assert!(both[0].starts_with(&format!("{n} of {} measured runs did not", 2 * n)), "{both:?}");
    assert_eq!(both[1..], moved);
    assert!(html(&report, None).unwrap().contains(&both.join(" ")));
    // The error of what settled is told from that of all, if it is half of all.
    let all = Prediction::all(&report).swap_remove(0);
    assert_eq!((all.runs, all.settled, all.p95), (2 * n, n, 1.0));
    assert!(all.p95_settled.is_some_and(|error| error > 0.9 && error < 1.0), "{all:?}");
    let of_chain = report.results.iter_mut().find(|row| row.settled == Some(true)).unwrap();
    of_chain.overheads_settled = Some(false);
    let all = Prediction::all(&report).swap_remove(0);
    assert_eq!((all.settled, all.p95_settled), (n, None), "its prediction counts no more, it does");
    assert!(report.disturbed()[1].starts_with("1 prediction took overheads"));
}
