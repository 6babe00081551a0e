//! The published schedule and its encoding.

use std::fmt;

use borsh::io::{self, Read};
use borsh::{BorshDeserialize, BorshSerialize};

/// Batches of transactions that cannot conflict, and the tail that runs one by one after them.
///
/// Its form is canonical: no batch is empty, and inside a batch and inside the tail the transactions
/// ascend. Decoding refuses everything else, so two schedules are equal if their bytes are. Whether
/// it fits a block is what [`verify`](super::verify) tells.
///
/// The encoding is borsh: `order` (all transactions as published, `u32` each), then `ends` (the end
/// of each batch in `order`, `u32` each). What follows the last end is the tail.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize)]
pub struct Schedule {
    order: Vec<u32>,
    ends: Vec<u32>,
}

/// Why batches and a tail are not the canonical form of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// A batch without transactions.
    #[error("batch={batch} is empty")]
    EmptyBatch {
        /// Its position.
        batch: usize,
    },
    /// The transactions of a batch or of the tail do not ascend.
    #[error("batch={batch} names tx={tx} out of order")]
    Unsorted {
        /// The batch; the number of batches means the tail.
        batch: usize,
        /// The transaction that is not above the one before it.
        tx: u32,
    },
    /// A batch ends before it starts or after the last transaction.
    #[error("batch={batch} ends at {end} of n_txs={n_txs}")]
    End {
        /// Its position.
        batch: usize,
        /// Its end.
        end: u32,
        /// How many transactions the schedule names.
        n_txs: usize,
    },
    /// More transactions than 32 bits can number.
    #[error("the schedule names too many transactions")]
    TooLong,
}

/// The color of a transaction that runs in the tail.
pub(super) const TAIL: u32 = u32::MAX;

impl Schedule {
    /// A schedule of these batches and this tail.
    ///
    /// # Errors
    /// [`FormError`], if that is not the canonical form.
    pub fn new<B: AsRef<[u32]>>(
        batches: impl IntoIterator<Item = B>,
        tail: &[u32],
    ) -> Result<Self, FormError> {
        let mut schedule = Self::default();
        for batch in batches {
            schedule.order.extend_from_slice(batch.as_ref());
            let end = u32::try_from(schedule.order.len()).map_err(|_| FormError::TooLong)?;
            schedule.ends.push(end);
        }
        schedule.order.extend_from_slice(tail);
        schedule.check_form()?;
        Ok(schedule)
    }

    /// The schedule in which the transactions of the lowest color are the first batch, and so on;
    /// [`TAIL`] means the tail. Colors that nobody has are left out.
    pub(super) fn from_colors(colors: &[u32]) -> Self {
        let n_colors =
            colors.iter().filter(|&&color| color != TAIL).max().map_or(0, |&max| max + 1);
        // A counting sort: starts[c] first counts color c, then is where its next transaction goes.
        let mut starts = vec![0u32; n_colors as usize + 1];
        let bucket = |color: u32| color.min(n_colors) as usize;
        for &color in colors {
            starts[bucket(color)] += 1;
        }
        let mut ends = Vec::with_capacity(n_colors as usize);
        let mut end = 0;
        for start in &mut starts {
            let size = std::mem::replace(start, end);
            end += size;
            if size > 0 {
                ends.push(end);
            }
        }
        if colors.contains(&TAIL) {
            ends.pop();
        }
        let mut order = vec![0; colors.len()];
        for (tx, &color) in (0..).zip(colors) {
            let next = &mut starts[bucket(color)];
            order[*next as usize] = tx;
            *next += 1;
        }
        Self { order, ends }
    }

    /// How many batches, without the tail.
    #[must_use]
    pub fn n_batches(&self) -> usize {
        self.ends.len()
    }

    /// How many transactions, with the tail.
    #[must_use]
    pub fn n_txs(&self) -> usize {
        self.order.len()
    }

    /// The batches, in order.
    pub fn batches(&self) -> impl ExactSizeIterator<Item = &[u32]> {
        (0..self.ends.len()).map(|batch| &self.order[self.start(batch)..self.ends[batch] as usize])
    }

    /// The transactions that run one by one after all batches.
    #[must_use]
    pub fn tail(&self) -> &[u32] {
        &self.order[self.start(self.ends.len())..]
    }

    /// Every transaction in the published order: the batches, then the tail.
    #[must_use]
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    fn start(&self, batch: usize) -> usize {
        batch.checked_sub(1).map_or(0, |before| self.ends[before] as usize)
    }

    fn check_form(&self) -> Result<(), FormError> {
        let n_txs = self.order.len();
        let mut start = 0;
        for (batch, &end) in self.ends.iter().enumerate() {
            if (end as usize) < start || end as usize > n_txs {
                return Err(FormError::End { batch, end, n_txs });
            }
            if end as usize == start {
                return Err(FormError::EmptyBatch { batch });
            }
            check_ascending(batch, &self.order[start..end as usize])?;
            start = end as usize;
        }
        check_ascending(self.ends.len(), &self.order[start..])
    }
}

fn check_ascending(batch: usize, txs: &[u32]) -> Result<(), FormError> {
    match txs.windows(2).find(|pair| pair[0] >= pair[1]) {
        Some(pair) => Err(FormError::Unsorted { batch, tx: pair[1] }),
        None => Ok(()),
    }
}

impl BorshDeserialize for Schedule {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let order = Vec::deserialize_reader(reader)?;
        let schedule = Self { order, ends: Vec::deserialize_reader(reader)? };
        match schedule.check_form() {
            Ok(()) => Ok(schedule),
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error.to_string())),
        }
    }
}

/// `[0 2] [1] tail [3]`.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (batch, txs) in self.batches().enumerate() {
            f.write_str(if batch == 0 { "" } else { " " })?;
            write_batch(f, txs)?;
        }
        if self.tail().is_empty() {
            return Ok(());
        }
        f.write_str(if self.ends.is_empty() { "tail " } else { " tail " })?;
        write_batch(f, self.tail())
    }
}

fn write_batch(f: &mut fmt::Formatter<'_>, txs: &[u32]) -> fmt::Result {
    for (at, tx) in txs.iter().enumerate() {
        write!(f, "{}{tx}", if at == 0 { "[" } else { " " })?;
    }
    f.write_str("]")
}
