//! Parallel execution equals the serial oracle, byte for byte: random blocks of mixed contracts, with
//! reverts, traps, calls between contracts, additions at their bounds, deployments, native
//! transfers, dynamic calls with right, wrong and missing lists, and several actions at once.

use kempe_abi::{AccessKind, Address};
use kempe_runtime::chain::{Chain, ChainError};
use kempe_runtime::scheduler::{Color, SCHEDULERS, Scheduler, by_name};
use kempe_runtime::types::{Action, DeclaredAccess, StateKey, TransactionError};
use kempe_tests::{CHAOS, FUEL, World, call, deploy, genesis, number, options};
use proptest::prelude::*;

const N_ACCOUNTS: u8 = 6;

/// A transaction before it is signed.
#[derive(Clone, Debug)]
struct Spec {
    from: usize,
    actions: Vec<What>,
    fuel: u64,
    list: List,
}

#[derive(Clone, Debug)]
enum What {
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
enum List {
    None,
    Simulated,
    Wrong { cells: Vec<(u8, AccessKind)> },
}

struct Contracts {
    tokens: [Address; 2],
    pool: Address,
    tally: Address,
    chaos: [Address; 2],
}

fn setup(world: &mut World) -> Contracts {
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
    fn action(&self, world: &World, contracts: &Contracts) -> Action {
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
const ACCUMULATING: &[&str] = &[
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

fn what() -> impl Strategy<Value = What> {
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

fn block() -> impl Strategy<Value = Vec<Spec>> {
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

fn explicit(world: &World, contracts: &Contracts, spec: &Spec) -> Vec<DeclaredAccess> {
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

/// Runs blocks on a chain that builds, by each of the schedulers that `by` names for a block, and on
/// others that apply what it built.
fn check(
    blocks: &[Vec<Spec>],
    gas: u64,
    n_threads: impl Fn(usize) -> usize,
    by: impl Fn(usize) -> Vec<&'static dyn Scheduler>,
) -> Result<(), TestCaseError> {
    let mut builder = World::of(genesis(N_ACCOUNTS, gas), options(n_threads(0), &Color));
    let contracts = setup(&mut builder);
    let mut appliers: Vec<Chain> = [1, 3, 8]
        .map(|n| Chain::in_memory(genesis(N_ACCOUNTS, gas), options(n, &Color)).expect("starts"))
        .into();
    for (n, specs) in blocks.iter().enumerate() {
        let txs = specs.iter().map(|spec| {
            let actions =
                spec.actions.iter().map(|what| what.action(&builder, &contracts)).collect();
            (spec.from, actions, spec.fuel, explicit(&builder, &contracts, spec))
        });
        let txs: Vec<_> = txs.collect();
        let txs = builder.sign_with(txs);
        let (mut done, n_threads) = (None, n_threads(n));
        for scheduler in by(n) {
            builder.chain.set_options(options(n_threads, scheduler)).expect("threads start");
            let prepared = builder.chain.prepare(txs.clone(), 0).expect("it is prepared");
            // Who tries to move everything away has nothing more in the block, where that could take the fee.
            let is_taken = |error: &TransactionError| match error {
                TransactionError::Unpayable { taken, .. } => *taken > 0,
                TransactionError::Nonce { .. } => true,
                _ => false,
            };
            let mut rejected = prepared.rejected.iter();
            let may_be = rejected.all(|(_, error)| gas > 0 && is_taken(error));
            prop_assert!(may_be, "{:?}", prepared.rejected);
            let parallel = builder.chain.execute(&prepared).expect("it runs");
            let oracle = builder.chain.execute_oracle(&prepared).expect("it runs");
            let name = scheduler.name();
            if prepared.plan.post_values().is_some() {
                let again = builder.chain.execute(&prepared).expect("its own values are right");
                prop_assert!(again == parallel, "{}", name);
            }
            prop_assert_eq!(&parallel.receipts, &oracle.receipts, "{}", name);
            prop_assert_eq!(&parallel.changes, &oracle.changes, "{}", name);
            prop_assert_eq!(&parallel.logs, &oracle.logs, "{}", name);
            done = Some((prepared, parallel));
        }
        let (prepared, parallel) = done.expect("there is a scheduler");
        builder.chain.commit_prepared(prepared, parallel).expect("it is committed");
    }
    for applier in &mut appliers {
        for height in 1..=builder.chain.head().height {
            let record = builder.chain.block(height).expect("readable").expect("there");
            match applier.apply(&record.block) {
                Ok(applied) => prop_assert_eq!(&applied.record, &record),
                Err(ChainError::Header { field, found, expected }) => {
                    return Err(TestCaseError::fail(format!(
                        "height {height}: {field} {found} is not {expected}"
                    )));
                }
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            }
        }
        prop_assert_eq!(applier.head(), builder.chain.head());
    }
    Ok(())
}

/// One scheduler for each form of a plan that runs without barriers.
const UNBARRED: [&str; 6] = ["graph", "versions", "values", "block-stm", "block-stm-hints", "aria"];

/// The number of cases: `KEMPE_CASES`, or enough for CI.
fn cases() -> u32 {
    number("KEMPE_CASES", 48)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn parallel_equals_sequential(
        blocks in proptest::collection::vec(block(), 40),
        gas in prop_oneof![Just(0_u64), Just(3_u64)],
    ) {
        // Which scheduler follows from the blocks, so that a failure repeats.
        let first = blocks.iter().map(Vec::len).sum::<usize>();
        // Some on more threads than there are processors, as a rule, and than transactions.
        let n_threads = |n: usize| [2, 2, 2, 8, 2, 2, 2, 16][n % 8];
        check(&blocks, gas, n_threads, |n| vec![SCHEDULERS[(first + n) % SCHEDULERS.len()]])?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases().div_ceil(8), ..ProptestConfig::default() })]

    /// Without transactions that could leave their lists, so that every plan runs as its form says.
    #[test]
    fn plans_without_barriers_equal_sequential(
        mut blocks in proptest::collection::vec(block(), 20),
        gas in prop_oneof![Just(0_u64), Just(3_u64)],
    ) {
        let is_listed = |what: &What| match what {
            What::Chaos { method, .. } => ACCUMULATING.contains(method),
            What::Deploy => false,
            _ => true,
        };
        for block in &mut blocks {
            block.retain(|spec| spec.actions.iter().all(is_listed));
        }
        let n_threads = |n: usize| [3, 3, 8, 3, 16][n % 5];
        check(&blocks, gas, n_threads, |_| UNBARRED.map(|name| by_name(name).expect("it is there")).into())?;
    }
}

/// Additions to sums of which little is there, so that one that comes too early does not fit, and who reads them.
fn scarce() -> impl Strategy<Value = Vec<(u8, usize, u8, u8)>> {
    proptest::collection::vec((0..N_ACCOUNTS, 0..5_usize, 0..2_u8, 0..8_u8), 1..14)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases().div_ceil(2), ..ProptestConfig::default() })]

    /// Nobody sees a sum that the published order never has, be it that what is added in the end fits.
    #[test]
    fn who_reads_scarce_sums_reads_them_in_the_published_order(
        blocks in proptest::collection::vec(scarce(), 6),
        n_threads in prop_oneof![4 => 1..4_usize, 1 => Just(8), 1 => Just(16)],
    ) {
        let mut world = World::of(genesis(N_ACCOUNTS, 0), options(n_threads, &Color));
        let chaos = world.deploy(0, CHAOS, &());
        for block in blocks {
            let txs = block.into_iter().map(|(from, method, slot, n)| {
                let action = match method {
                    0 => call(chaos, "add", &(slot, n)),
                    1 | 2 => call(chaos, "sub", &(slot, n)),
                    3 => call(chaos, "show", &slot),
                    _ => call(chaos, "put", &(slot, u64::from(n))),
                };
                (usize::from(from), vec![action], FUEL, Vec::new())
            });
            let txs = world.sign_with(txs.collect::<Vec<_>>());
            let mut done = None;
            for name in UNBARRED {
                let scheduler = by_name(name).expect("it is there");
                world.chain.set_options(options(n_threads, scheduler)).expect("threads start");
                let prepared = world.chain.prepare(txs.clone(), 0).expect("it is prepared");
                // Who comes first depends on the threads.
                let oracle = world.chain.execute_oracle(&prepared).expect("it runs");
                for _ in 0..4 {
                    let parallel = world.chain.execute(&prepared).expect("it runs");
                    prop_assert_eq!(&parallel.receipts, &oracle.receipts, "{}", name);
                    prop_assert_eq!(&parallel.changes, &oracle.changes, "{}", name);
                }
                done = Some((prepared, oracle));
            }
            let (prepared, output) = done.expect("there is a scheduler");
            world.chain.commit_prepared(prepared, output).expect("it is committed");
        }
    }
}
