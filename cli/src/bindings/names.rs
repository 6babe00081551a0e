//! Names in generated code: an identifier of the ABI, unless it is taken there.

use std::collections::BTreeSet;

/// What cannot be a name in Rust of the edition 2024.
#[rustfmt::skip]
pub(crate) const RUST_KEYWORDS: &[&str] = &[
    "Self", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue",
    "crate", "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if",
    "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub",
    "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// What cannot be a name in JavaScript: in modules, which are strict.
#[rustfmt::skip]
pub(super) const JAVASCRIPT_KEYWORDS: &[&str] = &[
    "arguments", "await", "break", "case", "catch", "class", "const", "continue", "debugger",
    "default", "delete", "do", "else", "enum", "eval", "export", "extends", "false", "finally",
    "for", "function", "if", "implements", "import", "in", "instanceof", "interface", "let", "new",
    "null", "package", "private", "protected", "public", "return", "static", "super", "switch",
    "this", "throw", "true", "try", "typeof", "var", "void", "while", "with", "yield",
];

/// What cannot be the name of a type in TypeScript either, or is better none.
#[rustfmt::skip]
pub(super) const TYPESCRIPT_KEYWORDS: &[&str] = &[
    "abstract", "any", "as", "asserts", "async", "bigint", "boolean", "constructor", "declare",
    "from", "get", "infer", "is", "keyof", "module", "namespace", "never", "number", "object", "of",
    "readonly", "require", "set", "string", "symbol", "type", "undefined", "unique", "unknown",
];

/// The names of one scope.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    taken: BTreeSet<String>,
}

impl Names {
    /// A scope in which these names are taken.
    pub(super) fn without(taken: &[&[&str]]) -> Self {
        Self { taken: taken.iter().flat_map(|names| names.iter()).map(|&n| n.to_owned()).collect() }
    }

    /// The name, with as many `_` behind it as make it free, and one before a digit; it is taken
    /// from now on.
    pub(super) fn take(&mut self, name: &str) -> String {
        let digit = name.starts_with(|c: char| c.is_ascii_digit());
        let mut name = if digit { format!("_{name}") } else { name.to_owned() };
        while !self.taken.insert(name.clone()) {
            name.push('_');
        }
        name
    }
}
