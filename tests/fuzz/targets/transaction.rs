//! Any bytes as a transaction: [`hold::transaction`].
#![no_main]

use kempe_tests::hold::{self, seeds};

libfuzzer_sys::fuzz_target!(init: kempe_fuzz::plant(&seeds::transaction()), |bytes: &[u8]| {
    hold::transaction(bytes);
});
