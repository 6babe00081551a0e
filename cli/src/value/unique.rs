//! JSON in which no object has two members of one name: nobody could tell which of them is meant.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// Any value of JSON.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unique(pub(crate) Value);

/// The members of an object that have values of one type.
#[derive(Debug)]
pub(crate) struct Members<V>(pub(crate) BTreeMap<String, V>);

/// Reads the members of an object, and refuses a name that is there already.
fn members<'de, A: MapAccess<'de>, V: Deserialize<'de>>(
    mut map: A,
) -> Result<BTreeMap<String, V>, A::Error> {
    let mut members = BTreeMap::new();
    while let Some(name) = map.next_key::<String>()? {
        if members.contains_key(&name) {
            return Err(A::Error::custom(format!("`{}` is given twice", name.escape_debug())));
        }
        members.insert(name, map.next_value()?);
    }
    Ok(members)
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Members<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Object<V> {
            type Value = BTreeMap<String, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                members(map)
            }
        }

        deserializer.deserialize_map(Object(PhantomData)).map(Self)
    }
}

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any).map(Self)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        let members = members::<A, Unique>(map)?;
        Ok(members.into_iter().map(|(name, Unique(value))| (name, value)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let read = serde_json::from_str::<Unique>(text);
        if let Ok(Unique(value)) = &read {
            assert_eq!(*value, serde_json::from_str::<Value>(text).unwrap());
        }
        assert_eq!(read.err().map(|error| error.to_string()).as_deref(), expected);
    }

    #[test]
    fn a_value_is_read_as_serde_json_reads_it() {
        let text = r#"{"b": [null, true, -1, 18446744073709551615, 1.5, 1e300, "é\n", {}], "a": {"a": 1}}"#;
        check(text, None);
        check("99999999999999999999999999", None);
        let deep = "[".repeat(200);
        check(&deep, Some("recursion limit exceeded at line 1 column 128"));
    }

    #[test]
    fn a_name_is_given_once_however_deep_and_however_it_is_written() {
        check(r#"{"a": 1, "a": 1}"#, Some("`a` is given twice at line 1 column 12"));
        let deep = r#"{"a": [{"b": {"a": "x", "\u0061": 2}}]}"#;
        check(deep, Some("`a` is given twice at line 1 column 32"));
    }

    #[test]
    fn members_of_one_type_are_given_once() {
        let read = |text: &str| serde_json::from_str::<Members<u8>>(text);
        assert_eq!(read(r#"{"a": 1, "b": 2}"#).unwrap().0["b"], 2);
        let error = read(r#"{"a": 1, "a": 2}"#).unwrap_err().to_string();
        assert_eq!(error, "`a` is given twice at line 1 column 12");
        let error = read("[1]").unwrap_err().to_string();
        assert_eq!(error, "invalid type: sequence, expected a map at line 1 column 0");
    }
}
