//! Identities: addresses, hashes and method identifiers.

mod small_order;

use core::fmt;
use core::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};

pub use small_order::SMALL_ORDER;

/// Why a string is not an [`Address`] or a [`struct@Hash`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits, with or without 0x")]
pub struct ParseHexError;

macro_rules! bytes32 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, BorshSerialize, BorshDeserialize,
        )]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// Thirty-two zero bytes.
            pub const ZERO: Self = Self([0; 32]);

            /// The bytes, in order.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("0x")?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseHexError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let digits = text.strip_prefix("0x").unwrap_or(text);
                let mut bytes = [0; 32];
                hex::decode_to_slice(digits, &mut bytes).map_err(|_| ParseHexError)?;
                Ok(Self(bytes))
            }
        }

        #[cfg(feature = "std")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        #[cfg(feature = "std")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize<'de>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

bytes32! {
    /// An account or a contract: 32 bytes, written as `0x` and 64 hexadecimal digits.
    ///
    /// An account's address is its ed25519 public key; a contract's is a hash over its deployer's
    /// address and nonce.
    Address
}

impl Address {
    /// Whether it is a public key of small order, under which anyone can make a signature that is valid by
    /// ZIP 215. No account has such an address.
    ///
    /// ```
    /// # use kempe_abi::Address;
    /// assert!(Address::ZERO.is_small_order());
    /// ```
    #[must_use]
    pub fn is_small_order(&self) -> bool {
        SMALL_ORDER.contains(&self.0)
    }

    /// Which of `shards` shards is this address's: its first eight bytes, least significant first,
    /// modulo `shards`. `None` if there are no shards.
    ///
    /// Keys and hashes are spread evenly, so shards are. Whoever searches for addresses of one shard
    /// finds them; that makes them wait for each other and changes no total.
    ///
    /// ```
    /// # use kempe_abi::Address;
    /// assert_eq!(Address([7; 32]).shard(16), Some(7));
    /// assert_eq!(Address([7; 32]).shard(0), None);
    /// ```
    #[must_use]
    #[inline]
    pub const fn shard(&self, shards: u8) -> Option<u8> {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        #[allow(clippy::cast_possible_truncation, reason = "less than `shards`, which is a u8")]
        match u64::from_le_bytes([a, b, c, d, e, f, g, h]).checked_rem(shards as u64) {
            Some(shard) => Some(shard as u8),
            None => None,
        }
    }
}

bytes32! {
    /// A 32-byte hash, written as `0x` and 64 hexadecimal digits.
    Hash
}

/// The four-byte selector of a method: the first four bytes of the blake3 hash of its name, little-endian.
///
/// ```
/// # use kempe_abi::MethodId;
/// let hash = blake3::hash(b"transfer");
/// let first: [u8; 4] = hash.as_bytes()[..4].try_into().unwrap();
/// assert_eq!(MethodId::of("transfer").0, u32::from_le_bytes(first));
/// ```
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct MethodId(pub u32);

impl MethodId {
    /// The selector of the method called `name`.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let hash = blake3::hash(name.as_bytes());
        let [a, b, c, d, ..] = *hash.as_bytes();
        Self(u32::from_le_bytes([a, b, c, d]))
    }
}
