use kempe_sdk::prelude::*;

#[contract]
pub enum Bank {
    A,
}

#[access(read(owner))]
pub fn free() {}

#[derive(Value)]
pub struct Generic<T> {
    inner: T,
}

#[derive(Value)]
pub struct Float {
    inner: f64,
}

#[interface]
pub trait Odd {
    fn no_receiver(a: u64);
}

fn main() {}
