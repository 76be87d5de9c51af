//! The fields of a product in a form: as the API returns them, and the changes that a form asks for.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::admin::api::Problem;
use crate::admin::form::Form;

/// A product as the API returns it.
#[derive(Deserialize)]
pub struct Product {
    pub product_id: i64,
    pub name: String,
    pub price: String,
    pub stock: i64,
    pub category: String,
    pub description: String,
    pub sku: Option<String>,
    pub on_hand: i64,
    pub reserved: i64,
    pub discontinued: bool,
    pub slug: String,
    pub brand: Option<String>,
    pub on_sale: bool,
    pub specifications: Map<String, Value>,
    pub weight_g: Option<i64>,
    pub dimensions: Option<String>,
    pub supplier_id: Option<i64>,
    pub metadata: BTreeMap<String, String>,
    pub phone: Option<Map<String, Value>>,
    pub low_stock_threshold: Option<i64>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// How a field becomes JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A text that may be empty, but not absent.
    Text,
    /// A text; nothing if it is empty.
    Optional,
    Number,
    Switch,
    /// Yes, no, or nothing.
    Answer,
}

struct Field {
    name: &'static str,
    label: &'static str,
    kind: Kind,
}

const fn field(name: &'static str, label: &'static str, kind: Kind) -> Field {
    Field { name, label, kind }
}

const FIELDS: [Field; 13] = [
    field("name", "Name", Kind::Text),
    field("price", "Price", Kind::Text),
    field("category", "Category", Kind::Number),
    field("brand", "Brand", Kind::Optional),
    field("sku", "SKU", Kind::Optional),
    field("slug", "Slug", Kind::Text),
    field("on_sale", "On sale", Kind::Switch),
    field("description", "Description", Kind::Text),
    field("weight_g", "Weight in grams", Kind::Number),
    field("dimensions", "Dimensions", Kind::Optional),
    field("supplier_id", "Supplier number", Kind::Number),
    field("low_stock_threshold", "Low-stock threshold", Kind::Number),
    field("imei", "IMEI", Kind::Optional),
];

/// Fields of `phone`, whose names have this prefix in the form, as in errors of the API.
const PHONE: &str = "phone.";

const PHONE_FIELDS: [Field; 17] = [
    field("phone.brand", "Phone brand", Kind::Optional),
    field("phone.model", "Model", Kind::Optional),
    field("phone.storage", "Storage in GB", Kind::Number),
    field("phone.ram", "RAM in GB", Kind::Number),
    field("phone.color", "Color", Kind::Optional),
    field("phone.operating_system", "Operating system", Kind::Optional),
    field("phone.screen_size", "Screen size", Kind::Optional),
    field("phone.resolution", "Resolution", Kind::Optional),
    field("phone.processor", "Processor", Kind::Optional),
    field("phone.battery_capacity", "Battery in mAh", Kind::Number),
    field("phone.camera_main", "Main camera", Kind::Optional),
    field("phone.camera_front", "Front camera", Kind::Optional),
    field("phone.network", "Network", Kind::Optional),
    field("phone.warranty", "Warranty", Kind::Optional),
    field("phone.is_new", "New", Kind::Answer),
    field("phone.box_included", "Box included", Kind::Answer),
    field("phone.accessories", "Accessories", Kind::Optional),
];

/// A table of names and values in the form: `spec_key` and `spec_value` once for each row.
struct Pairs {
    key: &'static str,
    value: &'static str,
    /// The field of the API.
    field: &'static str,
    label: &'static str,
}

const SPECIFICATIONS: Pairs =
    Pairs { key: "spec_key", value: "spec_value", field: "specifications", label: "Specifications" };
const METADATA: Pairs = Pairs { key: "meta_key", value: "meta_value", field: "metadata", label: "Metadata" };

impl Product {
    /// The form of the product as it is stored. `category` is what the choice of categories holds.
    pub fn form(&self, category: &str, imei: Option<&str>) -> Form {
        let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let values = [
            ("name", self.name.clone()),
            ("price", self.price.clone()),
            ("category", category.to_owned()),
            ("brand", text(&self.brand)),
            ("sku", text(&self.sku)),
            ("slug", self.slug.clone()),
            ("on_sale", if self.on_sale { "true".to_owned() } else { String::new() }),
            ("description", self.description.clone()),
            ("weight_g", number(self.weight_g)),
            ("dimensions", text(&self.dimensions)),
            ("supplier_id", number(self.supplier_id)),
            ("low_stock_threshold", number(self.low_stock_threshold)),
            ("imei", imei.unwrap_or_default().to_owned()),
        ];
        let phone = PHONE_FIELDS.iter().map(|field| {
            let stored = self.phone.as_ref().and_then(|phone| phone.get(&field.name[PHONE.len()..]));
            (field.name, stored.map(shown).unwrap_or_default())
        });
        let specifications = self
            .specifications
            .iter()
            .flat_map(|(key, value)| [(SPECIFICATIONS.key, key.clone()), (SPECIFICATIONS.value, shown(value))]);
        let metadata = self.metadata.iter();
        let metadata = metadata.flat_map(|(key, value)| [(METADATA.key, key.clone()), (METADATA.value, value.clone())]);
        let form = Form::new(values.into_iter().chain(phone).chain(specifications).chain(metadata));
        with_summaries(form)
    }
}

/// The form with its tables of pairs as one text each, so that errors and changes of others can be shown at them.
pub fn with_summaries(form: Form) -> Form {
    [SPECIFICATIONS, METADATA].iter().fold(form, |form, pairs| {
        let lines: Vec<_> = filled(&form, pairs).iter().map(|(key, value)| format!("{key}: {value}")).collect();
        form.with(pairs.field, lines.join("\n"))
    })
}

/// A value as a field shows it: texts as they are, anything else as JSON.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What was typed, without the line ends that browsers send.
fn typed(form: &Form, name: &str) -> String {
    form.value(name).replace("\r\n", "\n").trim().to_owned()
}

/// The rows of a table that hold anything.
fn filled(form: &Form, pairs: &Pairs) -> Vec<(String, String)> {
    let clean = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
    let rows = form.all(pairs.key).into_iter().zip(form.all(pairs.value));
    rows.map(|(key, value)| (clean(key), clean(value)))
        .filter(|(key, value)| !(key.is_empty() && value.is_empty()))
        .collect()
}

/// Rows without a name that invite to be filled.
const FREE_ROWS: usize = 2;

/// The rows of the table of specifications, and free ones.
pub fn specification_rows(form: &Form) -> Vec<(String, String)> {
    with_free_rows(filled(form, &SPECIFICATIONS))
}

pub fn metadata_rows(form: &Form) -> Vec<(String, String)> {
    with_free_rows(filled(form, &METADATA))
}

fn with_free_rows(mut rows: Vec<(String, String)>) -> Vec<(String, String)> {
    rows.extend(std::iter::repeat_n((String::new(), String::new()), FREE_ROWS));
    rows
}

/// Labels and values of the fields that hold anything, for members who only read.
pub fn facts(form: &Form) -> Vec<(&'static str, String)> {
    let fields = FIELDS.iter().chain(&PHONE_FIELDS).map(|field| (field.name, field.label));
    let pairs = [SPECIFICATIONS, METADATA].map(|pairs| (pairs.field, pairs.label));
    // The head of the page shows name, price and category.
    let shown = fields.chain(pairs).filter(|(name, _)| !["name", "price", "category", "on_sale"].contains(name));
    let facts = shown.map(|(name, label)| (label, form.value(name).to_owned()));
    facts.filter(|(_, value)| !value.is_empty()).collect()
}

/// The fields of a new product: those that hold anything.
pub fn creation(form: &Form) -> Result<Value, Problem> {
    let stored = Form::new([("on_sale", "true".to_owned())]);
    let mut body = changed_fields(form, &stored, &Map::new())?;
    body.insert("stock".to_owned(), form.number("stock"));
    body.retain(|_, value| !value.is_null() && value.as_str() != Some(""));
    // Without them the API says that they are required.
    Ok(Value::Object(body))
}

/// The fields that differ from what is stored. `specifications` are the stored ones, whose types are kept.
pub fn changed_fields(
    form: &Form,
    stored: &Form,
    specifications: &Map<String, Value>,
) -> Result<Map<String, Value>, Problem> {
    let differs = |name: &str| typed(form, name) != typed(stored, name);
    let mut body = Map::new();
    for field in FIELDS.iter().filter(|field| differs(field.name)) {
        body.insert(field.name.to_owned(), json_of(form, field));
    }
    if PHONE_FIELDS.iter().any(|field| differs(field.name)) {
        let values = PHONE_FIELDS.iter().map(|field| (field.name[PHONE.len()..].to_owned(), json_of(form, field)));
        let phone: Map<_, _> = values.filter(|(_, value)| !value.is_null()).collect();
        body.insert("phone".to_owned(), if phone.is_empty() { Value::Null } else { Value::Object(phone) });
    }
    for (pairs, types) in [(SPECIFICATIONS, specifications), (METADATA, &Map::new())] {
        if differs(pairs.field) {
            body.insert(pairs.field.to_owned(), object_of(form, &pairs, types)?);
        }
    }
    Ok(body)
}

fn json_of(form: &Form, field: &Field) -> Value {
    let text = typed(form, field.name);
    match field.kind {
        Kind::Text => Value::from(text),
        Kind::Optional if text.is_empty() => Value::Null,
        Kind::Optional => Value::from(text),
        Kind::Number => form.number(field.name),
        Kind::Switch => form.flag(field.name),
        Kind::Answer if text.is_empty() => Value::Null,
        Kind::Answer => form.flag(field.name),
    }
}

/// A table of pairs as an object.
fn object_of(form: &Form, pairs: &Pairs, types: &Map<String, Value>) -> Result<Value, Problem> {
    let mut object = Map::new();
    for (key, text) in filled(form, pairs) {
        if key.is_empty() {
            return Err(Problem::invalid(pairs.field, &format!("the value `{text}` has no name")));
        }
        let value = value_of(&text, types.get(&key))
            .map_err(|message| Problem::invalid(pairs.field, &format!("the value of `{key}` {message}")))?;
        if object.insert(key.clone(), value).is_some() {
            return Err(Problem::invalid(pairs.field, &format!("has the name `{key}` twice")));
        }
    }
    Ok(Value::Object(object))
}

/// A typed value of the type that is stored: a text, or JSON in place of JSON.
fn value_of(text: &str, stored: Option<&Value>) -> Result<Value, &'static str> {
    let text_value = || Value::from(text);
    let Some(stored) = stored.filter(|stored| !stored.is_string()) else { return Ok(text_value()) };
    match serde_json::from_str::<Value>(text) {
        Ok(value) if !value.is_string() => Ok(value),
        _ if stored.is_object() || stored.is_array() => Err("must stay JSON: an object or a list"),
        _ => Ok(text_value()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn product() -> Product {
        serde_json::from_value(json!({
            "product_id": 7, "name": "Kettle", "price": "24.90", "stock": 3, "category": "Kitchen", "description": "1.7 l",
            "sku": "KET", "on_hand": 3, "reserved": 0, "discontinued": false, "slug": "kettle", "brand": null, "on_sale": true,
            "specifications": { "power": 2200, "cord": "1 m", "sizes": [1, 2] }, "weight_g": 900, "dimensions": null,
            "supplier_id": null, "metadata": { "erp": "k-1" }, "phone": { "storage": 128, "is_new": true },
            "low_stock_threshold": null, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"
        }))
        .unwrap()
    }

    fn changes(edits: &[(&str, &str, &str)]) -> Result<Value, Problem> {
        let product = product();
        let stored = product.form("1", None);
        let pairs = stored.pairs().map(|(name, value)| {
            let edit = edits.iter().find(|(edited, before, _)| *edited == name && *before == value);
            (name, edit.map_or(value, |(.., after)| after).replace('\n', "\r\n"))
        });
        let form = with_summaries(Form::new(pairs));
        changed_fields(&form, &stored, &product.specifications).map(Value::Object)
    }

    #[test]
    fn a_form_asks_for_what_was_changed_alone() {
        assert_eq!(changes(&[]).unwrap(), json!({}));
        let edits =
            [("price", "24.90", " 19.90 "), ("weight_g", "900", ""), ("sku", "KET", ""), ("on_sale", "true", "")];
        let expected = json!({ "price": "19.90", "weight_g": null, "sku": null, "on_sale": false });
        assert_eq!(changes(&edits).unwrap(), expected);
        assert_eq!(changes(&[("weight_g", "900", "heavy")]).unwrap(), json!({ "weight_g": "heavy" }));
        let expected = json!({ "phone": { "storage": 256, "is_new": true } });
        assert_eq!(changes(&[("phone.storage", "128", "256")]).unwrap(), expected);
        let none = [("phone.storage", "128", ""), ("phone.is_new", "true", "")];
        assert_eq!(changes(&none).unwrap(), json!({ "phone": null }));
        assert_eq!(changes(&[("meta_value", "k-1", "k-2")]).unwrap(), json!({ "metadata": { "erp": "k-2" } }));
    }

    #[test]
    fn specifications_keep_their_types_and_need_names() {
        let expected = json!({ "specifications": { "power": 2400, "cord": "2", "sizes": [1, 2] } });
        assert_eq!(changes(&[("spec_value", "2200", "2400"), ("spec_value", "1 m", "2")]).unwrap(), expected);
        let removed = changes(&[("spec_key", "power", ""), ("spec_value", "2200", "")]).unwrap();
        assert_eq!(removed, json!({ "specifications": { "cord": "1 m", "sizes": [1, 2] } }));
        for (edit, message) in [
            (("spec_key", "power", ""), "the value `2200` has no name"),
            (("spec_key", "power", "cord"), "has the name `cord` twice"),
            (("spec_value", "[1,2]", "many"), "the value of `sizes` must stay JSON: an object or a list"),
        ] {
            let problem = changes(&[edit]).unwrap_err();
            assert_eq!(
                (problem.errors[0].field.as_str(), problem.errors[0].message.as_str()),
                ("specifications", message)
            );
        }
    }
}
