//! The interface between a contract's wasm and the host: names, codes and limits.
//!
//! A contract exports its memory as [`MEMORY`] and each method as `call.<name>`, of type
//! `(args_len: i32) -> i32`: zero is success, any other number the code of a revert. Everything it
//! imports comes from the module [`MODULE`]. Pointers and lengths are `i32`, read as unsigned.
//!
//! Storage functions carry the number of their field **in the import's name**, so the import section
//! and the call graph of the wasm prove which fields a method can reach, and how:
//!
//! | import | type | does |
//! | --- | --- | --- |
//! | `get:F` | `(key, key_len, out, out_cap) -> i32` | copies at most `out_cap` bytes of the value; returns its length, or -1 if there is none |
//! | `start:F` | `(key, key_len, out, out_cap) -> i32` | as `get:F`, of the value before the block; with the index behind the key, of an item of a log |
//! | `put:F` | `(key, key_len, value, value_len)` | replaces the value; for an immutable only in `init`, or in `migrate` if it has none |
//! | `remove:F` | `(key, key_len)` | removes the value |
//! | `add:F` | `(key, key_len, low: i64, high: i64)` | adds a signed 128-bit number to a counter; its bounds are checked when the transaction ends |
//! | `max:F`, `min:F` | `(key, key_len, low: i64, high: i64)` | raises a maximum or lowers a minimum to a 128-bit number, where that changes it; one that the field's type does not hold stops the transaction |
//! | `append:F` | `(key, key_len, item, item_len)` | appends an item to a log; its index is known when the block ends |
//! | `input` | `(out)` | copies the arguments, `args_len` bytes |
//! | `output` | `(ptr, len)` | sets the result |
//! | `caller`, `this` | `(out)` | copies 32 bytes |
//! | `height`, `time_ms` | `() -> i64` | of the block |
//! | `emit` | `(id, ptr, len)` | an event |
//! | `log` | `(ptr, len)` | a line for debugging; never part of a receipt |
//! | `panic` | `(ptr, len)` | stops the transaction; the text goes to the log |
//! | `call` | `(callee, method, args, args_len, catch) -> i32` | calls another contract; 0 on success. With `catch` 0 a failure ends the transaction; with 1 the callee's writes are undone and its revert code, or -1 for a trap, is returned |
//! | `call_output` | `(out, cap) -> i32` | copies at most `cap` bytes of the last callee's result; returns its length |
//! | `blake3`, `sha256`, `keccak256` | `(ptr, len, out)` | writes 32 bytes |
//! | `ed25519_verify` | `(key, message, message_len, signature) -> i32` | 1 if the signature is valid by ZIP 215, else 0 |

/// The module that every import names.
pub const MODULE: &str = "kempe";

/// The name of the exported memory.
pub const MEMORY: &str = "memory";

/// What the name of an exported method begins with.
pub const METHOD_PREFIX: &str = "call.";

/// The name of the method that runs once, at deployment.
pub const INIT: &str = "init";

/// The name of the method that runs once, when its code replaces another.
pub const MIGRATE: &str = "migrate";

/// Revert codes below this number belong to the SDK; a contract's own begin here.
pub const FIRST_CONTRACT_CODE: u32 = 100;

/// The revert code for arguments that do not decode.
pub const CODE_BAD_ARGUMENTS: u32 = 1;

/// The most bytes of a key. Ours to choose: keys are hashed and held in lists.
pub const KEY_BYTES_MAX: usize = 256;

/// The most bytes of a value. Ours to choose.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;

/// The most bytes of an immutable: every call reads the contract's record, which holds them, and what only looks for a method does
/// not pay by its bytes. Ours to choose.
pub const IMMUTABLE_BYTES_MAX: usize = 1024;

/// The most bytes of all immutables of a contract, where each counts [`IMMUTABLE_BYTES`] more. Ours to choose.
pub const IMMUTABLES_BYTES_MAX: usize = 4 * 1024;

/// What an immutable counts beside its bytes.
pub const IMMUTABLE_BYTES: usize = 64;

/// The most entries of an access list: cells, and contracts that are called. Ours to choose: everybody who makes a
/// schedule looks at all of them.
pub const LIST_ENTRIES_MAX: usize = 1024;

/// The most bytes of arguments of a call, of a result, and of an event. Ours to choose.
pub const DATA_BYTES_MAX: usize = 64 * 1024;

/// The most bytes that one transaction appends to logs, where each item counts the key of its log and [`ITEM_BYTES`]
/// more. Ours to choose.
pub const APPENDED_BYTES_MAX: usize = 256 * 1024;

/// What an item of a log counts beside its bytes and its log's key: about what the rest of a cell takes.
pub const ITEM_BYTES: usize = 64;

/// The most contracts on the stack of one transaction. A native stack frame of wasm and host
/// exists for each, so the executor's threads are sized for it.
pub const CALL_DEPTH_MAX: usize = 8;
