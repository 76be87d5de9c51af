//! Filters of the list of products by catalogue details.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use utoipa::IntoParams;

use crate::domain::family::OptionValues;
use crate::domain::product::Slug;
use crate::http::App;
use crate::http::wire::error::ApiError;
use crate::projector::text_key;
use crate::shop::shown_slug;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DetailFilter {
    /// The whole slug.
    #[param(inline)]
    slug: Option<Slug>,
    /// Brand of the product or of the phone; case and accents do not matter.
    #[param(min_length = 1)]
    brand: Option<String>,
    /// Model of a phone; case and accents do not matter.
    #[param(min_length = 1)]
    model: Option<String>,
    /// Colour of a phone; case and accents do not matter.
    #[param(min_length = 1)]
    color: Option<String>,
    /// Storage of a phone in GB.
    storage: Option<i64>,
    /// Memory of a phone in GB.
    ram: Option<i64>,
    /// `true` returns only products on sale, `false` only those that are shown and cannot be bought.
    pub on_sale: Option<bool>,
    /// Number of a supplier. For staff.
    pub supplier_id: Option<i64>,
    /// Options of families that the product must have, as a JSON object of names and values; case and accents do not matter.
    #[param(value_type = Option<String>, example = "{\"storage\": \"128 GB\", \"color\": \"Black\"}")]
    options: Option<OptionsFilter>,
}

/// Values of options, in the form of the body of `PUT product/{product_id}/family/`.
struct OptionsFilter(OptionValues);

impl<'de> Deserialize<'de> for OptionsFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let values: BTreeMap<String, String> = serde_json::from_str(&text).map_err(|_| {
            D::Error::custom("must be a JSON object of names and values, such as {\"color\": \"Black\"}")
        })?;
        OptionValues::try_from(values).map(Self).map_err(D::Error::custom)
    }
}

/// A product that may have a slug.
struct SlugRow {
    product_id: i64,
    name: String,
    slug: Option<String>,
}

impl DetailFilter {
    /// The object that `filter_keys` of a product must contain; `None` without such a filter.
    pub async fn keys(self, app: &App) -> Result<Option<Value>, ApiError> {
        let Self { slug, brand, model, color, storage, ram, supplier_id, options, on_sale: _ } = self;
        let mut keys = Map::new();
        let mut require = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                keys.insert(key.to_owned(), value);
            }
        };
        require("brand", brand.map(|brand| json!([text_key(&brand)])));
        require("model", model.map(|model| json!(text_key(&model))));
        require("color", color.map(|color| json!(text_key(&color))));
        require("storage", storage.map(Value::from));
        require("ram", ram.map(Value::from));
        require("supplier_id", supplier_id.map(Value::from));
        let pair = |(name, value): (&String, &String)| json!({ "name": text_key(name), "value": text_key(value) });
        require("options", options.map(|OptionsFilter(options)| options.as_map().iter().map(pair).collect()));
        if let Some(slug) = slug {
            // No product has the number 0.
            require("product_id", Some(json!(find_by_slug(app, &slug).await?.unwrap_or(0))));
        }
        Ok((!keys.is_empty()).then_some(Value::Object(keys)))
    }
}

/// The product with a slug, its own or that of a product from before there were slugs.
async fn find_by_slug(app: &App, slug: &Slug) -> Result<Option<i64>, ApiError> {
    let older = slug.older_product().map(|product_id| product_id.0);
    let rows = sqlx::query_file_as!(SlugRow, "projections/product_details/find_by_slug.sql", slug.as_str(), older)
        .fetch_all(&app.pool)
        .await?;
    let mut rows = rows.into_iter();
    let found = rows.find(|row: &SlugRow| shown_slug(row.slug.as_deref(), &row.name, row.product_id) == slug.as_str());
    Ok(found.map(|row| row.product_id))
}
