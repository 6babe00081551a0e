//! Write Kempe contracts: typed storage, declared access, events, errors and cross-contract calls.
