//! Storage: reading, writing, removing and adding, one set of functions for each field.

use kempe_abi::host::{IMMUTABLE_BYTES, IMMUTABLE_BYTES_MAX, IMMUTABLES_BYTES_MAX, MODULE};
use kempe_abi::{Abi, AccessKind, CellKind, TrapKind};
use wasmtime::{Caller, Linker};

use super::{Define, Host, Session, charge_bytes, copy_out, slice, unknown, with};
use crate::engine::cell::Accumulator;
use crate::types::Bytes;

pub(super) fn link(
    linker: &mut Linker<Host>,
    name: &str,
    operation: &str,
    field: u8,
    abi: &Abi,
) -> Define {
    let immutable = abi.is_cell(field, CellKind::Immutable);
    match operation {
        "get" | "start" => link_read(linker, name, operation, field, abi)?,
        "put" => {
            linker.func_wrap(
                MODULE,
                name,
                move |mut caller: Caller<'_, Host>,
                      key: u32,
                      key_len: u32,
                      value: u32,
                      len: u32| {
                    with(&mut caller, |session, memory| {
                        if immutable {
                            put_immutable(session, memory, field, (value, len))
                        } else {
                            put(session, memory, field, (key, key_len), (value, len))
                        }
                    })
                },
            )?;
        }
        "remove" => {
            linker.func_wrap(
                MODULE,
                name,
                move |mut caller: Caller<'_, Host>, key: u32, key_len: u32| {
                    with(&mut caller, |session, memory| {
                        let key = read_key(session, memory, (key, key_len))?;
                        let at = session.own_cell(field, key, AccessKind::Write)?;
                        session.write(at, None)
                    })
                },
            )?;
        }
        _ => link_commuting(linker, name, operation, field)?,
    }
    Ok(())
}

/// What commutes, or does as long as nobody can be refused.
fn link_commuting(linker: &mut Linker<Host>, name: &str, operation: &str, field: u8) -> Define {
    match operation {
        "add" | "max" | "min" => {
            linker.func_wrap(
                MODULE,
                name,
                move |mut caller: Caller<'_, Host>, key: u32, key_len: u32, low: u64, high: u64| {
                    with(&mut caller, |session, memory| {
                        add(session, memory, field, (key, key_len), (low, high))
                    })
                },
            )?;
        }
        "append" => {
            linker.func_wrap(
                MODULE,
                name,
                move |mut caller: Caller<'_, Host>, key: u32, key_len: u32, item: u32, len: u32| {
                    with(&mut caller, |session, memory| {
                        let key = read_key(session, memory, (key, key_len))?;
                        // Both become a cell's.
                        charge_bytes(session, key_len, session.prices.write_byte)?;
                        charge_bytes(session, len, session.prices.write_byte)?;
                        session.append(field, key, slice(memory, item, len)?)
                    })
                },
            )?;
        }
        "reserve" => {
            linker.func_wrap(
                MODULE,
                name,
                move |mut caller: Caller<'_, Host>,
                      key: u32,
                      key_len: u32,
                      low: u64,
                      high: u64,
                      floor_low: u64,
                      floor_high: u64| {
                    with(&mut caller, |session, memory| {
                        let key = read_key(session, memory, (key, key_len))?;
                        let (amount, floor) = (wide(low, high), wide(floor_low, floor_high));
                        session.reserve(field, key, amount, floor).map(i32::from)
                    })
                },
            )?;
        }
        _ => return unknown(name),
    }
    Ok(())
}

/// A number from its halves.
fn wide(low: u64, high: u64) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

/// What reads: the value as it is, or as it was before the block.
fn link_read(
    linker: &mut Linker<Host>,
    name: &str,
    operation: &str,
    field: u8,
    abi: &Abi,
) -> Define {
    let is_log = abi.is_cell(field, CellKind::Log);
    match operation {
        "get" if abi.is_cell(field, CellKind::Immutable) => {
            linker.func_wrap(
                MODULE,
                name,
                move |mut caller: Caller<'_, Host>, _: u32, _: u32, out: u32, cap: u32| {
                    with(&mut caller, |session, memory| {
                        get_immutable(session, memory, field, out, cap)
                    })
                },
            )?;
        }
        "get" => {
            linker.func_wrap(
                MODULE,
                name,
                move |mut caller: Caller<'_, Host>, key: u32, key_len: u32, out: u32, cap: u32| {
                    with(&mut caller, |session, memory| {
                        get(session, memory, (field, is_log), (key, key_len), (out, cap))
                    })
                },
            )?;
        }
        "start" => {
            linker.func_wrap(
                MODULE,
                name,
                move |mut caller: Caller<'_, Host>, key: u32, key_len: u32, out: u32, cap: u32| {
                    with(&mut caller, |session, memory| {
                        let key = read_key(session, memory, (key, key_len))?;
                        match session.at_start(field, key)? {
                            None => Ok(-1),
                            Some(value) => copy_out(session, memory, &value, out, cap),
                        }
                    })
                },
            )?;
        }
        _ => return unknown(name),
    }
    Ok(())
}

/// The key bytes, charged for the comparison with the list.
fn read_key<'m>(
    session: &mut Session,
    memory: &'m [u8],
    (ptr, len): (u32, u32),
) -> Result<&'m [u8], TrapKind> {
    charge_bytes(session, len, session.prices.copy_byte)?;
    slice(memory, ptr, len)
}

fn get(
    session: &mut Session,
    memory: &mut [u8],
    (field, is_log): (u8, bool),
    key: (u32, u32),
    (out, cap): (u32, u32),
) -> Result<i32, TrapKind> {
    let key = read_key(session, memory, key)?;
    if is_log {
        session.own_log(field, key)?;
    }
    let at = session.own_cell(field, key, AccessKind::Read)?;
    let n = match &session.cells[at].value {
        None => return Ok(-1),
        Some(value) => value.len().min(cap as usize),
    };
    session.charge((n as u64).saturating_mul(session.prices.copy_byte))?;
    let value = session.cells[at].value.as_ref().expect("it was there a moment ago");
    super::slice_mut(memory, out, n)?.copy_from_slice(&value[..n]);
    i32::try_from(value.len()).map_err(|_| TrapKind::TooLarge)
}

fn put(
    session: &mut Session,
    memory: &mut [u8],
    field: u8,
    key: (u32, u32),
    (value, len): (u32, u32),
) -> Result<(), TrapKind> {
    let key = read_key(session, memory, key)?;
    charge_bytes(session, len, session.prices.write_byte)?;
    let value = slice(memory, value, len)?;
    let at = session.own_cell(field, key, AccessKind::Write)?;
    session.write(at, Some(value))
}

fn add(
    session: &mut Session,
    memory: &mut [u8],
    field: u8,
    key: (u32, u32),
    (low, high): (u64, u64),
) -> Result<(), TrapKind> {
    let key = read_key(session, memory, key)?;
    let at = session.own_cell(field, key, AccessKind::Add)?;
    let accumulator = Accumulator::of(session.own_contract(), field);
    session.add(at, accumulator, wide(low, high).cast_signed())
}

/// Immutables are read from the contract's record, or, during `init` and `migrate`, from what was
/// set so far.
fn get_immutable(
    session: &mut Session,
    memory: &mut [u8],
    field: u8,
    out: u32,
    cap: u32,
) -> Result<i32, TrapKind> {
    let value = match &session.frame().immutables {
        Some(set) => set.iter().find(|(at, _)| *at == field).map(|(_, value)| &value[..]),
        None => session.own_contract().immutable(field),
    };
    match value.map(Bytes::from_slice) {
        None => Ok(-1),
        Some(value) => copy_out(session, memory, &value, out, cap),
    }
}

fn put_immutable(
    session: &mut Session,
    memory: &[u8],
    field: u8,
    (value, len): (u32, u32),
) -> Result<(), TrapKind> {
    if len as usize > IMMUTABLE_BYTES_MAX {
        return Err(TrapKind::TooLarge);
    }
    charge_bytes(session, len, session.prices.write_byte)?;
    let value = slice(memory, value, len)?.to_vec();
    let set = session.frame_mut().immutables.as_mut().ok_or(TrapKind::NotPermitted)?;
    let all = set.iter().map(|(_, value)| value).chain([&value]);
    if all.map(|value| value.len() + IMMUTABLE_BYTES).sum::<usize>() > IMMUTABLES_BYTES_MAX {
        return Err(TrapKind::TooLarge);
    }
    match set.binary_search_by_key(&field, |(at, _)| *at) {
        Ok(_) => Err(TrapKind::NotPermitted),
        Err(at) => {
            set.insert(at, (field, value));
            Ok(())
        }
    }
}
