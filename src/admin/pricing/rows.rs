//! Rows of a table in a form. A field is named as the API names it in its errors: `fees[0].country`.

use serde_json::{Map, Value};

use crate::admin::form::Form;

/// Empty rows below the table, for new ones.
const SPARE: usize = 3;
/// The API takes fewer rows.
const MAX_ROWS: usize = 2_000;

/// A table with rows of these fields.
pub struct Table {
    pub name: &'static str,
    pub fields: &'static [&'static str],
}

impl Table {
    pub fn field(&self, row: usize, field: &str) -> String {
        format!("{}[{row}].{field}", self.name)
    }

    /// The fields of a form, with empty rows at the end.
    pub fn fields_of(&self, rows: &[Vec<String>]) -> Vec<(String, String)> {
        let spare = std::iter::repeat_n(vec![String::new(); self.fields.len()], SPARE);
        let rows = rows.iter().cloned().chain(spare).enumerate();
        rows.flat_map(|(place, row)| {
            let names = self.fields.iter().map(move |field| self.field(place, field));
            names.zip(row)
        })
        .collect()
    }

    /// The rows that were sent, without those that are empty.
    pub fn rows_of(&self, form: &Form) -> Vec<Vec<String>> {
        let row = |place: usize| -> Vec<String> {
            self.fields.iter().map(|field| form.value(&self.field(place, field)).trim().to_owned()).collect()
        };
        (0..self.count(form)).map(row).filter(|row| row.iter().any(|value| !value.is_empty())).collect()
    }

    /// Rows of a form, empty ones included.
    pub fn count(&self, form: &Form) -> usize {
        let places = form.names().filter_map(|name| {
            let place = name.strip_prefix(self.name)?.strip_prefix('[')?.split_once(']')?.0;
            place.parse::<usize>().ok().filter(|place| *place < MAX_ROWS)
        });
        places.max().map_or(0, |last| last + 1)
    }

    /// The rows as the API reads them; an empty field is `null`.
    pub fn json(&self, rows: &[Vec<String>], value: fn(&str, &str) -> Value) -> Value {
        let row = |row: &Vec<String>| {
            let fields = self.fields.iter().zip(row);
            Value::Object(fields.map(|(field, text)| ((*field).to_owned(), value(field, text))).collect::<Map<_, _>>())
        };
        Value::Array(rows.iter().map(row).collect())
    }
}

/// A text for the API; `null` if it is empty.
pub fn optional(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { Value::from(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEES: Table = Table { name: "fees", fields: &["country", "fee"] };

    #[test]
    fn empty_rows_are_left_out_and_the_others_numbered_again() {
        let rows = [vec!["DE".to_owned(), "4.90".to_owned()], vec![String::new(), String::new()]];
        let fields = FEES.fields_of(&rows);
        assert_eq!(fields.len(), 10);
        let form = Form::new(fields.iter().map(|(name, value)| (name.as_str(), value.clone())));
        assert_eq!(FEES.count(&form), 5);
        let sent = FEES.rows_of(&form);
        assert_eq!(sent, [["DE", "4.90"]]);
        let json = FEES.json(&[vec![String::new(), "1".to_owned()]], |_, text| optional(text));
        assert_eq!(json, serde_json::json!([{ "country": null, "fee": "1" }]));
    }
}
