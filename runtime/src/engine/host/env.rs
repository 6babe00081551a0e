//! Arguments, results, identities, the block, events and logs.

use kempe_abi::TrapKind;
use kempe_abi::host::{DATA_BYTES_MAX, MODULE};
use wasmtime::{Caller, Linker};

use super::{Define, Host, Session, charge_bytes, slice, slice_mut, unknown, with};

pub(super) fn link(linker: &mut Linker<Host>, name: &str) -> Define {
    match name {
        "input" => linker.func_wrap(MODULE, name, |mut caller: Caller<'_, Host>, out: u32| {
            with(&mut caller, |session, memory| input(session, memory, out))
        })?,
        "output" => {
            linker.func_wrap(MODULE, name, |mut caller: Caller<'_, Host>, ptr: u32, len: u32| {
                with(&mut caller, |session, memory| {
                    let data = data(session, memory, ptr, len)?.to_vec();
                    session.frame_mut().output = data;
                    Ok(())
                })
            })?
        }
        "caller" => linker.func_wrap(MODULE, name, |mut caller: Caller<'_, Host>, out: u32| {
            with(&mut caller, |session, memory| {
                slice_mut(memory, out, 32)?.copy_from_slice(&session.frame().caller.0);
                Ok(())
            })
        })?,
        "this" => linker.func_wrap(MODULE, name, |mut caller: Caller<'_, Host>, out: u32| {
            with(&mut caller, |session, memory| {
                slice_mut(memory, out, 32)?.copy_from_slice(&session.frame().address.0);
                Ok(())
            })
        })?,
        "height" => linker.func_wrap(MODULE, name, |mut caller: Caller<'_, Host>| {
            with(&mut caller, |session, _| Ok(session.env.height))
        })?,
        "time_ms" => linker.func_wrap(MODULE, name, |mut caller: Caller<'_, Host>| {
            with(&mut caller, |session, _| Ok(session.env.time_ms))
        })?,
        "emit" => linker.func_wrap(
            MODULE,
            name,
            |mut caller: Caller<'_, Host>, id: u32, ptr: u32, len: u32| {
                with(&mut caller, |session, memory| {
                    let data = data(session, memory, ptr, len)?;
                    session.emit(id, data)
                })
            },
        )?,
        "log" => {
            linker.func_wrap(MODULE, name, |mut caller: Caller<'_, Host>, ptr: u32, len: u32| {
                with(&mut caller, |session, memory| {
                    let text = data(session, memory, ptr, len)?;
                    session.log(text);
                    Ok(())
                })
            })?
        }
        "panic" => {
            linker.func_wrap(MODULE, name, |mut caller: Caller<'_, Host>, ptr: u32, len: u32| {
                with(&mut caller, |session, memory| {
                    let text = data(session, memory, ptr, len)?;
                    session.log(text);
                    Err::<(), _>(TrapKind::Panic)
                })
            })?
        }
        _ => return unknown(name),
    };
    Ok(())
}

fn input(session: &mut Session, memory: &mut [u8], out: u32) -> Result<(), TrapKind> {
    let len = session.frame().args.len();
    session.charge((len as u64).saturating_mul(session.prices.copy_byte))?;
    slice_mut(memory, out, len)?.copy_from_slice(&session.frame().args);
    Ok(())
}

/// Bytes that leave the contract, charged as written.
fn data<'m>(
    session: &mut Session,
    memory: &'m [u8],
    ptr: u32,
    len: u32,
) -> Result<&'m [u8], TrapKind> {
    if len as usize > DATA_BYTES_MAX {
        return Err(TrapKind::TooLarge);
    }
    charge_bytes(session, len, session.prices.write_byte)?;
    slice(memory, ptr, len)
}
