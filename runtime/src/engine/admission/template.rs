//! Declared templates against the code.

use kempe_abi::derive::guarded;
use kempe_abi::{Abi, AccessKind, Accumulate, CellKind, Clause, Expr, Method, MethodKind};

use super::imports::Host;
use super::limits;
use super::reach::Reach;
use super::refusal::{Name, Refusal};
use super::{AdmittedMethod, FieldReach};

/// What a template declares, clauses for each element included.
#[derive(Default)]
struct Declared {
    touches: Vec<(u8, AccessKind)>,
    starts: Vec<u8>,
    reserves: Vec<u8>,
    calls: bool,
    dynamic: bool,
}

impl Declared {
    fn add(&mut self, clauses: &[Clause]) {
        for clause in clauses {
            match clause {
                Clause::Touch { kind, field, .. } => self.touches.push((*field, *kind)),
                Clause::Call { .. } => self.calls = true,
                Clause::Each { clauses, .. } => self.add(clauses),
                Clause::Dynamic => self.dynamic = true,
                // It permits nothing.
                Clause::Unless { .. } => {}
                Clause::Start { field, .. } => self.starts.push(*field),
                Clause::Reserve { field, .. } => self.reserves.push(*field),
            }
        }
    }

    /// Whether some key of the field may be touched so. Which key is checked when it runs.
    fn permits(&self, field: u8, done: AccessKind) -> bool {
        self.dynamic || self.touches.iter().any(|&(f, kind)| f == field && kind.permits(done))
    }
}

/// Checks a method's template against what its exported function reaches.
pub(super) fn check(
    abi: &Abi,
    method: &Method,
    function: u32,
    reach: &Reach<'_>,
) -> Result<AdmittedMethod, Refusal> {
    consistent(abi, method)?;
    let mut declared = Declared::default();
    declared.add(&method.access);
    let reached = reach.of(function);
    for &host in &reached {
        permitted(abi, method, &declared, host, &|| reach.path(function, host))?;
    }
    Ok(summary(method, &reached))
}

fn permitted(
    abi: &Abi,
    method: &Method,
    declared: &Declared,
    host: Host,
    path: &dyn Fn() -> super::refusal::Path,
) -> Result<(), Refusal> {
    let name = || Name::new(&method.name);
    let view = method.kind == MethodKind::View;
    let (field, done, clause) = match host {
        Host::Get(field) => (field, AccessKind::Read, "read"),
        Host::Put(field) | Host::Remove(field) => (field, AccessKind::Write, "write"),
        Host::Start(field) => return start_permitted(abi, method, declared, field, path),
        Host::Add(field) => (field, AccessKind::Add, "add"),
        Host::Max(field) => (field, AccessKind::Add, "max"),
        Host::Min(field) => (field, AccessKind::Add, "min"),
        Host::Append(field) => (field, AccessKind::Add, "append"),
        Host::Reserve(field) => (field, AccessKind::Write, "reserve"),
        Host::Emit if view => {
            return Err(Refusal::ViewWrites {
                method: name(),
                import: "`emit`".into(),
                path: path(),
            });
        }
        Host::Call if !declared.calls && !declared.dynamic => {
            return Err(Refusal::UndeclaredCall { method: name(), path: path() });
        }
        Host::Emit | Host::Call | Host::Pure(_) => return Ok(()),
    };
    let cell = &abi.fields[usize::from(field)];
    let field_name = Name::new(&cell.name);
    let import = {
        let op = match host {
            Host::Get(_) => "get",
            Host::Put(_) => "put",
            Host::Remove(_) => "remove",
            _ => clause,
        };
        format!("`{op}` of `{field_name}`")
    };
    if view && done != AccessKind::Read {
        return Err(Refusal::ViewWrites { method: name(), import, path: path() });
    }
    // At deployment nobody else can know the contract's address, so `init` owns every field.
    if method.kind == MethodKind::Init {
        return Ok(());
    }
    if cell.cell == CellKind::Immutable {
        return match host {
            Host::Get(_) => Ok(()),
            // It sets those that the old code did not have.
            _ if method.kind == MethodKind::Migrate => Ok(()),
            _ => {
                let (method, path) = (name(), path());
                Err(Refusal::ImmutableWrite { method, field: field_name, import, path })
            }
        };
    }
    let reserves = matches!(host, Host::Reserve(_)) && declared.reserves.contains(&field);
    if !reserves && !declared.permits(field, done) {
        let (method, path) = (name(), path());
        return Err(Refusal::Undeclared { method, field: field_name, import, clause, path });
    }
    Ok(())
}

/// Whether the method may read what the field held before the block. Which key is not checked, also
/// when it runs: there is nothing that a wrong one could disturb.
fn start_permitted(
    abi: &Abi,
    method: &Method,
    declared: &Declared,
    field: u8,
    path: &dyn Fn() -> super::refusal::Path,
) -> Result<(), Refusal> {
    if method.kind == MethodKind::Init || declared.dynamic || declared.starts.contains(&field) {
        return Ok(());
    }
    let name = Name::new(&abi.fields[usize::from(field)].name);
    Err(Refusal::Undeclared {
        method: Name::new(&method.name),
        import: format!("`start` of `{name}`"),
        field: name,
        clause: "start",
        path: path(),
    })
}

fn summary(method: &Method, reached: &[Host]) -> AdmittedMethod {
    let mut out = AdmittedMethod {
        name: method.name.clone(),
        guards: guarded(&method.access),
        ..AdmittedMethod::default()
    };
    // One entry for each field, in order.
    let mut fields = std::collections::BTreeMap::<u8, FieldReach>::new();
    let mut entry = |field: u8, set: fn(&mut FieldReach)| {
        let entry = fields.entry(field).or_default();
        entry.field = field;
        set(entry);
    };
    for &host in reached {
        match host {
            Host::Get(field) => entry(field, |reach| reach.reads = true),
            Host::Start(field) => entry(field, |reach| reach.starts = true),
            Host::Put(field) | Host::Remove(field) => entry(field, |reach| reach.writes = true),
            Host::Add(field) | Host::Max(field) | Host::Min(field) | Host::Append(field) => {
                entry(field, |reach| reach.adds = true);
            }
            Host::Reserve(field) => entry(field, |reach| reach.reserves = true),
            Host::Emit => out.emits = true,
            Host::Call => out.calls = true,
            Host::Pure(word) => out.host.push(word),
        }
    }
    out.reach = fields.into_values().collect();
    out
}

/// Refuses a template that no call could ever fill.
fn consistent(abi: &Abi, method: &Method) -> Result<(), Refusal> {
    clauses(abi, method, &method.access, false)
        .map_err(|what| Refusal::Template { method: Name::new(&method.name), what })
}

fn clauses(abi: &Abi, method: &Method, list: &[Clause], each: bool) -> Result<(), &'static str> {
    let all = |exprs: &[Expr], each| exprs.iter().try_for_each(|e| expr(abi, method, e, each));
    list.iter().try_for_each(|clause| match clause {
        Clause::Touch { kind, field, key } => {
            let cell = abi.fields.get(usize::from(*field)).map(|field| field.cell);
            if *kind == AccessKind::Add && cell.and_then(Accumulate::of).is_none() {
                return Err("adds to a field in which nothing accumulates");
            }
            all(key, each)
        }
        Clause::Start { key, .. } => all(key, each),
        Clause::Unless { key, .. } => {
            if matches!(method.kind, MethodKind::Init | MethodKind::Migrate) {
                return Err("guards a method that nobody can call");
            }
            if key.iter().any(is_open) {
                return Err("guards by a key that is open");
            }
            all(key, each)
        }
        Clause::Reserve { key, amount, floor, .. } => {
            expr(abi, method, amount, each)?;
            expr(abi, method, floor, each)?;
            all(key, each)
        }
        Clause::Call { callee, method: name, args } => {
            is_name(name)?;
            expr(abi, method, callee, each)?;
            all(args, each)
        }
        Clause::Each { list, clauses: inner } => {
            expr(abi, method, list, each)?;
            clauses(abi, method, inner, true)
        }
        Clause::Dynamic => Ok(()),
    })
}

/// Whether something in the expression is not known before the call runs.
fn is_open(of: &Expr) -> bool {
    match of {
        Expr::Open => true,
        Expr::Member(inner, _) | Expr::Shard(inner, _) => is_open(inner),
        Expr::Hash(parts) | Expr::Tuple(parts) => parts.iter().any(is_open),
        Expr::Caller
        | Expr::This
        | Expr::Param(_)
        | Expr::Element
        | Expr::Literal(_)
        | Expr::Immutable(_) => false,
    }
}

/// Refuses names that nothing has: whoever derives a list looks for them each time.
fn is_name(name: &str) -> Result<(), &'static str> {
    let is_short = name.len() as u64 <= limits::NAME_BYTES.max;
    if is_short { Ok(()) } else { Err("has a name longer than any that is admitted") }
}

fn expr(abi: &Abi, method: &Method, of: &Expr, each: bool) -> Result<(), &'static str> {
    match of {
        Expr::Param(n) if usize::from(*n) >= method.params.len() => {
            Err("names a parameter that the method does not have")
        }
        Expr::Immutable(field) if !abi.is_cell(*field, CellKind::Immutable) => {
            Err("takes the value of a field that is not an immutable")
        }
        Expr::Element if !each => Err("names an element outside of `each`"),
        Expr::Member(inner, name) => {
            is_name(name)?;
            expr(abi, method, inner, each)
        }
        Expr::Shard(inner, _) => expr(abi, method, inner, each),
        Expr::Hash(parts) | Expr::Tuple(parts) => {
            parts.iter().try_for_each(|part| expr(abi, method, part, each))
        }
        _ => Ok(()),
    }
}
