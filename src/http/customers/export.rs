//! Data export: all data stored about a customer.
//!
//! A single statement reads it, so all of it is consistent. Long lists come in pages: `Link` leads to the next page, and
//! `complete` is true on the last page.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::header::LINK;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::types::Json as SqlJson;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::ids::CustomerId;
use crate::http::App;
use crate::http::customers;
use crate::http::customers::addresses::AddressView;
use crate::http::orders::recipients::OrderAddress;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{Ids, MAX_LIMIT, Page, Params, next_link};

/// All data stored about a customer. The lists from `orders` on come in pages, oldest entries first.
#[derive(Serialize, ToSchema)]
pub struct CustomerExport {
    pub customer_id: i64,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub registered_at: DateTime<Utc>,
    pub metadata: BTreeMap<String, String>,
    /// Metadata of the cart.
    pub cart_metadata: BTreeMap<String, String>,
    /// `null` for a customer without an account.
    pub account: Option<ExportedAccount>,
    pub addresses: Vec<AddressView>,
    pub cart: Vec<ExportedItem>,
    /// Newest first.
    pub wishlist: Vec<ExportedWish>,
    pub orders: Vec<ExportedOrder>,
    /// Logins and failed logins.
    pub sign_ins: Vec<ExportedSignIn>,
    pub sessions: Vec<ExportedSession>,
    /// Mailed links that are still valid.
    pub mailed_links: Vec<ExportedLink>,
    /// Events of the customer, the cart, the wishlist and the account.
    pub history: Vec<ExportedEvent>,
    /// Whether this is the last page; otherwise `Link` leads to the next page.
    pub complete: bool,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct ExportedAccount {
    pub account_id: i64,
    #[schema(value_type = crate::domain::account::Role)]
    pub role: String,
    pub email: String,
    pub opened_at: DateTime<Utc>,
    pub disabled_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct ExportedItem {
    pub product_id: i64,
    pub product_name: String,
    pub quantity: i64,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct ExportedWish {
    pub product_id: i64,
    pub product_name: String,
    pub added_at: DateTime<Utc>,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct ExportedOrder {
    pub order_id: i64,
    pub placed_at: DateTime<Utc>,
    #[schema(value_type = crate::domain::order::Status)]
    pub status: String,
    #[schema(example = "235.99")]
    pub total_amount: String,
    pub lines: Vec<ExportedLine>,
    /// Shipping and billing address as they were when the order was placed.
    pub addresses: Vec<OrderAddress>,
    pub metadata: BTreeMap<String, String>,
}

/// A line of an order, with names and prices as they were when the order was placed.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct ExportedLine {
    pub product_id: i64,
    pub product_name: String,
    pub category_name: String,
    pub quantity: i64,
    #[schema(example = "235.99")]
    pub unit_price: String,
    #[schema(example = "235.99")]
    pub subtotal: String,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct ExportedSignIn {
    #[serde(skip_serializing)]
    #[schema(ignore)]
    sign_in_id: i64,
    pub happened_at: DateTime<Utc>,
    #[schema(value_type = crate::accounts::SignInOutcome)]
    pub outcome: String,
    /// The client address, shortened to its network.
    pub address: String,
    pub user_agent: String,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct ExportedSession {
    #[serde(skip_serializing)]
    #[schema(ignore)]
    session_id: Uuid,
    pub started_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct ExportedLink {
    #[serde(skip_serializing)]
    #[schema(ignore)]
    link_id: Uuid,
    /// `register`, `reset`, `change_email` or `email_notice`.
    pub purpose: String,
    /// First name in the registration.
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: String,
    /// The client address of the request, shortened to its network.
    pub network: Option<String>,
    pub requested_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct ExportedEvent {
    pub position: i64,
    pub recorded_at: DateTime<Utc>,
    pub aggregate_type: String,
    pub event_type: String,
    #[schema(value_type = Object)]
    pub payload: Value,
    /// The account, guest or task that sent the command.
    pub actor: Option<String>,
    pub role: Option<String>,
    pub request_id: Option<String>,
}

/// The row of `customer_export.sql`.
struct ExportRow {
    customer_id: i64,
    first_name: String,
    last_name: String,
    email: String,
    registered_at: DateTime<Utc>,
    metadata: SqlJson<BTreeMap<String, String>>,
    cart_metadata: SqlJson<BTreeMap<String, String>>,
    account: SqlJson<Option<ExportedAccount>>,
    addresses: SqlJson<Vec<AddressView>>,
    cart: SqlJson<Vec<ExportedItem>>,
    wishlist: SqlJson<Vec<ExportedWish>>,
    orders: SqlJson<Vec<ExportedOrder>>,
    sign_ins: SqlJson<Vec<ExportedSignIn>>,
    sessions: SqlJson<Vec<ExportedSession>>,
    mailed_links: SqlJson<Vec<ExportedLink>>,
    history: SqlJson<Vec<ExportedEvent>>,
}

impl From<ExportRow> for CustomerExport {
    fn from(row: ExportRow) -> Self {
        Self {
            customer_id: row.customer_id,
            first_name: row.first_name,
            last_name: row.last_name,
            email: row.email,
            registered_at: row.registered_at,
            metadata: row.metadata.0,
            cart_metadata: row.cart_metadata.0,
            account: row.account.0,
            addresses: row.addresses.0,
            cart: row.cart.0,
            wishlist: row.wishlist.0,
            orders: row.orders.0,
            sign_ins: row.sign_ins.0,
            sessions: row.sessions.0,
            mailed_links: row.mailed_links.0,
            history: row.history.0,
            complete: false,
        }
    }
}

/// The last key of each list that was returned.
#[derive(Serialize, Deserialize)]
struct Shown(i64, i64, Uuid, Uuid, i64);

/// Export all data stored about a customer
#[utoipa::path(get, path = "/customer/{customer_id}/export", tag = "customers",
    security(("bearer" = ["owner", "editor"])), params(("customer_id" = CustomerId, Path), Page),
    responses((status = 200, body = CustomerExport), (status = 404, body = Problem)))]
pub async fn export_customer(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Ids(customer_id): Ids<CustomerId>,
    Params(page): Params<Page>,
) -> Result<Response, ApiError> {
    let limit = page.limit(MAX_LIMIT)?;
    let mut shown: Shown = page.after()?.unwrap_or(Shown(0, 0, Uuid::nil(), Uuid::nil(), 0));
    let found = sqlx::query_file_as!(
        ExportRow,
        "src/http/queries/customer_export.sql",
        customer_id.0,
        shown.0,
        shown.1,
        shown.2,
        shown.3,
        shown.4,
        limit + 1
    );
    let found = found.fetch_optional(&app.pool).await?.map(CustomerExport::from);
    let mut export = found.ok_or_else(customers::customer_not_found)?;
    let truncated = [
        truncate_list(&mut export.orders, limit, &mut shown.0, |order| order.order_id),
        truncate_list(&mut export.sign_ins, limit, &mut shown.1, |sign_in| sign_in.sign_in_id),
        truncate_list(&mut export.sessions, limit, &mut shown.2, |session| session.session_id),
        truncate_list(&mut export.mailed_links, limit, &mut shown.3, |link| link.link_id),
        truncate_list(&mut export.history, limit, &mut shown.4, |event| event.position),
    ];
    export.complete = !truncated.contains(&true);
    let next = if export.complete { None } else { next_link(&uri, &shown) };
    Ok((next.map(|next| [(LINK, next)]), Json(export)).into_response())
}

/// Keeps `limit` rows and stores the key of the last; returns whether rows were removed.
fn truncate_list<T, Key>(rows: &mut Vec<T>, limit: i64, shown: &mut Key, key: impl Fn(&T) -> Key) -> bool {
    let limit = usize::try_from(limit).unwrap_or_default();
    let more = rows.len() > limit;
    rows.truncate(limit);
    if let Some(last) = rows.last() {
        *shown = key(last);
    }
    more
}
