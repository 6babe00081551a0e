//! Several blake3 hashes at once, in the lanes of the processor.
//!
//! blake3 keeps these entrances out of its documentation, so a new version may move them; tests hold
//! them to `blake3::keyed_hash`. The flags are those of messages of one chunk. Source: the BLAKE3
//! paper, section 2.2, table 3.

use std::sync::LazyLock;

use blake3::IncrementCounter;
use blake3::platform::{Platform, le_bytes_from_words_32, words_from_le_bytes_32};

const CHUNK_START: u8 = 1 << 0;
const CHUNK_END: u8 = 1 << 1;
const ROOT: u8 = 1 << 3;
const KEYED_HASH: u8 = 1 << 4;

static PLATFORM: LazyLock<Platform> = LazyLock::new(Platform::detect);

/// The most lanes of a processor: AVX-512 has 16.
pub(crate) const LANES: usize = 16;

/// The words of a blake3 key.
pub(crate) fn key_words(key: &[u8; 32]) -> [u32; 8] {
    words_from_le_bytes_32(key)
}

/// `blake3::keyed_hash` of one block, without the state that blake3 keeps for longer input, which
/// costs as much as the compression itself.
pub(crate) fn keyed_hash_block(key: &[u32; 8], block: &[u8; 64]) -> [u8; 32] {
    const LEN: u8 = 64;
    let mut words = *key;
    let flags = CHUNK_START | CHUNK_END | ROOT | KEYED_HASH;
    PLATFORM.compress_in_place(&mut words, block, LEN, 0, flags);
    le_bytes_from_words_32(&words)
}

/// `out[i] = blake3::keyed_hash(key, messages[i])`, for messages of whole blocks in one chunk.
pub(crate) fn keyed_hash_many<const N: usize>(
    key: &[u32; 8],
    messages: &[&[u8; N]],
    out: &mut [[u8; 32]],
) {
    const { assert!(N > 0 && N <= 1024 && N.is_multiple_of(64), "whole blocks of one chunk") };
    for (messages, out) in messages.chunks(LANES).zip(out.chunks_mut(LANES)) {
        PLATFORM.hash_many(
            messages,
            key,
            0,
            IncrementCounter::No,
            KEYED_HASH,
            CHUNK_START,
            CHUNK_END | ROOT,
            out.as_flattened_mut(),
        );
    }
}

/// The hashes of messages of whole blocks that stand one after the other; message `i` is
/// `blocks[ends[i - 1]..ends[i]]`. Messages of up to sixteen blocks, which is one chunk, share lanes with those
/// of their length.
pub(crate) fn keyed_hash_runs(
    key: &[u8; 32],
    blocks: &[[u8; 64]],
    ends: &[usize],
) -> Vec<[u8; 32]> {
    let mut out = vec![[0; 32]; ends.len()];
    hash_runs_of::<64>(key, blocks, ends, &mut out);
    hash_runs_of::<128>(key, blocks, ends, &mut out);
    hash_runs_of::<192>(key, blocks, ends, &mut out);
    hash_runs_of::<256>(key, blocks, ends, &mut out);
    hash_runs_of::<320>(key, blocks, ends, &mut out);
    hash_runs_of::<384>(key, blocks, ends, &mut out);
    hash_runs_of::<448>(key, blocks, ends, &mut out);
    hash_runs_of::<512>(key, blocks, ends, &mut out);
    hash_runs_of::<576>(key, blocks, ends, &mut out);
    hash_runs_of::<640>(key, blocks, ends, &mut out);
    hash_runs_of::<704>(key, blocks, ends, &mut out);
    hash_runs_of::<768>(key, blocks, ends, &mut out);
    hash_runs_of::<832>(key, blocks, ends, &mut out);
    hash_runs_of::<896>(key, blocks, ends, &mut out);
    hash_runs_of::<960>(key, blocks, ends, &mut out);
    hash_runs_of::<1024>(key, blocks, ends, &mut out);
    for (hash, run) in out.iter_mut().zip(runs(blocks, ends)) {
        if run.is_empty() || run.len() > 16 {
            *hash = *blake3::keyed_hash(key, run.as_flattened()).as_bytes();
        }
    }
    out
}

fn runs<'a>(blocks: &'a [[u8; 64]], ends: &'a [usize]) -> impl Iterator<Item = &'a [[u8; 64]]> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(ends).map(|(start, &end)| &blocks[start..end])
}

/// Hashes the messages of `N` bytes.
fn hash_runs_of<const N: usize>(
    key: &[u8; 32],
    blocks: &[[u8; 64]],
    ends: &[usize],
    out: &mut [[u8; 32]],
) {
    let key = key_words(key);
    let mut places = [0; LANES];
    let mut messages: [&[u8; N]; LANES] = [&[0; N]; LANES];
    let mut hashes = [[0; 32]; LANES];
    let mut n_messages = 0;
    let mut hash = |messages: &[&[u8; N]], places: &[usize]| {
        keyed_hash_many(&key, messages, &mut hashes[..messages.len()]);
        for (&place, hash) in places.iter().zip(hashes) {
            out[place] = hash;
        }
    };
    for (place, run) in runs(blocks, ends).enumerate() {
        let Ok(message) = run.as_flattened().try_into() else { continue };
        (places[n_messages], messages[n_messages]) = (place, message);
        n_messages += 1;
        if n_messages == LANES {
            hash(&messages, &places);
            n_messages = 0;
        }
    }
    hash(&messages[..n_messages], &places[..n_messages]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_hash_as_one_by_one() {
        let sizes =
            [0, 1, 2, 3, 4, 5, 0, 1, 17, 40, 1, 9, 16, 4, 4, 15, 6, 7, 8, 10, 11, 12, 13, 14];
        let (mut blocks, mut ends) = (Vec::new(), Vec::new());
        for (i, &size) in sizes.iter().cycle().take(300).enumerate() {
            for block in 0..size {
                let mut bytes = [0; 64];
                let mut hasher = blake3::Hasher::new();
                hasher.update(&(i * 100 + block).to_le_bytes()).finalize_xof().fill(&mut bytes);
                blocks.push(bytes);
            }
            ends.push(blocks.len());
        }
        let key = [9; 32];
        let one = |run: &[[u8; 64]]| *blake3::keyed_hash(&key, run.as_flattened()).as_bytes();
        let expected: Vec<_> = runs(&blocks, &ends).map(one).collect();
        assert_eq!(keyed_hash_runs(&key, &blocks, &ends), expected);
        for block in &blocks {
            assert_eq!(keyed_hash_block(&key_words(&key), block), one(&[*block]));
        }
    }
}
