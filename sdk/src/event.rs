//! Events: what a transaction reports to the outside.

use kempe_abi::AbiType;
use kempe_abi::def::EventDef;

use crate::{codec, host};

/// An event. `#[event]` implements it.
pub trait Event: AbiType {
    /// The identifier in receipts: the first four bytes of the blake3 hash of the event's name.
    const ID: u32;
    /// What the host is told about the event.
    const DEF: &'static EventDef;

    /// Reports the event. It stands only if the transaction succeeds.
    #[inline]
    fn emit(&self) {
        codec::encoded::<codec::Of<Self>, _, _>(self, |bytes| host::emit(Self::ID, bytes));
    }
}

/// Reports an event. It stands only if the transaction succeeds.
#[inline]
#[allow(clippy::needless_pass_by_value, reason = "`emit(Event { .. })` reads best")]
pub fn emit<E: Event>(event: E) {
    event.emit();
}
