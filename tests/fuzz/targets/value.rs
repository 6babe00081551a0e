//! Any text and bytes as a value of any type: [`hold::value`].
#![no_main]

use kempe_tests::hold::{self, seeds};

libfuzzer_sys::fuzz_target!(init: kempe_fuzz::plant(&seeds::value()), |bytes: &[u8]| {
    hold::value(bytes);
});
