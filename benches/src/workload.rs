//! Seeded workloads: the same transfers on every machine.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use fastrand::Rng;

use crate::TransferSpec;
use crate::transfers::amount;

/// How many accounts a workload may have. A Zipf table takes 8 bytes for each; ours to choose.
pub const ACCOUNTS_MAX: usize = 1 << 24;

/// Who pays whom. As text, for the command line: the name and the numbers, joined with colons.
///
/// ```
/// use kempe_bench::Workload;
///
/// let workload: Workload = "zipf:1000000:100".parse()?;
/// assert_eq!(workload, Workload::Zipf { n_accounts: 1_000_000, exponent_percent: 100 });
/// let specs = workload.transfers(20_000, 7)?;
/// assert_eq!(specs, workload.transfers(20_000, 7)?);
/// # Ok::<(), kempe_bench::WorkloadError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Workload {
    /// `uniform:N`: both sides uniformly among N accounts, and different.
    Uniform {
        /// N.
        n_accounts: usize,
    },
    /// `zipf:N:E`: both sides with a probability proportional to 1 / rank^(E/100), and different.
    Zipf {
        /// N.
        n_accounts: usize,
        /// E, the exponent in hundredths; at most 1000.
        exponent_percent: u32,
    },
    /// `hot:N:H:P`: P of 100 receivers are among the first H accounts, the other receivers and the
    /// senders among the other N - H.
    Hot {
        /// N.
        n_accounts: usize,
        /// H.
        n_hot: usize,
        /// P, at most 100.
        hot_percent: u32,
    },
    /// `one-hot:N`: everybody pays account 0, senders in turn.
    OneHot {
        /// N.
        n_accounts: usize,
    },
    /// `pairs`: account 0 pays account 1, account 2 pays account 3, and so on: nothing conflicts.
    Pairs,
}

/// Why there is no such workload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorkloadError {
    /// The number of accounts is out of range.
    #[error("n_accounts={found} is not in {min}..={ACCOUNTS_MAX}")]
    Accounts {
        /// The number.
        found: usize,
        /// The least that the workload needs.
        min: usize,
    },
    /// A parameter is above its limit.
    #[error("{name}={found} is above {max}")]
    Parameter {
        /// Which.
        name: &'static str,
        /// Its value.
        found: u32,
        /// The limit.
        max: u32,
    },
    /// The text names none.
    #[error(
        "{0:?} is not uniform:N, zipf:N:EXPONENT_PERCENT, hot:N:N_HOT:PERCENT, one-hot:N or pairs"
    )]
    Name(String),
    /// A number in the text is none.
    #[error("{text:?} is not a number: {source}")]
    Number {
        /// The text.
        text: String,
        /// Why.
        source: ParseIntError,
    },
}

impl Workload {
    /// The transfers, of which `seed` alone decides.
    ///
    /// # Errors
    /// [`WorkloadError`], if a parameter is out of range.
    pub fn transfers(self, n_txs: usize, seed: u64) -> Result<Vec<TransferSpec>, WorkloadError> {
        self.check()?;
        let mut rng = Rng::with_seed(seed);
        let zipf = match self {
            Self::Zipf { n_accounts, exponent_percent } => zipf_table(n_accounts, exponent_percent),
            _ => Vec::new(),
        };
        let mut pair = |at: usize| match self {
            Self::Uniform { n_accounts } => two(&mut rng, 0, n_accounts),
            Self::Zipf { n_accounts, .. } => two_by(&zipf, &mut rng, n_accounts),
            Self::Hot { n_accounts, n_hot, hot_percent } => {
                let (from, to) = two(&mut rng, n_hot, n_accounts);
                let is_hot = below(&mut rng, 100) < hot_percent as usize;
                (from, if is_hot { below(&mut rng, n_hot) } else { to })
            }
            Self::OneHot { n_accounts } => (1 + at % (n_accounts - 1), 0),
            Self::Pairs => (2 * at, 2 * at + 1),
        };
        let specs = (0..n_txs).map(|at| {
            let (from, to) = pair(at);
            TransferSpec { from, to, amount: amount(at) }
        });
        Ok(specs.collect())
    }

    /// How many accounts take part in `n_txs` transfers at most; all numbers are below.
    #[must_use]
    pub fn n_accounts(self, n_txs: usize) -> usize {
        match self {
            Self::Uniform { n_accounts }
            | Self::Zipf { n_accounts, .. }
            | Self::Hot { n_accounts, .. }
            | Self::OneHot { n_accounts } => n_accounts,
            Self::Pairs => 2 * n_txs,
        }
    }

    fn check(self) -> Result<(), WorkloadError> {
        let parameter = |name, found, max| match found <= max {
            true => Ok(()),
            false => Err(WorkloadError::Parameter { name, found, max }),
        };
        let min = match self {
            Self::Pairs => return Ok(()),
            Self::Uniform { .. } | Self::OneHot { .. } => 2,
            Self::Zipf { exponent_percent, .. } => {
                parameter("exponent_percent", exponent_percent, 1000)?;
                2
            }
            Self::Hot { n_hot, hot_percent, .. } => {
                parameter("hot_percent", hot_percent, 100)?;
                n_hot.max(1).saturating_add(2)
            }
        };
        let found = self.n_accounts(0);
        let is_hot_empty = matches!(self, Self::Hot { n_hot: 0, .. });
        if found < min || found > ACCOUNTS_MAX || is_hot_empty {
            return Err(WorkloadError::Accounts { found, min });
        }
        Ok(())
    }
}

/// A number below `end`, which is at most [`ACCOUNTS_MAX`]. Drawn in 64 bits, so that it does not
/// depend on the machine's word.
fn below(rng: &mut Rng, end: usize) -> usize {
    usize::try_from(rng.u64(0..end as u64)).expect("it is below a usize")
}

/// Two different numbers from `start` to before `end`, which are at least two.
fn two(rng: &mut Rng, start: usize, end: usize) -> (usize, usize) {
    let n = end - start;
    let first = below(rng, n);
    let second = (first + 1 + below(rng, n - 1)) % n;
    (start + first, start + second)
}

/// Two different accounts by a Zipf table.
fn two_by(table: &[f64], rng: &mut Rng, n_accounts: usize) -> (usize, usize) {
    let total = table.last().copied().unwrap_or(0.0);
    let mut draw = || {
        let at = rng.f64() * total;
        table.partition_point(|&sum| sum <= at).min(n_accounts - 1)
    };
    let first = draw();
    // With a steep exponent nearly every draw is account 0, so the number of tries is bounded.
    let second = (0..16).map(|_| draw()).find(|&second| second != first);
    (first, second.unwrap_or((first + 1) % n_accounts))
}

fn zipf_table(n_accounts: usize, exponent_percent: u32) -> Vec<f64> {
    zipf_sums(n_accounts as u64, f64::from(exponent_percent) / 100.0)
}

/// The cumulated weights of ranks 1 to `n`. `libm` computes the powers, because the system's may round
/// differently.
pub(crate) fn zipf_sums(n: u64, exponent: f64) -> Vec<f64> {
    let ranks = (1..=u32::try_from(n).unwrap_or(u32::MAX)).map(f64::from);
    let weights = ranks.map(|rank| 1.0 / libm::pow(rank, exponent));
    let sums = weights.scan(0.0, |sum, weight| {
        *sum += weight;
        Some(*sum)
    });
    sums.collect()
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform { n_accounts } => write!(f, "uniform:{n_accounts}"),
            Self::Zipf { n_accounts, exponent_percent } => {
                write!(f, "zipf:{n_accounts}:{exponent_percent}")
            }
            Self::Hot { n_accounts, n_hot, hot_percent } => {
                write!(f, "hot:{n_accounts}:{n_hot}:{hot_percent}")
            }
            Self::OneHot { n_accounts } => write!(f, "one-hot:{n_accounts}"),
            Self::Pairs => f.write_str("pairs"),
        }
    }
}

impl FromStr for Workload {
    type Err = WorkloadError;

    fn from_str(text: &str) -> Result<Self, WorkloadError> {
        let workload = match text.split(':').collect::<Vec<_>>()[..] {
            ["uniform", n] => Self::Uniform { n_accounts: number(n)? },
            ["zipf", n, exponent] => {
                Self::Zipf { n_accounts: number(n)?, exponent_percent: number(exponent)? }
            }
            ["hot", n, n_hot, percent] => Self::Hot {
                n_accounts: number(n)?,
                n_hot: number(n_hot)?,
                hot_percent: number(percent)?,
            },
            ["one-hot", n] => Self::OneHot { n_accounts: number(n)? },
            ["pairs"] => Self::Pairs,
            _ => return Err(WorkloadError::Name(text.to_owned())),
        };
        workload.check()?;
        Ok(workload)
    }
}

fn number<N: FromStr<Err = ParseIntError>>(text: &str) -> Result<N, WorkloadError> {
    text.parse().map_err(|source| WorkloadError::Number { text: text.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Workload; 5] = [
        Workload::Uniform { n_accounts: 1000 },
        Workload::Zipf { n_accounts: 1000, exponent_percent: 100 },
        Workload::Hot { n_accounts: 1000, n_hot: 10, hot_percent: 30 },
        Workload::OneHot { n_accounts: 1000 },
        Workload::Pairs,
    ];

    #[test]
    fn the_seed_decides_and_nothing_else() {
        for workload in ALL {
            let specs = workload.transfers(5000, 1).unwrap();
            assert_eq!(specs, workload.transfers(5000, 1).unwrap(), "{workload}");
            let n_accounts = workload.n_accounts(5000);
            for spec in &specs {
                assert!(spec.from != spec.to && spec.from.max(spec.to) < n_accounts, "{workload}");
            }
            assert_eq!(workload.to_string().parse(), Ok(workload));
        }
        let uniform = Workload::Uniform { n_accounts: 1000 };
        assert_ne!(uniform.transfers(5000, 1), uniform.transfers(5000, 2));
    }

    #[test]
    fn the_same_on_every_machine() {
        let first = |workload: Workload| -> Vec<(usize, usize)> {
            workload.transfers(4, 42).unwrap().iter().map(|spec| (spec.from, spec.to)).collect()
        };
        assert_eq!(first(ALL[0]), UNIFORM);
        assert_eq!(first(ALL[1]), ZIPF);
        assert_eq!(first(ALL[2]), HOT);
    }

    const UNIFORM: [(usize, usize); 4] = [(790, 284), (804, 844), (542, 998), (895, 284)];
    const ZIPF: [(usize, usize); 4] = [(208, 22), (230, 0), (31, 16), (457, 9)];
    const HOT: [(usize, usize); 4] = [(792, 291), (49, 586), (896, 291), (258, 468)];

    #[test]
    fn shares_are_as_told() {
        let share = |workload: Workload, of: fn(&TransferSpec) -> bool| {
            workload.transfers(20_000, 3).unwrap().iter().filter(|&spec| of(spec)).count()
        };
        // The harmonic number of 1000 is 7.485, so account 0 sends 13.4 % of the transfers.
        let top = share(ALL[1], |spec| spec.from == 0);
        assert!((2500..2860).contains(&top), "{top}");
        let hot = share(ALL[2], |spec| spec.to < 10);
        assert!((5800..6200).contains(&hot), "{hot}");
        assert_eq!(share(ALL[2], |spec| spec.from < 10), 0);
        assert_eq!(share(ALL[3], |spec| spec.to == 0), 20_000);
        let steep = Workload::Zipf { n_accounts: 2, exponent_percent: 1000 };
        assert_eq!(share(steep, |spec| spec.from == spec.to), 0);
    }

    #[test]
    fn bad_parameters_are_named() {
        let check = |text: &str, expected: &str| {
            let error = text.parse::<Workload>().expect_err(text).to_string();
            assert_eq!(error, expected);
        };
        check("uniform:1", "n_accounts=1 is not in 2..=16777216");
        check("one-hot:0", "n_accounts=0 is not in 2..=16777216");
        check("uniform:99999999", "n_accounts=99999999 is not in 2..=16777216");
        check("hot:10:9:5", "n_accounts=10 is not in 11..=16777216");
        check("hot:10:0:5", "n_accounts=10 is not in 3..=16777216");
        check("hot:10:1:101", "hot_percent=101 is above 100");
        check(
            "hot:10:18446744073709551615:1",
            "n_accounts=10 is not in 18446744073709551615..=16777216",
        );
        check("zipf:10:1001", "exponent_percent=1001 is above 1000");
        check("uniform:-1", "\"-1\" is not a number: invalid digit found in string");
        let name = "\"uniform\" is not uniform:N, zipf:N:EXPONENT_PERCENT, hot:N:N_HOT:PERCENT, one-hot:N or pairs";
        check("uniform", name);
    }
}
