use kempe_sdk::prelude::*;

#[contract]
pub struct Sale {
    left: Stock<u64>,
}

#[contract]
impl Sale {
    #[access(reserve(left, n))]
    pub fn buy(&mut self, n: u32) -> bool {
        self.left.reserve(u64::from(n))
    }
}

fn main() {}
