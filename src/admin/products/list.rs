//! The list of products.

use askama::Template;
use serde::Deserialize;

use super::super::api::Problem;
use super::super::headers::ShownImages;
use super::super::list::Listing;
use super::super::page::Page;
use super::super::query::Query;
use super::super::staff::{PageResult, Staff};
use crate::admin::categories::{CategoryOption, read_options};
use crate::admin::families::read_family_options;

/// Parameters of the API's list that the address may have.
const FILTERS: [&str; 11] = [
    "search",
    "sku",
    "category_id",
    "brand",
    "on_sale",
    "in_stock",
    "min_price",
    "max_price",
    "discontinued",
    "family",
    "sort",
];

#[derive(Template)]
#[template(path = "admin/products/list.html")]
struct ProductListPage {
    page: Page,
    list: Listing<Row>,
    categories: Vec<CategoryOption>,
    families: Vec<(String, String)>,
}

/// A product as the list shows it.
#[derive(Deserialize)]
struct Row {
    product_id: i64,
    name: String,
    price: String,
    stock: i64,
    category: String,
    reserved: i64,
    sku: Option<String>,
    brand: Option<String>,
    on_sale: bool,
    discontinued: bool,
    image_urls: Images,
}

#[derive(Default, Deserialize)]
struct Images {
    main: Option<String>,
}

impl Row {
    /// The address of a small picture.
    fn thumbnail(&self) -> Option<String> {
        let address = self.image_urls.main.as_ref()?;
        // Only the shop itself has smaller pictures.
        Some(if address.starts_with("/media/") { format!("{address}?width=160") } else { address.clone() })
    }
}

impl ProductListPage {
    fn category_choices(&self) -> Vec<(String, String)> {
        self.categories.iter().map(CategoryOption::pair).collect()
    }

    /// The address of a category, by its name.
    fn category_address(&self, name: &str) -> Option<String> {
        let found = self.categories.iter().find(|option| option.category.category_name == name)?;
        Some(format!("/admin/categories/{}", found.category_id))
    }

    fn is_filtered(&self) -> bool {
        self.list.query.has_any(&FILTERS[..10])
    }
}

pub async fn show(staff: Staff) -> PageResult {
    let call = staff.api.get("products").query("view", "full");
    let call = if staff.query.has("category_id") { call.query("subtree", true) } else { call };
    let list = Listing::<Row>::read(&staff, call, &FILTERS);
    let (list, categories, families) = tokio::try_join!(list, read_options(&staff), read_family_options(&staff))?;
    let images = list.rows.iter().filter_map(|row| row.image_urls.main.clone()).collect();
    let page = staff.page("Products");
    let mut response = staff.show(&ProductListPage { page, list, categories, families })?;
    response.extensions_mut().insert(ShownImages(images));
    Ok(response)
}

/// The whole list under the same filters.
pub async fn csv(staff: Staff) -> Result<axum::response::Response, Problem> {
    let query: &Query = &staff.query;
    let call = staff.api.get("products").query("view", "full").queries(query.pairs(&FILTERS));
    let call = if query.has("category_id") { call.query("subtree", true) } else { call };
    call.stream_csv("products.csv").await
}
