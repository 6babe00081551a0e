//! What the campaigns of several contracts need.

use kempe_abi::Address;
use kempe_sdk::testing::{Instance, Rng, TestChain};
use kempe_token::Token;

/// A check that fails with a text.
pub(crate) fn expect(holds: bool, text: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(text()) }
}

/// Mints a token to everybody and lets `spender` take it.
pub(crate) fn endow(
    chain: &mut TestChain,
    token: &Instance<Token>,
    people: &[Address],
    amount: u128,
    spender: Address,
) {
    for who in people {
        chain.send(people[0], token, "mint", (*who, amount)).assert_ok();
        chain.send(*who, token, "approve", (spender, u128::MAX)).assert_ok();
    }
}

/// What an account has of a token.
pub(crate) fn balance(chain: &mut TestChain, token: &Instance<Token>, of: Address) -> u128 {
    chain.view(token, "balance", (of,))
}

/// One of some.
pub(crate) fn one<T: Copy>(some: &[T], rng: &mut Rng) -> T {
    *rng.choice(some).expect("there are some")
}

/// A number of up to so many bits: of every size, not only large.
pub(crate) fn any_size(rng: &mut Rng, bits: u32) -> u128 {
    let bits = rng.u32(1..=bits);
    rng.u128(0..1 << bits)
}
