//! What the compiler checks of the types in a template: rustc knows those of Rust, the host those of the ABI.

use kempe_abi::TypeDef;
use kempe_abi::host::KEY_BYTES_MAX;

use crate::codec::min_len_of;

/// The type of a member; `None` if there is none, or nothing of which it were one.
#[must_use]
pub const fn member(of: Option<&'static TypeDef>, name: &str) -> Option<&'static TypeDef> {
    match of {
        Some(of) => of.member(name),
        None => None,
    }
}

/// The type of a list's elements; `None` if it is none.
#[must_use]
pub const fn element(of: Option<&'static TypeDef>) -> Option<&'static TypeDef> {
    match of {
        Some(of) => of.element(),
        None => None,
    }
}

/// Ends the compilation of a contract whose template takes a member that only Rust knows, as `id.0` of an address.
///
/// # Panics
/// If the type has no such member, at compile time: that is what it is for.
pub const fn assert_member(of: Option<&'static TypeDef>, name: &str) {
    assert!(
        of.is_none() || member(of, name).is_some(),
        "the host knows no such member of this type: name the whole value, and give the field a key of its type"
    );
}

/// Ends the compilation of a contract whose template goes through what is a list only to Rust, as an array.
///
/// # Panics
/// If the type is no list, at compile time: that is what it is for.
pub const fn assert_list(of: Option<&'static TypeDef>) {
    assert!(
        of.is_none() || element(of).is_some(),
        "`each` goes through a list, and to the host this is none: make it a `Vec`"
    );
}

/// Ends the compilation of a contract with a field of which no cell can be named, because every key is too long.
///
/// # Panics
/// If the shortest key has more than [`KEY_BYTES_MAX`] bytes, at compile time: that is what it is for.
pub const fn assert_key(keys: &[&TypeDef]) {
    assert!(
        min_len_of(keys) <= KEY_BYTES_MAX,
        "a key has at most 256 bytes, with the index of a log's item or the number of a shard, and every key of this field has more: make it a `Hash`"
    );
}
