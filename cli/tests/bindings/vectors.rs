//! What the chain makes of values, transactions and receipts. The values are drawn from a seed; their
//! encoding is that of the command line, which is not what bindings use.

use ed25519_zebra::SigningKey;
use fastrand::Rng;
use kempe_abi::{
    Abi, AccessKind, Address, Bound, Encode, Hash, Member, Method, MethodId, MethodKind, Outcome,
    TrapKind, Type, split,
};
use kempe_cli::value::from_json;
use kempe_runtime::types::{
    Action, DeclaredAccess, EventRecord, Failure, Receipt, StateKey, Transaction, Undeclared,
    Upgrade, address_of, contract_address,
};
use serde_json::{Map, Value, json};

use crate::{check_current, shapes_abi};

fn hex_of(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

pub(crate) fn to_hex(value: &impl Encode) -> String {
    hex_of(&kempe_abi::borsh::to_vec(value).unwrap())
}

fn bytes(rng: &mut Rng, n: usize) -> Vec<u8> {
    (0..n).map(|_| rng.u8(..)).collect()
}

/// An integer near the ends of its range as often as anywhere.
fn integer(rng: &mut Rng, min: i128, max: u128) -> String {
    match rng.u8(..6) {
        0 => min.to_string(),
        1 => max.to_string(),
        2 => "0".into(),
        3 => "1".into(),
        _ if min < 0 => rng.i128(min..=i128::try_from(max).unwrap()).to_string(),
        _ => rng.u128(..=max).to_string(),
    }
}

/// A value of the type in the JSON of the command line. Integers of 64 bits are strings there, which
/// is permitted, and which JavaScript reads exactly.
fn draw(rng: &mut Rng, ty: &Type) -> Value {
    let small = |text: String| Value::from(text.parse::<i64>().unwrap());
    match ty {
        Type::Unit => Value::Null,
        Type::Bool => rng.bool().into(),
        Type::U8 => small(integer(rng, 0, u8::MAX.into())),
        Type::U16 => small(integer(rng, 0, u16::MAX.into())),
        Type::U32 => small(integer(rng, 0, u32::MAX.into())),
        Type::U64 => integer(rng, 0, u64::MAX.into()).into(),
        Type::U128 => integer(rng, 0, u128::MAX).into(),
        Type::I8 => small(integer(rng, i8::MIN.into(), 127)),
        Type::I16 => small(integer(rng, i16::MIN.into(), 32_767)),
        Type::I32 => small(integer(rng, i32::MIN.into(), 2_147_483_647)),
        Type::I64 => integer(rng, i64::MIN.into(), i64::MAX.unsigned_abs().into()).into(),
        Type::I128 => integer(rng, i128::MIN, i128::MAX.unsigned_abs()).into(),
        Type::String => {
            rng.choice(["", "a", "\u{feff}bom", "zwölf \u{1f980}\0\"", "__proto__"]).into()
        }
        Type::Address | Type::Hash => hex_of(&bytes(rng, 32)).into(),
        Type::Option(inner) if rng.bool() => match **inner {
            Type::Unit | Type::Option(_) => json!({ "some": draw(rng, inner) }),
            _ => draw(rng, inner),
        },
        Type::Option(_) => Value::Null,
        Type::List(inner) if **inner == Type::U8 => {
            let n = rng.usize(..40);
            hex_of(&bytes(rng, n)).into()
        }
        Type::Array(inner, n) if **inner == Type::U8 => hex_of(&bytes(rng, *n as usize)).into(),
        Type::List(inner) => (0..rng.usize(..4)).map(|_| draw(rng, inner)).collect(),
        Type::Array(inner, n) => (0..*n).map(|_| draw(rng, inner)).collect(),
        Type::Tuple(members) => members.iter().map(|ty| draw(rng, ty)).collect(),
        Type::Struct(_, fields) => draw_fields(rng, fields),
        Type::Enum(_, variants) => {
            let variant = rng.choice(variants).unwrap();
            if variant.fields.is_empty() {
                return variant.name.clone().into();
            }
            let fields = draw_fields(rng, &variant.fields);
            Value::Object(Map::from_iter([(variant.name.clone(), fields)]))
        }
    }
}

fn draw_fields(rng: &mut Rng, fields: &[Member]) -> Value {
    let positions = fields.iter().enumerate().all(|(i, field)| field.name == i.to_string());
    let values: Vec<Value> = fields.iter().map(|field| draw(rng, &field.ty)).collect();
    if positions && !fields.is_empty() {
        return values.into();
    }
    fields.iter().map(|field| field.name.clone()).zip(values).collect::<Map<_, _>>().into()
}

pub(crate) fn encoded(ty: &Type, json: &Value) -> Vec<u8> {
    from_json(ty, json, &|_| None).unwrap()
}

/// Values one after the other.
fn encoded_all(fields: &[Member], values: &[Value]) -> Vec<u8> {
    let parts = fields.iter().zip(values).map(|(field, value)| encoded(&field.ty, value));
    parts.collect::<Vec<_>>().concat()
}

/// Changed encodings, and whether they are still encodings.
fn changed(rng: &mut Rng, fields: &[Member], original: &[u8]) -> Vec<Value> {
    let change = |_| {
        let mut bytes = original.to_vec();
        match rng.u8(..3) {
            0 => bytes.push(rng.u8(..)),
            1 => {
                bytes.pop();
            }
            _ if bytes.is_empty() => bytes.push(1),
            _ => {
                let at = rng.usize(..bytes.len());
                bytes[at] = *rng.choice(&[0, 1, 2, 0xff, bytes[at] ^ 0x80]).unwrap();
            }
        }
        let is_valid = split(fields.iter().map(|field| &field.ty), &bytes, |_| {}).is_ok();
        json!({ "bytes": hex_of(&bytes), "valid": is_valid })
    };
    (0..6).map(change).collect()
}

fn method(rng: &mut Rng, method: &Method) -> Value {
    let args: Vec<Value> = method.params.iter().map(|param| draw(rng, &param.ty)).collect();
    let returns = draw(rng, &method.returns);
    let encoded_args = encoded_all(&method.params, &args);
    let errors = method.error.iter().flat_map(|set| &set.cases);
    json!({
        "method": method.name,
        "id": MethodId::of(&method.name).0,
        "args": args,
        "args_bytes": hex_of(&encoded_args),
        "changed": changed(rng, &method.params, &encoded_args),
        "returns": returns,
        "returns_bytes": hex_of(&encoded(&method.returns, &returns)),
        "errors": errors.map(|case| json!([case.code, case.name])).collect::<Vec<_>>(),
    })
}

/// Calls of every method, results, errors and events of a contract, drawn `n` times.
pub(crate) fn contract(abi: &Abi, n: usize, seed: u64) -> Value {
    let mut rng = Rng::with_seed(seed);
    let (mut methods, mut events) = (Vec::new(), Vec::new());
    let (mut deploys, mut upgrades) = (Vec::new(), Vec::new());
    for _ in 0..n {
        for found in &abi.methods {
            let vector = method(&mut rng, found);
            match found.kind {
                MethodKind::Init => deploys.push(vector),
                MethodKind::Migrate => upgrades.push(vector),
                MethodKind::Call | MethodKind::View => methods.push(vector),
            }
        }
        for event in &abi.events {
            let fields = draw_fields(&mut rng, &event.fields);
            let ty = Type::Struct(event.name.clone(), event.fields.clone());
            events.push(json!({
                "event": event.name,
                "id": event.id(),
                "value": fields,
                "bytes": hex_of(&encoded(&ty, &fields)),
            }));
        }
    }
    let module = abi.name.to_ascii_lowercase();
    json!({
        "class": abi.name, "module": module, "methods": methods, "deploys": deploys, "upgrades": upgrades, "events": events,
    })
}

/// Hashes at the edges of blocks, chunks and subtrees.
fn hashes() -> Vec<Value> {
    let lengths = [
        0, 1, 3, 4, 5, 63, 64, 65, 127, 128, 1023, 1024, 1025, 2048, 2049, 3072, 3073, 4096, 5121,
        31744,
    ];
    let hash = |n: usize| {
        let input: Vec<u8> = (0..n).map(|i| u8::try_from(i % 251).unwrap()).collect();
        json!({
            "n_bytes": n,
            "plain": hex_of(blake3::hash(&input).as_bytes()),
            "keyed": hex_of(blake3::keyed_hash(&[7; 32], &input).as_bytes()),
            "derived": hex_of(&blake3::derive_key("kempe test", &input)),
        })
    };
    lengths.map(hash).into()
}

fn access() -> Vec<DeclaredAccess> {
    let kinds = (0..=u8::MAX)
        .map_while(|byte| <AccessKind as kempe_abi::Decode>::try_from_slice(&[byte]).ok());
    let entry = |(i, kind)| DeclaredAccess {
        kind,
        key: StateKey::new(Address([u8::try_from(i).unwrap(); 32]), 255, &vec![9; 20 * i]),
    };
    kinds.enumerate().map(entry).collect()
}

fn access_json(entry: &DeclaredAccess) -> Value {
    json!({ "kind": entry.kind.word(), "key": key_json(&entry.key) })
}

fn key_json(key: &StateKey) -> Value {
    json!({ "contract": key.contract.to_string(), "field": key.field, "key": hex_of(&key.key) })
}

fn action_json(action: &Action) -> Value {
    match action {
        Action::Call { contract, method, args } => json!({ "Call": {
            "contract": contract.to_string(), "method": method.0, "args": hex_of(args),
        } }),
        Action::Deploy { wasm, args, authority } => json!({ "Deploy": {
            "wasm": hex_of(wasm),
            "args": hex_of(args),
            "authority": authority.as_ref().map(ToString::to_string),
        } }),
        Action::Upgrade(upgrade) => json!({ "Upgrade": {
            "contract": upgrade.contract.to_string(),
            "wasm": hex_of(&upgrade.wasm),
            "args": hex_of(&upgrade.args),
            "allow_wider": upgrade.allow_wider,
            "authority": upgrade.authority.as_ref().map(ToString::to_string),
        } }),
        Action::Transfer { to, amount } => {
            json!({ "Transfer": { "to": to.to_string(), "amount": amount.to_string() } })
        }
    }
}

/// Signed transactions, of lengths around the blocks of the hash.
fn transactions() -> Vec<Value> {
    let call = |n: usize| Action::Call {
        contract: Address([n.to_le_bytes()[0]; 32]),
        method: MethodId::of("transfer"),
        args: vec![5; n],
    };
    let deploy = |authority| Action::Deploy {
        wasm: b"\0asm\x01\0\0\0".repeat(100),
        args: vec![1, 2, 3],
        authority,
    };
    let upgrade = |authority, allow_wider| {
        let contract = Address([0xcd; 32]);
        let (wasm, args) = (b"\0asm".to_vec(), vec![4; 5]);
        Action::Upgrade(Box::new(Upgrade { contract, wasm, args, allow_wider, authority }))
    };
    let all = vec![
        Action::Transfer { to: Address([0xff; 32]), amount: u128::MAX },
        deploy(None),
        deploy(Some(Box::new(Address([0xab; 32])))),
        upgrade(None, false),
        upgrade(Some(Address([0xab; 32])), true),
        call(7),
    ];
    let many = (0..64).map(call).collect();
    let mut bodies = vec![(all, access()), (many, Vec::new())];
    // Without arguments it has 156 bytes, of which the signature's 64 are not hashed.
    let ends = [0, 27, 28, 29, 91, 92, 93, 1000, 2000];
    bodies.extend(ends.map(|n| (vec![call(n)], Vec::new())));
    let vector = |(i, (actions, access)): (usize, (Vec<Action>, Vec<DeclaredAccess>))| {
        let seed = [u8::try_from(i).unwrap(); 32];
        let key = SigningKey::from(seed);
        let edge = if i == 0 { u64::MAX } else { i as u64 };
        let transaction = Transaction {
            chain_id: edge,
            sender: address_of(&key),
            nonce: edge,
            fuel_limit: edge,
            actions,
            access,
        };
        let json = json!({
            "chain_id": edge.to_string(),
            "sender": transaction.sender.to_string(),
            "nonce": edge.to_string(),
            "fuel_limit": edge.to_string(),
            "actions": transaction.actions.iter().map(action_json).collect::<Vec<_>>(),
            "access": transaction.access.iter().map(access_json).collect::<Vec<_>>(),
        });
        let deployed = contract_address(edge, &transaction.sender, transaction.nonce, i);
        let signed = transaction.sign(&key);
        json!({
            "seed": hex_of(&seed),
            "transaction": json,
            "hash": signed.verify().unwrap().to_string(),
            "bytes": to_hex(&signed),
            "deployed": deployed.to_string(),
        })
    };
    bodies.into_iter().enumerate().map(vector).collect()
}

/// A receipt of every outcome.
fn receipts() -> Vec<Value> {
    let contract = Address([3; 32]);
    let traps = TrapKind::ALL.iter().map(|kind| Outcome::Trap(*kind));
    let outcomes =
        [Outcome::Ok, Outcome::Revert(100), Outcome::Revert(u32::MAX)].into_iter().chain(traps);
    let receipt = |outcome| Receipt {
        tx: Hash([1; 32]),
        outcome,
        fuel: u64::MAX,
        fee: u128::MAX,
        results: if outcome == Outcome::Ok { vec![vec![], vec![1, 2, 3]] } else { vec![] },
        events: vec![EventRecord { contract, id: u32::MAX, data: vec![4, 5] }],
        footprint: Hash([2; 32]),
        tail: outcome == Outcome::Ok,
        failure: (outcome != Outcome::Ok).then(|| {
            let key = StateKey::new(contract, 7, b"key");
            let declared = (outcome == Outcome::Revert(100)).then_some(AccessKind::Read);
            let bound = |floor| declared.map(|_| Bound { amount: u128::MAX, floor });
            let (takes, may_take) = (bound(1), bound(0));
            let wanted = AccessKind::Write;
            let undeclared = Undeclared { key, wanted, declared, takes, may_take };
            let undeclared = (outcome != Outcome::Revert(u32::MAX)).then_some(undeclared);
            let guarded = outcome == Outcome::Trap(TrapKind::Guarded);
            let guard = guarded.then(|| StateKey::new(contract, 8, b"guard"));
            let unfit = outcome == Outcome::Trap(TrapKind::CounterOutOfBounds);
            let counter = unfit.then(|| StateKey::new(contract, 9, b"counter"));
            Box::new(Failure { action: 1, contract, undeclared, guard, counter })
        }),
    };
    let vector =
        |receipt: Receipt| json!({ "bytes": to_hex(&receipt), "receipt": receipt_json(&receipt) });
    outcomes.map(receipt).map(vector).collect()
}

fn bound_json(bound: Bound) -> Value {
    json!({ "amount": bound.amount.to_string(), "floor": bound.floor.to_string() })
}

fn receipt_json(receipt: &Receipt) -> Value {
    let outcome = match receipt.outcome {
        Outcome::Ok => json!({ "kind": "Ok" }),
        Outcome::Revert(code) => json!({ "kind": "Revert", "code": code }),
        Outcome::Trap(kind) => json!({
            "kind": "Trap", "code": kind.code(), "name": format!("{kind:?}"), "text": kind.describe(),
        }),
    };
    let undeclared = |undeclared: &Undeclared| {
        json!({
            "key": key_json(&undeclared.key),
            "wanted": undeclared.wanted.word(),
            "declared": undeclared.declared.map(AccessKind::word),
            "takes": undeclared.takes.map(bound_json),
            "may_take": undeclared.may_take.map(bound_json),
        })
    };
    let event = |event: &EventRecord| {
        json!({
            "contract": event.contract.to_string(), "id": event.id, "data": hex_of(&event.data),
        })
    };
    json!({
        "tx": receipt.tx.to_string(),
        "outcome": outcome,
        "fuel": receipt.fuel.to_string(),
        "fee": receipt.fee.to_string(),
        "results": receipt.results.iter().map(|bytes| hex_of(bytes)).collect::<Vec<_>>(),
        "events": receipt.events.iter().map(event).collect::<Vec<_>>(),
        "footprint": receipt.footprint.to_string(),
        "tail": receipt.tail,
        "failure": receipt.failure.as_ref().map(|failure| json!({
            "action": failure.action,
            "contract": failure.contract.to_string(),
            "undeclared": failure.undeclared.as_ref().map(undeclared),
            "guard": failure.guard.as_ref().map(key_json),
            "counter": failure.counter.as_ref().map(key_json),
        })),
    })
}

/// All that does not depend on a contract that people may change.
pub(crate) fn protocol() -> Value {
    json!({
        "hashes": hashes(),
        "transactions": transactions(),
        "receipts": receipts(),
        "contracts": [contract(&shapes_abi::abi(), 1, 1)],
    })
}

#[test]
fn the_vectors_are_what_the_chain_makes() {
    // A line for each vector, so that a difference can be read.
    let Value::Object(groups) = protocol() else { unreachable!("it is made of groups") };
    let group = |(name, vectors): (String, Value)| {
        let lines = vectors.as_array().unwrap().iter().map(ToString::to_string);
        format!("\"{name}\": [\n{}\n]", lines.collect::<Vec<_>>().join(",\n"))
    };
    let groups: Vec<String> = groups.into_iter().map(group).collect();
    check_current("vectors.json", &format!("{{\n{}\n}}\n", groups.join(",\n")));
}
