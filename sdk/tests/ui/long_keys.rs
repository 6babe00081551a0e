use kempe_sdk::prelude::*;

#[derive(Value)]
pub struct Name {
    text: [u8; 200],
    more: Option<[u8; 200]>,
}

#[contract]
pub struct Bank {
    long: Map<[u8; 257], u64>,
    fits: Map<[u8; 256], u64>,
    pair: Map<(Name, [u64; 7]), Counter<u64>>,
    names: Map<Name, Map<Vec<Name>, bool>>,
    lines: Map<[u8; 249], Log<u64>>,
    logs: Map<[u8; 248], Log<u64>>,
    shards: Map<[u8; 256], Sharded<Counter<u64>, 16>>,
}

#[contract]
impl Bank {
    #[access(read(fits[key]))]
    pub fn f(&self, key: [u8; 256]) -> u64 {
        self.fits.get(key)
    }
}

fn main() {}
