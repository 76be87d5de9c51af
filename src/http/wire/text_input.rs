//! Reading of query strings and path parameters, with errors that name the parameter.

use std::borrow::Cow;

use serde::de::value::StringDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::http::wire::error::{ApiError, FieldError};
use crate::http::wire::input::{InputErrors, UNKNOWN_FIELD, not_a_whole_number, visit_text};

/// Reads the parameters of a query string; 400 names the parameter that is malformed, unknown or given twice.
pub fn from_query<T: DeserializeOwned>(query: &str) -> Result<T, ApiError> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let parameters = Parameters { pairs, current: None };
    T::deserialize(Query(parameters)).map_err(|errors| {
        let mut errors = errors.into_fields();
        for FieldError { field, message } in &mut errors {
            if message == UNKNOWN_FIELD {
                "is not a parameter of this request".clone_into(message);
            }
            if field.is_empty() {
                "query".clone_into(field);
            }
        }
        ApiError::invalid(errors)
    })
}

/// Reads the parameters of a path, in their order: one value, or a tuple of several.
pub fn from_path<T: DeserializeOwned>(parameters: Vec<(String, String)>) -> Result<T, ApiError> {
    let first = parameters.first().map(|(name, _)| name.clone()).unwrap_or_default();
    T::deserialize(Path(parameters.into_iter())).map_err(|errors| {
        let mut errors = errors.into_fields();
        // A type that is made from a text finds its error after the text was read.
        for error in errors.iter_mut().filter(|error| error.field.is_empty()) {
            error.field.clone_from(&first);
        }
        ApiError::invalid(errors)
    })
}

/// The text of one parameter.
struct Text(String);

struct Parameters<'query> {
    pairs: form_urlencoded::Parse<'query>,
    /// The parameter whose name was read last, and its value.
    current: Option<(Cow<'query, str>, Cow<'query, str>)>,
}

struct Query<'query>(Parameters<'query>);

struct Path(std::vec::IntoIter<(String, String)>);

/// Reads numbers from texts.
macro_rules! numbers {
    ($($deserialize:ident $visit:ident,)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputErrors> {
            visitor.$visit(self.0.parse().map_err(|_| not_a_whole_number(&self.0))?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Text {
    type Error = InputErrors;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputErrors> {
        visit_text(self.0, visitor)
    }

    numbers! {
        deserialize_i8 visit_i8,
        deserialize_i16 visit_i16,
        deserialize_i32 visit_i32,
        deserialize_i64 visit_i64,
        deserialize_u8 visit_u8,
        deserialize_u16 visit_u16,
        deserialize_u32 visit_u32,
        deserialize_u64 visit_u64,
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputErrors> {
        match self.0.as_str() {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            _ => Err(InputErrors::custom("must be true or false")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputErrors> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, InputErrors> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, InputErrors> {
        visitor.visit_enum(StringDeserializer::new(self.0))
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

impl<'de> Deserializer<'de> for Query<'_> {
    type Error = InputErrors;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputErrors> {
        visitor.visit_map(self.0)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Parameters<'_> {
    type Error = InputErrors;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, InputErrors> {
        let Some((name, value)) = self.pairs.next() else { return Ok(None) };
        let key = seed.deserialize(StringDeserializer::new(name.clone().into_owned()))?;
        self.current = Some((name, value));
        Ok(Some(key))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, InputErrors> {
        let (name, value) = self.current.take().unwrap_or_default();
        seed.deserialize(Text(value.into_owned())).map_err(|errors| errors.within(&name))
    }
}

/// Reads the only value of a path.
macro_rules! single_value {
    ($($deserialize:ident)*) => {$(
        fn $deserialize<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, InputErrors> {
            let (name, value) = self.0.next().unwrap_or_default();
            Text(value).$deserialize(visitor).map_err(|errors| errors.within(&name))
        }
    )*};
}

impl<'de> Deserializer<'de> for Path {
    type Error = InputErrors;

    single_value! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_str deserialize_string deserialize_option
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value, InputErrors> {
        visitor.visit_seq(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, InputErrors> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, InputErrors> {
        let (parameter, value) = self.0.next().unwrap_or_default();
        Text(value).deserialize_enum(name, variants, visitor).map_err(|errors| errors.within(&parameter))
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple_struct map struct identifier ignored_any
    }
}

impl<'de> SeqAccess<'de> for Path {
    type Error = InputErrors;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, InputErrors> {
        let Some((name, value)) = self.0.next() else { return Ok(None) };
        seed.deserialize(Text(value)).map(Some).map_err(|errors| errors.within(&name))
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use serde::Deserialize;
    use uuid::Uuid;

    use super::*;
    use crate::domain::discount::DiscountCode;
    use crate::domain::ids::{CustomerId, ProductId};
    use crate::domain::order::Status;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Filter {
        limit: Option<i64>,
        #[serde(default)]
        dry_run: bool,
        from: Option<NaiveDate>,
        status: Option<Status>,
        search: Option<String>,
    }

    fn detail<T>(read: Result<T, ApiError>) -> String {
        read.err().map(|error| error.detail().to_owned()).unwrap_or_default()
    }

    #[test]
    fn a_query_is_read_and_its_errors_name_the_parameter() {
        let read: Filter = from_query("limit=5&dry_run=true&status=p%65nding&search=a+b%26").unwrap();
        let expected = Filter {
            limit: Some(5),
            dry_run: true,
            from: None,
            status: Some(Status::Pending),
            search: Some("a b&".into()),
        };
        assert_eq!(read, expected);
        for (query, error) in [
            ("limit=x", "limit must be a whole number"),
            ("limit=", "limit must be a whole number"),
            ("limit=99999999999999999999", "limit is out of range"),
            ("limit=1&limit=2", "limit is given twice"),
            ("dry_run=yes", "dry_run must be true or false"),
            ("from=2030-02-31", "from must be a date, such as 2030-01-31"),
            ("status=lost", "status must be one of pending, processing, shipped, completed, cancelled"),
            ("colour=red", "colour is not a parameter of this request"),
        ] {
            assert_eq!(detail(from_query::<Filter>(query)), error, "{query}");
        }
    }

    #[test]
    fn a_path_is_read_and_its_errors_name_the_parameter() {
        let path =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let ids: (CustomerId, ProductId) = from_path(path(&[("customer_id", "7"), ("product_id", "9")])).unwrap();
        assert_eq!(ids, (CustomerId(7), ProductId(9)));
        assert_eq!(from_path::<CustomerId>(path(&[("customer_id", "7")])).unwrap(), CustomerId(7));
        assert_eq!(from_path::<String>(path(&[("name", "sales")])).unwrap(), "sales");
        let error = detail(from_path::<(CustomerId, ProductId)>(path(&[("customer_id", "7"), ("product_id", "x")])));
        assert_eq!(error, "product_id must be a whole number");
        let error = detail(from_path::<Uuid>(path(&[("cart_token", "x")])));
        assert_eq!(error, "cart_token must be a UUID, such as 6fa459ea-ee8a-4ca4-894e-db77e160355e");
        assert!(detail(from_path::<DiscountCode>(path(&[("code", "")]))).starts_with("code "));
    }
}
