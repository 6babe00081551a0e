//! What the native chain enforces: lists, calls between contracts, bounds, roles.

#![allow(unreachable_pub, reason = "contracts are public, a test is not")]

use kempe_sdk::abi::{Outcome, TrapKind};
use kempe_sdk::prelude::*;
use kempe_sdk::testing::{Instance, TestChain};

mod vault {
    use super::*;

    #[error]
    pub enum VaultError {
        /// Too little is there.
        TooLittle = 100,
    }

    /// A vault: cells of every kind.
    #[contract]
    pub struct Vault {
        coins: Map<Address, u64>,
        taken: Counter<u8>,
        index: Item<Address>,
        label: Immutable<String>,
        tallies: Map<(Address, u32), Counter<u32>>,
        names: Map<String, Map<bool, Hash>>,
    }

    #[contract]
    impl Vault {
        pub fn init(&mut self, label: String) {
            self.label.set(label);
            self.coins.put(caller(), 10);
        }

        pub fn label(&self) -> String {
            self.label.get()
        }

        #[access(write(coins[caller]), add(taken))]
        pub fn take(&mut self, amount: u64) -> Result<u64, VaultError> {
            let had = self.coins.get(caller());
            let left = had.checked_sub(amount).ok_or(VaultError::TooLittle)?;
            self.coins.put(caller(), left);
            self.taken.add(1);
            Ok(left)
        }

        #[access(write(taken))]
        pub fn add_then_read(&mut self, by: u8) -> u8 {
            self.taken.add(by);
            self.taken.get()
        }

        /// The declared key is not the touched one: types agree, so only the host can see it.
        #[access(write(coins[whose]))]
        pub fn wrong_key(&mut self, whose: Address) {
            log!("about to touch another key than {whose}");
            self.coins.put(this(), 1);
        }

        #[access(write(index))]
        pub fn point(&mut self, at: Address) {
            self.index.put(at);
        }

        #[access(dynamic)]
        pub fn follow(&mut self) -> u64 {
            let at = self.index.get().unwrap_or_default();
            self.coins.update(at, |had| had + 1);
            self.coins.get(at)
        }

        #[access(each(list, add(tallies[element.0, element.1])))]
        pub fn count(&mut self, list: Vec<(Address, u32)>) {
            for key in &list {
                self.tallies.add(key, 1);
            }
        }

        #[access(write(names["fixed"][true]), read(names[name][false]))]
        pub fn name(&mut self, name: String) -> bool {
            self.names.put(("fixed".to_string(), true), Hash([1; 32]));
            self.names.contains((name, false))
        }

        pub fn boom(&mut self) {
            panic!("boom");
        }
    }

    #[interface]
    pub trait Vaulted {
        fn take(&mut self, amount: u64) -> Result<u64, VaultError>;
        fn boom(&mut self);
        fn label(&self) -> String;
    }
}

mod user {
    use super::vault::VaultedClient;
    use super::*;

    #[contract]
    pub struct User {
        vault: Immutable<Address>,
        note: Item<u64>,
    }

    #[contract]
    impl User {
        pub fn init(&mut self, vault: Address) {
            self.vault.set(vault);
        }

        #[access(write(note), calls(vault.take(amount)))]
        pub fn take(&mut self, amount: u64) -> u64 {
            self.note.put(amount);
            VaultedClient::new(self.vault.get()).take(amount)
        }

        #[access(write(note), calls(vault.take(amount)))]
        pub fn try_take(&mut self, amount: u64) -> u32 {
            self.note.put(amount);
            match VaultedClient::new(self.vault.get()).try_take(amount) {
                Ok(_) => 0,
                Err(CallError::Revert(code)) => code,
                Err(CallError::Trap) => u32::MAX,
            }
        }

        #[access(calls(vault.boom()))]
        pub fn try_boom(&mut self) -> bool {
            VaultedClient::new(self.vault.get()).try_boom() == Err(CallError::Trap)
        }

        #[access(calls(other.again(this)))]
        pub fn again(&mut self, other: Address) {
            UserClient::new(other).again(this());
        }

        pub fn undeclared_call(&mut self) -> String {
            VaultedClient::new(self.vault.get()).label()
        }

        #[access(read(note))]
        pub fn note(&self) -> Option<u64> {
            self.note.get()
        }
    }

    #[interface]
    pub trait Users {
        fn again(&mut self, other: Address);
    }

    use UsersClient as UserClient;
}

use user::User;
use vault::{Vault, VaultError};

struct Setup {
    chain: TestChain,
    alice: Address,
    vault: Instance<Vault>,
    user: Instance<User>,
}

fn setup() -> Setup {
    let mut chain = TestChain::native();
    let alice = chain.account("alice");
    let vault = chain.deploy::<Vault>(alice, ("mine".to_string(),));
    let user = chain.deploy::<User>(alice, (vault.address(),));
    Setup { chain, alice, vault, user }
}

#[test]
fn init_sets_immutables_and_cells() {
    let mut s = setup();
    assert_eq!(s.chain.view::<String>(&s.vault, "label", ()), "mine");
    assert_eq!(s.chain.cell::<u64, _>(&s.vault, "coins", s.alice), Some(10));
    let again = s.chain.send(s.alice, &s.vault, "init", ("theirs".to_string(),));
    again.assert_trap(TrapKind::NotPermitted);
}

#[test]
fn a_key_that_is_not_declared_stops_the_transaction_and_is_named() {
    let mut s = setup();
    let receipt = s.chain.send(s.alice, &s.vault, "wrong_key", (s.alice,));
    receipt.assert_trap(TrapKind::UndeclaredAccess);
    let violation = receipt.violation.clone().unwrap();
    assert_eq!((&*violation.contract_name, &*violation.field), ("Vault", "coins"));
    assert_eq!(violation.key, s.vault.address().0);
    let text = receipt.to_string();
    assert!(text.contains("write(Vault.coins[0x") && text.contains("about to touch"), "{text}");
    assert!(text.contains(&s.alice.to_string()), "the log line is formatted: {text}");
    assert_eq!(s.chain.cell::<u64, _>(&s.vault, "coins", s.vault.address()), None);
}

#[test]
fn a_failing_callee_ends_the_transaction_or_comes_back() {
    let mut s = setup();
    // The user has no coins of its own.
    s.chain.send(s.alice, &s.user, "take", (1u64,)).assert_revert(VaultError::TooLittle);
    assert_eq!(s.chain.view::<Option<u64>>(&s.user, "note", ()), None);
    let receipt = s.chain.send(s.alice, &s.user, "try_take", (1u64,));
    assert_eq!(receipt.value::<u32>(), 100);
    assert_eq!(s.chain.view::<Option<u64>>(&s.user, "note", ()), Some(1));
    assert!(s.chain.send(s.alice, &s.user, "try_boom", ()).value::<bool>());
    assert_eq!(s.chain.send(s.alice, &s.user, "try_take", (0u64,)).value::<u32>(), 0);
    assert_eq!(s.chain.cell::<u8, _>(&s.vault, "taken", ()), Some(1));
}

#[test]
fn calls_are_declared_do_not_reenter_and_end() {
    let mut s = setup();
    let receipt = s.chain.send(s.alice, &s.user, "undeclared_call", ());
    receipt.assert_trap(TrapKind::UndeclaredAccess);
    let other = s.chain.deploy::<User>(s.alice, (s.vault.address(),));
    // Two that call each other for ever: the template is as endless as the code.
    let receipt = s.chain.send(s.alice, &s.user, "again", (other.address(),));
    receipt.assert_trap(TrapKind::ListTooLarge);
    let nobody = s.chain.account("nobody");
    let receipt = s.chain.send(s.alice, &s.user, "again", (nobody,));
    receipt.assert_trap(TrapKind::NoSuchContract);
}

#[test]
fn counters_keep_their_bounds_and_see_their_own_additions() {
    let mut s = setup();
    let value = |receipt: &kempe_sdk::testing::Receipt| receipt.value::<u8>();
    assert_eq!(value(&s.chain.send(s.alice, &s.vault, "add_then_read", (250u8,))), 250);
    assert_eq!(value(&s.chain.send(s.alice, &s.vault, "add_then_read", (5u8,))), 255);
    let receipt = s.chain.send(s.alice, &s.vault, "take", (1u64,));
    receipt.assert_trap(TrapKind::CounterOutOfBounds);
    assert_eq!(s.chain.cell::<u64, _>(&s.vault, "coins", s.alice), Some(10));
}

#[test]
fn dynamic_methods_touch_what_they_find() {
    let mut s = setup();
    let [bob, carol] = ["bob", "carol"].map(|name| s.chain.account(name));
    s.chain.send(s.alice, &s.vault, "point", (bob,)).assert_ok();
    let report = s.chain.block([
        s.vault.tx(bob, "follow", ()),
        s.vault.tx(carol, "take", (0u64,)),
        s.vault.tx(s.alice, "follow", ()),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1], &[2]]);
    assert_eq!(report.receipts[2].value::<u64>(), 2);
}

#[test]
fn lists_of_keys_and_literals_are_derived() {
    let mut s = setup();
    let bob = s.chain.account("bob");
    let keys = vec![(s.alice, 1u32), (bob, 2), (s.alice, 1)];
    let report = s
        .chain
        .block([s.vault.tx(s.alice, "count", (keys.clone(),)), s.vault.tx(bob, "count", (keys,))]);
    report.assert_ok().assert_batches(&[&[0, 1]]);
    assert_eq!(s.chain.cell::<u32, _>(&s.vault, "tallies", (s.alice, 1u32)), Some(4));
    let report = s.chain.block([
        s.vault.tx(s.alice, "name", ("x".to_string(),)),
        s.vault.tx(bob, "name", ("x".to_string(),)),
    ]);
    report.assert_ok().assert_batches(&[&[0], &[1]]);
    assert_eq!(s.chain.cell::<Hash, _>(&s.vault, "names", ("fixed", true)), Some(Hash([1; 32])));
}

#[test]
fn malformed_calls_are_stopped() {
    let mut s = setup();
    s.chain.send(s.alice, &s.vault, "take", (1u32,)).assert_trap(TrapKind::BadArguments);
    s.chain.send(s.alice, &s.vault, "take", (1u64, 1u8)).assert_trap(TrapKind::BadArguments);
    s.chain.send(s.alice, &s.vault, "nothing", ()).assert_trap(TrapKind::NoSuchMethod);
    let receipt = s.chain.view_as(s.alice, &s.vault, "point", (s.alice,));
    receipt.assert_trap(TrapKind::NotPermitted);
    assert_eq!(s.chain.send(s.alice, &s.vault, "boom", ()).outcome, Outcome::Trap(TrapKind::Panic));
}

#[test]
fn accounts_sign_what_contracts_can_check() {
    let mut chain = TestChain::native();
    let alice = chain.account("alice");
    let signature = chain.sign(alice, b"text");
    assert!(kempe_sdk::ed25519_verify(&alice, b"text", &signature));
    assert!(!kempe_sdk::ed25519_verify(&alice, b"other", &signature));
    assert!(!kempe_sdk::ed25519_verify(&Address([0xee; 32]), b"text", &signature));
}
