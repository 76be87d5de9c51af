//! Rows of a list as CSV (RFC 4180): the columns are the fields of the list's description, in the order of its first row.
//!
//! A text that a spreadsheet would execute as a formula gets an apostrophe in front of it, which is how spreadsheets mark
//! text.

use std::borrow::Cow;

use axum::http::HeaderValue;
use serde_json::Value;
use utoipa::openapi::schema::{ArrayItems, Schema, SchemaType, Type};
use utoipa::openapi::{OpenApi, Ref, RefOr};

use crate::csv_file::guard_formula;

pub const CSV: &str = "text/csv";
pub const CSV_CONTENT_TYPE: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8; header=present");

/// The columns of a list.
#[derive(Clone, Debug)]
pub struct Columns {
    columns: Vec<Column>,
    /// Whether a parameter decides which fields all rows have. Columns that the first row does not have are left out.
    by_view: bool,
}

#[derive(Clone, Debug)]
struct Column {
    /// Field, or `field.field` inside an object.
    name: String,
    path: Vec<String>,
}

/// Objects in objects become columns of their own to this depth; deeper ones are JSON in their cell.
const DEPTH: usize = 3;
/// The column of a list of plain values.
const VALUE: &str = "value";

impl Columns {
    /// The columns of a JSON array with this schema; `None` if it is another schema.
    pub fn of_array(document: &OpenApi, schema: &RefOr<Schema>, by_view: bool) -> Option<Self> {
        let Schema::Array(array) = resolve(document, schema)? else { return None };
        let ArrayItems::RefOrSchema(item) = &array.items else { return None };
        let mut columns = Vec::new();
        match fields(document, item) {
            Some(fields) => add_columns(document, &[], fields, &mut columns),
            None => columns.push(Column { name: VALUE.to_owned(), path: vec![] }),
        }
        Some(Self { columns, by_view })
    }
}

/// Writes the header, and then the rows of a list as they come.
pub struct CsvWriter {
    columns: Vec<Column>,
    by_view: bool,
    has_header: bool,
}

impl CsvWriter {
    pub fn new(Columns { columns, by_view }: &Columns) -> Self {
        Self { columns: columns.clone(), by_view: *by_view, has_header: false }
    }

    /// The next rows as CSV.
    pub fn write(&mut self, rows: &[Value]) -> Result<Vec<u8>, csv::Error> {
        match rows.first() {
            None => return Ok(vec![]),
            Some(first) if !self.has_header => {
                if self.by_view {
                    self.columns.retain(|column| column.path.first().is_none_or(|field| first.get(field).is_some()));
                }
                self.columns.sort_by_cached_key(|column| column.place_in(first));
            }
            Some(_) => {}
        }
        self.write_records(rows)
    }

    /// What a list without rows still lacks: its header.
    pub fn finish(&mut self) -> Result<Vec<u8>, csv::Error> {
        if self.has_header { Ok(vec![]) } else { self.write_records(&[]) }
    }

    fn write_records(&mut self, rows: &[Value]) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        if !std::mem::replace(&mut self.has_header, true) {
            writer.write_record(self.columns.iter().map(|column| column.name.as_bytes()))?;
        }
        for row in rows {
            writer.write_record(self.columns.iter().map(|column| cell(column.find(row)).into_owned()))?;
        }
        writer.into_inner().map_err(|error| error.into_error().into())
    }
}

impl Column {
    fn find<'row>(&self, row: &'row Value) -> Option<&'row Value> {
        self.path.iter().try_fold(row, |value, field| value.get(field))
    }

    /// The place of the field in a row, at each depth; fields that the row does not have come last.
    fn place_in(&self, row: &Value) -> Vec<usize> {
        let mut value = Some(row);
        let places = self.path.iter().map(|field| {
            let object = value.and_then(Value::as_object);
            value = object.and_then(|object| object.get(field));
            object.and_then(|object| object.keys().position(|key| key == field)).unwrap_or(usize::MAX)
        });
        places.collect()
    }
}

type Fields<'document> = Vec<(&'document String, &'document RefOr<Schema>)>;

fn add_columns(document: &OpenApi, path: &[String], found: Fields<'_>, columns: &mut Vec<Column>) {
    for (field, schema) in found {
        let path = [path, std::slice::from_ref(field)].concat();
        match fields(document, schema).filter(|_| path.len() < DEPTH) {
            Some(inner) => add_columns(document, &path, inner, columns),
            None if columns.iter().any(|column| column.path == path) => {}
            None => columns.push(Column { name: path.join("."), path }),
        }
    }
}

/// The fields of an object; `None` for other values, and for objects whose fields the description does not name.
fn fields<'document>(document: &'document OpenApi, schema: &'document RefOr<Schema>) -> Option<Fields<'document>> {
    match resolve(document, schema)? {
        Schema::Object(object) if !object.properties.is_empty() => {
            // Required fields are described in their order, all fields by the alphabet.
            let required = object.required.iter().filter_map(|field| object.properties.get_key_value(field));
            let others = object.properties.iter().filter(|(field, _)| !object.required.contains(field));
            Some(required.chain(others).collect())
        }
        Schema::AllOf(parts) => {
            let fields: Fields<'_> = parts.items.iter().filter_map(|part| fields(document, part)).flatten().collect();
            (!fields.is_empty()).then_some(fields)
        }
        Schema::OneOf(kinds) => {
            // An object that may be null.
            let mut kinds = kinds.items.iter().filter(|kind| !is_null(kind));
            let kind = kinds.next().filter(|_| kinds.next().is_none())?;
            fields(document, kind)
        }
        _ => None,
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null))
}

fn resolve<'document>(document: &'document OpenApi, schema: &'document RefOr<Schema>) -> Option<&'document Schema> {
    match schema {
        RefOr::T(schema) => Some(schema),
        RefOr::Ref(Ref { ref_location, .. }) => {
            let name = ref_location.rsplit('/').next()?;
            match document.components.as_ref()?.schemas.get(name)? {
                RefOr::T(schema) => Some(schema),
                RefOr::Ref(_) => None,
            }
        }
    }
}

/// The text of a cell: empty for `null`, JSON for arrays and objects.
fn cell(value: Option<&Value>) -> Cow<'_, str> {
    match value {
        None | Some(Value::Null) => "".into(),
        Some(Value::String(text)) => guard_formula(text),
        Some(other) => other.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn columns(by_view: bool) -> Columns {
        let document = json!({ "openapi": "3.1.0", "info": { "title": "", "version": "" }, "paths": {},
            "components": { "schemas": {
                "Row": { "type": "object", "required": ["id", "name"], "properties": {
                    "id": { "type": "integer" },
                    "name": { "type": "string" },
                    "level": { "$ref": "#/components/schemas/Level" },
                    "before": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Level" }] },
                    "tags": { "type": "array", "items": { "type": "string" } },
                    "payload": { "type": "object" },
                } },
                "Level": { "type": "object", "properties": { "on_hand": { "type": "integer" } } },
            } } });
        let rows = json!({ "type": "array", "items": { "$ref": "#/components/schemas/Row" } });
        let (document, rows) = (serde_json::from_value(document).unwrap(), serde_json::from_value(rows).unwrap());
        Columns::of_array(&document, &rows, by_view).unwrap()
    }

    fn written(rows: &[Value]) -> String {
        let mut writer = CsvWriter::new(&columns(false));
        let mut written = writer.write(rows).unwrap();
        written.extend(writer.finish().unwrap());
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn a_list_without_rows_has_its_header() {
        assert_eq!(written(&[]), "id,name,before.on_hand,level.on_hand,payload,tags\r\n");
    }

    #[test]
    fn values_are_quoted_flattened_or_json() {
        let row = json!({
            "id": 1, "name": "Tea, \"green\"\nloose", "level": { "on_hand": -3 }, "before": null, "tags": ["a", "b"],
            "payload": { "x": 1.5 },
        });
        let expected = "id,name,level.on_hand,before.on_hand,tags,payload\r\n\
                        1,\"Tea, \"\"green\"\"\nloose\",-3,,\"[\"\"a\"\",\"\"b\"\"]\",\"{\"\"x\"\":1.5}\"\r\n";
        assert_eq!(written(&[row]), expected);
    }

    #[test]
    fn a_list_with_views_has_the_columns_of_its_view() {
        let mut writer = CsvWriter::new(&columns(true));
        let rows = [json!({ "id": 1, "name": "Tea", "level": null }), json!({ "id": 2, "name": "Cup", "level": {} })];
        assert_eq!(
            String::from_utf8(writer.write(&rows).unwrap()).unwrap(),
            "id,name,level.on_hand\r\n1,Tea,\r\n2,Cup,\r\n"
        );
    }

    #[test]
    fn a_formula_becomes_text() {
        let rows = [json!({ "name": "=1+1", "id": -5 }), json!({ "id": 1, "name": "-5.00" })];
        assert!(written(&rows).ends_with("\r\n'=1+1,-5,,,,\r\n-5.00,1,,,,\r\n"));
    }
}
