//! Any text as a genesis file: [`hold::genesis`].
#![no_main]

use kempe_tests::hold::{self, seeds};

libfuzzer_sys::fuzz_target!(init: kempe_fuzz::plant(&seeds::genesis()), |bytes: &[u8]| {
    hold::genesis(bytes);
});
