//! The pool contract.
