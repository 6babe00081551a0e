//! A contract for tests whose every call touches the same cells.
#![no_std]
#![allow(missing_docs, reason = "the names say what is wrong")]

use kempe_sdk::prelude::*;

/// What each call touches, and what only some do.
#[contract]
#[derive(Debug)]
pub struct Busy {
    changed_ms: Item<u64>,
    last: Map<u8, Address>,
    calls: Item<u64>,
    paused: Item<bool>,
    scores: Map<Address, u64>,
}

#[contract]
impl Busy {
    #[access(
        read(paused),
        write(changed_ms, last[0u8], calls, scores[caller]),
        allow(every_call = "it is the point of this contract")
    )]
    pub fn raise(&mut self, score: u64) {
        if self.paused.get() == Some(true) {
            return;
        }
        self.scores.put(caller(), score);
        self.note();
    }

    #[access(read(paused), write(changed_ms, last[0u8], calls, scores[caller]))]
    pub fn reset(&mut self) {
        if self.paused.get() == Some(true) {
            return;
        }
        self.scores.remove(caller());
        self.note();
    }

    #[access(write(paused, changed_ms, last[0u8], calls))]
    pub fn pause(&mut self, paused: bool) {
        self.paused.put(paused);
        self.note();
    }

    // Two that do not touch what the others do, one of which no template can follow.

    #[access(write(scores[caller]))]
    pub fn forget(&mut self) {
        self.scores.remove(caller());
    }

    #[access(dynamic)]
    pub fn forget_the_last(&mut self, who: Address) {
        if self.scores.get(who) > 0 {
            self.scores.remove(who);
        }
    }

    fn note(&mut self) {
        self.changed_ms.put(time_ms());
        self.last.put(0u8, caller());
        self.calls.update(|had| had.unwrap_or_default() + 1);
    }

    #[access(read(changed_ms))]
    pub fn changed_ms(&self) -> Option<u64> {
        self.changed_ms.get()
    }

    #[access(read(scores[of]))]
    pub fn score(&self, of: Address) -> u64 {
        self.scores.get(of)
    }
}
