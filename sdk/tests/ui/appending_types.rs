use kempe_sdk::prelude::*;

#[contract]
pub struct Register {
    lines: Log<u64>,
    notes: Map<u8, Log<u64>>,
}

#[contract]
impl Register {
    #[access(start(lines[index], notes[index]))]
    pub fn a(&self, index: u32) -> Option<u64> {
        self.notes.at_start(1, u64::from(index)).or(self.lines.at_start(u64::from(index)))
    }
}

fn main() {}
