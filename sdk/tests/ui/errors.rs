use kempe_sdk::prelude::*;

#[error]
pub enum Twice {
    A = 100,
    B = 101,
    C = 100,
}

#[error]
pub enum Low {
    A = 99,
    B,
}

#[error]
pub enum Without {
    A,
}

#[error]
pub enum Fields {
    A(u64) = 100,
}

fn main() {}
