//! Families: products that differ in options, such as storage and colour.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use rust_decimal::Decimal;
use sqlx::types::Json as SqlJson;

use crate::domain::family::{OptionNames, OptionValues};
use crate::domain::ids::{FamilyId, ProductId};
use crate::domain::product::{Supply, UnavailableReason};
use crate::domain::text::Name;
use crate::http::App;
use crate::http::ranks;
use crate::http::wire::body::{NoBody, body};
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::consistency::snapshot;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Ids, Params, Versioned};
use crate::http::wire::ranked_walk::{ListRequest, RankedList, RankedPage};
use crate::journal::EntityTag;
use crate::projector::text_key;
use crate::shop::{
    ChangeFamily, CreateFamily, DeleteFamily, FamilyMember, FamilyPlace, FamilyProduct, FamilyRef, FamilyRow,
    FamilyView, LeaveFamily, PutInFamily,
};

body! {
    /// A family of products that differ in options.
    #[schema(examples(json!({ "name": "Phone X", "options": ["storage", "color"] })))]
    pub struct NewFamily {
        pub name: Name,
        /// Names of the options, in the order in which they are shown.
        pub options: OptionNames,
    }
}

body! {
    /// The fields to change; absent fields keep their value.
    #[schema(examples(json!({ "name": "Phone X2" })))]
    pub struct FamilyChange {
        pub name: Option<Name>,
        /// Names of the options, in the order in which they are shown. A family with products keeps its options: they can
        /// only be reordered.
        pub options: Option<OptionNames>,
    }
}

body! {
    /// The family of a product, and the product's value of each option.
    #[schema(examples(json!({ "family_id": 1, "options": { "storage": "128 GB", "color": "Black" } })))]
    pub struct NewFamilyPlace {
        pub family_id: FamilyId,
        /// A value for each option of the family; no other product of the family may have the same values.
        pub options: OptionValues,
    }
}

struct FamilyHead {
    name: String,
    options: SqlJson<Vec<String>>,
    version: i64,
}

struct MemberRow {
    product_id: i64,
    name: String,
    options: SqlJson<BTreeMap<String, String>>,
    price: Decimal,
    stock: i64,
    discontinued: bool,
    on_sale: bool,
    sku: Option<String>,
}

struct PlaceRow {
    family_id: Option<i64>,
    name: Option<String>,
    options: Option<SqlJson<BTreeMap<String, String>>>,
}

/// List families by name
#[utoipa::path(get, path = "/families", tag = "catalogue", security((), ("bearer" = [])), params(RankedPage),
    responses((status = 200, body = Vec<FamilyRow>)))]
pub async fn list_families(
    State(app): State<App>,
    request: ListRequest,
    Params(page): Params<RankedPage>,
) -> Result<Response, ApiError> {
    struct Row {
        family_id: i64,
        name: String,
        options: SqlJson<Vec<String>>,
        product_count: i64,
    }
    let list = RankedList { rank: &ranks::FAMILIES, default_limit: DEFAULT_LIMIT, start: (String::new(), 0) };
    let key = |row: &Row| (row.name.clone(), row.family_id);
    let show = |row: Row| {
        let Row { family_id, name, options, product_count } = row;
        FamilyRow { family_id, name, options: options.0, product_count }
    };
    request
        .answer(&app, page, list, key, show, |connection, (name, id), limit| {
            sqlx::query_file_as!(Row, "projections/families/list.sql", text_key(&name), id, limit).fetch(connection)
        })
        .await
}

/// Create a family without products
#[utoipa::path(post, path = "/families", tag = "catalogue", security(("bearer" = ["editor"])),
    request_body = NewFamily, params(CommandParams),
    responses((status = 201, body = FamilyRef), CommandProblems))]
pub async fn create_family(
    State(app): State<App>,
    command: Command<NewFamily>,
) -> Result<CommandResponse<FamilyRef>, ApiError> {
    let NewFamily { name, options } = command.body;
    let created = app.run(CreateFamily { name, options }, command.context).await?;
    Ok(created.created(|created| format!("/shop/api/family/{}/", created.family_id)))
}

/// Get a family with its products, their options, prices and stock
///
/// A family has at most 500 products, sorted by their options. A discontinued product keeps its place, with
/// `available: false` and the reason. The `ETag` changes with the stock too; `If-Match` ignores the stock.
#[utoipa::path(get, path = "/family/{family_id}", tag = "catalogue", security((), ("bearer" = [])),
    params(("family_id" = FamilyId, Path)),
    responses((status = 200, body = FamilyView), (status = 404, body = Problem)))]
pub async fn find_family(
    State(app): State<App>,
    Ids(family_id): Ids<FamilyId>,
) -> Result<Versioned<FamilyView>, ApiError> {
    // One snapshot for both queries, so that the version matches the products.
    let mut transaction = snapshot(&app.pool, "families, family_members, products").await?;
    let found = sqlx::query_file_as!(FamilyHead, "projections/families/find.sql", family_id.0)
        .fetch_optional(&mut *transaction)
        .await?;
    let family = found.ok_or_else(|| ApiError::not_found("family_not_found", "Family not found"))?;
    let rows = sqlx::query_file_as!(MemberRow, "projections/families/members.sql", family_id.0)
        .fetch_all(&mut *transaction)
        .await?;
    transaction.commit().await?;
    let members = rows.into_iter().map(|row| FamilyMember {
        product_id: ProductId(row.product_id),
        name: row.name,
        options: row.options.0,
        price: row.price,
        sku: row.sku,
        stock: if row.discontinued { 0 } else { row.stock },
        supply: Supply::new(UnavailableReason::of_withdrawn(false, row.discontinued, row.on_sale), row.stock),
    });
    let mut body = FamilyView::new(family_id, family.name, family.options.0, members.collect());
    let tag = EntityTag { version: family.version, digest: Some(body.digest()) };
    let stocks: Vec<_> = body.products.iter().map(|product| product.stock.to_string()).collect();
    sort_by_options(&body.options, &mut body.products);
    Ok(Versioned::new(tag, body).with_remark(stocks))
}

/// Sorts products by their value of each option.
fn sort_by_options(options: &[String], products: &mut [FamilyProduct]) {
    products.sort_by_cached_key(|product| {
        let values = options.iter().map(|option| value_key(product.options.get(option).map_or("", String::as_str)));
        (values.collect::<Vec<_>>(), product.product_id)
    });
}

/// The key by which values are sorted: numbers by their size, so that 64 GB comes before 128 GB.
fn value_key(value: &str) -> String {
    let key = text_key(value);
    let mut sorted = String::with_capacity(key.len());
    let mut rest = key.as_str();
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let (text, number) = rest.split_at(start);
        let end = number.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(number.len());
        let digits = number[..end].trim_start_matches('0');
        sorted.push_str(text);
        sorted.push_str(&format!("{digits:0>20}"));
        rest = &number[end..];
    }
    sorted.push_str(rest);
    sorted
}

/// Rename a family, or change its options
#[utoipa::path(patch, path = "/family/{family_id}", tag = "catalogue", security(("bearer" = ["editor"])),
    request_body = FamilyChange, params(("family_id" = FamilyId, Path), CommandParams),
    responses((status = 200, body = FamilyRow), CommandProblems))]
pub async fn change_family(
    State(app): State<App>,
    Ids(family_id): Ids<FamilyId>,
    command: Command<FamilyChange>,
) -> Result<CommandResponse<FamilyRow>, ApiError> {
    let FamilyChange { name, options } = command.body;
    app.run(ChangeFamily { family_id, name, options }, command.context).await
}

/// Delete a family without products
#[utoipa::path(delete, path = "/family/{family_id}", tag = "catalogue", security(("bearer" = ["editor"])),
    params(("family_id" = FamilyId, Path), CommandParams), responses((status = 204), CommandProblems))]
pub async fn delete_family(
    State(app): State<App>,
    Ids(family_id): Ids<FamilyId>,
    command: Command<NoBody>,
) -> Result<CommandResponse<()>, ApiError> {
    app.run(DeleteFamily { family_id }, command.context).await
}

/// Get the family of a product, and the product's options
#[utoipa::path(get, path = "/product/{product_id}/family", tag = "catalogue", security((), ("bearer" = [])),
    params(("product_id" = ProductId, Path)),
    responses((status = 200, body = FamilyPlace), (status = 404, body = Problem)))]
pub async fn find_family_place(
    State(app): State<App>,
    Ids(product_id): Ids<ProductId>,
) -> Result<axum::Json<FamilyPlace>, ApiError> {
    let found = sqlx::query_file_as!(PlaceRow, "projections/families/place.sql", product_id.0)
        .fetch_optional(&app.pool)
        .await?;
    let row = found.ok_or_else(|| ApiError::not_found("product_not_found", "Product not found"))?;
    let (Some(family_id), Some(name), Some(options)) = (row.family_id, row.name, row.options) else {
        return Err(ApiError::not_found("product_not_in_family", "Product is in no family"));
    };
    Ok(axum::Json(FamilyPlace { family_id, name, options: options.0 }))
}

/// Put a product into a family, or change its options
///
/// A product is in one family at most: from another family it moves. Each combination of options belongs to one product of
/// the family: 409 `combination_taken` names the other product.
#[utoipa::path(put, path = "/product/{product_id}/family", tag = "catalogue", security(("bearer" = ["editor"])),
    request_body = NewFamilyPlace, params(("product_id" = ProductId, Path), CommandParams),
    responses((status = 200, body = FamilyPlace), CommandProblems))]
pub async fn put_in_family(
    State(app): State<App>,
    Ids(product_id): Ids<ProductId>,
    command: Command<NewFamilyPlace>,
) -> Result<CommandResponse<FamilyPlace>, ApiError> {
    let NewFamilyPlace { family_id, options } = command.body;
    app.run(PutInFamily { product_id, family_id, options }, command.context).await
}

/// Take a product out of its family
#[utoipa::path(delete, path = "/product/{product_id}/family", tag = "catalogue", security(("bearer" = ["editor"])),
    params(("product_id" = ProductId, Path), CommandParams), responses((status = 204), CommandProblems))]
pub async fn leave_family(
    State(app): State<App>,
    Ids(product_id): Ids<ProductId>,
    command: Command<NoBody>,
) -> Result<CommandResponse<()>, ApiError> {
    app.run(LeaveFamily { product_id }, command.context).await
}

#[cfg(test)]
mod tests {
    use super::value_key;

    #[test]
    fn values_are_sorted_by_their_numbers() {
        let mut values = ["256 GB", "64 gb", "XL", "1 TB", "008 GB", ""];
        values.sort_by_cached_key(|value| value_key(value));
        assert_eq!(values, ["", "1 TB", "008 GB", "64 gb", "256 GB", "XL"]);
    }
}
