use kempe_sdk::prelude::*;

#[contract]
pub struct Bank {
    balances: Map<Address, Counter<u64>>,
    used: Map<[u8; 32], bool>,
    wards: Immutable<Option<Address>>,
}

#[derive(Clone, Value)]
pub struct Order {
    pub maker: Address,
    pub parts: Vec<(Address, u64)>,
    pub both: [Address; 2],
}

#[contract]
impl Bank {
    #[access(each(to, add(balances[element])))]
    pub fn a(&mut self, to: [Address; 3]) {
        to.into_iter().for_each(|to| self.balances.add(to, 1));
    }

    #[access(each(wards, add(balances[element])))]
    pub fn b(&mut self) {
        self.wards.get().into_iter().for_each(|to| self.balances.add(to, 1));
    }

    #[access(each(orders, each(element.both, add(balances[element]))))]
    pub fn c(&mut self, orders: Vec<Order>) {
        orders.into_iter().flat_map(|order| order.both).for_each(|to| self.balances.add(to, 1));
    }

    #[access(write(used[id.0]))]
    pub fn d(&mut self, id: Hash) {
        self.used.put(id.0, true);
    }

    #[access(write(used[order.maker.0]))]
    pub fn e(&mut self, order: Order) {
        self.used.put(order.maker.0, true);
    }

    #[access(each(orders, each(element.parts, add(balances[element.0]))))]
    pub fn h(&mut self, orders: Vec<Order>) {
        orders.into_iter().flat_map(|order| order.parts).for_each(|to| self.balances.add(to.0, 1));
    }

    #[access(add(balances[n.0]))]
    pub fn i(&mut self, n: u64) {
        self.balances.add(caller(), n);
    }
}

fn main() {}
