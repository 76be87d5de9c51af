//! Everything that is held about a customer, for the customer to see and to take away.
//!
//! One statement reads it, so all of it is of one moment. Lists that grow without end come in pages: the `Link` of an
//! answer leads to what did not fit, and `complete` says that there is no more.

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

use crate::http::App;
use crate::http::customers;
use crate::http::customers::addresses::Address;
use crate::http::orders::recipients::OrderAddress;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{Ids, MAX_LIMIT, Page, Params, next_link};

/// Everything that is held about a customer. The lists from `orders` on come in pages; each begins with its oldest.
#[derive(Serialize, ToSchema)]
pub struct CustomerExport {
    pub customer_id: i64,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub registered_at: DateTime<Utc>,
    /// Null for a customer who cannot log in.
    pub account: Option<ExportedAccount>,
    pub addresses: Vec<Address>,
    pub cart: Vec<ExportedItem>,
    pub orders: Vec<ExportedOrder>,
    /// Log-ins and failures.
    pub sign_ins: Vec<ExportedSignIn>,
    pub sessions: Vec<ExportedSession>,
    /// Mailed links that are still good.
    pub mailed_links: Vec<ExportedLink>,
    /// What happened to the customer, the cart and the account.
    pub history: Vec<ExportedEvent>,
    /// Whether this page and those before it hold everything; otherwise `Link` leads to the next.
    pub complete: bool,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct ExportedAccount {
    pub account_id: i64,
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
pub struct ExportedOrder {
    pub order_id: i64,
    pub placed_at: DateTime<Utc>,
    pub status: String,
    #[schema(example = "235.99")]
    pub total_amount: String,
    pub lines: Vec<ExportedLine>,
    /// Where it was sent and billed to, as it was written then.
    pub addresses: Vec<OrderAddress>,
}

/// Names and prices are those of the moment of the order.
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
    pub outcome: String,
    /// Shortened to its network.
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
    /// `register` or `reset`.
    pub purpose: String,
    /// As it was given with a registration.
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: String,
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
    /// Who sent the command.
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
    account: SqlJson<Option<ExportedAccount>>,
    addresses: SqlJson<Vec<Address>>,
    cart: SqlJson<Vec<ExportedItem>>,
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
            account: row.account.0,
            addresses: row.addresses.0,
            cart: row.cart.0,
            orders: row.orders.0,
            sign_ins: row.sign_ins.0,
            sessions: row.sessions.0,
            mailed_links: row.mailed_links.0,
            history: row.history.0,
            complete: false,
        }
    }
}

/// The last of each list that was shown.
#[derive(Serialize, Deserialize)]
struct Shown(i64, i64, Uuid, Uuid, i64);

/// Everything that is held about a customer
#[utoipa::path(get, path = "/customer/{customer_id}/export", tag = "customers",
    security(("bearer" = ["owner", "editor"])), params(("customer_id" = i64, Path), Page),
    responses((status = 200, body = CustomerExport), (status = 404, body = Problem)))]
pub async fn find(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Ids(customer_id): Ids<i64>,
    Params(page): Params<Page>,
) -> Result<Response, ApiError> {
    let limit = page.limit(MAX_LIMIT)?;
    let mut shown: Shown = page.after()?.unwrap_or(Shown(0, 0, Uuid::nil(), Uuid::nil(), 0));
    let found = sqlx::query_file_as!(
        ExportRow,
        "src/http/queries/customer_export.sql",
        customer_id,
        shown.0,
        shown.1,
        shown.2,
        shown.3,
        shown.4,
        limit + 1
    );
    let found = found.fetch_optional(&app.pool).await?.map(CustomerExport::from);
    let mut export = found.ok_or_else(customers::unknown)?;
    let cut = [
        cut(&mut export.orders, limit, &mut shown.0, |order| order.order_id),
        cut(&mut export.sign_ins, limit, &mut shown.1, |sign_in| sign_in.sign_in_id),
        cut(&mut export.sessions, limit, &mut shown.2, |session| session.session_id),
        cut(&mut export.mailed_links, limit, &mut shown.3, |link| link.link_id),
        cut(&mut export.history, limit, &mut shown.4, |event| event.position),
    ];
    export.complete = !cut.contains(&true);
    let next = if export.complete { None } else { next_link(&uri, &shown) };
    Ok((next.map(|next| [(LINK, next)]), Json(export)).into_response())
}

/// Keeps `limit` rows and notes the last of them; whether there are more.
fn cut<T, Key>(rows: &mut Vec<T>, limit: i64, shown: &mut Key, key: impl Fn(&T) -> Key) -> bool {
    let limit = usize::try_from(limit).unwrap_or_default();
    let more = rows.len() > limit;
    rows.truncate(limit);
    if let Some(last) = rows.last() {
        *shown = key(last);
    }
    more
}
