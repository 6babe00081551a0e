//! The collection's rules, run natively.

extern crate std;

use kempe_sdk::prelude::*;
use kempe_sdk::testing::{Instance, Receipt, TestChain};

use crate::{
    AdminChanged, AdminOffered, Approved, Burned, Minted, MinterSet, Moved, Nft, NftError,
    OperatorSet,
};

const CONTENT: Hash = Hash([7; 32]);

struct Setup {
    chain: TestChain,
    nft: Instance<Nft>,
    admin: Address,
    alice: Address,
    bob: Address,
    /// Alice's token.
    id: Hash,
}

fn setup() -> Setup {
    let mut chain = TestChain::native();
    let [admin, alice, bob] = ["admin", "alice", "bob"].map(|name| chain.account(name));
    let nft = chain.deploy::<Nft>(admin, (admin, "ipfs://".to_string()));
    let id = chain.send(admin, &nft, "mint", (alice, 1u64, CONTENT)).assert_ok().value();
    Setup { chain, nft, admin, alice, bob, id }
}

impl Setup {
    fn send(&mut self, by: Address, method: &str, args: impl kempe_sdk::abi::Encode) -> Receipt {
        self.chain.send(by, &self.nft, method, args)
    }

    fn owner(&mut self) -> Option<Address> {
        self.chain.view(&self.nft, "owner_of", (self.id,))
    }

    fn balances(&mut self) -> [u64; 2] {
        [self.alice, self.bob].map(|who| self.chain.view(&self.nft, "balance", (who,)))
    }
}

#[test]
fn a_minted_token_is_described_and_counted() {
    let mut s = setup();
    let receipt = s.send(s.admin, "mint", (s.bob, 2u64, CONTENT));
    let id = hash(&(s.admin, 2u64));
    assert_eq!(receipt.assert_ok().value::<Hash>(), id);
    let event = Minted { id, by: s.admin, to: s.bob, content: CONTENT };
    assert_eq!(receipt.events::<Minted>(), [event]);
    assert_eq!(s.chain.view::<Option<Hash>>(&s.nft, "content", (id,)), Some(CONTENT));
    assert_eq!(s.chain.view::<String>(&s.nft, "base_uri", ()), "ipfs://");
    assert_eq!(s.chain.view::<u64>(&s.nft, "total_supply", ()), 2);
    assert_eq!(s.balances(), [1, 1]);
    assert_eq!(s.chain.view::<Option<Hash>>(&s.nft, "content", (Hash::ZERO,)), None);
}

#[test]
fn nobody_gets_a_token_who_cannot_give_it_away() {
    let mut s = setup();
    s.send(s.alice, "set_operator", (s.bob, true)).assert_ok();
    for to in [Address::ZERO, s.nft.address()] {
        s.send(s.admin, "mint", (to, 2u64, CONTENT)).assert_revert(NftError::BadReceiver);
        s.send(s.alice, "transfer", (to, s.id)).assert_revert(NftError::BadReceiver);
        let args = (s.alice, to, s.id);
        s.send(s.bob, "transfer_from", args).assert_revert(NftError::BadReceiver);
    }
    assert_eq!((s.owner(), s.balances()), (Some(s.alice), [1, 0]));
}

#[test]
fn an_id_is_minted_once_also_after_burning() {
    let mut s = setup();
    s.send(s.admin, "mint", (s.bob, 1u64, CONTENT)).assert_revert(NftError::AlreadyMinted);
    s.send(s.bob, "burn", (s.id,)).assert_revert(NftError::NotOwner);
    let receipt = s.send(s.alice, "burn", (s.id,));
    let event = Burned { id: s.id, from: s.alice };
    assert_eq!(receipt.assert_ok().events::<Burned>(), [event]);
    assert_eq!((s.owner(), s.balances()), (None, [0, 0]));
    s.send(s.alice, "burn", (s.id,)).assert_revert(NftError::NoSuchToken);
    s.send(s.admin, "mint", (s.bob, 1u64, CONTENT)).assert_revert(NftError::AlreadyMinted);
    assert_eq!(s.chain.view::<u64>(&s.nft, "total_supply", ()), 0);
}

#[test]
fn only_minters_mint() {
    let mut s = setup();
    s.send(s.bob, "mint", (s.bob, 1u64, CONTENT)).assert_revert(NftError::NotMinter);
    s.send(s.bob, "set_minter", (s.bob, true)).assert_revert(NftError::NotAdmin);
    s.send(s.admin, "set_minter", (s.bob, true)).assert_ok();
    // The same salt as the admin's: another token.
    s.send(s.bob, "mint", (s.bob, 1u64, CONTENT)).assert_ok();
    s.send(s.admin, "set_minter", (s.admin, false)).assert_ok();
    s.send(s.admin, "mint", (s.bob, 9u64, CONTENT)).assert_revert(NftError::NotMinter);
}

#[test]
fn an_owner_gives_its_token_away() {
    let mut s = setup();
    s.send(s.bob, "transfer", (s.bob, s.id)).assert_revert(NftError::NotOwner);
    s.send(s.alice, "transfer", (s.bob, Hash::ZERO)).assert_revert(NftError::NoSuchToken);
    s.send(s.alice, "transfer", (s.alice, s.id)).assert_ok();
    assert_eq!(s.balances(), [1, 0]);
    let receipt = s.send(s.alice, "transfer", (s.bob, s.id));
    let event = Moved { id: s.id, from: s.alice, to: s.bob };
    assert_eq!(receipt.assert_ok().events::<Moved>(), [event]);
    assert_eq!((s.owner(), s.balances()), (Some(s.bob), [0, 1]));
}

#[test]
fn an_approval_is_for_one_move() {
    let mut s = setup();
    let take = (s.alice, s.bob, s.id);
    s.send(s.bob, "transfer_from", take).assert_revert(NftError::NotApproved);
    s.send(s.bob, "approve", (Some(s.bob), s.id)).assert_revert(NftError::NotOwner);
    let receipt = s.send(s.alice, "approve", (Some(s.bob), s.id));
    let event = Approved { id: s.id, owner: s.alice, spender: Some(s.bob) };
    assert_eq!(receipt.assert_ok().events::<Approved>(), [event]);
    assert_eq!(s.chain.view::<Option<Address>>(&s.nft, "approved", (s.id,)), Some(s.bob));
    s.send(s.bob, "transfer_from", (s.bob, s.alice, s.id)).assert_revert(NftError::NotOwner);
    s.send(s.bob, "transfer_from", take).assert_ok();
    assert_eq!(s.chain.view::<Option<Address>>(&s.nft, "approved", (s.id,)), None);
    s.send(s.bob, "transfer", (s.alice, s.id)).assert_ok();
    s.send(s.bob, "transfer_from", take).assert_revert(NftError::NotApproved);
}

#[test]
fn an_operator_moves_all_until_stopped() {
    let mut s = setup();
    let receipt = s.send(s.alice, "set_operator", (s.bob, true));
    let event = OperatorSet { owner: s.alice, operator: s.bob, allowed: true };
    assert_eq!(receipt.assert_ok().events::<OperatorSet>(), [event]);
    assert!(s.chain.view::<bool>(&s.nft, "is_operator", (s.alice, s.bob)));
    s.send(s.bob, "transfer_from", (s.alice, s.bob, s.id)).assert_ok();
    s.send(s.bob, "transfer", (s.alice, s.id)).assert_ok();
    s.send(s.alice, "set_operator", (s.bob, false)).assert_ok();
    let take = (s.alice, s.bob, s.id);
    s.send(s.bob, "transfer_from", take).assert_revert(NftError::NotApproved);
}

#[test]
fn the_admin_hands_over() {
    let mut s = setup();
    s.send(s.bob, "offer_admin", (s.bob,)).assert_revert(NftError::NotAdmin);
    s.send(s.bob, "accept_admin", ()).assert_revert(NftError::NotAdmin);
    let receipt = s.send(s.admin, "offer_admin", (s.bob,));
    assert_eq!(receipt.assert_ok().events::<AdminOffered>(), [AdminOffered { to: s.bob }]);
    let receipt = s.send(s.bob, "accept_admin", ());
    let event = AdminChanged { from: s.admin, to: s.bob };
    assert_eq!(receipt.assert_ok().events::<AdminChanged>(), [event]);
    s.send(s.admin, "set_minter", (s.admin, true)).assert_revert(NftError::NotAdmin);
    let receipt = s.send(s.bob, "set_minter", (s.admin, false));
    let event = MinterSet { who: s.admin, allowed: false };
    assert_eq!(receipt.assert_ok().events::<MinterSet>(), [event]);
}

#[test]
fn mints_and_moves_of_different_tokens_run_at_once() {
    let mut s = setup();
    s.send(s.admin, "set_minter", (s.bob, true)).assert_ok();
    let report = s.chain.block([
        s.nft.tx(s.admin, "mint", (s.bob, 10u64, CONTENT)),
        s.nft.tx(s.admin, "mint", (s.bob, 11u64, CONTENT)),
        s.nft.tx(s.bob, "mint", (s.bob, 10u64, CONTENT)),
        s.nft.tx(s.alice, "transfer", (s.bob, s.id)),
        s.nft.tx(s.bob, "transfer", (s.admin, hash(&(s.admin, 10u64)))),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1, 2, 3], &[4]]);
}
