//! A contract has the methods of the interfaces that it names, as they have them.

use kempe_sdk::interfaces;
use kempe_sdk::prelude::*;

#[contract(implements(interfaces::Oracle))]
pub struct Elsewhere {}

#[contract]
pub struct Missing {
    prices: Map<Address, u128>,
}

#[contract(implements(interfaces::Oracle))]
impl Missing {
    #[access(read(prices[asset]))]
    pub fn price(&self, asset: Address) -> u128 {
        self.prices.get(asset)
    }
}

#[contract]
pub struct Unknown {}

#[contract(provides(interfaces::Oracle))]
impl Unknown {
    pub fn nothing(&self) {}
}

fn main() {}
