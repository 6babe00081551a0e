//! Random blocks with upgrades in their middle: in parallel, one by one, applied by others, in a pipeline,
//! and opened again.

use kempe_abi::{Address, Outcome, TrapKind};
use kempe_runtime::chain::{Chain, EncodedTxs, Pipeline, PipelineOptions, replay};
use kempe_runtime::scheduler::{Color, SCHEDULERS};
use kempe_runtime::types::{Action, Upgrade, contract_address};
use kempe_tests::{CHAIN_ID, World, call, deploy, genesis, number, options};
use proptest::prelude::*;

use super::versions::{FIELDS, get, migrate, module, put, relay, version, wide_put};

const N_ACCOUNTS: u8 = 6;

/// What an account does to one of two contracts, of which the other account owns both.
#[derive(Clone, Debug)]
enum What {
    Put { to: usize, slot: u8 },
    Get { to: usize, slot: u8 },
    Relay { through: usize, slot: u8 },
    Upgrade { to: usize, version: usize, allow_wider: bool },
}

fn what() -> impl Strategy<Value = (usize, Vec<What>)> {
    let to = || 0..2_usize;
    let slot = || prop_oneof![4 => 0..4_u8, 1 => Just(9)];
    let what = prop_oneof![
        6 => (to(), slot()).prop_map(|(to, slot)| What::Put { to, slot }),
        2 => (to(), slot()).prop_map(|(to, slot)| What::Get { to, slot }),
        6 => (to(), slot()).prop_map(|(through, slot)| What::Relay { through, slot }),
        2 => (to(), 0..6_usize, any::<bool>())
            .prop_map(|(to, version, allow_wider)| What::Upgrade { to, version, allow_wider }),
    ];
    let actions = prop_oneof![
        5 => what.clone().prop_map(|what| vec![what]),
        1 => proptest::collection::vec(what, 1..4),
    ];
    (0..usize::from(N_ACCOUNTS), actions)
}

/// The versions: two that fit each other, one that is wider, one without `put`, so that relays to it fail, and
/// two whose migrations succeed and fail.
fn versions() -> Vec<Vec<u8>> {
    let migrating =
        |good| module(FIELDS, vec![put(400), get(), relay(), migrate(good, "i32.const 0")]);
    vec![
        version(100),
        version(200),
        module(FIELDS, vec![wide_put(300), get(), relay()]),
        module(FIELDS, vec![get(), relay()]),
        migrating(true),
        migrating(false),
    ]
}

struct Setup {
    contracts: [Address; 2],
    versions: Vec<Vec<u8>>,
}

fn setup(world: &mut World) -> Setup {
    let owner = world.accounts[0].address;
    let contracts = [0, 1].map(|nonce| {
        let Action::Deploy { wasm, args, .. } = deploy(&version(0), &()) else { unreachable!() };
        let action = Action::Deploy { wasm, args, authority: Some(Box::new(owner)) };
        let txs = world.sign_with([(0, vec![action], 1_000_000_000, Vec::new())]);
        let report = world.build(txs);
        assert_eq!(report.record.receipts[0].outcome, Outcome::Ok);
        contract_address(CHAIN_ID, &owner, nonce, 0)
    });
    Setup { contracts, versions: versions() }
}

fn action(setup: &Setup, owner: Address, what: &What, value: u64) -> Action {
    match what {
        What::Put { to, slot } => call(setup.contracts[*to], "put", &(*slot, value)),
        What::Get { to, slot } => call(setup.contracts[*to], "get", slot),
        What::Relay { through, slot } => {
            let (this, other) = (setup.contracts[*through], setup.contracts[1 - *through]);
            call(this, "relay", &(other, *slot, value))
        }
        What::Upgrade { to, version, allow_wider } => Action::Upgrade(Box::new(Upgrade {
            contract: setup.contracts[*to],
            wasm: setup.versions[*version].clone(),
            args: if *version >= 4 { vec![2] } else { Vec::new() },
            allow_wider: *allow_wider,
            authority: Some(owner),
        })),
    }
}

type Block = Vec<(usize, Vec<What>)>;

/// Builds the blocks, each also by the oracle. Returns what was undeclared.
fn build(world: &mut World, setup: &Setup, blocks: &[Block]) -> Result<(), TestCaseError> {
    let owner = world.accounts[0].address;
    for (n, block) in blocks.iter().enumerate() {
        let txs: Vec<_> = (0u64..)
            .zip(block)
            .map(|(value, (from, what))| {
                let actions = what.iter().map(|what| action(setup, owner, what, value)).collect();
                // Accounts other than the owner upgrade only when this is zero.
                let from = if what.iter().any(|what| matches!(what, What::Upgrade { .. })) {
                    from / 3
                } else {
                    *from
                };
                (from, actions, 1_000_000_000, Vec::new())
            })
            .collect();
        let txs = world.sign_with(txs);
        let scheduler = SCHEDULERS[(n + blocks.len()) % SCHEDULERS.len()];
        world.chain.set_options(options(1 + n % 3, scheduler)).expect("threads start");
        let prepared = world.chain.prepare(txs, 0).expect("it is prepared");
        let parallel = world.chain.execute(&prepared).expect("it runs");
        let oracle = world.chain.execute_oracle(&prepared).expect("it runs");
        prop_assert_eq!(&parallel, &oracle);
        for (receipt, (_, what)) in parallel.receipts.iter().zip(block) {
            let undeclared = receipt.outcome == Outcome::Trap(TrapKind::UndeclaredAccess);
            let migrates = |what: &What| matches!(what, What::Upgrade { version: 5, .. });
            prop_assert!(!undeclared || what.iter().any(migrates), "{:?}: {:?}", what, receipt);
        }
        world.chain.commit_prepared(prepared, parallel).expect("it is committed");
    }
    Ok(())
}

/// Applies what was built on a chain on disk that is opened again and again, and replays it.
fn follow(chain: &Chain, gas: u64) -> Result<(), TestCaseError> {
    let directory = tempfile::tempdir().expect("a directory");
    let applier = Chain::create(directory.path(), genesis(N_ACCOUNTS, gas), options(2, &Color));
    let mut applier = applier.expect("it starts");
    for height in 1..=chain.head().height {
        let record = chain.block(height).expect("readable").expect("there");
        let applied = applier.apply(&record.block).expect("it applies");
        prop_assert_eq!(&applied.record, &record);
        if height % 3 == 0 {
            // Everything behind the last checkpoint is executed again when it opens.
            drop(applier);
            applier = Chain::open(directory.path(), options(1, &Color)).expect("it opens");
        }
    }
    prop_assert_eq!(applier.head(), chain.head());
    let replayed = replay(&applier, options(2, &Color), |_| {}).expect("it replays");
    prop_assert_eq!(replayed.divergence, None);
    Ok(())
}

/// Builds the same blocks one by one and in a pipeline, which plans them before the code is known that an
/// earlier block leaves.
fn pipelined(chain: &Chain, gas: u64) -> Result<(), TestCaseError> {
    let new = || Chain::in_memory(genesis(N_ACCOUNTS, gas), options(2, &Color)).expect("starts");
    let (mut expected, mut pipeline) =
        (new(), Pipeline::start(new(), PipelineOptions::default(), |_| {}).expect("it starts"));
    for height in 1..=chain.head().height {
        let block = chain.block(height).expect("readable").expect("there").block;
        let encoded: Vec<Vec<u8>> =
            block.transactions.iter().map(|tx| borsh::to_vec(tx).expect("to memory")).collect();
        let time_ms = block.header.time_ms;
        expected.build(block.transactions, time_ms).expect("it is built");
        pipeline.submit(encoded.iter().collect::<EncodedTxs>(), time_ms).expect("it is taken");
    }
    let piped = pipeline.finish().expect("it ends well");
    prop_assert_eq!(piped.head(), expected.head());
    Ok(())
}

/// What the old code left may mean something else to the new one: for it the block begins behind its upgrade.
#[test]
fn an_upgraded_contract_starts_its_block_anew() {
    for scheduler in SCHEDULERS {
        let mut world = World::of(genesis(N_ACCOUNTS, 0), options(2, scheduler));
        let owner = world.accounts[0].address;
        let deploy = |authority| Action::Deploy {
            wasm: kempe_contracts::COUNTER.to_vec(),
            args: Vec::new(),
            authority: Some(Box::new(authority)),
        };
        let fuel = 1_000_000_000;
        let txs = world.sign_with(vec![(0, vec![deploy(owner)], fuel, Vec::new())]);
        assert_eq!(world.build(txs).record.receipts[0].outcome, Outcome::Ok);
        let tally = contract_address(CHAIN_ID, &owner, 0, 0);
        let upgrade = |cap: u64| {
            let (wasm, args) = (kempe_tests::TALLY_NEXT.to_vec(), cap.to_le_bytes().to_vec());
            let (allow_wider, authority) = (true, Some(owner));
            Action::Upgrade(Box::new(Upgrade {
                contract: tally,
                wasm,
                args,
                allow_wider,
                authority,
            }))
        };
        // A transaction that deploys is one of the tail.
        let behind = |action| vec![deploy(owner), action];
        let raise = |amount: u64| call(tally, "raise_by_start", &amount);
        let actions = [
            vec![raise(1)],
            vec![upgrade(5)],
            behind(raise(6)),
            behind(raise(5)),
            behind(call(tally, "set_cap", &7_u64)),
            behind(raise(6)),
            behind(raise(5)),
        ];
        let txs = actions.into_iter().map(|actions| (0, actions, fuel, Vec::new()));
        let txs = world.sign_with(txs);
        let prepared = world.chain.prepare(txs, 0).expect("it is prepared");
        let output = world.chain.execute(&prepared).expect("it runs");
        assert_eq!(output, world.chain.execute_oracle(&prepared).expect("it runs"));
        let outcomes: Vec<_> = output.receipts.iter().map(|receipt| receipt.outcome).collect();
        let [ok, above] = [Outcome::Ok, Outcome::Revert(100)];
        let unknown = Outcome::Trap(TrapKind::NoSuchMethod);
        assert_eq!(outcomes, [unknown, ok, above, ok, ok, above, ok], "{}", scheduler.name());
        world.chain.commit_prepared(prepared, output).expect("it is committed");
        assert_eq!(world.send(0, raise(6)).outcome, ok, "the next block starts with what is set");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: number("KEMPE_CASES", 6),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_block_with_an_upgrade_in_its_middle_is_the_same_everywhere(
        blocks in proptest::collection::vec(proptest::collection::vec(what(), 1..24), 12),
        gas in prop_oneof![Just(0_u64), Just(3_u64)],
    ) {
        let mut world = World::of(genesis(N_ACCOUNTS, gas), options(2, &Color));
        let setup = setup(&mut world);
        build(&mut world, &setup, &blocks)?;
        follow(&world.chain, gas)?;
        pipelined(&world.chain, gas)?;
    }
}
