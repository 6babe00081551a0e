//! The token contract.
