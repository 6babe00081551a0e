//! Which instructions are admitted.

use wasmparser::{Operator, WasmFeatures};

/// The proposals that are admitted, beyond the first version of WebAssembly, and no others.
///
/// - Mutable globals: the stack pointer of every contract is one.
/// - Custom page sizes: a memory of exactly the bytes that a contract needs costs less to reset.
/// - Sign extension: pure, the same everywhere, and it shortens contracts.
///
/// `memory.copy` and `memory.fill` are not among them: the target does not emit them, and one
/// instruction that costs as much as a megabyte needs a price of its own. The list can grow later,
/// but never shrink. The engine's configuration admits no less.
///
/// There is no floating point: the bits of a NaN are not determined. There is nothing that could
/// change a table or drop a segment, since the reset restores neither.
pub const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::CUSTOM_PAGE_SIZES)
    .union(WasmFeatures::SIGN_EXTENSION);

/// What admission says to an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Admitted,
    Float,
    Grow,
    Proposal(&'static str),
}

/// The name of an instruction as in the text format, nearly, and the verdict on it.
pub(super) fn judge(op: &Operator<'_>) -> (&'static str, Verdict) {
    let (name, proposal) = describe(op);
    let name = name.strip_prefix("visit_").unwrap_or(name);
    let verdict = match proposal {
        "mvp" if name == "memory_grow" => Verdict::Grow,
        "mvp" if name.contains("f32") || name.contains("f64") => Verdict::Float,
        "mvp" | "sign_extension" => Verdict::Admitted,
        other => Verdict::Proposal(other),
    };
    (name, verdict)
}

macro_rules! describe {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
        /// The visitor's name of an instruction and its proposal.
        #[allow(clippy::too_many_lines, reason = "one line for each instruction, generated")]
        fn describe(op: &Operator<'_>) -> (&'static str, &'static str) {
            match op {
                $(Operator::$op { .. } => (stringify!($visit), stringify!($proposal)),)*
                // Another crate of the build can switch on wasmparser's SIMD instructions.
                #[allow(unreachable_patterns, reason = "the list is complete without that feature")]
                _ => ("visit_unknown", "simd"),
            }
        }
    };
}

wasmparser::for_each_visit_operator!(describe);
