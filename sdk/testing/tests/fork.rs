//! Going on from a chain in a directory without touching it.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use ed25519_zebra::SigningKey;
use kempe_abi::{Address, MethodId};
use kempe_counter::Tally;
use kempe_runtime::chain::{Chain, ChainError, ChainOptions};
use kempe_runtime::state::StoreError;
use kempe_runtime::types::{Action, Genesis, Transaction, address_of, contract_address};
use kempe_sdk::testing::{Instance, TestChain};
use kempe_token::{Token, TokenError};

/// What is in a directory: every file with its bytes and when it was changed.
fn contents(directory: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
            continue;
        }
        let changed = path.metadata().unwrap().modified().unwrap();
        found.insert(path.display().to_string(), (fs::read(&path).unwrap(), changed));
    }
    found
}

/// A chain with an owner who has a token.
struct World {
    directory: tempfile::TempDir,
    key: SigningKey,
    owner: Address,
    token: Address,
    n_sent: u64,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let genesis = Genesis::parse("chain_id = 77\n[limits]\ntx_fuel_max = 900_000_000").unwrap();
        drop(Chain::create(directory.path(), genesis, ChainOptions::default()).unwrap());
        let key = SigningKey::from([5; 32]);
        let owner = address_of(&key);
        let token = contract_address(77, &owner, 0, 0);
        let mut world = Self { directory, key, owner, token, n_sent: 0 };
        let args = owner.0.to_vec();
        let wasm = kempe_contracts::TOKEN.to_vec();
        world.build(vec![Action::Deploy { wasm, args, authority: None }]);
        world.mint(100);
        world
    }

    fn open(&self) -> Result<Chain, ChainError> {
        Chain::open(self.directory.path(), ChainOptions::default())
    }

    fn fork(&self) -> TestChain {
        kempe_testing::fork(self.directory.path(), &[kempe_contracts::COUNTER]).unwrap()
    }

    fn build(&mut self, actions: Vec<Action>) {
        let (chain_id, fuel_limit, nonce) = (77, 900_000_000, self.n_sent);
        let access = Vec::new();
        let tx = Transaction { chain_id, sender: self.owner, nonce, fuel_limit, actions, access };
        self.n_sent += 1;
        let mut chain = self.open().unwrap();
        let report = chain.build(vec![tx.sign(&self.key)], 1_000 * self.n_sent).unwrap();
        assert!(report.record.receipts[0].failure.is_none(), "{:?}", report.record.receipts[0]);
    }

    fn mint(&mut self, amount: u128) {
        let args = [&self.owner.0[..], &amount.to_le_bytes()].concat();
        let method = MethodId::of("mint");
        self.build(vec![Action::Call { contract: self.token, method, args }]);
    }
}

#[test]
fn a_fork_goes_on_and_touches_nothing() {
    let world = World::new();
    let before = contents(world.directory.path());
    let head = world.open().unwrap().head().clone();
    let opened = contents(world.directory.path());
    {
        let mut chain = world.fork();
        let token = Instance::<Token>::at(world.token);
        assert_eq!((chain.height(), chain.root()), (head.height + 1, Some(head.state_root)));
        assert!(chain.time_ms() > head.time_ms);
        // Anybody acts, without a key: the owner, a stranger, the contract itself.
        let stranger = chain.account("stranger");
        let other = Address([7; 32]);
        chain.send(world.owner, &token, "transfer", (other, 30u128)).assert_ok();
        chain
            .send(other, &token, "transfer", (stranger, 31u128))
            .assert_revert(TokenError::InsufficientBalance);
        chain.send(other, &token, "transfer", (world.token, 30u128)).assert_ok();
        chain.send(world.token, &token, "transfer", (stranger, 29u128)).assert_ok();
        assert_eq!(chain.view::<u128>(&token, "balance", (stranger,)), 29);
        assert_eq!(chain.view::<u128>(&token, "balance", (world.owner,)), 70);
        // What is deployed is there only.
        let tally = chain.deploy::<Tally>(stranger, ());
        chain.send(stranger, &tally, "raise", (5u64,)).assert_ok();
        chain.advance_blocks(50);

        // Forks do not see each other, and keep writers out.
        let mut second = world.fork();
        assert_eq!(second.view::<u128>(&token, "balance", (world.owner,)), 100);
        let locked = world.open().map(|_| ()).unwrap_err();
        assert!(matches!(locked, ChainError::Store(StoreError::Locked { .. })), "{locked}");

        let snapshot = chain.snapshot();
        let root = chain.root();
        chain.send(world.owner, &token, "transfer", (other, 1u128)).assert_ok();
        assert_ne!(chain.root(), root);
        drop(chain);
        let mut chain = snapshot;
        assert_eq!(chain.root(), root);
        chain.send(world.owner, &token, "transfer", (other, 1u128)).assert_ok();
        assert_eq!(chain.view::<u128>(&token, "balance", (world.owner,)), 69);
    }
    assert_eq!(contents(world.directory.path()), opened);
    assert_eq!(world.open().unwrap().head(), &head);
    assert_eq!(before.len(), opened.len());
}

#[test]
fn a_fork_of_a_chain_that_died_leaves_its_remains() {
    let mut world = World::new();
    for amount in 0..20 {
        world.mint(amount);
    }
    let store = world.directory.path().join("store");
    // A torn record behind the last, and a run of a checkpoint that did not end.
    let log = store.join("blocks/00000000.log");
    let mut bytes = fs::read(&log).unwrap();
    bytes.extend([0x55; 777]);
    fs::write(&log, bytes).unwrap();
    fs::write(store.join("state/00000099.rows"), [1; 64]).unwrap();
    let before = contents(world.directory.path());
    let token = Instance::<Token>::at(world.token);
    {
        let mut chain = world.fork();
        assert_eq!(chain.view::<u128>(&token, "balance", (world.owner,)), 290);
        chain.send(world.owner, &token, "transfer", (world.token, 1u128)).assert_ok();
    }
    assert_eq!(contents(world.directory.path()), before);
    let root = world.open().unwrap().head().state_root;
    assert!(!store.join("state/00000099.rows").exists(), "who opens it cleans up");
    assert_eq!(world.fork().root(), Some(root));
}

#[test]
fn what_cannot_be_forked_is_said() {
    let fork = |directory: &Path| kempe_testing::fork(directory, &[]).map(|_| ()).unwrap_err();
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(fork(empty.path()), ChainError::Missing(_)));
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0, "nothing is made");
    let world = World::new();
    let open = world.open().unwrap();
    let locked = fork(world.directory.path());
    assert!(matches!(locked, ChainError::Store(StoreError::Locked { .. })), "{locked}");
    drop(open);
    let names = world.directory.path().join("store/manifest");
    let mut bytes = fs::read(&names).unwrap();
    bytes[50] ^= 1;
    fs::write(&names, bytes).unwrap();
    let damaged = fork(world.directory.path());
    assert!(matches!(damaged, ChainError::Store(StoreError::Corrupt { .. })), "{damaged}");
}
