//! Why the state cannot be read or written, and why a proof is refused.

use std::io;
use std::path::PathBuf;

use kempe_abi::Hash;

use crate::types::KeyHash;

/// Why a store cannot serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused.
    #[error("cannot {action} path={}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another process has the store open.
    #[error("the store is in use by another process path={}", path.display())]
    Locked {
        /// The store's directory.
        path: PathBuf,
    },
    /// There is no store in the directory.
    #[error("there is no store path={}", path.display())]
    Missing {
        /// The directory.
        path: PathBuf,
    },
    /// There is a store in the directory already.
    #[error("there is a store already path={}", path.display())]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// The file is of another version of the layout.
    #[error("the store has another format path={} found={found} expected={expected}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: u32,
        /// The version that this program reads and writes.
        expected: u32,
    },
    /// What was read is not what was written.
    #[error("the store is corrupt path={}: {what}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        what: String,
    },
    /// What the state holds does not fit together: a contract without code, a block that is missing.
    #[error("the state is inconsistent: {what}")]
    Inconsistent {
        /// What does not fit.
        what: String,
    },
    /// This machine cannot compile or run the code of a contract: it has no thread or no memory left, or the compiler
    /// failed. Nothing is wrong with the state.
    #[error("this machine cannot run the code of a contract: {what}")]
    Machine {
        /// What failed, and for which code.
        what: String,
    },
    /// The store was closed, or a write failed, so that nobody knows what is on disk: open it again.
    #[error("the store is closed or stopped after a failed write, open it again path={}", path.display())]
    Stopped {
        /// The file.
        path: PathBuf,
    },
    /// One value is larger than the file format can hold.
    #[error("a value is too large path={} size_bytes={size_bytes}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The value's size.
        size_bytes: usize,
    },
}

impl StoreError {
    /// An error about what the state says, without a file to name.
    pub(crate) fn inconsistent(what: String) -> Self {
        Self::Inconsistent { what }
    }

    /// An error about what this machine cannot do.
    pub(crate) fn machine(what: String) -> Self {
        Self::Machine { what }
    }
}

/// Why a [`Proof`](super::Proof) or a [`Witness`](super::Witness) is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// It leads to another root.
    #[error("the proof leads to another root expected={expected} found={found}")]
    Root {
        /// The root asked about.
        expected: Hash,
        /// The root that the proof leads to.
        found: Hash,
    },
    /// It is not of the one form that a proof of these buckets has.
    #[error("the proof is malformed: {what}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
    },
    /// The value is not the one in the state.
    #[error("the state has another value key={key:?}")]
    Value {
        /// The cell.
        key: KeyHash,
    },
    /// The witness says nothing about this cell.
    #[error("the witness does not cover key={key:?}")]
    NotCovered {
        /// The cell.
        key: KeyHash,
    },
}
