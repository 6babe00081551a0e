use kempe_sdk::prelude::*;

#[contract]
pub struct Few {
    one: Sharded<Counter<u64>, 1>,
    many: Map<u8, Sharded<Counter<u64>, 65>>,
    items: Sharded<Item<u64>, 16>,
    unsaid: Sharded<Counter<u64>>,
}

#[contract]
pub struct Arcade {
    plays: Sharded<Counter<u64>, 16>,
    votes: Map<u8, Sharded<Counter<u64>, 16>>,
}

#[contract]
impl Arcade {
    #[access(add(plays))]
    pub fn a(&mut self) {
        self.plays.add(caller(), 1);
    }

    #[access(add(votes[1u8]))]
    pub fn b(&mut self) {
        self.votes.add(1, caller(), 1);
    }

    #[access(add(plays[id]))]
    pub fn c(&mut self, id: u64) {
        self.plays.add(caller(), id);
    }

    pub fn d(&mut self) {
        self.plays.add(caller(), 1);
    }

    pub fn e(&self) -> u64 {
        self.votes.get(1)
    }
}

fn main() {}
