//! Any block with any lists, in parallel and one by one: [`hold::execution`].
#![no_main]

use kempe_tests::hold::{self, seeds};

libfuzzer_sys::fuzz_target!(init: kempe_fuzz::plant(&seeds::execution()), |bytes: &[u8]| {
    hold::execution(bytes);
});
