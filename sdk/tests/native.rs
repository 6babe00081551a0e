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

    /// As somebody has it who knows only the names.
    #[interface]
    pub trait Mistaken {
        fn take(&mut self, amount: u64) -> bool;
    }

    #[interface]
    pub trait Vaulted {
        fn take(&mut self, amount: u64) -> Result<u64, VaultError>;
        fn boom(&mut self);
        fn label(&self) -> String;
    }
}

mod user {
    use super::vault::{MistakenClient, VaultedClient};
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

        /// Expects another result than the callee's.
        #[access(write(note), calls(vault.take(0u64)))]
        pub fn mistake(&mut self) -> bool {
            self.note.put(1);
            MistakenClient::new(self.vault.get()).try_take(0).is_ok()
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

mod arcade {
    use super::*;

    /// Sharded counters: one, and one for each key.
    #[contract]
    pub struct Arcade {
        plays: Sharded<Counter<u64>, 16>,
        votes: Map<(u8, String), Sharded<Counter<u8>, 3>>,
        seen: Item<u64>,
    }

    #[contract]
    impl Arcade {
        #[access(add(plays[caller]))]
        pub fn play(&mut self, amount: u64) {
            self.plays.add(caller(), amount);
        }

        #[access(write(plays[of]))]
        pub fn play_and_look(&mut self, of: Address) -> u64 {
            self.plays.add(of, 1);
            self.plays.part(of)
        }

        #[access(read(plays))]
        pub fn plays(&self) -> u64 {
            self.plays.get()
        }

        #[access(start(plays), write(seen))]
        pub fn yesterday(&mut self) -> u64 {
            self.seen.put(self.plays.at_start());
            self.plays.at_start()
        }

        #[access(write(plays))]
        pub fn set_plays(&mut self, count: u64) {
            self.plays.put(count);
        }

        #[access(each(voters, add(votes[list, name][element])))]
        pub fn vote(&mut self, list: u8, name: String, voters: Vec<Address>) {
            for voter in &voters {
                self.votes.add((list, name.clone()), *voter, 100);
            }
        }

        #[access(read(votes[(list, name)]))]
        pub fn votes(&self, list: u8, name: String) -> u8 {
            self.votes.get((list, name))
        }

        /// Declares another's shard.
        #[access(add(plays[other]))]
        pub fn cheat(&mut self, other: Address) {
            let _ = other;
            self.plays.add(caller(), 1);
        }
    }
}

use arcade::Arcade;
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
    let expected = "write(Vault.coins[Vault]) is not in the access list, which has nothing for it: declare `write(coins[this])`";
    assert!(text.contains(expected) && text.contains("about to touch"), "{text}");
    assert!(text.contains(&s.alice.to_string()), "the log line is formatted: {text}");
    assert_eq!(s.chain.cell::<u64, _>(&s.vault, "coins", s.vault.address()), None);
}

/// Seats, of which calls take more than they declare.
#[contract]
pub struct Hall {
    seats: Map<u8, Stock<u16>>,
}

#[contract]
impl Hall {
    /// Makes seats free.
    #[access(add(seats[row]))]
    pub fn fill(&mut self, row: u8, n: u16) {
        self.seats.add(row, n);
    }

    /// Takes more than it declares, and leaves more.
    #[access(reserve(seats[row], n, 1u16))]
    pub fn overbook(&mut self, row: u8, n: u16, more: u16) -> bool {
        self.seats.reserve_above(row, n, 1) && self.seats.reserve_above(row, more, 2)
    }

    /// Looks at what it only takes from.
    #[access(reserve(seats[row], 1u16), read(seats[next]))]
    pub fn book_and_look(&mut self, row: u8, next: u8) -> u16 {
        let _ = (self.seats.reserve(row, 1), next);
        self.seats.get(row)
    }

    /// Takes from another row than it declares.
    #[access(read(seats[row]), reserve(seats[next], 4u16))]
    pub fn book_the_next(&mut self, row: u8, next: u8) -> bool {
        self.seats.reserve(next + 1, self.seats.get(row))
    }
}

#[test]
fn what_was_taken_too_much_is_said_with_the_clause_to_declare() {
    let mut chain = TestChain::native();
    let ann = chain.account("ann");
    let hall = chain.deploy::<Hall>(ann, ());
    chain.send(ann, &hall, "fill", (7u8, 90u16)).assert_ok();
    let mut check = |tx, expected: &str| {
        let receipt = chain.block([tx]).receipts.remove(0);
        receipt.assert_trap(TrapKind::UndeclaredAccess);
        assert_eq!(receipt.violation.unwrap().to_string(), expected);
    };
    let over = "reserve of 7 that leave 2(Hall.seats[7]) is not in the access list, which has \
                reserve of 5 that leave 1 for it: declare `reserve(seats[row], 7u16, more)` instead";
    check(hall.tx(ann, "overbook", (7u8, 5u16, 2u16)), over);
    let look = "read(Hall.seats[7]) is not in the access list, which has reserve of 1 for it: \
                declare `write(seats[row])`";
    check(hall.tx(ann, "book_and_look", (7u8, 8u8)), look);
    let next = "reserve of 90(Hall.seats[9]) is not in the access list, which has nothing for it: \
                declare `reserve(seats[9u8], 90u16)`";
    check(hall.tx(ann, "book_the_next", (7u8, 8u8)), next);
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

/// Its writes stand, so it is no failure that the caller could act upon.
#[test]
fn a_callee_with_another_result_undoes_the_transaction() {
    let mut s = setup();
    let receipt = s.chain.send(s.alice, &s.user, "mistake", ());
    receipt.assert_trap(TrapKind::Panic);
    assert_eq!(receipt.log, ["panic: the callee's result has another type"]);
    assert_eq!(s.chain.cell::<u8, _>(&s.vault, "taken", ()), None);
    assert_eq!(s.chain.view::<Option<u64>>(&s.user, "note", ()), None);
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
fn a_call_whose_list_turned_out_too_short_runs_behind_its_block() {
    let mut s = setup();
    let [bob, carol] = ["bob", "carol"].map(|name| s.chain.account(name));
    s.chain.send(s.alice, &s.vault, "point", (bob,)).assert_ok();
    let report = s.chain.block([
        s.vault.tx(s.alice, "point", (carol,)),
        // Found to touch bob's coins before the block, and carol's in it.
        s.vault.tx(bob, "follow", ()),
        // Its sender's next goes with it, though its own list is long enough.
        s.vault.tx(bob, "take", (0u64,)),
        s.vault.tx(carol, "take", (0u64,)),
    ]);
    report.assert_ok().assert_batches(&[&[0, 3], &[1], &[2]]);
    assert_eq!(report.n_tail, 2);
    assert_eq!(report.receipts[1].value::<u64>(), 1);
    assert_eq!(s.chain.cell::<u64, _>(&s.vault, "coins", carol), Some(1));
    assert_eq!(s.chain.cell::<u64, _>(&s.vault, "coins", bob), Some(0));
}

#[test]
fn nothing_overtakes_a_call_without_a_list() {
    let mut s = setup();
    let [bob, carol] = ["bob", "carol"].map(|name| s.chain.account(name));
    let report = s.chain.block([
        s.vault.tx(s.alice, "take", (1u64,)),
        s.vault.tx(bob, "nothing", ()),
        s.vault.tx(carol, "take", (0u64,)),
    ]);
    report.assert_batches(&[&[0], &[1], &[2]]);
    assert_eq!(report.n_tail, 2);
    report.receipts[1].assert_trap(TrapKind::NoSuchMethod);
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

/// Addresses of each of `n` shards, in order.
fn one_of_each_shard(chain: &mut TestChain, n: u8) -> Vec<Address> {
    let mut found = std::collections::BTreeMap::new();
    for at in 0.. {
        let account = chain.account(&format!("account {at}"));
        found.entry(account.shard(n)).or_insert(account);
        if found.len() == usize::from(n) {
            break;
        }
    }
    found.into_values().collect()
}

#[test]
fn shards_meet_only_in_the_total() {
    let mut chain = TestChain::native();
    let all = one_of_each_shard(&mut chain, 16);
    let arcade = chain.deploy::<Arcade>(all[0], ());
    chain.send(all[15], &arcade, "set_plays", (40u64,)).assert_ok();
    let mut block: Vec<_> = all.iter().map(|who| arcade.tx(*who, "play", (1u64,))).collect();
    block.push(arcade.tx(all[3], "play_and_look", (all[7],)));
    block.push(arcade.tx(all[4], "yesterday", ()));
    block.push(arcade.tx(all[5], "plays", ()));
    let report = chain.block(block);
    let together: Vec<usize> = (0..16).chain([17]).collect();
    report.assert_ok().assert_batches(&[&together, &[16], &[18]]);
    assert_eq!(report.receipts[16].value::<u64>(), 2);
    assert_eq!(report.receipts[17].value::<u64>(), 40);
    assert_eq!(report.receipts[18].value::<u64>(), 57);
    // The total that is set replaces what every shard held.
    chain.send(all[0], &arcade, "set_plays", (7u64,)).assert_ok();
    assert_eq!(chain.view::<u64>(&arcade, "plays", ()), 7);
    chain.send(all[0], &arcade, "cheat", (all[0],)).assert_ok();
    chain.send(all[0], &arcade, "cheat", (all[1],)).assert_trap(TrapKind::UndeclaredAccess);
}

#[test]
fn a_total_that_leaves_its_range_is_told_and_changes_nothing() {
    let mut chain = TestChain::native();
    let all = one_of_each_shard(&mut chain, 3);
    let arcade = chain.deploy::<Arcade>(all[0], ());
    let name = || "Ada".to_string();
    chain.send(all[0], &arcade, "vote", (1u8, name(), vec![all[2], all[1]])).assert_ok();
    assert_eq!(chain.view::<u8>(&arcade, "votes", (1u8, name())), 200);
    assert_eq!(chain.view::<u8>(&arcade, "votes", (1u8, "Bea".to_string())), 0);
    chain.send(all[0], &arcade, "vote", (1u8, name(), vec![all[0]])).assert_ok();
    let receipt = chain.view_as(all[0], &arcade, "votes", (1u8, name()));
    receipt.assert_trap(TrapKind::Panic);
    let voters = vec![all[0], all[0]];
    let receipt = chain.send(all[0], &arcade, "vote", (1u8, name(), voters));
    receipt.assert_trap(TrapKind::CounterOutOfBounds);
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

/// Names that are words of Rust.
mod words {
    use super::*;

    #[derive(Clone, Copy, Default, Value)]
    pub struct Kind {
        pub r#type: u32,
    }

    #[event]
    pub struct Moved {
        pub r#type: u32,
    }

    #[contract]
    pub struct Words {
        r#move: Map<u32, u64>,
        r#ref: Immutable<u32>,
    }

    #[contract]
    impl Words {
        pub fn r#init(&mut self, r#ref: u32) {
            self.r#ref.set(r#ref);
        }

        #[access(write(r#move[r#type.r#type], r#move[r#ref]), calls(this.r#match(r#ref)))]
        pub fn r#loop(&mut self, r#type: Kind) {
            self.r#move.put(r#type.r#type, 1);
            self.r#move.put(self.r#ref.get(), 2);
            emit(Moved { r#type: r#type.r#type });
        }

        #[access(read(r#move[r#in]))]
        pub fn r#match(&self, r#in: u32) -> u64 {
            self.r#move.get(r#in)
        }
    }

    #[interface]
    pub trait Matching {
        fn r#match(&self, r#in: u32) -> u64;
    }
}

#[test]
fn names_that_are_words_of_rust_are_plain_in_the_abi() {
    use kempe_sdk::{Contract as _, Event as _};
    use words::{MatchingClient, Moved, Words};
    let def = Words::DEF;
    assert_eq!(def.fields.iter().map(|field| field.name).collect::<Vec<_>>(), ["move", "ref"]);
    let methods = def.methods.iter().map(|method| (method.name, method.params[0].0));
    let methods: Vec<_> = methods.collect();
    assert_eq!(methods, [("init", "ref"), ("loop", "type"), ("match", "in")]);
    assert!(!std::format!("{def:?}").contains("r#"), "{def:?}");
    assert_eq!(Moved::DEF.fields[0].0, "type");
    assert_eq!(MatchingClient::INTERFACE.methods[0].name, "match");
    let mut chain = TestChain::native();
    let ann = chain.account("ann");
    let words = chain.deploy::<Words>(ann, (7u32,));
    chain.send(ann, &words, "loop", (words::Kind { r#type: 5 },)).assert_ok();
    let found = [5u32, 7, 9].map(|key| chain.view::<u64>(&words, "match", (key,)));
    assert_eq!(found, [1, 2, 0]);
}
