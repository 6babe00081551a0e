//! The counter contract.
