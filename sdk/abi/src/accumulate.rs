//! What [`AccessKind::Add`](crate::AccessKind::Add) does to a cell.

use crate::{AccessKind, CellKind};

/// How what transactions add to a cell comes together. The cell's field says which it is, so all that
/// is added to one cell is of one sort.
///
/// | | absent is | adding `v` to `x` leaves | fails |
/// | --- | --- | --- | --- |
/// | `Sum` | 0 | `x + v` | where that leaves the type's range |
/// | `Max` | 0 | the greater of `x` and `v` | never |
/// | `Min` | the type's greatest value | the lesser of `x` and `v` | never |
/// | `Stock` | 0 | `x + v`, where `v` is not negative | where that leaves the type's range |
/// | `Length` | 0 | `x + v`, where `v` is not negative | where that is more than 64 bits hold |
///
/// Each commutes with itself. `Max` and `Min` in every way: for any `x`, `max(max(x, v), w) = max(max(x, w), v)`,
/// nobody who adds sees the value, and none can fail; so exchanging two neighbors changes neither the
/// value nor the outcome of either, and by exchanges of neighbors any order becomes any other. Sums
/// commute as values for the same reason; an addition that does not fit fails in the published order.
///
/// Amounts are held as 128 bits of which zero changes nothing; for `Min` they are the distance from the
/// greatest value, which turns it into `Max`.
///
/// ```
/// # use kempe_abi::Accumulate::{Max, Min, Sum};
/// let max = u128::from(u8::MAX);
/// assert_eq!(Sum.apply(Some(250), max, 6), None);
/// assert_eq!(Max.apply(None, max, Max.amount(7, max).unwrap()), Some(7));
/// let both = Min.join(Min.amount(9, max).unwrap(), Min.amount(4, max).unwrap()).unwrap();
/// assert_eq!([Some(3), Some(200), None].map(|had| Min.apply(had, max, both)), [Some(3), Some(4), Some(4)]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accumulate {
    /// The sum, of a counter.
    Sum,
    /// The greatest.
    Max,
    /// The least.
    Min,
    /// What is in stock: a sum that is only taken from as far as there is enough, see [`Escrow`](crate::Escrow).
    Stock,
    /// The number of items of a log: the sum of what transactions appended.
    Length,
}

impl Accumulate {
    /// What accumulates in a cell of this kind, if anything does.
    #[must_use]
    pub const fn of(cell: CellKind) -> Option<Self> {
        match cell {
            CellKind::Counter => Some(Self::Sum),
            CellKind::Maximum => Some(Self::Max),
            CellKind::Minimum => Some(Self::Min),
            CellKind::Stock => Some(Self::Stock),
            CellKind::Log => Some(Self::Length),
            CellKind::Value | CellKind::Immutable => None,
        }
    }

    /// The word of clauses and of the host function.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sum | Self::Stock => "add",
            Self::Max => "max",
            Self::Min => "min",
            Self::Length => "append",
        }
    }

    /// The amount for a number as a contract gives it; `None` if a cell that holds at most `max` could
    /// never hold it, or it is negative for a stock or a length. Numbers of sums are signed.
    #[must_use]
    pub const fn amount(self, number: i128, max: u128) -> Option<i128> {
        let bits = number.cast_unsigned();
        match self {
            Self::Sum => Some(number),
            Self::Stock | Self::Length if number < 0 => None,
            Self::Stock | Self::Length => Some(number),
            _ if bits > max => None,
            Self::Max => Some(number),
            Self::Min => Some((max - bits).cast_signed()),
        }
    }

    /// Two amounts as one; `None` if a sum overflows.
    #[must_use]
    pub const fn join(self, a: i128, b: i128) -> Option<i128> {
        match self {
            Self::Sum | Self::Stock | Self::Length => a.checked_add(b),
            Self::Max | Self::Min if a.cast_unsigned() < b.cast_unsigned() => Some(b),
            Self::Max | Self::Min => Some(a),
        }
    }

    /// What a cell holds after an amount, where at most `max` fits; `None` if a sum does not fit.
    #[must_use]
    pub const fn apply(self, value: Option<u128>, max: u128, amount: i128) -> Option<u128> {
        let bits = amount.cast_unsigned();
        let (value, other) = match (self, value) {
            (Self::Sum | Self::Stock | Self::Length, value) => {
                let value = match value {
                    Some(value) => value,
                    None => 0,
                };
                return match value.checked_add_signed(amount) {
                    Some(sum) if sum <= max => Some(sum),
                    _ => None,
                };
            }
            // What does not fit is cut off first, or what is left would depend on the order.
            (Self::Max, Some(value)) => (if value > max { max } else { value }, bits),
            (Self::Max, None) => return Some(bits),
            (Self::Min, Some(value)) => (max.saturating_sub(bits), value),
            (Self::Min, None) => return Some(max.saturating_sub(bits)),
        };
        let greater = value > other;
        Some(match self {
            Self::Min if greater => other,
            Self::Min => value,
            _ if greater => value,
            _ => other,
        })
    }
}

impl CellKind {
    /// The word for touching a cell of this kind so, as it stands in `#[access(...)]`: a maximum is
    /// touched by `max` where a counter is by `add`, and a log by `append`.
    #[must_use]
    pub const fn word(self, kind: AccessKind) -> &'static str {
        match (kind, Accumulate::of(self)) {
            (AccessKind::Add, Some(accumulate)) => accumulate.word(),
            _ => kind.word(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Accumulate::{Max, Min, Sum};

    const LARGEST: u128 = 255;
    const NUMBERS: [i128; 5] = [0, 1, 9, 254, 255];

    /// Every order of every four amounts, one after the other and joined first, from every value.
    #[test]
    fn the_order_of_extremes_does_not_show() {
        // What is longer than its field was written there by something else.
        let values = [None, Some(0), Some(5), Some(254), Some(255), Some(300)];
        for way in [Max, Min] {
            for at in 0..NUMBERS.len().pow(4) {
                let numbers = [0, 1, 2, 3].map(|digit| NUMBERS[at / 5usize.pow(digit) % 5]);
                let amounts = numbers.map(|number| way.amount(number, LARGEST).unwrap());
                let all = numbers.map(i128::cast_unsigned);
                for value in values {
                    let expected = match way {
                        Max => all.into_iter().chain(value).max().map(|max| max.min(LARGEST)),
                        _ => all.into_iter().chain(value).min(),
                    };
                    for order in permutations() {
                        let one_by_one = order.iter().try_fold(value, |value, &at| {
                            way.apply(value, LARGEST, amounts[at]).map(Some)
                        });
                        assert_eq!(one_by_one, Some(expected), "{way:?} {numbers:?} {value:?}");
                        let joined = order
                            .iter()
                            .try_fold(0, |joined, &at| way.join(joined, amounts[at]))
                            .unwrap();
                        assert_eq!(way.apply(value, LARGEST, joined), expected);
                    }
                }
            }
        }
    }

    fn permutations() -> Vec<[usize; 4]> {
        let all = (0..256usize).map(|at| [at / 64, at / 16 % 4, at / 4 % 4, at % 4]);
        all.filter(|order| (0..4).all(|n| order.contains(&n))).collect()
    }

    #[test]
    fn what_no_cell_could_hold_is_refused() {
        for way in [Max, Min] {
            assert_eq!(way.amount(256, LARGEST), None);
            assert_eq!(way.amount(-1, LARGEST), None);
            assert!(way.amount(-1, u128::MAX).is_some(), "all bits are the greatest value");
            assert_eq!(way.apply(Some(7), LARGEST, 0), Some(7), "zero changes nothing");
        }
        assert_eq!(Sum.join(i128::MAX, 1), None);
        assert_eq!(Sum.apply(Some(1), LARGEST, -2), None);
        assert_eq!(Sum.apply(Some(255), LARGEST, 1), None);
        assert_eq!(Sum.apply(Some(255), LARGEST, -255), Some(0));
    }
}
