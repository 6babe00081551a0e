use kempe_sdk::prelude::*;

#[contract]
pub struct Bank {
    owner: Item<Address>,
    supply: Counter<u64>,
    balances: Map<Address, u64>,
    fee: Immutable<u64>,
}

#[derive(Clone, Value)]
pub struct Order {
    pub maker: Address,
    pub size: u64,
}

#[contract]
impl Bank {
    #[access(write(balances[id]))]
    pub fn a(&mut self, id: u64) {
        self.balances.put(caller(), id);
    }

    #[access(write(balances[order.size]))]
    pub fn b(&mut self, order: Order) {
        self.balances.put(order.maker, 1);
    }

    #[access(write(balances[order.taker]))]
    pub fn c(&mut self, order: Order) {
        self.balances.put(order.maker, 1);
    }

    #[access(each(orders, write(balances[element.size])))]
    pub fn d(&mut self, orders: Vec<Order>) {
        for order in orders {
            self.balances.put(order.maker, order.size);
        }
    }

    #[access(calls(id.transfer(caller, 1u64)))]
    pub fn e(&mut self, id: u64) {}
}

fn main() {}
