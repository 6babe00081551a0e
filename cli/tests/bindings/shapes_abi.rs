//! A contract that nobody would write: every shape of a type, every name that is a word of a language,
//! texts that try to end the comment they stand in.

use std::sync::Arc;

use kempe_abi::{Abi, ErrorCase, ErrorSet, Event, Member, Method, MethodKind, Type, Variant};

/// Ends comments, literals and code blocks, and would stop whoever ran it.
pub(crate) const HOSTILE_DOC: &str = "*/ throw new Error(\"ran\") /*\n```\npanic!(\"ran\");\n```\n\n    panic!();\n~~~\n\
     <script>throw 1</script> [x](javascript:x) \\\u{2028}\u{1b}[2J \"\"\" `${throw_}` */";

/// Words that mean something somewhere in the generated code.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "Action", "Address", "Array", "Call", "Contract", "Err", "Event", "Hash", "None", "Ok",
    "Option", "Self", "Some", "String", "Upgrade", "Vec", "_", "__", "__proto__", "abstract",
    "address", "allow_wider", "any", "arguments", "as", "async", "at", "authority", "await",
    "class", "const", "constructor", "crate", "default", "delete", "deploy", "dyn", "enum", "eval",
    "events", "export", "extends", "false", "fn", "from", "function", "gen", "get",
    "hasOwnProperty", "impl", "import", "in", "interface", "kempe_abi", "kempe_runtime", "let",
    "loop", "match", "mod", "move", "mut", "new", "null", "number", "of", "package", "prototype",
    "pub", "r", "ref", "return", "self", "self_", "set", "static", "std", "string", "struct",
    "super", "switch", "then", "this", "toString", "trait", "true", "try", "type", "typeof", "u64",
    "undefined", "unsafe", "upgrade", "use", "valueOf", "var", "void", "wasm", "where", "while",
    "with", "yield",
];

fn boxed(ty: &Type) -> Box<Type> {
    Box::new(ty.clone())
}

fn members<'a>(fields: impl IntoIterator<Item = (&'a str, Type)>) -> Vec<Member> {
    fields.into_iter().map(|(name, ty)| Member { name: name.into(), ty }).collect()
}

fn shape(name: &str, fields: &[(&str, Type)]) -> Type {
    Type::Struct(name.into(), members(fields.iter().cloned()))
}

fn choice(name: &str, variants: &[(&str, &[(&str, Type)])]) -> Type {
    let variant = |(name, fields): &(&str, &[(&str, Type)])| Variant {
        name: (*name).into(),
        fields: members(fields.iter().cloned()),
    };
    Type::Enum(name.into(), variants.iter().map(variant).collect())
}

/// The types, each with a name for the method that takes and returns it.
fn types() -> Vec<(&'static str, Type)> {
    let pair = shape("Pair", &[("0", Type::U64), ("1", Type::String)]);
    let point = shape("Point", &[("x", Type::I128), ("type", Type::U8), ("__proto__", Type::Bool)]);
    let other_point = shape("Point", &[("x", Type::U8)]);
    let side = choice("Side", &[("Buy", &[]), ("Sell", &[]), ("Self", &[])]);
    let order = choice(
        "Order",
        &[
            ("Market", &[]),
            ("Limit", &[("0", Type::U128), ("1", side.clone())]),
            ("Stop", &[("at", Type::I64), ("then", Type::Option(boxed(&point)))]),
        ],
    );
    let tuple = |n: usize| Type::Tuple((0..n).map(|_| Type::U16).collect());
    let odd = shape("Odd", &[("1", Type::U8), ("0", Type::U8), ("a", Type::U8)]);
    vec![
        ("unit", Type::Unit),
        ("boolean", Type::Bool),
        ("u8s", Type::U8),
        ("u16s", Type::U16),
        ("u32s", Type::U32),
        ("u64s", Type::U64),
        ("u128s", Type::U128),
        ("i8s", Type::I8),
        ("i16s", Type::I16),
        ("i32s", Type::I32),
        ("i64s", Type::I64),
        ("i128s", Type::I128),
        ("text", Type::String),
        ("account", Type::Address),
        ("digest", Type::Hash),
        ("maybe", Type::Option(boxed(&Type::U64))),
        ("maybe_maybe", Type::Option(Box::new(Type::Option(boxed(&Type::Bool))))),
        ("maybe_unit", Type::Option(boxed(&Type::Unit))),
        ("bytes", Type::List(boxed(&Type::U8))),
        ("list", Type::List(boxed(&Type::String))),
        ("lists", Type::List(Box::new(Type::List(boxed(&Type::I16))))),
        ("maybes", Type::List(Box::new(Type::Option(boxed(&Type::Address))))),
        ("signature", Type::Array(boxed(&Type::U8), 64)),
        ("array", Type::Array(boxed(&Type::U128), 3)),
        ("nothing", Type::Array(boxed(&Type::Hash), 0)),
        ("tuple0", tuple(0)),
        ("tuple1", tuple(1)),
        ("tuple12", tuple(12)),
        ("tuple13", tuple(13)),
        ("tuple30", tuple(30)),
        ("empty", shape("Empty", &[])),
        ("odd", odd),
        ("pair", pair.clone()),
        ("point", point),
        ("other_point", other_point),
        ("side", side),
        ("order", order.clone()),
        ("named_like_a_type", shape("String", &[("Vec", Type::List(Box::new(order.clone())))])),
        ("deep", Type::List(Box::new(Type::Tuple(vec![pair, Type::Option(boxed(&order))])))),
    ]
}

fn errors() -> Vec<ErrorSet> {
    let case = |name: &str, code| ErrorCase { name: name.into(), code, doc: HOSTILE_DOC.into() };
    vec![
        ErrorSet { name: "Refusal".into(), cases: vec![case("Never", 100), case("Self", 101)] },
        // Another of the same name.
        ErrorSet {
            name: "Refusal".into(),
            cases: vec![case("Always", 100), case("type", 4_000_000_000)],
        },
    ]
}

/// The contract.
pub(crate) fn abi() -> Abi {
    let method = |name: &str, kind, params, returns, error| Method {
        name: name.into(),
        doc: HOSTILE_DOC.into(),
        kind,
        params,
        returns,
        error,
        access: Vec::new(),
    };
    let (types, errors) = (types(), errors().into_iter().map(Arc::new).collect::<Vec<_>>());
    let mut methods: Vec<Method> = types
        .iter()
        .enumerate()
        .map(|(i, (name, ty))| {
            let params = members([("value", ty.clone()), ("again", ty.clone())]);
            method(name, MethodKind::Call, params, ty.clone(), errors.get(i % 3).cloned())
        })
        .collect();
    let words = WORDS.iter().map(|word| {
        method(word, MethodKind::View, members([(*word, Type::U32)]), Type::Unit, None)
    });
    methods.extend(words);
    let of_words = || members(WORDS.iter().map(|word| (*word, Type::U8)));
    methods.push(method("words", MethodKind::View, of_words(), Type::Unit, None));
    let init = members([("wasm", Type::U64), ("self", Type::String)]);
    methods.push(method("init", MethodKind::Init, init, Type::Unit, None));
    let migrate = members([("authority", Type::U64), ("allow_wider", Type::Bool)]);
    methods.push(method("migrate", MethodKind::Migrate, migrate, Type::Unit, None));
    let event = |name: &str, fields| Event { name: name.into(), doc: HOSTILE_DOC.into(), fields };
    let all = types.iter().map(|(name, ty)| (*name, ty.clone()));
    let positions = members([("0", Type::I8), ("1", Type::Address)]);
    Abi {
        name: "Shapes".into(),
        doc: HOSTILE_DOC.into(),
        fields: Vec::new(),
        methods,
        events: vec![
            event("All", members(all)),
            event("Event", of_words()),
            event("Nothing", Vec::new()),
            event("Option", positions),
        ],
        interfaces: Vec::new(),
        allowances: Vec::new(),
    }
}
