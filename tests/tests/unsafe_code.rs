//! Every `unsafe` of the workspace is in the table of SECURITY.md, with its reason.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kempe_tests::{root, sources};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// How often `unsafe` stands in code, by what it makes unsafe.
type Uses = BTreeMap<&'static str, usize>;

/// Counts the word in tokens, also in those that a macro is given; comments and texts have none.
fn count(tokens: TokenStream, uses: &mut Uses) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => count(group.stream(), uses),
            TokenTree::Ident(word) if word == "unsafe" => {
                let kind = match tokens.peek() {
                    Some(TokenTree::Group(next)) if next.delimiter() == Delimiter::Brace => "block",
                    Some(TokenTree::Group(_)) => "attribute",
                    Some(TokenTree::Ident(next)) if next == "fn" => "fn",
                    Some(TokenTree::Ident(next)) if next == "impl" => "impl",
                    Some(TokenTree::Ident(next)) if next == "extern" => "extern",
                    Some(TokenTree::Ident(next)) if next == "trait" => "trait",
                    _ => "other",
                };
                *uses.entry(kind).or_default() += 1;
            }
            _ => {}
        }
    }
}

fn uses_of(text: &str, path: &Path) -> Uses {
    let tokens = text.parse::<TokenStream>();
    let tokens = tokens.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut uses = Uses::new();
    count(tokens, &mut uses);
    uses
}

/// As the table says it: `2 block, 1 fn`.
fn shown(uses: &Uses) -> String {
    uses.iter().map(|(kind, n)| format!("{n} {kind}")).collect::<Vec<_>>().join(", ")
}

/// The rows of the table: the file, its uses, and whether the reasons are there.
fn table(security: &str) -> BTreeMap<String, (String, bool)> {
    let section = security.split("\n## Unsafe code\n").nth(1).expect("the section is there");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [file, uses, reasons @ ..] = &*cells else { panic!("too few columns: {row}") };
        let is_explained = reasons.len() == 2 && reasons.iter().all(|reason| reason.len() > 10);
        (file.trim_matches('`').to_owned(), ((*uses).to_owned(), is_explained))
    })
    .collect()
}

#[test]
fn every_unsafe_is_in_the_table() {
    let root = root();
    let mut files = Vec::new();
    sources(root, &mut files);
    assert!(files.len() > 300, "only {} files are found", files.len());
    let mut found = BTreeMap::new();
    for file in files {
        let uses = uses_of(&fs::read_to_string(&file).expect("readable"), &file);
        if !uses.is_empty() {
            let name = file.strip_prefix(root).expect("it is below").display().to_string();
            found.insert(name, (shown(&uses), true));
        }
    }
    let table = table(&fs::read_to_string(root.join("SECURITY.md")).expect("readable"));
    for (file, (uses, _)) in &found {
        let row = table.get(file).map_or("not at all", |(uses, _)| uses);
        assert_eq!(row, uses, "{file}: the table of SECURITY.md says {row}, the code has {uses}");
    }
    for (file, (_, is_explained)) in &table {
        assert!(
            found.contains_key(file),
            "{file} has no unsafe code, so SECURITY.md must not list it"
        );
        assert!(is_explained, "{file}: SECURITY.md does not say why, or what checks it");
    }
}

#[test]
fn only_code_counts() {
    let text = r##"
        // unsafe { }
        const TEXT: &str = "unsafe fn";
        unsafe impl Sync for X {}
        #[unsafe(no_mangle)]
        unsafe extern "C" { safe fn f(); }
        macro_rules! m { () => { unsafe { g() } } }
        unsafe fn r#unsafe() { unsafe { unsafe { h() } } }
        pub unsafe trait Y {}
    "##;
    let expected = "1 attribute, 3 block, 1 extern, 1 fn, 1 impl, 1 trait";
    assert_eq!(shown(&uses_of(text, Path::new("text"))), expected);
}
