//! A client of the contract `Shapes`. Written by `kempe bindings rust`; changes are lost.
#![allow(clippy::all, clippy::nursery, clippy::pedantic, reason = "generated code")]
#![allow(dead_code, missing_docs, unreachable_pub, unused_imports, reason = "it has all")]
#![allow(non_camel_case_types, non_snake_case, reason = "names of the contract")]
#![allow(unreachable_code, unreachable_patterns, reason = "enums may be empty")]

use core::convert::Infallible;
use kempe_abi::{Address, Hash, borsh};
use kempe_runtime::types::{Action, Call, Receipt, Upgrade};
/// */ throw new Error("ran") /*
/// '''
/// panic!("ran");
/// '''
///
/// panic!();
/// '''
/// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shapes {
    /// Where it is.
    pub address: Address,
}
impl Shapes {
    /// The contract at an address.
    #[must_use]
    pub const fn at(address: Address) -> Self {
        Self { address }
    }
    /// Deploys the contract. The authority may replace the code later; nobody, ever, if there is none.
    ///
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn deploy(
        wasm: Vec<u8>,
        authority: Option<Address>,
        wasm_: u64,
        self_: String,
    ) -> Action {
        let args = borsh::to_vec(&(&wasm_, &self_)).expect("arguments have an encoding");
        Action::Deploy {
            wasm,
            args,
            authority: authority.map(Box::new),
        }
    }
    /// Replaces the code by the one that this client is of. The authority may do so again;
    /// nobody, ever, if there is none.
    ///
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn upgrade(
        &self,
        wasm: Vec<u8>,
        allow_wider: bool,
        authority: Option<Address>,
        authority_: u64,
        allow_wider_: bool,
    ) -> Action {
        let args = borsh::to_vec(&(&authority_, &allow_wider_))
            .expect("arguments have an encoding");
        let contract = self.address;
        Action::Upgrade(
            Box::new(Upgrade {
                contract,
                wasm,
                args,
                allow_wider,
                authority,
            }),
        )
    }
    /// The contract's events in a receipt, in order.
    ///
    /// # Errors
    /// If the contract at the address is another one, with other events of these names.
    pub fn events(
        &self,
        receipt: &Receipt,
    ) -> Result<Vec<events::Event>, borsh::io::Error> {
        let own = receipt.events.iter().filter(|record| record.contract == self.address);
        own.filter_map(|record| events::Event::decode(record).transpose()).collect()
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn unit(&self, value: (), again: ()) -> Call<(), errors::Refusal> {
        Call::new(self.address, "unit", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn boolean(&self, value: bool, again: bool) -> Call<bool, errors::Refusal_> {
        Call::new(self.address, "boolean", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn u8s(&self, value: u8, again: u8) -> Call<u8, Infallible> {
        Call::new(self.address, "u8s", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn u16s(&self, value: u16, again: u16) -> Call<u16, errors::Refusal> {
        Call::new(self.address, "u16s", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn u32s(&self, value: u32, again: u32) -> Call<u32, errors::Refusal_> {
        Call::new(self.address, "u32s", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn u64s(&self, value: u64, again: u64) -> Call<u64, Infallible> {
        Call::new(self.address, "u64s", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn u128s(&self, value: u128, again: u128) -> Call<u128, errors::Refusal> {
        Call::new(self.address, "u128s", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn i8s(&self, value: i8, again: i8) -> Call<i8, errors::Refusal_> {
        Call::new(self.address, "i8s", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn i16s(&self, value: i16, again: i16) -> Call<i16, Infallible> {
        Call::new(self.address, "i16s", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn i32s(&self, value: i32, again: i32) -> Call<i32, errors::Refusal> {
        Call::new(self.address, "i32s", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn i64s(&self, value: i64, again: i64) -> Call<i64, errors::Refusal_> {
        Call::new(self.address, "i64s", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn i128s(&self, value: i128, again: i128) -> Call<i128, Infallible> {
        Call::new(self.address, "i128s", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn text(&self, value: String, again: String) -> Call<String, errors::Refusal> {
        Call::new(self.address, "text", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn account(
        &self,
        value: Address,
        again: Address,
    ) -> Call<Address, errors::Refusal_> {
        Call::new(self.address, "account", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn digest(&self, value: Hash, again: Hash) -> Call<Hash, Infallible> {
        Call::new(self.address, "digest", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn maybe(
        &self,
        value: Option<u64>,
        again: Option<u64>,
    ) -> Call<Option<u64>, errors::Refusal> {
        Call::new(self.address, "maybe", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn maybe_maybe(
        &self,
        value: Option<Option<bool>>,
        again: Option<Option<bool>>,
    ) -> Call<Option<Option<bool>>, errors::Refusal_> {
        Call::new(self.address, "maybe_maybe", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn maybe_unit(
        &self,
        value: Option<()>,
        again: Option<()>,
    ) -> Call<Option<()>, Infallible> {
        Call::new(self.address, "maybe_unit", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn bytes(
        &self,
        value: Vec<u8>,
        again: Vec<u8>,
    ) -> Call<Vec<u8>, errors::Refusal> {
        Call::new(self.address, "bytes", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn list(
        &self,
        value: Vec<String>,
        again: Vec<String>,
    ) -> Call<Vec<String>, errors::Refusal_> {
        Call::new(self.address, "list", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn lists(
        &self,
        value: Vec<Vec<i16>>,
        again: Vec<Vec<i16>>,
    ) -> Call<Vec<Vec<i16>>, Infallible> {
        Call::new(self.address, "lists", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn maybes(
        &self,
        value: Vec<Option<Address>>,
        again: Vec<Option<Address>>,
    ) -> Call<Vec<Option<Address>>, errors::Refusal> {
        Call::new(self.address, "maybes", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn signature(
        &self,
        value: [u8; 64],
        again: [u8; 64],
    ) -> Call<[u8; 64], errors::Refusal_> {
        Call::new(self.address, "signature", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn array(
        &self,
        value: [u128; 3],
        again: [u128; 3],
    ) -> Call<[u128; 3], Infallible> {
        Call::new(self.address, "array", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn nothing(
        &self,
        value: [Hash; 0],
        again: [Hash; 0],
    ) -> Call<[Hash; 0], errors::Refusal> {
        Call::new(self.address, "nothing", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn tuple0(&self, value: (), again: ()) -> Call<(), errors::Refusal_> {
        Call::new(self.address, "tuple0", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn tuple1(&self, value: (u16,), again: (u16,)) -> Call<(u16,), Infallible> {
        Call::new(self.address, "tuple1", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn tuple12(
        &self,
        value: (u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16),
        again: (u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16),
    ) -> Call<
        (u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16),
        errors::Refusal,
    > {
        Call::new(self.address, "tuple12", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn tuple13(
        &self,
        value: ((u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16), (u16,)),
        again: ((u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16), (u16,)),
    ) -> Call<
        ((u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16), (u16,)),
        errors::Refusal_,
    > {
        Call::new(self.address, "tuple13", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn tuple30(
        &self,
        value: (
            (u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16),
            (u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16),
            (u16, u16, u16, u16, u16, u16),
        ),
        again: (
            (u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16),
            (u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16),
            (u16, u16, u16, u16, u16, u16),
        ),
    ) -> Call<
        (
            (u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16),
            (u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16),
            (u16, u16, u16, u16, u16, u16),
        ),
        Infallible,
    > {
        Call::new(self.address, "tuple30", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn empty(
        &self,
        value: types::Empty,
        again: types::Empty,
    ) -> Call<types::Empty, errors::Refusal> {
        Call::new(self.address, "empty", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn odd(
        &self,
        value: types::Odd,
        again: types::Odd,
    ) -> Call<types::Odd, errors::Refusal_> {
        Call::new(self.address, "odd", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn pair(
        &self,
        value: types::Pair,
        again: types::Pair,
    ) -> Call<types::Pair, Infallible> {
        Call::new(self.address, "pair", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn point(
        &self,
        value: types::Point,
        again: types::Point,
    ) -> Call<types::Point, errors::Refusal> {
        Call::new(self.address, "point", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn other_point(
        &self,
        value: types::Point_,
        again: types::Point_,
    ) -> Call<types::Point_, errors::Refusal_> {
        Call::new(self.address, "other_point", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn side(
        &self,
        value: types::Side,
        again: types::Side,
    ) -> Call<types::Side, Infallible> {
        Call::new(self.address, "side", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn order(
        &self,
        value: types::Order,
        again: types::Order,
    ) -> Call<types::Order, errors::Refusal> {
        Call::new(self.address, "order", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn named_like_a_type(
        &self,
        value: types::String_,
        again: types::String_,
    ) -> Call<types::String_, errors::Refusal_> {
        Call::new(self.address, "named_like_a_type", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn deep(
        &self,
        value: Vec<(types::Pair, Option<types::Order>)>,
        again: Vec<(types::Pair, Option<types::Order>)>,
    ) -> Call<Vec<(types::Pair, Option<types::Order>)>, Infallible> {
        Call::new(self.address, "deep", &(&value, &again))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn Action(&self, Action_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "Action", &(&Action_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn Address(&self, Address_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "Address", &(&Address_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn Array(&self, Array: u32) -> Call<(), Infallible> {
        Call::new(self.address, "Array", &(&Array,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn Call(&self, Call_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "Call", &(&Call_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn Contract(&self, Contract: u32) -> Call<(), Infallible> {
        Call::new(self.address, "Contract", &(&Contract,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn Err(&self, Err_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "Err", &(&Err_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn Event(&self, Event: u32) -> Call<(), Infallible> {
        Call::new(self.address, "Event", &(&Event,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn Hash(&self, Hash_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "Hash", &(&Hash_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn None(&self, None_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "None", &(&None_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn Ok(&self, Ok_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "Ok", &(&Ok_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn Option(&self, Option_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "Option", &(&Option_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn Self_(&self, Self_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "Self", &(&Self_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn Some(&self, Some_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "Some", &(&Some_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn String(&self, String_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "String", &(&String_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn Upgrade(&self, Upgrade_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "Upgrade", &(&Upgrade_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn Vec(&self, Vec_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "Vec", &(&Vec_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn __(&self, __: u32) -> Call<(), Infallible> {
        Call::new(self.address, "_", &(&__,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn ___(&self, __: u32) -> Call<(), Infallible> {
        Call::new(self.address, "__", &(&__,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn __proto__(&self, __proto__: u32) -> Call<(), Infallible> {
        Call::new(self.address, "__proto__", &(&__proto__,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#abstract(&self, r#abstract: u32) -> Call<(), Infallible> {
        Call::new(self.address, "abstract", &(&r#abstract,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn address(&self, address: u32) -> Call<(), Infallible> {
        Call::new(self.address, "address", &(&address,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn allow_wider(&self, allow_wider: u32) -> Call<(), Infallible> {
        Call::new(self.address, "allow_wider", &(&allow_wider,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn any(&self, any: u32) -> Call<(), Infallible> {
        Call::new(self.address, "any", &(&any,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn arguments(&self, arguments: u32) -> Call<(), Infallible> {
        Call::new(self.address, "arguments", &(&arguments,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#as(&self, r#as: u32) -> Call<(), Infallible> {
        Call::new(self.address, "as", &(&r#as,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#async(&self, r#async: u32) -> Call<(), Infallible> {
        Call::new(self.address, "async", &(&r#async,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn at_(&self, at: u32) -> Call<(), Infallible> {
        Call::new(self.address, "at", &(&at,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn authority(&self, authority: u32) -> Call<(), Infallible> {
        Call::new(self.address, "authority", &(&authority,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#await(&self, r#await: u32) -> Call<(), Infallible> {
        Call::new(self.address, "await", &(&r#await,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn class(&self, class: u32) -> Call<(), Infallible> {
        Call::new(self.address, "class", &(&class,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#const(&self, r#const: u32) -> Call<(), Infallible> {
        Call::new(self.address, "const", &(&r#const,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn constructor(&self, constructor: u32) -> Call<(), Infallible> {
        Call::new(self.address, "constructor", &(&constructor,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn crate_(&self, crate_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "crate", &(&crate_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn default(&self, default: u32) -> Call<(), Infallible> {
        Call::new(self.address, "default", &(&default,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn delete(&self, delete: u32) -> Call<(), Infallible> {
        Call::new(self.address, "delete", &(&delete,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn deploy_(&self, deploy: u32) -> Call<(), Infallible> {
        Call::new(self.address, "deploy", &(&deploy,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#dyn(&self, r#dyn: u32) -> Call<(), Infallible> {
        Call::new(self.address, "dyn", &(&r#dyn,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#enum(&self, r#enum: u32) -> Call<(), Infallible> {
        Call::new(self.address, "enum", &(&r#enum,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn eval(&self, eval: u32) -> Call<(), Infallible> {
        Call::new(self.address, "eval", &(&eval,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn events_(&self, events_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "events", &(&events_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn export(&self, export: u32) -> Call<(), Infallible> {
        Call::new(self.address, "export", &(&export,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn extends(&self, extends: u32) -> Call<(), Infallible> {
        Call::new(self.address, "extends", &(&extends,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#false(&self, r#false: u32) -> Call<(), Infallible> {
        Call::new(self.address, "false", &(&r#false,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#fn(&self, r#fn: u32) -> Call<(), Infallible> {
        Call::new(self.address, "fn", &(&r#fn,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn from(&self, from: u32) -> Call<(), Infallible> {
        Call::new(self.address, "from", &(&from,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn function(&self, function: u32) -> Call<(), Infallible> {
        Call::new(self.address, "function", &(&function,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#gen(&self, r#gen: u32) -> Call<(), Infallible> {
        Call::new(self.address, "gen", &(&r#gen,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn get(&self, get: u32) -> Call<(), Infallible> {
        Call::new(self.address, "get", &(&get,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn hasOwnProperty(&self, hasOwnProperty: u32) -> Call<(), Infallible> {
        Call::new(self.address, "hasOwnProperty", &(&hasOwnProperty,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#impl(&self, r#impl: u32) -> Call<(), Infallible> {
        Call::new(self.address, "impl", &(&r#impl,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn import(&self, import: u32) -> Call<(), Infallible> {
        Call::new(self.address, "import", &(&import,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#in(&self, r#in: u32) -> Call<(), Infallible> {
        Call::new(self.address, "in", &(&r#in,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn interface(&self, interface: u32) -> Call<(), Infallible> {
        Call::new(self.address, "interface", &(&interface,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn kempe_abi(&self, kempe_abi_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "kempe_abi", &(&kempe_abi_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn kempe_runtime(&self, kempe_runtime_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "kempe_runtime", &(&kempe_runtime_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#let(&self, r#let: u32) -> Call<(), Infallible> {
        Call::new(self.address, "let", &(&r#let,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#loop(&self, r#loop: u32) -> Call<(), Infallible> {
        Call::new(self.address, "loop", &(&r#loop,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#match(&self, r#match: u32) -> Call<(), Infallible> {
        Call::new(self.address, "match", &(&r#match,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#mod(&self, r#mod: u32) -> Call<(), Infallible> {
        Call::new(self.address, "mod", &(&r#mod,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#move(&self, r#move: u32) -> Call<(), Infallible> {
        Call::new(self.address, "move", &(&r#move,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#mut(&self, r#mut: u32) -> Call<(), Infallible> {
        Call::new(self.address, "mut", &(&r#mut,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn new(&self, new: u32) -> Call<(), Infallible> {
        Call::new(self.address, "new", &(&new,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn null(&self, null: u32) -> Call<(), Infallible> {
        Call::new(self.address, "null", &(&null,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn number(&self, number: u32) -> Call<(), Infallible> {
        Call::new(self.address, "number", &(&number,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn of(&self, of: u32) -> Call<(), Infallible> {
        Call::new(self.address, "of", &(&of,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn package(&self, package: u32) -> Call<(), Infallible> {
        Call::new(self.address, "package", &(&package,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn prototype(&self, prototype: u32) -> Call<(), Infallible> {
        Call::new(self.address, "prototype", &(&prototype,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#pub(&self, r#pub: u32) -> Call<(), Infallible> {
        Call::new(self.address, "pub", &(&r#pub,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r(&self, r: u32) -> Call<(), Infallible> {
        Call::new(self.address, "r", &(&r,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#ref(&self, r#ref: u32) -> Call<(), Infallible> {
        Call::new(self.address, "ref", &(&r#ref,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#return(&self, r#return: u32) -> Call<(), Infallible> {
        Call::new(self.address, "return", &(&r#return,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn self_(&self, self_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "self", &(&self_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn self__(&self, self_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "self_", &(&self_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn set(&self, set: u32) -> Call<(), Infallible> {
        Call::new(self.address, "set", &(&set,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#static(&self, r#static: u32) -> Call<(), Infallible> {
        Call::new(self.address, "static", &(&r#static,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn std(&self, std_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "std", &(&std_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn string(&self, string: u32) -> Call<(), Infallible> {
        Call::new(self.address, "string", &(&string,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#struct(&self, r#struct: u32) -> Call<(), Infallible> {
        Call::new(self.address, "struct", &(&r#struct,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn super_(&self, super_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "super", &(&super_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn switch(&self, switch: u32) -> Call<(), Infallible> {
        Call::new(self.address, "switch", &(&switch,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn then(&self, then: u32) -> Call<(), Infallible> {
        Call::new(self.address, "then", &(&then,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn this(&self, this: u32) -> Call<(), Infallible> {
        Call::new(self.address, "this", &(&this,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn toString(&self, toString: u32) -> Call<(), Infallible> {
        Call::new(self.address, "toString", &(&toString,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#trait(&self, r#trait: u32) -> Call<(), Infallible> {
        Call::new(self.address, "trait", &(&r#trait,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#true(&self, r#true: u32) -> Call<(), Infallible> {
        Call::new(self.address, "true", &(&r#true,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#try(&self, r#try: u32) -> Call<(), Infallible> {
        Call::new(self.address, "try", &(&r#try,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#type(&self, r#type: u32) -> Call<(), Infallible> {
        Call::new(self.address, "type", &(&r#type,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#typeof(&self, r#typeof: u32) -> Call<(), Infallible> {
        Call::new(self.address, "typeof", &(&r#typeof,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn u64(&self, u64_: u32) -> Call<(), Infallible> {
        Call::new(self.address, "u64", &(&u64_,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn undefined(&self, undefined: u32) -> Call<(), Infallible> {
        Call::new(self.address, "undefined", &(&undefined,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#unsafe(&self, r#unsafe: u32) -> Call<(), Infallible> {
        Call::new(self.address, "unsafe", &(&r#unsafe,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn upgrade_(&self, upgrade: u32) -> Call<(), Infallible> {
        Call::new(self.address, "upgrade", &(&upgrade,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#use(&self, r#use: u32) -> Call<(), Infallible> {
        Call::new(self.address, "use", &(&r#use,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn valueOf(&self, valueOf: u32) -> Call<(), Infallible> {
        Call::new(self.address, "valueOf", &(&valueOf,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn var(&self, var: u32) -> Call<(), Infallible> {
        Call::new(self.address, "var", &(&var,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn void(&self, void: u32) -> Call<(), Infallible> {
        Call::new(self.address, "void", &(&void,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn wasm(&self, wasm: u32) -> Call<(), Infallible> {
        Call::new(self.address, "wasm", &(&wasm,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#where(&self, r#where: u32) -> Call<(), Infallible> {
        Call::new(self.address, "where", &(&r#where,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#while(&self, r#while: u32) -> Call<(), Infallible> {
        Call::new(self.address, "while", &(&r#while,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn with(&self, with: u32) -> Call<(), Infallible> {
        Call::new(self.address, "with", &(&with,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn r#yield(&self, r#yield: u32) -> Call<(), Infallible> {
        Call::new(self.address, "yield", &(&r#yield,))
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[must_use]
    pub fn words(
        &self,
        Action_: u8,
        Address_: u8,
        Array: u8,
        Call_: u8,
        Contract: u8,
        Err_: u8,
        Event: u8,
        Hash_: u8,
        None_: u8,
        Ok_: u8,
        Option_: u8,
        Self_: u8,
        Some_: u8,
        String_: u8,
        Upgrade_: u8,
        Vec_: u8,
        __: u8,
        ___: u8,
        __proto__: u8,
        r#abstract: u8,
        address: u8,
        allow_wider: u8,
        any: u8,
        arguments: u8,
        r#as: u8,
        r#async: u8,
        at: u8,
        authority: u8,
        r#await: u8,
        class: u8,
        r#const: u8,
        constructor: u8,
        crate_: u8,
        default: u8,
        delete: u8,
        deploy: u8,
        r#dyn: u8,
        r#enum: u8,
        eval: u8,
        events_: u8,
        export: u8,
        extends: u8,
        r#false: u8,
        r#fn: u8,
        from: u8,
        function: u8,
        r#gen: u8,
        get: u8,
        hasOwnProperty: u8,
        r#impl: u8,
        import: u8,
        r#in: u8,
        interface: u8,
        kempe_abi_: u8,
        kempe_runtime_: u8,
        r#let: u8,
        r#loop: u8,
        r#match: u8,
        r#mod: u8,
        r#move: u8,
        r#mut: u8,
        new: u8,
        null: u8,
        number: u8,
        of: u8,
        package: u8,
        prototype: u8,
        r#pub: u8,
        r: u8,
        r#ref: u8,
        r#return: u8,
        self_: u8,
        self__: u8,
        set: u8,
        r#static: u8,
        std_: u8,
        string: u8,
        r#struct: u8,
        super_: u8,
        switch: u8,
        then: u8,
        this: u8,
        toString: u8,
        r#trait: u8,
        r#true: u8,
        r#try: u8,
        r#type: u8,
        r#typeof: u8,
        u64_: u8,
        undefined: u8,
        r#unsafe: u8,
        upgrade: u8,
        r#use: u8,
        valueOf: u8,
        var: u8,
        void: u8,
        wasm: u8,
        r#where: u8,
        r#while: u8,
        with: u8,
        r#yield: u8,
    ) -> Call<(), Infallible> {
        Call::new(
            self.address,
            "words",
            &(
                (
                    &Action_,
                    &Address_,
                    &Array,
                    &Call_,
                    &Contract,
                    &Err_,
                    &Event,
                    &Hash_,
                    &None_,
                    &Ok_,
                    &Option_,
                    &Self_,
                ),
                (
                    &Some_,
                    &String_,
                    &Upgrade_,
                    &Vec_,
                    &__,
                    &___,
                    &__proto__,
                    &r#abstract,
                    &address,
                    &allow_wider,
                    &any,
                    &arguments,
                ),
                (
                    &r#as,
                    &r#async,
                    &at,
                    &authority,
                    &r#await,
                    &class,
                    &r#const,
                    &constructor,
                    &crate_,
                    &default,
                    &delete,
                    &deploy,
                ),
                (
                    &r#dyn,
                    &r#enum,
                    &eval,
                    &events_,
                    &export,
                    &extends,
                    &r#false,
                    &r#fn,
                    &from,
                    &function,
                    &r#gen,
                    &get,
                ),
                (
                    &hasOwnProperty,
                    &r#impl,
                    &import,
                    &r#in,
                    &interface,
                    &kempe_abi_,
                    &kempe_runtime_,
                    &r#let,
                    &r#loop,
                    &r#match,
                    &r#mod,
                    &r#move,
                ),
                (
                    &r#mut,
                    &new,
                    &null,
                    &number,
                    &of,
                    &package,
                    &prototype,
                    &r#pub,
                    &r,
                    &r#ref,
                    &r#return,
                    &self_,
                ),
                (
                    &self__,
                    &set,
                    &r#static,
                    &std_,
                    &string,
                    &r#struct,
                    &super_,
                    &switch,
                    &then,
                    &this,
                    &toString,
                    &r#trait,
                ),
                (
                    &r#true,
                    &r#try,
                    &r#type,
                    &r#typeof,
                    &u64_,
                    &undefined,
                    &r#unsafe,
                    &upgrade,
                    &r#use,
                    &valueOf,
                    &var,
                    &void,
                ),
                (&wasm, &r#where, &r#while, &with, &r#yield),
            ),
        )
    }
}
/// Why methods refuse.
pub mod errors {
    use kempe_runtime::types::ErrorCodes;
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Refusal {
        /// */ throw new Error("ran") /*
        /// '''
        /// panic!("ran");
        /// '''
        ///
        /// panic!();
        /// '''
        /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
        Never,
        /// */ throw new Error("ran") /*
        /// '''
        /// panic!("ran");
        /// '''
        ///
        /// panic!();
        /// '''
        /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
        Self_,
    }
    impl Refusal {
        /// The code in a receipt.
        #[must_use]
        pub const fn code(self) -> u32 {
            match self {
                Self::Never => 100,
                Self::Self_ => 101,
            }
        }
    }
    impl ErrorCodes for Refusal {
        fn from_code(code: u32) -> Option<Self> {
            Some(
                match code {
                    100 => Self::Never,
                    101 => Self::Self_,
                    _ => return None,
                },
            )
        }
    }
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Refusal_ {
        /// */ throw new Error("ran") /*
        /// '''
        /// panic!("ran");
        /// '''
        ///
        /// panic!();
        /// '''
        /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
        Always,
        /// */ throw new Error("ran") /*
        /// '''
        /// panic!("ran");
        /// '''
        ///
        /// panic!();
        /// '''
        /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
        r#type,
    }
    impl Refusal_ {
        /// The code in a receipt.
        #[must_use]
        pub const fn code(self) -> u32 {
            match self {
                Self::Always => 100,
                Self::r#type => 4000000000,
            }
        }
    }
    impl ErrorCodes for Refusal_ {
        fn from_code(code: u32) -> Option<Self> {
            Some(
                match code {
                    100 => Self::Always,
                    4000000000 => Self::r#type,
                    _ => return None,
                },
            )
        }
    }
}
/// What the contract tells.
pub mod events {
    use kempe_abi::{Address, Hash, borsh};
    use kempe_runtime::types::EventRecord;
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub struct All {
        pub unit: (),
        pub boolean: bool,
        pub u8s: u8,
        pub u16s: u16,
        pub u32s: u32,
        pub u64s: u64,
        pub u128s: u128,
        pub i8s: i8,
        pub i16s: i16,
        pub i32s: i32,
        pub i64s: i64,
        pub i128s: i128,
        pub text: String,
        pub account: Address,
        pub digest: Hash,
        pub maybe: Option<u64>,
        pub maybe_maybe: Option<Option<bool>>,
        pub maybe_unit: Option<()>,
        pub bytes: Vec<u8>,
        pub list: Vec<String>,
        pub lists: Vec<Vec<i16>>,
        pub maybes: Vec<Option<Address>>,
        pub signature: [u8; 64],
        pub array: [u128; 3],
        pub nothing: [Hash; 0],
        pub tuple0: (),
        pub tuple1: (u16,),
        pub tuple12: (u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16),
        pub tuple13: (
            (u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16),
            (u16,),
        ),
        pub tuple30: (
            (u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16),
            (u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16, u16),
            (u16, u16, u16, u16, u16, u16),
        ),
        pub empty: super::types::Empty,
        pub odd: super::types::Odd,
        pub pair: super::types::Pair,
        pub point: super::types::Point,
        pub other_point: super::types::Point_,
        pub side: super::types::Side,
        pub order: super::types::Order,
        pub named_like_a_type: super::types::String_,
        pub deep: Vec<(super::types::Pair, Option<super::types::Order>)>,
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub struct Event_ {
        pub Action: u8,
        pub Address: u8,
        pub Array: u8,
        pub Call: u8,
        pub Contract: u8,
        pub Err: u8,
        pub Event: u8,
        pub Hash: u8,
        pub None: u8,
        pub Ok: u8,
        pub Option: u8,
        pub Self_: u8,
        pub Some: u8,
        pub String: u8,
        pub Upgrade: u8,
        pub Vec: u8,
        pub __: u8,
        pub ___: u8,
        pub __proto__: u8,
        pub r#abstract: u8,
        pub address: u8,
        pub allow_wider: u8,
        pub any: u8,
        pub arguments: u8,
        pub r#as: u8,
        pub r#async: u8,
        pub at: u8,
        pub authority: u8,
        pub r#await: u8,
        pub class: u8,
        pub r#const: u8,
        pub constructor: u8,
        pub crate_: u8,
        pub default: u8,
        pub delete: u8,
        pub deploy: u8,
        pub r#dyn: u8,
        pub r#enum: u8,
        pub eval: u8,
        pub events: u8,
        pub export: u8,
        pub extends: u8,
        pub r#false: u8,
        pub r#fn: u8,
        pub from: u8,
        pub function: u8,
        pub r#gen: u8,
        pub get: u8,
        pub hasOwnProperty: u8,
        pub r#impl: u8,
        pub import: u8,
        pub r#in: u8,
        pub interface: u8,
        pub kempe_abi: u8,
        pub kempe_runtime: u8,
        pub r#let: u8,
        pub r#loop: u8,
        pub r#match: u8,
        pub r#mod: u8,
        pub r#move: u8,
        pub r#mut: u8,
        pub new: u8,
        pub null: u8,
        pub number: u8,
        pub of: u8,
        pub package: u8,
        pub prototype: u8,
        pub r#pub: u8,
        pub r: u8,
        pub r#ref: u8,
        pub r#return: u8,
        pub self_: u8,
        pub self__: u8,
        pub set: u8,
        pub r#static: u8,
        pub std: u8,
        pub string: u8,
        pub r#struct: u8,
        pub super_: u8,
        pub switch: u8,
        pub then: u8,
        pub this: u8,
        pub toString: u8,
        pub r#trait: u8,
        pub r#true: u8,
        pub r#try: u8,
        pub r#type: u8,
        pub r#typeof: u8,
        pub u64: u8,
        pub undefined: u8,
        pub r#unsafe: u8,
        pub upgrade: u8,
        pub r#use: u8,
        pub valueOf: u8,
        pub var: u8,
        pub void: u8,
        pub wasm: u8,
        pub r#where: u8,
        pub r#while: u8,
        pub with: u8,
        pub r#yield: u8,
    }
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub struct Nothing;
    /// */ throw new Error("ran") /*
    /// '''
    /// panic!("ran");
    /// '''
    ///
    /// panic!();
    /// '''
    /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub struct Option_(pub i8, pub Address);
    /// Any of the events.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Event {
        /// */ throw new Error("ran") /*
        /// '''
        /// panic!("ran");
        /// '''
        ///
        /// panic!();
        /// '''
        /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
        All(All),
        /// */ throw new Error("ran") /*
        /// '''
        /// panic!("ran");
        /// '''
        ///
        /// panic!();
        /// '''
        /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
        Event_(Event_),
        /// */ throw new Error("ran") /*
        /// '''
        /// panic!("ran");
        /// '''
        ///
        /// panic!();
        /// '''
        /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
        Nothing(Nothing),
        /// */ throw new Error("ran") /*
        /// '''
        /// panic!("ran");
        /// '''
        ///
        /// panic!();
        /// '''
        /// \<script>throw 1\</script> \[x](javascript:x) \\ \\u{1b}\[2J """ `${throw_}` */
        Option_(Option_),
    }
    impl Event {
        /// The event of a record; none if it is another contract's.
        ///
        /// # Errors
        /// If the record has the number of an event, and other fields.
        pub fn decode(record: &EventRecord) -> Result<Option<Self>, borsh::io::Error> {
            Ok(
                Some(
                    match record.id {
                        1529689500 => Self::All(borsh::from_slice(&record.data)?),
                        2819611278 => Self::Event_(borsh::from_slice(&record.data)?),
                        3558232449 => Self::Nothing(borsh::from_slice(&record.data)?),
                        628245470 => Self::Option_(borsh::from_slice(&record.data)?),
                        _ => return Ok(None),
                    },
                ),
            )
        }
    }
}
/// The types of arguments, results and events.
pub mod types {
    use kempe_abi::{Address, Hash, borsh};
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub struct Empty;
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub struct Odd {
        pub _1: u8,
        pub _0: u8,
        pub a: u8,
    }
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub struct Pair(pub u64, pub String);
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub struct Point {
        pub x: i128,
        pub r#type: u8,
        pub __proto__: bool,
    }
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub struct Point_ {
        pub x: u8,
    }
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub enum Side {
        Buy,
        Sell,
        Self_,
    }
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub enum Order {
        Market,
        Limit(u128, super::types::Side),
        Stop { at: i64, then: Option<super::types::Point> },
    }
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub struct String_ {
        pub Vec: Vec<super::types::Order>,
    }
}
