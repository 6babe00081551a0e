//! What loaded code takes of memory, beside its machine code.

use std::sync::Arc;

use kempe_abi::{Abi, Clause, ErrorCase, Expr, Field, Member, Method, Type, Variant};

use super::admission::Admitted;

/// What any code counts, however small: its pages, two mappings of memory, and what the engine knows of it. Ours to choose.
const CODE_BYTES: u64 = 64 * 1024;

/// About how many bytes admitted code takes beside its machine code, its wasm and its image. A byte of an ABI can stand for a type or
/// an expression, which takes fifty; errors that many methods name are there once.
pub(super) fn bytes_of(admitted: &Admitted) -> u64 {
    CODE_BYTES + admitted.sizes.abi_bytes + of_abi(&admitted.abi) as u64
}

fn of_abi(abi: &Abi) -> usize {
    let fields: usize = abi.fields.iter().map(of_field).sum();
    let methods: usize = abi.methods.iter().map(of_method).sum();
    let events: usize = abi.events.iter().map(|event| of_members(&event.fields)).sum();
    let cases = abi.methods.iter().filter_map(|method| method.error.as_ref());
    // Counted once for each set, not for each method.
    let mut sets: Vec<_> = cases.map(|set| (Arc::as_ptr(set), set.cases.len())).collect();
    sets.sort_unstable();
    sets.dedup();
    let errors: usize = sets.iter().map(|(_, n_cases)| n_cases * size_of::<ErrorCase>()).sum();
    fields + methods + events + errors
}

fn of_field(field: &Field) -> usize {
    size_of::<Field>() + of_types(&field.keys) + of_type(&field.value)
}

fn of_method(method: &Method) -> usize {
    let clauses: usize = method.access.iter().map(of_clause).sum();
    size_of::<Method>() + of_members(&method.params) + of_type(&method.returns) + clauses
}

fn of_types(types: &[Type]) -> usize {
    types.iter().map(of_type).sum()
}

fn of_members(members: &[Member]) -> usize {
    members.iter().map(|member| size_of::<Member>() + of_type(&member.ty)).sum()
}

fn of_type(ty: &Type) -> usize {
    let of_variant = |variant: &Variant| size_of::<Variant>() + of_members(&variant.fields);
    size_of::<Type>()
        + match ty {
            Type::Option(inner) | Type::List(inner) | Type::Array(inner, _) => of_type(inner),
            Type::Tuple(types) => of_types(types),
            Type::Struct(_, members) => of_members(members),
            Type::Enum(_, variants) => variants.iter().map(of_variant).sum(),
            _ => 0,
        }
}

fn of_clause(clause: &Clause) -> usize {
    size_of::<Clause>()
        + match clause {
            Clause::Touch { key, .. } | Clause::Start { key, .. } | Clause::Unless { key, .. } => {
                of_exprs(key)
            }
            Clause::Call { callee, args, .. } => of_expr(callee) + of_exprs(args),
            Clause::Each { list, clauses } => {
                of_expr(list) + clauses.iter().map(of_clause).sum::<usize>()
            }
            Clause::Reserve { key, amount, floor, .. } => {
                of_exprs(key) + of_expr(amount) + of_expr(floor)
            }
            Clause::Dynamic => 0,
        }
}

fn of_exprs(exprs: &[Expr]) -> usize {
    exprs.iter().map(of_expr).sum()
}

fn of_expr(expr: &Expr) -> usize {
    size_of::<Expr>()
        + match expr {
            Expr::Member(inner, _) | Expr::Shard(inner, _) => of_expr(inner),
            Expr::Hash(parts) | Expr::Tuple(parts) => of_exprs(parts),
            _ => 0,
        }
}
