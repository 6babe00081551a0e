//! Signatures of many transactions at once.

mod points;
mod wide;

use kempe_abi::Hash;

pub use points::KeyCache;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;

use super::transaction::{SignedTransaction, TransactionError};

/// The most signatures that are checked together. The multiplication shares more of its sums the more there are: with wide
/// arithmetic (2 vCPU AMD EPYC, Zen 4) each takes 7.0 µs with 256, 6.0 with 512, 5.2 with 1,024, 5.0 with 2,048 and 4.5 with 8,192; by one point at a time
/// 12.9, 12.7, 12.6, 12.4 and 12.2.
const MOST_TOGETHER: usize = 2048;

/// The fewest, while there are that many: fewer cost more each.
const FEWEST_TOGETHER: usize = 256;

/// Of so few, each by itself is about as cheap as all together.
const FEW: usize = 8;

/// How often a batch that does not hold is checked again in halves, at most, counted in its length. One or two bad signatures are
/// found within that; of many bad ones each is checked by itself soon, so that who sends them cannot make checking slow: by itself one takes 23 µs (2 vCPU AMD EPYC, Zen 4).
const HALVING_TIMES_MAX: usize = 3;

/// How many of `n_signatures` to check together on `n_threads`: at least two parts for each thread, as
/// long as the parts do not get small, so that the threads end at about the same time. No result
/// depends on it.
#[must_use]
pub fn signatures_together(n_signatures: usize, n_threads: usize) -> usize {
    n_signatures.div_ceil(2 * n_threads.max(1)).clamp(FEWEST_TOGETHER, MOST_TOGETHER)
}

/// Signatures that are checked together, with the hashes of their transactions.
struct Batch<'a> {
    signed: &'a [&'a SignedTransaction],
    hashes: &'a [Hash],
}

/// Checks signatures together, in halves if that fails, and one by one where a few are left: the results are exactly those of
/// [`SignedTransaction::verify`], whatever else is in the batch. `hashes` are the transactions' hashes.
///
/// All of them hold if and only if, up to the cofactor, `Σ zᵢ (Rᵢ + kᵢ Aᵢ − sᵢ B) = 0` for random `zᵢ`,
/// except with a probability of 2⁻¹²⁸. The `zᵢ` are hashed from everything that is checked, so
/// nobody can choose signatures to fit them, and nothing is random.
///
/// Where the processor has wide arithmetic for it the equation is computed by one library, elsewhere by another.
///
/// Source: Bernstein, Duif, Lange, Schwabe, Yang, "High-speed high-security signatures" (2012), section 5;
/// ZIP 215.
#[must_use]
pub fn verify_signatures(
    signed: &[&SignedTransaction],
    hashes: &[Hash],
    keys: &KeyCache,
) -> Vec<Result<(), TransactionError>> {
    verify_by(&Batch { signed, hashes }, wide::is_fast(), keys)
}

fn verify_by(
    batch: &Batch<'_>,
    is_wide: bool,
    keys: &KeyCache,
) -> Vec<Result<(), TransactionError>> {
    let mut results = vec![Ok(()); batch.signed.len()];
    for at in batch.suspects(is_wide, keys) {
        results[at] = batch.signed[at].verify_hash(&batch.hashes[at]);
    }
    results
}

impl Batch<'_> {
    /// The positions of all signatures that do not hold, and of some beside them.
    fn suspects(&self, is_wide: bool, keys: &KeyCache) -> Vec<usize> {
        if is_wide {
            self.suspects_by(|at| wide::item(self, at), |items| wide::holds(self, items))
        } else {
            self.suspects_by(|at| points::item(self, keys, at), |items| points::holds(self, items))
        }
    }

    /// The same by one way: `item` makes what it has of a signature that could hold at all.
    fn suspects_by<T>(
        &self,
        item: impl Fn(usize) -> Option<T>,
        holds: impl Fn(&[(usize, T)]) -> bool,
    ) -> Vec<usize> {
        let (mut suspects, mut items) = (Vec::new(), Vec::with_capacity(self.signed.len()));
        for (at, signed) in self.signed.iter().enumerate() {
            // Anybody can sign for a key of small order.
            let may_sign = !signed.transaction.sender.is_small_order();
            match may_sign.then(|| item(at)).flatten() {
                Some(item) => items.push((at, item)),
                None => suspects.push(at),
            }
        }
        if !items.is_empty() && !holds(&items) {
            let parts = narrowed(&items, holds);
            suspects.extend(parts.into_iter().flatten().map(|(at, _)| at));
        }
        suspects
    }

    /// Numbers that nobody knows who has yet to choose one of these signatures, the same each time.
    fn random<T>(&self, items: &[(usize, T)]) -> ChaCha20Rng {
        let mut hasher = blake3::Hasher::new_keyed(b"kempe 2026 batch of signatures  ");
        for (at, _) in items {
            let (signed, hash) = (&self.signed[*at], &self.hashes[*at]);
            hasher.update(&signed.transaction.sender.0).update(&hash.0).update(&signed.signature);
        }
        ChaCha20Rng::from_seed(*hasher.finalize().as_bytes())
    }
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

#[cfg(test)]
mod tests;
