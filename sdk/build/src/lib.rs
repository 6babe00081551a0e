//! Compiles contract crates to small, admissible wasm.
