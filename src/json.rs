//! JSON without what parsers read differently: repeated keys, and numbers that are not kept as they are written.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

/// A value without a repeated key in any of its objects.
pub struct Unambiguous(pub Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

/// A number that would be kept as another one, such as `0.10`, or an integer that no type holds.
#[derive(Debug, PartialEq, Eq)]
pub struct InexactNumber {
    /// Its place, as `specifications.sizes[2]`.
    pub path: String,
    written: String,
    kept: String,
}

/// Byte order mark, which some programs write before JSON.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Integers with so many digits are kept as they are.
const SAFE_DIGITS: usize = 15;

/// The bytes after a byte order mark.
pub fn without_byte_order_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}

/// The first number of a JSON text that is not kept as it is written. `None` for a text that is not JSON.
pub fn find_inexact_number(text: &[u8]) -> Option<InexactNumber> {
    // Nearly every text has none, so their places are looked for afterwards.
    if numbers(text).all(|number| kept_as_another(number).is_none()) {
        return None;
    }
    find_in(std::str::from_utf8(text).ok()?, String::new())
}

/// The numbers of a JSON text.
fn numbers(text: &[u8]) -> impl Iterator<Item = &str> {
    let mut place = 0;
    std::iter::from_fn(move || {
        loop {
            let begin = place;
            place += 1;
            match *text.get(begin)? {
                b'"' => {
                    while *text.get(place)? != b'"' {
                        place += if text[place] == b'\\' { 2 } else { 1 };
                    }
                    place += 1;
                }
                b'-' | b'0'..=b'9' => {
                    let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                    place += text[place..].iter().take_while(|byte| is_part(byte)).count();
                    return std::str::from_utf8(&text[begin..place]).ok();
                }
                _ => {}
            }
        }
    })
}

/// What a number would be kept as, if that is another number or has other decimals.
fn kept_as_another(number: &str) -> Option<String> {
    let digits = number.strip_prefix('-').unwrap_or(number);
    if digits.len() <= SAFE_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit()) && number != "-0" {
        return None;
    }
    let parsed: Number = serde_json::from_str(number).ok()?;
    let mut kept = parsed.to_string();
    if parsed.as_f64() == Some(0.0) {
        // The database has no negative zero.
        kept = kept.trim_start_matches('-').to_owned();
    }
    (digits_of(number) != digits_of(&kept)).then_some(kept)
}

/// A number as sign, digits, and the power of ten of the last digit: `1e-05` and `0.00001` are equal, `0.10` and `0.1` not.
fn digits_of(number: &str) -> (bool, String, i64) {
    let (is_negative, unsigned) = number.strip_prefix('-').map_or((false, number), |unsigned| (true, unsigned));
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{decimals}").trim_start_matches('0').to_owned();
    let exponent: i64 = exponent.parse().unwrap_or_default();
    (is_negative, digits, exponent - i64::try_from(decimals.len()).unwrap_or_default())
}

fn find_in(text: &str, path: String) -> Option<InexactNumber> {
    let text = text.trim_ascii();
    match text.bytes().next()? {
        b'{' => {
            let entries: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
            entries.into_iter().find_map(|(key, value)| {
                find_in(value.get(), if path.is_empty() { key } else { format!("{path}.{key}") })
            })
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            items.into_iter().enumerate().find_map(|(index, item)| find_in(item.get(), format!("{path}[{index}]")))
        }
        b'-' | b'0'..=b'9' => kept_as_another(text).map(|kept| InexactNumber { path, written: text.to_owned(), kept }),
        _ => None,
    }
}

impl fmt::Display for InexactNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { written, kept, .. } = self;
        write!(formatter, "is the number {written}, which would be kept as {kept}; write {kept}, or a string")
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unambiguous(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, Unambiguous(value))) = entries.next_entry::<String, _>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom("an object has a repeated key"));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_without_repeated_keys_is_parsed() {
        let text = r#"{"a":[1,-2,2.5,18446744073709551615,true,null,"x\n"],"b":{"a":{}}}"#;
        let Unambiguous(value) = serde_json::from_str(text).unwrap();
        assert_eq!(value, serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn a_repeated_key_is_refused() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"c":2,"a":null}}]"#, r#"{"a":1,"\u0061":2}"#] {
            assert!(serde_json::from_str::<Unambiguous>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_number_that_is_not_kept_as_it_is_written_is_found_with_its_place() {
        for (text, place) in [
            (
                r#"{"a":{"b":[1,0.1000]}}"#,
                "a.b[1] is the number 0.1000, which would be kept as 0.1; write 0.1, or a string",
            ),
            (r#"[{"n": 12345678901234567890123 }]"#, "[0].n is the number 12345678901234567890123, "),
            (r#"{"\"-0": -0, "s": "0.10 \\"}"#, r#""-0 is the number -0, which would be kept as 0.0"#),
            ("-0.0", " is the number -0.0, which would be kept as 0.0"),
            (r#"{"n":1E3}"#, "n is the number 1E3, which would be kept as 1000.0"),
            (r#"{"n":0.12345678901234567890}"#, "n is the number 0.1234567890123456789"),
        ] {
            let found = find_inexact_number(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            let shown = format!("{} {found}", found.path);
            assert!(shown.starts_with(place), "{shown}");
        }
        for text in [
            r#"{"a":[0,-1,2.5,18446744073709551615,-9223372036854775808,1e22,1e+22,1e-05,0.00001,0.1],"b":"0.10 \"0.10","c":{"0.10":{}}}"#,
            "12",
            "{",
            "",
            "\"",
            "-",
        ] {
            assert_eq!(find_inexact_number(text.as_bytes()), None, "{text}");
        }
    }
}
