//! The multisig: what is executed was approved by enough members, and is executed once.
//!
//! A block has one call: an execution is dynamic, and one whose list is out of date because of an earlier
//! call in its block runs behind the block, which the native chain does not do.

use std::collections::{BTreeMap, BTreeSet};

use kempe_abi::{Address, Decode, Encode, Hash};
use kempe_multisig::{Board, Executed, Multisig, Proposed, Step, Voted};
use kempe_sdk::testing::{Campaign, Instance, Receipt, Rng, TestChain, Tx};
use kempe_token::Token;

use crate::common::{balance, expect, one};
use crate::{PEOPLE, n_calls};

const FUNDS: u128 = 1_000_000;

struct World {
    wallet: Instance<Multisig>,
    token: Instance<Token>,
    people: Vec<Address>,
    board: Board,
    proposals: BTreeMap<Hash, Vec<Step>>,
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
    let expires_ms = chain.time_ms() + rng.u64(0..60_000);
    w.wallet.tx(one(&w.people, rng), "propose", (steps, expires_ms, rng.u64(..)))
}

/// One of the last proposals.
fn some_id(w: &World, rng: &mut Rng) -> Hash {
    let ids: Vec<Hash> = w.proposals.keys().copied().collect();
    rng.choice(&ids).copied().unwrap_or(Hash::ZERO)
}

fn observe(w: &mut World, tx: &Tx, receipt: &Receipt) {
    for Proposed { id, by } in receipt.events::<Proposed>() {
        let args = <(Vec<Step>, u64, u64)>::deserialize_reader(&mut &tx.args[..]);
        w.proposals.insert(id, args.unwrap().0);
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
    for Executed { id, .. } in receipt.events::<Executed>() {
        let Some(steps) = w.proposals.remove(&id) else {
            w.wrong.push(format!("{id} was executed twice"));
            continue;
        };
        let approving = w.board.members.iter().filter(|member| w.approvals[&id].contains(member));
        if approving.count() < usize::from(w.board.threshold) {
            w.wrong.push(format!("{id} was not approved"));
        }
        for step in steps {
            match step {
                Step::SetBoard { board } => w.board = board,
                Step::Call { args, .. } => {
                    let args = <(Address, u128)>::deserialize_reader(&mut &args[..]);
                    w.spent += args.unwrap().1;
                }
            }
        }
    }
    while w.proposals.len() > 12 {
        w.proposals.pop_first();
    }
}

fn campaign() -> Campaign<World> {
    Campaign::new(setup)
        .blocks(1, 1_000)
        .call(3, "propose", |w, rng, chain| propose(w, rng, chain))
        .call(6, "vote", |w, rng, _| {
            let args = (some_id(w, rng), rng.u8(0..5) > 0);
            w.wallet.tx(one(&w.people, rng), "vote", args)
        })
        .call(4, "execute", |w, rng, _| {
            w.wallet.tx(one(&w.people, rng), "execute", (some_id(w, rng),))
        })
        .observe(observe)
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
    kempe_testing::run(&campaign(), n_calls(), &wasm);
}
