use kempe_sdk::prelude::*;

#[contract]
pub struct Shop {
    open: Item<bool>,
    sold: Map<Address, u64>,
}

#[contract]
impl Shop {
    #[access(write(open), allow(evry_call = "the door is the point"))]
    pub fn a(&mut self) {
        self.open.put(true);
    }

    #[access(write(open), allow(every_call))]
    pub fn b(&mut self) {
        self.open.put(true);
    }

    #[access(write(open), allow(every_call = "  "))]
    pub fn c(&mut self) {
        self.open.put(true);
    }

    #[access(write(open), allow(every_call = "one"), allow(every_call = "two"))]
    pub fn d(&mut self) {
        self.open.put(true);
    }

    #[access(each(all, write(sold[element]), allow(over_declared = "no clause")))]
    pub fn e(&mut self, all: Vec<Address>) {
        all.into_iter().for_each(|of| self.sold.put(of, 1));
    }

    #[access(read(open), allow(over_declared = "the compiler does not warn of this either"))]
    pub fn f(&self) {}
}

fn main() {}
