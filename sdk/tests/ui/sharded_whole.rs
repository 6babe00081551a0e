use kempe_sdk::prelude::*;

#[contract]
pub struct Arcade {
    plays: Sharded<Counter<u64>, 16>,
    votes: Map<u8, Sharded<Counter<u64>, 16>>,
}

#[contract]
impl Arcade {
    #[access(read(plays[of]))]
    pub fn a(&self, of: Address) -> u64 {
        self.plays.get()
    }

    #[access(write(plays[caller]))]
    pub fn b(&mut self, count: u64) {
        self.plays.put(count);
    }

    #[access(read(votes[1u8][caller]))]
    pub fn c(&self) -> u64 {
        self.sum()
    }

    #[access(add(votes[1u8][caller]))]
    pub fn d(&mut self) -> u64 {
        self.votes.add(1, caller(), 1);
        self.votes.part(1, caller())
    }

    #[access(read(votes[1u8]))]
    pub fn e(&mut self) {
        self.votes.add(1, caller(), 1);
    }

    #[access(read(plays))]
    pub fn g(&mut self) {
        self.plays.put(self.plays.get());
    }

    #[access(read(plays), read(plays[caller]), write(votes[1u8]))]
    pub fn f(&mut self) -> u64 {
        self.votes.put(1, self.plays.part(caller()));
        self.plays.get() + self.votes.get(1) + self.votes.part(1, caller())
    }

    fn sum(&self) -> u64 {
        self.votes.get(1)
    }
}

fn main() {}
