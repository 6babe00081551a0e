//! Hashes and signatures.

use ed25519_zebra::{Signature, VerificationKey};
use kempe_abi::host::MODULE;
use kempe_abi::{Address, TrapKind};
use sha2::Digest;
use wasmtime::{Caller, Linker};

use super::{Define, Host, Session, array32, slice, slice_mut, unknown, with};

pub(super) fn link(linker: &mut Linker<Host>, name: &str) -> Define {
    let hash: fn(&[u8]) -> [u8; 32] = match name {
        "blake3" => |data| *blake3::hash(data).as_bytes(),
        "sha256" => |data| sha2::Sha256::digest(data).into(),
        "keccak256" => |data| sha3::Keccak256::digest(data).into(),
        "ed25519_verify" => {
            linker.func_wrap(
                MODULE,
                name,
                |mut caller: Caller<'_, Host>, key: u32, ptr: u32, len: u32, signature: u32| {
                    with(&mut caller, |session, memory| {
                        verify(session, memory, key, (ptr, len), signature)
                    })
                },
            )?;
            return Ok(());
        }
        _ => return unknown(name),
    };
    linker.func_wrap(
        MODULE,
        name,
        move |mut caller: Caller<'_, Host>, ptr: u32, len: u32, out: u32| {
            with(&mut caller, |session, memory| {
                charge_hash(session, len)?;
                let digest = hash(slice(memory, ptr, len)?);
                slice_mut(memory, out, 32)?.copy_from_slice(&digest);
                Ok(())
            })
        },
    )?;
    Ok(())
}

fn charge_hash(session: &mut Session, len: u32) -> Result<(), TrapKind> {
    let blocks = u64::from(len) / 64 + 1;
    session.charge(blocks.saturating_mul(session.prices.hash_block))
}

/// By the rules of ZIP 215, and not under a key of small order, as for transactions.
fn verify(
    session: &mut Session,
    memory: &[u8],
    key: u32,
    (ptr, len): (u32, u32),
    signature: u32,
) -> Result<u32, TrapKind> {
    session.charge(session.prices.signature)?;
    charge_hash(session, len)?;
    let key = array32(memory, key)?;
    let message = slice(memory, ptr, len)?;
    let signature = slice(memory, signature, 64)?;
    let signature = Signature::try_from(signature).map_err(|_| TrapKind::MemoryOutOfBounds)?;
    let is_valid =
        || VerificationKey::try_from(key).and_then(|key| key.verify(&signature, message)).is_ok();
    Ok(u32::from(!Address(key).is_small_order() && is_valid()))
}
