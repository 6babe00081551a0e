//! The host functions, one file for each concern, and what they share: fuel, memory and stopping.
//!
//! Every length is checked and charged before a byte is copied or allocated. Their interface is
//! documented at [`kempe_abi::host`].

mod call;
mod crypto;
mod env;
mod storage;

use kempe_abi::host::MODULE;
use kempe_abi::{Abi, Outcome, TrapKind};
use wasmtime::{Caller, Linker};

use super::session::{Host, Session, Stopped};

/// Defines the host function that a module imports under `name`; admission has checked the name.
pub(super) fn link(
    linker: &mut Linker<Host>,
    name: &str,
    abi: &Abi,
) -> Result<(), wasmtime::Error> {
    // A module may import one function twice.
    linker.allow_shadowing(true);
    match name.split_once(':') {
        Some((operation, field)) => {
            let field: u8 = field.parse()?;
            storage::link(linker, name, operation, field, abi)
        }
        None => match name {
            "call" | "call_output" => call::link(linker, name),
            "blake3" | "sha256" | "keccak256" | "ed25519_verify" => crypto::link(linker, name),
            _ => env::link(linker, name),
        },
    }
}

/// Runs a host function: charges the call, hands it the session and the memory, and turns a trap
/// into the end of the transaction.
fn with<R>(
    caller: &mut Caller<'_, Host>,
    body: impl FnOnce(&mut Session, &mut [u8]) -> Result<R, TrapKind>,
) -> Result<R, wasmtime::Error> {
    let fuel = caller.get_fuel()?;
    let memory = caller.data().memory.expect("an instance's memory is set before it runs");
    let (bytes, host) = memory.data_and_store_mut(&mut *caller);
    let session = host.session.as_mut().expect("a running contract's store has the session");
    session.fuel = fuel;
    let result = session.charge(session.prices.host_call).and_then(|()| body(session, bytes));
    let left = session.fuel;
    if let Err(kind) = &result {
        session.stop = Some(Outcome::Trap(*kind));
    }
    caller.set_fuel(left)?;
    result.map_err(|_| Stopped.into())
}

/// Charges for `len` bytes, at `fuel` each.
fn charge_bytes(session: &mut Session, len: u32, fuel: u64) -> Result<(), TrapKind> {
    session.charge(u64::from(len).saturating_mul(fuel))
}

/// The `len` bytes at `ptr`.
fn slice(memory: &[u8], ptr: u32, len: u32) -> Result<&[u8], TrapKind> {
    let start = ptr as usize;
    let end = start.checked_add(len as usize).ok_or(TrapKind::MemoryOutOfBounds)?;
    memory.get(start..end).ok_or(TrapKind::MemoryOutOfBounds)
}

/// The `len` bytes at `ptr`, to be written.
fn slice_mut(memory: &mut [u8], ptr: u32, len: usize) -> Result<&mut [u8], TrapKind> {
    let start = ptr as usize;
    let end = start.checked_add(len).ok_or(TrapKind::MemoryOutOfBounds)?;
    memory.get_mut(start..end).ok_or(TrapKind::MemoryOutOfBounds)
}

/// The 32 bytes at `ptr`.
fn array32(memory: &[u8], ptr: u32) -> Result<[u8; 32], TrapKind> {
    slice(memory, ptr, 32)?.try_into().map_err(|_| TrapKind::MemoryOutOfBounds)
}

/// Copies at most `cap` bytes of `data` to `ptr` and returns how long `data` is.
fn copy_out(
    session: &mut Session,
    memory: &mut [u8],
    data: &[u8],
    ptr: u32,
    cap: u32,
) -> Result<i32, TrapKind> {
    let n = data.len().min(cap as usize);
    session.charge((n as u64).saturating_mul(session.prices.copy_byte))?;
    slice_mut(memory, ptr, n)?.copy_from_slice(&data[..n]);
    i32::try_from(data.len()).map_err(|_| TrapKind::TooLarge)
}

type Define = Result<(), wasmtime::Error>;

fn unknown(name: &str) -> Define {
    Err(wasmtime::format_err!("{MODULE}.{} is not a host function", name.escape_debug()))
}
