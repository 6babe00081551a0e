//! Hostile ABIs: what cannot be written down safely is refused, and texts stay texts.

use std::collections::BTreeSet;

use kempe_abi::{ErrorCase, ErrorSet, Event, Method, Variant};

use super::*;

fn members(name: &str, ty: Type) -> Vec<Member> {
    vec![Member { name: name.into(), ty }]
}

/// A contract with one of everything, each with the name that `name` gives for what it is.
fn abi(name: impl Fn(&str) -> String) -> Abi {
    let inner = Type::Struct(name("struct"), members(&name("field"), Type::U8));
    let variant =
        Variant { name: name("variant"), fields: members(&name("variant's field"), inner) };
    let ty = Type::Option(Box::new(Type::Enum(name("enum"), vec![variant])));
    let case = ErrorCase { name: name("error"), code: 100, doc: String::new() };
    let method = Method {
        name: name("method"),
        doc: String::new(),
        kind: MethodKind::Call,
        params: members(&name("parameter"), ty.clone()),
        returns: Type::List(Box::new(Type::Tuple(vec![ty.clone()]))),
        error: Some(ErrorSet { name: name("error enum"), cases: vec![case] }.into()),
        access: Vec::new(),
    };
    let event = Event {
        name: name("event"),
        doc: String::new(),
        fields: members(&name("event field"), ty),
    };
    Abi {
        name: name("contract"),
        doc: String::new(),
        fields: Vec::new(),
        methods: vec![method],
        events: vec![event],
        interfaces: Vec::new(),
        allowances: Vec::new(),
    }
}

const NAMED: &[&str] = &[
    "contract",
    "enum",
    "error",
    "error enum",
    "event",
    "event field",
    "field",
    "method",
    "parameter",
    "struct",
    "variant",
    "variant's field",
];

#[test]
fn a_name_is_an_identifier_wherever_it_stands() {
    let plain = |what: &str| format!("a_{}", what.replace([' ', '\''], "_"));
    rust(&abi(plain)).unwrap();
    typescript(&[abi(plain)]).unwrap();
    let evil = [
        "",
        "a b",
        "a\"]; evil(); [\"",
        "a(){}evil(){",
        "a\n",
        "a*/",
        "../a",
        "a\0",
        "$a",
        "ä",
        "а",
        "a\u{2028}",
        "-1",
        "1a",
        "r#a",
        "a::b",
        "`",
        "${a}",
    ];
    for what in NAMED {
        for name in evil {
            let hostile = abi(|of| if of == *what { name.to_owned() } else { plain(of) });
            let expected = |error: &BindingsError| matches!(error, BindingsError::Name { name: found, .. } if found == name);
            let refused = rust(&hostile).unwrap_err();
            assert!(expected(&refused), "{what} {name:?}: {refused}");
            assert!(!refused.to_string().contains(['\n', '\0']), "{refused}");
            assert_eq!(typescript(&[hostile]).unwrap_err(), refused);
        }
    }
}

#[track_caller]
fn refuses(ty: Type) -> String {
    let mut abi = abi(|_| "a".into());
    abi.methods[0].returns = ty;
    let refused = rust(&abi).unwrap_err();
    assert_eq!(typescript(&[abi]).unwrap_err(), refused);
    refused.to_string()
}

#[test]
fn a_type_without_possible_values_is_refused() {
    let array = |ty, n| Type::Array(Box::new(ty), n);
    let limit = u32::try_from(DATA_BYTES_MAX).unwrap();
    let refused = refuses(array(Type::U8, limit + 1));
    assert_eq!(refused, "a value of type [u8; 65537] has more than 65536 bytes or elements");
    refuses(array(Type::Unit, u32::MAX));
    refuses(array(array(Type::U64, u32::MAX), u32::MAX));
    refuses(Type::Tuple(vec![array(Type::U8, limit), Type::Bool]));
    let refused = refuses(Type::Option(Box::new(Type::Enum("Never".into(), vec![]))));
    assert_eq!(refused, "the enum `Never` has 0 variants: 1 to 256 are possible");
    let variant = Variant { name: "A".into(), fields: vec![] };
    refuses(Type::Enum("Large".into(), vec![variant; 257]));

    let mut abi = abi(|_| "a".into());
    abi.methods[0].returns = array(Type::U8, limit);
    rust(&abi).unwrap();
}

#[test]
fn a_text_stays_in_its_comment() {
    let text =
        "*/ evil() /* \n```\nevil()\n```\n\n\t    evil()\n~~~ <script> [a](b) \u{1b}[2J\u{2028}*/";
    let mut abi = abi(|what| what.replace([' ', '\''], "_"));
    let docs = [&mut abi.doc, &mut abi.events[0].doc];
    docs.into_iter().for_each(|doc| text.clone_into(doc));
    abi.methods[0].doc = text.into();
    let mut errors = ErrorSet::clone(abi.methods[0].error.as_ref().unwrap());
    errors.cases[0].doc = text.into();
    abi.methods[0].error = Some(errors.into());

    let source = rust(&abi).unwrap();
    let evil: Vec<&str> = source.lines().filter(|line| line.contains("evil")).collect();
    assert!(evil.len() >= 12, "{source}");
    for line in evil {
        let comment = line.trim().strip_prefix("///").unwrap();
        // No block of code for `cargo test` to run, marked or indented.
        assert!(!comment.starts_with("  ") && !comment.contains('\t'), "{line}");
    }
    for never in ["```", "~~~", " <script", " [a]", "\u{1b}"] {
        assert!(!source.contains(never), "{never:?} in {source}");
    }

    let files = typescript(&[abi]).unwrap();
    let contents = |name: &str| &*files.iter().find(|file| file.name == name).unwrap().contents;
    assert!(!contents("contract.js").contains("evil"), "texts stand in declarations only");
    let declarations = contents("contract.d.ts");
    let mut code = String::new();
    for part in declarations.split("/**") {
        code.push_str(part.split_once("*/").map_or(part, |(_, code)| code));
    }
    assert!(declarations.contains("evil") && !code.contains("evil"), "{declarations}");
}

/// Whatever a generated file means by a name, a contract's type of that name has another one there.
#[test]
fn no_type_of_a_contract_hides_what_the_generated_code_means() {
    let plain = |what: &str| format!("a_{}", what.replace([' ', '\''], "_"));
    let declarations = |mut abi: Abi| {
        let (name, doc) = ("silent".to_owned(), String::new());
        abi.events.push(Event { name, doc, fields: Vec::new() });
        let files = typescript(&[abi]).unwrap();
        let code = files.iter().filter(|file| file.name.starts_with("a_contract."));
        code.map(|file| file.contents.clone()).collect::<String>()
    };
    let code = declarations(abi(plain));
    let is_comment = |line: &&str| line.trim_start().starts_with(['/', '*']);
    let lines: Vec<&str> = code.lines().filter(|line| !is_comment(line)).collect();
    let text = lines.join("\n");
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '$');
    let words: BTreeSet<&str> =
        words.filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase())).collect();
    for known in ["EventRecord", "Record", "Contract", "Uint8Array", "ABI"] {
        assert!(words.contains(known), "{known} of {words:?}");
    }
    for word in words {
        let named = declarations(abi(|of| match of {
            "error enum" | "enum" | "struct" => word.to_owned(),
            of => plain(of),
        }));
        let own = |code: &str| code.matches(&format!("export type {word} =")).count();
        assert_eq!(own(&named), own(&code), "{word}");
        assert!(named.contains(&format!("export type {word}_ =")), "{word}");
    }
}

#[test]
fn two_modules_of_one_name_are_two_files() {
    let named = |name: &str| abi(|what| if what == "contract" { name.into() } else { "a".into() });
    let files = typescript(&[named("Kempe"), named("Token"), named("token")]).unwrap();
    let names: Vec<&str> = files.iter().map(|file| &*file.name).collect();
    let expected = [
        "kempe.js",
        "kempe.d.ts",
        "kempe_.js",
        "kempe_.d.ts",
        "token.js",
        "token.d.ts",
        "token_.js",
        "token_.d.ts",
        "package.json",
    ];
    assert_eq!(names, expected);
}
