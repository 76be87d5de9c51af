//! Columns of a CSV file of products: which field of a product each one is, and its cells as JSON.
//!
//! A cell becomes what a client would send, so that a row passes the same checks as a request. An empty cell is an absent
//! field.

use std::fmt;

use csv::StringRecord;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::csv_file::without_guard;
use crate::json::{Unambiguous, find_inexact_number};

/// How the text of a cell becomes JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CellKind {
    Text,
    Whole,
    /// `true`, `false`, `yes`, `no`, `1`, `0`.
    Flag,
    /// An object.
    Json,
}

use CellKind::{Flag, Json, Text, Whole};

/// The fields of a product that a file may have; those of a phone after a point.
const FIELDS: [(&str, CellKind); 35] = [
    ("product_id", Whole),
    ("sku", Text),
    ("name", Text),
    ("price", Text),
    ("category", Text),
    ("description", Text),
    ("stock", Whole),
    ("slug", Text),
    ("brand", Text),
    ("on_sale", Flag),
    ("discontinued", Flag),
    ("specifications", Json),
    ("weight_g", Whole),
    ("dimensions", Text),
    ("supplier_id", Whole),
    ("metadata", Json),
    ("imei", Text),
    ("phone", Json),
    ("phone.brand", Text),
    ("phone.model", Text),
    ("phone.operating_system", Text),
    ("phone.screen_size", Text),
    ("phone.resolution", Text),
    ("phone.processor", Text),
    ("phone.battery_capacity", Whole),
    ("phone.camera_main", Text),
    ("phone.camera_front", Text),
    ("phone.network", Text),
    ("phone.warranty", Text),
    ("phone.is_new", Flag),
    ("phone.box_included", Flag),
    ("phone.accessories", Text),
    ("phone.storage", Whole),
    ("phone.ram", Whole),
    ("phone.color", Text),
];

/// Other names by which a column is recognised.
const OTHER_NAMES: [(&str, &str); 6] = [
    ("title", "name"),
    ("product_name", "name"),
    ("category_name", "category"),
    ("article_number", "sku"),
    ("on_hand", "stock"),
    ("quantity", "stock"),
];

/// What the operator says about the columns.
#[derive(Clone, Debug, Default)]
pub struct ColumnOptions {
    /// Fields and the columns that they are read from.
    pub mapping: Vec<(String, String)>,
    /// Whether columns that are no field are left out.
    pub ignore_others: bool,
}

#[derive(Debug, Error, PartialEq, Eq)]
pub enum ColumnError {
    #[error("{0:?} is no field of a product; fields: {fields}", fields = list_fields())]
    UnknownField(String),
    #[error("the file has no column {0:?}; its columns: {1}")]
    UnknownColumn(String, String),
    #[error(
        "the columns {0:?} and {1:?} are both {2}; name one of them with --map {2}=COLUMN, and leave out the other"
    )]
    TwoColumns(String, String, &'static str),
    #[error(
        "unknown columns: {0}; say what they are with --map FIELD=COLUMN, or leave them out with --ignore-others; \
         fields: {fields}", fields = list_fields()
    )]
    Unrecognised(String),
    #[error("no column is a field of a product")]
    Nothing,
}

/// The field of each column of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductColumns {
    /// Name of the column, and its field; `None` if it is left out.
    columns: Vec<(String, Option<&'static str>)>,
}

impl ProductColumns {
    /// Recognises the columns by the mapping, then by their names.
    pub fn find<'file>(
        headers: impl Iterator<Item = &'file str>,
        options: &ColumnOptions,
    ) -> Result<Self, ColumnError> {
        let mut columns: Vec<(String, Option<&'static str>)> =
            headers.map(|header| (header.to_owned(), None)).collect();
        for (field, wanted) in &options.mapping {
            let known = field_named(field).ok_or_else(|| ColumnError::UnknownField(field.clone()))?;
            let found = columns.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(wanted.trim()));
            match found {
                Some((_, mapped)) => *mapped = Some(known),
                None => {
                    let names: Vec<_> = columns.iter().map(|(name, _)| format!("{name:?}")).collect();
                    return Err(ColumnError::UnknownColumn(wanted.clone(), names.join(", ")));
                }
            }
        }
        let is_mapped = |field: &str| options.mapping.iter().any(|(mapped, _)| field_named(mapped) == Some(field));
        for (name, field) in columns.iter_mut().filter(|(_, field)| field.is_none()) {
            *field = recognise(name).filter(|field| !is_mapped(field));
        }
        for (place, (name, field)) in columns.iter().enumerate() {
            let Some(field) = field else { continue };
            if let Some((other, _)) = columns[..place].iter().find(|(_, earlier)| *earlier == Some(field)) {
                return Err(ColumnError::TwoColumns(other.clone(), name.clone(), field));
            }
        }
        let unknown: Vec<_> =
            columns.iter().filter(|(_, field)| field.is_none()).map(|(name, _)| format!("{name:?}")).collect();
        if unknown.len() == columns.len() {
            return Err(ColumnError::Nothing);
        }
        if !unknown.is_empty() && !options.ignore_others {
            return Err(ColumnError::Unrecognised(unknown.join(", ")));
        }
        Ok(Self { columns })
    }

    /// The row as a client would send it; an error names the column.
    pub fn row(&self, record: &StringRecord) -> Result<Map<String, Value>, String> {
        let mut row = Map::new();
        for ((name, field), cell) in self.columns.iter().zip(record) {
            let Some(field) = field else { continue };
            let cell = without_guard(cell.trim());
            if cell.is_empty() {
                continue;
            }
            let value = value_of(cell, kind_of(field)).map_err(|reason| format!("{name} {reason}"))?;
            match field.split_once('.') {
                None => drop(row.insert((*field).to_owned(), value)),
                Some((object, inner)) => {
                    let inner_fields = row.entry(object).or_insert_with(|| Value::Object(Map::new()));
                    let Value::Object(inner_fields) = inner_fields else {
                        return Err(format!("{name} cannot be combined with a column for {object}"));
                    };
                    inner_fields.insert(inner.to_owned(), value);
                }
            }
        }
        if row.is_empty() { Err("the row is empty".to_owned()) } else { Ok(row) }
    }
}

/// One line for each column.
impl fmt::Display for ProductColumns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.columns.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        for (name, field) in &self.columns {
            writeln!(formatter, "  {name:width$}  {}", field.unwrap_or("left out"))?;
        }
        Ok(())
    }
}

fn value_of(cell: &str, kind: CellKind) -> Result<Value, String> {
    match kind {
        Text => Ok(Value::String(cell.to_owned())),
        Whole => cell.parse::<i64>().map(Value::from).map_err(|_| format!("must be a whole number, and is {cell:?}")),
        Flag => match cell.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Ok(Value::Bool(true)),
            "false" | "no" | "0" => Ok(Value::Bool(false)),
            _ => Err(format!("must be true or false, and is {cell:?}")),
        },
        Json => match serde_json::from_str(cell) {
            Ok(Unambiguous(value @ Value::Object(_))) => match find_inexact_number(cell.as_bytes()) {
                None => Ok(value),
                Some(inexact) => Err(format!("at {} {inexact}", inexact.path)),
            },
            _ => Err("must be a JSON object without a repeated key".to_owned()),
        },
    }
}

fn kind_of(field: &str) -> CellKind {
    FIELDS.iter().find(|(name, _)| *name == field).map_or(Text, |(_, kind)| *kind)
}

fn field_named(name: &str) -> Option<&'static str> {
    FIELDS.iter().find(|(field, _)| *field == name.trim()).map(|(field, _)| *field)
}

/// The field that a column is by its name: case, spaces and hyphens do not matter.
fn recognise(column: &str) -> Option<&'static str> {
    let name = column.trim().to_lowercase().replace([' ', '-'], "_");
    let other = OTHER_NAMES.iter().find(|(other, _)| *other == name).map(|(_, field)| *field);
    field_named(other.unwrap_or(&name))
}

fn list_fields() -> String {
    FIELDS.map(|(field, _)| field).join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn find(headers: &str, mapping: &[(&str, &str)], ignore_others: bool) -> Result<ProductColumns, ColumnError> {
        let mapping = mapping.iter().map(|(field, column)| ((*field).to_owned(), (*column).to_owned())).collect();
        ProductColumns::find(headers.split(','), &ColumnOptions { mapping, ignore_others })
    }

    #[test]
    fn columns_are_recognised_by_mapping_and_name() {
        let columns = find("SKU,Title,Preis,Weight-G,Phone.RAM", &[("price", "preis")], false).unwrap();
        let fields: Vec<_> = columns.columns.iter().map(|(_, field)| field.unwrap()).collect();
        assert_eq!(fields, ["sku", "name", "price", "weight_g", "phone.ram"]);
        let record = StringRecord::from(vec!["T-1", "'=Tea", "2.50", "", "8"]);
        let row = Value::Object(columns.row(&record).unwrap());
        assert_eq!(row, json!({ "sku": "T-1", "name": "=Tea", "price": "2.50", "phone": { "ram": 8 } }));
    }

    #[test]
    fn what_is_not_recognised_is_an_error() {
        let shown = |found: Result<ProductColumns, ColumnError>| found.unwrap_err().to_string();
        assert!(shown(find("name,Farbe", &[], false)).starts_with("unknown columns: \"Farbe\""));
        assert!(find("name,Farbe", &[], true).unwrap().to_string().contains("Farbe  left out"));
        assert!(shown(find("name,title", &[], false)).contains("are both name"));
        assert!(shown(find("name", &[("colour", "name")], false)).starts_with("\"colour\" is no field"));
        assert!(shown(find("name", &[("price", "Preis")], false)).starts_with("the file has no column \"Preis\""));
        assert_eq!(find("a,b", &[], true), Err(ColumnError::Nothing));
    }

    #[test]
    fn a_cell_that_is_not_of_its_kind_names_its_column() {
        let columns = find("Stock,on sale,specifications,name", &[], false).unwrap();
        let reason = |cells: [&str; 4]| columns.row(&StringRecord::from(cells.to_vec())).unwrap_err();
        assert_eq!(reason(["1.5", "", "", ""]), "Stock must be a whole number, and is \"1.5\"");
        assert_eq!(reason(["", "maybe", "", ""]), "on sale must be true or false, and is \"maybe\"");
        for cell in ["{", "[]", r#"{"a":1,"a":2}"#] {
            assert_eq!(reason(["", "", cell, ""]), "specifications must be a JSON object without a repeated key");
        }
        assert_eq!(
            reason(["", "", r#"{"width":0.10}"#, ""]),
            "specifications at width is the number 0.10, which would be kept as 0.1; write 0.1, or a string"
        );
        assert_eq!(reason(["", "", " ", ""]), "the row is empty");
    }
}
