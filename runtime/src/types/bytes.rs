//! The bytes of keys and values.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// The most bytes that are held without an allocation: an address, a balance.
const SHORT_BYTES: usize = 32;

/// What is seen of a value that nobody has read yet: more than a number has, which is 16 bytes, so that nothing can be added to it or taken
/// from it, as to every long value.
static UNREAD: [u8; 17] = [0; 17];

/// The bytes of a key or a value. Up to 32 are held in place. More are shared by all copies, so that copying a value takes no longer
/// for its length, and no memory: a list may name a thousand long values, whoever reads them.
///
/// ```
/// use kempe_runtime::types::Bytes;
///
/// let value = Bytes::from_slice(&[7; 65_536]);
/// let copy = value.clone();
/// assert_eq!(copy.as_ptr(), value.as_ptr());
/// ```
#[derive(Clone)]
pub struct Bytes(Held);

#[derive(Clone)]
enum Held {
    Short { len: u8, bytes: [u8; SHORT_BYTES] },
    Long(Arc<[u8]>),
    Unread,
}

impl Bytes {
    /// A copy of some bytes.
    #[must_use]
    #[inline]
    pub fn from_slice(from: &[u8]) -> Self {
        match u8::try_from(from.len()) {
            Ok(len) if from.len() <= SHORT_BYTES => {
                let mut bytes = [0; SHORT_BYTES];
                bytes[..from.len()].copy_from_slice(from);
                Self(Held::Short { len, bytes })
            }
            _ => Self(Held::Long(from.into())),
        }
    }

    /// What stands for a long value of the state that is not in memory: who pays for it reads it.
    #[must_use]
    pub const fn unread() -> Self {
        Self(Held::Unread)
    }

    /// Whether this stands for a value that nobody has read yet. It looks like 17 zeros then, is equal to no other bytes, and says nothing of
    /// what the value is but that it is no number.
    #[must_use]
    #[inline]
    pub const fn is_unread(&self) -> bool {
        matches!(self.0, Held::Unread)
    }

    /// Whether its copies share the bytes.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.0, Held::Long(_))
    }

    /// The bytes.
    #[must_use]
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            // The bound spares a look at whether it is one.
            Held::Short { len, bytes } => &bytes[..usize::from(*len).min(SHORT_BYTES)],
            Held::Long(bytes) => bytes,
            Held::Unread => &UNREAD,
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl From<&[u8]> for Bytes {
    fn from(from: &[u8]) -> Self {
        Self::from_slice(from)
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Self::from_slice(&[])
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice() && self.is_unread() == other.is_unread()
    }
}

impl Eq for Bytes {}

impl PartialOrd for Bytes {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bytes {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.as_slice().cmp(other.as_slice());
        order.then_with(|| self.is_unread().cmp(&other.is_unread()))
    }
}

impl Hash for Bytes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_what_they_were_made_of_and_take_five_words() {
        for len in [0, 1, 31, 32, 33, 300] {
            let from: Vec<u8> = (0..len).map(|at: u16| at.to_le_bytes()[0] ^ 7).collect();
            let bytes = Bytes::from_slice(&from);
            assert_eq!(bytes.as_slice(), from);
            assert_eq!(bytes.clone(), bytes);
            assert_eq!(bytes.clone().as_ptr() == bytes.as_ptr(), len > 32, "len={len}");
            assert_ne!(bytes, Bytes::from_slice(&[&from[..], &[0]].concat()));
        }
        assert_eq!(size_of::<Option<Bytes>>(), 40);
    }

    #[test]
    fn what_is_unread_is_equal_to_nothing_that_was_read() {
        let (unread, zeros) = (Bytes::unread(), Bytes::from_slice(&UNREAD));
        assert_eq!(unread, unread.clone());
        assert_eq!(unread.as_slice(), zeros.as_slice());
        assert_ne!(unread, zeros);
        assert_ne!(unread.cmp(&zeros), Ordering::Equal);
        assert!(unread.is_unread() && !zeros.is_unread());
    }
}
