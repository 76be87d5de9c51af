//! The event types: what a reader of the log or a receiver of webhooks must expect.

use std::sync::LazyLock;

use axum::Json;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::domain::event_types::{ALL, AggregateEvents, EventType};
use crate::http::wire::error::ApiError;
use crate::http::wire::page::Params;

/// An event type of the log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventTypeView {
    #[schema(example = "CategoryCreated")]
    pub event_type: String,
    /// Version of the shape in which new events are stored.
    #[schema(example = "1.0")]
    pub version: String,
    /// Kind of aggregate whose streams have such events.
    #[schema(example = "Category")]
    pub aggregate_type: String,
    /// JSON Schema (draft 2020-12) of the payload. Later versions of the shop may add fields.
    #[schema(value_type = Object)]
    pub schema: Value,
    /// A payload.
    #[schema(value_type = Object, example = json!({ "event": "CategoryCreated", "name": "Kitchen" }))]
    pub sample: Value,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EventTypeFilter {
    /// Only this event type, such as `OrderPlaced`.
    r#type: Option<String>,
}

static EVENT_TYPES: LazyLock<Vec<EventTypeView>> = LazyLock::new(|| ALL.iter().flat_map(describe).collect());

/// List the event types: version, JSON Schema and a sample of each payload
///
/// `events/` and webhooks deliver these payloads.
#[utoipa::path(get, path = "/event-types", tag = "log", security(("bearer" = ["reader"])), params(EventTypeFilter),
    responses((status = 200, body = Vec<EventTypeView>), (status = 404, description = "There is no such event type")))]
pub async fn list_event_types(Params(filter): Params<EventTypeFilter>) -> Result<Json<Vec<EventTypeView>>, ApiError> {
    let Some(name) = filter.r#type else { return Ok(Json(EVENT_TYPES.clone())) };
    let found = EVENT_TYPES.iter().find(|known| known.event_type == name);
    let found = found.ok_or_else(|| ApiError::not_found("event_type_not_found", "Event type not found"))?;
    Ok(Json(vec![found.clone()]))
}

fn describe(events: &AggregateEvents) -> Vec<EventTypeView> {
    let mut schema = events.schema().to_value();
    plain_links(&mut schema);
    let variants = schema.get("oneOf").and_then(Value::as_array).cloned().unwrap_or_default();
    let described = events.event_types().map(|EventType { name, version, sample }| EventTypeView {
        event_type: name.to_owned(),
        version: version.to_owned(),
        aggregate_type: events.aggregate_type.to_owned(),
        schema: schema_of(name, &variants),
        // Tests read every sample.
        sample: serde_json::from_str(sample).unwrap_or_default(),
    });
    described.collect()
}

/// The schema of one event, of those of its aggregate.
fn schema_of(name: &str, variants: &[Value]) -> Value {
    let is_named = |variant: &&Value| variant.pointer("/properties/event/const") == Some(&Value::from(name));
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".to_owned(), name.into());
    let variant = variants.iter().find(is_named).and_then(Value::as_object);
    schema.extend(variant.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
    Value::Object(schema)
}

/// Removes the links of Rust's documentation from descriptions: ``[`Money`](path)``.
fn plain_links(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get_mut("description") {
                let mut parts = text.split("[`");
                let mut plain = parts.next().unwrap_or_default().to_owned();
                for part in parts {
                    let (name, rest) = part.split_once("`]").unwrap_or((part, ""));
                    let rest =
                        rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(rest, |(_, rest)| rest);
                    plain.push_str(&format!("`{name}`{rest}"));
                }
                *text = plain;
            }
            fields.values_mut().for_each(plain_links);
        }
        Value::Array(items) => items.iter_mut().for_each(plain_links),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What of a value does not fit its schema, for the words that the schemas use.
    fn misfits(schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
        if let Some(choices) = schema.get("anyOf").or(schema.get("oneOf")).and_then(Value::as_array) {
            let fits = |choice: &Value| {
                let mut found = vec![];
                misfits(choice, value, path, &mut found);
                found.is_empty()
            };
            if !choices.iter().any(fits) {
                found.push(format!("{path}: {value} fits no choice"));
            }
        }
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let kinds: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            _ => vec![kind],
        };
        if !kinds.contains(&kind) {
            found.push(format!("{path}: {value} is no {kinds:?}"));
        }
        if schema.get("const").is_some_and(|wanted| wanted != value) {
            found.push(format!("{path}: {value} is not {}", schema["const"]));
        }
        if schema.get("enum").and_then(Value::as_array).is_some_and(|words| !words.contains(value)) {
            found.push(format!("{path}: {value} is none of {}", schema["enum"]));
        }
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            misfits(&schema["items"], item, &format!("{path}[{index}]"), found);
        }
        let Some(fields) = value.as_object() else { return };
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                found.push(format!("{path}.{name} is required"));
            }
        }
        for (name, field) in fields {
            if let Some(schema) = schema["properties"].get(name) {
                misfits(schema, field, &format!("{path}.{name}"), found);
            }
        }
    }

    #[test]
    fn every_sample_fits_the_schema_of_its_event() {
        assert!(EVENT_TYPES.len() > 70, "{}", EVENT_TYPES.len());
        for EventTypeView { event_type, schema, sample, .. } in EVENT_TYPES.iter() {
            let mut found = vec![];
            misfits(schema, sample, event_type, &mut found);
            assert_eq!(found, Vec::<String>::new(), "{schema:#}");
            assert_eq!(sample["event"], *event_type);
            let known = schema["properties"].as_object().unwrap_or_else(|| panic!("{event_type}: {schema:#}"));
            // The terms of a discount are one of several shapes.
            if schema.get("oneOf").is_none() {
                let undescribed: Vec<_> =
                    sample.as_object().unwrap().keys().filter(|key| !known.contains_key(*key)).collect();
                assert!(undescribed.is_empty(), "{event_type}: {undescribed:?}");
            }
            let text = schema.to_string();
            assert!(!text.contains("$ref") && !text.contains("[`") && !text.contains("::"), "{text}");
        }
    }

    #[test]
    fn money_and_states_are_described_by_their_types() {
        let placed = EVENT_TYPES.iter().find(|view| view.event_type == "OrderPlaced").unwrap();
        let total = &placed.schema["properties"]["total"];
        assert_eq!((&total["type"], &total["pattern"]), (&"string".into(), &"^[0-9]{1,12}[.][0-9]{2}$".into()));
        let required = placed.schema["required"].as_array().unwrap();
        assert!(required.contains(&"total".into()) && !required.contains(&"pay_by".into()), "{required:?}");
        let line = &placed.schema["properties"]["lines"]["items"]["properties"]["quantity"];
        assert_eq!(line["type"], "integer");
    }
}
