//! Hostile traces, the meaning of the fields, and recorded blocks where there are some.

use std::io::Cursor;

use kempe_abi::AccessKind::{Add, Read, Write};
use kempe_runtime::scheduler::{
    Block, Color, Dsatur, HeaviestFirst, Layers, Scheduler, lower_bound, verify,
};

use super::*;
use crate::transfers;

fn read(text: &[u8]) -> Result<Trace, String> {
    Trace::read(Cursor::new(text), Path::new("t.jsonl")).map_err(|error| error.to_string())
}

fn check_refused(text: &str, expected: &str) {
    let error = read(text.as_bytes()).expect_err(text);
    assert_eq!(error, format!("t.jsonl:{expected}"));
}

const LINE: &str = r#"{"tx":0,"reads":[],"writes":[],"gas":1,"ns":1}"#;

#[test]
fn fields_mean_what_the_table_says() {
    let text = r#"{"tx":0,"reads":[18446744073709551615,7,9],"writes":[7],"adds":[8,9],"blind":[7],"gas":5,"ns":0,"kind":"call","ok":false,"from":"0xAa","to":"","block":7}
{"tx":1,"reads":[8],"writes":[],"gas":1,"ns":3,"from":"0xaA","kind":"sponsored"}
{"tx":2,"reads":[],"writes":[],"gas":1,"ns":1,"from":null}"#;
    let trace = read(text.as_bytes()).unwrap();
    let [first, second, _] = &trace.txs[..] else { panic!("three transactions") };
    assert_eq!((first.kind, second.kind), (TraceKind::Call, TraceKind::Unknown));
    assert_eq!((first.ok, second.ok), (false, true));
    assert_eq!((first.from.as_deref(), first.to.as_deref()), (Some("0xAa"), None));
    let accesses = trace.accesses();
    let row = [(0, Read), (1, Write), (2, Write), (3, Add)].map(|(slot, k)| Access::new(slot, k));
    assert_eq!(accesses.of(0), row);
    assert_eq!(accesses.of(1), [Access::new(3, Read)]);
    assert_eq!(trace.costs(), [1, 3, 1]);
    assert_eq!(trace.senders(), [0, 0, 1], "addresses differ by more than case");
}

#[test]
fn faults_name_line_and_column() {
    check_refused("", " the trace has no transactions");
    check_refused(&format!("{LINE}\n\n{LINE}"), "2: the line is empty");
    check_refused(&format!("{LINE}\n[0,[],[],[],[],1,1]"), "2:1: a line is a JSON object: {...}");
    assert_eq!(read(format!("\u{feff}{LINE}\r\n\n").as_bytes()).unwrap().txs.len(), 1);
    check_refused(&format!("{LINE}\n{LINE}"), "2: tx=0 stands where tx=1 should");
    check_refused(&LINE[..20], "1:20: EOF while parsing a string");
    check_refused(&format!("{LINE}x"), "1:47: trailing characters");
    let changed = |from, to| LINE.replace(from, to);
    let key = "expected a key: a whole number from 0 to 18446744073709551615";
    let negative = format!("1:19: invalid type: integer `-1`, {key}");
    check_refused(&changed("[]", "[-1]"), &negative);
    let float = format!("1:20: invalid type: floating point `1.5`, {key}");
    check_refused(&changed("[]", "[1.5]"), &float);
    let above = format!("1:37: invalid type: floating point `1.8446744073709552e+19`, {key}");
    check_refused(&changed("[]", "[18446744073709551616]"), &above);
    let huge = format!("[{}]", "9".repeat(1000));
    assert!(read(changed("[]", &huge).as_bytes()).unwrap_err().starts_with("t.jsonl:1:"));
    check_refused(&changed("\"gas\":1", "\"gas\":NaN"), "1:38: expected value");
    let long = "1: a transaction would take 60000000001 ns, and may take 60000000000 at most";
    check_refused(&changed("\"ns\":1", "\"ns\":60000000001"), long);
    check_refused(&changed("\"gas\"", "\"ns\""), "1:42: duplicate field `ns`");
    check_refused(&changed(",\"ns\":1", ""), "1:39: missing field `ns`");
    check_refused(&changed("}", ",\"block\":[[[["), "1:58: EOF while parsing a list");
    let unknown = read(changed("\"gas\"", "\"gaz\"").as_bytes()).unwrap_err();
    assert!(
        unknown.starts_with("t.jsonl:1:36: unknown field `gaz`, expected one of `tx`,"),
        "{unknown}"
    );
    let deep = changed("}", &format!(",\"block\":{}", "[".repeat(100_000)));
    assert!(read(deep.as_bytes()).unwrap_err().contains("EOF while parsing a list"));
    let mut bytes = LINE.as_bytes().to_vec();
    bytes[2] = 0xff;
    assert!(read(&bytes).unwrap_err().starts_with("t.jsonl:1:"));
}

#[test]
fn blind_keys_that_are_not_written_are_counted() {
    let text = r#"{"tx":0,"reads":[1,2],"writes":[1],"blind":[1],"gas":1,"ns":1}
{"tx":1,"reads":[1,2,3],"writes":[1],"blind":[3,1,2],"gas":1,"ns":1}
{"tx":2,"reads":[],"writes":[],"blind":[9],"gas":1,"ns":1}"#;
    assert_eq!(read(text.as_bytes()).unwrap().n_blind_unwritten(), 2);
}

#[test]
fn messages_stay_short_and_harmless() {
    let text = LINE.replace("\"gas\":1", &format!("\"gas\":\"\\u001b[31m{}\"", "x".repeat(9999)));
    let error = read(text.as_bytes()).unwrap_err();
    assert!(error.chars().count() < 200 && !error.contains('\u{1b}'), "{error}");
}

#[test]
fn an_endless_line_is_not_held_in_memory() {
    for byte in [b'[', b' '] {
        let endless = BufReader::new(io::repeat(byte));
        let error = Trace::read(endless, Path::new("t.jsonl")).unwrap_err();
        assert!(matches!(error.fault, TraceFault::LineTooLong));
        assert_eq!((error.line, error.column), (1, LINE_BYTES_MAX + 1));
    }
    let padded = format!("{LINE}{}\n", " ".repeat(LINE_BYTES_MAX - LINE.len()));
    assert_eq!(read(padded.as_bytes()).unwrap().txs.len(), 1, "exactly the limit is allowed");
}

#[test]
fn a_missing_file_is_named() {
    let error = Trace::open(Path::new("no/such.jsonl")).unwrap_err().to_string();
    assert!(error.starts_with("no/such.jsonl: cannot read: "), "{error}");
}

/// The recorded blocks beside the workspace, if there are some.
pub(crate) fn recorded() -> Vec<PathBuf> {
    let traces = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/traces");
    let folders = std::fs::read_dir(traces).into_iter().flatten().flatten();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()).into_iter().flatten());
    let mut files: Vec<PathBuf> = files.flatten().map(|file| file.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    files
}

#[test]
fn recorded_blocks_are_read_and_scheduled() {
    let files = recorded();
    if files.is_empty() {
        println!("skipped: there are no recorded blocks beside the workspace");
        return;
    }
    let schedulers: [&dyn Scheduler; 4] = [&Layers, &Color, &HeaviestFirst, &Dsatur];
    let mut n_batches = [0; 4];
    for file in &files {
        let trace = match Trace::open(file) {
            Err(TraceError { fault: TraceFault::Empty, .. }) => continue,
            trace => trace.unwrap(),
        };
        let (accesses, costs, senders) = (trace.accesses(), trace.costs(), trace.senders());
        let block = Block::new(&accesses, &costs, &senders, &[]).unwrap();
        for (n_batches, scheduler) in n_batches.iter_mut().zip(schedulers) {
            let schedule = scheduler.schedule(&block);
            assert_eq!(verify(&schedule, &block, scheduler.mode()), Ok(()), "{}", file.display());
            *n_batches += schedule.n_batches();
        }
        assert!(lower_bound(&block, 8, Layers.mode()).max() <= costs.iter().sum());
        let transfers = transfers(&trace);
        assert_eq!(transfers.specs.len() + transfers.n_skipped, trace.txs.len());
        assert!(transfers.specs.iter().all(|spec| spec.to < transfers.accounts.len()));
    }
    let [layers, color, heaviest_first, dsatur] = n_batches;
    println!("{} blocks: batches layers={layers} color={color}", files.len());
    println!("heaviest-first={heaviest_first} dsatur={dsatur}");
    assert!(color <= layers && heaviest_first <= layers);
}
