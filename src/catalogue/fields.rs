//! Reads the fields of an element, and notes every problem with its place.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::format::{Problem, Section};
use crate::http::{UNKNOWN_FIELD, from_json};

const NO_SUCH_FIELD: &str = "the format has no such field";

/// The fields of one element that are not read yet.
pub(super) struct Fields<'a> {
    section: Section,
    line: u64,
    pk: i64,
    fields: Map<String, Value>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Fields<'a> {
    /// Opens an element; `None` if it is none of this section, which is noted.
    pub fn open(section: Section, line: u64, element: Value, problems: &'a mut Vec<Problem>) -> Option<Self> {
        let note = |problems: &mut Vec<Problem>, pk: Option<i64>, message: String| {
            problems.push(Problem { line: Some(line), section: Some(section), pk, field: None, message });
            None
        };
        let Value::Object(mut element) = element else {
            return note(problems, None, "must be an object with model, pk and fields".to_owned());
        };
        let (model, pk, fields) = (element.remove("model"), element.remove("pk"), element.remove("fields"));
        let Some(pk) = pk.as_ref().and_then(Value::as_i64).filter(|pk| *pk > 0) else {
            return note(problems, None, "pk: must be a whole number above 0".to_owned());
        };
        if let Some(unknown) = element.keys().next() {
            return note(problems, Some(pk), format!("{unknown}: an element has only model, pk and fields"));
        }
        if model.as_ref().and_then(Value::as_str) != Some(section.model()) {
            return note(problems, Some(pk), format!("model: must be \"{}\"", section.model()));
        }
        match fields {
            Some(Value::Object(fields)) => Some(Self { section, line, pk, fields, problems }),
            _ => note(problems, Some(pk), "fields: must be an object".to_owned()),
        }
    }

    pub fn pk(&self) -> i64 {
        self.pk
    }

    pub fn contains(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// A field that every element has.
    pub fn required<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        match self.fields.remove(name) {
            Some(value) => self.read(name, value),
            None => self.note(name, "is missing"),
        }
    }

    /// A field that may be absent.
    pub fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let value = self.fields.remove(name)?;
        self.read(name, value)
    }

    /// A field that may be absent, or null for nothing.
    pub fn nullable<T: DeserializeOwned>(&mut self, name: &str) -> Option<Option<T>> {
        match self.fields.remove(name)? {
            Value::Null => Some(None),
            value => self.read(name, value).map(Some),
        }
    }

    /// A time that may be absent.
    pub fn time(&mut self, name: &str) -> Option<DateTime<Utc>> {
        let value = self.fields.remove(name)?;
        let time = value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        match time {
            Some(time) => Some(time.to_utc()),
            None => self.note(name, "must be a time, such as \"2024-05-01T12:00:00Z\""),
        }
    }

    /// Notes a problem of a field.
    pub fn note<T>(&mut self, name: &str, message: &str) -> Option<T> {
        self.problems.push(Problem {
            line: Some(self.line),
            section: Some(self.section),
            pk: Some(self.pk),
            field: Some(name.to_owned()),
            message: message.to_owned(),
        });
        None
    }

    /// Everything that is left, as one value.
    pub fn rest<T: DeserializeOwned>(&mut self) -> Option<T> {
        let left = std::mem::take(&mut self.fields);
        match from_json(Value::Object(left.clone())) {
            Ok(value) => Some(value),
            Err(_) => {
                // Field by field, so that each problem is found.
                for (name, value) in left {
                    let _ = self.read::<T>("", Value::Object(Map::from_iter([(name, value)])));
                }
                None
            }
        }
    }

    /// Notes the fields that the format does not have.
    pub fn end(mut self) {
        let left: Vec<String> = self.fields.keys().cloned().collect();
        for name in left {
            self.note::<()>(&name, NO_SUCH_FIELD);
        }
    }

    fn read<T: DeserializeOwned>(&mut self, name: &str, value: Value) -> Option<T> {
        match from_json(value) {
            Ok(value) => Some(value),
            Err(errors) => {
                for error in errors.within(name).into_fields() {
                    let message = if error.message == UNKNOWN_FIELD { NO_SUCH_FIELD } else { &error.message };
                    self.note::<()>(error.field.trim_start_matches('.'), message);
                }
                None
            }
        }
    }
}
