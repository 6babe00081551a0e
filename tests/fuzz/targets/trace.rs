//! Any text as a trace: [`hold::trace`].
#![no_main]

use kempe_tests::hold::{self, seeds};

libfuzzer_sys::fuzz_target!(init: kempe_fuzz::plant(&seeds::trace()), |bytes: &[u8]| {
    hold::trace(bytes);
});
