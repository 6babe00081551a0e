//! What is too large for a chain is too large for the native one.

#![allow(unreachable_pub, reason = "contracts are public, a test is not")]
#![allow(clippy::cast_possible_truncation, reason = "the limits are small")]

use kempe_sdk::abi::TrapKind;
use kempe_sdk::abi::host::{
    IMMUTABLE_BYTES, IMMUTABLE_BYTES_MAX, IMMUTABLES_BYTES_MAX, LIST_ENTRIES_MAX,
};
use kempe_sdk::prelude::*;
use kempe_sdk::testing::{Instance, TestChain};

mod crowd {
    use super::*;

    /// As many cells as are asked for.
    #[contract]
    pub struct Crowd {
        seen: Map<u32, bool>,
    }

    #[contract]
    impl Crowd {
        pub fn init(&mut self, n: u32) {
            (0..n).for_each(|id| self.seen.put(id, true));
        }

        #[access(each(ids, write(seen[element])))]
        pub fn see(&mut self, ids: Vec<u32>) {
            ids.into_iter().for_each(|id| self.seen.put(id, true));
        }

        #[access(each(ids, read(seen[element])))]
        pub fn ask(&self, ids: Vec<u32>) -> u32 {
            ids.into_iter().map(|id| u32::from(self.seen.get(id))).sum()
        }

        #[access(dynamic)]
        pub fn wander(&mut self, n: u32) {
            (0..n).for_each(|id| self.seen.put(id, true));
        }

        /// Declares some, touches others, and calls.
        #[access(dynamic, each(ids, read(seen[element])))]
        pub fn widen(&mut self, ids: Vec<u32>, n: u32, other: Address) {
            (0..n).for_each(|id| self.seen.put(id, true));
            CrowdsClient::new(other).wander(ids.len() as u32);
        }
    }

    #[interface]
    pub trait Crowds {
        fn wander(&mut self, n: u32);
    }
}

mod labels {
    use super::*;

    /// As many bytes of immutables as are asked for.
    #[contract]
    pub struct Labels {
        first: Immutable<String>,
        second: Immutable<String>,
        third: Immutable<String>,
        fourth: Immutable<String>,
    }

    #[contract]
    impl Labels {
        pub fn init(&mut self, sizes: Vec<u32>) {
            // The length is four bytes of a text.
            let text = |size: u32| "x".repeat(size as usize - 4);
            let mut sizes = sizes.into_iter();
            sizes.next().into_iter().for_each(|size| self.first.set(text(size)));
            sizes.next().into_iter().for_each(|size| self.second.set(text(size)));
            sizes.next().into_iter().for_each(|size| self.third.set(text(size)));
            sizes.next().into_iter().for_each(|size| self.fourth.set(text(size)));
            sizes.next().into_iter().for_each(|size| self.first.set(text(size)));
        }

        pub fn first(&self) -> String {
            self.first.get()
        }
    }
}

use crowd::Crowd;
use labels::Labels;

fn crowd() -> (TestChain, Address, Instance<Crowd>) {
    let mut chain = TestChain::native();
    let ann = chain.account("ann");
    let crowd = chain.deploy::<Crowd>(ann, (0u32,));
    (chain, ann, crowd)
}

fn ids(n: usize) -> Vec<u32> {
    (0..).take(n).collect()
}

#[test]
fn a_declared_list_has_a_largest_length() {
    let (mut chain, ann, crowd) = crowd();
    // One entry is the contract.
    let most = LIST_ENTRIES_MAX - 1;
    chain.send(ann, &crowd, "see", (ids(most),)).assert_ok();
    chain.send(ann, &crowd, "see", (ids(most + 1),)).assert_trap(TrapKind::ListTooLarge);
    assert_eq!(chain.view::<u32>(&crowd, "ask", (ids(most),)), most as u32);
    let asked = chain.view_as(ann, &crowd, "ask", (ids(most + 1),));
    asked.assert_trap(TrapKind::ListTooLarge);
    // The same cell many times is one entry.
    chain.send(ann, &crowd, "see", (vec![7u32; most + 1],)).assert_ok();
    // What has no list runs behind the batches, as on a chain.
    let txs = [ids(1), ids(most + 1), ids(1)].map(|ids| crowd.tx(ann, "see", (ids,)));
    let report = chain.block(txs);
    assert_eq!(report.n_tail, 2);
    report.receipts[1].assert_trap(TrapKind::ListTooLarge);
}

#[test]
fn what_a_call_touches_has_a_largest_number() {
    let (mut chain, ann, crowd) = crowd();
    let most = LIST_ENTRIES_MAX as u32 - 1;
    chain.send(ann, &crowd, "wander", (most,)).assert_ok();
    chain.send(ann, &crowd, "wander", (most + 1,)).assert_trap(TrapKind::ListTooLarge);

    // The two contracts, 100 that are declared, 50 of them touched, and those of the other contract.
    let other = chain.deploy::<Crowd>(ann, (0u32,));
    let mut widen = |n: u32| {
        let args = (ids(100), n, other.address());
        chain.send(ann, &crowd, "widen", args)
    };
    let most = LIST_ENTRIES_MAX as u32 - 2 - 100;
    widen(50).assert_ok();
    widen(most).assert_ok();
    widen(most + 1).assert_trap(TrapKind::ListTooLarge);
}

#[test]
fn what_init_touches_has_a_largest_number() {
    let mut chain = TestChain::native();
    let ann = chain.account("ann");
    // Two entries are the contract and its code.
    let most = LIST_ENTRIES_MAX as u32 - 2;
    chain.deploy::<Crowd>(ann, (most,));
    let refused = chain.try_deploy::<Crowd>(ann, (most + 1,)).unwrap_err();
    refused.assert_trap(TrapKind::ListTooLarge);
}

#[test]
fn immutables_have_a_largest_size_each_and_together() {
    let mut chain = TestChain::native();
    let ann = chain.account("ann");
    let most = IMMUTABLE_BYTES_MAX as u32;
    let left = (IMMUTABLES_BYTES_MAX - 3 * IMMUTABLE_BYTES_MAX - 4 * IMMUTABLE_BYTES) as u32;
    let labels = chain.deploy::<Labels>(ann, (vec![most, most, most, left],));
    assert_eq!(chain.view::<String>(&labels, "first", ()).len(), IMMUTABLE_BYTES_MAX - 4);
    let mut refused =
        |sizes: &[u32]| chain.try_deploy::<Labels>(ann, (sizes.to_vec(),)).unwrap_err();
    refused(&[most + 1]).assert_trap(TrapKind::TooLarge);
    refused(&[most, most, most, left + 1]).assert_trap(TrapKind::TooLarge);
    // And each is set once.
    refused(&[8, 8, 8, 8, 8]).assert_trap(TrapKind::NotPermitted);
}
