//! Reads and writes that could be additions.
//!
//! A method is followed through every way twice, once with nothing in the cell and once with a value
//! that is not known. It could add if, and only if, for each way
//! - everything that the host sees is the same both times, apart from what is put into the cell;
//! - what is put is the value plus what is put where there is none;
//! - whatever looks at the value leads to a trap, and does so exactly where the sum, or the difference,
//!   does not fit the type: there a counter stops the transaction too.
//!
//! The first is decided on terms. The second and the third are decided by computing both sides for
//! [`SAMPLES`] choices of everything that is not known, each at every edge of the value's range.

use std::collections::BTreeMap;

use kempe_abi::{CellKind, MethodKind};

use super::super::Proved;
use super::paths::{self, Code, Done, Effect, Question, Walk};
use super::symbols::{Atom, Id, Terms};
use super::{View, unsigned_bytes};

/// How many choices of what is not known are computed.
const SAMPLES: u64 = 64;

/// The methods and fields where a read and a write could be an addition.
pub(super) fn find(proved: &Proved<'_>, views: &[View<'_>]) -> Vec<(usize, u8)> {
    let mut code = None;
    let mut found = Vec::new();
    for view in views.iter().filter(|view| view.method.kind == MethodKind::Call) {
        if view.is_dynamic() {
            continue;
        }
        for reach in &view.reached.reach {
            let field = view.field(reach.field);
            let Some(bytes) = unsigned_bytes(&field.value) else { continue };
            let changes = reach.reads && reach.writes && !reach.adds && !reach.starts;
            // What is added to a stock by hand may be taken from it by hand, too, and extremes are no sums.
            if !changes || !matches!(field.cell, CellKind::Value | CellKind::Counter) {
                continue;
            }
            let code = code.get_or_insert_with(|| paths::code(&proved.module));
            let function = proved.functions[view.index];
            if could_add(proved, code, function, reach.field, bytes).unwrap_or(false) {
                found.push((view.index, reach.field));
            }
        }
    }
    found
}

/// Whether the method could add to the field; `None` if it could not be followed.
fn could_add(
    proved: &Proved<'_>,
    code: &[Code<'_>],
    function: u32,
    field: u8,
    bytes: u32,
) -> Option<bool> {
    let mut terms = Terms::default();
    let mut walk = |present| {
        let question = Question { field, bytes, present };
        let (module, hosts) = (&proved.module, &*proved.hosts);
        Walk { module, hosts, code, terms: &mut terms, question }.all(function)
    };
    let (absent, present) = (walk(false)?, walk(true)?);
    let puts = |done: &Done| done.effects.iter().any(|e| matches!(e, Effect::Put { .. }));
    let same = absent.len() == present.len()
        && present.iter().any(puts)
        && absent.iter().zip(&present).all(|(absent, present)| {
            matches(&terms, absent, present)
                && change(absent, present).is_none_or(|change| change.is_addition(&terms, bytes))
        });
    Some(same)
}

/// Whether two ways are the same for everybody but the cell.
fn matches(terms: &Terms, absent: &Done, present: &Done) -> bool {
    let same = absent.effects.len() == present.effects.len()
        && absent.effects.iter().zip(&present.effects).all(|pair| match pair {
            (Effect::Put { key: a, .. }, Effect::Put { key: b, .. }) => a == b,
            (a, b) => a == b,
        });
    let free = |(condition, _): &&(Id, bool)| !terms.sees_stored(*condition);
    let known =
        present.conditions.iter().filter(free).all(|found| absent.conditions.contains(found));
    same && known && absent.result == present.result && in_one_cell(&present.effects)
}

/// Whether the cell is read once and then written once, or neither.
fn in_one_cell(effects: &[Effect]) -> bool {
    let of_field = effects.iter().filter(|effect| !matches!(effect, Effect::Other { .. }));
    match &*of_field.collect::<Vec<_>>() {
        [] => true,
        [Effect::Get { key: read }, Effect::Put { key: written, .. }] => read == written,
        _ => false,
    }
}

/// What a way puts into the cell.
struct Change<'d> {
    /// Where there was nothing: what is added.
    absent: &'d [Id],
    /// Where there was a value.
    present: &'d [Id],
    /// What looks at the value on the way, and how it decided.
    guards: Vec<(Id, bool)>,
}

fn change<'d>(absent: &'d Done, present: &'d Done) -> Option<Change<'d>> {
    let put = |done: &'d Done| {
        done.effects.iter().find_map(|effect| match effect {
            Effect::Put { value, .. } => Some(&**value),
            _ => None,
        })
    };
    let guards = present.conditions.clone();
    Some(Change { absent: put(absent)?, present: put(present)?, guards })
}

impl Change<'_> {
    fn is_addition(&self, terms: &Terms, bytes: u32) -> bool {
        let size = usize::try_from(bytes).expect("at most 16");
        if self.absent.len() != size || self.present.len() != size {
            return false;
        }
        let max = u128::MAX >> (128 - 8 * bytes);
        let guards: Vec<_> =
            self.guards.iter().filter(|(condition, _)| terms.sees_stored(*condition)).collect();
        // Whether the guards could be those of an addition, and of a subtraction.
        let (mut adds, mut subtracts) = (true, true);
        for sample in 0..SAMPLES {
            let free = |atom: Atom| number(atom, sample);
            let by = value(terms, self.absent, &free);
            let edges = [0, 1, max / 2, max / 2 + 1, max - 1, max];
            let around = |at: u128| [at.wrapping_sub(1), at, at.wrapping_add(1)];
            let edges = edges.into_iter().chain(around(max - by));
            for stored in edges.chain(around(by.wrapping_neg())) {
                let stored = stored & max;
                let atom = |atom: Atom| match atom {
                    Atom::Stored(half) => low(stored >> (64 * u32::from(half))),
                    other => number(other, sample),
                };
                let mut known = BTreeMap::new();
                let passes = guards.iter().all(|(condition, held)| {
                    (terms.eval(*condition, &mut known, &atom) != 0) == *held
                });
                let sum = stored.wrapping_add(by) & max;
                adds &= passes == (sum >= stored);
                subtracts &= passes == (by.wrapping_neg() & max <= stored);
                if (passes && value(terms, self.present, &atom) != sum) || !(adds || subtracts) {
                    return false;
                }
            }
        }
        true
    }
}

/// The number whose bytes these are.
fn value(terms: &Terms, bytes: &[Id], atom: &dyn Fn(Atom) -> u64) -> u128 {
    let mut known = BTreeMap::new();
    let byte = |value: u128, id: &Id| value << 8 | u128::from(terms.eval(*id, &mut known, atom));
    bytes.iter().rev().fold(0, byte)
}

fn low(value: u128) -> u64 {
    u64::try_from(value & u128::from(u64::MAX)).expect("masked")
}

/// What an atom is in a sample: anything in the first, and then also what is small, large or zero.
fn number(atom: Atom, sample: u64) -> u64 {
    let (kind, at) = match atom {
        Atom::Stored(half) => (0, u64::from(half)),
        Atom::Start(word, index) => (word.len() as u64, u64::from(index)),
        Atom::Memory(base, offset) => (17 + base.map_or(0, |base| base as u64), offset.into()),
        Atom::Word(word, index) => (32 + word.len() as u64, index.into()),
        Atom::Result(position) => (64, position as u64),
        Atom::Out(position, index) => (128 + position as u64, index.into()),
    };
    let mut mixed = sample ^ kind << 40 ^ at << 8;
    // Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    for factor in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
        mixed = (mixed.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ mixed >> 30).wrapping_mul(factor);
    }
    mixed ^= mixed >> 31;
    let any = match sample % 4 {
        1 if !mixed.is_multiple_of(8) => 0,
        2 if !mixed.is_multiple_of(8) => u64::MAX,
        _ => mixed >> 3,
    };
    match atom {
        Atom::Memory(..) | Atom::Word("caller" | "this" | "input", _) | Atom::Out(..) => any & 0xff,
        Atom::Result(_) | Atom::Start(..) => any & 0xffff_ffff,
        Atom::Stored(_) | Atom::Word(..) => any,
    }
}
