//! Any blocks of changes, of which a map says what they give: [`hold::state`].
#![no_main]

use kempe_tests::hold::{self, seeds};

libfuzzer_sys::fuzz_target!(init: kempe_fuzz::plant(&seeds::state()), |bytes: &[u8]| {
    hold::state(bytes);
});
