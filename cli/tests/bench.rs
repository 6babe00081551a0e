//! `kempe bench` as a process: its files, and what it refuses.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// What it printed, what it complained about, and how it ended.
fn kempe(dir: &Path, args: &[&str]) -> (String, String, i32) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kempe"));
    let output = command.args(args).current_dir(dir).env("KEMPE_HOME", dir).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

/// A bench of one block by schedulers whose planning is not measured on large ones.
fn bench(dir: &Path, more: &[&str]) -> (String, String, i32) {
    let args = ["bench", "--schedulers", "greedy,color-graph,block-stm", "--workers", "1,3"];
    let args = [&args[..], &["--settle", "0"]].concat();
    kempe(dir, &[&args[..], more].concat())
}

#[test]
fn a_bench_writes_what_scripts_read() {
    let dir = TempDir::new().unwrap();
    let files = ["--out", "a.json", "--csv", "a.csv", "--html", "a.html"];
    let block = ["--workload", "p2p:accounts=20,txs=150,trap=10", "--threads", "2"];
    let (text, errors, code) = bench(dir.path(), &[&files[..], &block[..]].concat());
    assert_eq!(code, 0, "{errors}");
    assert!(text.contains("Every plan is legal"), "{text}");
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    let report: Value = serde_json::from_str(&read("a.json")).unwrap();
    let rows = report["results"].as_array().unwrap();
    let keys = ["scheduler", "workload", "workers", "simulated", "speedup", "bound_ratio"];
    for row in rows {
        assert!(keys.iter().all(|key| !row[key].is_null()), "{row}");
        assert_eq!(row["root_equal"], true, "{row}");
        let (bound, speedup) = (row["bound_ratio"].as_f64(), row["speedup"].as_f64());
        assert!(speedup > Some(0.0), "{row}");
        // Nothing that is exact beats what nothing can beat.
        assert!(row["simulated"] == false || bound >= Some(1.0), "{row}");
        assert_eq!(row["simulated"] == false, row["predicted_ns"].is_u64(), "{row}");
        // What was measured has a spread.
        let [least, most] = ["speedup_min", "speedup_max"].map(|key| row[key].as_f64());
        assert_eq!(row["simulated"] == true, least.is_none(), "{row}");
        assert!(least.is_none() || least <= speedup && speedup <= most, "{row}");
        // The second time adds one round, if threads are as far apart as the first time.
        let rounds = row["rounds"].as_u64();
        assert!(rounds == least.map(|_| 3) || rounds == least.map(|_| 4), "{row}");
        assert_eq!(row["settled"].is_boolean(), row["simulated"] == false, "{row}");
    }
    // Every prediction can be traced to what it took.
    for row in rows.iter().filter(|row| row["simulated"] == false) {
        let own = report["overheads"].as_array().unwrap().iter().filter(|found| {
            found["scheduler"] == row["scheduler"] && found["workload"] == row["workload"]
        });
        let own: Vec<&Value> = own.collect();
        assert!(own.len() == 1 && own[0]["block_txs"] == 1000, "{row}: {own:?}");
        assert!(own[0]["dispatch_ns"].is_u64() && own[0]["barrier_ns"].is_u64(), "{own:?}");
    }
    let count = |simulated: bool| rows.iter().filter(|row| row["simulated"] == simulated).count();
    assert_eq!(count(true), 3 * 2);
    assert_eq!(count(false), 3, "each scheduler");
    let csv = read("a.csv");
    assert_eq!(csv.lines().count(), rows.len() + 1);
    assert!(
        csv.lines()
            .next()
            .unwrap()
            .contains(",rounds,settled,overheads_settled,speedup_min,speedup_max,"),
        "{csv}"
    );
    let page = read("a.html");
    assert!(page.contains("<svg") && page.contains("Real runs"), "{page}");
    // Although there are fewer than eight workers.
    assert!(page.contains("<h2>Makespan over lower bound</h2><figure>"), "{page}");
    // What it names from elsewhere would have to be loaded; the name of SVG's language is none.
    let links = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!links.contains("http") && !links.contains("src="), "the page needs nothing else");
}

#[test]
fn blocks_are_measured_as_often_as_asked_for() {
    let dir = TempDir::new().unwrap();
    for times in [1u64, 4] {
        let times_text = times.to_string();
        let block = ["--workload", "p2p:accounts=20,txs=50", "--threads", "1", "--json"];
        let (text, errors, code) =
            bench(dir.path(), &[&block[..], &["--times", &times_text]].concat());
        assert_eq!(code, 0, "{errors}");
        let report: Value = serde_json::from_str(&text).unwrap();
        let rows = report["results"].as_array().unwrap().iter();
        let rounds: Vec<u64> = rows.filter_map(|row| row["rounds"].as_u64()).collect();
        // Three the first time and one each other time, if threads are as far apart as the times before.
        assert!(rounds.len() == 3, "{text}");
        assert!(rounds.iter().all(|n| (3..3 + times).contains(n)), "{times}: {rounds:?}");
        let said = format!("{times} time{} in all", if times == 1 { "" } else { "s" });
        assert!(report["method"].to_string().contains(&said), "{said}: {}", report["method"]);
    }
    for times in ["0", "1001", "two"] {
        let (_, errors, code) = bench(dir.path(), &["--times", times]);
        assert!(code == 2 && errors.contains("--times"), "{code} {errors}");
    }
}

#[test]
fn two_benches_are_compared() {
    let dir = TempDir::new().unwrap();
    let simulated = |out: &str, block: &str| {
        let (_, errors, code) =
            bench(dir.path(), &["--threads", "0", "--workload", block, "--out", out]);
        assert_eq!(code, 0, "{errors}");
    };
    simulated("a.json", "chain:txs=50");
    // The same run once more: of two, another process may take the time of a few microseconds in one.
    fs::copy(dir.path().join("a.json"), dir.path().join("b.json")).unwrap();
    let (text, _, code) = kempe(dir.path(), &["bench", "compare", "a.json", "b.json"]);
    assert_eq!(code, 0);
    assert!(
        text.starts_with("6 runs compared, 0 figures changed beyond the noise from "),
        "{text}"
    );
    // A result that became wrong ends it with an error.
    let wrong = fs::read_to_string(dir.path().join("b.json")).unwrap();
    let wrong = wrong.replacen("\"root_equal\": true", "\"root_equal\": false", 1);
    fs::write(dir.path().join("b.json"), wrong).unwrap();
    let (text, errors, code) = kempe(dir.path(), &["bench", "compare", "a.json", "b.json"]);
    assert!(code == 1 && text.contains("WRONG: "), "{code} {text} {errors}");
    assert!(errors.contains("a result of the second bench is wrong"), "{errors}");
    // What a file names is not written to the terminal as it is.
    let odd = fs::read_to_string(dir.path().join("a.json")).unwrap();
    let odd = odd.replacen("\"processor\": \"", "\"processor\": \"\\u001b[2J", 1);
    fs::write(dir.path().join("b.json"), odd.replace("\"speedup\": 1.0", "\"speedup\": 9.0"))
        .unwrap();
    let (text, _, code) = kempe(dir.path(), &["bench", "compare", "a.json", "b.json"]);
    assert!(code == 0 && text.contains("\\u{1b}[2J") && !text.contains('\u{1b}'), "{text}");
    fs::write(dir.path().join("b.json"), "{}").unwrap();
    let (_, errors, code) = kempe(dir.path(), &["bench", "compare", "a.json", "b.json"]);
    assert!(code == 1 && errors.contains("b.json is not what"), "{code} {errors}");
}

#[test]
fn bad_input_is_refused_by_name() {
    let dir = TempDir::new().unwrap();
    let deep = format!("{{\"reads\":{}", "[".repeat(200_000));
    let long = format!("{{\"reads\":[\"{}\"]}}", "k".repeat(3_000_000));
    for (text, expected) in [
        ("", "block.jsonl: the trace has no transactions"),
        ("{\"reads\":[1]}\nnonsense", "block.jsonl:2:"),
        ("{\"reads\":[1],\"color\":3}", "unknown field `color`"),
        (
            "{\"reads\":[18446744073709551616]}",
            "block.jsonl:1:31: a key is a text or a whole number from 0 to 18446744073709551615",
        ),
        ("[[1],[2],[],[],5,\"x\"]", "block.jsonl:1:1: a line is a JSON object"),
        ("{\"reads\":[1]}\n\n{\"reads\":[1]}", "block.jsonl:2: the line is empty"),
        (
            "{\"writes\":[1],\"cost\":18446744073709551615}",
            "take 18446744073709551615 ns, and may take",
        ),
        ("{\"cost\":5}", "no key in `reads`, `writes` or `adds`"),
        (&deep, "block.jsonl:1:"),
        (&long, "block.jsonl:1:"),
    ] {
        fs::write(dir.path().join("block.jsonl"), text).unwrap();
        let (stdout, errors, code) = bench(dir.path(), &["--trace", "block.jsonl"]);
        assert!(code == 1 && stdout.is_empty(), "{code} {stdout} {errors}");
        assert!(errors.contains(expected), "{expected} is not in {errors}");
    }
    for (args, expected) in [
        (["--workload", "p2p:accounts=1e99"], "accounts=\"1e99\" is not a whole number in"),
        (["--workload", "p2p:txs=1.7"], "txs=\"1.7\" is not a whole number in"),
        (["--workload", "nothing"], "there is no workload \"nothing\"; there are p2p"),
        (["--workload", "gigagas:raw=80,erc20=80"], "raw=80 and erc20=80 add up to 160"),
        (["--trace", "missing.jsonl"], "missing.jsonl"),
        (["--traces", "."], "no file whose name ends in .jsonl"),
    ] {
        fs::remove_file(dir.path().join("block.jsonl")).ok();
        let (_, errors, code) = bench(dir.path(), &args);
        // What is wrong with a pattern is wrong with how the program was called.
        let exit = if args[0] == "--workload" { 2 } else { 1 };
        assert!(code == exit && errors.contains(expected), "{code} {errors}");
    }
    // Before anything is measured, not after.
    for (out, expected) in
        [("nowhere/a.json", "its directory is missing"), (".", "it is a directory")]
    {
        let (_, errors, code) = kempe(dir.path(), &["bench", "full", "--out", out]);
        assert!(code == 2 && errors.contains(expected), "{code} {errors}");
    }
    for (csv, html) in [("a.x", "./a.x"), ("b.x", "b.x"), ("c.x", "d/../c.x")] {
        fs::create_dir_all(dir.path().join("d")).unwrap();
        let args = ["bench", "full", "--csv", csv, "--html", html];
        let (_, errors, code) = kempe(dir.path(), &args);
        let expected = format!("--csv and --html both name {html}");
        assert!(code == 2 && errors.contains(&expected), "{code} {errors}");
    }
    let twice = ["--workload", "chain:txs=9", "--workload", "chain:txs=9"];
    let (_, errors, code) = bench(dir.path(), &twice);
    assert!(
        code == 2 && errors.contains("the block chain:txs=9 is named twice"),
        "{code} {errors}"
    );
    let (_, errors, code) = kempe(dir.path(), &["bench", "--schedulers", "best"]);
    assert!(code == 2 && errors.contains("best"), "{errors}");
}

#[test]
fn the_smallest_blocks_run() {
    let dir = TempDir::new().unwrap();
    // One transaction; keys named twice, and in two kinds; the longest cost, which is not burned.
    let twice =
        "{\"reads\":[1,1,\"1\"],\"writes\":[1,2,2],\"adds\":[2]}\n{\"adds\":[2],\"from\":7}";
    let forever = "{\"writes\":[1],\"cost\":60000000000}\n{\"writes\":[1]}";
    for (text, threads) in [("{\"writes\":[\"a\"]}", "2"), (twice, "1"), (forever, "0")] {
        fs::write(dir.path().join("block.jsonl"), text).unwrap();
        let args = ["--trace", "block.jsonl", "--threads", threads];
        let (text, errors, code) = bench(dir.path(), &args);
        assert_eq!(code, 0, "{text} {errors}");
    }
}

/// A key may be called what a field of a recorded block is called.
#[test]
fn a_block_is_told_by_its_fields_not_by_its_keys() {
    let dir = TempDir::new().unwrap();
    let lines =
        "{\"reads\":[\"ns\"],\"writes\":[\"method\"]}\n{\"writes\":[\"tx\"],\"from\":\"ns\"}\n";
    fs::write(dir.path().join("block.jsonl"), lines).unwrap();
    let (text, errors, code) = bench(dir.path(), &["--trace", "block.jsonl", "--threads", "0"]);
    assert_eq!(code, 0, "{text} {errors}");
    let (text, errors, code) = kempe(dir.path(), &["schedule", "block.jsonl"]);
    assert_eq!(code, 0, "{text} {errors}");
}

#[test]
fn who_plans_in_the_place_of_another_is_named() {
    let dir = TempDir::new().unwrap();
    let args = "bench --workload p2p:accounts=2,txs=1000 --schedulers dsatur,color --threads 0 --out a.json";
    let args: Vec<&str> = args.split_whitespace().collect();
    let (text, errors, code) = kempe(dir.path(), &args);
    assert_eq!(code, 0, "{errors}");
    assert!(text.contains("dsatur is color on 1 block that is too large for it."), "{text}");
    let report = fs::read_to_string(dir.path().join("a.json")).unwrap();
    assert!(report.contains("\"stand_in\": \"color\""), "{report}");
}

#[test]
fn benches_without_a_common_run_are_not_compared() {
    let dir = TempDir::new().unwrap();
    for (block, out) in [("chain:txs=9", "a.json"), ("chain:txs=8", "b.json")] {
        let args = ["--threads", "0", "--workload", block, "--out", out];
        assert_eq!(bench(dir.path(), &args).2, 0);
    }
    let (_, errors, code) = kempe(dir.path(), &["bench", "compare", "a.json", "b.json"]);
    assert!(code != 0 && errors.contains("have no run in common"), "{errors}");
    let (_, errors, code) = bench(dir.path(), &["--threads", "64", "--workload", "chain:txs=9"]);
    let n_cores = std::thread::available_parallelism().unwrap().get();
    assert!(n_cores >= 64 || code == 2 && errors.contains("this machine has cores="), "{errors}");
}

#[test]
fn a_pipeline_is_measured_and_written_as_a_page() {
    let dir = TempDir::new().unwrap();
    let args = "--json bench pipeline --accounts 200 --blocks 3 --block-size 100 --threads 1,2 \
                --latency 50,0 --html p.html --path signed-durable,unsigned-durable,execute";
    let args: Vec<&str> = args.split_whitespace().collect();
    let (text, errors, code) = kempe(dir.path(), &args);
    assert_eq!(code, 0, "{errors}");
    let report: Value = serde_json::from_str(&text).unwrap();
    let rows = report["results"].as_array().unwrap();
    assert_eq!(rows.len(), 3 * 2);
    for row in rows {
        for key in ["path", "threads", "accounts", "contention", "tx_per_s", "cpu_ns_per_tx"] {
            assert!(!row[key].is_null(), "{key} of {row}");
        }
        assert_eq!((&row["root_equal"], &row["ok"]), (&true.into(), &300.into()), "{row}");
    }
    let page = fs::read_to_string(dir.path().join("p.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("signed-durable, 2 threads"), "{page}");
    // The chains that it made are gone.
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_pipeline_runs_every_mix_and_workload_in_a_directory_that_it_leaves_as_it_was() {
    let dir = TempDir::new().unwrap();
    let args = "--json bench pipeline --accounts 150,100 --contention high,hot --mix token,pool,counter \
                --blocks 1 --block-size 10 --threads 1,2 --path execute,sequential,unsigned-durable \
                --latency 11 --memory 1 --dir d";
    let args: Vec<&str> = args.split_whitespace().collect();
    let (text, errors, code) = kempe(dir.path(), &args);
    assert_eq!(code, 0, "{errors}");
    let report: Value = serde_json::from_str(&text).unwrap();
    let rows = report["results"].as_array().unwrap();
    // Each workload on both numbers of threads, and the sequential path on one.
    assert_eq!(rows.len(), 4 * (2 * 2 + 1));
    for (at, row) in rows.iter().enumerate() {
        assert_eq!((&row["ok"], &row["root_equal"]), (&10.into(), &true.into()), "{row}");
        assert_eq!((&row["mix"], &row["block_size"]), (&"token,pool,counter".into(), &10.into()));
        assert_eq!(row["memory_mib"], 1);
        assert_eq!(row["accounts"], if at < 10 { 150 } else { 100 });
        assert_eq!(row["contention"], if at % 10 < 5 { "high" } else { "hot" });
        assert_eq!(row["of_sequential"].is_f64(), row["path"] == "execute", "{row}");
        assert!(row["path"] != "sequential" || row["threads"] == 1, "{row}");
    }
    // Blocks of the size that is asked for, however few transactions there are elsewhere.
    let [latency] = &report["latency"].as_array().unwrap()[..] else { panic!("{report}") };
    for (key, value) in [("block_size", 11), ("n_blocks", 30), ("threads", 2), ("accounts", 150)] {
        assert_eq!(latency[key], value, "{latency}");
    }
    assert_eq!((&latency["contention"], &latency["mix"]), (&"high".into(), &rows[0]["mix"]));
    assert_eq!(fs::read_dir(dir.path().join("d")).unwrap().count(), 0);
    let args = "bench pipeline --accounts 100 --blocks 1 --block-size 1 --threads 1000 --path execute --latency 0";
    let (_, errors, code) = kempe(dir.path(), &args.split_whitespace().collect::<Vec<_>>());
    assert!(code == 0 && errors.contains("1000 threads take turns on "), "{code} {errors}");
}

#[test]
fn files_of_one_name_are_told_apart_and_a_block_that_cannot_run_is_said_on_the_terminal() {
    let dir = TempDir::new().unwrap();
    for name in ["a", "b"] {
        fs::create_dir(dir.path().join(name)).unwrap();
        fs::write(dir.path().join(name).join("x.jsonl"), "{\"writes\":[1]}\n").unwrap();
    }
    let keys: Vec<String> = (0..1100).map(|key| key.to_string()).collect();
    fs::write(dir.path().join("long.jsonl"), format!("{{\"reads\":[{}]}}\n", keys.join(",")))
        .unwrap();
    let traces = ["--trace", "a/x.jsonl", "--trace", "b/x.jsonl", "--trace", "long.jsonl"];
    let rest = ["--schedulers", "color", "--threads", "2", "--out", "out.json"];
    let (text, errors, code) = bench(dir.path(), &[&traces[..], &rest].concat());
    assert_eq!(code, 0, "{errors}");
    assert!(text.contains("Only simulated: transaction 0 of long touches 1100 keys"), "{text}");
    let report = fs::read_to_string(dir.path().join("out.json")).unwrap();
    assert!(report.contains("\"a/x.jsonl\"") && report.contains("\"b/x.jsonl\""));
}

#[test]
fn directories_are_read_to_the_bottom_and_odd_blocks_are_told() {
    let dir = TempDir::new().unwrap();
    fs::create_dir_all(dir.path().join("a/b/c.jsonl")).unwrap();
    std::os::unix::fs::symlink("..", dir.path().join("a/b/up")).unwrap();
    let plain = "{\"writes\":[1]}\n";
    let odd = r#"{"tx":0,"reads":[1,2],"writes":[1],"blind":[2],"gas":1,"ns":1}"#;
    for (name, text) in [
        ("top.jsonl", plain),
        ("a/b/deep.jsonl", odd),
        ("a/b/c.jsonl/x.jsonl", plain),
        ("a/no.txt", "x"),
        ("a/blank.jsonl", "\n"),
    ] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let args = ["--traces", ".", "--threads", "0", "--out", "out.json"];
    let (text, errors, code) = bench(dir.path(), &args);
    // A block may be empty.
    assert_eq!(code, 0, "{errors}");
    let empty = "a/blank.jsonl: the trace has no transactions: it is left out";
    assert_eq!(errors.matches(empty).count(), 1, "{errors}");
    assert!(text.contains("Left out: 1 file without transactions."), "{text}");
    let warning =
        "a/b/deep.jsonl: 1 of 1 transactions name keys in `blind` that are not in `writes`";
    assert_eq!(errors.matches(warning).count(), 1, "{errors}");
    let report = fs::read_to_string(dir.path().join("out.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let rows = report["results"].as_array().unwrap().iter();
    let blocks: BTreeSet<&str> = rows.map(|row| row["workload"].as_str().unwrap()).collect();
    assert!(blocks.is_superset(&["top", "deep", "x"].into()), "{blocks:?}");
    let (_, errors, code) = kempe(dir.path(), &["schedule", "a/b/deep.jsonl"]);
    assert!(code == 0 && errors.contains(warning), "{errors}");
}

#[test]
fn a_broken_file_of_a_directory_is_named_and_the_others_run() {
    let dir = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    fs::create_dir(dir.path().join("d")).unwrap();
    write("d/a.jsonl", "{\"writes\":[1]}\nnonsense\n");
    write("d/b.jsonl", "{\"writes\":[1]}\n");
    write("d/c.jsonl", "");
    std::os::unix::fs::symlink("nowhere", dir.path().join("d/e.jsonl")).unwrap();
    let args = ["--traces", "d", "--threads", "0", "--out", "out.json"];
    let (text, errors, code) = bench(dir.path(), &args);
    assert_eq!(code, 1, "{errors}");
    for file in ["d/a.jsonl:2:1: a line is a JSON object", "d/c.jsonl: ", "d/e.jsonl: cannot read"]
    {
        assert_eq!(errors.matches(&format!("warning: {file}")).count(), 1, "{file}: {errors}");
    }
    assert!(errors.contains("error: 2 traces cannot be read"), "{errors}");
    let left_out = "Left out: 2 files that cannot be read and 1 file without transactions.";
    assert!(text.contains(left_out), "{text}");
    let report = fs::read_to_string(dir.path().join("out.json")).unwrap();
    assert!(report.contains(left_out), "{report}");
    let report: Value = serde_json::from_str(&report).unwrap();
    let rows = report["results"].as_array().unwrap();
    assert!(rows.len() == 3 * 2 && rows.iter().all(|row| row["workload"] == "b"), "{rows:?}");
    // One that is named stops everything, and so does a directory of which nothing is left.
    let named = [&args[..], &["--trace", "d/a.jsonl"]].concat();
    fs::remove_file(dir.path().join("d/b.jsonl")).unwrap();
    for (args, expected) in [
        (&named[..], "error: d/a.jsonl:2:1: a line is a JSON object"),
        (&args[..], "error: d has no file whose name ends in .jsonl and that is a block"),
    ] {
        let (text, errors, code) = bench(dir.path(), args);
        assert!(code == 1 && text.is_empty() && errors.contains(expected), "{code} {errors}");
    }
}

#[test]
fn what_a_key_costs_is_what_its_transactions_take() {
    let dir = TempDir::new().unwrap();
    let many = "{\"writes\":[\"busy\"],\"cost\":100}\n".repeat(50);
    let few = "{\"writes\":[\"slow\"],\"cost\":1000000}\n".repeat(10);
    fs::write(dir.path().join("block.jsonl"), many + &few).unwrap();
    let (text, errors, code) = kempe(dir.path(), &["schedule", "block.jsonl", "--format", "json"]);
    assert_eq!(code, 0, "{errors}");
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["hottest"][0]["key"], "slow", "{report}");
    let change = report["best_change"].as_str().unwrap();
    assert!(change.starts_with("make slow an Add: "), "{change}");
}
