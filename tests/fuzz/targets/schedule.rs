//! Any access lists, planned; any bytes as a schedule of them: [`hold::schedule`].
#![no_main]

use kempe_tests::hold::{self, seeds};

libfuzzer_sys::fuzz_target!(init: kempe_fuzz::plant(&seeds::schedule()), |bytes: &[u8]| {
    hold::schedule(bytes);
});
