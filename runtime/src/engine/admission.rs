//! Admission: which modules may be deployed.
//!
//! A module is admitted when everything that can be proved from its bytes has been proved: it is
//! within the limits, so that compiling it takes a bounded time; it uses only what is the same on
//! every machine; and its methods reach no state that their access templates do not declare.
//! Nothing is compiled or run.
//!
//! # Why a reset is complete
//! The executor runs many transactions in one instance. In between it copies the image that the
//! memory had after instantiation over the whole memory and sets each mutable global to its first
//! value. The state of an instance consists of its memories, globals, tables and segments, by the
//! definition of a [module instance] and of the store. Of these
//! - there is exactly one memory, defined by the module, of a fixed size (its minimum is its
//!   maximum and `memory.grow` is refused), so the copy covers it;
//! - there are no imported globals, and each mutable one is exported, so the host reaches all;
//! - there is at most one table, defined by the module and not exported, and no instruction that
//!   changes a table is admitted: instantiation fills it once and it stays so;
//! - segments are active, so instantiation drops them; `memory.init`, `data.drop`, `table.init` and
//!   `elem.drop` are refused, so nothing observes them;
//! - there is no start function, so no code runs before the image is taken, and every segment lies
//!   inside its memory or table, so instantiation does not fail.
//!
//! Traps interrupt functions at any point, but leave nothing else behind: operand stacks and
//! locals are gone with the call.
//!
//! # Why templates can be trusted
//! An import names the field that it touches, and no import is exported or handed to the host, so a
//! method touches a field only if there is a way to the import in the call graph. The graph has an
//! edge for each call that can happen, so what a method can reach is known. Which *keys* it touches
//! is checked against the access list while it runs.
//!
//! [module instance]: https://webassembly.github.io/spec/core/exec/runtime.html#module-instances

mod body;
mod effort;
mod imports;
mod interface;
pub mod limits;
pub mod lint;
mod operators;
mod reach;
mod refusal;
mod scan;
mod table;
mod template;

#[cfg(test)]
pub(super) mod tests;

use kempe_abi::{Abi, Clause};

pub use operators::FEATURES;
pub use refusal::{Name, Path, Place, Refusal};
pub use scan::Sizes;
pub use table::{AccessRow, AccessTable};

/// A module that may be deployed, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// What the contract offers.
    pub abi: Abi,
    /// The size of the memory in bytes; it never changes.
    pub memory_bytes: u32,
    /// The exported names of all mutable globals, which a reset sets: the stack pointer, as a rule.
    pub stack_globals: Vec<String>,
    /// What each method reaches, in the ABI's order.
    pub methods: Vec<AdmittedMethod>,
    /// What the module is made of.
    pub sizes: Sizes,
}

/// What the code of a method can reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdmittedMethod {
    /// The name.
    pub name: String,
    /// The fields, in order of number.
    pub reach: Vec<FieldReach>,
    /// Whether it can emit events.
    pub emits: bool,
    /// Whether it can call other contracts.
    pub calls: bool,
    /// The other host functions, in order of name.
    pub host: Vec<&'static str>,
    /// The part of its template that names cells with `unless`.
    pub guards: Vec<Clause>,
}

/// How the code of a method can touch a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FieldReach {
    /// The number of the field.
    pub field: u8,
    /// Whether it can read.
    pub reads: bool,
    /// Whether it can read what was there before the block.
    pub starts: bool,
    /// Whether it can put or remove.
    pub writes: bool,
    /// Whether it can add.
    pub adds: bool,
    /// Whether it can take from a stock.
    pub reserves: bool,
}

/// Checks a module for deployment.
///
/// Linear in the module's size, times one bit for each imported function; allocates in proportion
/// to the module's bytes, never to a number that the module claims.
///
/// # Errors
/// [`Refusal`]: the first rule that the module breaks, with the place, the limit and what to do.
pub fn admit(wasm: &[u8]) -> Result<Admitted, Refusal> {
    prove(wasm).map(|proved| proved.admitted)
}

/// A module that may be deployed, with its code.
struct Proved<'a> {
    admitted: Admitted,
    module: scan::Module<'a>,
    /// The host function of each import.
    hosts: Vec<imports::Host>,
    /// The function of each method, in the ABI's order.
    functions: Vec<u32>,
}

fn prove(wasm: &[u8]) -> Result<Proved<'_>, Refusal> {
    let module = scan::scan(wasm)?;
    let memory_bytes = module.memory_bytes()?;
    let abi = interface::abi(&module)?;
    let hosts = imports::resolve(&module, &abi)?;
    let exports = interface::exports(&module, &abi)?;
    let reach = reach::Reach::new(&module, &hosts);
    let methods = abi.methods.iter().zip(&exports.methods);
    let methods = methods
        .map(|(method, &function)| template::check(&abi, method, function, &reach))
        .collect::<Result<_, _>>()?;
    let sizes = module.sizes;
    let admitted = Admitted { abi, memory_bytes, stack_globals: exports.globals, methods, sizes };
    Ok(Proved { admitted, module, hosts, functions: exports.methods })
}
