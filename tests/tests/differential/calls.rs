//! Random blocks: what is called, by whom, with which lists.

use kempe_abi::{AccessKind, Address};
use kempe_runtime::types::{Action, DeclaredAccess, StateKey};
use kempe_tests::{CHAOS, World, call, deploy};
use proptest::prelude::*;

pub(crate) const N_ACCOUNTS: u8 = 6;

/// A transaction before it is signed.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) from: usize,
    pub(crate) actions: Vec<What>,
    pub(crate) fuel: u64,
    pub(crate) list: List,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Transfer { token: usize, to: usize, amount: u128 },
    Mint { token: usize, to: usize, amount: u128 },
    Approve { token: usize, to: usize, amount: u128 },
    TransferFrom { token: usize, of: usize, to: usize, amount: u128 },
    Burn { token: usize, amount: u128 },
    Supply { token: usize },
    Swap { a: bool, amount: u128 },
    AddLiquidity { amount: u128 },
    RemoveLiquidity { amount: u128 },
    Raise { slow: bool, amount: u64 },
    Lower { amount: u64 },
    Native { to: usize, amount: u128 },
    Chaos { which: usize, method: &'static str, a: u8, b: u8 },
    Unknown { args: Vec<u8> },
    Deploy,
}

#[derive(Clone, Debug)]
pub(crate) enum List {
    None,
    Simulated,
    Wrong { cells: Vec<(u8, AccessKind)> },
}

pub(crate) struct Contracts {
    pub(crate) tokens: [Address; 2],
    pub(crate) pool: Address,
    pub(crate) tally: Address,
    pub(crate) chaos: [Address; 2],
}

pub(crate) fn setup(world: &mut World) -> Contracts {
    let owner = world.accounts[0].address;
    let tokens = [0, 1].map(|_| world.deploy(0, kempe_contracts::TOKEN, &owner));
    let pool = world.deploy(0, kempe_contracts::POOL, &(tokens[0], tokens[1], 30u16));
    let tally = world.deploy(0, kempe_contracts::COUNTER, &());
    let chaos = [0, 1].map(|_| world.deploy(1, CHAOS, &()));
    for token in tokens {
        for to in 0..usize::from(N_ACCOUNTS) {
            let address = world.accounts[to].address;
            world.send(0, call(token, "mint", &(address, 100_000u128)));
            world.send(to, call(token, "approve", &(pool, 1_000_000_000u128)));
        }
    }
    let args = (20_000u128, 20_000u128, 0u128, u64::MAX);
    world.send(0, call(pool, "add_liquidity", &args));
    Contracts { tokens, pool, tally, chaos }
}

impl What {
    pub(crate) fn action(&self, world: &World, contracts: &Contracts) -> Action {
        let who = |at: &usize| world.accounts[*at].address;
        let forever = u64::MAX;
        match self {
            Self::Transfer { token, to, amount } => {
                call(contracts.tokens[*token], "transfer", &(who(to), *amount))
            }
            Self::Mint { token, to, amount } => {
                call(contracts.tokens[*token], "mint", &(who(to), *amount))
            }
            Self::Approve { token, to, amount } => {
                call(contracts.tokens[*token], "approve", &(who(to), *amount))
            }
            Self::TransferFrom { token, of, to, amount } => {
                call(contracts.tokens[*token], "transfer_from", &(who(of), who(to), *amount))
            }
            Self::Burn { token, amount } => call(contracts.tokens[*token], "burn", amount),
            Self::Supply { token } => call(contracts.tokens[*token], "total_supply", &()),
            Self::Swap { a, amount } => {
                let method = if *a { "sell_a" } else { "sell_b" };
                call(contracts.pool, method, &(*amount, 0u128, forever))
            }
            Self::AddLiquidity { amount } => {
                call(contracts.pool, "add_liquidity", &(*amount, *amount, 0u128, forever))
            }
            Self::RemoveLiquidity { amount } => {
                call(contracts.pool, "remove_liquidity", &(*amount, 0u128, 0u128, forever))
            }
            Self::Raise { slow, amount } => {
                call(contracts.tally, if *slow { "raise_slowly" } else { "raise" }, amount)
            }
            Self::Lower { amount } => call(contracts.tally, "lower", amount),
            Self::Native { to, amount } => Action::Transfer { to: who(to), amount: *amount },
            Self::Chaos { which, method, a, b } => {
                let (this, other) = (contracts.chaos[*which], contracts.chaos[1 - *which]);
                chaos((this, other), method, *a, *b)
            }
            Self::Unknown { args } => Action::Call {
                contract: contracts.tokens[0],
                method: kempe_abi::MethodId::of("transfer"),
                args: args.clone(),
            },
            Self::Deploy => deploy(kempe_contracts::COUNTER, &()),
        }
    }
}

/// A call of one contract of chaos, which may call the other.
fn chaos((this, other): (Address, Address), method: &str, a: u8, b: u8) -> Action {
    match method {
        "put" | "fail_after_writing" => call(this, method, &(a, u64::from(b))),
        "remove" | "show" | "part" | "total" | "extremes" | "soil_and_panic" => {
            call(this, method, &a)
        }
        "rebook" => call(this, method, &(other, a, b % 16)),
        "book" | "book_parts" | "overbook" | "exchange" | "stock" | "book_and_fail"
        | "book_somewhere" => call(this, method, &(a, b % 16)),
        "left" => call(this, method, &a),
        "book_both" => call(this, method, &(a, b % 8)),
        "restock" => call(this, method, &(a, b)),
        "note" | "note_and_fail" | "note_and_add" | "note_and_see" | "note_somewhere" => {
            call(this, method, &(a, b % 64))
        }
        "note_both" => call(this, method, &(a, b % 8)),
        "n_notes" => call(this, method, &a),
        "noted" => call(this, method, &(a, u64::from(b % 8))),
        "renote" => call(this, method, &(other, a, b)),
        "copy" | "recall" | "add" | "sub" | "deal" | "gather" | "raise" | "lower" | "reset"
        | "surpass" | "follow" | "flag" | "guarded" => call(this, method, &(a, b)),
        "spread_guarded" => call(this, method, &(vec![a, b % 8], 6u64)),
        "try_guarded" => call(this, method, &(other, a, b % 8)),
        "seek_guarded" => call(this, method, &(other, a)),
        "juggle" => call(this, method, &(other, a)),
        "spread" => call(this, method, &(vec![a, b], 5u64)),
        "forgive" => call(this, method, &(other, a, u64::from(b))),
        "reenter" => call(this, method, &(other, a)),
        "soil" | "recurse" | "devour" => call(this, method, &(u32::from(b) * 50)),
        _ => call(this, method, &()),
    }
}

const CHAOS_METHODS: &[&str] = &[
    "put",
    "fail_after_writing",
    "remove",
    "show",
    "soil_and_panic",
    "copy",
    "recall",
    "add",
    "sub",
    "raise",
    "lower",
    "reset",
    "extremes",
    "surpass",
    "stock",
    "book",
    "book",
    "book",
    "book_parts",
    "overbook",
    "book_both",
    "exchange",
    "restock",
    "left",
    "book_and_fail",
    "rebook",
    "book_somewhere",
    "note",
    "note",
    "note_both",
    "note_and_fail",
    "note_and_add",
    "note_and_see",
    "n_notes",
    "noted",
    "renote",
    "note_somewhere",
    "deal",
    "part",
    "total",
    "gather",
    "follow",
    "spread",
    "juggle",
    "forgive",
    "reenter",
    "soil",
    "recurse",
    "devour",
    "refuse",
    "spin",
    "flag",
    "guarded",
    "spread_guarded",
    "try_guarded",
    "seek_guarded",
    "nothing",
];

/// Those of the methods that touch what accumulates, and leave no list.
pub(crate) const ACCUMULATING: &[&str] = &[
    "stock",
    "book",
    "book_parts",
    "overbook",
    "book_both",
    "exchange",
    "restock",
    "left",
    "book_and_fail",
    "rebook",
    "note",
    "note_both",
    "note_and_fail",
    "note_and_add",
    "note_and_see",
    "n_notes",
    "noted",
    "renote",
    "add",
    "sub",
    "show",
    "raise",
    "lower",
    "reset",
    "extremes",
    "deal",
    "part",
    "total",
    "gather",
];

pub(crate) fn what() -> impl Strategy<Value = What> {
    let token = 0..2_usize;
    let who = || 0..usize::from(N_ACCOUNTS);
    let amount = || prop_oneof![8 => 0..2_000_u128, 1 => Just(u128::MAX), 1 => 0..1_000_000_u128];
    let chaos = (0..2_usize, proptest::sample::select(CHAOS_METHODS), 0..8_u8, any::<u8>());
    prop_oneof![
        10 => (token.clone(), who(), amount())
            .prop_map(|(token, to, amount)| What::Transfer { token, to, amount }),
        2 => (token.clone(), who(), amount())
            .prop_map(|(token, to, amount)| What::Mint { token, to, amount }),
        1 => (token.clone(), who(), amount())
            .prop_map(|(token, to, amount)| What::Approve { token, to, amount }),
        2 => (token.clone(), who(), who(), amount())
            .prop_map(|(token, of, to, amount)| What::TransferFrom { token, of, to, amount }),
        1 => (token.clone(), amount()).prop_map(|(token, amount)| What::Burn { token, amount }),
        1 => token.prop_map(|token| What::Supply { token }),
        3 => (any::<bool>(), amount()).prop_map(|(a, amount)| What::Swap { a, amount }),
        1 => amount().prop_map(|amount| What::AddLiquidity { amount }),
        1 => amount().prop_map(|amount| What::RemoveLiquidity { amount }),
        3 => (any::<bool>(), any::<u32>())
            .prop_map(|(slow, amount)| What::Raise { slow, amount: amount.into() }),
        2 => any::<u16>().prop_map(|amount| What::Lower { amount: amount.into() }),
        3 => (who(), amount()).prop_map(|(to, amount)| What::Native { to, amount }),
        12 => chaos.prop_map(|(which, method, a, b)| What::Chaos { which, method, a, b }),
        1 => proptest::collection::vec(any::<u8>(), 0..60).prop_map(|args| What::Unknown { args }),
        1 => Just(What::Deploy),
    ]
}

fn list() -> impl Strategy<Value = List> {
    let kind =
        proptest::sample::select(&[AccessKind::Read, AccessKind::Add, AccessKind::Write][..]);
    let wrong = proptest::collection::vec((0..8_u8, kind), 0..4);
    prop_oneof![
        3 => Just(List::Simulated),
        2 => Just(List::None),
        2 => wrong.prop_map(|cells| List::Wrong { cells }),
    ]
}

pub(crate) fn block() -> impl Strategy<Value = Vec<Spec>> {
    let actions = prop_oneof![
        4 => what().prop_map(|what| vec![what]),
        1 => proptest::collection::vec(what(), 1..4),
    ];
    let fuel =
        prop_oneof![9 => Just(3_000_000_u64), 2 => 60_000..150_000_u64, 2 => Just(100_000_000)];
    let spec = (0..usize::from(N_ACCOUNTS), actions, fuel, list())
        .prop_map(|(from, actions, fuel, list)| Spec { from, actions, fuel, list });
    proptest::collection::vec(spec, 0..28)
}

pub(crate) fn explicit(world: &World, contracts: &Contracts, spec: &Spec) -> Vec<DeclaredAccess> {
    let dynamic = |what: &What| {
        matches!(
            what,
            What::Chaos {
                method: "follow" | "juggle" | "surpass" | "book_somewhere" | "note_somewhere",
                ..
            }
        )
    };
    if !spec.actions.iter().any(dynamic) {
        return Vec::new();
    }
    match &spec.list {
        List::None => Vec::new(),
        List::Wrong { cells } => cells
            .iter()
            .map(|&(slot, kind)| DeclaredAccess {
                kind,
                key: StateKey::new(contracts.chaos[0], 0, &[slot]),
            })
            .collect(),
        List::Simulated => {
            let actions = spec.actions.iter().map(|what| what.action(world, contracts)).collect();
            let txs = world.sign_with([(spec.from, actions, spec.fuel, Vec::new())]);
            let simulation = world.chain.simulate(&txs[0].transaction).expect("it runs");
            simulation.explicit_list()
        }
    }
}
