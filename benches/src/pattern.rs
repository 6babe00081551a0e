//! Workloads as patterns: a shape, its parameters, and what is common to all, as one line of text.
//!
//! ```
//! use kempe_bench::{Input, Pattern};
//!
//! let pattern: Pattern = "p2p:accounts=100,zipf=0.9,txs=500,seed=3,over=2".parse()?;
//! let input: Input = pattern.generate()?;
//! assert_eq!(input.n_txs(), 500);
//! assert_eq!(input, pattern.generate()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod calls;
mod shapes;

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use fastrand::Rng;
use kempe_abi::AccessKind;

pub use shapes::SHAPES;

use crate::input::{Input, InputTx};
use crate::trace::COST_NS_MAX;
use crate::workload::zipf_sums;
use crate::world::{Stage, WorldError};

/// A kind of workload.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Its name.
    pub name: &'static str,
    /// What it is like.
    pub about: &'static str,
    /// Its parameters.
    pub parameters: &'static [Parameter],
    make: Make,
}

impl Shape {
    /// Whether its transactions are calls of shipped contracts; the others are keys and costs.
    #[must_use]
    pub fn is_of_calls(&self) -> bool {
        matches!(self.make, Make::Calls(_))
    }

    /// What it understands of [`COMMON`]: calls cost what they cost, and touch what their contracts declare.
    #[must_use]
    pub fn common(&self) -> &'static [Parameter] {
        if self.is_of_calls() { &COMMON[..N_OF_CALLS] } else { &COMMON }
    }
}

/// How a block is made.
#[derive(Clone, Copy, Debug)]
enum Make {
    /// One transaction after the other: what each touches.
    Keys(fn(&mut Draw<'_>)),
    /// All of them: the contracts, what is done before, and the calls.
    Calls(fn(&mut Draw<'_>, &mut Stage) -> Result<(), WorldError>),
}

/// A parameter of a shape.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its value where none is given.
    pub default: f64,
    /// The least value.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// Whether it is a whole number, because it counts something.
    pub is_count: bool,
}

/// What patterns understand beside the parameters of their shapes; see [`Shape::common`].
pub const COMMON: [Parameter; 7] = [
    count("txs", 10_000.0, 1.0, 1_000_000.0),
    count("seed", 7.0, 0.0, 4_294_967_295.0),
    // How many times as many keys a list declares as the transaction touches.
    parameter("over", 1.0, 1.0, 100.0),
    // Of 100 transactions, how many trap halfway.
    parameter("trap", 0.0, 0.0, 100.0),
    // Of 100 transactions, how many cost twenty times as much.
    parameter("heavy", 0.0, 0.0, 100.0),
    // Nanoseconds added to each transaction for every key it touches: the latency of the state.
    count("latency", 0.0, 0.0, 1_000_000.0),
    // How far costs are spread: log-normally with this standard deviation of the logarithm, around the same mean.
    parameter("sigma", 0.0, 0.0, 3.0),
];

/// How many of them, the first ones, blocks of calls have.
const N_OF_CALLS: usize = 2;

/// The parameters that are shares of one whole, of the shape that has them.
const SHARES: [&str; 2] = ["raw", "erc20"];

const fn parameter(name: &'static str, default: f64, min: f64, max: f64) -> Parameter {
    Parameter { name, default, min, max, is_count: false }
}

const fn count(name: &'static str, default: f64, min: f64, max: f64) -> Parameter {
    Parameter { is_count: true, ..parameter(name, default, min, max) }
}

/// A shape with values for its parameters. As text: `shape:name=value,name=value`.
#[derive(Clone, Debug)]
pub struct Pattern {
    shape: &'static Shape,
    values: Vec<f64>,
    common: [f64; COMMON.len()],
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// There is no such shape.
    #[error("there is no workload {0:?}; there are {list}", list = names())]
    Shape(String),
    /// The shape has no such parameter.
    #[error("{shape} has no parameter {name:?}; it has {list}", list = parameters(shape))]
    Parameter {
        /// The shape.
        shape: &'static str,
        /// The word that was found.
        name: String,
    },
    /// A value is no number, or not in its range.
    #[error("{name}={found:?} is not a {what}number in {min}..={max}", what = if *is_count { "whole " } else { "" })]
    Value {
        /// The parameter.
        name: &'static str,
        /// The text that was found.
        found: String,
        /// The least value.
        min: f64,
        /// The greatest.
        max: f64,
        /// Whether it has to be a whole number.
        is_count: bool,
    },
    /// Shares of one whole, some of which may be defaults, are more than the whole.
    #[error("{shares} add up to {sum}, which is more than 100")]
    Shares {
        /// The parameters, with their values.
        shares: String,
        /// What they add up to.
        sum: f64,
    },
}

fn names() -> String {
    SHAPES.map(|shape| shape.name).join(", ")
}

fn parameters(shape: &str) -> String {
    let found = SHAPES.iter().filter(|known| known.name == shape);
    let all = found.flat_map(|shape| shape.parameters.iter().chain(shape.common()));
    all.map(|parameter| parameter.name).collect::<Vec<_>>().join(", ")
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let shape = SHAPES.iter().find(|shape| shape.name == name);
        let shape = shape.ok_or_else(|| PatternError::Shape(name.to_owned()))?;
        let defaults = shape.parameters.iter().map(|parameter| parameter.default);
        let mut pattern =
            Self { shape, values: defaults.collect(), common: COMMON.map(|known| known.default) };
        for word in rest.split(',').filter(|word| !word.is_empty()) {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let find = |known: &[Parameter]| known.iter().position(|known| known.name == name);
            if let Some(at) = find(shape.parameters) {
                pattern.values[at] = parse(&shape.parameters[at], value)?;
            } else if let Some(at) = find(shape.common()) {
                pattern.common[at] = parse(&COMMON[at], value)?;
            } else {
                return Err(PatternError::Parameter { shape: shape.name, name: name.to_owned() });
            }
        }
        pattern.check_shares()?;
        Ok(pattern)
    }
}

fn parse(parameter: &Parameter, text: &str) -> Result<f64, PatternError> {
    let &Parameter { name, min, max, is_count, .. } = parameter;
    let value = text.parse::<f64>().ok().filter(|value| (min..=max).contains(value));
    let value = value.filter(|value| !is_count || value.fract() == 0.0);
    value.ok_or_else(|| PatternError::Value { name, found: text.to_owned(), min, max, is_count })
}

/// The parameters that are not the shape's defaults.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shape.name)?;
        let own = self.shape.parameters.iter().zip(&self.values);
        let all = own.chain(COMMON.iter().zip(&self.common));
        let changed = all.filter(|(parameter, value)| parameter.default != **value);
        for (at, (parameter, value)) in changed.enumerate() {
            write!(f, "{}{}={value}", if at == 0 { ":" } else { "," }, parameter.name)?;
        }
        Ok(())
    }
}

impl Pattern {
    /// Refuses shares of one whole that are more than it.
    fn check_shares(&self) -> Result<(), PatternError> {
        let own = self.shape.parameters.iter().zip(&self.values);
        let shares: Vec<_> = own.filter(|(known, _)| SHARES.contains(&known.name)).collect();
        let sum: f64 = shares.iter().map(|(_, share)| **share).sum();
        // What decimal fractions add up to is no decimal fraction.
        let sum = (sum * 1e6).round() / 1e6;
        if sum <= 100.0 {
            return Ok(());
        }
        let each = shares.iter().map(|(known, share)| format!("{}={share}", known.name));
        Err(PatternError::Shares { shares: each.collect::<Vec<_>>().join(" and "), sum })
    }

    /// The block, of which the pattern and its seed alone decide.
    ///
    /// Calls of contracts are run once, one by one, to see what they cost: fuel.
    ///
    /// # Errors
    /// [`WorldError`], where a contract does not do what it is called for.
    pub fn generate(&self) -> Result<Input, WorldError> {
        let [n_txs, seed, over, trap, heavy, latency, sigma] = self.common;
        let mut draw = Draw {
            pattern: self,
            rng: Rng::with_seed(whole(seed)),
            zipf: Vec::new(),
            at: 0,
            tx: InputTx::default(),
        };
        let make = match self.shape.make {
            Make::Keys(make) => make,
            Make::Calls(make) => {
                let mut stage = Stage::new()?;
                make(&mut draw, &mut stage)?;
                return Input::of_calls(self.to_string(), stage);
            }
        };
        let (mut txs, mut n_accesses) = (Vec::new(), 0);
        for at in 0..whole(n_txs) {
            draw.at = at;
            draw.tx = InputTx { cost: 1000, ..InputTx::default() };
            make(&mut draw);
            let mut tx = std::mem::take(&mut draw.tx);
            if draw.percent(heavy) {
                tx.cost *= 20;
            }
            if sigma > 0.0 {
                tx.cost = draw.log_normal(tx.cost, sigma);
            }
            if draw.percent(trap) {
                (tx.cost, tx.traps) = (tx.cost / 2 + 1, true);
            }
            tx.cost += whole(latency) * (tx.accesses.len() as u64);
            draw.over_declare(&mut tx, over);
            n_accesses += tx.accesses.len();
            if n_accesses > ACCESSES_MAX {
                return Err(WorldError::TooManyAccesses(self.to_string()));
            }
            txs.push(tx);
        }
        Ok(Input::new(self.to_string(), txs))
    }
}

/// The most accesses that a generated block may have: with what is made of them, some gigabytes. Ours to choose.
pub const ACCESSES_MAX: usize = 1 << 25;

/// What a shape makes a transaction with.
struct Draw<'a> {
    pattern: &'a Pattern,
    rng: Rng,
    /// Cumulated weights of the Zipf distribution in use, and what they are for.
    zipf: Vec<(u64, u64, Vec<f64>)>,
    /// The position of the transaction.
    at: u64,
    tx: InputTx,
}

impl Draw<'_> {
    /// A parameter.
    fn value(&self, name: &str) -> f64 {
        let known = self.pattern.shape.parameters.iter().zip(&self.pattern.values);
        let found = known.into_iter().find(|(parameter, _)| parameter.name == name);
        *found.expect("a shape asks for its own parameters").1
    }

    /// How many transactions.
    fn n_txs(&self) -> u64 {
        whole(self.pattern.common[0])
    }

    /// A parameter that counts something.
    fn count(&self, name: &str) -> u64 {
        whole(self.value(name))
    }

    fn below(&mut self, end: u64) -> u64 {
        self.rng.u64(0..end.max(1))
    }

    fn percent(&mut self, percent: f64) -> bool {
        self.rng.f64() * 100.0 < percent
    }

    /// A cost from a log-normal distribution with this mean.
    ///
    /// Source: G. Box and M. Muller, "A note on the generation of random normal deviates" (1958).
    #[expect(clippy::cast_precision_loss, reason = "a cost needs few digits")]
    fn log_normal(&mut self, mean: u64, sigma: f64) -> u64 {
        // Above 0, which has no logarithm.
        let (above_zero, turn) = (1.0 - self.rng.f64(), self.rng.f64());
        let normal = (-2.0 * above_zero.ln()).sqrt() * (std::f64::consts::TAU * turn).cos();
        let factor = sigma.mul_add(normal, -sigma * sigma / 2.0).exp();
        whole(mean as f64 * factor).clamp(1, COST_NS_MAX)
    }

    /// A number below `end` by a Zipf distribution; uniform for exponent 0.
    fn zipf(&mut self, end: u64, exponent: f64) -> u64 {
        if exponent == 0.0 {
            return self.below(end);
        }
        let wanted = (end, exponent.to_bits());
        let known = self.zipf.iter().position(|known| (known.0, known.1) == wanted);
        let at = known.unwrap_or_else(|| {
            self.zipf.push((wanted.0, wanted.1, zipf_sums(end, exponent)));
            self.zipf.len() - 1
        });
        let sums = &self.zipf[at].2;
        let drawn = self.rng.f64() * sums.last().copied().unwrap_or(0.0);
        (sums.partition_point(|&sum| sum <= drawn) as u64).min(end.saturating_sub(1))
    }

    /// Two different numbers below `end`, which is at least 2.
    fn two(&mut self, end: u64, exponent: f64) -> (u64, u64) {
        let first = self.zipf(end, exponent);
        let second = (0..16).map(|_| self.zipf(end, exponent)).find(|&second| second != first);
        (first, second.unwrap_or((first + 1) % end))
    }

    fn read(&mut self, space: u64, key: u64) {
        self.touch(space, key, AccessKind::Read, false);
    }

    fn write(&mut self, space: u64, key: u64) {
        self.touch(space, key, AccessKind::Write, false);
    }

    /// Writes without reading.
    fn blind(&mut self, space: u64, key: u64) {
        self.touch(space, key, AccessKind::Write, true);
    }

    fn add(&mut self, space: u64, key: u64) {
        self.touch(space, key, AccessKind::Add, false);
    }

    fn touch(&mut self, space: u64, key: u64, kind: AccessKind, blind: bool) {
        self.tx.accesses.push((space << 40 | key, kind, blind));
    }

    fn sender(&mut self, sender: u64) {
        self.tx.sender = Some(sender);
    }

    fn cost_ns(&mut self, cost: u64) {
        self.tx.cost = cost;
    }

    /// Declares keys of the same spaces that the transaction does not touch.
    fn over_declare(&mut self, tx: &mut InputTx, over: f64) {
        let touched = tx.accesses.clone();
        #[expect(clippy::cast_precision_loss, reason = "a list has few entries")]
        let n_extra = whole(touched.len() as f64 * (over - 1.0));
        let mut known: HashSet<u64> = touched.iter().map(|&(key, ..)| key).collect();
        for at in 0..n_extra {
            let n = touched.len() as u64;
            let (key, kind, _) = touched[usize::try_from(at % n).unwrap_or(0)];
            // A neighbor in the same space, as a list that names a whole page would.
            let is_new = |other: &u64| known.insert(*other);
            let other = (1 + at / n..).map(|step| key ^ step).find(is_new).unwrap_or(key);
            tx.accesses.push((other, kind, false));
            tx.n_untouched += 1;
        }
    }
}

/// The whole part of a number that is not negative.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be in range"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests;
