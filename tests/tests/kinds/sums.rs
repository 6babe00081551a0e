//! Sums, maxima and minima.

use kempe_runtime::types::Action;

use crate::{chaos, commutes, left, on_slot};

/// The numbers of the fields of `Chaos`.
pub(crate) const SUMS: u8 = 1;
const HIGHS: u8 = 3;
const LOWS: u8 = 4;

#[test]
fn sums_maxima_and_minima_have_one_root_in_every_order() {
    let chaos = chaos();
    let all = |method: &str, ns: &[u8]| -> Vec<Action> {
        ns.iter().map(|n| on_slot(chaos, method, *n)).collect()
    };
    let output = commutes(&all("add", &[9]), &all("add", &[5, 0, 7, 100]));
    assert_eq!(left(&output, chaos, SUMS), Some(vec![121]));
    // `raise` raises to three times as much.
    let output = commutes(&all("raise", &[4]), &all("raise", &[5, 200, 3, 200]));
    assert_eq!(left(&output, chaos, HIGHS), Some(600u16.to_le_bytes().to_vec()));
    let output = commutes(&all("lower", &[90]), &all("lower", &[7, 255, 0, 100]));
    assert_eq!(left(&output, chaos, LOWS), Some(vec![0]));
    // Nothing is further than what is there.
    let output = commutes(&all("lower", &[3]), &all("lower", &[7, 255, 3, 100]));
    assert_eq!(left(&output, chaos, LOWS), Some(vec![3]));
}
