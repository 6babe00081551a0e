//! Governance: what is executed was voted for, and locked tokens stay.

use std::collections::BTreeMap;

use kempe_abi::{Address, Encode, Hash};
use kempe_governance::{
    Choice, Executed, Governance, History, Proposal, Proposed, Settings, Stage, Step, Tally, Voted,
};
use kempe_sdk::testing::{Campaign, Instance, Receipt, Rng, TestChain};
use kempe_token::Token;

use crate::common::{any_size, balance, expect, one};
use crate::{PEOPLE, run};

const FUNDS: u128 = 1 << 47;

/// Long enough that changes of a power are forgotten: an account may only make so many in the time that votes ask for.
const HOUR_MS: u64 = 3_600_000;

struct World {
    gov: Instance<Governance>,
    token: Instance<Token>,
    people: Vec<Address>,
    /// What was voted on each proposal.
    proposals: BTreeMap<Hash, Tally>,
    proposers: BTreeMap<Hash, Address>,
    ids: Vec<Hash>,
    executed: Vec<Hash>,
    wrong: Vec<String>,
}

fn settings(quorum_bp: u16) -> Settings {
    Settings {
        delay_ms: 6 * HOUR_MS,
        voting_ms: 60 * HOUR_MS,
        timelock_ms: 15 * HOUR_MS,
        grace_ms: 90 * HOUR_MS,
        quorum_bp,
        quorum_min: 0,
        threshold: 100,
    }
}

fn setup(chain: &mut TestChain) -> World {
    let people: Vec<Address> = PEOPLE.map(|name| chain.account(name)).into();
    let token = chain.deploy::<Token>(people[0], (people[0],));
    let gov = chain.deploy::<Governance>(people[0], (token.address(), settings(10)));
    crate::common::endow(chain, &token, &people, FUNDS, gov.address());
    World {
        gov,
        token,
        people,
        proposals: BTreeMap::new(),
        proposers: BTreeMap::new(),
        ids: Vec::new(),
        executed: Vec::new(),
        wrong: Vec::new(),
    }
}

fn step(w: &World, rng: &mut Rng, chain: &mut TestChain) -> Step {
    if rng.u8(0..8) == 0 {
        return Step::SetSettings { settings: settings(rng.u16(5..40)) };
    }
    let mut args = Vec::new();
    // Now and then more than the treasury has, or somewhat more than the contract.
    let has = if rng.u8(0..4) > 0 { 0 } else { balance(chain, &w.token, w.gov.address()) };
    (one(&w.people, rng), has + any_size(rng, 44)).serialize(&mut args).unwrap();
    Step::call(w.token.address(), "transfer", args)
}

fn some_id(w: &World, rng: &mut Rng) -> Hash {
    let from = w.ids.len().saturating_sub(8);
    rng.choice(&w.ids[from..]).copied().unwrap_or(Hash::ZERO)
}

/// A proposal at this stage, if there is one: most moments are not for executing.
fn at_stage(w: &World, rng: &mut Rng, chain: &mut TestChain, stage: Stage) -> Hash {
    let from = w.ids.len().saturating_sub(40);
    let found = w.ids[from..].iter().copied().filter(|id| {
        !w.executed.contains(id)
            && chain.view::<Option<Stage>>(&w.gov, "stage", (*id,)) == Some(stage)
    });
    let found: Vec<Hash> = found.collect();
    rng.choice(&found).copied().unwrap_or_else(|| some_id(w, rng))
}

fn observe(w: &mut World, receipt: &Receipt) {
    for Proposed { id, by, .. } in receipt.events::<Proposed>() {
        w.proposers.insert(id, by);
        w.proposals.insert(id, Tally::default());
        w.ids.push(id);
    }
    for Voted { id, choice, power, .. } in receipt.events::<Voted>() {
        let tally = w.proposals.entry(id).or_default();
        match choice {
            Choice::Against => tally.against += power,
            Choice::For => tally.in_favor += power,
            Choice::Abstain => tally.abstaining += power,
        }
    }
    for Executed { id } in receipt.events::<Executed>() {
        let tally = w.proposals[&id];
        if w.executed.contains(&id) || tally.in_favor <= tally.against {
            w.wrong.push(format!("{id} {tally:?}"));
        }
        w.executed.push(id);
    }
}

fn campaign() -> Campaign<World> {
    let campaign = Campaign::new(setup).blocks(10, 12 * HOUR_MS);
    [("lock", 2), ("unlock", 1)]
        .into_iter()
        .fold(campaign, |campaign, (method, weight)| {
            campaign.call(weight, method, move |w, rng, _| {
                w.gov.tx(one(&w.people, rng), method, (any_size(rng, 44),))
            })
        })
        .call(2, "propose", |w, rng, chain| {
            let steps: Vec<Step> = (0..rng.usize(1..3)).map(|_| step(w, rng, chain)).collect();
            w.gov.tx(one(&w.people, rng), "propose", (steps, Hash::ZERO, rng.u64(..)))
        })
        .call(12, "vote", |w, rng, chain| {
            let id = at_stage(w, rng, chain, Stage::Voting);
            let choice = one(&[Choice::For, Choice::For, Choice::Against, Choice::Abstain], rng);
            w.gov.tx(one(&w.people, rng), "vote", (id, choice))
        })
        .call(3, "execute", |w, rng, chain| {
            let id = at_stage(w, rng, chain, Stage::Ready);
            w.gov.tx(one(&w.people, rng), "execute", (id,))
        })
        .call(3, "donate", |w, rng, _| {
            // What makes an execution possible that was not when its list was found.
            w.token.tx(one(&w.people, rng), "transfer", (w.gov.address(), any_size(rng, 48)))
        })
        .call(1, "cancel", |w, rng, chain| {
            let id = at_stage(w, rng, chain, Stage::Pending);
            let proposer = w.proposers.get(&id).filter(|_| rng.bool()).copied();
            w.gov.tx(proposer.unwrap_or_else(|| one(&w.people, rng)), "cancel", (id,))
        })
        .observe(|w, _, receipt| observe(w, receipt))
        .invariant("what is executed was voted for, once", |w, _| {
            expect(w.wrong.is_empty(), || w.wrong.join(", "))
        })
        .invariant("the last tallies are what was voted, and quorums hold", |w, chain| {
            let from = w.ids.len().saturating_sub(6);
            w.ids[from..].iter().try_for_each(|id| {
                let tally: Tally = chain.view(&w.gov, "tally", (*id,));
                let proposal = chain.view::<Option<Proposal>>(&w.gov, "proposal", (*id,)).unwrap();
                let quorate = tally.in_favor + tally.abstaining >= proposal.quorum;
                let fair = !w.executed.contains(id) || (quorate && proposal.closed);
                expect(tally == w.proposals[id] && fair, || format!("{tally:?} {proposal:?}"))
            })
        })
        .invariant("what was executed last waited its timelock", |w, chain| {
            let Some(id) = w.executed.last() else { return Ok(()) };
            let proposal = chain.view::<Option<Proposal>>(&w.gov, "proposal", (*id,)).unwrap();
            expect(proposal.ready_ms <= chain.time_ms(), || format!("{proposal:?}"))
        })
        .invariant("locked tokens are there", |w, chain| {
            let total: u128 = chain.view(&w.gov, "total", ());
            let power: u128 = w
                .people
                .iter()
                .map(|who| chain.view::<History>(&w.gov, "history", (*who,)).now())
                .sum();
            let has = balance(chain, &w.token, w.gov.address());
            expect(power == total && has >= total, || format!("{power} {total} {has}"))
        })
}

#[test]
fn governance() {
    let wasm = [kempe_contracts::GOVERNANCE, kempe_contracts::TOKEN];
    let summary = run::<Governance, _>(&campaign(), &wasm);
    assert!(summary.widest_batch > 2, "{summary:?}");
}
