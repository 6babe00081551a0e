//! The attribute and derive macros of the Kempe contract SDK.
