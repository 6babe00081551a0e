use kempe_sdk::prelude::*;

#[contract]
pub struct Bank {
    owner: Address,
    list: Vec<Address>,
    set: Map<Address, Item<u64>>,
    caller: Item<Address>,
}

fn main() {}
