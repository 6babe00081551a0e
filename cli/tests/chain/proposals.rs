//! Calls that values hold: the steps of proposals.

use serde_json::{Value, json};

use super::Kempe;

/// The hash of a text.
const TEXT: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";

/// With an organization of alice, who may propose.
fn organized() -> Kempe {
    let kempe = Kempe::with_token();
    kempe.write("governance.wasm", kempe_contracts::GOVERNANCE);
    // The settings that its help shows.
    let help = kempe.ok("deploy governance.wasm -- --help");
    let settings = help.lines().last().unwrap().split('\'').nth(1).unwrap().replace(' ', "");
    kempe.ok(&format!("deploy governance.wasm --name dao --token token --settings {settings}"));
    kempe.ok("call token mint --to alice --amount 1000");
    kempe.ok("call token approve --spender dao --amount 1000");
    kempe.ok("call dao lock --amount 1000");
    kempe
}

#[test]
fn a_setting_that_is_given_twice_is_refused() {
    let kempe = Kempe::with_token();
    kempe.write("governance.wasm", kempe_contracts::GOVERNANCE);
    let settings = r#"{"delay_ms":"bad","delay_ms":100}"#;
    let deploy = format!("deploy governance.wasm --token token --settings {settings}");
    let error = kempe.fails(2, &deploy);
    assert!(error.contains("in JSON: `delay_ms` is given twice at line 1 column 28"), "{error}");
    assert_eq!(kempe.json("block")["height"], 2);
}

fn propose(steps: &[Value], salt: u8) -> String {
    format!("dao propose --steps {} --text {TEXT} --salt {salt}", json!(steps))
}

/// The step that makes a call, as `kempe simulate` encodes it.
fn step(kempe: &Kempe, call: &str) -> Value {
    let ended = kempe.run(&format!("simulate {call} --json"));
    let simulated: Value = serde_json::from_str(&ended.stdout).unwrap();
    json!({ "Call": simulated["calls"][0] })
}

#[test]
fn the_calls_of_a_proposal_are_shown_as_calls() {
    let kempe = organized();
    let pay = step(&kempe, "token transfer --to carol --amount 5");
    let call = "token.transfer(to: carol, amount: 5)";
    let steps = format!("steps: [Call({call})]");
    let words = propose(std::slice::from_ref(&pay), 1);
    let proposed = kempe.ok(&format!("call {words}"));
    assert_eq!(proposed.matches(&steps).count(), 1, "{proposed}");
    let id = proposed.lines().find_map(|line| line.strip_prefix("result   ")).unwrap();
    let view = format!("call dao proposal --id {id}");
    assert!(kempe.ok(&view).contains(&steps));
    assert!(kempe.ok(&view.replacen("call", "simulate", 1)).contains(&steps));
    for verb in ["block", "tx 7:0", "explain 7:0", "state dao proposals"] {
        let shown = kempe.ok(verb);
        assert!(shown.contains(call) && !shown.contains("method: "), "{verb}: {shown}");
    }

    // Scripts find the bytes where they were, and the calls beside them.
    let view = kempe.json(&view);
    assert_eq!(view["results"][0]["steps"], json!([pay]));
    assert_eq!(view["result_calls"], json!([call]));
    assert_eq!(kempe.json(&format!("state dao proposals {id}"))["calls"], json!([call]));
    // Where there is none, there is no word of them.
    assert_eq!(kempe.json("call token balance --of bob").get("result_calls"), None);
    assert_eq!(kempe.json("events token")[0].get("calls"), None);

    kempe.write("multisig.wasm", kempe_contracts::MULTISIG);
    kempe.ok(r#"deploy multisig.wasm --members ["alice"] --threshold 1"#);
    let expires_ms = kempe.json("block")["time_ms"].as_u64().unwrap() + 3_600_000;
    let given = json!([pay]);
    let words = format!("--steps {given} --expires_ms {expires_ms} --salt 1");
    let proposed = kempe.ok(&format!("call multisig propose {words}"));
    assert_eq!(proposed.matches(&steps).count(), 2, "the action and the event: {proposed}");
    assert!(kempe.ok("events multisig --name Proposed").contains(&steps));
    let event = &kempe.json("events multisig --name Proposed")[0];
    assert_eq!((&event["fields"]["steps"], &event["calls"]), (&given, &json!([call])));
}

#[test]
fn what_is_no_call_of_a_known_contract_is_shown_as_it_is() {
    let kempe = organized();
    kempe.ok("deploy token.wasm --name coin --owner alice");
    let pay = step(&kempe, "coin transfer --to carol --amount 5");
    let with = |field: &str, value: Value| {
        let mut step = pay.clone();
        step["Call"][field] = value;
        step
    };
    let args = pay["Call"]["args"].as_str().unwrap();
    let steps = [
        with("contract", json!("carol")),
        with("method", json!(7)),
        with("args", json!(format!("{args}00"))),
        with("args", json!(args[..args.len() - 2])),
        pay.clone(),
    ];
    let proposed = kempe.ok(&format!("call {}", propose(&steps, 1)));
    let method = &pay["Call"]["method"];
    let expected = format!(
        "steps: [Call{{contract: carol, method: {method}, args: {args}}}, \
         Call{{contract: coin, method: 7, args: {args}}}, \
         Call{{contract: coin, method: {method}, args: {args}00}}, \
         Call{{contract: coin, method: {method}, args: {}}}, \
         Call(coin.transfer(to: carol, amount: 5))]",
        &args[..args.len() - 2]
    );
    assert_eq!(proposed.matches(&expected).count(), 1, "{proposed}");

    // The table of a block has a line for it, of which there is no end to see; the rest is shown by its name.
    let block = kempe.ok("block");
    let line = block.lines().find(|line| line.contains("dao.propose(steps: ")).unwrap();
    assert!(line.chars().count() < 160 && line.contains('…') && line.ends_with("ok"), "{line}");
    assert!(kempe.ok("tx 8:0").contains(&expected));

    // A proposal to propose a proposal, and so on: four are read, and the fifth is bytes.
    let mut inner = pay;
    for _ in 0..6 {
        inner = step(&kempe, &propose(&[inner], 1));
    }
    let ended = kempe.run(&format!("call {} --from bob", propose(&[inner], 1)));
    assert_eq!(ended.code, 3, "bob may not propose");
    let action = ended.stdout.lines().next().unwrap();
    assert_eq!(action.matches("Call(dao.propose(steps: [").count(), 4, "{action}");
    assert_eq!(action.matches("Call{contract: dao, ").count(), 1, "{action}");
}
