//! Options: what holders may ask for is locked, and what writers get is what is left.

use kempe_abi::Address;
use kempe_options::{OptionError, Options, Series, Sums, Taken};
use kempe_sdk::testing::{Campaign, Instance, TestChain};
use kempe_token::Token;

use crate::common::{any_size, balance, endow, expect, one};
use crate::{PEOPLE, n_calls, run};

const ONE: u128 = 1_000_000_000_000_000_000;

struct World {
    options: Instance<Options>,
    series: Series,
    locked: Instance<Token>,
    paid: Instance<Token>,
    people: Vec<Address>,
}

fn setup(chain: &mut TestChain, put: bool, open_ms: u64) -> World {
    let people: Vec<Address> = PEOPLE.map(|name| chain.account(name)).into();
    let tokens = [0, 1].map(|_| chain.deploy::<Token>(people[0], (people[0],)));
    let series = Series {
        underlying: tokens[0].address(),
        quote: tokens[1].address(),
        strike: ONE / 7 * 3,
        exercise_ms: chain.time_ms() + open_ms / 2,
        expiry_ms: chain.time_ms() + open_ms,
        put,
    };
    let options = chain.deploy::<Options>(people[0], (series,));
    for token in &tokens {
        endow(chain, token, &people, 1 << 70, options.address());
    }
    let [locked, paid] = if put { [tokens[1], tokens[0]] } else { tokens };
    World { options, series, locked, paid, people }
}

/// What was written by those who have not taken their part of what is locked, and of what was paid.
fn written(w: &World, chain: &mut TestChain) -> [u128; 2] {
    w.people.iter().fold([0; 2], |[locked, paid], who| {
        let written: u128 = chain.view(&w.options, "written", (*who,));
        let taken = chain.cell::<Taken, _>(&w.options, "taken", *who).unwrap_or_default();
        let open = |taken: bool| if taken { 0 } else { written };
        [locked + open(taken.unlocked), paid + open(taken.paid)]
    })
}

fn campaign(put: bool, open_ms: u64) -> Campaign<World> {
    let campaign = Campaign::new(move |chain| setup(chain, put, open_ms)).blocks(12, 2_000);
    [("write", 6, 40), ("close", 2, 30), ("exercise", 3, 30)]
        .into_iter()
        .fold(campaign, |campaign, (method, weight, bits)| {
            campaign.call(weight, method, move |w, rng, _| {
                w.options.tx(one(&w.people, rng), method, (any_size(rng, bits),))
            })
        })
        .call(3, "transfer", |w, rng, _| {
            let args = (one(&w.people, rng), any_size(rng, 40));
            w.options.tx(one(&w.people, rng), "transfer", args)
        })
        .call(2, "approve", |w, rng, _| {
            let args = (one(&w.people, rng), any_size(rng, 45));
            w.options.tx(one(&w.people, rng), "approve", args)
        })
        .call(4, "transfer_from", |w, rng, _| {
            let args = (one(&w.people, rng), one(&w.people, rng), any_size(rng, 38));
            w.options.tx(one(&w.people, rng), "transfer_from", args)
        })
        .attack(1, "settle", |w, rng, _| {
            let parts = (rng.u8(0..4) > 0, rng.u8(0..4) > 0);
            w.options.tx(one(&w.people, rng), "settle", parts)
        })
        .invariant("options are held by somebody", |w, chain| {
            let sums: Sums = chain.view(&w.options, "sums", ());
            let held: u128 =
                w.people.iter().map(|who| chain.view::<u128>(&w.options, "balance", (*who,))).sum();
            expect(held == sums.options && held <= sums.written, || format!("{held} {sums:?}"))
        })
        .invariant("what holders may ask for is locked", |w, chain| {
            let sums: Sums = chain.view(&w.options, "sums", ());
            let asked =
                w.series.unlocked(sums.options).map_err(|e: OptionError| format!("{e:?}"))?;
            expect(asked <= sums.locked, || format!("{asked} {sums:?}"))
        })
        .invariant("the contract has what is not settled", |w, chain| {
            let sums: Sums = chain.view(&w.options, "sums", ());
            let open = written(w, chain);
            let has = [w.locked, w.paid].map(|token| balance(chain, &token, w.options.address()));
            [sums.locked, sums.paid].into_iter().zip(open).zip(has).try_for_each(
                |((sum, open), has)| {
                    if open == sums.written {
                        return expect(has == sum, || format!("{has} {sums:?}"));
                    }
                    // Some writers are settled, rounded down: the others' parts are there.
                    let part = kempe_math::mul_div_down(sum, open, sums.written).unwrap();
                    expect(has >= part, || format!("{has} {part}"))
                },
            )
        })
}

#[test]
fn calls_and_puts() {
    let wasm = [kempe_contracts::OPTIONS, kempe_contracts::TOKEN];
    for put in [false, true] {
        // A block takes two seconds on average: half of the calls come before the expiry.
        let n = n_calls();
        let open_ms = n as u64 * 150;
        let summary = run::<Options, _>(&campaign(put, open_ms), &wasm);
        assert!(summary.widest_batch > 2, "{summary:?}");
        assert!(summary.succeeded["settle"].0 > 2, "{summary:?}");
    }
}
