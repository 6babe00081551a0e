//! The oracle's rules, run natively.

extern crate std;

use kempe_sdk::interfaces::Price;
use kempe_sdk::prelude::*;
use kempe_sdk::testing::{Instance, Receipt, TestChain};

use crate::{
    AHEAD_MS_MAX, AdminOffered, BEHIND_MS_MAX, Oracle, OracleError, Panel, PanelChanged, Published,
    RECENT_MAX, REPORTERS_MAX, ROUND_MS, Report, median, message,
};

const ASSET: Address = Address([1; 32]);
const DOMAIN: u64 = 9;

/// When a round of a test begins.
const fn begin_ms(round: u64) -> u64 {
    (1_000 + round) * ROUND_MS
}

struct Setup {
    chain: TestChain,
    oracle: Instance<Oracle>,
    admin: Address,
    reporters: [Address; 5],
}

/// Four reporters, three of whom are a quorum, and one more account, in the seventh round.
fn setup() -> Setup {
    let mut chain = TestChain::native();
    let admin = chain.account("admin");
    let reporters = ["a", "b", "c", "d", "e"].map(|name| chain.account(name));
    let args = (admin, reporters[..4].to_vec(), 3u8, DOMAIN);
    let oracle = chain.deploy::<Oracle>(admin, args);
    chain.set_time_ms(begin_ms(7));
    Setup { chain, oracle, admin, reporters }
}

impl Setup {
    fn report(&self, reporter: usize, asset: Address, value: u128, round: u64) -> Report {
        self.report_at(reporter, asset, value, begin_ms(round))
    }

    fn report_at(&self, reporter: usize, asset: Address, value: u128, time_ms: u64) -> Report {
        let reporter = self.reporters[reporter];
        let message = message(DOMAIN, self.oracle.address(), asset, value, time_ms);
        Report { reporter, value, signature: self.chain.sign(reporter, &message.0) }
    }

    fn reports(&self, values: &[u128], round: u64) -> Vec<Report> {
        (0..).zip(values).map(|(i, &value)| self.report(i, ASSET, value, round)).collect()
    }

    fn publish(&mut self, round: u64, reports: Vec<Report>) -> Receipt {
        self.publish_at(begin_ms(round), reports)
    }

    fn publish_at(&mut self, time_ms: u64, reports: Vec<Report>) -> Receipt {
        self.chain.send(self.admin, &self.oracle, "publish", (ASSET, time_ms, reports))
    }

    fn price(&mut self) -> Option<Price> {
        self.chain.view(&self.oracle, "price", (ASSET,))
    }
}

#[test]
fn reporters_are_shown_what_to_sign() {
    let mut s = setup();
    let (value, time_ms) = (5u128, begin_ms(7));
    let shown: Vec<u8> = s.chain.view(&s.oracle, "report_message", (ASSET, value, time_ms));
    let signed = message(DOMAIN, s.oracle.address(), ASSET, value, time_ms);
    assert_eq!(kempe_sdk::blake3(&shown), signed);
}

#[test]
fn the_median_is_the_price() {
    let mut s = setup();
    assert_eq!(s.price(), None);
    let reports = s.reports(&[30, 10, 1_000_000], 5);
    let receipt = s.publish(5, reports);
    assert_eq!(receipt.value::<u128>(), 30);
    let published = Published { asset: ASSET, value: 30, time_ms: begin_ms(5), n_reports: 3 };
    assert_eq!(receipt.events::<Published>(), [published]);
    assert_eq!(s.price(), Some(Price { value: 30, time_ms: begin_ms(5) }));
    let reports = s.reports(&[10, 40, 20, 31], 6);
    assert_eq!(s.publish(6, reports).value::<u128>(), 25);
}

#[test]
fn a_liar_does_not_set_the_price() {
    let mut s = setup();
    let honest = 10u128.pow(18);
    for (round, lie) in [(5, 10u128.pow(38)), (6, u128::MAX), (7, 1)] {
        let reports = s.reports(&[honest, lie, honest + 2], round);
        let value: u128 = s.publish(round, reports).value();
        assert!((honest..=honest + 2).contains(&value), "{value}");
    }
}

/// Every panel with the smallest quorum, every number of reports, every way for less than a third to lie.
#[test]
fn less_than_a_third_can_neither_move_nor_stop_a_price() {
    for n_reporters in 1..=REPORTERS_MAX {
        let reporters: Vec<Address> = (0..32).map(|i| Address([i; 32])).collect();
        let panel = |quorum| {
            let reporters = reporters[..n_reporters].to_vec();
            Panel { admin: Address::ZERO, reporters, quorum }
        };
        let quorum = (0..=32).find(|&quorum| panel(quorum).is_sound()).unwrap();
        let (quorum, n_liars) = (usize::from(quorum), (n_reporters - 1) / 3);
        assert!(quorum <= n_reporters - n_liars, "{quorum} of {n_reporters}");
        for n_reports in quorum..=n_reporters {
            let honest = 100..100 + (n_reports - n_liars) as u128;
            for n_high in 0..=n_liars {
                let lies = (0..n_liars).map(|i| if i < n_high { u128::MAX } else { 1 });
                let price = median(&mut honest.clone().chain(lies).collect::<Vec<_>>()).unwrap();
                assert!(honest.contains(&price), "{n_high} of {n_reports} of {n_reporters}");
            }
        }
    }
}

#[test]
fn reports_must_be_newer_and_not_ahead() {
    let mut s = setup();
    let reports = s.reports(&[1, 1, 1], 5);
    s.publish(5, reports.clone()).assert_ok();
    s.publish(5, reports).assert_revert(OracleError::NotNewer);
    let reports = s.reports(&[2, 2, 2], 4);
    s.publish(4, reports).assert_revert(OracleError::NotNewer);
    let ahead = (s.chain.time_ms() + AHEAD_MS_MAX - begin_ms(0)) / ROUND_MS + 1;
    let reports = s.reports(&[2, 2, 2], ahead);
    s.publish(ahead, reports.clone()).assert_revert(OracleError::Ahead);
    s.chain.advance_ms(ROUND_MS);
    s.publish(ahead, reports).assert_ok();
}

/// Where nobody has published for long, nobody chooses among all that an asset has cost since; and what was passed over stays out.
#[test]
fn nobody_goes_back_to_an_old_round() {
    let mut s = setup();
    let reports = s.reports(&[8; 3], 7);
    s.publish(7, reports).assert_ok();
    s.chain.set_time_ms(begin_ms(13) + BEHIND_MS_MAX + 1);
    let reports = s.reports(&[1; 3], 13);
    s.publish(13, reports).assert_revert(OracleError::Stale);
    s.chain.set_time_ms(begin_ms(14) + BEHIND_MS_MAX);
    let late = s.reports(&[2; 3], 14);
    s.publish(14, late.clone()).assert_ok();
    s.publish(14, late).assert_revert(OracleError::NotNewer);
    s.chain.set_time_ms(begin_ms(17) + BEHIND_MS_MAX);
    let [passed, next] = [16, 17].map(|round| s.reports(&[3; 3], round));
    s.publish(17, next).assert_ok();
    let first = |s: &mut Setup| {
        s.chain.view::<Option<Price>>(&s.oracle, "first_after", (ASSET, begin_ms(14)))
    };
    let seen = first(&mut s);
    assert_eq!(seen.map(|price| price.time_ms), Some(begin_ms(17)));
    s.publish(16, passed).assert_revert(OracleError::NotNewer);
    assert_eq!(first(&mut s), seen);
}

/// However many moments of a round are reported, it has one price; so what is remembered reaches back by a time.
#[test]
fn a_round_has_one_price() {
    let mut s = setup();
    let reports = s.reports(&[1; 3], 5);
    s.publish(5, reports).assert_ok();
    for ms in [1, ROUND_MS - 1, ROUND_MS + 1] {
        let time_ms = begin_ms(5) + ms;
        let reports = (0..3).map(|by| s.report_at(by, ASSET, 1_000, time_ms)).collect();
        s.publish_at(time_ms, reports).assert_revert(OracleError::NotARound);
    }
    let remembered_ms = u64::try_from(RECENT_MAX).unwrap() * ROUND_MS;
    assert_eq!(remembered_ms - AHEAD_MS_MAX, 150_000, "as its documentation says");
}

#[test]
fn only_signed_reports_of_different_reporters_count() {
    let mut s = setup();
    let good = s.reports(&[7, 7, 7], 5);
    s.publish(5, good[..2].to_vec()).assert_revert(OracleError::NoQuorum);
    s.publish(5, vec![good[0].clone(); 6]).assert_revert(OracleError::NoQuorum);
    s.publish(5, vec![good[0].clone(); 300]).assert_revert(OracleError::NoQuorum);
    let twice = vec![good[0].clone(), good[1].clone(), good[0].clone()];
    s.publish(5, twice).assert_revert(OracleError::BadReporter);
    let stranger = Report { reporter: s.admin, ..good[2].clone() };
    let with = |last: Report| vec![good[0].clone(), good[1].clone(), last];
    s.publish(5, with(stranger)).assert_revert(OracleError::BadReporter);
    let other_value = Report { value: 8, ..good[2].clone() };
    s.publish(5, with(other_value)).assert_revert(OracleError::BadSignature);
    let other_asset = s.report(2, Address([2; 32]), 7, 5);
    s.publish(5, with(other_asset)).assert_revert(OracleError::BadSignature);
    let other_time = s.report(2, ASSET, 7, 6);
    s.publish(5, with(other_time)).assert_revert(OracleError::BadSignature);
    let zero = s.report(2, ASSET, 0, 5);
    s.publish(5, with(zero)).assert_revert(OracleError::ZeroPrice);
    s.publish(5, with(good[2].clone())).assert_ok();
}

#[test]
fn the_admin_replaces_the_panel() {
    let mut s = setup();
    let (admin, next, reporters) = (s.admin, s.reporters[0], vec![s.reporters[4]]);
    let set = |s: &mut Setup, by, quorum: u8| {
        s.chain.send(by, &s.oracle, "set_panel", (reporters.clone(), quorum))
    };
    set(&mut s, next, 1).assert_revert(OracleError::NotAdmin);
    set(&mut s, admin, 0).assert_revert(OracleError::BadPanel);
    let mut panel = Panel { admin, reporters: reporters.clone(), quorum: 1 };
    let receipt = set(&mut s, admin, 1);
    assert_eq!(receipt.events::<PanelChanged>(), [PanelChanged { panel: panel.clone() }]);
    assert_eq!(s.chain.view::<Option<Panel>>(&s.oracle, "panel", ()), Some(panel.clone()));
    // Nobody is the admin who has not said so.
    s.chain.send(next, &s.oracle, "offer_admin", (next,)).assert_revert(OracleError::NotAdmin);
    let offer = s.chain.send(admin, &s.oracle, "offer_admin", (next,));
    assert_eq!(offer.events::<AdminOffered>(), [AdminOffered { to: next }]);
    s.chain.send(admin, &s.oracle, "accept_admin", ()).assert_revert(OracleError::NotAdmin);
    set(&mut s, admin, 1).assert_ok();
    let receipt = s.chain.send(next, &s.oracle, "accept_admin", ());
    panel.admin = next;
    assert_eq!(receipt.events::<PanelChanged>(), [PanelChanged { panel }]);
    s.chain.send(next, &s.oracle, "accept_admin", ()).assert_revert(OracleError::NotAdmin);
    set(&mut s, admin, 1).assert_revert(OracleError::NotAdmin);
    set(&mut s, next, 1).assert_ok();
    let reports = vec![s.report(4, ASSET, 3, 5)];
    s.publish(5, reports).assert_ok();
    let old = s.reports(&[3, 3, 3], 6);
    s.publish(6, old[..1].to_vec()).assert_revert(OracleError::BadReporter);
}

#[test]
fn panels_that_cannot_publish() {
    let mut chain = TestChain::native();
    let many: Vec<Address> =
        (0..=REPORTERS_MAX).map(|i| chain.account(&std::format!("r{i}"))).collect();
    let admin = many[0];
    for (reporters, quorum) in [
        (vec![], 0u8),
        (many[..4].to_vec(), 2),
        (many[..4].to_vec(), 5),
        // Two thirds are not enough: of two reports one would be the liar's.
        (many[..3].to_vec(), 2),
        (many[..6].to_vec(), 4),
        (many[..REPORTERS_MAX].to_vec(), 21),
        (vec![many[0], many[1], many[0]], 3),
        (many.clone(), 23),
    ] {
        let args = (admin, reporters, quorum, DOMAIN);
        chain.try_deploy::<Oracle>(admin, args).unwrap_err().assert_revert(OracleError::BadPanel);
    }
    chain.deploy::<Oracle>(admin, (admin, many[..REPORTERS_MAX].to_vec(), 22u8, DOMAIN));
}

#[test]
fn medians() {
    for (mut values, expected) in [
        (vec![], None),
        (vec![4], Some(4)),
        (vec![4, 1], Some(2)),
        (vec![9, 1, 5], Some(5)),
        (vec![u128::MAX, u128::MAX - 3, 0, u128::MAX - 1], Some(u128::MAX - 2)),
    ] {
        assert_eq!(median(&mut values), expected);
    }
}

#[test]
fn assets_do_not_wait_for_each_other() {
    let mut s = setup();
    let other = Address([2; 32]);
    let time_ms = begin_ms(5);
    let [one, two] = [ASSET, other].map(|asset| {
        let reports: Vec<Report> = (0..3).map(|i| s.report(i, asset, 7, 5)).collect();
        s.oracle.tx(s.reporters[0], "publish", (asset, time_ms, reports))
    });
    let read = |who, asset| s.oracle.tx(who, "price", (asset,));
    let txs = [one, two, read(s.admin, ASSET), read(s.reporters[1], ASSET)];
    let report = s.chain.block(txs);
    // Readers see what was there before the block, so they wait for nobody.
    report.assert_ok().assert_batches(&[&[0, 1, 2, 3]]);
    assert_eq!(report.receipts[2].value::<Option<Price>>(), None);
    let price: Option<Price> = s.chain.view(&s.oracle, "price", (ASSET,));
    assert_eq!(price, Some(Price { value: 7, time_ms }));
}

#[test]
fn the_first_price_behind_a_time_is_remembered_for_a_while() {
    let mut s = setup();
    let first = |s: &mut Setup, after: u64| {
        let after_ms = begin_ms(after);
        s.chain.view::<Option<Price>>(&s.oracle, "first_after", (ASSET, after_ms))
    };
    assert_eq!(first(&mut s, 0), None);
    let n_prices = u64::try_from(RECENT_MAX).unwrap();
    let at = |round: u64| Some(Price { value: round.into(), time_ms: begin_ms(round) });
    for round in 10..10 + n_prices {
        let reports = s.reports(&[round.into(); 3], round);
        s.chain.set_time_ms(begin_ms(round));
        s.publish(round, reports).assert_ok();
    }
    assert_eq!([0, 9, 10, 39].map(|after| first(&mut s, after)), [10, 10, 11, 40].map(at));
    assert_eq!(first(&mut s, 10 + n_prices - 1), None);
    let reports = s.reports(&[100; 3], 100);
    s.chain.set_time_ms(begin_ms(100));
    s.publish(100, reports).assert_ok();
    // What was first behind an earlier time is forgotten, and nothing else takes its place.
    assert_eq!([0, 9].map(|after| first(&mut s, after)), [None; 2]);
    assert_eq!([10, 50].map(|after| first(&mut s, after)), [11, 100].map(at));
}
