//! Signatures of many transactions at once.

use std::sync::{Mutex, MutexGuard};

use curve25519_dalek::EdwardsPoint;
use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use hashbrown::HashMap;
use kempe_abi::{Address, Hash};
use sha2::{Digest, Sha512};

use super::transaction::{SignedTransaction, TransactionError};
use crate::sync::lock;

/// The most signatures that are checked together. The multiplication shares more of its sums the more there are:
/// measured (Intel Xeon of 2.1 GHz, AVX-512), it takes 6.5 µs for each of 256, 4.7 of 1,024, 4.3 of 2,048 and 4.2 of
/// 5,000, beside 4.8 for each point that has to be found.
const MOST_TOGETHER: usize = 2048;

/// The fewest, while there are that many: fewer cost more each.
const FEWEST_TOGETHER: usize = 256;

/// Of so few, each by itself is about as cheap as all together.
const FEW: usize = 8;

/// How often a batch that does not hold is checked again in halves, at most, counted in its length. One or two bad signatures are
/// found within that; of many bad ones each is checked by itself soon, so that who sends them cannot make checking slow.
const HALVING_TIMES_MAX: usize = 3;

/// How many of `n_signatures` to check together on `n_threads`: at least two parts for each thread, as
/// long as the parts do not get small, so that the threads end at about the same time. No result
/// depends on it.
#[must_use]
pub fn signatures_together(n_signatures: usize, n_threads: usize) -> usize {
    n_signatures.div_ceil(2 * n_threads.max(1)).clamp(FEWEST_TOGETHER, MOST_TOGETHER)
}

/// The keys that a cache remembers at least, in each of two generations; a key takes about 200 bytes.
const GENERATION_KEYS: usize = 1 << 20;

/// The parts of a cache, each behind a lock of its own.
const N_SHARDS: usize = 64;

/// The public keys of senders as points of the curve, which take a third of a check to compute.
///
/// It holds at most two million keys: when a generation is full, the one before it is forgotten, except for
/// the keys that were asked for meanwhile. What is in it changes no result.
#[derive(Debug)]
pub struct KeyCache {
    shards: Vec<Mutex<Generations>>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Address, EdwardsPoint>,
    old: HashMap<Address, EdwardsPoint>,
}

impl Default for KeyCache {
    fn default() -> Self {
        Self { shards: (0..N_SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl KeyCache {
    /// The point of a sender's key; `None` if it is none, or of small order.
    fn point(&self, sender: &Address) -> Option<EdwardsPoint> {
        let mut shard = self.shard(sender);
        if let Some(point) = shard.young.get(sender) {
            return Some(*point);
        }
        let known = shard.old.remove(sender);
        drop(shard);
        let point = match known {
            Some(point) => point,
            None if sender.is_small_order() => return None,
            None => CompressedEdwardsY(sender.0).decompress()?,
        };
        let mut shard = self.shard(sender);
        if shard.young.len() >= GENERATION_KEYS / N_SHARDS {
            shard.old = std::mem::take(&mut shard.young);
        }
        shard.young.insert(*sender, point);
        Some(point)
    }

    fn shard(&self, sender: &Address) -> MutexGuard<'_, Generations> {
        // Not the first byte, by which the map may place what is in it.
        let shard = &self.shards[usize::from(sender.0[17]) % N_SHARDS];
        lock(shard)
    }
}

/// What the equation of a batch has of one signature.
struct Item {
    /// Its position in what is checked.
    at: usize,
    key: EdwardsPoint,
    r: EdwardsPoint,
    s: Scalar,
    k: Scalar,
}

/// Checks signatures together, in halves if that fails, and one by one where a few are left: the results are exactly those of
/// [`SignedTransaction::verify`], whatever else is in the batch. `hashes` are the transactions' hashes.
///
/// All of them hold if and only if, up to the cofactor, `Σ zᵢ (Rᵢ + kᵢ Aᵢ − sᵢ B) = 0` for random `zᵢ`,
/// except with a probability of 2⁻¹²⁸. The `zᵢ` are hashed from everything that is checked, so
/// nobody can choose signatures to fit them, and nothing is random.
///
/// Source: Bernstein, Duif, Lange, Schwabe, Yang, "High-speed high-security signatures" (2012), section 5;
/// ZIP 215.
#[must_use]
pub fn verify_signatures(
    signed: &[&SignedTransaction],
    hashes: &[Hash],
    keys: &KeyCache,
) -> Vec<Result<(), TransactionError>> {
    let mut results = Vec::with_capacity(signed.len());
    let mut items = Vec::with_capacity(signed.len());
    for (at, (signed, hash)) in signed.iter().zip(hashes).enumerate() {
        let sender = signed.transaction.sender;
        let Some(key) = keys.point(&sender) else {
            results.push(Err(TransactionError::BadSender(sender)));
            continue;
        };
        match Item::new(at, key, signed, hash) {
            Some(item) => {
                items.push(item);
                results.push(Ok(()));
            }
            None => results.push(Err(TransactionError::BadSignature(sender))),
        }
    }
    if holds(&items, signed, hashes) {
        return results;
    }
    for Item { at, .. } in
        narrowed(&items, |part| holds(part, signed, hashes)).into_iter().flatten()
    {
        results[*at] = signed[*at].verify_hash(&hashes[*at]);
    }
    results
}

/// The parts, of items that do not hold together, that have all those in them that do not hold.
fn narrowed<T>(items: &[T], holds: impl Fn(&[T]) -> bool) -> Vec<&[T]> {
    let (mut parts, mut left) = (vec![items], HALVING_TIMES_MAX * items.len());
    loop {
        let n_items: usize = parts.iter().map(|part| part.len()).sum();
        if n_items > left || parts.iter().all(|part| part.len() <= FEW) {
            return parts;
        }
        left -= n_items;
        let halves = parts.iter().map(|part| part.split_at(part.len() / 2));
        parts = halves.flat_map(|(a, b)| [a, b]).filter(|half| !holds(half)).collect();
    }
}

impl Item {
    /// `None` if the signature is none for any key.
    fn new(at: usize, key: EdwardsPoint, signed: &SignedTransaction, hash: &Hash) -> Option<Self> {
        let (r, s) = signed.signature.split_first_chunk::<32>()?;
        let s = Option::from(Scalar::from_canonical_bytes(*s.first_chunk()?))?;
        let point = CompressedEdwardsY(*r).decompress()?;
        let mut hasher = Sha512::new();
        hasher.update(r);
        hasher.update(signed.transaction.sender.0);
        hasher.update(hash.0);
        let k = Scalar::from_bytes_mod_order_wide(&hasher.finalize().into());
        Some(Self { at, key, r: point, s, k })
    }
}

/// Whether the equation holds.
fn holds(items: &[Item], signed: &[&SignedTransaction], hashes: &[Hash]) -> bool {
    let mut hasher = blake3::Hasher::new_keyed(b"kempe 2026 batch of signatures  ");
    for Item { at, .. } in items {
        let (signed, hash) = (&signed[*at], &hashes[*at]);
        hasher.update(&signed.transaction.sender.0).update(&hash.0).update(&signed.signature);
    }
    let mut random = hasher.finalize_xof();
    let mut base = Scalar::ZERO;
    let mut scalars = Vec::with_capacity(2 * items.len() + 1);
    let mut points = Vec::with_capacity(2 * items.len() + 1);
    for item in items {
        let mut z = [0; 16];
        random.fill(&mut z);
        let z = Scalar::from(u128::from_le_bytes(z));
        base -= z * item.s;
        scalars.extend([z, z * item.k]);
        points.extend([item.r, item.key]);
    }
    scalars.push(base);
    points.push(ED25519_BASEPOINT_POINT);
    EdwardsPoint::vartime_multiscalar_mul(&scalars, &points).mul_by_cofactor().is_identity()
}

#[cfg(test)]
mod tests;
