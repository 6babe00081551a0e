//! Modules that are checked, and upgrades.

use kempe_abi::def::{
    CellDef, ClauseDef, ContractDef, ErrorSetDef, ExprDef, FieldDef, MethodDef, MethodKindDef,
};
use kempe_abi::{AbiType, AccessKind, TypeDef, section};
use serde_json::{Value, json};

use super::Kempe;

#[test]
fn modules_are_checked_and_inspected() {
    let kempe = Kempe::new();
    let report = kempe.json("check token.wasm");
    assert_eq!((&report["admitted"], &report["reason"]), (&json!(true), &Value::Null));
    insta::assert_snapshot!("check", kempe.ok("check token.wasm").split_once('\n').unwrap().1);
    let report = kempe.json("inspect token.wasm");
    assert_eq!(report["contract"]["name"], "Token");
    assert_eq!(report["size_bytes"], kempe_contracts::TOKEN.len());

    kempe.write("grow.wat", "(module (memory 1) (func (drop (memory.grow (i32.const 1)))))");
    let ended = kempe.run("check grow.wat --json");
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((ended.code, &report["admitted"]), (1, &json!(false)));
    assert!(report["reason"].as_str().unwrap().len() > 10, "{report}");
    assert!(kempe.ok("inspect grow.wat").contains("no contract: there is no section `kempe.abi`"));
    kempe.ok("init");
    kempe.fails(1, "deploy grow.wat");
    kempe.write("broken.wat", "(module");
    kempe.write("text.wasm", "not wasm");
    for (file, reason) in [("broken.wat", "broken.wat"), ("text.wasm", "neither wasm nor WAT text")]
    {
        let ended = kempe.run(&format!("check {file} --json"));
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!((ended.code, &report["admitted"]), (1, &json!(false)));
        assert!(report["reason"].as_str().unwrap().contains(reason), "{report}");
        assert!(ended.stderr.contains(reason), "{}", ended.stderr);
    }
    assert_eq!(kempe.run("check missing.wasm --json").stdout, "");
}

/// A module with these methods, each with a template and a result.
fn vault(methods: &[(&'static str, &'static [ClauseDef], u32)]) -> String {
    vault_allowing(methods, &[])
}

/// The same, with findings of the linter that are allowed: method, rule, reason.
fn vault_allowing(
    methods: &[(&'static str, &'static [ClauseDef], u32)],
    allowed: &[(&str, &str, &str)],
) -> String {
    const FIELDS: &[FieldDef] = &[FieldDef {
        name: "cells",
        doc: "",
        cell: CellDef::Value,
        keys: &[u64::TYPE],
        value: u64::TYPE,
    }];
    const PARAMS: &[(&str, &TypeDef)] = &[("slot", u64::TYPE)];
    let (mut defs, mut functions) = (Vec::new(), String::new());
    for &(name, access, code) in methods {
        let kind = if name == "migrate" { MethodKindDef::Migrate } else { MethodKindDef::Call };
        let returns = <()>::TYPE;
        defs.push(MethodDef { name, doc: "", kind, params: PARAMS, returns, error: None, access });
        functions +=
            &format!(r#"(func (export "call.{name}") (param i32) (result i32) i32.const {code})"#);
    }
    let (methods, interfaces) = (&*defs.leak(), &[]);
    let def = ContractDef { name: "Vault", doc: "", fields: FIELDS, methods, interfaces };
    let mut abi = section::contract_to_vec(&def);
    for allowance in allowed {
        let payload = borsh::to_vec(allowance).unwrap();
        abi.push(2);
        abi.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
        abi.extend(payload);
    }
    module(&abi, &functions)
}

fn module(abi: &[u8], functions: &str) -> String {
    let abi: String = abi.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!(r#"(module (memory (export "memory") 1 1) {functions} (@custom "kempe.abi" "{abi}"))"#)
}

/// What is inspected need not be what a chain admits.
#[test]
fn what_a_module_calls_things_neither_steers_a_terminal_nor_breaks_the_command() {
    let kempe = Kempe::new();
    for name in ["a\u{1b}[2J\nb\u{202e}".to_owned(), "a".repeat(70_000)] {
        let name: &str = name.leak();
        let cases = &*vec![(name, 101, "It may not."), ("Other", 102, "Nor this.")].leak();
        // All of it together is bounded where it is encoded.
        let own = if name.len() < 100 { name } else { "Odd" };
        let error = Some(&*Box::leak(Box::new(ErrorSetDef { name: own, cases })));
        let field = |name| FieldDef {
            name,
            doc: "A cell.",
            cell: CellDef::Value,
            keys: &[],
            value: u64::TYPE,
        };
        let method = MethodDef {
            name,
            doc: "",
            kind: MethodKindDef::Call,
            params: &[],
            returns: <()>::TYPE,
            error,
            access: &[],
        };
        let fields = &*vec![field(name), field("other")].leak();
        let methods = &*vec![method].leak();
        let abi = section::contract_to_vec(&ContractDef {
            name: own,
            doc: "",
            fields,
            methods,
            interfaces: &[],
        });
        kempe.write("odd.wat", module(&abi, ""));
        let said = kempe.ok("inspect odd.wat");
        assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said:?}");
        let shown = name.escape_debug().to_string();
        let lines: Vec<&str> = said.lines().take(11).collect();
        assert_eq!(lines[0], format!("contract {}", own.escape_debug()));
        assert!(lines[3].starts_with(&format!("  {shown}: u64")), "{}", lines[3]);
        assert_eq!(lines[7], format!("  call {shown}()"));
        assert!(lines[10].starts_with(&format!("    101  {shown}  ")), "{}", lines[10]);
    }
}

const fn touch(kind: AccessKind) -> ClauseDef {
    ClauseDef::Touch { kind, field: 0, key: &[ExprDef::Param(0)] }
}
const READS: &[ClauseDef] = &[touch(AccessKind::Read)];
const WRITES: &[ClauseDef] = &[touch(AccessKind::Write)];

#[test]
fn what_the_linter_finds_is_shown_and_may_be_denied() {
    let kempe = Kempe::new();
    // Both declare a cell that their code does not touch.
    kempe.write("idle.wat", vault(&[("idle", WRITES, 0), ("look", READS, 0), ("rest", &[], 0)]));
    let found = [("over-declared", "idle", "cells"), ("over-declared", "look", "cells")];

    assert!(!kempe.ok("check idle.wat").contains("lint"), "nobody asked");
    assert_eq!(kempe.json("check idle.wat")["lints"], Value::Null);
    let text = kempe.ok("check idle.wat --lint");
    for (rule, method, field) in found {
        let words = [rule, method, field];
        let line = text.lines().find(|line| line.split_whitespace().take(3).eq(words));
        assert!(line.is_some(), "{text}");
    }
    assert_eq!(text.matches("  #[access()]").count(), 2, "{text}");
    let report = kempe.json("check idle.wat --lint");
    let rows = report["lints"].as_array().unwrap();
    assert_eq!(rows.len(), found.len(), "{report}");
    for (row, (rule, method, field)) in rows.iter().zip(found) {
        assert_eq!((&row["rule"], &row["method"]), (&json!(rule), &json!(method)));
        assert_eq!((&row["field"], &row["fix"]), (&json!(field), &json!(["#[access()]"])));
        assert!(row["explanation"].as_str().unwrap().contains("`cells"), "{row}");
    }

    // Denied, the same is shown, and the command fails.
    let denied = kempe.run("check idle.wat --deny-lints");
    assert_eq!((denied.code, &denied.stdout), (1, &text));
    assert!(
        denied.stderr.starts_with("error: 2 findings of the linter\nhelp: "),
        "{}",
        denied.stderr
    );
    let denied = kempe.run("check idle.wat --deny-lints --json");
    assert_eq!(denied.code, 1);
    assert_eq!(serde_json::from_str::<Value>(&denied.stdout).unwrap(), report);
    let error: Value = serde_json::from_str(&denied.stderr).unwrap();
    assert!(error.to_string().contains("2 findings of the linter"), "{error}");

    assert!(kempe.ok("check token.wasm --deny-lints").ends_with("lint: nothing found\n"));
    assert_eq!(kempe.json("check token.wasm --deny-lints")["lints"], json!([]));
    kempe.write("bad.wat", "(module)");
    assert_eq!(kempe.run("check bad.wat --deny-lints").code, 1);
}

#[test]
fn what_the_linter_finds_is_let_stand_for_a_reason() {
    let kempe = Kempe::new();
    let check = |allowed: &[(&str, &str, &str)]| {
        let methods = [("idle", WRITES, 0), ("look", READS, 0), ("rest", &[], 0)];
        kempe.write("idle.wat", vault_allowing(&methods, allowed));
        kempe.run("check idle.wat --deny-lints")
    };
    let both = [
        ("look", "over-declared", "a later version reads it"),
        ("idle", "over-declared", "callers count on being ordered"),
    ];
    let ran = check(&both);
    assert_eq!((ran.code, &*ran.stderr), (0, ""), "{}", ran.stdout);
    for (method, _, reason) in both {
        assert!(ran.stdout.contains(&format!("allowed: {reason}")), "{method}: {}", ran.stdout);
    }
    assert!(!ran.stdout.contains("#[access()]"), "{}", ran.stdout);
    let report = kempe.json("check idle.wat --lint");
    let rows = report["lints"].as_array().unwrap();
    let reasons: Vec<_> = rows.iter().map(|row| (&row["method"], &row["allowed"])).collect();
    let expected = [both[1], both[0]].map(|(method, _, reason)| (json!(method), json!(reason)));
    assert_eq!(reasons, expected.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>());

    // What is not allowed counts, and so does what allows nothing, for no reason, or by no rule.
    for (allowed, n_found) in [
        (&both[..1], 1),
        (&[both[0], both[1], ("rest", "over-declared", "it may")][..], 1),
        (&[both[0], both[1], ("look", "every-call", "it may")], 1),
        (&[both[0], both[1], ("look", "over-cautious", "it may")], 1),
        (&[both[0], both[1], ("look", "unused-allow", "it may")], 1),
        (&[both[0], ("idle", "over-declared", " \n")], 2),
        (
            &[
                both[0],
                both[1],
                ("rest", "over-declared", "it may"),
                ("rest", "unused-allow", "hush"),
            ],
            2,
        ),
    ] {
        let ran = check(allowed);
        let plural = if n_found == 1 { "" } else { "s" };
        let expected = format!("error: {n_found} finding{plural} of the linter\n");
        assert!(ran.code == 1 && ran.stderr.starts_with(&expected), "{allowed:?} {}", ran.stderr);
        assert_eq!(ran.stdout.contains("unused-allow"), allowed.len() > 1, "{}", ran.stdout);
    }
    // What is allowed by another rule, or for no reason, is mended all the same.
    for what in [("idle", "every-call", "it may"), ("idle", "over-declared", " \n")] {
        let ran = check(&[both[0], what]);
        assert!(ran.stdout.contains("#[access()]"), "{what:?}: {}", ran.stdout);
    }

    // A record from outside is text that is printed: it is bounded, and names a method, once.
    let long = "x".repeat(8 * 1024 + 1);
    for (allowed, code) in [
        (&[("idle", "over-declared", "\u{1b}[2J")][..], "abi-doc"),
        (&[("idle", "over-declared", &*long)], "doc-bytes"),
        (&[("idle", "over declared", "it may")], "abi-name"),
        (&[("idle", "", "it may")], "abi-name"),
        (&[("other", "over-declared", "it may")], "abi"),
        (&[both[0], both[0]], "abi"),
        (&[both[0], (both[0].0, both[0].1, "another")], "abi"),
    ] {
        let ran = check(allowed);
        assert_eq!((ran.code, &*ran.stdout), (1, &*format!("refused: {code}\n")), "{}", ran.stderr);
    }
}

/// This contract with its new code included.
#[test]
fn a_contract_that_could_never_agree_is_nobodys_authority() {
    let kempe = Kempe::new();
    kempe.ok("init");
    kempe.write("v1.wat", vault(&[("keep", READS, 0)]));
    kempe.write("v2.wat", vault(&[("keep", READS, 0), ("add", WRITES, 0)]));
    kempe.ok("deploy v1.wat --upgradable-by bob");
    kempe.ok("deploy token.wasm --owner alice");
    let missing = "could never agree to an upgrade: it has no `authorize_upgrade(UpgradeTerms)`";
    let height = &kempe.json("block")["height"];
    for words in [
        "deploy v1.wat --name lost --upgradable-by token",
        "upgrade vault v2.wat --from bob --upgradable-by token",
        "upgrade vault v2.wat --from bob --upgradable-by vault",
    ] {
        let error = kempe.fails(1, words);
        assert!(error.contains(missing) && error.contains("help: nothing was sent"), "{error}");
    }
    let dry = kempe.run("upgrade vault v2.wat --upgradable-by token --dry-run");
    assert!(dry.code == 1 && dry.stdout.contains("authority  token"), "{}", dry.stdout);
    assert!(dry.stderr.contains(missing), "{}", dry.stderr);
    assert_eq!(&kempe.json("block")["height"], height);
    kempe.write("multisig.wasm", kempe_contracts::MULTISIG);
    kempe.ok(r#"deploy multisig.wasm --members ["alice"] --threshold 1"#);
    kempe.ok("deploy v1.wat --name kept --upgradable-by multisig");
}

#[test]
fn an_upgrade_shows_what_changes_and_refuses_more() {
    let kempe = Kempe::new();
    kempe.ok("init");
    kempe.write("v1.wat", vault(&[("keep", READS, 0), ("trim", WRITES, 0), ("drop", READS, 0)]));
    kempe.write("v2.wat", vault(&[("keep", READS, 0), ("trim", READS, 101), ("add", WRITES, 0)]));
    kempe.write("v3.wat", vault(&[("keep", WRITES, 0), ("trim", READS, 0), ("migrate", READS, 0)]));
    kempe.ok("deploy v1.wat --upgradable-by bob");
    kempe.ok("deploy v1.wat --name fixed");

    let shown = kempe.ok("upgrade vault v2.wat --allow-wider --dry-run");
    let lines = "\
equal      keep
narrower   trim
         - trim(slot: u64)
         - write(cells[slot])
         + trim(slot: u64)
         + read(cells[slot])
new        add
         + add(slot: u64)
         + write(cells[slot])
removed    drop
         - drop(slot: u64)
         - read(cells[slot])
code       0x";
    assert!(shown.starts_with(lines) && shown.contains("authority  bob\nterms      0x"), "{shown}");
    // The name of what goes away could come back as anything.
    let error = kempe.fails(1, "upgrade vault v2.wat --from bob");
    assert!(error.contains("`drop` is gone") && error.contains("--allow-wider"), "{error}");
    // Contract, code, no arguments, wider, no authority.
    let terms = &kempe.json("upgrade vault v2.wat --final --allow-wider --dry-run")["terms"];
    let bytes = |field: &str| hex::decode(&terms[field].as_str().unwrap()[2..]).unwrap();
    let encoded = [bytes("contract"), bytes("code"), vec![0; 4], vec![1, 0]].concat();
    assert_eq!(bytes("hash"), blake3::hash(&encoded).as_bytes(), "{terms}");
    assert_eq!(kempe.run("call vault trim --slot 1").code, 0, "nothing has changed");
    // Who may not is told so before anything is sent.
    let height = &kempe.json("block")["height"];
    for (words, why) in [
        ("vault v2.wat --allow-wider --from alice", "only bob can upgrade vault"),
        ("fixed v2.wat --allow-wider --from alice", "nobody can upgrade fixed"),
        ("fixed v2.wat --allow-wider --dry-run", "nobody can upgrade fixed"),
    ] {
        let error = kempe.fails(1, &format!("upgrade {words}"));
        assert!(error.contains(why), "{error}");
    }
    assert_eq!(&kempe.json("block")["height"], height);
    let upgraded = kempe.json("upgrade vault v2.wat --from bob --allow-wider");
    let changes: Vec<_> = upgraded["methods"].as_array().unwrap().iter().collect();
    assert_eq!((changes.len(), &changes[1]["change"]), (4, &json!("narrower")));
    assert_eq!(upgraded["outcome"]["status"], "ok", "{upgraded}");
    assert_eq!(kempe.run("call vault trim --slot 1").code, 3, "the new code runs");

    let error = kempe.fails(1, "upgrade vault v3.wat --from bob --slot 1");
    assert!(error.contains("calls of `keep` may touch more") && error.contains("--allow-wider"));
    assert!(error.contains("wider      keep"), "{error}");
    let dry = kempe.run("upgrade vault v3.wat --from bob --slot 1 --dry-run");
    assert!(dry.code == 1 && dry.stdout.contains("terms      0x"), "{}", dry.stdout);
    assert!(dry.stderr.contains("calls of `keep` may touch more"), "{}", dry.stderr);
    let usage = kempe.fails(2, "upgrade vault v3.wat --from bob --allow-wider");
    assert!(usage.contains("slot"), "{usage}");
    assert!(kempe.ok("upgrade vault v3.wat -- --help").starts_with("migrate(slot: u64)"));
    kempe.ok("upgrade vault v3.wat --from bob --allow-wider --slot 1");
    // The same code again: the authority is handed on, and given up, and nothing migrates.
    kempe.ok("upgrade vault v3.wat --from bob --upgradable-by alice");
    let usage = kempe.fails(2, "upgrade vault v3.wat --from alice --final --slot 1");
    assert!(usage.contains("nothing migrates"), "{usage}");
    kempe.ok("upgrade vault v3.wat --from alice --final");
    let error = kempe.fails(1, "upgrade vault v3.wat --from alice");
    assert!(error.contains("nobody can upgrade vault"), "{error}");
    assert!(kempe.ok("replay").contains("blocks"));
}
