//! Calls between contracts.

use kempe_abi::host::{DATA_BYTES_MAX, MODULE};
use kempe_abi::{Address, MethodId, Outcome, TrapKind};
use wasmtime::{Caller, Linker};

use super::{
    Define, Host, Session, Stopped, array32, charge_bytes, copy_out, slice, unknown, with,
};
use crate::engine::run::enter;

/// What a caught trap of a callee returns; a caught revert returns its code.
const CAUGHT_TRAP: i32 = -1;

pub(super) fn link(linker: &mut Linker<Host>, name: &str) -> Define {
    match name {
        "call" => linker.func_wrap(
            MODULE,
            name,
            |mut caller: Caller<'_, Host>,
             callee: u32,
             method: u32,
             args: u32,
             len: u32,
             catch: u32| {
                let request = with(&mut caller, |session, memory| {
                    Request::read(session, memory, callee, method, (args, len), catch)
                })?;
                call(&mut caller, request)
            },
        )?,
        "call_output" => {
            linker.func_wrap(MODULE, name, |mut caller: Caller<'_, Host>, out: u32, cap: u32| {
                with(&mut caller, |session, memory| {
                    let data = std::mem::take(&mut session.callee_output);
                    let copied = copy_out(session, memory, &data, out, cap);
                    session.callee_output = data;
                    copied
                })
            })?
        }
        _ => return unknown(name),
    };
    Ok(())
}

struct Request {
    callee: Address,
    method: MethodId,
    args: Vec<u8>,
    catch: bool,
}

impl Request {
    fn read(
        session: &mut Session,
        memory: &[u8],
        callee: u32,
        method: u32,
        (args, len): (u32, u32),
        catch: u32,
    ) -> Result<Self, TrapKind> {
        if len as usize > DATA_BYTES_MAX {
            return Err(TrapKind::TooLarge);
        }
        charge_bytes(session, len, session.prices.copy_byte)?;
        Ok(Self {
            callee: Address(array32(memory, callee)?),
            method: MethodId(method),
            args: slice(memory, args, len)?.to_vec(),
            catch: catch != 0,
        })
    }
}

/// Moves the session into the callee, and back.
fn call(caller: &mut Caller<'_, Host>, request: Request) -> Result<i32, wasmtime::Error> {
    let mut session = caller.data_mut().session.take().expect("the running store has the session");
    let mark = request.catch.then(|| session.mark());
    let this = session.frame().address;
    let outcome;
    (session, outcome) = enter(session, request.callee, request.method, this, request.args);
    // A touch that the list does not permit ends the transaction whatever the caller wants: it may
    // be tried again in the tail lane. So does a fault of the node.
    let catchable = session.undeclared.is_none() && session.fault.is_none();
    let result = match (outcome, mark) {
        (Outcome::Ok, mark) => {
            if let Some(mark) = mark {
                session.release(&mark);
            }
            Ok(0)
        }
        (outcome, Some(mark)) if catchable => {
            session.undo(&mark);
            session.callee_output.clear();
            Ok(match outcome {
                Outcome::Revert(code) => code.cast_signed(),
                _ => CAUGHT_TRAP,
            })
        }
        (outcome, _) => {
            session.stop = Some(outcome);
            Err(Stopped.into())
        }
    };
    let left = session.fuel;
    caller.data_mut().session = Some(session);
    caller.set_fuel(left)?;
    result
}
