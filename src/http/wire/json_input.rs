//! Reading of JSON values, with errors that name each field by its path.

use serde::de::value::StringDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use crate::http::wire::input::{InputErrors, visit_text};

/// Reads a value.
pub fn from_json<T: DeserializeOwned>(value: Value) -> Result<T, InputErrors> {
    T::deserialize(Json(value))
}

struct Json(Value);

struct Items {
    items: std::vec::IntoIter<Value>,
    index: usize,
}

struct Entries {
    entries: serde_json::map::IntoIter,
    /// The field whose name was read last, and its value.
    current: Option<(String, Value)>,
}

impl<'de> Deserializer<'de> for Json {
    type Error = InputErrors;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputErrors> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), ..) => visitor.visit_u64(value),
                (_, Some(value), _) => visitor.visit_i64(value),
                (.., value) => visitor.visit_f64(value.unwrap_or(f64::NAN)),
            },
            Value::String(text) => visit_text(text, visitor),
            Value::Array(items) => visitor.visit_seq(Items { items: items.into_iter(), index: 0 }),
            Value::Object(object) => visit_object(object, visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputErrors> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            value => visitor.visit_some(Self(value)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, InputErrors> {
        visitor.visit_newtype_struct(self)
    }

    /// Only an object is read as a struct; an array would be read by the order of the fields.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, InputErrors> {
        match self.0 {
            Value::Object(object) => visit_object(object, visitor),
            value => Err(InputErrors::invalid_type(unexpected(&value), &"an object")),
        }
    }

    /// Enums of requests are words.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, InputErrors> {
        match self.0 {
            Value::String(word) => visitor.visit_enum(StringDeserializer::new(word)),
            value => Err(InputErrors::invalid_type(unexpected(&value), &"a string")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

fn visit_object<'de, V: Visitor<'de>>(object: Map<String, Value>, visitor: V) -> Result<V::Value, InputErrors> {
    visitor.visit_map(Entries { entries: object.into_iter(), current: None })
}

fn unexpected(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(value) => Unexpected::Bool(*value),
        Value::Number(number) if number.is_f64() => Unexpected::Float(number.as_f64().unwrap_or_default()),
        Value::Number(_) => Unexpected::Signed(0),
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    }
}

impl<'de> SeqAccess<'de> for Items {
    type Error = InputErrors;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, InputErrors> {
        let Some(item) = self.items.next() else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        seed.deserialize(Json(item)).map(Some).map_err(|errors| errors.within(&format!("[{index}]")))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

impl<'de> MapAccess<'de> for Entries {
    type Error = InputErrors;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, InputErrors> {
        let Some((name, value)) = self.entries.next() else { return Ok(None) };
        let key = seed.deserialize(StringDeserializer::new(name.clone()))?;
        self.current = Some((name, value));
        Ok(Some(key))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, InputErrors> {
        let (name, value) = self.current.take().unwrap_or_default();
        seed.deserialize(Json(value)).map_err(|errors| errors.within(&name))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDate, Utc};
    use serde::Deserialize;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::domain::order::Action;
    use crate::http::wire::body::body;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its errors are looked at")]
    struct Order {
        lines: Vec<Line>,
        at: Option<DateTime<Utc>>,
        day: Option<NaiveDate>,
        id: Option<Uuid>,
        action: Option<Action>,
        share: Option<f64>,
        gift: Option<bool>,
        to: Option<To>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its errors are looked at")]
    struct Line {
        quantity: i64,
    }

    body! {
        #[derive(Debug)]
        #[expect(dead_code, reason = "only its errors are looked at")]
        pub struct To {
            pub name: String,
            pub city: String,
        }
    }

    fn errors(value: Value) -> Vec<String> {
        let errors = from_json::<Order>(value).unwrap_err().into_fields();
        errors.into_iter().map(|error| format!("{} {}", error.field, error.message)).collect()
    }

    #[test]
    fn errors_are_plain_words_with_the_path_of_the_field() {
        for (value, error) in [
            (json!([]), " must be an object, not an array"),
            (json!({}), "lines is required"),
            (json!({ "lines": null }), "lines must be an array, not null"),
            (
                json!({ "lines": [{ "quantity": 1 }, { "quantity": "1" }] }),
                "lines[1].quantity must be a whole number, not a string",
            ),
            (
                json!({ "lines": [{ "quantity": 1.5 }] }),
                "lines[0].quantity must be a whole number, not a number with decimals",
            ),
            (json!({ "lines": [{ "quantity": u64::MAX }] }), "lines[0].quantity is out of range"),
            (json!({ "lines": [{ "quantity": 99_999_999_999_999_999_999.0 }] }), "lines[0].quantity is out of range"),
            (json!({ "lines": [{ "quantity": -1e300 }] }), "lines[0].quantity is out of range"),
            (json!({ "lines": [{}] }), "lines[0].quantity is required"),
            (json!({ "lines": [], "colour": 1 }), "colour is not a field of this request"),
            (json!({ "at": "tomorrow" }), "at must be a time as in RFC 3339, such as 2030-01-31T12:00:00Z"),
            (json!({ "day": 3 }), "day must be a date, such as 2030-01-31, not a number"),
            (json!({ "day": "2030-02-31" }), "day must be a date, such as 2030-01-31"),
            (json!({ "id": "x" }), "id must be a UUID, such as 6fa459ea-ee8a-4ca4-894e-db77e160355e"),
            (json!({ "action": 7 }), "action must be a string, not a number"),
            (json!({ "action": u64::MAX }), "action must be a string, not a number"),
            (json!({ "action": 1e30 }), "action must be a string, not a number"),
            (json!({ "action": 0.5 }), "action must be a string, not a number with decimals"),
            (json!({ "share": "half" }), "share must be a number, not a string"),
            (json!({ "gift": "yes" }), "gift must be true or false, not a string"),
            (json!({ "to": "Rome" }), "to must be an object, not a string"),
        ] {
            assert_eq!(errors(value.clone()), [error], "{value}");
        }
        let words = &errors(json!({ "action": "dance" }))[0];
        assert!(words.starts_with("action must be one of process, pay, "), "{words}");
    }

    #[test]
    fn every_error_of_a_nested_object_has_its_path() {
        let nested = errors(json!({ "to": { "name": 1, "street": "Mill Lane" } }));
        assert_eq!(
            nested,
            [
                "to.name must be a string, not a number",
                "to.city is required",
                "to.street is not a field of this request"
            ]
        );
    }
}
