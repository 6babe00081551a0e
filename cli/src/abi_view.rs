//! A contract's ABI for people: methods and what they touch, in the contract's own words.

use std::fmt::Write;

use kempe_abi::{
    Abi, AccessKind, CellKind, Clause, Expr, Field, Interface, Member, Method, MethodKind, Param,
    Type,
};

use crate::value;

/// The widest first column of a table: what a stranger names does not push the second off the screen, and a format
/// takes no width of more than 65,535.
pub(crate) const COLUMN_CHARS_MAX: usize = 100;

/// The whole ABI: fields, methods with their access templates, errors and events.
#[must_use]
pub fn render(abi: &Abi) -> String {
    let mut out = format!("contract {}\n", printable(&abi.name));
    write_doc(&mut out, "  ", &abi.doc);
    section(&mut out, "interfaces", abi.interfaces.iter().map(|found| (interface_line(found), "")));
    section(&mut out, "state", abi.fields.iter().map(|field| (field_line(field), &*field.doc)));
    out.push_str("\nmethods\n");
    for (i, method) in abi.methods.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        write_method(&mut out, abi, method);
    }
    let errors = abi.methods.iter().filter_map(|method| method.error.as_ref());
    let mut cases: Vec<_> = errors.flat_map(|set| &set.cases).collect();
    cases.sort_by_key(|case| case.code);
    cases.dedup();
    let case = |case: &kempe_abi::ErrorCase| format!("{:>5}  {}", case.code, printable(&case.name));
    section(&mut out, "errors", cases.iter().map(|found| (case(found), &*found.doc)));
    section(&mut out, "events", abi.events.iter().map(|found| (event_line(found), &*found.doc)));
    out
}

/// `Moved {from: Address, n: u64}`.
pub(crate) fn event_line(event: &kempe_abi::Event) -> String {
    format!("{} {{{}}}", printable(&event.name), members(&event.fields))
}

/// An interface's identifier and name.
pub(crate) fn interface_line(interface: &Interface) -> String {
    format!("{}  {}", interface.id(), printable(&interface.name))
}

fn section<'a>(out: &mut String, title: &str, lines: impl Iterator<Item = (String, &'a str)>) {
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() {
        return;
    }
    let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or_default();
    let width = width.min(COLUMN_CHARS_MAX);
    put(out, format_args!("\n{title}\n"));
    for (line, doc) in lines {
        let doc = doc.lines().next().unwrap_or_default().trim();
        let shown = format!("  {line:width$}  {}", printable(doc));
        put(out, format_args!("{}\n", shown.trim_end()));
    }
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a string does not fail");
}

fn write_doc(out: &mut String, indent: &str, doc: &str) {
    for line in doc.lines().take_while(|line| !line.trim().is_empty()) {
        put(out, format_args!("{indent}{}\n", printable(line.trim())));
    }
}

/// The ABI is a stranger's: its texts must not move the cursor, start a line, or change the order in which others
/// are read. What would is escaped, as are all characters that cannot be seen.
pub(crate) fn printable(text: &str) -> String {
    const QUOTES: [char; 3] = ['"', '\'', '\\'];
    let mut shown = String::new();
    for part in text.split_inclusive(QUOTES) {
        let plain = part.strip_suffix(QUOTES).unwrap_or(part);
        shown.extend(plain.escape_debug());
        shown.push_str(&part[plain.len()..]);
    }
    shown
}

/// A field: `counter supply: u128`.
pub(crate) fn field_line(field: &Field) -> String {
    let kind = match field.cell {
        CellKind::Value => "",
        CellKind::Counter => "counter ",
        CellKind::Immutable => "immutable ",
        CellKind::Maximum => "maximum ",
        CellKind::Minimum => "minimum ",
        CellKind::Stock => "stock ",
        CellKind::Log => "log ",
    };
    let keys = field.keys.iter().map(|key| format!("[{key}]")).collect::<String>();
    format!("{kind}{}{keys}: {}", printable(&field.name), printable(&field.value.to_string()))
}

fn members(members: &[Member]) -> String {
    let member = |m: &Member| printable(&format!("{}: {}", m.name, m.ty));
    members.iter().map(member).collect::<Vec<_>>().join(", ")
}

fn write_method(out: &mut String, abi: &Abi, method: &Method) {
    let kind = match method.kind {
        MethodKind::Init => "init",
        MethodKind::Call => "call",
        MethodKind::View => "view",
        MethodKind::Migrate => "migrate",
    };
    put(out, format_args!("  {kind} {}\n", signature(method)));
    write_doc(out, "       ", &method.doc);
    for line in access_lines(abi, method) {
        put(out, format_args!("       touches  {line}\n"));
    }
}

/// The signature of a method: `transfer(to: address, amount: u128) -> bool`.
#[must_use]
pub fn signature(method: &Method) -> String {
    let returns = match &method.returns {
        Type::Unit => String::new(),
        ty => printable(&format!(" -> {ty}")),
    };
    format!("{}({}){returns}", printable(&method.name), members(&method.params))
}

/// The access template of a method as it stands in `#[access(...)]`, one line for each kind:
/// `write(balances[caller], balances[to])`. A method that touches nothing has no line.
#[must_use]
pub fn access_lines(abi: &Abi, method: &Method) -> Vec<String> {
    View { abi, params: &method.params }.lines(&method.access)
}

/// One clause of a method with these parameters: `write(balances[to])`.
#[must_use]
pub fn clause(abi: &Abi, params: &[Param], clause: &Clause) -> String {
    View { abi, params }.lines(std::slice::from_ref(clause)).concat()
}

struct View<'a> {
    abi: &'a Abi,
    params: &'a [Param],
}

impl View<'_> {
    fn lines(&self, clauses: &[Clause]) -> Vec<String> {
        let mut lines = Vec::new();
        for word in ["read", "add", "max", "min", "append", "write"] {
            let cells = clauses.iter().filter_map(|clause| match clause {
                Clause::Touch { kind, field, key } if self.word(*kind, *field) == word => {
                    Some(self.cell(*field, key))
                }
                _ => None,
            });
            lines.extend(joined(word, cells));
        }
        let starts = clauses.iter().filter_map(|clause| match clause {
            Clause::Start { field, key } => Some(self.cell(*field, key)),
            _ => None,
        });
        lines.extend(joined("start", starts));
        let guards = clauses.iter().filter_map(|clause| match clause {
            Clause::Unless { field, key } => Some(self.cell(*field, key)),
            _ => None,
        });
        lines.extend(joined("unless", guards));
        // Each stands for itself, because its numbers stand behind its cell.
        lines.extend(clauses.iter().filter_map(|clause| match clause {
            Clause::Reserve { field, key, amount, floor } => {
                Some(self.reserve(*field, key, amount, floor))
            }
            _ => None,
        }));
        let calls = clauses.iter().filter_map(|clause| match clause {
            Clause::Call { callee, method, args } => {
                let args = self.exprs(args);
                Some(format!("{}.{}({args})", self.expr(callee, None), printable(method)))
            }
            _ => None,
        });
        lines.extend(joined("calls", calls));
        for clause in clauses {
            match clause {
                Clause::Each { list, clauses } => {
                    let inner = self.lines(clauses).join(", ");
                    lines.push(format!("each({}, {inner})", self.expr(list, None)));
                }
                Clause::Dynamic => lines.push("dynamic".into()),
                Clause::Touch { .. }
                | Clause::Start { .. }
                | Clause::Unless { .. }
                | Clause::Reserve { .. }
                | Clause::Call { .. } => {}
            }
        }
        lines
    }

    fn word(&self, kind: AccessKind, field: u8) -> &'static str {
        let field = self.abi.fields.get(usize::from(field));
        field.map_or(CellKind::Value, |field| field.cell).word(kind)
    }

    fn cell(&self, field: u8, key: &[Expr]) -> String {
        let field_number = field;
        let Some(field) = self.abi.fields.get(usize::from(field)) else {
            return format!("field {field_number}");
        };
        if key.is_empty() {
            return printable(&field.name);
        }
        // A literal is only readable with the type that stands at its place.
        let part = |(i, expr): (usize, &Expr)| self.expr(expr, field.keys.get(i));
        let key = key.iter().enumerate().map(part).collect::<Vec<_>>().join(", ");
        format!("{}[{key}]", printable(&field.name))
    }

    fn reserve(&self, field: u8, key: &[Expr], amount: &Expr, floor: &Expr) -> String {
        let ty = self.abi.fields.get(usize::from(field)).map(|field| &field.value);
        let (cell, amount) = (self.cell(field, key), self.expr(amount, ty));
        match floor {
            Expr::Literal(bytes) if bytes.is_empty() => format!("reserve({cell}, {amount})"),
            floor => format!("reserve({cell}, {amount}, {})", self.expr(floor, ty)),
        }
    }

    fn exprs(&self, exprs: &[Expr]) -> String {
        exprs.iter().map(|expr| self.expr(expr, None)).collect::<Vec<_>>().join(", ")
    }

    fn expr(&self, expr: &Expr, ty: Option<&Type>) -> String {
        match expr {
            Expr::Caller => "caller".into(),
            Expr::This => "this".into(),
            Expr::Param(index) => self
                .params
                .get(usize::from(*index))
                .map_or_else(|| format!("parameter {index}"), |param| printable(&param.name)),
            Expr::Member(of, name) => format!("{}.{}", self.expr(of, None), printable(name)),
            Expr::Element => "element".into(),
            Expr::Literal(bytes) => ty
                .and_then(|ty| literal(ty, bytes))
                .unwrap_or_else(|| format!("0x{}", hex::encode(bytes))),
            Expr::Immutable(field) => self.cell(*field, &[]),
            Expr::Hash(parts) => format!("hash({})", self.exprs(parts)),
            Expr::Tuple(parts) => format!("({})", self.exprs(parts)),
            Expr::Open => "_".into(),
            Expr::Shard(of, shards) => format!("shard({}, {shards})", self.expr(of, None)),
        }
    }
}

/// A constant as it stands in a template: an integer with its type.
fn literal(ty: &Type, bytes: &[u8]) -> Option<String> {
    let text = value::display(ty, bytes, &()).ok()?;
    let suffix = if text.parse::<i128>().is_ok() || text.parse::<u128>().is_ok() {
        ty.to_string()
    } else {
        String::new()
    };
    Some(text + &suffix)
}

fn joined(word: &str, items: impl Iterator<Item = String>) -> Option<String> {
    let items: Vec<String> = items.collect();
    (!items.is_empty()).then(|| format!("{word}({})", items.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn abi() -> Abi {
        let member = |name: &str, ty| Member { name: name.into(), ty };
        let field = |name: &str, cell, keys: &[Type], value| Field {
            name: name.into(),
            doc: String::new(),
            cell,
            keys: keys.to_vec(),
            value,
        };
        let touch = |kind, field, key: &[Expr]| Clause::Touch { kind, field, key: key.to_vec() };
        let order = Type::Struct("Order".into(), vec![member("maker", Type::Address)]);
        let method = Method {
            name: "swap".into(),
            doc: "Swaps.\u{1b}[2J\n\nNot shown.".into(),
            kind: MethodKind::Call,
            params: vec![member("order", order), member("to", Type::List(Box::new(Type::Address)))],
            returns: Type::U128,
            error: None,
            access: vec![
                touch(AccessKind::Write, 1, &[Expr::Caller, Expr::Literal(vec![7, 0])]),
                touch(AccessKind::Read, 2, &[]),
                touch(
                    AccessKind::Write,
                    1,
                    &[Expr::Member(Box::new(Expr::Param(0)), "maker".into()), Expr::Open],
                ),
                Clause::Each {
                    list: Expr::Param(1),
                    clauses: vec![touch(AccessKind::Add, 2, &[])],
                },
                Clause::Call {
                    callee: Expr::Immutable(0),
                    method: "transfer".into(),
                    args: vec![
                        Expr::Hash(vec![Expr::This, Expr::Literal(vec![0xab])]),
                        Expr::Element,
                    ],
                },
                Clause::Dynamic,
            ],
        };
        Abi {
            interfaces: Vec::new(),
            allowances: Vec::new(),
            name: "Pool".into(),
            doc: "A pool.".into(),
            fields: vec![
                field("token", CellKind::Immutable, &[], Type::Address),
                field("shares", CellKind::Value, &[Type::Address, Type::U16], Type::U128),
                field("total", CellKind::Counter, &[], Type::U128),
            ],
            methods: vec![method],
            events: vec![],
        }
    }

    #[test]
    fn a_template_reads_as_it_was_written() {
        let abi = abi();
        assert_eq!(
            access_lines(&abi, &abi.methods[0]),
            [
                "read(total)",
                "write(shares[caller, 7u16], shares[order.maker, _])",
                "calls(token.transfer(hash(this, 0xab), element))",
                "each(to, add(total))",
                "dynamic",
            ]
        );
        assert_eq!(
            clause(&abi, &abi.methods[0].params, &abi.methods[0].access[0]),
            "write(shares[caller, 7u16])"
        );
    }

    #[test]
    fn a_clause_of_any_kind_has_its_word() {
        let mut abi = abi();
        for (cell, kind, expected) in [
            (CellKind::Value, AccessKind::Read, "read(total)"),
            (CellKind::Counter, AccessKind::Add, "add(total)"),
            (CellKind::Maximum, AccessKind::Add, "max(total)"),
            (CellKind::Minimum, AccessKind::Add, "min(total)"),
            (CellKind::Log, AccessKind::Add, "append(total)"),
            (CellKind::Stock, AccessKind::Add, "add(total)"),
            (CellKind::Log, AccessKind::Write, "write(total)"),
        ] {
            abi.fields[2].cell = cell;
            let touch = Clause::Touch { kind, field: 2, key: Vec::new() };
            assert_eq!(clause(&abi, &[], &touch), expected);
        }
    }

    #[test]
    fn the_view_has_every_part_and_no_control_characters() {
        let view = render(&abi());
        let expected = "\
contract Pool
  A pool.

state
  immutable token: address
  shares[address][u16]: u128
  counter total: u128

methods
  call swap(order: Order, to: list<address>) -> u128
       Swaps.\\u{1b}[2J
       touches  read(total)
";
        assert!(view.starts_with(expected), "{view}");
    }
}
