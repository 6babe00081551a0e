//! Access kinds and access templates: what a method declares that it touches.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use borsh::io::{self, Read};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::types::{invalid, read_list};

/// How a transaction touches a state key.
///
/// | | `Read` | `Add` | `Write` |
/// | --- | --- | --- | --- |
/// | `Read` | commute | conflict | conflict |
/// | `Add` | conflict | commute | conflict |
/// | `Write` | conflict | conflict | conflict |
///
/// What adding does is up to the cell, see [`Accumulate`](crate::Accumulate): a counter's sum, a maximum,
/// a minimum, or the length of a [log](crate::log). A cell has one sort, so the table needs no row for each: where a
/// clause says `max` or `append`, the list says `Add`, and `max` never meets `add` on one key.
///
/// Taking from a stock, [`Clause::Reserve`], is an `Add` in a block in which nobody can be refused, and else a
/// `Write`: see [`Escrow`](crate::Escrow).
///
/// What is read as it was before the block, [`Clause::Start`], commutes with all of these and is in no
/// access list.
///
/// ```
/// # use kempe_abi::AccessKind::{Add, Read, Write};
/// assert!(!Read.conflicts(Read) && !Add.conflicts(Add) && Read.conflicts(Add));
/// assert_eq!(Read.join(Add), Write);
/// ```
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "std", serde(rename_all = "lowercase"))]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum AccessKind {
    /// Sees the value.
    Read = 0,
    /// Adds to what accumulates in the cell, without seeing it. Adds commute.
    Add = 1,
    /// May see, replace or remove the value. A declared write is a may-write.
    Write = 2,
}

impl AccessKind {
    /// Whether two transactions with these kinds on one key must not run at the same time.
    #[must_use]
    pub const fn conflicts(self, other: Self) -> bool {
        !matches!((self, other), (Self::Read, Self::Read) | (Self::Add, Self::Add))
    }

    /// The kind that permits whatever either of the two permits.
    #[must_use]
    pub const fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Read, Self::Read) => Self::Read,
            (Self::Add, Self::Add) => Self::Add,
            _ => Self::Write,
        }
    }

    /// Whether a declaration of this kind permits doing `done`.
    #[must_use]
    pub const fn permits(self, done: Self) -> bool {
        matches!((self, done), (Self::Write, _) | (Self::Read, Self::Read) | (Self::Add, Self::Add))
    }

    /// The word used in `#[access(...)]`, in receipts and on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Add => "add",
            Self::Write => "write",
        }
    }
}

/// One clause of an access template. Decoding refuses clauses nested deeper than [`CLAUSE_DEPTH_MAX`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub enum Clause {
    /// Touches one cell of this contract.
    Touch {
        /// How.
        kind: AccessKind,
        /// The field, by its position in the contract's struct.
        field: u8,
        /// The keys, in order; none for a field that is not a map.
        key: Vec<Expr>,
    },
    /// Calls a method of another contract, whose template is spliced in.
    Call {
        /// The callee's address.
        callee: Expr,
        /// The method's name.
        method: String,
        /// One expression for each of the method's parameters.
        args: Vec<Expr>,
    },
    /// Repeats clauses for each element of a list.
    Each {
        /// The list: an expression of a list type.
        list: Expr,
        /// What to repeat; [`Expr::Element`] is the current element.
        clauses: Vec<Self>,
    },
    /// The method also touches keys that no template can name: the transaction carries them.
    Dynamic,
    /// Reads the value that a cell of this contract had before the block: of a log its length, or with the index behind
    /// the keys an item.
    ///
    /// No transaction of a block changes it, so it commutes with everything, writes of the same cell
    /// included, and is in no access list: the list orders transactions, and here there is nothing to
    /// order. In the table of [`AccessKind`] it would be a row of "commute" throughout. Proof: what a
    /// transaction gets from it is a function of the state before the block and of the key, and what it
    /// leaves behind is nothing; so exchanging it with any neighbor changes neither's result.
    Start {
        /// The field, by its position in the contract's struct.
        field: u8,
        /// The keys, in order; none for a field that is not a map. Of a log's item, its index last.
        key: Vec<Expr>,
    },
    /// Takes from a stock of this contract, as far as there is enough; permits nothing else of it. See
    /// [`Escrow`](crate::Escrow).
    ///
    /// Numbers are unsigned, little-endian, of at most 16 bytes; none at all are zero. Where one is open, the
    /// clause is `write`.
    Reserve {
        /// The field, by its position in the contract's struct.
        field: u8,
        /// The keys, in order; none for a field that is not a map.
        key: Vec<Expr>,
        /// The most that is taken.
        amount: Expr,
        /// The most that is wanted to be left.
        floor: Expr,
    },
    /// The call fails, before any code of this contract runs, if a cell of this contract held `true` before
    /// the block.
    ///
    /// Like what is read with [`Clause::Start`], it is in no access list and commutes with everything: the
    /// state before the block decides, which no transaction of the block changes. The host looks whenever the
    /// method is entered, with the arguments that it is called with, see [`guards`](crate::derive::guards);
    /// so it holds for calls of other contracts too, whatever these declare.
    Unless {
        /// The field, by its position in the contract's struct: a `bool`.
        field: u8,
        /// The keys, in order; none for a field that is not a map.
        key: Vec<Expr>,
    },
}

/// A hole of an access template, or a constant. Decoding refuses expressions nested deeper than
/// [`EXPR_DEPTH_MAX`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub enum Expr {
    /// Who calls.
    Caller,
    /// The contract that is called.
    This,
    /// A parameter, by position.
    Param(u8),
    /// A named field of a struct value.
    Member(Box<Self>, String),
    /// The current element of the innermost [`Clause::Each`].
    Element,
    /// The canonical encoding of a constant.
    Literal(Vec<u8>),
    /// A field that was set once, at deployment.
    Immutable(u8),
    /// The blake3 hash of the concatenated encodings.
    Hash(Vec<Self>),
    /// The concatenated encodings.
    Tuple(Vec<Self>),
    /// An argument that is not known before the call runs; no key may depend on it.
    Open,
    /// The number of an address's shard among so many, a `u8`: see [`Address::shard`](crate::Address::shard).
    /// Decoding refuses none.
    Shard(Box<Self>, u8),
}

/// How deep [`Clause::Each`] may be nested. Ours to choose.
pub const CLAUSE_DEPTH_MAX: usize = 4;

/// How deep expressions may be nested. Guards the host's stack; ours to choose.
pub const EXPR_DEPTH_MAX: usize = 8;

impl BorshDeserialize for Clause {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        Self::read(reader, CLAUSE_DEPTH_MAX)
    }
}

impl Clause {
    fn read<R: Read>(reader: &mut R, depth: usize) -> io::Result<Self> {
        let depth = depth.checked_sub(1).ok_or_else(|| invalid("clauses are nested too deep"))?;
        Ok(match u8::deserialize_reader(reader)? {
            0 => Self::Touch {
                kind: AccessKind::deserialize_reader(reader)?,
                field: u8::deserialize_reader(reader)?,
                key: Vec::deserialize_reader(reader)?,
            },
            1 => Self::Call {
                callee: Expr::deserialize_reader(reader)?,
                method: String::deserialize_reader(reader)?,
                args: Vec::deserialize_reader(reader)?,
            },
            2 => Self::Each {
                list: Expr::deserialize_reader(reader)?,
                clauses: read_list(reader, |reader| Self::read(reader, depth))?,
            },
            3 => Self::Dynamic,
            4 => Self::Start {
                field: u8::deserialize_reader(reader)?,
                key: Vec::deserialize_reader(reader)?,
            },
            5 => Self::Reserve {
                field: u8::deserialize_reader(reader)?,
                key: Vec::deserialize_reader(reader)?,
                amount: Expr::deserialize_reader(reader)?,
                floor: Expr::deserialize_reader(reader)?,
            },
            6 => Self::Unless {
                field: u8::deserialize_reader(reader)?,
                key: Vec::deserialize_reader(reader)?,
            },
            _ => return Err(invalid("an unknown clause")),
        })
    }
}

impl BorshDeserialize for Expr {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        Self::read(reader, EXPR_DEPTH_MAX)
    }
}

impl Expr {
    fn read<R: Read>(reader: &mut R, depth: usize) -> io::Result<Self> {
        let depth =
            depth.checked_sub(1).ok_or_else(|| invalid("expressions are nested too deep"))?;
        Ok(match u8::deserialize_reader(reader)? {
            0 => Self::Caller,
            1 => Self::This,
            2 => Self::Param(u8::deserialize_reader(reader)?),
            3 => {
                let of = Self::read(reader, depth)?;
                Self::Member(Box::new(of), String::deserialize_reader(reader)?)
            }
            4 => Self::Element,
            5 => Self::Literal(Vec::deserialize_reader(reader)?),
            6 => Self::Immutable(u8::deserialize_reader(reader)?),
            7 => Self::Hash(read_list(reader, |reader| Self::read(reader, depth))?),
            8 => Self::Tuple(read_list(reader, |reader| Self::read(reader, depth))?),
            9 => Self::Open,
            10 => {
                let of = Self::read(reader, depth)?;
                match u8::deserialize_reader(reader)? {
                    0 => return Err(invalid("a shard of none")),
                    shards => Self::Shard(Box::new(of), shards),
                }
            }
            _ => return Err(invalid("an unknown expression")),
        })
    }
}
