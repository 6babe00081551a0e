//! Any bytes as a witness: [`hold::witness`].
#![no_main]

use kempe_tests::hold::{self, seeds};

libfuzzer_sys::fuzz_target!(init: kempe_fuzz::plant(&seeds::witness()), |bytes: &[u8]| {
    hold::witness(bytes);
});
