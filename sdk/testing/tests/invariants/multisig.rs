//! The multisig: what is executed was approved by enough members, and is executed once.

use std::collections::{BTreeMap, BTreeSet};

use kempe_abi::{Address, Decode, Encode, Hash};
use kempe_multisig::{Board, Canceled, Executed, Multisig, Proposed, Step, Voted};
use kempe_sdk::testing::{Campaign, Instance, Receipt, Rng, TestChain, Tx};
use kempe_token::Token;

use crate::common::{balance, expect, one};
use crate::{PEOPLE, run};

const FUNDS: u128 = 1_000_000;

struct World {
    wallet: Instance<Multisig>,
    token: Instance<Token>,
    people: Vec<Address>,
    board: Board,
    /// What can be executed.
    proposals: BTreeMap<Hash, Vec<Step>>,
    proposers: BTreeMap<Hash, Address>,
    /// In the order in which they were proposed.
    ids: Vec<Hash>,
    approvals: BTreeMap<Hash, BTreeSet<Address>>,
    spent: u128,
    wrong: Vec<String>,
}

fn setup(chain: &mut TestChain) -> World {
    let people: Vec<Address> = PEOPLE.map(|name| chain.account(name)).into();
    let token = chain.deploy::<Token>(people[0], (people[0],));
    let board = Board { members: people[..3].to_vec(), threshold: 2 };
    let args = (board.members.clone(), board.threshold);
    let wallet = chain.deploy::<Multisig>(people[0], args);
    chain.send(people[0], &token, "mint", (wallet.address(), FUNDS)).assert_ok();
    World {
        wallet,
        token,
        people,
        board,
        proposals: BTreeMap::new(),
        proposers: BTreeMap::new(),
        ids: Vec::new(),
        approvals: BTreeMap::new(),
        spent: 0,
        wrong: Vec::new(),
    }
}

fn pay(w: &World, rng: &mut Rng) -> Step {
    let mut args = Vec::new();
    (one(&w.people, rng), rng.u128(0..200)).serialize(&mut args).unwrap();
    Step::call(w.token.address(), "transfer", args)
}

fn new_board(w: &World, rng: &mut Rng) -> Step {
    let mut members = w.people.clone();
    rng.shuffle(&mut members);
    members.truncate(rng.usize(1..=4));
    Step::SetBoard { board: Board { members, threshold: rng.u8(1..4) } }
}

fn propose(w: &World, rng: &mut Rng, chain: &TestChain) -> Tx {
    let board = rng.u8(0..6) == 0;
    let steps: Vec<Step> =
        (0..rng.usize(1..4)).map(|_| if board { new_board(w, rng) } else { pay(w, rng) }).collect();
    let expires_ms = chain.time_ms() + rng.u64(0..120_000);
    w.wallet.tx(member(w, rng), "propose", (steps, expires_ms, rng.u64(..)))
}

/// Mostly one who may.
fn member(w: &World, rng: &mut Rng) -> Address {
    one(if rng.u8(0..8) == 0 { &w.people } else { &w.board.members }, rng)
}

fn vote(w: &World, rng: &mut Rng) -> Tx {
    let (by, id) = (member(w, rng), some_id(w, rng));
    let said = w.approvals.get(&id).is_some_and(|approving| approving.contains(&by));
    // Now and then what was said already, or a change of mind.
    let approves = if rng.u8(0..8) == 0 { said } else { !said };
    w.wallet.tx(by, "vote", (id, approves))
}

fn approving(w: &World, id: &Hash) -> usize {
    w.board.members.iter().filter(|member| w.approvals[id].contains(member)).count()
}

/// Mostly one that lacks nothing, or one more vote, which may be in the same block.
fn execute(w: &World, rng: &mut Rng) -> Tx {
    let lack = usize::from(rng.u8(0..3) == 0);
    let recent = w.ids[w.ids.len().saturating_sub(12)..].iter().copied();
    let ready = recent.filter(|id| {
        w.proposals.contains_key(id) && approving(w, id) + lack >= usize::from(w.board.threshold)
    });
    let ready: Vec<Hash> = ready.collect();
    let id = rng.choice(&ready).copied().unwrap_or_else(|| some_id(w, rng));
    w.wallet.tx(member(w, rng), "execute", (id,))
}

/// One of the last proposals, now and then one that was executed.
fn some_id(w: &World, rng: &mut Rng) -> Hash {
    let recent = w.ids[w.ids.len().saturating_sub(12)..].iter().copied();
    let ids: Vec<Hash> = if rng.u8(0..12) == 0 {
        recent.collect()
    } else {
        recent.filter(|id| w.proposals.contains_key(id)).collect()
    };
    rng.choice(&ids).copied().unwrap_or(Hash::ZERO)
}

fn observe(w: &mut World, receipt: &Receipt) {
    for Proposed { id, by, steps, .. } in receipt.events::<Proposed>() {
        w.proposals.insert(id, steps);
        w.proposers.insert(id, by);
        w.ids.push(id);
        w.approvals.insert(id, BTreeSet::from([by]));
    }
    for Voted { id, by, approves } in receipt.events::<Voted>() {
        let approving = w.approvals.entry(id).or_default();
        if approves {
            approving.insert(by)
        } else {
            approving.remove(&by)
        };
    }
    for Canceled { id } in receipt.events::<Canceled>() {
        w.proposals.remove(&id);
    }
    for Executed { id, .. } in receipt.events::<Executed>() {
        let Some(steps) = w.proposals.remove(&id) else {
            w.wrong.push(format!("{id} was executed twice, or canceled, or of an earlier board"));
            continue;
        };
        if approving(w, &id) < usize::from(w.board.threshold) {
            w.wrong.push(format!("{id} was not approved"));
        }
        for step in steps {
            match step {
                Step::SetBoard { board } => {
                    w.board = board;
                    w.proposals.clear();
                }
                Step::Upgrade { .. } => {}
                Step::Call { args, .. } => {
                    let args = <(Address, u128)>::deserialize_reader(&mut &args[..]);
                    w.spent += args.unwrap().1;
                }
            }
        }
    }
}

fn campaign() -> Campaign<World> {
    Campaign::new(setup)
        .blocks(10, 1_000)
        .call(3, "propose", |w, rng, chain| propose(w, rng, chain))
        .call(8, "vote", |w, rng, _| vote(w, rng))
        .call(3, "execute", |w, rng, _| execute(w, rng))
        .call(1, "cancel", |w, rng, _| {
            let id = some_id(w, rng);
            let proposer = w.proposers.get(&id).filter(|_| rng.u8(0..8) > 0).copied();
            w.wallet.tx(proposer.unwrap_or_else(|| member(w, rng)), "cancel", (id,))
        })
        .observe(|w, _, receipt| observe(w, receipt))
        .invariant("only what was approved, and once", |w, _| {
            expect(w.wrong.is_empty(), || w.wrong.join(", "))
        })
        .invariant("the board is what was decided", |w, chain| {
            let board: Option<Board> = chain.view(&w.wallet, "board", ());
            expect(board.as_ref() == Some(&w.board) && w.board.is_sound(), || format!("{board:?}"))
        })
        .invariant("the wallet has what it did not spend", |w, chain| {
            let has = balance(chain, &w.token, w.wallet.address());
            expect(has == FUNDS - w.spent, || format!("has={has} spent={}", w.spent))
        })
}

#[test]
fn multisig() {
    let wasm = [kempe_contracts::MULTISIG, kempe_contracts::TOKEN];
    let summary = run::<Multisig, _>(&campaign(), &wasm);
    assert!(summary.widest_batch > 2 && summary.n_tail > 0, "{summary:?}");
}
