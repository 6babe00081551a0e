//! The shipped contracts as compiled wasm.
