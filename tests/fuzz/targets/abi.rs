//! Any bytes as the section of a contract and the arguments of its calls: [`hold::abi`].
#![no_main]

use kempe_tests::hold::{self, seeds};

libfuzzer_sys::fuzz_target!(init: kempe_fuzz::plant(&seeds::abi()), |bytes: &[u8]| {
    hold::abi(bytes);
});
