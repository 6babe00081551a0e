//! Options: what holders may ask for is locked, and what writers get is what is left.

use kempe_abi::Address;
use kempe_options::{OptionError, Options, Part, Series, Sums, Taken};
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
        exercise_from_ms: chain.time_ms() + open_ms / 2,
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

/// What was written by those who were not settled for a part.
fn unsettled(w: &World, chain: &mut TestChain, part: Part) -> u128 {
    let mut written = |who: &Address| {
        let taken: Taken = chain.view(&w.options, "taken", (*who,));
        let settled = match part {
            Part::Locked => taken.locked,
            Part::Paid => taken.paid,
        };
        if settled { 0 } else { chain.view::<u128>(&w.options, "written", (*who,)) }
    };
    w.people.iter().map(&mut written).sum()
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
            let method = if rng.bool() { "settle_locked" } else { "settle_paid" };
            w.options.tx(one(&w.people, rng), method, ())
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
            for (part, token, sum) in
                [(Part::Locked, w.locked, sums.locked), (Part::Paid, w.paid, sums.paid)]
            {
                let open = unsettled(w, chain, part);
                let has = balance(chain, &token, w.options.address());
                // Once some writers are settled, rounded down: the others' parts are there.
                let holds = if open == sums.written {
                    has == sum
                } else {
                    has >= kempe_math::mul_div_down(sum, open, sums.written).unwrap()
                };
                expect(holds, || format!("{part:?} {has} {open} {sums:?}"))?;
            }
            Ok(())
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
