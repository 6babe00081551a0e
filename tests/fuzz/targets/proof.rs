//! Any bytes as a key and its proof: [`hold::proof`].
#![no_main]

use kempe_tests::hold::{self, seeds};

libfuzzer_sys::fuzz_target!(init: kempe_fuzz::plant(&seeds::proof()), |bytes: &[u8]| {
    hold::proof(bytes);
});
