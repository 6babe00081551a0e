//! The equation of a batch on all lanes of the processor, eight points at a time.

use commonware_codec::{Copying, DecodeExt as _};
use commonware_cryptography::{BatchEntry, BatchVerifier as _};
use commonware_cryptography_curve25519::signing::{Signature, VerifyingKey};
use commonware_parallel::Sequential;
use curve25519_dalek::scalar::Scalar;

use super::Batch;
use crate::types::transaction::SIGNATURE_DOMAIN;

/// What the equation has of one signature. Points are found when it is checked, eight at a time.
pub(super) struct Item {
    key: VerifyingKey,
    signature: Signature,
}

/// Whether this processor has what the library has arithmetic of its own for: AVX-512 IFMA, with which a signature takes 5.0 µs for 12.4 by
/// [one point at a time](super::points). Elsewhere it takes 20. Its arithmetic for ARM was not tried.
pub(super) fn is_fast() -> bool {
    #[cfg(target_arch = "x86_64")]
    let is_fast = std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512vl")
        && std::arch::is_x86_feature_detected!("avx512ifma");
    #[cfg(not(target_arch = "x86_64"))]
    let is_fast = false;
    is_fast
}

/// The signature at a position; `None` if it is none for any key.
pub(super) fn item(batch: &Batch<'_>, at: usize) -> Option<Item> {
    let signed = batch.signed[at];
    let (_, s) = signed.signature.split_last_chunk::<32>()?;
    Option::<Scalar>::from(Scalar::from_canonical_bytes(*s))?;
    let key = VerifyingKey::decode(Copying(&signed.transaction.sender.0[..])).ok()?;
    let signature = Signature::decode(Copying(&signed.signature[..])).ok()?;
    Some(Item { key, signature })
}

/// Whether the equation holds.
pub(super) fn holds(batch: &Batch<'_>, items: &[(usize, Item)]) -> bool {
    VerifyingKey::verify_batch(
        &mut batch.random(items),
        items,
        |_, (at, item)| BatchEntry {
            namespace: &SIGNATURE_DOMAIN,
            message: &batch.hashes[*at].0,
            public_key: &item.key,
            signature: &item.signature,
        },
        &Sequential,
    )
}
