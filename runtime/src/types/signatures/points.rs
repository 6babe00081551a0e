//! The equation of a batch by the arithmetic of one point at a time, and the keys that it knows as points.

use std::sync::{Mutex, MutexGuard};

use curve25519_dalek::EdwardsPoint;
use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use hashbrown::HashMap;
use kempe_abi::Address;
use rand_chacha::rand_core::Rng as _;
use sha2::{Digest, Sha512};

use super::Batch;
use crate::sync::lock;
use crate::types::transaction::signed_message;

/// The keys that a cache remembers at least, in each of two generations; a key takes about 200 bytes.
const GENERATION_KEYS: usize = 1 << 20;

/// The parts of a cache, each behind a lock of its own.
const N_SHARDS: usize = 64;

/// The public keys of senders as points of the curve, which take a third of a check to compute where that is done for one point
/// at a time; elsewhere it stays empty.
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
    /// The point of a sender's key; `None` if it is none.
    pub(super) fn point(&self, sender: &Address) -> Option<EdwardsPoint> {
        let mut shard = self.shard(sender);
        if let Some(point) = shard.young.get(sender) {
            return Some(*point);
        }
        let known = shard.old.remove(sender);
        drop(shard);
        let point = match known {
            Some(point) => point,
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

/// What the equation has of one signature.
pub(super) struct Item {
    key: EdwardsPoint,
    r: EdwardsPoint,
    s: Scalar,
    k: Scalar,
}

/// The signature at a position; `None` if it is none for any key, or its sender none for any signature.
pub(super) fn item(batch: &Batch<'_>, keys: &KeyCache, at: usize) -> Option<Item> {
    let (signed, hash) = (batch.signed[at], &batch.hashes[at]);
    let key = keys.point(&signed.transaction.sender)?;
    let (r, s) = signed.signature.split_first_chunk::<32>()?;
    let s = Option::from(Scalar::from_canonical_bytes(*s.first_chunk()?))?;
    let point = CompressedEdwardsY(*r).decompress()?;
    let mut hasher = Sha512::new();
    hasher.update(r);
    hasher.update(signed.transaction.sender.0);
    hasher.update(signed_message(hash));
    let k = Scalar::from_bytes_mod_order_wide(&hasher.finalize().into());
    Some(Item { key, r: point, s, k })
}

/// Whether the equation holds.
pub(super) fn holds(batch: &Batch<'_>, items: &[(usize, Item)]) -> bool {
    let mut random = batch.random(items);
    let mut base = Scalar::ZERO;
    let mut scalars = Vec::with_capacity(2 * items.len() + 1);
    let mut points = Vec::with_capacity(2 * items.len() + 1);
    for (_, item) in items {
        let mut z = [0; 16];
        random.fill_bytes(&mut z);
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
mod tests {
    use ed25519_zebra::SigningKey;

    use super::*;
    use crate::types::address_of;

    #[test]
    fn the_cache_forgets() {
        let keys = KeyCache::default();
        let shard_keys = GENERATION_KEYS / N_SHARDS;
        let mut generations = keys.shards[usize::from(0u8)].lock().unwrap();
        for number in 0..shard_keys as u64 {
            let mut address = [0; 32];
            address[..8].copy_from_slice(&number.to_le_bytes());
            generations.young.insert(Address(address), ED25519_BASEPOINT_POINT);
        }
        drop(generations);
        let mut wanted = Address::ZERO;
        for number in 1..=255u8 {
            wanted = address_of(&SigningKey::from([number; 32]));
            if usize::from(wanted.0[17]) % N_SHARDS == 0 {
                break;
            }
        }
        assert!(keys.point(&wanted).is_some());
        let generations = keys.shard(&wanted);
        assert_eq!((generations.young.len(), generations.old.len()), (1, shard_keys));
    }
}
