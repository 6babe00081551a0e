//! A contract for tests in which every method has a smell that the linter finds, apart from those
//! whose names begin with `fine`: they look like smells and are none.
#![no_std]
#![allow(deprecated, reason = "the compiler warns of some of the smells too")]
#![allow(missing_docs, reason = "the names say what is wrong")]

extern crate alloc;

use alloc::vec::Vec;

use kempe_sdk::interfaces::FungibleClient;
use kempe_sdk::prelude::*;

/// What the methods touch.
#[contract]
#[derive(Debug)]
pub struct Smells {
    token: Immutable<Address>,
    owner: Item<Address>,
    total: Counter<u64>,
    hits: Item<u64>,
    large: Item<u128>,
    balances: Map<Address, u64>,
    votes: Map<Address, Counter<u64>>,
    notes: Map<Hash, u64>,
    ledger: Item<Vec<(Address, u64)>>,
    pages: Map<u8, Vec<(Address, u64)>>,
    members: Item<Vec<Address>>,
    seats: Stock<u64>,
    best: Max<u64>,
    worst: Min<u64>,
}

#[error]
pub enum SmellError {
    TooMuch = 100,
}

#[contract]
impl Smells {
    pub fn init(&mut self, token: Address) {
        self.token.set(token);
    }

    // What is found and let stand, and what lets nothing stand.

    #[access(read(owner), add(total), allow(over_declared = "the next version reads it"))]
    pub fn allowed_unread_cell(&mut self) {
        self.total.add(1);
    }

    #[access(write(owner), allow(never_written = "callers rely on being ordered"))]
    pub fn allowed_only_reads(&mut self) -> Option<Address> {
        self.owner.get()
    }

    #[access(
        write(hits),
        allow(could_add = "others read it as a cell", over_declared = "it is not")
    )]
    pub fn allowed_one_more(&mut self) {
        self.hits.update(|had| had.unwrap_or_default() + 1);
    }

    #[access(dynamic, allow(whole_map = "more cells will come"))]
    pub fn allowed_dynamic(&mut self) {
        self.total.add(1);
    }

    // Keys that are declared and not touched.

    #[access(read(owner), add(total))]
    pub fn unread_cell(&mut self) {
        self.total.add(1);
    }

    #[access(write(balances[to]), add(total))]
    pub fn untouched_map(&mut self, to: Address) {
        self.total.add(u64::from(to.0[0]));
    }

    #[access(add(total), write(owner))]
    pub fn unadded(&mut self, to: Address) {
        self.owner.put(to);
    }

    #[access(start(owner), add(total))]
    pub fn unread_start(&mut self) {
        self.total.add(1);
    }

    #[access(add(total), calls(token.transfer(to, 1u128)))]
    pub fn uncalled(&mut self, to: Address) {
        self.total.add(u64::from(to.0[0]));
    }

    #[access(add(total), each(all, write(balances[element])))]
    pub fn untouched_each(&mut self, all: Vec<Address>) {
        self.total.add(all.len() as u64);
    }

    #[access(write(balances[caller], balances[to]))]
    pub fn not_the_callers(&mut self, to: Address, amount: u64) {
        self.balances.put(to, amount);
    }

    #[access(write(balances[caller]))]
    pub fn only_the_callers(&mut self, to: Address, amount: u64) {
        self.balances.put(to, amount);
    }

    #[access(write(balances[this], balances[to]))]
    pub fn not_its_own(&mut self, to: Address, amount: u64) {
        self.balances.put(to, amount);
    }

    #[access(write(balances[token], balances[to]))]
    pub fn not_the_tokens(&mut self, to: Address, amount: u64) {
        self.balances.put(to, amount);
    }

    #[access(write(notes[hash(to)], notes[id]))]
    pub fn not_hashed(&mut self, to: Address, id: Hash) {
        self.notes.put(id, u64::from(to.0[0]));
    }

    #[access(read(balances[to]), write(balances[to]))]
    pub fn twice(&mut self, to: Address, amount: u64) {
        self.balances.put(to, amount);
    }

    // Writes that are never written.

    #[access(write(owner), add(total))]
    pub fn only_reads(&mut self) {
        if self.owner.get() == Some(caller()) {
            self.total.add(1);
        }
    }

    #[access(write(total))]
    pub fn only_adds(&mut self) {
        self.total.add(1);
    }

    #[access(write(balances[of]), add(total))]
    pub fn only_reads_a_map(&mut self, of: Address) {
        self.total.add(self.balances.get(of));
    }

    #[access(each(all, write(votes[element])))]
    pub fn only_adds_each(&mut self, all: Vec<Address>) {
        for one in all {
            self.votes.add(one, 1);
        }
    }

    // Reads and writes that could be adds.

    #[access(write(hits))]
    pub fn one_more(&mut self) {
        self.hits.put(self.hits.get().unwrap_or(0) + 1);
    }

    #[access(write(hits))]
    pub fn some_more(&mut self, by: u64) {
        self.hits.update(|had| had.unwrap_or_default() + by);
    }

    #[access(write(balances[to]))]
    pub fn credit(&mut self, to: Address, amount: u64) {
        self.balances.update(to, |had| had + amount);
    }

    #[access(write(total))]
    pub fn counter_by_hand(&mut self, by: u64) {
        let had = self.total.get();
        self.total.put(had + by);
    }

    #[access(write(hits))]
    pub fn fewer(&mut self, by: u64) {
        let had = self.hits.get().unwrap_or(0);
        self.hits.put(had - by);
    }

    #[access(write(large))]
    pub fn more_of_a_large_one(&mut self, by: u64) {
        let had = self.large.get().unwrap_or(0);
        self.large.put(had + u128::from(by));
    }

    #[access(read(owner), write(hits))]
    pub fn more_if_permitted(&mut self, by: u64) {
        if self.owner.get() == Some(caller()) {
            self.bump(by);
        }
    }

    #[inline(never)]
    fn bump(&mut self, by: u64) {
        self.hits.put(self.hits.get().unwrap_or(0) + by);
    }

    // Whole maps.

    #[access(write(ledger))]
    pub fn append(&mut self, to: Address, amount: u64) {
        let mut all = self.ledger.get().unwrap_or_default();
        all.push((to, amount));
        self.ledger.put(all);
    }

    #[access(write(pages[0u8]))]
    pub fn append_to_a_page(&mut self, to: Address, amount: u64) {
        self.pages.update(0u8, |mut page| {
            page.push((to, amount));
            page
        });
    }

    #[access(dynamic)]
    pub fn dynamic_for_two_cells(&mut self, to: Address) {
        if self.owner.get() == Some(caller()) {
            self.total.add(1);
            self.owner.put(to);
        }
    }

    #[access(dynamic)]
    pub fn dynamic_for_nothing(&mut self, of: Address) -> u8 {
        of.0[0]
    }

    // What looks like a smell and is none.

    #[access(write(hits))]
    pub fn fine_returned(&mut self) -> u64 {
        let now = self.hits.get().unwrap_or(0) + 1;
        self.hits.put(now);
        now
    }

    /// Takes some.
    ///
    /// # Errors
    /// [`SmellError::TooMuch`].
    #[access(write(balances[caller]))]
    pub fn fine_checked(&mut self, amount: u64) -> Result<(), SmellError> {
        let had = self.balances.get(caller());
        let left = had.checked_sub(amount).ok_or(SmellError::TooMuch)?;
        self.balances.put(caller(), left);
        Ok(())
    }

    #[access(write(hits))]
    pub fn fine_saturating(&mut self, by: u64) {
        self.hits.update(|had| had.unwrap_or(0).saturating_add(by));
    }

    #[access(write(hits))]
    pub fn fine_wrapping(&mut self, by: u64) {
        self.hits.update(|had| had.unwrap_or(0).wrapping_add(by));
    }

    #[access(write(hits))]
    pub fn fine_doubled(&mut self) {
        self.hits.update(|had| had.unwrap_or(1) * 2);
    }

    #[access(write(hits))]
    pub fn fine_added_to_itself(&mut self) {
        self.hits.update(|had| had.unwrap_or(1) + had.unwrap_or(1));
    }

    #[access(write(hits))]
    pub fn fine_maximum(&mut self, by: u64) {
        self.hits.update(|had| had.unwrap_or(0).max(by));
    }

    #[access(write(hits))]
    pub fn fine_starts_elsewhere(&mut self, by: u64) {
        self.hits.update(|had| had.unwrap_or(7) + by);
    }

    #[access(write(hits))]
    pub fn fine_only_once(&mut self, by: u64) {
        if !self.hits.exists() {
            self.hits.put(by);
        }
    }

    #[access(write(hits), write(balances[caller]))]
    pub fn fine_numbered(&mut self) {
        let now = self.hits.get().unwrap_or(0) + 1;
        self.hits.put(now);
        self.balances.put(caller(), now);
    }

    #[access(write(hits))]
    pub fn fine_logged(&mut self) {
        let now = self.hits.get().unwrap_or(0) + 1;
        self.hits.put(now);
        emit(Hit { now });
    }

    #[access(write(balances[from], balances[to]))]
    pub fn fine_moved_on(&mut self, from: Address, to: Address) {
        let had = self.balances.get(from);
        self.balances.put(to, had + 1);
    }

    #[access(write(hits), add(total))]
    pub fn fine_every_tenth(&mut self) {
        let now = self.hits.get().unwrap_or(0) + 1;
        self.hits.put(now);
        if now.is_multiple_of(10) {
            self.total.add(1);
        }
    }

    #[access(write(seats))]
    pub fn fine_more_seats(&mut self, by: u64) {
        self.seats.put(self.seats.get() + by);
    }

    #[access(write(seats))]
    pub fn fine_fewer_seats(&mut self, by: u64) {
        self.seats.put(self.seats.get() - by);
    }

    #[access(write(best))]
    pub fn fine_better(&mut self, by: u64) {
        self.best.put(self.best.get() + by);
    }

    #[access(write(worst))]
    pub fn fine_worse(&mut self, by: u64) {
        self.worst.put(self.worst.get() + by);
    }

    #[access(write(members))]
    pub fn fine_set(&mut self, all: Vec<Address>) {
        self.members.put(all);
    }

    #[access(read(balances[caller]), write(balances[to]))]
    pub fn fine_two_keys(&mut self, to: Address) {
        self.balances.put(to, self.balances.get(caller()));
    }

    #[access(write(balances[to]), calls(token.transfer(to, 1u128)))]
    pub fn fine_call(&mut self, to: Address) {
        self.balances.put(to, 1u64);
        FungibleClient::new(self.token.get()).transfer(to, 1u128);
    }

    #[access(dynamic)]
    pub fn fine_dynamic(&mut self) {
        if let Some(owner) = self.owner.get() {
            self.balances.put(owner, 1u64);
        }
    }
}

#[event]
pub struct Hit {
    pub now: u64,
}
