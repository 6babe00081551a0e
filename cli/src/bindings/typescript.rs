//! The client in TypeScript: a package of modules with declarations, without dependencies.
//!
//! The package is JavaScript with declarations beside it, so that nothing has to be compiled before
//! it is used.

use std::collections::BTreeMap;
use std::fmt::Write;

use kempe_abi::{
    Abi, AccessKind, Decode, ErrorSet, Event, Member, Method, MethodId, MethodKind, TrapKind, Type,
};
use kempe_runtime::types::{ACTIONS_MAX, LIST_ENTRIES_MAX, SIGNATURE_DOMAIN, TX_BYTES_MAX, TX_KEY};
use serde::Serialize;
use serde_json::{Value, json};

use super::names::{JAVASCRIPT_KEYWORDS, Names, TYPESCRIPT_KEYWORDS};
use super::{BindingsError, ErrorSets, NamedTypes, are_positions, check, doc_lines, methods, once};
use crate::value::is_nullable;

const RUNTIME: &str = include_str!("../../template/typescript/kempe.js");
const DECLARATIONS: &str = include_str!("../../template/typescript/kempe.d.ts");

/// Names that the generated code means by what everybody means by them.
const GLOBAL: &[&str] = &[
    "ABI",
    "Action",
    "Address",
    "Array",
    "BigInt",
    "Boolean",
    "Call",
    "Contract",
    "Event",
    "EventRecord",
    "Hash",
    "Infinity",
    "NaN",
    "Number",
    "Object",
    "Record",
    "String",
    "Symbol",
    "Uint8Array",
    "globalThis",
];

/// What every object has, or what gives it a meaning of its own.
const MEMBERS: &[&str] = &[
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "then",
    "toJSON",
    "toLocaleString",
    "toString",
    "valueOf",
];

/// A file of the package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub contents: String,
}

/// The files of a package with clients of contracts: `kempe.js`, one module for each, named like the
/// contract in lower case, and `package.json`.
///
/// # Errors
/// [`BindingsError`] for an ABI that no admitted contract has, or of whose types no value can exist.
pub fn typescript(abis: &[Abi]) -> Result<Vec<File>, BindingsError> {
    let file = |name: &str, contents: String| File { name: name.into(), contents };
    let mut files = vec![
        file("kempe.js", RUNTIME.replace("{{protocol}}", &format!("{:#}", protocol()))),
        file("kempe.d.ts", DECLARATIONS.replace("{{access_kind}}", &access_kind())),
    ];
    let (mut scope, mut modules) = (Names::without(&[&["kempe"]]), Vec::new());
    for abi in abis {
        check(abi)?;
        let module = scope.take(&abi.name.to_ascii_lowercase());
        let writer = Writer::new(abi);
        files.push(file(&format!("{module}.js"), writer.code()));
        files.push(file(&format!("{module}.d.ts"), writer.declarations()));
        modules.push(module);
    }
    files.push(file("package.json", manifest(&modules).text()));
    Ok(files)
}

/// What the common part must know of the chain.
fn protocol() -> Value {
    let traps = TrapKind::ALL.iter().map(
        |kind| json!({ "code": kind.code(), "name": format!("{kind:?}"), "text": kind.describe() }),
    );
    let kinds: Vec<&str> = access_kinds().map(AccessKind::word).collect();
    json!({
        "tx_key": hex::encode(TX_KEY),
        "signature_domain": hex::encode(SIGNATURE_DOMAIN),
        "tx_bytes_max": TX_BYTES_MAX,
        "actions_max": ACTIONS_MAX,
        "list_entries_max": LIST_ENTRIES_MAX,
        "access_kinds": kinds,
        "traps": traps.collect::<Vec<_>>(),
    })
}

/// Every kind, in the order of the bytes that stand for them, from 0.
fn access_kinds() -> impl Iterator<Item = AccessKind> {
    (0..=u8::MAX).map_while(|byte| AccessKind::try_from_slice(&[byte]).ok())
}

fn access_kind() -> String {
    access_kinds().map(|kind| format!("\"{}\"", kind.word())).collect::<Vec<_>>().join(" | ")
}

/// `package.json`, in the order in which tools expect it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    name: String,
    version: &'static str,
    private: bool,
    r#type: &'static str,
    exports: BTreeMap<String, Export>,
    engines: Engines,
    side_effects: bool,
}

impl Manifest {
    fn text(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("it is texts and truth values") + "\n"
    }
}

/// One way into the package. The first entry that a tool understands counts, so types come before the rest.
#[derive(Serialize)]
struct Export {
    types: String,
    default: String,
}

#[derive(Serialize)]
struct Engines {
    node: &'static str,
}

fn manifest(modules: &[String]) -> Manifest {
    let name = match modules {
        [module] => format!("kempe-{module}"),
        _ => "kempe-contracts".to_owned(),
    };
    let export = |module: &str| {
        let path = if module == "kempe" { ".".to_owned() } else { format!("./{module}") };
        (path, Export { types: format!("./{module}.d.ts"), default: format!("./{module}.js") })
    };
    let exports = std::iter::once("kempe").chain(modules.iter().map(|module| &**module));
    Manifest {
        name,
        version: "0.0.0",
        private: true,
        r#type: "module",
        exports: exports.map(export).collect(),
        engines: Engines { node: ">=20" },
        side_effects: false,
    }
}

struct Writer<'a> {
    abi: &'a Abi,
    class: String,
    named: NamedTypes<'a>,
    errors: ErrorSets<'a>,
}

impl<'a> Writer<'a> {
    fn new(abi: &'a Abi) -> Self {
        let mut scope = Names::without(&[JAVASCRIPT_KEYWORDS, TYPESCRIPT_KEYWORDS, GLOBAL]);
        let class = scope.take(&abi.name);
        let named = NamedTypes::of(abi, &mut scope);
        let errors = ErrorSets::of(abi, &mut scope);
        Self { abi, class, named, errors }
    }

    /// The methods with their names in the class.
    fn methods(&self) -> impl Iterator<Item = (String, &'a Method)> {
        let mut scope = Names::without(&[MEMBERS]);
        methods(self.abi).map(move |method| (scope.take(&method.name), method))
    }

    fn code(&self) -> String {
        let mut out = format!(
            "{}import {{ Contract }} from \"./kempe.js\";\n\n\
             const ABI = {};\n\n\
             export class {} extends Contract {{\n  static $abi = ABI;\n",
            banner(self.abi),
            described(self.abi),
            self.class
        );
        for (name, method) in self.methods() {
            let text = quoted(&method.name);
            put(&mut out, format_args!("\n  {name}(...values) {{\n"));
            put(&mut out, format_args!("    return this.$call({text}, values);\n  }}\n"));
        }
        out.push_str("}\n");
        out
    }

    fn declarations(&self) -> String {
        let mut out = format!(
            "{}import type {{ Action, Address, Call, EventRecord, Hash }} from \"./kempe.js\";\n\
             import {{ Contract }} from \"./kempe.js\";\n",
            banner(self.abi)
        );
        for (ty, name) in &self.named.found {
            match ty {
                Type::Struct(_, fields) => {
                    let fields = self.fields(fields);
                    put(&mut out, format_args!("\nexport type {name} = {fields};\n"));
                }
                Type::Enum(_, variants) => {
                    let is_plain = variants.iter().all(|variant| variant.fields.is_empty());
                    let variants = variants.iter().map(|variant| {
                        let kind = quoted(&variant.name);
                        match variant.fields.is_empty() {
                            true if is_plain => kind,
                            true => format!("{{ kind: {kind} }}"),
                            false => {
                                format!(
                                    "{{ kind: {kind}; value: {} }}",
                                    self.fields(&variant.fields)
                                )
                            }
                        }
                    });
                    union(&mut out, name, variants.map(|text| (String::new(), text)));
                }
                _ => {}
            }
        }
        for (set, name) in &self.errors.found {
            error_set(&mut out, name, set);
        }
        self.event(&mut out, &self.abi.events);
        self.class(&mut out);
        out
    }

    fn event(&self, out: &mut String, events: &[Event]) {
        out.push_str("\n/** What the contract tells. */");
        let event = |event: &Event| {
            let fields = self.fields(&event.fields);
            let kind = quoted(&event.name);
            let text = format!("{{ kind: {kind}; contract: Address; value: {fields} }}");
            (comment("  ", &event.doc), text)
        };
        union(out, "Event", events.iter().map(event));
    }

    fn class(&self, out: &mut String) {
        let (class, doc) = (&self.class, comment("", &self.abi.doc));
        put(out, format_args!("\n{doc}export class {class} extends Contract<Event> {{\n"));
        let mut once = |kind, what: &str, start: &str, own: &[&str]| {
            let (params, doc) = once(self.abi, kind);
            let params = self.params(params, Names::without(&[JAVASCRIPT_KEYWORDS, own]));
            let params = if params.is_empty() { params } else { format!(", {params}") };
            let doc = comment("  ", &format!("{what} {doc}"));
            put(out, format_args!("{doc}  {start}{params}): Action;\n"));
        };
        once(
            MethodKind::Init,
            "Deploys the contract. The authority may replace the code later; nobody, ever, if it is null.",
            "static $deploy(wasm: Uint8Array, authority: Address | null",
            &["wasm", "authority"],
        );
        once(
            MethodKind::Migrate,
            "Replaces the code by the one that this client is of. The authority may do so again; \
             nobody, ever, if it is null.",
            "$upgrade(wasm: Uint8Array, allow_wider: boolean, authority: Address | null",
            &["wasm", "allow_wider", "authority"],
        );
        out.push_str("  /** The event of a record; undefined if it is another contract's. */\n");
        out.push_str("  static $event(record: EventRecord): Event | undefined;\n");
        for (name, method) in self.methods() {
            let params = self.params(&method.params, Names::without(&[JAVASCRIPT_KEYWORDS]));
            let returns = self.ty(&method.returns);
            let error = method.error.as_ref().map_or("never", |set| self.errors.name(set));
            let doc = comment("  ", &method.doc);
            put(out, format_args!("{doc}  {name}({params}): Call<{returns}, {error}>;\n"));
        }
        out.push_str("}\n");
    }

    fn params(&self, params: &[Member], mut scope: Names) -> String {
        let param = |param: &Member| format!("{}: {}", scope.take(&param.name), self.ty(&param.ty));
        params.iter().map(param).collect::<Vec<_>>().join(", ")
    }

    fn ty(&self, ty: &Type) -> String {
        match ty {
            Type::Unit => "null".into(),
            Type::Bool => "boolean".into(),
            Type::U8 | Type::U16 | Type::U32 | Type::I8 | Type::I16 | Type::I32 => "number".into(),
            Type::U64 | Type::U128 | Type::I64 | Type::I128 => "bigint".into(),
            Type::String => "string".into(),
            Type::Address => "Address".into(),
            Type::Hash => "Hash".into(),
            Type::Option(inner) if is_nullable(inner) => {
                format!("{{ some: {} }} | null", self.ty(inner))
            }
            Type::Option(inner) => format!("{} | null", self.ty(inner)),
            Type::List(inner) | Type::Array(inner, _) if **inner == Type::U8 => "Uint8Array".into(),
            Type::List(inner) | Type::Array(inner, _) => format!("Array<{}>", self.ty(inner)),
            Type::Tuple(members) => {
                let members: Vec<_> = members.iter().map(|member| self.ty(member)).collect();
                format!("[{}]", members.join(", "))
            }
            Type::Struct(..) | Type::Enum(..) => self.named.name(ty).to_owned(),
        }
    }

    fn fields(&self, fields: &[Member]) -> String {
        let field = |field: &Member| match are_positions(fields) {
            true => self.ty(&field.ty),
            false => format!("{}: {}", quoted_unless_plain(&field.name), self.ty(&field.ty)),
        };
        let listed: Vec<String> = fields.iter().map(field).collect();
        match (are_positions(fields), fields.is_empty()) {
            (true, _) => format!("[{}]", listed.join(", ")),
            (false, true) => "Record<string, never>".into(),
            (false, false) => format!("{{ {} }}", listed.join("; ")),
        }
    }
}

/// The line that every module of a contract begins with.
fn banner(abi: &Abi) -> String {
    format!("// A client of the contract `{}`. {WRITTEN}\n\n", abi.name)
}

/// Whether a file's text is a module of a contract that was written here.
#[must_use]
pub fn is_module(text: &str) -> bool {
    text.starts_with("// A client of the contract `")
        && text.lines().next().is_some_and(|line| line.ends_with(WRITTEN))
}

/// Whether a file of a package, by its name and how it begins, was written here, and not by somebody who has
/// another use for the name.
#[must_use]
pub fn is_ours(name: &str, head: &str) -> bool {
    match name {
        "kempe.js" | "kempe.d.ts" => {
            head.contains("The common part of bindings to Kempe contracts")
        }
        "package.json" => {
            head.starts_with("{\n  \"name\": \"kempe-") && head.contains("\"./kempe.d.ts\"")
        }
        _ => is_module(head),
    }
}

/// What says that a file is nobody's to change.
const WRITTEN: &str = "Written by `kempe bindings typescript`; changes are lost.";

/// The ABI as the common part reads it, a line for each method and event. Lists of pairs, not objects:
/// a name may be `__proto__`.
fn described(abi: &Abi) -> String {
    let method = |method: &Method| {
        let errors = method.error.iter().flat_map(|set| &set.cases);
        let errors = errors.map(|case| json!({ "kind": case.name, "code": case.code }));
        json!({
            "name": method.name,
            "id": MethodId::of(&method.name).0,
            "params": described_fields(&method.params),
            "returns": described_type(&method.returns),
            "errors": errors.collect::<Vec<_>>(),
        })
    };
    let event = |event: &Event| {
        json!({
            "name": event.name,
            "id": event.id(),
            "fields": described_fields(&event.fields),
        })
    };
    let mut out = "{\n".to_owned();
    let mut list = |name: &str, items: Vec<Value>| {
        put(&mut out, format_args!("  {name}: [\n"));
        items.iter().for_each(|item| put(&mut out, format_args!("    {item},\n")));
        out.push_str("  ],\n");
    };
    list("methods", abi.methods.iter().map(method).collect());
    list("events", abi.events.iter().map(event).collect());
    out.push('}');
    out
}

fn described_fields(fields: &[Member]) -> Value {
    fields.iter().map(|field| json!([field.name, described_type(&field.ty)])).collect()
}

fn described_type(ty: &Type) -> Value {
    match ty {
        Type::Unit => json!("unit"),
        Type::Option(inner) => json!({ "option": described_type(inner) }),
        Type::List(inner) => json!({ "list": described_type(inner) }),
        Type::Array(inner, n) => json!({ "array": described_type(inner), "length": n }),
        Type::Tuple(members) => {
            json!({ "tuple": members.iter().map(described_type).collect::<Vec<_>>() })
        }
        Type::Struct(name, fields) => json!({ "name": name, "struct": described_fields(fields) }),
        Type::Enum(name, variants) => {
            let variant = |variant: &kempe_abi::Variant| {
                json!([variant.name, described_fields(&variant.fields)])
            };
            json!({ "name": name, "enum": variants.iter().map(variant).collect::<Vec<_>>() })
        }
        primitive => json!(primitive.to_string()),
    }
}

fn error_set(out: &mut String, name: &str, set: &ErrorSet) {
    out.push_str("\n/** Why methods refuse. */");
    let case = |case: &kempe_abi::ErrorCase| {
        let text = format!("{{ kind: {}; code: {} }}", quoted(&case.name), case.code);
        (comment("  ", &case.doc), text)
    };
    union(out, name, set.cases.iter().map(case));
}

/// A union of types, each with its comment on a line before it.
fn union(out: &mut String, name: &str, cases: impl Iterator<Item = (String, String)>) {
    put(out, format_args!("\nexport type {name} ="));
    let mut is_empty = true;
    for (comment, text) in cases {
        put(out, format_args!("\n{comment}  | {text}"));
        is_empty = false;
    }
    out.push_str(if is_empty { " never;\n" } else { ";\n" });
}

/// A documentation comment and the end of its line; nothing for an empty text.
fn comment(indent: &str, text: &str) -> String {
    let lines: Vec<String> = doc_lines(text).map(|line| line.replace("*/", "*\\/")).collect();
    match &*lines {
        [] => String::new(),
        [line] if line.is_empty() => String::new(),
        [line] => format!("{indent}/** {line} */\n"),
        lines => {
            let lines =
                lines.iter().map(|line| format!("{indent} * {line}").trim_end().to_owned() + "\n");
            format!("{indent}/**\n{}{indent} */\n", lines.collect::<String>())
        }
    }
}

/// A string literal: JSON's are JavaScript's.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn quoted_unless_plain(name: &str) -> String {
    let is_number = name.starts_with(|c: char| c.is_ascii_digit());
    if is_number { quoted(name) } else { name.to_owned() }
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a string does not fail");
}
