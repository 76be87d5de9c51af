//! Histories: the events of an aggregate, their actors and the fields that they changed.

use axum::extract::{OriginalUri, State};
use axum::http::Uri;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

use crate::domain::Decider;
use crate::domain::account::Account;
use crate::domain::cart::Cart;
use crate::domain::category::Category;
use crate::domain::customer::Customer;
use crate::domain::discount::{Discount, DiscountCode};
use crate::domain::family::Family;
use crate::domain::ids::{AccountId, CategoryId, CustomerId, FamilyId, OrderId, ProductId};
use crate::domain::order::Order;
use crate::domain::pricing::{Pricing, SHOP};
use crate::domain::product::Product;
use crate::domain::wishlist::Wishlist;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Ids, Page, PageOf, Params};
use crate::http::{App, Routes};

/// The requested part of a history.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct HistoryPage {
    /// Maximum number of items, 1 to 1000.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// Start of the page, from the `Link` header of the previous page.
    cursor: Option<String>,
    /// `true` lists the newest event first.
    newest_first: Option<bool>,
}

/// Entries of a page of the price tables' history: each may be as long as the tables.
const PRICING_CHANGES: i64 = 20;

/// An event, and the fields of the state that it changed.
#[derive(Serialize, ToSchema)]
pub struct HistoryEntry {
    pub sequence: i64,
    pub position: i64,
    pub recorded_at: DateTime<Utc>,
    pub event_type: String,
    /// The account, guest or task that sent the command.
    pub actor: Option<String>,
    pub role: Option<String>,
    pub request_id: Option<String>,
    /// Why, as the sender of the command said.
    pub reason: Option<String>,
    /// The changed fields before the event; empty for the first event.
    #[schema(value_type = Object)]
    pub before: Map<String, Value>,
    /// The changed fields after the event.
    #[schema(value_type = Object)]
    pub after: Map<String, Value>,
}

struct HistoryRow {
    sequence: i64,
    position: i64,
    recorded_at: DateTime<Utc>,
    event_type: String,
    event_version: String,
    payload: Value,
    metadata: Value,
}

/// The routes of all histories.
pub fn routes() -> Routes {
    Routes::new()
        .routes(routes!(order_history))
        .routes(routes!(product_history))
        .routes(routes!(family_history))
        .routes(routes!(category_history))
        .routes(routes!(customer_history))
        .routes(routes!(cart_history))
        .routes(routes!(wishlist_history))
        .routes(routes!(discount_history))
        .routes(routes!(pricing_history))
        .routes(routes!(account_history))
}

/// List the events of an order and what they changed
#[utoipa::path(get, path = "/order/{order_id}/history", tag = "log", security(("bearer" = ["reader"])),
    params(("order_id" = OrderId, Path), HistoryPage),
    responses((status = 200, body = Vec<HistoryEntry>), (status = 404, body = Problem)))]
pub async fn order_history(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Ids(order_id): Ids<OrderId>,
    Params(page): Params<HistoryPage>,
) -> Result<PageOf<HistoryEntry>, ApiError> {
    let unknown = ApiError::not_found("order_not_found", "Order not found");
    history::<Order>(&app, &uri, &order_id.to_string(), &page, unknown).await
}

/// List the events of a product and what they changed
#[utoipa::path(get, path = "/product/{product_id}/history", tag = "log", security(("bearer" = ["reader"])),
    params(("product_id" = ProductId, Path), HistoryPage),
    responses((status = 200, body = Vec<HistoryEntry>), (status = 404, body = Problem)))]
pub async fn product_history(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Ids(product_id): Ids<ProductId>,
    Params(page): Params<HistoryPage>,
) -> Result<PageOf<HistoryEntry>, ApiError> {
    let unknown = ApiError::not_found("product_not_found", "Product not found");
    history::<Product>(&app, &uri, &product_id.to_string(), &page, unknown).await
}

/// List the events of a family and what they changed
#[utoipa::path(get, path = "/family/{family_id}/history", tag = "log", security(("bearer" = ["reader"])),
    params(("family_id" = FamilyId, Path), HistoryPage),
    responses((status = 200, body = Vec<HistoryEntry>), (status = 404, body = Problem)))]
pub async fn family_history(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Ids(family_id): Ids<FamilyId>,
    Params(page): Params<HistoryPage>,
) -> Result<PageOf<HistoryEntry>, ApiError> {
    let unknown = ApiError::not_found("family_not_found", "Family not found");
    history::<Family>(&app, &uri, &family_id.to_string(), &page, unknown).await
}

/// List the events of a category and what they changed
#[utoipa::path(get, path = "/categories/{category_id}/history", tag = "log", security(("bearer" = ["reader"])),
    params(("category_id" = CategoryId, Path), HistoryPage),
    responses((status = 200, body = Vec<HistoryEntry>), (status = 404, body = Problem)))]
pub async fn category_history(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Ids(category_id): Ids<CategoryId>,
    Params(page): Params<HistoryPage>,
) -> Result<PageOf<HistoryEntry>, ApiError> {
    let unknown = ApiError::not_found("category_not_found", "Category not found");
    history::<Category>(&app, &uri, &category_id.to_string(), &page, unknown).await
}

/// List the events of a customer and what they changed, without personal data
#[utoipa::path(get, path = "/customer/{customer_id}/history", tag = "log", security(("bearer" = ["reader"])),
    params(("customer_id" = CustomerId, Path), HistoryPage),
    responses((status = 200, body = Vec<HistoryEntry>), (status = 404, body = Problem)))]
pub async fn customer_history(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Ids(customer_id): Ids<CustomerId>,
    Params(page): Params<HistoryPage>,
) -> Result<PageOf<HistoryEntry>, ApiError> {
    let unknown = ApiError::not_found("customer_not_found", "Customer not found");
    history::<Customer>(&app, &uri, &customer_id.to_string(), &page, unknown).await
}

/// List the events of an account: roles, keys, passwords
#[utoipa::path(get, path = "/user/{account_id}/history", tag = "log", security(("bearer" = ["admin"])),
    params(("account_id" = AccountId, Path), HistoryPage),
    responses((status = 200, body = Vec<HistoryEntry>), (status = 404, body = Problem)))]
pub async fn account_history(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Ids(account_id): Ids<AccountId>,
    Params(page): Params<HistoryPage>,
) -> Result<PageOf<HistoryEntry>, ApiError> {
    let unknown = ApiError::not_found("account_not_found", "Account not found");
    history::<Account>(&app, &uri, &account_id.to_string(), &page, unknown).await
}

/// List the events of a cart and what they changed
///
/// `cart_id` is the number of a customer, or the id of a guest's cart in the log.
#[utoipa::path(get, path = "/cart/{cart_id}/history", tag = "log", security(("bearer" = ["reader"])),
    params(("cart_id" = String, Path), HistoryPage),
    responses((status = 200, body = Vec<HistoryEntry>), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn cart_history(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Ids(cart_id): Ids<String>,
    Params(page): Params<HistoryPage>,
) -> Result<PageOf<HistoryEntry>, ApiError> {
    let unknown = ApiError::not_found("cart_not_found", "Cart not found");
    if cart_id.parse::<i64>().is_err() && cart_id.parse::<Uuid>().is_err() {
        return Err(ApiError::invalid_field(
            "cart_id",
            "must be the number of a customer or the id of a guest's cart in the log",
        ));
    }
    history::<Cart>(&app, &uri, &cart_id, &page, unknown).await
}

/// List the events of a discount and what they changed
#[utoipa::path(get, path = "/discount/{code}/history", tag = "log", security(("bearer" = ["reader"])),
    params(("code" = DiscountCode, Path), HistoryPage),
    responses((status = 200, body = Vec<HistoryEntry>), (status = 404, body = Problem)))]
pub async fn discount_history(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Ids(code): Ids<DiscountCode>,
    Params(page): Params<HistoryPage>,
) -> Result<PageOf<HistoryEntry>, ApiError> {
    let unknown = ApiError::not_found("discount_not_found", "Discount not found");
    history_of::<Discount>(&app, &uri, &code.folded(), &page, Some(unknown), discount_fields).await
}

/// List the changes of the shipping fees and tax rates
///
/// Each entry has the changed tables before and after it. A page has at most 20 entries. Without a change the list is empty.
#[utoipa::path(get, path = "/pricing/history", tag = "log", security(("bearer" = ["reader"])), params(HistoryPage),
    responses((status = 200, body = Vec<HistoryEntry>), (status = 400, body = Problem)))]
pub async fn pricing_history(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(page): Params<HistoryPage>,
) -> Result<PageOf<HistoryEntry>, ApiError> {
    let HistoryPage { limit, cursor, newest_first } = page;
    let limit = Page { limit, cursor: None }.limit(PRICING_CHANGES)?.min(PRICING_CHANGES);
    let page = HistoryPage { limit: Some(limit), cursor, newest_first };
    history_of::<Pricing>(&app, &uri, SHOP, &page, None, plain_fields).await
}

/// List the events of a customer's wishlist and what they changed
#[utoipa::path(get, path = "/customer/{customer_id}/wishlist/history", tag = "log", security(("bearer" = ["reader"])),
    params(("customer_id" = CustomerId, Path), HistoryPage),
    responses((status = 200, body = Vec<HistoryEntry>), (status = 404, body = Problem)))]
pub async fn wishlist_history(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Ids(customer_id): Ids<CustomerId>,
    Params(page): Params<HistoryPage>,
) -> Result<PageOf<HistoryEntry>, ApiError> {
    let unknown = ApiError::not_found("wishlist_not_found", "Wishlist not found");
    history::<Wishlist>(&app, &uri, &customer_id.to_string(), &page, unknown).await
}

/// The fields of a state that a history shows.
type Shown<A> = fn(&A) -> Result<Map<String, Value>, ApiError>;

/// Reads the page, and the state before it from the last snapshot on: the cost does not grow with the stream.
async fn history<A: Decider>(
    app: &App,
    uri: &Uri,
    id: &str,
    history_page: &HistoryPage,
    unknown: ApiError,
) -> Result<PageOf<HistoryEntry>, ApiError> {
    history_of::<A>(app, uri, id, history_page, Some(unknown), state_fields).await
}

/// The same, with the fields of the state that `shown` names. Without an event and an error for that, the history is empty.
async fn history_of<A: Decider>(
    app: &App,
    uri: &Uri,
    id: &str,
    history_page: &HistoryPage,
    unknown: Option<ApiError>,
    shown: Shown<A>,
) -> Result<PageOf<HistoryEntry>, ApiError> {
    let HistoryPage { limit, cursor, newest_first } = history_page.clone();
    let page = Page { limit, cursor };
    let limit = page.limit(DEFAULT_LIMIT)?;
    let cursor: Option<i64> = page.after()?;
    if newest_first == Some(true) {
        let last = match cursor {
            Some(above) => above.saturating_sub(1),
            None => match (last_sequence::<A>(app, id).await?, unknown) {
                (Some(last), _) => last,
                (None, Some(unknown)) => return Err(unknown),
                (None, None) => 0,
            },
        };
        // Sequences have no gaps.
        let after = last.saturating_sub(limit).max(0);
        let (_, mut changes) = read_changes::<A>(app, id, after, last.saturating_sub(after).max(0), shown).await?;
        changes.reverse();
        return Ok(PageOf::with_next(uri, changes, (after > 0).then_some(after + 1)));
    }
    let (events_before, changes) = read_changes::<A>(app, id, cursor.unwrap_or(0).max(0), limit + 1, shown).await?;
    if let Some(unknown) = unknown.filter(|_| changes.is_empty() && events_before == 0) {
        return Err(unknown);
    }
    Ok(PageOf::new(uri, changes, limit, |change| change.sequence))
}

async fn last_sequence<A: Decider>(app: &App, id: &str) -> Result<Option<i64>, sqlx::Error> {
    let query = "select max(sequence) from event_log where aggregate_type = $1 and aggregate_id = $2";
    sqlx::query_scalar(query).bind(A::TYPE).bind(id).fetch_one(&app.pool).await
}

/// At most `count` changes after event `after`, and how many events there are up to it.
async fn read_changes<A: Decider>(
    app: &App,
    id: &str,
    after: i64,
    count: i64,
    shown: Shown<A>,
) -> Result<(i64, Vec<HistoryEntry>), ApiError> {
    let (events_before, mut aggregate) = app.journal.read_upto::<A>(id, after).await?;
    let rows = sqlx::query_file_as!(HistoryRow, "src/http/queries/history.sql", A::TYPE, id, events_before, count)
        .fetch_all(&app.pool)
        .await?;
    let mut before = if events_before == 0 { Map::new() } else { shown(&aggregate)? };
    let mut changes = Vec::with_capacity(rows.len());
    for row in rows {
        let event = A::read_event(&row.event_version, &row.payload).map_err(ApiError::internal)?;
        aggregate.evolve(&event);
        let state = shown(&aggregate)?;
        changes.push(changed_fields(row, &before, &state));
        before = state;
    }
    Ok((events_before, changes))
}

fn changed_fields(row: HistoryRow, before: &Map<String, Value>, after: &Map<String, Value>) -> HistoryEntry {
    let changed = |from: &Map<String, Value>, to: &Map<String, Value>| {
        from.iter().filter(|(name, value)| to.get(*name) != Some(value)).map(|(n, v)| (n.clone(), v.clone())).collect()
    };
    let text = |name: &str| row.metadata.get(name).and_then(Value::as_str).map(str::to_owned);
    HistoryEntry {
        sequence: row.sequence,
        position: row.position,
        recorded_at: row.recorded_at,
        actor: text("actor"),
        role: text("role"),
        request_id: text("request_id"),
        reason: row.payload.get("reason").and_then(Value::as_str).map(str::to_owned),
        before: changed(before, after),
        after: changed(after, before),
        event_type: row.event_type,
    }
}

/// The state as a flat object: its variant as `state`, and the variant's fields.
fn state_fields(aggregate: &impl Serialize) -> Result<Map<String, Value>, ApiError> {
    let mut flat = Map::new();
    match serde_json::to_value(aggregate).map_err(ApiError::internal)? {
        Value::Object(variants) => {
            for (variant, content) in variants {
                flat.insert("state".to_owned(), Value::String(variant));
                match content {
                    Value::Object(fields) => flat.extend(fields),
                    other => drop(flat.insert("value".to_owned(), other)),
                }
            }
        }
        other => drop(flat.insert("state".to_owned(), other)),
    }
    Ok(flat)
}

/// The fields of a state without variants.
fn plain_fields<A: Serialize>(aggregate: &A) -> Result<Map<String, Value>, ApiError> {
    match serde_json::to_value(aggregate).map_err(ApiError::internal)? {
        Value::Object(fields) => Ok(fields),
        _ => Ok(Map::new()),
    }
}

/// Terms and uses of a discount, without the uses of each customer, which grow with the number of customers.
fn discount_fields(discount: &Discount) -> Result<Map<String, Value>, ApiError> {
    let Discount::Created(discount) = discount else { return Ok(Map::new()) };
    let mut fields = plain_fields(&discount.terms)?;
    fields.insert("code".to_owned(), Value::from(discount.code.as_str()));
    fields.insert("uses".to_owned(), Value::from(discount.uses));
    fields.insert("ended".to_owned(), Value::from(discount.ended));
    Ok(fields)
}
