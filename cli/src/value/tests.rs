//! Against the derived encoder, for any type and value, and for any bytes.

use kempe_abi::{AbiType, Address, Hash, Member, MethodId, Param, Type, TypeDef, Variant, borsh};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn names(name: &str) -> Option<Address> {
    (name == "alice").then_some(Address([0xa1; 32]))
}

fn type_of<T: AbiType>() -> Type {
    Type::from(T::TYPE)
}

/// The bytes of a Rust value are those of its JSON, both ways.
fn same<T: AbiType>(value: &T, json: &Value) {
    let (ty, bytes) = (type_of::<T>(), borsh::to_vec(value).unwrap());
    assert_eq!(from_json(&ty, json, &names).unwrap(), bytes, "{ty}");
    assert_eq!(to_json(&ty, &bytes).unwrap(), *json, "{ty}");
}

#[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
enum Order {
    Cancel,
    Limit { price: u64, tags: Vec<String> },
    Swap(u8, i16),
}

impl AbiType for Order {
    const TYPE: &'static TypeDef = &TypeDef::Enum(
        "Order",
        &[
            ("Cancel", &[]),
            ("Limit", &[("price", u64::TYPE), ("tags", <Vec<String>>::TYPE)]),
            ("Swap", &[("0", u8::TYPE), ("1", i16::TYPE)]),
        ],
    );
}

#[test]
fn json_is_what_the_derived_encoder_writes() {
    same(&u128::MAX, &json!("340282366920938463463374607431768211455"));
    same(&(-5i128, u64::MAX, i64::MIN), &json!(["-5", u64::MAX, i64::MIN]));
    same(&vec![1u8, 2, 255], &json!("0x0102ff"));
    same(&[7u8; 3], &json!("0x070707"));
    same(&[7u16; 2], &json!([7, 7]));
    same(&Some("x".to_owned()), &json!("x"));
    same(&None::<Option<u8>>, &json!(null));
    same(&Some(None::<u8>), &json!({ "some": null }));
    same(&Some(Some(3u8)), &json!({ "some": 3 }));
    same(&Some(()), &json!({ "some": null }));
    same(&(Address([1; 32]), Hash([2; 32])), &json!([Address([1; 32]), Hash([2; 32])]));
    same(
        &vec![Order::Cancel, Order::Limit { price: 9, tags: vec!["a".into()] }, Order::Swap(1, -2)],
        &json!(["Cancel", { "Limit": { "price": 9, "tags": ["a"] } }, { "Swap": [1, -2] }]),
    );
}

#[test]
fn arguments_are_read_as_people_write_them() {
    fn check<T: AbiType>(text: &str, value: &T) {
        let read = from_text(&type_of::<T>(), text, &names).unwrap();
        assert_eq!(read, borsh::to_vec(value).unwrap(), "{text}");
    }
    check("1_000_000", &1_000_000u128);
    check("-7", &-7i8);
    check("true", &true);
    check(" spaces stay ", &" spaces stay ".to_owned());
    check("42", &"42".to_owned());
    check("alice", &Address([0xa1; 32]));
    check(&Address([3; 32]).to_string(), &Address([3; 32]));
    check("0x0a0b", &vec![10u8, 11]);
    check("[10, 11]", &vec![10u8, 11]);
    check("none", &None::<u64>);
    check("5", &Some(5u64));
    check("none", &None::<String>);
    check("\"none\"", &Some("none".to_owned()));
    check("{\"some\": null}", &Some(None::<u8>));
    check("Cancel", &Order::Cancel);
    check("{\"Swap\": [1, 2]}", &Order::Swap(1, 2));
    check("[\"alice\", \"alice\"]", &vec![Address([0xa1; 32]); 2]);
}

#[test]
fn errors_name_the_place_the_type_and_an_example() {
    let fails = |ty: Type, text: &str| from_text(&ty, text, &names).unwrap_err().to_string();
    let starts = |error: String, start: &str| assert!(error.starts_with(start), "{error}");
    starts(fails(Type::U8, "256"), "expected u8, got `256`; for example: 100");
    starts(fails(Type::U128, "1.5"), "expected u128, got `1.5`");
    starts(fails(Type::U64, "-1"), "expected u64, got `-1`");
    starts(fails(Type::Bool, "yes"), "expected bool, got `yes`; for example: true");
    starts(fails(Type::Address, "bob"), "expected address, and `bob` is neither");
    starts(fails(Type::Address, "0x12"), "expected address, and `0x12` is neither");
    starts(fails(type_of::<[u8; 2]>(), "0x12"), "expected 2 bytes, got 1; for example: 0xabab");
    starts(fails(type_of::<Vec<u8>>(), "hello"), "expected bytes, got `hello`; for example: 0xc0");
    starts(fails(type_of::<Vec<u64>>(), "1,2"), "expected list<u64> in JSON");
    starts(fails(type_of::<Vec<u64>>(), "[1, \"x\"]"), "at `[1]`: expected u64, got `x`");
    starts(
        fails(type_of::<Vec<u128>>(), "[99999999999999999999999999]"),
        "at `[0]`: expected u128, got a number that JSON does not carry exactly; write it in quotes",
    );
    starts(
        fails(type_of::<Order>(), "Cancle"),
        "Order has no variant `Cancle`: did you mean `Cancel`?",
    );
    starts(fails(type_of::<Order>(), "Swap"), "variant `Swap` of Order has fields");
    starts(
        fails(type_of::<Order>(), "{\"Limit\": {\"price\": 1, \"tag\": []}}"),
        "at `Limit`: Order has no field `tag`: did you mean `tags`?",
    );
    starts(
        fails(type_of::<Order>(), "{\"Limit\": {\"price\": true, \"tags\": []}}"),
        "at `Limit.price`: expected u64, got true",
    );
    starts(fails(type_of::<Vec<()>>(), "[null]"), "a byte is not permitted");
}

fn params() -> Vec<Param> {
    let param = |name: &str, ty| Member { name: name.into(), ty };
    vec![
        param("to", Type::Address),
        param("amount_max", Type::U64),
        param("memo", Type::Option(Box::new(Type::String))),
    ]
}

fn args(line: &str) -> Result<Vec<u8>, String> {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let given = parse_flags(&words).map_err(|error| error.to_string())?;
    encode_args(&params(), &given, &names).map_err(|error| error.to_string())
}

#[test]
fn arguments_come_by_name_or_in_order() {
    let expected = borsh::to_vec(&(Address([0xa1; 32]), 5u64, None::<String>)).unwrap();
    for line in ["--to alice --amount-max 5", "--amount_max=5 alice", "alice 5 none"] {
        assert_eq!(args(line).as_ref(), Ok(&expected), "{line}");
    }
    let example = "for example: --to alice --amount_max 100 --memo 'some text'";
    for (line, start) in [
        ("--to alice", "parameter `amount_max` (u64) is missing"),
        ("--too alice", "there is no parameter `too`: did you mean `to`?"),
        ("alice 5 hello 6", "`6` is one argument too many: the method has 3 parameters"),
        ("--to alice --to alice", "parameter `to` is given twice"),
    ] {
        let error = args(line).unwrap_err();
        assert!(error.starts_with(start) && error.ends_with(example), "{error}");
    }
    assert!(args("--to").unwrap_err().starts_with("`--to` has no value"));
    assert!(args("alice x").unwrap_err().starts_with("at `amount_max`: expected u64, got `x`"));
}

#[test]
fn the_text_of_a_value_cannot_drive_a_terminal() {
    let bytes = borsh::to_vec(&"\u{1b}[2J\n".to_owned()).unwrap();
    assert_eq!(display(&Type::String, &bytes, &()).unwrap(), "\"\\u{1b}[2J\\n\"");
    let value = (Address([0xa1; 32]), Some(5u128), vec![1u8]);
    let ty = type_of::<(Address, Option<u128>, Vec<u8>)>();
    let text = display(&ty, &borsh::to_vec(&value).unwrap(), &Known).unwrap();
    assert_eq!(text, "(alice, 5, 0x01)");
}

/// Knows alice, and the method 7 of her address, which takes no arguments.
struct Known;

impl Words for Known {
    fn name(&self, address: &Address) -> Option<String> {
        (address.0 == [0xa1; 32]).then(|| "alice".to_owned())
    }

    fn call(&self, contract: &Address, method: MethodId, args: &[u8]) -> Option<String> {
        let is_known = (method.0, args) == (7, &[]);
        self.name(contract).filter(|_| is_known).map(|name| format!("{name}.ring()"))
    }
}

#[test]
fn fields_that_hold_a_call_are_shown_as_the_call() {
    let member = |name: &str, ty: Type| Member { name: name.into(), ty };
    let bytes = || Type::List(Box::new(Type::U8));
    let held =
        [member("contract", Type::Address), member("method", Type::U32), member("args", bytes())];
    let shown = |ty: &Type, value: &[u8]| display(ty, value, &Known).unwrap();
    let call = |contract: u8, method: u32, args: &[u8]| {
        borsh::to_vec(&(Address([contract; 32]), method, args)).unwrap()
    };
    let step = Type::Struct("Step".into(), held.to_vec());
    assert_eq!(shown(&step, &call(0xa1, 7, &[])), "alice.ring()");
    // What is behind a call is still there, and so is what is behind one that is not known.
    let call_or_stop = Type::Enum(
        "Step".into(),
        vec![
            Variant { name: "Stop".into(), fields: vec![] },
            Variant { name: "Call".into(), fields: held.to_vec() },
        ],
    );
    let steps = Type::Tuple(vec![Type::List(Box::new(call_or_stop)), Type::U8]);
    let parts = [
        &4u32.to_le_bytes()[..],
        &[1],
        &call(0xa1, 7, &[]),
        &[1],
        &call(0xa1, 8, &[]),
        &[1],
        &call(0xa1, 7, &[9]),
        &[0, 5],
    ];
    let text = shown(&steps, &parts.concat());
    let raw = |method: u32, args: &str| {
        format!("Call{{contract: alice, method: {method}, args: 0x{args}}}")
    };
    let expected = format!("([Call(alice.ring()), {}, {}, Stop], 5)", raw(8, ""), raw(7, "09"));
    assert_eq!(text, expected);

    // Others only look alike: another name, another order, another type, a field more.
    let [contract, method, args] = held;
    for fields in [
        vec![member("at", Type::Address), method.clone(), args.clone()],
        vec![contract.clone(), member("method", Type::I32), args.clone()],
        vec![contract.clone(), method.clone(), member("args", Type::String)],
        vec![contract.clone(), method.clone(), args.clone(), member("n", Type::Unit)],
    ] {
        let text = shown(&Type::Struct("Step".into(), fields), &call(0xa1, 7, &[]));
        assert!(text.starts_with('{') && text.contains("alice"), "{text}");
    }
    let swapped = Type::Struct("Step".into(), vec![method, contract, args]);
    let bytes = borsh::to_vec(&(7u32, Address([0xa1; 32]), Vec::<u8>::new())).unwrap();
    assert_eq!(shown(&swapped, &bytes), "{method: 7, contract: alice, args: 0x}");
}

fn any_type() -> impl Strategy<Value = Type> {
    use Type::*;
    let leaf = prop::sample::select(vec![
        Unit, Bool, U8, U16, U32, U64, U128, I8, I16, I32, I64, I128, String, Address, Hash,
    ]);
    leaf.prop_recursive(3, 24, 4, |inner| {
        let member = |(i, ty)| Member { name: format!("field_{i}"), ty };
        let members = move |named: bool, types: Vec<Type>| -> Vec<Member> {
            let name = |i: usize| if named { format!("field_{i}") } else { i.to_string() };
            let members = types.into_iter().enumerate().map(member).enumerate();
            members.map(|(i, m)| Member { name: name(i), ..m }).collect()
        };
        let types = prop::collection::vec(inner.clone(), 0..4);
        // Lists of values without bytes are refused by the boundary crate.
        let element = inner.clone().prop_filter("no bytes", has_bytes);
        prop_oneof![
            inner.prop_map(|ty| Option(Box::new(ty))),
            element.clone().prop_map(|ty| List(Box::new(ty))),
            (element, 0u32..4).prop_map(|(ty, n)| Array(Box::new(ty), n)),
            types.clone().prop_map(Tuple),
            (any::<bool>(), types.clone())
                .prop_map(move |(named, types)| Struct("S".into(), members(named, types))),
            prop::collection::vec((any::<bool>(), types), 1..4).prop_map(move |variants| {
                let variant = |(i, (named, types))| Variant {
                    name: format!("V{i}"),
                    fields: members(named, types),
                };
                Enum("E".into(), variants.into_iter().enumerate().map(variant).collect())
            }),
        ]
    })
}

fn has_bytes(ty: &Type) -> bool {
    match ty {
        Type::Unit => false,
        Type::Array(inner, n) => *n > 0 && has_bytes(inner),
        Type::Tuple(members) => members.iter().any(has_bytes),
        Type::Struct(_, fields) => fields.iter().any(|field| has_bytes(&field.ty)),
        _ => true,
    }
}

fn all<T: 'static + std::fmt::Debug>(parts: Vec<BoxedStrategy<T>>) -> BoxedStrategy<Vec<T>> {
    parts.boxed()
}

fn any_fields(fields: &[Member]) -> BoxedStrategy<Vec<u8>> {
    all(fields.iter().map(|field| any_bytes(&field.ty)).collect()).prop_map(|p| p.concat()).boxed()
}

/// The encodings of a type.
fn any_bytes(ty: &Type) -> BoxedStrategy<Vec<u8>> {
    fn of<T: Arbitrary + AbiType + 'static>() -> BoxedStrategy<Vec<u8>> {
        any::<T>().prop_map(|value| borsh::to_vec(&value).unwrap()).boxed()
    }
    match ty {
        Type::Unit => Just(vec![]).boxed(),
        Type::Bool => of::<bool>(),
        Type::U8 | Type::I8 => of::<u8>(),
        Type::U16 | Type::I16 => of::<u16>(),
        Type::U32 | Type::I32 => of::<u32>(),
        Type::U64 | Type::I64 => of::<u64>(),
        Type::U128 | Type::I128 => of::<u128>(),
        Type::String => of::<String>(),
        Type::Address | Type::Hash => of::<[u8; 32]>(),
        Type::Option(inner) => prop::option::of(any_bytes(inner))
            .prop_map(|value| value.map_or(vec![0], |bytes| [vec![1], bytes].concat()))
            .boxed(),
        Type::List(inner) => prop::collection::vec(any_bytes(inner), 0..4)
            .prop_map(|items| {
                let n = u32::try_from(items.len()).unwrap();
                [n.to_le_bytes().to_vec(), items.concat()].concat()
            })
            .boxed(),
        Type::Array(inner, n) => prop::collection::vec(any_bytes(inner), *n as usize)
            .prop_map(|items| items.concat())
            .boxed(),
        Type::Tuple(members) => {
            all(members.iter().map(any_bytes).collect()).prop_map(|parts| parts.concat()).boxed()
        }
        Type::Struct(_, fields) => any_fields(fields),
        Type::Enum(_, variants) => {
            let variant = |(tag, variant): (usize, &Variant)| {
                let tag = u8::try_from(tag).unwrap();
                any_fields(&variant.fields)
                    .prop_map(move |bytes| [vec![tag], bytes].concat())
                    .boxed()
            };
            prop::strategy::Union::new(variants.iter().enumerate().map(variant)).boxed()
        }
    }
}

fn any_value() -> impl Strategy<Value = (Type, Vec<u8>)> {
    any_type().prop_flat_map(|ty| {
        let bytes = any_bytes(&ty);
        (Just(ty), bytes)
    })
}

proptest! {
    #[test]
    fn any_value_survives_json_and_text((ty, bytes) in any_value()) {
        let json = to_json(&ty, &bytes).unwrap();
        prop_assert_eq!(&from_json(&ty, &json, &names).unwrap(), &bytes);
        let compound = !matches!(ty, Type::String);
        let text = match &json {
            Value::String(text) => text.clone(),
            other if compound => other.to_string(),
            other => other.as_str().unwrap_or_default().to_owned(),
        };
        // An optional string that is a word or a quotation needs the quotes of JSON.
        let text = match &ty {
            Type::Option(inner) if **inner == Type::String => json.to_string(),
            _ => text,
        };
        prop_assert_eq!(&from_text(&ty, &text, &names).unwrap(), &bytes, "{}", text);
        let shown = display(&ty, &bytes, &()).unwrap();
        prop_assert!(!shown.contains(char::is_control), "{}", shown);
    }

    #[test]
    fn any_example_is_a_value(ty in any_type()) {
        let shown = example(&ty);
        prop_assert!(from_text(&ty, &shown, &names).is_ok(), "{}: {}", ty, shown);
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(ty in any_type(), bytes: Vec<u8>) {
        if let Ok(json) = to_json(&ty, &bytes) {
            prop_assert_eq!(from_json(&ty, &json, &names).unwrap(), bytes);
        }
    }
}
