use kempe_sdk::prelude::*;

#[contract]
pub struct Register {
    lines: Log<u64>,
    notes: Map<u8, Log<u64>>,
    name: Item<u64>,
}

#[contract]
impl Register {
    pub fn a(&mut self) {
        self.lines.append(1);
    }

    #[access(append(lines))]
    pub fn b(&mut self) -> u64 {
        self.lines.append(1);
        self.lines.len()
    }

    #[access(read(lines))]
    pub fn c(&self) -> Option<u64> {
        self.lines.at_start(1)
    }

    #[access(write(lines))]
    pub fn d(&mut self) {
        self.lines.append(1);
    }

    #[access(read(lines[1u64]), append(name), add(notes[1u8]), start(notes))]
    pub fn e(&mut self) {}

    #[access(write(notes[1u8]))]
    pub fn f(&mut self) {
        self.notes.put(1, 7);
    }
}

fn main() {}
