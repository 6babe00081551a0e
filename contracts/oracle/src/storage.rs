//! Reports, events and errors.

use kempe_sdk::interfaces::Price;
use kempe_sdk::prelude::*;

/// The most reporters, and the most reports of one publication. Each is a signature to check; ours to
/// choose.
pub const REPORTERS_MAX: usize = 32;

/// How far a report may be ahead of the block's time, in milliseconds: clocks differ. Ours to choose.
pub const AHEAD_MS_MAX: u64 = 10_000;

/// How far a report may be behind the block's time, in milliseconds: six rounds, so that whoever publishes has no more to choose from,
/// also where nobody has published for long. Ours to choose.
pub const BEHIND_MS_MAX: u64 = 30_000;

/// How long a round is, in milliseconds: the least time between two prices of an asset. Ours to choose.
pub const ROUND_MS: u64 = 5_000;

/// How many prices of an asset are remembered. Who needs the first behind a time has as many rounds to ask for it, less what
/// it may be published behind and later ones ahead: 120 seconds at least. Each costs a publication 24 bytes. Ours to choose.
pub const RECENT_MAX: usize = 32;

/// The last prices of an asset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Value)]
pub struct Recent {
    /// The prices, the oldest first, at most [`RECENT_MAX`].
    pub prices: Vec<Price>,
    /// When the last that was forgotten was observed; zero if none was.
    pub forgotten_ms: u64,
}

impl Recent {
    /// Remembers a price that is newer than all others.
    pub(crate) fn push(&mut self, price: Price) {
        if self.prices.len() == RECENT_MAX {
            self.forgotten_ms = self.prices.remove(0).time_ms;
        }
        self.prices.push(price);
    }

    /// The first price that was observed after a time; `None` if there is none, or it may be forgotten.
    #[must_use]
    pub fn first_after(&self, after_ms: u64) -> Option<Price> {
        let known = self.forgotten_ms <= after_ms;
        self.prices.iter().find(|price| known && price.time_ms > after_ms).copied()
    }
}

/// Who reports, and how many must agree that they saw a price.
#[derive(Clone, Debug, PartialEq, Eq, Value)]
pub struct Panel {
    /// Who may change the panel.
    pub admin: Address,
    /// The reporters, each once.
    pub reporters: Vec<Address>,
    /// How many reports a publication needs.
    pub quorum: u8,
}

impl Panel {
    /// Whether the panel can publish what can be relied on: 1 to [`REPORTERS_MAX`] reporters, each once, and
    /// a quorum of more than two thirds of them.
    ///
    /// Of `n` reporters let `f`, less than a third, lie. The quorum is above `2n / 3`, so above `2f`: whoever picks
    /// the reports of a publication cannot pick as many liars as honest ones, and the [`median`] lies between two
    /// honest reports. The smallest such quorum is at most `n - f`: those who lie cannot stop a price by being silent.
    /// A larger quorum tolerates more liars, `(quorum - 1) / 2`, and fewer who are silent, `n - quorum`.
    ///
    /// Source: the bound of Byzantine agreement, as in Chainlink's off-chain reporting (2021).
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let (reporters, quorum) = (&self.reporters, usize::from(self.quorum));
        let once = reporters.iter().enumerate().all(|(i, a)| !reporters[..i].contains(a));
        let n_reporters = reporters.len();
        once && n_reporters <= REPORTERS_MAX
            && quorum * 3 > n_reporters * 2
            && quorum <= n_reporters
    }
}

/// What one reporter says.
#[derive(Clone, Debug, PartialEq, Eq, Value)]
pub struct Report {
    /// Who.
    pub reporter: Address,
    /// The price, above zero.
    pub value: u128,
    /// The reporter's signature of [`message`].
    pub signature: [u8; 64],
}

/// What reporters sign: a hash over everything that a report means, so that it says nothing about
/// another oracle, chain, asset or time.
///
/// # Arguments
/// - `domain`: what the oracle was deployed with.
/// - `oracle`: its address.
/// - `asset`, `value`, `time_ms`: what is reported.
#[must_use]
pub fn message(domain: u64, oracle: Address, asset: Address, value: u128, time_ms: u64) -> Hash {
    hash(&reported(domain, oracle, asset, value, time_ms))
}

/// What [`message`] hashes.
pub(crate) const fn reported(
    domain: u64,
    oracle: Address,
    asset: Address,
    value: u128,
    time_ms: u64,
) -> ([u8; 14], u64, Address, Address, u128, u64) {
    (*b"kempe oracle 1", domain, oracle, asset, value, time_ms)
}

/// The median; of an even number the middle between the two in the middle, rounded down.
///
/// Where liars are fewer than half, it is not below the lowest honest value nor above the highest: of an even number
/// `m` of values at most `m / 2 - 1` are then lies, so that neither of the two in the middle has only lies on one side
/// of it and is one itself.
///
/// Sorts. `None` of nothing.
#[must_use]
pub fn median(values: &mut [u128]) -> Option<u128> {
    values.sort_unstable();
    let high = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(high);
    }
    let low = values[values.len() / 2 - 1];
    Some(low + (high - low) / 2)
}

/// Why the oracle refuses: codes 1300 to 1399.
#[error]
pub enum OracleError {
    /// Only the admin, or whom that is offered to, may do this.
    NotAdmin = 1300,
    /// The panel has no reporters, too many, one twice, or a quorum that is not more
    /// than two thirds of them.
    BadPanel = 1301,
    /// There are fewer reports than the quorum, or more than reporters.
    NoQuorum = 1302,
    /// A report is not by a reporter, or a reporter reports twice.
    BadReporter = 1303,
    /// A signature is not valid.
    BadSignature = 1304,
    /// A reported price is zero.
    ZeroPrice = 1305,
    /// The reports are not newer than the price.
    NotNewer = 1306,
    /// The reports are ahead of the block's time.
    Ahead = 1307,
    /// The time is not the beginning of a round.
    NotARound = 1308,
    /// The reports are too far behind the block's time.
    Stale = 1309,
}

/// A price was published.
#[event]
pub struct Published {
    /// The asset.
    pub asset: Address,
    /// The median.
    pub value: u128,
    /// When it was observed: the beginning of a round.
    pub time_ms: u64,
    /// Of how many reports.
    pub n_reports: u8,
}

/// Somebody may become the admin.
#[event]
pub struct AdminOffered {
    /// Who.
    pub to: Address,
}

/// The panel was replaced, or has another admin.
#[event]
pub struct PanelChanged {
    /// The new one.
    pub panel: Panel,
}
