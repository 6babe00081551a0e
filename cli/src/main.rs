//! kempe
fn main() {}
