//! Any bytes as a stored block: [`hold::record`].
#![no_main]

use kempe_tests::hold::{self, seeds};

libfuzzer_sys::fuzz_target!(init: kempe_fuzz::plant(&seeds::record()), |bytes: &[u8]| {
    hold::record(bytes);
});
