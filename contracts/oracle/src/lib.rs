//! Prices: the median of what reporters sign.
//!
//! Reporters sign prices off the chain. Anyone puts a quorum of their reports for one asset and one time
//! into one transaction; the oracle checks the signatures and keeps the median. So a price costs one
//! transaction and not one for each reporter.
//!
//! Who can move it: reporters that are fewer than a third of the panel can neither move a price beyond what
//! honest ones reported for that time, nor keep the others from publishing, if the quorum is the smallest
//! that [`Panel::is_sound`] accepts. More than that can, and this contract cannot tell.
//!
//! Prices are for *rounds* of [`ROUND_MS`]: reporters report what they observed when a round began, and for each round
//! an asset has one price at most. So nobody chooses among the many moments of a round, whoever reports fast changes the
//! price no more often than the others, and the prices that are remembered reach back by a time, not by a number
//! of publications.
//!
//! Whoever publishes can still pass over a round that nobody has published: later ones only follow, so that what
//! [`Oracle::first_after`] has said never changes. Those who let it depend on a round publish each: there are five seconds for it, until the
//! reporters have signed the next. Where nobody does, whoever comes chooses among the rounds of the last [`BEHIND_MS_MAX`], and cannot
//! go back to what an asset cost before.
//!
//! What conflicts: a publication writes the price of its asset and reads the panel. Publications for
//! different assets run at the same time. Readers of a price conflict with nothing, whichever contract calls
//! for them: a price holds from the block after its publication on, and all of a block see the same.
//!
//! Invariants:
//! - a price is the median of the reports of more than two thirds of the panel, all for one time;
//! - the time of an asset's price is the beginning of a round, only grows, and when it is published it is not ahead of the block by more
//!   than [`AHEAD_MS_MAX`], nor behind by more than [`BEHIND_MS_MAX`];
//! - a price is never zero.
#![no_std]

use kempe_sdk::ed25519_verify;
use kempe_sdk::interfaces::{self, Price};
use kempe_sdk::prelude::*;

mod storage;
#[cfg(test)]
mod test;

use storage::reported;
pub use storage::{
    AHEAD_MS_MAX, AdminOffered, BEHIND_MS_MAX, OracleError, Panel, PanelChanged, Published,
    RECENT_MAX, REPORTERS_MAX, ROUND_MS, Recent, Report, median, message,
};

/// Prices of any number of assets, in one currency.
#[contract]
#[derive(Debug)]
pub struct Oracle {
    /// Part of what reporters sign: tells chains apart.
    domain: Immutable<u64>,
    /// Who reports.
    panel: Item<Panel>,
    /// Who is offered to be the admin.
    offered: Item<Address>,
    /// What each asset costs; absent before the first publication.
    prices: Map<Address, Price>,
    /// What each asset cost lately.
    recent: Map<Address, Recent>,
}

#[contract(implements(interfaces::Oracle, interfaces::PriceHistory))]
impl Oracle {
    /// Sets up the oracle.
    ///
    /// # Arguments
    /// - `admin`: who may change the panel: an account, a multisig, a governance.
    /// - `reporters`: 1 to [`REPORTERS_MAX`], each once.
    /// - `quorum`: how many reports a publication needs: more than two thirds of the reporters.
    /// - `domain`: a number that tells this chain from others, such as its identifier.
    ///
    /// # Errors
    /// - [`OracleError::BadPanel`].
    pub fn init(
        &mut self,
        admin: Address,
        reporters: Vec<Address>,
        quorum: u8,
        domain: u64,
    ) -> Result<(), OracleError> {
        let panel = Panel { admin, reporters, quorum };
        ensure!(panel.is_sound(), OracleError::BadPanel);
        self.domain.set(domain);
        self.panel.put(panel);
        Ok(())
    }

    /// Publishes the median of signed reports. Anyone may.
    ///
    /// # Arguments
    /// - `asset`: what the price is of.
    /// - `time_ms`: when the reporters observed it: the beginning of a round, a multiple of [`ROUND_MS`].
    /// - `reports`: at least a quorum, each by another reporter, each signing [`message`].
    ///
    /// Returns the median.
    ///
    /// # Errors
    /// - [`OracleError::NotARound`], [`OracleError::NotNewer`], [`OracleError::Ahead`], [`OracleError::Stale`].
    /// - [`OracleError::NoQuorum`]: too few reports, or more than there are reporters.
    /// - [`OracleError::BadReporter`], [`OracleError::ZeroPrice`], [`OracleError::BadSignature`].
    ///
    /// # Events
    /// [`Published`].
    #[access(read(panel), write(prices[asset], recent[asset]))]
    pub fn publish(
        &mut self,
        asset: Address,
        time_ms: u64,
        reports: Vec<Report>,
    ) -> Result<u128, OracleError> {
        let panel = self.panel.get().ok_or(OracleError::BadPanel)?;
        ensure!(time_ms.is_multiple_of(ROUND_MS), OracleError::NotARound);
        let newer = self.prices.try_get(asset).is_none_or(|price| time_ms > price.time_ms);
        ensure!(newer, OracleError::NotNewer);
        let latest_ms = kempe_sdk::time_ms().saturating_add(AHEAD_MS_MAX);
        ensure!(time_ms <= latest_ms, OracleError::Ahead);
        let oldest_ms = kempe_sdk::time_ms().saturating_sub(BEHIND_MS_MAX);
        ensure!(time_ms >= oldest_ms, OracleError::Stale);
        let n_reports = u8::try_from(reports.len()).map_err(|_| OracleError::NoQuorum)?;
        let enough = n_reports >= panel.quorum && reports.len() <= panel.reporters.len();
        ensure!(enough, OracleError::NoQuorum);
        let domain = self.domain.get();
        for (i, report) in reports.iter().enumerate() {
            let first = reports[..i].iter().all(|other| other.reporter != report.reporter);
            let known = panel.reporters.contains(&report.reporter);
            ensure!(first && known, OracleError::BadReporter);
            ensure!(report.value > 0, OracleError::ZeroPrice);
            let message = message(domain, this(), asset, report.value, time_ms);
            let valid = ed25519_verify(&report.reporter, &message.0, &report.signature);
            ensure!(valid, OracleError::BadSignature);
        }
        let mut values: Vec<u128> = reports.iter().map(|report| report.value).collect();
        let value = median(&mut values).ok_or(OracleError::NoQuorum)?;
        let (price, mut recent) = (Price { value, time_ms }, self.recent.get(asset));
        recent.push(price);
        self.recent.put(asset, &recent);
        self.prices.put(asset, price);
        emit(Published { asset, value, time_ms, n_reports });
        Ok(value)
    }

    /// Replaces the reporters; prices stay, and so does the admin.
    ///
    /// # Arguments
    /// - `reporters`: 1 to [`REPORTERS_MAX`], each once.
    /// - `quorum`: how many reports a publication needs: more than two thirds of the reporters.
    ///
    /// # Errors
    /// - [`OracleError::NotAdmin`], [`OracleError::BadPanel`].
    ///
    /// # Events
    /// [`PanelChanged`].
    #[access(write(panel))]
    pub fn set_panel(&mut self, reporters: Vec<Address>, quorum: u8) -> Result<(), OracleError> {
        let admin = self.panel.get().map(|panel| panel.admin);
        ensure!(admin == Some(caller()), OracleError::NotAdmin);
        let panel = Panel { admin: caller(), reporters, quorum };
        ensure!(panel.is_sound(), OracleError::BadPanel);
        self.panel.put(&panel);
        emit(PanelChanged { panel });
        Ok(())
    }

    /// Offers to let `to` say who reports. Nothing changes until it accepts, so that the oracle cannot be lost by a typing mistake.
    ///
    /// # Errors
    /// - [`OracleError::NotAdmin`].
    ///
    /// # Events
    /// [`AdminOffered`].
    #[access(read(panel), write(offered))]
    pub fn offer_admin(&mut self, to: Address) -> Result<(), OracleError> {
        let admin = self.panel.get().map(|panel| panel.admin);
        ensure!(admin == Some(caller()), OracleError::NotAdmin);
        self.offered.put(to);
        emit(AdminOffered { to });
        Ok(())
    }

    /// Accepts what [`Oracle::offer_admin`] offers.
    ///
    /// # Errors
    /// - [`OracleError::NotAdmin`]: it is not offered to the caller.
    ///
    /// # Events
    /// [`PanelChanged`].
    #[access(write(panel, offered))]
    pub fn accept_admin(&mut self) -> Result<(), OracleError> {
        ensure!(self.offered.take() == Some(caller()), OracleError::NotAdmin);
        let mut panel = self.panel.get().ok_or(OracleError::BadPanel)?;
        panel.admin = caller();
        self.panel.put(&panel);
        emit(PanelChanged { panel });
        Ok(())
    }

    /// What the asset cost before the block; `None` if nothing had been published. How old is too old is the
    /// caller's to say.
    #[access(start(prices[asset]))]
    pub fn price(&self, asset: Address) -> Option<Price> {
        self.prices.at_start(asset)
    }

    /// The first price that was observed after `after_ms`, as far as it was published before the block; `None`
    /// if none was, or if [`RECENT_MAX`] more were published since, which takes as many rounds.
    #[access(start(recent[asset]))]
    pub fn first_after(&self, asset: Address, after_ms: u64) -> Option<Price> {
        self.recent.at_start(asset)?.first_after(after_ms)
    }

    /// What a reporter signs: the message, whose blake3 hash is signed.
    ///
    /// # Arguments
    /// - `asset`: what the price is of.
    /// - `value`: the price.
    /// - `time_ms`: the beginning of the round.
    pub fn report_message(&self, asset: Address, value: u128, time_ms: u64) -> Vec<u8> {
        kempe_sdk::message(&reported(self.domain.get(), this(), asset, value, time_ms))
    }

    /// Who reports.
    #[access(read(panel))]
    pub fn panel(&self) -> Option<Panel> {
        self.panel.get()
    }
}
