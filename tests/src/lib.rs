//! End-to-end tests of the whole of Kempe.
