//! The encoding of a record's header, and checksums; the layout stands in the parent module.

/// Records start at multiples of this, which is also the size of a header.
pub(super) const ALIGN: usize = 64;

const MAGIC: [u8; 4] = *b"KBL1";

/// The blake3 key for checksums of bodies.
const BODY_KEY: [u8; 32] = *b"kempe store 2026: log body      ";

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A record of its height.
    Record = 1,
    /// The mark of a clean end; its height is that of the next record.
    End = 2,
    /// The mark that the next record, of its height, is in the next segment.
    Next = 3,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) length: u64,
    pub(super) height: u64,
    /// How many records were known to be durable when this one was written.
    pub(super) n_durable: u64,
    pub(super) sum: [u8; 24],
}

impl Header {
    pub(super) fn encode(&self, key: &[u8; 32]) -> [u8; ALIGN] {
        let mut bytes = [0; ALIGN];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = self.kind as u8;
        bytes[8..16].copy_from_slice(&self.length.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.height.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.n_durable.to_le_bytes());
        bytes[32..56].copy_from_slice(&self.sum);
        let sum = header_sum(&bytes, key);
        bytes[56..].copy_from_slice(&sum);
        bytes
    }

    /// The header in these bytes, if they are one.
    pub(super) fn decode(bytes: &[u8; ALIGN], key: &[u8; 32]) -> Option<Self> {
        let is_header = bytes[..4] == MAGIC && bytes[56..] == header_sum(bytes, key);
        (is_header && matches!(bytes[4], 1..=3)).then(|| Self::guess(bytes))
    }

    /// What these bytes say where a header should be, unchecked.
    pub(super) fn guess(bytes: &[u8; ALIGN]) -> Self {
        let number = |at: usize| bytes[at..].first_chunk().map_or(0, |n| u64::from_le_bytes(*n));
        Self {
            kind: match bytes[4] {
                2 => Kind::End,
                3 => Kind::Next,
                _ => Kind::Record,
            },
            length: number(8),
            height: number(16),
            n_durable: number(24),
            sum: bytes[32..56].try_into().expect("24 bytes"),
        }
    }
}

/// The bytes of a body with the zeros behind it.
pub(super) fn padded(length: u64) -> u64 {
    length.next_multiple_of(ALIGN as u64)
}

/// The checksum of a body that is in parts.
pub(super) fn body_sum(parts: &[&[u8]]) -> [u8; 24] {
    let mut hasher = blake3::Hasher::new_keyed(&BODY_KEY);
    for part in parts {
        hasher.update(part);
    }
    *hasher.finalize().as_bytes().first_chunk().expect("32 bytes have 24")
}

fn header_sum(bytes: &[u8; ALIGN], key: &[u8; 32]) -> [u8; 8] {
    let hash = blake3::keyed_hash(key, &bytes[..56]);
    *hash.as_bytes().first_chunk().expect("32 bytes have 8")
}
