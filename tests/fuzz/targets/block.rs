//! A true block with changes, or any bytes for one: [`hold::block`].
#![no_main]

use kempe_tests::hold::{self, seeds};

libfuzzer_sys::fuzz_target!(init: kempe_fuzz::plant(&seeds::block()), |bytes: &[u8]| {
    hold::block(bytes);
});
