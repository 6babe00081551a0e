//! The clients in Rust.

use ed25519_zebra::SigningKey;
use kempe_abi::{Address, Outcome};
use kempe_cli::bindings;
use kempe_runtime::chain::{BlockReport, Chain, ChainOptions};
use kempe_runtime::types::{
    Action, CallError, Genesis, Receipt, Transaction, address_of, contract_address,
};
use serde_json::{Value, json};

use crate::token::Token;
use crate::token::errors::TokenError;
use crate::token::events;
use crate::vectors::encoded;
use crate::{abi_of, check_current, shapes, shapes_abi};

#[test]
fn the_compiled_clients_are_what_is_written() {
    check_current("token.rs", &bindings::rust(&abi_of(kempe_contracts::TOKEN)).unwrap());
    check_current("shapes.rs", &bindings::rust(&shapes_abi::abi()).unwrap());
}

#[test]
fn every_shipped_contract_has_a_client() {
    for (name, wasm) in kempe_contracts::ALL {
        let source = bindings::rust(&abi_of(wasm)).unwrap();
        assert!(source.contains("pub fn deploy("), "{name}");
    }
}

/// A chain in memory and an account on it.
pub(crate) struct World {
    pub(crate) chain: Chain,
    key: SigningKey,
    pub(crate) sender: Address,
}

impl World {
    pub(crate) fn new() -> Self {
        let genesis = Genesis::parse("chain_id = 7").unwrap();
        let key = SigningKey::from([5; 32]);
        let chain = Chain::in_memory(genesis, ChainOptions::default()).unwrap();
        Self { chain, key, sender: address_of(&key) }
    }

    pub(crate) fn send(&mut self, actions: Vec<Action>, fuel_limit: u64) -> Receipt {
        let nonce = self.chain.next_nonce(&self.sender).unwrap();
        let access = Vec::new();
        let tx =
            Transaction { chain_id: 7, sender: self.sender, nonce, fuel_limit, actions, access };
        let time_ms = self.chain.head().time_ms + 1;
        let BlockReport { record, rejected, .. } =
            self.chain.build(vec![tx.sign(&self.key)], time_ms).unwrap();
        assert!(rejected.is_empty(), "{rejected:?}");
        record.receipts[0].clone()
    }
}

pub(crate) const FUEL: u64 = 1_000_000_000;

#[test]
fn a_client_deploys_calls_and_reads() {
    let mut world = World::new();
    let (owner, ben) = (world.sender, Address([9; 32]));
    let receipt =
        world.send(vec![Token::deploy(kempe_contracts::TOKEN.to_vec(), None, owner)], FUEL);
    assert_eq!(receipt.outcome, Outcome::Ok);
    let token = Token::at(contract_address(7, &owner, 0, 0));

    let (mint, balance) = (token.mint(ben, 100), token.balance(ben));
    let receipt = world.send(vec![mint.clone().into(), balance.clone().into()], FUEL);
    mint.result(&receipt, 0).unwrap();
    assert_eq!(balance.result(&receipt, 1).unwrap(), 100);
    assert!(matches!(mint.result(&receipt, 2), Err(CallError::NoResult(2))));
    // The result of one call is not that of another.
    assert!(matches!(mint.result(&receipt, 1), Err(CallError::Decode(_))));
    let minted = events::Event::Mint(events::Mint { to: ben, amount: 100 });
    assert_eq!(token.events(&receipt).unwrap(), [minted]);
    assert_eq!(Token::at(ben).events(&receipt).unwrap(), []);

    let transfer = token.transfer(ben, 1);
    let receipt = world.send(vec![mint.clone().into(), transfer.clone().into()], FUEL);
    let refused = transfer.result(&receipt, 1).unwrap_err();
    assert!(matches!(refused, CallError::Refused(TokenError::InsufficientBalance)), "{refused}");
    // The action before it did not refuse; neither did a contract elsewhere.
    for (call, action) in [(mint.clone(), 0), (Token::at(ben).mint(ben, 100), 1)] {
        let elsewhere = call.result(&receipt, action).unwrap_err();
        let code = TokenError::InsufficientBalance.code();
        assert!(
            matches!(elsewhere, CallError::Reverted { contract, code: found }
                if contract == token.address && found == code),
            "{elsewhere}"
        );
    }

    let receipt = world.send(vec![mint.clone().into()], 31_500);
    assert!(matches!(mint.result(&receipt, 0), Err(CallError::Stopped(_))), "{receipt:?}");
}

#[track_caller]
fn check_args(action: impl Into<Action>, json: &Value) {
    let Action::Call { method, args, .. } = action.into() else { panic!("it is a call") };
    let abi = shapes_abi::abi();
    let found = abi.method_by_id(method).unwrap();
    let args_of = encoded(&found.params[0].ty, json);
    assert_eq!(args, [&args_of[..], &args_of].concat(), "{}", found.name);
}

#[test]
fn shapes_are_encoded_as_the_command_line_does() {
    use shapes::types::{Empty, Odd, Order, Pair, Point, Point_, Side, String_};

    let shapes = shapes::Shapes::at(Address::ZERO);
    let point = || Point { x: -5, r#type: 7, __proto__: true };
    let point_json = json!({ "x": "-5", "type": 7, "__proto__": true });
    check_args(shapes.maybe_maybe(Some(None), Some(None)), &json!({ "some": null }));
    check_args(shapes.maybe_unit(Some(()), Some(())), &json!({ "some": null }));
    check_args(shapes.lists(vec![vec![-1], vec![]], vec![vec![-1], vec![]]), &json!([[-1], []]));
    check_args(shapes.array([1, 2, 3], [1, 2, 3]), &json!(["1", "2", "3"]));
    check_args(shapes.tuple1((300,), (300,)), &json!([300]));
    let tuple13 = || ((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), (13,));
    let counted: Vec<u8> = (1..=13).collect();
    check_args(shapes.tuple13(tuple13(), tuple13()), &json!(counted));
    check_args(shapes.empty(Empty, Empty), &json!({}));
    let odd = || Odd { _1: 1, _0: 2, a: 3 };
    check_args(shapes.odd(odd(), odd()), &json!({ "1": 1, "0": 2, "a": 3 }));
    check_args(shapes.pair(Pair(5, "a".into()), Pair(5, "a".into())), &json!(["5", "a"]));
    check_args(shapes.point(point(), point()), &point_json);
    check_args(shapes.other_point(Point_ { x: 1 }, Point_ { x: 1 }), &json!({ "x": 1 }));
    check_args(shapes.side(Side::Self_, Side::Self_), &json!("Self"));
    let limit = || Order::Limit(8, Side::Sell);
    let limit_json = json!({ "Limit": ["8", "Sell"] });
    check_args(shapes.order(limit(), limit()), &limit_json);
    let stop = || Order::Stop { at: -1, then: Some(point()) };
    let stop_json = json!({ "Stop": { "at": "-1", "then": point_json } });
    check_args(shapes.order(stop(), stop()), &stop_json);
    let string = || String_ { Vec: vec![Order::Market, limit(), stop()] };
    let json = json!({ "Vec": ["Market", limit_json, stop_json] });
    check_args(shapes.named_like_a_type(string(), string()), &json);
}

#[test]
fn an_event_is_decoded_or_refused() {
    let id = |name: &str| kempe_abi::MethodId::of(name).0;
    let record = |id, data: &[u8]| kempe_runtime::types::EventRecord {
        contract: Address::ZERO,
        id,
        data: data.to_vec(),
    };
    let decode = |id, data: &[u8]| shapes::events::Event::decode(&record(id, data));
    assert_eq!(
        decode(id("Nothing"), &[]).unwrap(),
        Some(shapes::events::Event::Nothing(shapes::events::Nothing))
    );
    decode(id("Nothing"), &[0]).unwrap_err();
    assert_eq!(decode(id("Unknown"), &[]).unwrap(), None);
}
