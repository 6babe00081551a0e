//! Files of calls, recorded blocks, and the demo.

use serde_json::{Value, json};

use super::{CALLS, Kempe, redacted};

#[test]
fn a_file_of_calls_runs_as_blocks() {
    let kempe = Kempe::with_token();
    kempe.write("calls.jsonl", CALLS);
    let summary = kempe.json("run calls.jsonl --scheduler layers --threads 1,2");
    for (key, expected) in [
        ("txs", json!(4)),
        ("blocks", json!(1)),
        ("batches", json!(2)),
        ("critical_path", json!(2)),
        ("ok", json!(3)),
        ("reverts", json!(1)),
        ("reverts_by_name", json!({ "InsufficientBalance (101)": 1 })),
        ("roots_equal", json!(true)),
        ("height", json!(3)),
    ] {
        assert_eq!(summary[key], expected, "{key}");
    }
    let rates = summary["tx_per_s"].as_object().unwrap();
    assert!(rates.keys().eq(["1", "2"]) && rates.values().all(|rate| rate.as_f64() > Some(0.0)));
    assert_eq!(kempe.ok("call token balance --of dave"), "7\n");
    assert_eq!(kempe.ok("call token balance --of erin"), "3\n");
    let explained = kempe.json("explain 3:2");
    assert_eq!(explained["waits_for"][0]["key"], "token.balances[carol]");
    assert_eq!(explained["waits_for"][0]["index"], 0);
    insta::assert_snapshot!("explain", redacted(&kempe.ok("explain 3:2")));

    let csv = "from,contract,method,to,amount,arg:from\nerin,token,transfer,bob,2,\n\
               alice,token,transfer_from,bob,0,bob\n";
    kempe.write("calls.csv", csv);
    let summary = kempe.json("run calls.csv --block-size 1 --threads 2 --no-oracle");
    assert_eq!((&summary["blocks"], &summary["ok"]), (&json!(2), &json!(2)), "{summary}");

    let report = kempe.json("replay");
    assert_eq!((&report["roots_equal"], &report["txs"]), (&json!(true), &json!(8)));
    assert_eq!(report["blocks"], 5);
    let report = kempe.json("replay --bisect");
    assert_eq!((&report["roots_equal"], report.get("bisection")), (&json!(true), None));
    assert_eq!(kempe.json("replay --bisect 3"), json!({ "height": 3, "bisection": null }));
    assert_eq!(kempe.ok("replay --bisect 5 --threads 2"), "block 5: both executions are equal\n");
    let error = kempe.fails(2, "replay --bisect 6");
    assert!(
        error.contains("there is no block 6") && error.contains("the last block is 5"),
        "{error}"
    );
    kempe.fails(2, "replay --bisect 0");
}

/// Neither the locale, the time zone and the terminal nor what libraries read of the environment.
#[test]
fn nothing_of_the_environment_is_in_a_block() {
    let blocks_of = |env: &[(&str, &str)]| {
        let kempe = Kempe::new();
        kempe.write("calls.jsonl", CALLS);
        let ok = |words: &str| {
            let ended = kempe.run_with(words, env);
            assert_eq!(ended.code, 0, "{words}: {}", ended.stderr);
            ended.stdout
        };
        ok("init");
        let deployed = ok("deploy token.wasm --owner alice");
        ok("call token mint --to bob --amount 100");
        ok("run calls.jsonl --threads 2 --no-oracle");
        let blocks = [1, 2, 3].map(|height| {
            let mut block: Value =
                serde_json::from_str(&ok(&format!("block {height} --json"))).unwrap();
            // The clock is the caller's.
            for timed in ["hash", "parent", "time_ms"] {
                assert!(!block[timed].take().is_null(), "{timed}");
            }
            block
        });
        (deployed, blocks, ok("state token"))
    };
    let strange = [
        ("LANG", "tr_TR.UTF-8"),
        ("LC_ALL", "tr_TR.UTF-8"),
        ("TZ", "Pacific/Kiritimati"),
        ("COLUMNS", "10"),
        ("TERM", "dumb"),
        ("RAYON_NUM_THREADS", "1"),
        ("RUST_BACKTRACE", "full"),
        ("RUST_MIN_STACK", "1048576"),
    ];
    assert_eq!(blocks_of(&[]), blocks_of(&strange));
}

#[test]
fn a_broken_line_commits_nothing_of_its_block() {
    let kempe = Kempe::with_token();
    let broken = |line: &str, expected: &str| {
        kempe.write("calls.jsonl", format!("{CALLS}{line}\n"));
        let error = kempe.fails(1, "run calls.jsonl");
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("help: nothing was committed"), "{error}");
        assert_eq!(kempe.json("block")["height"], 2);
    };
    broken("{\"from\":\"bob\"", "error: calls.jsonl:6:13: EOF while parsing an object");
    let call = |rest: &str| format!(r#"{{"from":"bob","contract":"token",{rest}}}"#);
    let bad_type = call(r#""method":"transfer","args":{"to":"carol","amount":-1}"#);
    broken(&bad_type, "error: calls.jsonl:6:75: argument `amount`: expected u128");
    let missing = call(r#""method":"transfer","args":{"to":"carol"}"#);
    broken(&missing, "calls.jsonl:6:54: parameter `amount` (u128) is missing");
    broken(
        &call(r#""method":"transfr""#),
        "error: calls.jsonl:6:34\n  because: `token` has no method",
    );
    broken(&call(r#""method":"burn","args":[1,2]"#), "2 arguments are 1 too many");
    let twice = call(r#""method":"transfer","args":{"to":"carol","amount":5,"amount":500}"#);
    broken(&twice, "error: calls.jsonl:6:93: `amount` is given twice");

    kempe.write("calls.jsonl", format!("{CALLS}{}\n", call(r#""method":"none""#)));
    let error = kempe.fails(1, "run calls.jsonl --block-size 2");
    assert!(error.contains("help: the 4 calls before this block are committed"), "{error}");
    assert_eq!(kempe.json("block")["height"], 4);

    kempe.write("calls.csv", "from,contract,method,amount\nbob,token,burn,1\nbob,token,burn,x\n");
    let error = kempe.fails(1, "run calls.csv");
    assert!(error.contains("calls.csv:3:4: at `amount`: expected u128"), "{error}");
    kempe.write("empty.jsonl", "\n\n");
    assert!(kempe.fails(1, "run empty.jsonl").contains("empty.jsonl has no calls"));
}

/// The line and the column are named, and what is quoted is short.
#[test]
fn what_is_no_number_or_too_much_commits_nothing() {
    let kempe = Kempe::with_token();
    let broken = |file: &str, text: String, expected: &str| {
        kempe.write(file, text);
        let error = kempe.fails(1, &format!("run {file}"));
        assert!(error.starts_with(&format!("error: {file}:{expected}")), "{expected}: {error}");
        assert!(error.contains("help: nothing was committed"), "{error}");
        assert!(error.len() < 2_000, "{expected}: {} bytes are said", error.len());
        assert_eq!(kempe.json("block")["height"], 2);
    };
    let digits = "9".repeat(1_000_000);
    let quoted = format!("\"{digits}\"");
    for (amount, expected) in [
        ("NaN", "6:67: expected value"),
        ("-Infinity", "6:68: invalid number"),
        ("1e400", "6:71: number out of range"),
        ("1.5", "6:58: argument `amount`: expected u128"),
        (&digits, "6:1000066: number out of range"),
        (&quoted, "6:58: argument `amount`: expected u128"),
        (&"[".repeat(100_000), "6:192: recursion limit exceeded"),
        (&" ".repeat(5 << 20), "6:4194305: the line has more than 4194304 bytes"),
    ] {
        let call = r#"{"from":"bob","contract":"token","method":"burn","args":{"amount":"#;
        broken("calls.jsonl", format!("{CALLS}{call}{amount}}}}}\n"), expected);
    }
    let to = "x".repeat(1_000_000);
    let call = r#"{"from":"bob","contract":"token","method":"transfer","args":"#;
    let expected = "6:62: argument `to`: expected address";
    broken("calls.jsonl", format!("{CALLS}{call}{{\"to\":\"{to}\",\"amount\":1}}}}\n"), expected);
    for (amount, expected) in [
        ("NaN", "3:4: at `amount`: expected u128"),
        ("1.5", "3:4: at `amount`: expected u128"),
        (&digits, "3:4: at `amount`: expected u128"),
        (&to, "3:4: at `amount`: expected u128"),
    ] {
        let header = "from,contract,method,amount";
        broken(
            "calls.csv",
            format!("{header}\nbob,token,burn,1\nbob,token,burn,{amount}\n"),
            expected,
        );
    }
}

#[test]
fn a_recorded_block_runs_on_a_chain_of_its_own() {
    let kempe = Kempe::new();
    let line = |tx: usize, from: &str, to: &str| {
        format!(
            "{{\"tx\":{tx},\"reads\":[{tx}],\"writes\":[{tx},9],\"gas\":21000,\"ns\":1,\
             \"from\":\"{from}\",\"to\":\"{to}\"}}\n"
        )
    };
    let trace = [("0xa", "0xb"), ("0xc", "0xd"), ("0xb", "0xe"), ("0xa", "0xf")];
    let trace: String = trace.iter().zip(0..).map(|((from, to), tx)| line(tx, from, to)).collect();
    kempe.write("block.jsonl", trace);
    let summary = kempe.json("run --trace block.jsonl --repeats 1");
    assert_eq!((&summary["txs"], &summary["accounts"]), (&json!(4), &json!(6)));
    assert_eq!((&summary["batches"], &summary["critical_path"]), (&json!(2), &json!(2)));
    assert_eq!((&summary["reverts"], &summary["roots_equal"]), (&json!(0), &json!(true)));
    assert!(summary["tx_per_s"].as_object().unwrap().keys().eq(["1", "2"]));
    assert_eq!(summary["roots"].as_object().unwrap().len(), 3, "one and two threads, the oracle");

    // With its own keys every transaction writes key 9; as transfers they hardly conflict.
    assert_eq!(kempe.json("schedule block.jsonl")["batches"], 4);
    assert_eq!(kempe.json("schedule block.jsonl --transfers")["batches"], 2);
    insta::assert_snapshot!("schedule", kempe.ok("schedule block.jsonl --transfers"));

    kempe.ok("run --trace block.jsonl --repeats 1 --dir kept");
    assert_eq!(kempe.json("replay --dir kept")["roots_equal"], true);
    let error = kempe.fails(1, "run --trace block.jsonl --dir kept");
    assert!(error.contains("there is a chain already"), "{error}");
    kempe.write("block.jsonl", "{\"tx\":0,\"reads\":[");
    assert!(kempe.fails(1, "run --trace block.jsonl").contains("block.jsonl"));
}

#[test]
fn the_demo_needs_nothing() {
    let kempe = Kempe::new();
    let words = "demo --workload one-hot:50 --txs 60 --block-size 40 --repeats 1";
    let summary = kempe.json(words);
    assert_eq!((&summary["txs"], &summary["blocks"]), (&json!(60), &json!(2)));
    // Everybody pays one account, to which each payment adds, so all of a block run at once.
    assert_eq!((&summary["batches"], &summary["critical_path"]), (&json!(2), &json!(2)));
    assert_eq!((&summary["ok"], &summary["roots_equal"]), (&json!(60), &json!(true)));
    let text = kempe.ok(words);
    assert!(text.contains("state roots    equal (1 thread"), "{text}");
    assert!(kempe.fails(2, "demo --workload zipf:1").contains("zipf:N:EXPONENT_PERCENT"));
}

#[test]
fn a_schedule_is_drawn_with_the_contracts_names() {
    let kempe = Kempe::with_token();
    kempe.write("calls.jsonl", CALLS);
    let dot = kempe.ok("schedule calls.jsonl --format dot");
    assert!(dot.contains("n0 -> n1 [label=\"token.balances[bob]\"];"), "{dot}");
    assert!(kempe.ok("schedule calls.jsonl --format svg").starts_with("<svg "));
    let json: Value =
        serde_json::from_str(&kempe.ok("schedule calls.jsonl --format json --scheduler layers"))
            .unwrap();
    assert_eq!(json["schedule"], json!([[0, 3], [1, 2]]));
    assert_eq!(kempe.json("block")["height"], 2, "nothing was executed");
    kempe.fails(2, "schedule calls.jsonl --scheduler fastest");
}
