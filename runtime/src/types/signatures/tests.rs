//! Batches against one by one, for honest and for odd signatures.

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::scalar::Scalar;
use ed25519_zebra::SigningKey;
use kempe_abi::Address;
use proptest::prelude::*;
use sha2::{Digest, Sha512};

mod odd;

use super::*;
use crate::types::transaction::signed_message;
use crate::types::{Action, Transaction, address_of};

fn signed(number: u8, nonce: u64) -> SignedTransaction {
    let key = SigningKey::from([number; 32]);
    let action = Action::Transfer { to: Address([9; 32]), amount: 5 };
    Transaction {
        chain_id: 1,
        sender: address_of(&key),
        nonce,
        fuel_limit: 1000,
        actions: vec![action],
        access: Vec::new(),
    }
    .sign(&key)
}

fn same_as_one_by_one(signed: &[SignedTransaction]) -> Vec<Result<(), TransactionError>> {
    let hashes: Vec<_> = signed.iter().map(|signed| signed.transaction.hash()).collect();
    let keys = KeyCache::default();
    let all: Vec<_> = signed.iter().collect();
    let batch = Batch { signed: &all, hashes: &hashes };
    let expected: Vec<_> = signed.iter().map(|signed| signed.verify().map(|_| ())).collect();
    // By each library, and what is cached changes nothing.
    for is_wide in [true, false, false] {
        assert_eq!(verify_by(&batch, is_wide, &keys), expected, "is_wide={is_wide}");
    }
    assert_eq!(verify_signatures(&all, &hashes, &keys), expected);
    expected
}

#[test]
fn one_bad_signature_is_found_among_many() {
    let mut all: Vec<_> = (0..200u8).map(|i| signed(i % 50 + 1, u64::from(i))).collect();
    assert!(same_as_one_by_one(&all).iter().all(Result::is_ok));
    all[77].signature[1] ^= 1;
    all[150].transaction.nonce += 1;
    all[199].transaction.sender = Address([2; 32]);
    let bad = same_as_one_by_one(&all);
    let bad: Vec<_> = (0..200).filter(|&at| bad[at].is_err()).collect();
    assert_eq!(bad, [77, 150, 199]);
    assert_eq!(same_as_one_by_one(&[]), []);
}

/// Few bad ones are found in halves, many one by one, at the ends and side by side, too.
#[test]
fn several_bad_signatures_are_found_wherever_they_are() {
    let good: Vec<_> = (0..130u8).map(|i| signed(i % 50 + 1, u64::from(i))).collect();
    let some: [&[usize]; 6] = [
        &[0],
        &[129],
        &[64, 65],
        &[0, 40, 129],
        &[7, 8, 15, 16, 17],
        &[1, 20, 40, 60, 80, 100, 120],
    ];
    for bad in some.map(<[usize]>::to_vec).into_iter().chain([(0..130).collect()]) {
        let mut all = good.clone();
        bad.iter().for_each(|&at| all[at].signature[35] ^= 1);
        let found = same_as_one_by_one(&all);
        let found: Vec<usize> = (0..130).filter(|&at| found[at].is_err()).collect();
        assert_eq!(found, bad);
    }
}

#[test]
fn one_bad_item_of_many_is_narrowed_down_and_many_bad_ones_cost_little_more() {
    let items: Vec<usize> = (0..1024).collect();
    let check = |is_bad: &dyn Fn(usize) -> bool| {
        let n_checked = std::cell::Cell::new(0);
        let parts = narrowed(&items, |part| {
            n_checked.set(n_checked.get() + part.len());
            !part.iter().any(|&item| is_bad(item))
        });
        let left: Vec<usize> = parts.concat();
        assert!((0..1024).all(|item| !is_bad(item) || left.contains(&item)));
        assert!(n_checked.get() <= 3 * 1024, "{}", n_checked.get());
        left.len()
    };
    assert!((0..1024).all(|bad| check(&|item| item == bad) == 8));
    assert_eq!(check(&|_| true), 1024);
    assert_eq!(check(&|item| item < 100), 104);
    assert_eq!(check(&|item| item == 5 || item == 1000), 16);
}

/// Points of small order in every encoding, as senders and as `R`, and numbers `s` of every kind: the
/// inputs on which implementations of ed25519 differ.
#[test]
fn odd_signatures_are_judged_as_one_by_one() {
    let mut odd = Vec::new();
    let points = kempe_abi::SMALL_ORDER;
    let l = Scalar::ZERO - Scalar::ONE;
    for r in points {
        for s in [[0; 32], l.to_bytes(), [0xff; 32], Scalar::ONE.to_bytes()] {
            let mut one = signed(7, 1);
            one.signature[..32].copy_from_slice(&r);
            one.signature[32..].copy_from_slice(&s);
            odd.push(one.clone());
            one.transaction.sender = Address(points[odd.len() % points.len()]);
            odd.push(one);
        }
        // An honest signature whose R is moved by a point of small order.
        let key = SigningKey::from([7; 32]);
        let mut one = signed(7, 3);
        let moved = CompressedEdwardsY(one.signature[..32].try_into().unwrap()).decompress();
        let torsion = CompressedEdwardsY(r).decompress();
        if let (Some(moved), Some(torsion)) = (moved, torsion) {
            let r = (moved + torsion).compress().0;
            // s belongs to k, which is hashed from R: only the equation up to k's change is odd.
            one.signature[..32].copy_from_slice(&r);
        }
        assert_eq!(one.transaction.sender, address_of(&key));
        odd.push(one);
    }
    for one in &odd {
        same_as_one_by_one(std::slice::from_ref(one));
    }
    odd.extend((0..20).map(|i| signed(i + 1, 0)));
    same_as_one_by_one(&odd);
}

/// A signature that only holds up to the cofactor: valid by ZIP 215, refused by stricter rules, and the
/// classic way to make batches disagree.
#[test]
fn a_signature_with_torsion_is_valid_alone_and_together() {
    let a = Scalar::from(1234567u64);
    let torsion = CompressedEdwardsY(kempe_abi::SMALL_ORDER[10]).decompress();
    let torsion = torsion.expect("it is a point");
    let sender = Address((ED25519_BASEPOINT_POINT * a + torsion).compress().0);
    let mut one = signed(1, 0);
    one.transaction.sender = sender;
    let hash = one.transaction.hash();
    let r = Scalar::from(99u64);
    let big_r = (ED25519_BASEPOINT_POINT * r).compress();
    let mut hasher = Sha512::new();
    hasher.update(big_r.0);
    hasher.update(sender.0);
    hasher.update(signed_message(&hash));
    let k = Scalar::from_bytes_mod_order_wide(&hasher.finalize().into());
    one.signature[..32].copy_from_slice(&big_r.0);
    one.signature[32..].copy_from_slice(&(r + k * a).to_bytes());
    let many: Vec<_> = (1..30).map(|i| signed(i, 0)).chain([one]).collect();
    assert!(same_as_one_by_one(&many).iter().all(Result::is_ok));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases::cases(24)))]

    #[test]
    fn a_batch_is_what_its_signatures_are(
        changes in proptest::collection::vec((0..12usize, 0..64usize, any::<u8>()), 0..4),
    ) {
        let mut all: Vec<_> = (0..12).map(|i| signed(i % 5 + 1, u64::from(i))).collect();
        for (tx, at, flip) in changes {
            all[tx].signature[at] ^= flip;
        }
        same_as_one_by_one(&all);
    }
}

#[test]
fn parts_are_neither_small_nor_fewer_than_the_threads_can_share() {
    assert_eq!(signatures_together(20_000, 2), 2048);
    assert_eq!(signatures_together(2_000, 2), 500);
    assert_eq!(signatures_together(100, 8), 256);
    assert_eq!(signatures_together(0, 0), 256);
}
