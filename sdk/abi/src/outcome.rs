//! How a call or a transaction ended.

use borsh::{BorshDeserialize, BorshSerialize};

/// How a transaction ended: done, refused by the contract, or stopped by the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "std", serde(rename_all = "snake_case"))]
pub enum Outcome {
    /// Every call succeeded; its writes stand.
    Ok,
    /// A contract refused with this code; nothing but the fee and the nonce changed.
    Revert(u32),
    /// The host stopped it; nothing but the fee and the nonce changed.
    Trap(TrapKind),
}

macro_rules! traps {
    ($($(#[$doc:meta])* $name:ident = $code:literal $text:literal,)*) => {
        /// Why the host stopped a transaction. The codes are part of the protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
        #[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "std", serde(rename_all = "snake_case"))]
        #[borsh(use_discriminant = true)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum TrapKind {
            $($(#[$doc])* $name = $code,)*
        }

        impl TrapKind {
            /// Every kind, in order of code.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// One sentence that says what happened.
            #[must_use]
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

traps! {
    /// The fuel limit was reached.
    OutOfFuel = 1 "the fuel limit was reached",
    /// The wasm stack was exhausted.
    StackOverflow = 2 "the contract's call stack was exhausted",
    /// A load, store or host-call range lay outside the memory.
    MemoryOutOfBounds = 3 "an address lay outside the contract's memory",
    /// A table index was out of bounds, null or of another signature.
    BadIndirectCall = 4 "an indirect call had no such function",
    /// Integer overflow or division by zero in a wasm instruction.
    Arithmetic = 5 "an integer operation overflowed or divided by zero",
    /// An `unreachable` instruction ran.
    Unreachable = 6 "the contract reached an unreachable instruction",
    /// The contract panicked.
    Panic = 7 "the contract panicked",
    /// A key was touched that the access list does not permit.
    UndeclaredAccess = 8 "a key was touched that the access list does not permit",
    /// A counter would leave its bounds.
    CounterOutOfBounds = 9 "a counter would leave its bounds",
    /// The arguments do not have the method's parameter types.
    BadArguments = 10 "the arguments do not have the method's parameter types",
    /// The contract has no such method.
    NoSuchMethod = 11 "the contract has no such method",
    /// There is no contract at this address.
    NoSuchContract = 12 "there is no contract at this address",
    /// Calls between contracts were nested too deep.
    CallDepth = 13 "calls between contracts were nested too deep",
    /// A contract was called while it was running.
    Reentry = 14 "a contract was called while it was running",
    /// A value, key, event, log or output was larger than its limit.
    TooLarge = 15 "a value, key, event or output was larger than its limit",
    /// A host function was called where it is not permitted.
    NotPermitted = 16 "a host function was called where it is not permitted",
    /// The deployed module was refused.
    ModuleRefused = 17 "the module was refused at deployment",
    /// A contract exists already at the address.
    ContractExists = 18 "a contract exists already at this address",
    /// The sender cannot pay the fee or the amount.
    InsufficientBalance = 19 "the balance does not cover the amount and the fee",
    /// The access list has more entries than the limit.
    ListTooLarge = 20 "the access list has too many entries",
    /// The template leaves a key open that the call does not determine.
    Underivable = 21 "the access list cannot be derived from the call",
    /// The contract has no upgrade authority, or the sender is not it and it is no contract to ask.
    NotUpgradable = 22 "the sender may not upgrade the contract",
    /// The new code does not fit what the contract has stored or declared; the log says where.
    UpgradeRefused = 23 "the new code does not fit what the contract has stored or declared",
    /// A cell that the method names with `unless` was set before the block.
    Guarded = 24 "a cell that the method names with `unless` was set before the block",
}

impl TrapKind {
    /// The code in receipts.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}
