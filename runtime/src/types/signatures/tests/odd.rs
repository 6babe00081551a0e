//! Odd signatures that are valid, and forgeries that hold if one check is missing, in batches of all sizes.

use curve25519_dalek::EdwardsPoint;
use rand_chacha::rand_core::Rng as _;

use super::*;

/// y = 2 and y = p + 2 are no points, with either sign.
const NO_POINTS: [[u8; 32]; 4] = {
    let mut two = [0; 32];
    two[0] = 2;
    let mut two_signed = two;
    two_signed[31] = 0x80;
    let mut above = [0xff; 32];
    above[0] = 0xef;
    let mut above_positive = above;
    above_positive[31] = 0x7f;
    [two, two_signed, above, above_positive]
};

fn base(number: u64) -> EdwardsPoint {
    ED25519_BASEPOINT_POINT * Scalar::from(number)
}

/// Valid if `sender` is `a` times the base and `big_r` is `r` times the base, up to small order.
fn made(nonce: u64, sender: [u8; 32], a: u64, big_r: [u8; 32], r: u64) -> SignedTransaction {
    let mut one = signed(1, nonce);
    one.transaction.sender = Address(sender);
    let mut hasher = Sha512::new();
    hasher.update(big_r);
    hasher.update(sender);
    hasher.update(signed_message(&one.transaction.hash()));
    let k = Scalar::from_bytes_mod_order_wide(&hasher.finalize().into());
    one.signature[..32].copy_from_slice(&big_r);
    one.signature[32..].copy_from_slice(&(Scalar::from(r) + k * Scalar::from(a)).to_bytes());
    one
}

/// What a batch does not take, without what is checked again behind it.
fn suspects(signed: &[SignedTransaction], is_wide: bool) -> Vec<usize> {
    let hashes: Vec<_> = signed.iter().map(|signed| signed.transaction.hash()).collect();
    let all: Vec<_> = signed.iter().collect();
    Batch { signed: &all, hashes: &hashes }.suspects(is_wide, &KeyCache::default())
}

/// Keys with every torsion; R of small order in all 14 encodings (the non-canonical ones, which no other valid R has), and R with torsion.
/// A non-canonical key of large order cannot be had: it is one of ten points whose logarithm nobody knows.
fn odd_but_valid() -> Vec<SignedTransaction> {
    let small = kempe_abi::SMALL_ORDER;
    let moved = |number, by| {
        let by = CompressedEdwardsY(by).decompress().expect("it is a point");
        (base(number) + by).compress().0
    };
    let mut all = Vec::new();
    for (a, torsion) in (1000..).zip(small) {
        let sender = moved(a, torsion);
        for (r, of_r) in (77..).zip(small) {
            let nonce = all.len() as u64;
            all.push(made(nonce, sender, a, of_r, 0));
            all.push(made(nonce + 1, sender, a, moved(r, of_r), r));
        }
    }
    all
}

/// No batch refuses what one by one takes. 392 of them: the bucket method; the parts: lanes that are not full, Straus.
#[test]
fn odd_signatures_are_valid_together_without_a_second_look() {
    let all = odd_but_valid();
    assert!(all.iter().all(|one| one.verify().is_ok()));
    for is_wide in [true, false] {
        assert!(suspects(&all, is_wide).is_empty(), "is_wide={is_wide}");
        for n in [1, 2, 7, 8, 9, 15, 16, 17] {
            for part in all.chunks(n) {
                assert!(suspects(part, is_wide).is_empty(), "is_wide={is_wide} n={n}");
            }
        }
    }
}

/// Each holds if one check is missing: that R or A is a point (a library that puts the identity there), that `s` is below the
/// order, that the sender is not of small order.
fn forgeries() -> Vec<SignedTransaction> {
    let key = base(5).compress().0;
    let mut all = Vec::new();
    for none in NO_POINTS {
        all.push(made(0, key, 5, none, 0));
        all.push(made(1, none, 0, base(9).compress().0, 9));
    }
    for small in kempe_abi::SMALL_ORDER {
        all.push(made(2, small, 0, small, 0));
    }
    let order_less_one = (Scalar::ZERO - Scalar::ONE).to_bytes();
    let mut more = made(3, key, 5, base(9).compress().0, 9);
    for _ in 0..14 {
        // s + L, s + 2L, ... as long as 32 bytes hold it.
        let mut carry = 1;
        for (byte, add) in more.signature[32..].iter_mut().zip(order_less_one) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = (sum & 0xff) as u8;
            carry = sum >> 8;
        }
        assert_eq!(carry, 0);
        all.push(more.clone());
    }
    all
}

/// The sizes and windows of production, forgeries at the lanes' ends, and errors that cancel if two of the random numbers are equal.
#[test]
fn forgeries_are_found_in_batches_of_every_size() {
    let forged = forgeries();
    let expect_bad = |all: &[SignedTransaction], bad: &[usize]| {
        let hashes: Vec<_> = all.iter().map(|one| one.transaction.hash()).collect();
        let refs: Vec<_> = all.iter().collect();
        let batch = Batch { signed: &refs, hashes: &hashes };
        // The other library has one way for all sizes.
        for is_wide in [true, false].into_iter().filter(|is_wide| *is_wide || all.len() <= 512) {
            let results = verify_by(&batch, is_wide, &KeyCache::default());
            let found: Vec<_> = (0..all.len()).filter(|&at| results[at].is_err()).collect();
            assert_eq!(found, bad, "is_wide={is_wide} n={}", all.len());
        }
    };
    for one in &forged {
        expect_bad(std::slice::from_ref(one), &[0]);
    }
    // Straus up to 184 different keys or 368 of one, then buckets: window 6 up to 511, 7 up to 2,047, 8 at 2,048.
    let sizes = [2, 7, 8, 9, 17, 184, 185, 256, 368, 369, 511, 512, 2047, 2048];
    for (n_keys, n) in [250, 1].into_iter().flat_map(|k| sizes.map(|n| (k, n))) {
        // Over 1,024 of one key are summed in parts.
        let numbers = (1..=n_keys).cycle();
        let good: Vec<_> = numbers.zip(0..n as u64).map(|(key, at)| signed(key, at)).collect();
        assert!(suspects(&good, true).is_empty(), "n={n} n_keys={n_keys}");
        let ends = [0, 3, 4, 7, 8, n / 2, n - 1];
        for (at, forged) in
            ends.into_iter().filter(|&at| at < n).zip(forged.iter().cycle().step_by(5))
        {
            let mut all = good.clone();
            all[at] = forged.clone();
            expect_bad(&all, &[at]);
        }
        // Equal numbers in lanes, blocks of four, units of eight, parts: + 1 here and - 1 there would cancel.
        for apart in [1, 4, 8, 128, 1024].into_iter().filter(|apart| apart + 1 < n) {
            let mut all = good.clone();
            for (at, change) in [(1, Scalar::ONE), (1 + apart, Scalar::ZERO - Scalar::ONE)] {
                let s: [u8; 32] = all[at].signature[32..].try_into().unwrap();
                let s = Scalar::from_canonical_bytes(s).unwrap() + change;
                all[at].signature[32..].copy_from_slice(&s.to_bytes());
            }
            expect_bad(&all, &[1, 1 + apart]);
        }
    }
}

/// The library frames a domain as clients do.
#[test]
fn the_library_signs_what_is_signed() {
    use commonware_codec::{Copying, DecodeExt as _};
    use commonware_cryptography_curve25519::signing::SigningKey as Wide;

    use crate::types::SIGNATURE_DOMAIN;

    let one = signed(7, 0);
    let key = Wide::decode(Copying(&[7; 32][..])).unwrap();
    let signature = key.sign(&SIGNATURE_DOMAIN, &one.transaction.hash().0);
    assert_eq!(signature.as_ref(), one.signature);
}

/// The random numbers depend on every byte that is checked, on the order and on the part.
#[test]
fn random_numbers_come_from_everything() {
    let seed = |all: &[SignedTransaction], n: usize| {
        let hashes: Vec<_> = all.iter().map(|one| one.transaction.hash()).collect();
        let refs: Vec<_> = all.iter().collect();
        let items: Vec<_> = (0..n).map(|at| (at, ())).collect();
        let mut bytes = [0; 32];
        Batch { signed: &refs, hashes: &hashes }.random(&items).fill_bytes(&mut bytes);
        bytes
    };
    let all: Vec<_> = (1..4).map(|number| signed(number, 0)).collect();
    let mut seen = vec![seed(&all, 3), seed(&all, 2)];
    for at in 0..3 {
        for byte in 0..64 {
            let mut other = all.clone();
            other[at].signature[byte] ^= 1;
            seen.push(seed(&other, 3));
        }
        let changes: [fn(&mut Transaction); 2] = [|tx| tx.nonce += 1, |tx| tx.sender.0[31] ^= 1];
        for change in changes {
            let mut other = all.clone();
            change(&mut other[at].transaction);
            seen.push(seed(&other, 3));
        }
    }
    let mut turned = all;
    turned.swap(0, 2);
    seen.push(seed(&turned, 3));
    let n = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), n);
}
