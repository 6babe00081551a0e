extern crate std;

use ethnum::U256;
use proptest::prelude::*;

use crate::{ONE, mul_div_down, mul_div_up, times_down, times_up};

/// The definitions, without shortcuts.
fn reference(a: u128, b: u128, c: u128) -> (Option<u128>, Option<u128>) {
    if c == 0 {
        return (None, None);
    }
    let (product, c) = (U256::from(a) * U256::from(b), U256::from(c));
    let up = (product + (c - U256::ONE)) / c;
    (u128::try_from(product / c).ok(), u128::try_from(up).ok())
}

/// Numbers of every size.
fn any_size() -> impl Strategy<Value = u128> {
    (any::<u128>(), 0u32..128).prop_map(|(n, shift)| n >> shift)
}

proptest! {
    #[test]
    fn results_are_those_of_the_definitions(a in any_size(), b in any_size(), c in any_size()) {
        prop_assert_eq!((mul_div_down(a, b, c), mul_div_up(a, b, c)), reference(a, b, c));
    }
}

#[test]
fn the_edges() {
    let max = u128::MAX;
    for (a, b, c, down, up) in [
        (0, 0, 0, None, None),
        (max, max, 0, None, None),
        (max, max, max, Some(max), Some(max)),
        (max, max, max - 1, None, None),
        (max, 3, 4, Some(max / 4 * 3 + 2), Some(max / 4 * 3 + 3)),
        (max, max - 1, max, Some(max - 1), Some(max - 1)),
        // Rounding up is what does not fit here.
        (max, 1 << 64, (1 << 64) - 1, None, None),
    ] {
        assert_eq!((mul_div_down(a, b, c), mul_div_up(a, b, c)), (down, up), "{a} * {b} / {c}");
    }
    assert_eq!((times_down(3, ONE / 2), times_up(3, ONE / 2)), (Some(1), Some(2)));
}
