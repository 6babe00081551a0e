//! The limits on modules, as data: the refusal, the documentation and `kempe inspect` read one table.
//!
//! What bounds compilation was measured with wasmtime 48.0.8 (Cranelift, fuel, explicit bounds
//! checks) on one core. Sizes alone do not bound it, so besides them [`EFFORT`] limits an estimate.

/// A limit on a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// A stable word, the code of the refusal.
    pub name: &'static str,
    /// The largest number admitted.
    pub max: u64,
    /// What is counted.
    pub unit: &'static str,
    /// What to do about it.
    pub help: &'static str,
}

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident = $max:expr, $word:literal, $unit:literal, $help:literal;)*) => {
        $($(#[$doc])* pub const $name: Limit =
            Limit { name: $word, max: $max, unit: $unit, help: $help };)*

        /// Every limit.
        pub const ALL: &[Limit] = &[$($name),*];
    };
}

limits! {
    /// Bytes of the whole module. A token contract needs 20 KiB; code is stored forever.
    MODULE_BYTES = 512 * 1024, "module-bytes", "bytes in the module",
        "build with `opt-level = \"z\"`, `lto = true` and `strip = true`, or split the contract";
    /// Function types.
    TYPES = 1024, "types", "function types", "split the contract";
    /// Parameters of a function. Rust passes larger things by pointer.
    PARAMS = 64, "params", "parameters of a function", "pass a struct by reference";
    /// Imports: every storage function of 256 fields, all the others, and a few duplicates.
    IMPORTS = 1088, "imports", "imports", "import each host function once";
    /// Defined functions. 10^5 empty ones cost gigabytes of memory to compile.
    FUNCTIONS = 5000, "functions", "functions", "build with `lto = true`, or split the contract";
    /// Bytes of one body. Compile time grows faster than the body.
    BODY_BYTES = 64 * 1024, "body-bytes", "bytes in the body of one function",
        "split the function, or keep its parts apart with `#[inline(never)]`";
    /// Parameters and locals of one function, summed before anything is expanded. Contracts have 34 at most; each may be set to zero
    /// when the function is called, which is a store that burns no fuel.
    LOCALS = 128, "locals", "parameters and locals of one function",
        "split the function, or keep its parts apart with `#[inline(never)]`";
    /// How deep blocks nest: a `match` of 256 arms and what surrounds it.
    NESTING = 512, "nesting", "nested blocks", "split the `match` or the function";
    /// Loops and indirect calls of one function together.
    LOOPS = 500, "loops", "loops and indirect calls in one function", "split the function";
    /// Targets of all `br_table`s of one function.
    BRANCH_TARGETS = 4096, "branch-targets", "targets of branch tables in one function",
        "split the `match` or the function";
    /// Blocks, loops and `if`s of one function. 13,000 empty ones take a second, 5,000 a fifth of it.
    BLOCKS = 5000, "blocks", "blocks in one function", "split the function";
    /// How deep loops nest. The compiler's work on 400 nested loops of 500 locals is 79 seconds.
    LOOP_DEPTH = 24, "loop-depth", "nested loops", "split the function";
    /// Values on the operand stack. What lives there across calls costs the compiler most.
    OPERANDS = 256, "operands", "values on the operand stack", "split the expression";
    /// Values that can meet where control flow joins, on each way into a join, of one function.
    JOIN_VALUES = 64 * 1024, "join-values", "values that meet in joins of control flow in one function",
        "split the function, or keep its parts apart with `#[inline(never)]`";
    /// The estimated work of compiling the module, in microseconds of one core in the worst case.
    EFFORT = 2_000_000, "effort", "units of estimated work to compile",
        "build with `opt-level = \"z\"`, split the largest functions, or the contract";
    /// Globals. The reset between two transactions sets each mutable one.
    GLOBALS = 64, "globals", "globals", "keep statics in memory";
    /// Exports: the methods, the memory and the globals.
    EXPORTS = 384, "exports", "exports", "split the contract";
    /// Methods of a contract.
    METHODS = 256, "methods", "methods", "split the contract";
    /// Bytes of memory. Each reset copies it, each instance holds it.
    MEMORY_BYTES = 1024 * 1024, "memory-bytes", "bytes of memory",
        "link with `--initial-memory` and `--max-memory` of at most 1048576";
    /// Entries of the function table.
    TABLE_ENTRIES = 4096, "table-entries", "entries of the function table", "split the contract";
    /// Element segments; the linker writes one.
    ELEMENT_SEGMENTS = 16, "element-segments", "element segments", "let the linker merge them";
    /// Function references in all element segments.
    ELEMENTS = 4096, "elements", "function references in element segments", "split the contract";
    /// Data segments; the linker writes one for each kind of section.
    DATA_SEGMENTS = 256, "data-segments", "data segments", "let the linker merge them";
    /// Bytes of the section `kempe.abi`.
    ABI_BYTES = 64 * 1024, "abi-bytes", "bytes in the section `kempe.abi`", "shorten the documentation";
    /// Custom sections.
    CUSTOM_SECTIONS = 64, "custom-sections", "custom sections", "build with `strip = true`";
    /// Bytes of all custom sections but the ABI: names of functions are welcome, debug information is not.
    CUSTOM_BYTES = 64 * 1024, "custom-bytes", "bytes in custom sections besides the ABI",
        "build with `strip = true`";
    /// Bytes of an exported name or of a name in the ABI.
    NAME_BYTES = 128, "name-bytes", "bytes in a name", "shorten the name";
    /// Bytes of one piece of documentation in the ABI.
    DOC_BYTES = 8 * 1024, "doc-bytes", "bytes of documentation of one item", "shorten it";
}
