//! The compiled code that an engine keeps, as far as it fits.

use std::collections::BTreeMap;
use std::sync::Arc;

use kempe_abi::Hash;

/// Code by the hash of its wasm. When it is more than fits, what nobody uses goes, the longest unused first: that of
/// deployments that failed or were only simulated, at last. Code of a contract is compiled again when it is called.
#[derive(Debug)]
pub(super) struct Codes<T> {
    kept: BTreeMap<Hash, Kept<T>>,
    bytes: u64,
    bytes_max: u64,
    n_uses: u64,
}

#[derive(Debug)]
struct Kept<T> {
    code: Arc<T>,
    bytes: u64,
    used: u64,
}

impl<T> Codes<T> {
    /// At most so many bytes, but for what is in use.
    pub(super) const fn new(bytes_max: u64) -> Self {
        Self { kept: BTreeMap::new(), bytes: 0, bytes_max, n_uses: 0 }
    }

    pub(super) fn get(&mut self, hash: &Hash) -> Option<Arc<T>> {
        let kept = self.kept.get_mut(hash)?;
        self.n_uses += 1;
        kept.used = self.n_uses;
        Some(Arc::clone(&kept.code))
    }

    /// Keeps code that takes so many bytes and is not there.
    pub(super) fn insert(&mut self, hash: Hash, code: Arc<T>, bytes: u64) -> Arc<T> {
        self.n_uses += 1;
        self.bytes += bytes;
        self.kept.insert(hash, Kept { code: Arc::clone(&code), bytes, used: self.n_uses });
        if self.bytes > self.bytes_max {
            self.evict();
        }
        code
    }

    fn evict(&mut self) {
        // Whoever has a handle goes on with it, so it takes its memory all the same.
        let unused = self.kept.iter().filter(|(_, kept)| Arc::strong_count(&kept.code) == 1);
        let mut unused: Vec<(u64, Hash)> = unused.map(|(hash, kept)| (kept.used, *hash)).collect();
        unused.sort_unstable();
        for (_, hash) in unused {
            if self.bytes <= self.bytes_max {
                break;
            }
            self.bytes -= self.kept.remove(&hash).map_or(0, |kept| kept.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u8) -> Hash {
        Hash([n; 32])
    }

    #[test]
    fn what_is_not_used_goes_when_it_is_too_much() {
        let mut codes = Codes::new(100);
        let used = codes.insert(hash(0), Arc::new(0), 30);
        for n in 1..=2 {
            codes.insert(hash(n), Arc::new(n), 35);
        }
        // Asked for, so the other one has been unused for longer.
        assert_eq!(codes.get(&hash(1)).as_deref(), Some(&1));
        codes.insert(hash(3), Arc::new(3), 35);
        let there = |codes: &mut Codes<u8>| [0, 1, 2, 3].map(|n| codes.get(&hash(n)).is_some());
        assert_eq!(there(&mut codes), [true, true, false, true]);
        assert_eq!(codes.bytes, 100);

        // What is in use stays.
        let large = codes.insert(hash(4), Arc::new(4), 1000);
        assert_eq!(there(&mut codes), [true, false, false, false]);
        assert_eq!((codes.bytes, codes.kept.len()), (1030, 2));
        drop((used, large));
        codes.insert(hash(5), Arc::new(5), 10);
        // The larger one is enough.
        assert_eq!((codes.bytes, there(&mut codes)), (40, [true, false, false, false]));
    }
}
