//! Runs contract tests on compiled wasm through the real runtime.
