use kempe_sdk::prelude::*;

#[contract]
pub struct Bank {
    used: Map<[u8; 32], bool>,
}

#[contract]
impl Bank {
    #[access(write(used[caller.0]))]
    pub fn f(&mut self) {
        self.used.put(caller().0, true);
    }

    #[access(each(b"ab", write(used[hash(element).0])))]
    pub fn g(&mut self) {
        self.used.put([0; 32], true);
    }
}

fn main() {}
