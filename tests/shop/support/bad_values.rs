//! Invalid values for a field, a parameter or an id, derived from the OpenAPI document.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

/// Placeholder in a body for the bad value, which may be no valid `Value`.
const BAD: &str = "@bad@";

/// A valid body: required fields, and those with an example.
pub fn good(document: &Value, schema: &Value, token: &str) -> Value {
    let schema = resolve(document, schema);
    if let Some(example) = schema.get("example").or(schema["examples"].get(0)) {
        let mut good = example.clone();
        // The token in an example opens no cart of this shop.
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            if good.get(name).is_some() && resolve(document, field)["format"] == "uuid" {
                good[name] = json!(token);
            }
        }
        return good;
    }
    let fields = |properties: &Map<String, Value>| {
        let given =
            properties.iter().filter(|(name, field)| is_required(schema, name) || field.get("example").is_some());
        given.map(|(name, field)| (name.clone(), good(document, field, token))).collect()
    };
    match (kind(schema), schema["format"].as_str()) {
        ("object", _) => match schema["properties"].as_object() {
            Some(properties) => Value::Object(fields(properties)),
            None => json!("Kitchen"),
        },
        ("array", _) => json!([good(document, &schema["items"], token)]),
        ("integer", _) => json!(1),
        ("string", Some("uuid")) => json!(token),
        ("string", Some("date-time")) => json!("2026-05-01T12:00:00Z"),
        ("string", Some("password")) => json!("brown teapot, no lid"),
        ("string", None) => json!("nothing in particular"),
        (kind, format) => panic!("there is no example of {kind} {format:?}: {schema}"),
    }
}

/// Bodies that differ from `good` in one invalid value, each with its description.
pub fn bodies(document: &Value, schema: &Value, good: &Value) -> Vec<(String, String)> {
    let mut bodies = Vec::new();
    let schema = resolve(document, schema);
    for (field, field_schema) in schema["properties"].as_object().into_iter().flatten() {
        let with = |value: Value| {
            let mut body = good.clone();
            body[field] = value;
            body
        };
        let field_schema = resolve(document, field_schema);
        for bad in values(field, field_schema, is_required(schema, field)) {
            bodies.push((format!("{field} is {}", shown(&bad)), fill(&with(json!(BAD)), &bad)));
        }
        if kind(field_schema) == "array" {
            let item = &good[field][0];
            let objects = item.is_object().then(|| self::bodies(document, &field_schema["items"], item));
            for (what, bad) in objects.into_iter().flatten() {
                bodies.push((format!("{field}[0]: {what}"), fill(&with(json!([BAD])), &bad)));
            }
            let length = field_schema["maxItems"].as_u64().unwrap() + 1;
            let many: Vec<_> = (0..length).map(|_| item.clone()).collect();
            bodies.push((format!("{length} {field}"), with(json!(many)).to_string()));
        }
        if is_required(schema, field) {
            let mut body = good.clone();
            body.as_object_mut().unwrap().remove(field);
            bodies.push((format!("{field} is missing"), body.to_string()));
        }
    }
    let mut unknown = good.clone();
    unknown["no_such_field"] = json!(1);
    bodies.push(("an unknown field".to_owned(), unknown.to_string()));
    bodies
}

/// The body with the bad value in its place.
fn fill(body: &Value, bad: &str) -> String {
    body.to_string().replace(&format!("\"{BAD}\""), bad)
}

fn shown(bad: &str) -> String {
    bad.chars().take(40).collect()
}

/// Values that the field's schema does not allow, as JSON text.
fn values(field: &str, schema: &Value, required: bool) -> Vec<String> {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let mut values = texts(&["{}", "[[[[1]]]]", "1.5", "1e400", "-1e400", "18446744073709551616"]);
    values.push(["[".repeat(100), "]".repeat(100)].concat());
    values.push(["{\"a\":".repeat(500), "1".to_owned(), "}".repeat(500)].concat());
    if required {
        values.extend(texts(&["null", "\"\""]));
    }
    let nul = "\"a\\u0000b\"";
    match kind(schema) {
        "integer" => {
            let beyond = ["9223372036854775808", "-9223372036854775809", "9223372036854775807", "-9223372036854775808"];
            values.extend(texts(&beyond));
            values.extend(texts(&["true", "\"one\"", "\"1\"", nul]));
            if let Some(maximum) = schema["maximum"].as_i64() {
                values.push((maximum + 1).to_string());
            }
            match schema["minimum"].as_i64() {
                Some(minimum) => values.push((minimum - 1).to_string()),
                None if field.ends_with("_id") => values.extend(texts(&["0", "-1"])),
                None => {}
            }
        }
        "string" => {
            values.extend(texts(&["true", "7", nul]));
            if let Some(length) = schema["maxLength"].as_u64() {
                values.push(json!("é".repeat(usize::try_from(length).unwrap() + 1)).to_string());
            }
            let is_price = schema["examples"][0].as_str().is_some_and(|example| {
                example.parse::<f64>().is_ok() && example.split('.').nth(1).map(str::len) == Some(2)
            });
            match schema["format"].as_str() {
                Some("date-time") => values.extend(texts(&["\"yesterday\"", "\"2024-02-30T00:00:00Z\"", "\"\""])),
                Some(_) => values.push("\"nonsense\"".to_owned()),
                None if is_price => values.extend(texts(&["\"-1\"", "\"1.005\"", "\"1e400\"", "\"NaN\"", "\"\""])),
                None => {}
            }
        }
        "boolean" => values.extend(texts(&["\"yes\"", "1", nul])),
        "array" => {
            values.extend(texts(&["true", "\"x\"", "7", "[null]", "[7]", "[[]]", nul]));
            if schema.get("minItems").is_some() {
                values.push("[]".to_owned());
            }
        }
        "object" => {
            values.extend(texts(&["true", "0", "-1", "9223372036854775807", "[]", nul]));
            if schema["required"].as_array().is_none_or(Vec::is_empty) {
                values.retain(|value| value != "{}");
            }
        }
        kind => panic!("what is wrong for {kind}?"),
    }
    values
}

/// Query values, percent-encoded, and whether each must be refused; others are harmless, or refused by the database.
pub fn query(document: &Value, name: &str, schema: &Value) -> Vec<(String, bool)> {
    let schema = resolve(document, schema);
    let refused = |values: &[&str]| values.iter().map(|value| ((*value).to_owned(), true)).collect::<Vec<_>>();
    let perhaps = |values: &[&str]| values.iter().map(|value| ((*value).to_owned(), false)).collect::<Vec<_>>();
    let mut values = perhaps(&["%FF%FE", "%", "%zz"]);
    match (kind(schema), schema["format"].as_str()) {
        ("integer", _) => {
            values.extend(refused(&["", "soon", "1.5", "1e400", "9223372036854775808", "18446744073709551616", "%00"]));
            values.extend(perhaps(&["0", "-1", "9223372036854775807", "-9223372036854775808"]));
            let bounds =
                [schema["minimum"].as_i64().map(|least| least - 1), schema["maximum"].as_i64().map(|most| most + 1)];
            values.extend(bounds.into_iter().flatten().map(|bound| (bound.to_string(), true)));
        }
        ("string", Some("date")) => {
            values.extend(refused(&["", "yesterday", "2024-02-30", "2024-13-01", "99999999-01-01", "%00"]));
            values.extend(perhaps(&["0000-01-01", "-262143-01-01", "%2B262142-12-31", "%2B12024-01-01"]));
        }
        ("boolean", _) => values.extend(refused(&["", "maybe", "2", "%00"])),
        ("string", _) if schema.get("enum").or(schema.get("oneOf")).is_some() => {
            values.extend(refused(&["", "nonsense", "%00"]))
        }
        ("string", _) if name == "cursor" => {
            values.extend(refused(&["zzz", "%00", "%FF"]));
            let keys = [
                "null",
                "{}",
                "1",
                "-1",
                "[]",
                "[1,2,3,4,5]",
                "[9223372036854775808,1]",
                "[9223372036854775807,1]",
                "[1e400,1]",
                "[\"\\u0000\",1]",
                "[\"1e28\",1]",
                "[\"79228162514264337593543950335\",-1]",
                "[1,\"\\u0000\",1]",
                "\"0000-01-01\"",
                "\"+262142-12-31\"",
                "[\"+262142-12-31T23:59:59Z\",1]",
                "[\"-262143-01-01T00:00:00Z\",1]",
                "9223372036854775807",
                "-9223372036854775808",
            ];
            values.extend(keys.iter().map(|key| (URL_SAFE_NO_PAD.encode(key), false)));
            values.push((URL_SAFE_NO_PAD.encode("[".repeat(500)), true));
        }
        ("string", _) => {
            values.extend(perhaps(&["", "%00", "a%00b", "%00/%00", "Order/%00", "'%3B--", "%25", "-1", "1e400"]));
            values.extend(perhaps(&["9223372036854775807", "9223372036854775808", "%F0%9F%92%A9"]));
            values.push(("x".repeat(20_000), false));
        }
        (kind, _) => panic!("what is wrong for {kind}?"),
    }
    values
}

/// Unknown and malformed ids.
pub fn ids(schema: &Value) -> Vec<String> {
    let mut ids = vec![
        "%00",
        "a%00b",
        "%FF",
        "%F0%9F%92%A9",
        "..%2F..",
        "nonsense",
        "-1",
        "0",
        "1.5",
        "1e3",
        "9223372036854775807",
    ];
    ids.extend(["9223372036854775808", "18446744073709551616", "-9223372036854775808", "+1+", "%2B%31x", "%20"]);
    if schema["format"] == "uuid" {
        ids.extend(["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-4fff-8fff-ffffffffffff"]);
    }
    ids.into_iter().map(str::to_owned).chain(["9".repeat(3_000)]).collect()
}

/// The schema that a reference names, or the other one of an optional field's `oneOf` with null.
pub fn resolve<'doc>(document: &'doc Value, schema: &'doc Value) -> &'doc Value {
    let is_null = |schema: &Value| schema["type"] == "null";
    let among = schema["oneOf"].as_array().filter(|among| among.len() == 2 && among.iter().any(is_null));
    let schema = among.and_then(|among| among.iter().find(|one| !is_null(one))).unwrap_or(schema);
    let name = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/components/schemas/"));
    name.map_or(schema, |name| {
        document["components"]["schemas"].get(name).unwrap_or_else(|| panic!("{name} is not in the document"))
    })
}

/// The parameters of an operation, also those that are references.
pub fn parameters<'doc>(document: &'doc Value, operation: &'doc Value) -> impl Iterator<Item = &'doc Value> {
    operation["parameters"].as_array().into_iter().flatten().map(|parameter| match parameter["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => parameter,
    })
}

fn is_required(schema: &Value, field: &str) -> bool {
    schema["required"].as_array().is_some_and(|required| required.contains(&json!(field)))
}

/// The type, without `null`.
fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        // One of several words, each with a description.
        Value::Null if schema.get("oneOf").is_some() => "string",
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap(),
        kind => kind.as_str().unwrap_or_else(|| panic!("there is no type: {schema}")),
    }
}
