use kempe_sdk::prelude::*;

#[derive(Value)]
pub struct Größe {
    höhe: u64,
}

#[derive(Value)]
pub enum Wahl {
    Für,
    Gegen { stärke: u8 },
}

#[event]
pub struct Geschäft {
    käufer: Address,
}

#[error]
pub enum Fehler {
    Unmöglich = 100,
}

#[interface]
pub trait Kasse {
    fn zähle(&self) -> u64;
}

#[contract]
pub struct Bank {
    vermögen: Item<u64>,
}

#[contract]
pub struct Shop {
    total: Item<u64>,
}

#[contract]
impl Shop {
    #[access(read(total))]
    pub fn größe(&self) -> u64 {
        self.total.get().unwrap_or_default() + self.prüfe()
    }

    pub fn set(&self, zahl: u64, größe: u64) {}

    pub fn by(&self, r#caller: u64) {}

    #[access(calls(at.zähle()))]
    pub fn ask(&self, at: Address) {}

    /// What only the contract calls has any name.
    fn prüfe(&self) -> u64 {
        0
    }
}

fn main() {}
