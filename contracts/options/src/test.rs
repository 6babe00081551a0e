//! The rules of a series, run natively.

extern crate std;

use kempe_math::ONE;
use kempe_sdk::prelude::*;
use kempe_sdk::testing::{Instance, Receipt, TestChain};
use kempe_token::{Token, TokenError};

use crate::{
    Approval, Closed, Exercised, OptionError, Options, Part, Series, Settled, Sums, Taken,
    Transfer, Written,
};

struct Setup {
    chain: TestChain,
    underlying: Instance<Token>,
    quote: Instance<Token>,
    options: Instance<Options>,
    writer: Address,
    holder: Address,
    other: Address,
}

/// Options to buy, or sell, at two and a half.
fn setup(put: bool) -> Setup {
    let mut chain = TestChain::native();
    let [writer, holder, other] = ["writer", "holder", "other"].map(|name| chain.account(name));
    let underlying = chain.deploy::<Token>(writer, (writer,));
    let quote = chain.deploy::<Token>(writer, (writer,));
    let series = Series {
        underlying: underlying.address(),
        quote: quote.address(),
        strike: ONE / 2 * 5,
        exercise_from_ms: chain.time_ms() + 500_000,
        expiry_ms: chain.time_ms() + 1_000_000,
        put,
    };
    let options = chain.deploy::<Options>(writer, (series,));
    for token in [&underlying, &quote] {
        for who in [writer, holder, other] {
            chain.send(writer, token, "mint", (who, 10_000u128)).assert_ok();
            chain.send(who, token, "approve", (options.address(), u128::MAX)).assert_ok();
        }
    }
    Setup { chain, underlying, quote, options, writer, holder, other }
}

impl Setup {
    fn send(&mut self, by: Address, method: &str, amount: u128) -> Receipt {
        self.chain.send(by, &self.options, method, (amount,))
    }

    fn settle(&mut self, by: Address, part: Part) -> Receipt {
        let method = match part {
            Part::Locked => "settle_locked",
            Part::Paid => "settle_paid",
        };
        self.chain.send(by, &self.options, method, ())
    }

    fn settlement(&mut self, of: Address) -> (u128, u128) {
        self.chain.view(&self.options, "settlement", (of,))
    }

    /// From the next block on options can be exercised.
    fn begin(&mut self) {
        let series: Series = self.chain.view(&self.options, "series", ());
        self.chain.set_time_ms(series.exercise_from_ms);
    }

    /// From the next block on writers are settled.
    fn expire(&mut self) {
        let series: Series = self.chain.view(&self.options, "series", ());
        self.chain.set_time_ms(series.expiry_ms);
    }

    /// What somebody has of the underlying and of the quote token.
    fn has(&mut self, of: Address) -> (u128, u128) {
        let [underlying, quote] = [self.underlying, self.quote]
            .map(|token| self.chain.view::<u128>(&token, "balance", (of,)));
        (underlying, quote)
    }

    fn sums(&mut self) -> Sums {
        self.chain.view(&self.options, "sums", ())
    }
}

#[test]
fn a_call_is_written_sold_and_exercised() {
    let mut s = setup(false);
    let receipt = s.send(s.writer, "write", 1_000);
    let written = Written { by: s.writer, amount: 1_000, locked: 1_000 };
    assert_eq!(receipt.events::<Written>(), [written]);
    let receipt = s.chain.send(s.writer, &s.options, "transfer", (s.holder, 600u128));
    let transfer = Transfer { from: s.writer, to: s.holder, amount: 600 };
    assert_eq!(receipt.events::<Transfer>(), [transfer]);
    s.send(s.holder, "exercise", 101).assert_revert(OptionError::NotYet);
    s.begin();
    // 101 cost 252.5: rounded up for who pays.
    let receipt = s.send(s.holder, "exercise", 101);
    let exercised = Exercised { by: s.holder, amount: 101, paid: 253, received: 101 };
    assert_eq!(receipt.assert_ok().events::<Exercised>(), [exercised]);
    assert_eq!(s.has(s.holder), (10_101, 9_747));
    assert_eq!(s.sums(), Sums { options: 899, written: 1_000, locked: 899, paid: 253 });
    s.send(s.holder, "exercise", 500).assert_revert(OptionError::InsufficientOptions);
    assert_eq!(s.chain.view::<u128>(&s.options, "balance", (s.holder,)), 499);
    assert_eq!(s.chain.view::<u128>(&s.options, "total_supply", ()), 899);
}

#[test]
fn a_put_pays_the_strike_for_the_underlying() {
    let mut s = setup(true);
    let receipt = s.send(s.writer, "write", 101);
    let written = Written { by: s.writer, amount: 101, locked: 253 };
    assert_eq!(receipt.events::<Written>(), [written]);
    s.chain.send(s.writer, &s.options, "transfer", (s.holder, 101u128)).assert_ok();
    s.begin();
    let receipt = s.send(s.holder, "exercise", 101);
    let exercised = Exercised { by: s.holder, amount: 101, paid: 101, received: 252 };
    assert_eq!(receipt.assert_ok().events::<Exercised>(), [exercised]);
    assert_eq!(s.has(s.holder), (9_899, 10_252));
    s.expire();
    assert_eq!(s.settle(s.writer, Part::Locked).value::<u128>(), 1);
    assert_eq!(s.settle(s.writer, Part::Paid).value::<u128>(), 101);
    assert_eq!(s.has(s.writer), (10_101, 9_748));
}

#[test]
fn writers_share_what_is_left() {
    let mut s = setup(false);
    s.send(s.writer, "write", 300).assert_ok();
    s.send(s.other, "write", 700).assert_ok();
    s.chain.send(s.other, &s.options, "transfer", (s.holder, 500u128)).assert_ok();
    s.begin();
    s.send(s.holder, "exercise", 500).assert_ok();
    s.settle(s.writer, Part::Paid).assert_revert(OptionError::NotExpired);
    let parts = [s.writer, s.other, s.holder].map(|who| s.settlement(who));
    assert_eq!(parts, [(150, 375), (350, 875), (0, 0)]);
    s.expire();
    s.send(s.writer, "write", 1).assert_revert(OptionError::WritingIsOver);
    for method in ["close", "exercise"] {
        s.send(s.writer, method, 1).assert_revert(OptionError::Expired);
    }
    // 500 and 1,250 are left; 30 % and 70 %.
    for (by, written, [locked, paid]) in [(s.writer, 300, [150, 375]), (s.other, 700, [350, 875])] {
        for (part, amount) in [(Part::Locked, locked), (Part::Paid, paid)] {
            let receipt = s.settle(by, part);
            let settled = Settled { by, written, part, amount };
            assert_eq!(receipt.assert_ok().events::<Settled>(), [settled]);
            s.settle(by, part).assert_revert(OptionError::AlreadySettled);
        }
    }
    s.settle(s.holder, Part::Locked).assert_revert(OptionError::InsufficientWritten);
    assert_eq!(s.has(s.options.address()), (0, 0));
}

/// Whoever writes behind an exercise shares what earlier writers were paid, for options that are not exercised any more.
#[test]
fn nobody_writes_once_options_can_be_exercised() {
    let mut s = setup(false);
    s.send(s.writer, "write", 100).assert_ok();
    s.chain.send(s.writer, &s.options, "transfer", (s.holder, 50u128)).assert_ok();
    s.begin();
    s.send(s.other, "write", 900).assert_revert(OptionError::WritingIsOver);
    s.send(s.holder, "exercise", 50).assert_ok();
    s.send(s.other, "write", 900).assert_revert(OptionError::WritingIsOver);
    s.expire();
    assert_eq!(s.settle(s.writer, Part::Locked).value::<u128>(), 50);
    assert_eq!(s.settle(s.writer, Part::Paid).value::<u128>(), 125);
}

/// A token that pays nobody, or has nothing to pay, is not in the way of the other one.
#[test]
fn a_writer_takes_the_two_tokens_apart() {
    let mut s = setup(false);
    s.send(s.writer, "write", 100).assert_ok();
    s.chain.send(s.writer, &s.options, "transfer", (s.holder, 60u128)).assert_ok();
    s.begin();
    s.send(s.holder, "exercise", 60).assert_ok();
    s.expire();
    assert_eq!(s.settle(s.writer, Part::Paid).value::<u128>(), 150);
    assert_eq!((s.settlement(s.writer), s.settlement(s.holder)), ((40, 0), (0, 0)));
    s.settle(s.writer, Part::Paid).assert_revert(OptionError::AlreadySettled);
    assert_eq!(s.settle(s.writer, Part::Locked).value::<u128>(), 40);
    let taken: Taken = s.chain.view(&s.options, "taken", (s.writer,));
    assert_eq!(taken, Taken { locked: true, paid: true });

    let mut s = setup(false);
    s.send(s.writer, "write", 100).assert_ok();
    s.expire();
    s.settle(s.writer, Part::Paid).assert_revert(OptionError::ZeroAmount);
    assert_eq!(s.settle(s.writer, Part::Locked).value::<u128>(), 100);
}

#[test]
fn what_is_written_and_held_can_be_closed() {
    let mut s = setup(true);
    s.send(s.writer, "write", 100).assert_ok();
    s.chain.send(s.writer, &s.options, "transfer", (s.holder, 60u128)).assert_ok();
    s.send(s.writer, "close", 41).assert_revert(OptionError::InsufficientOptions);
    s.send(s.holder, "close", 41).assert_revert(OptionError::InsufficientWritten);
    let receipt = s.send(s.writer, "close", 39);
    // 97.5, rounded down.
    let closed = Closed { by: s.writer, amount: 39, unlocked: 97 };
    assert_eq!(receipt.assert_ok().events::<Closed>(), [closed]);
    assert_eq!(s.sums(), Sums { options: 61, written: 61, locked: 153, paid: 0 });
    assert_eq!(s.chain.view::<u128>(&s.options, "written", (s.writer,)), 61);
}

#[test]
fn options_are_a_token() {
    let mut s = setup(false);
    s.send(s.writer, "write", 100).assert_ok();
    let receipt = s.chain.send(s.writer, &s.options, "approve", (s.other, 50u128));
    let approval = Approval { owner: s.writer, spender: s.other, amount: 50 };
    assert_eq!(receipt.events::<Approval>(), [approval]);
    let args = (s.writer, s.holder, 30u128);
    s.chain.send(s.other, &s.options, "transfer_from", args).assert_ok();
    s.chain
        .send(s.other, &s.options, "transfer_from", args)
        .assert_revert(OptionError::InsufficientAllowance);
    let left: u128 = s.chain.view(&s.options, "allowance", (s.writer, s.other));
    assert_eq!((left, s.chain.view::<u128>(&s.options, "balance", (s.holder,))), (20, 30));
    s.chain
        .send(s.holder, &s.options, "transfer", (s.other, 31u128))
        .assert_revert(OptionError::InsufficientOptions);
}

/// More than a token moves at once could never be paid to the writer.
#[test]
fn what_a_writer_is_settled_for_is_one_payment() {
    let mut s = setup(false);
    let most = (u128::MAX >> 1) / 5 * 2 - 1;
    s.chain.send(s.writer, &s.underlying, "mint", (s.writer, most)).assert_ok();
    s.send(s.writer, "write", most).assert_ok();
    s.send(s.writer, "write", 10).assert_revert(OptionError::TooLarge);
}

#[test]
fn refusals() {
    let mut s = setup(true);
    s.send(s.writer, "write", 4_001).assert_revert(TokenError::InsufficientBalance);
    for method in ["write", "close", "exercise"] {
        s.send(s.writer, method, 0).assert_revert(OptionError::ZeroAmount);
    }
    s.send(s.writer, "write", u128::MAX).assert_revert(OptionError::TooLarge);
    let good: Series = s.chain.view(&s.options, "series", ());
    for bad in [
        Series { quote: good.underlying, ..good },
        Series { strike: 0, ..good },
        Series { exercise_from_ms: s.chain.time_ms(), ..good },
        Series { expiry_ms: good.exercise_from_ms, ..good },
    ] {
        let refused = s.chain.try_deploy::<Options>(s.writer, (bad,));
        refused.unwrap_err().assert_revert(OptionError::BadSeries);
    }
    // So cheap that nothing would be paid for one.
    let cheap = Series { strike: ONE / 10, ..good };
    s.options = s.chain.deploy::<Options>(s.writer, (cheap,));
    s.chain.send(s.writer, &s.quote, "approve", (s.options.address(), u128::MAX)).assert_ok();
    s.send(s.writer, "write", 9).assert_ok();
    s.begin();
    s.send(s.writer, "exercise", 9).assert_revert(OptionError::ZeroAmount);
}

#[test]
fn accounts_do_not_wait_for_each_other() {
    let mut s = setup(false);
    for who in [s.writer, s.other] {
        s.send(who, "write", 100).assert_ok();
    }
    let report = s.chain.block([
        s.options.tx(s.writer, "transfer", (s.holder, 5u128)),
        s.options.tx(s.other, "close", (5u128,)),
        s.options.tx(s.holder, "approve", (s.other, 1u128)),
        s.options.tx(s.holder, "sums", ()),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1, 2], &[3]]);
}

/// Whoever takes what is locked waits for nobody who takes what was paid: they are different tokens.
#[test]
fn the_two_parts_do_not_wait_for_each_other() {
    let mut s = setup(false);
    for who in [s.writer, s.other] {
        s.send(who, "write", 100).assert_ok();
        s.chain.send(who, &s.options, "transfer", (s.holder, 50u128)).assert_ok();
    }
    s.begin();
    s.send(s.holder, "exercise", 80).assert_ok();
    s.expire();
    let report = s.chain.block([
        s.options.tx(s.writer, "settle_locked", ()),
        s.options.tx(s.other, "settle_paid", ()),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1]]);
}
