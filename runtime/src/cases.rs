//! How many cases the properties of this crate are tried with.

use proptest::prelude::ProptestConfig;

/// What proptest tries where `PROPTEST_CASES` says nothing.
const USUAL: u32 = 256;

/// The number of cases of a property that has so many in the short form: in proportion to `PROPTEST_CASES`.
pub(crate) fn cases(short: u32) -> u32 {
    let many = u64::from(short) * u64::from(ProptestConfig::default().cases);
    u32::try_from(many.div_ceil(u64::from(USUAL))).unwrap_or(u32::MAX)
}
