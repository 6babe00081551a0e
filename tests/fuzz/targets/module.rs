//! Any bytes as a contract: [`hold::module`].
#![no_main]

use kempe_tests::hold::{self, seeds};

libfuzzer_sys::fuzz_target!(init: kempe_fuzz::plant(&seeds::module()), |bytes: &[u8]| {
    hold::module(bytes);
});
