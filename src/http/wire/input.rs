//! What is wrong with an input, in plain words and with the path of each field.
//!
//! A deserializer's own messages are for programmers of the shop. Here every kind of error becomes words of JSON.

use std::fmt;

use serde::de::{Error, Expected, Unexpected, Visitor};

use crate::http::wire::error::FieldError;

/// Every error of an input. The paths are relative to the value that was read; the empty path is the value itself.
#[derive(Debug)]
pub struct InputErrors(Vec<FieldError>);

/// Begins the text of a [`Nested`] error. Other errors begin with words of the shop, so no request can forge it.
const NESTED: &str = "\u{0}fields\u{0}";

/// Errors of a nested object, in the only form that passes through a deserializer: text.
struct Nested(Vec<FieldError>);

impl InputErrors {
    fn one(message: impl Into<String>) -> Self {
        Self::at(String::new(), message)
    }

    pub fn at(field: String, message: impl Into<String>) -> Self {
        Self(vec![FieldError { field, message: message.into() }])
    }

    /// The errors of a nested object as an error of any deserializer.
    pub fn nested<E: Error>(errors: Vec<FieldError>) -> E {
        E::custom(Nested(errors))
    }

    /// The same errors of the value in this field.
    pub fn within(mut self, parent: &str) -> Self {
        for FieldError { field, .. } in &mut self.0 {
            *field = match field.as_str() {
                "" => parent.to_owned(),
                path if path.starts_with('[') => format!("{parent}{path}"),
                path => format!("{parent}.{path}"),
            };
        }
        self
    }

    pub fn into_fields(self) -> Vec<FieldError> {
        self.0
    }
}

impl fmt::Display for Nested {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(NESTED)?;
        formatter.write_str(&serde_json::to_string(&self.0).unwrap_or_default())
    }
}

impl fmt::Display for InputErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors: Vec<_> = self.0.iter().map(|error| format!("{} {}", error.field, error.message)).collect();
        formatter.write_str(errors.join("; ").trim_start())
    }
}

impl std::error::Error for InputErrors {}

pub const UNKNOWN_FIELD: &str = "is not a field of this request";

impl Error for InputErrors {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        let nested = message.strip_prefix(NESTED).and_then(|errors| serde_json::from_str(errors).ok());
        nested.map_or_else(|| Self::one(message), Self)
    }

    fn invalid_type(given: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = in_plain_words(expected);
        let given = match given {
            // A whole number that no type of the shop can hold is read as a float.
            Unexpected::Float(value) if value.abs() >= FIRST_TOO_LARGE && expected == WHOLE_NUMBER => {
                return Self::one(OUT_OF_RANGE);
            }
            Unexpected::Float(value) if value.abs() >= FIRST_TOO_LARGE => "a number",
            Unexpected::Bool(_) => "a boolean",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a number",
            Unexpected::Float(_) => "a number with decimals",
            Unexpected::Char(_) | Unexpected::Str(_) => "a string",
            Unexpected::Unit | Unexpected::Option => "null",
            Unexpected::Seq => "an array",
            Unexpected::Map => "an object",
            _ => "another value",
        };
        Self::one(format!("must be {expected}, not {given}"))
    }

    fn invalid_value(_given: Unexpected<'_>, expected: &dyn Expected) -> Self {
        match in_plain_words(expected).as_str() {
            WHOLE_NUMBER | "a number" => Self::one(OUT_OF_RANGE),
            expected => Self::one(format!("must be {expected}")),
        }
    }

    fn invalid_length(_length: usize, expected: &dyn Expected) -> Self {
        Self::one(format!("must be {}", in_plain_words(expected)))
    }

    fn unknown_variant(_variant: &str, expected: &'static [&'static str]) -> Self {
        Self::one(format!("must be one of {}", expected.join(", ")))
    }

    fn unknown_field(field: &str, _expected: &'static [&'static str]) -> Self {
        Self::at(field.to_owned(), UNKNOWN_FIELD)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::at(field.to_owned(), "is required")
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::at(field.to_owned(), "is given twice")
    }
}

const WHOLE_NUMBER: &str = "a whole number";
const OUT_OF_RANGE: &str = "is out of range";
/// 2^63.
const FIRST_TOO_LARGE: f64 = 9_223_372_036_854_775_808.0;

/// What a type of another crate expects of a string; its own messages are about characters and digits.
fn textual_form(expected: &str) -> Option<&'static str> {
    match expected {
        "an RFC 3339 formatted date and time string" => Some("a time as in RFC 3339, such as 2030-01-31T12:00:00Z"),
        "a formatted date string" => Some("a date, such as 2030-01-31"),
        "a formatted UUID string" => Some("a UUID, such as 6fa459ea-ee8a-4ca4-894e-db77e160355e"),
        _ => None,
    }
}

/// The words of JSON for what a type expects.
fn in_plain_words(expected: &dyn Expected) -> String {
    let expected = expected.to_string();
    if let Some(form) = textual_form(&expected) {
        return form.to_owned();
    }
    let words = match expected.as_str() {
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "isize" | "usize" => WHOLE_NUMBER,
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a borrowed string" | "a character" | "variant identifier" => "a string",
        "a sequence" => "an array",
        "a map" => "an object",
        text if text.starts_with("struct ") => "an object",
        text if text.starts_with("a tuple ") || text.starts_with("tuple ") => "an array",
        text if text.starts_with("enum ") => "a string",
        text => text,
    };
    words.to_owned()
}

/// Shows a text to a visitor.
pub fn visit_text<'de, V: Visitor<'de>>(text: String, visitor: V) -> Result<V::Value, InputErrors> {
    let form = textual_form(&(&visitor as &dyn Expected).to_string());
    let visited = visitor.visit_string(text);
    visited.map_err(|error| form.map_or(error, |form| InputErrors::one(format!("must be {form}"))))
}

/// Why a text is no whole number.
pub fn not_a_whole_number(text: &str) -> InputErrors {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    InputErrors::one(if is_number { OUT_OF_RANGE.to_owned() } else { format!("must be {WHOLE_NUMBER}") })
}
