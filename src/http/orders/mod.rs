//! Orders: placed by staff, listed, and read line by line.

pub mod guest;
pub mod movers;
pub mod moves;
pub mod recipients;
pub mod short;
pub mod summary;

use axum::extract::{OriginalUri, State};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::domain::ids::{AddressId, CustomerId, OrderId, ProductId};
use crate::domain::money::Money;
use crate::domain::order::{Payment, Status};
use crate::domain::quantity::Quantity;
use crate::domain::text::Reference;
use crate::http::App;
use crate::http::customers::addresses::GivenAddress;
use crate::http::orders::recipients::{GivenContact, GivenRecipients};
use crate::http::wire::amount::Amount;
use crate::http::wire::body::body;
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Day, Ids, LAST_MOMENT, Page, PageOf, Params, Versioned};
use crate::journal::EntityTag;
use crate::shop::{OrderView, PlaceOrder, RequestedLine, order_digest};

/// One line of an order.
#[derive(Serialize, ToSchema)]
pub struct OrderLine {
    pub order_id: i64,
    pub order_date: NaiveDate,
    /// `Guest` for a guest.
    pub customer_name: String,
    pub product_name: String,
    pub quantity: i64,
    pub price_per_unit: Amount,
    pub subtotal: Amount,
}

/// An order in the list of orders.
#[derive(Serialize, ToSchema)]
pub struct OrderRow {
    pub order_id: i64,
    pub placed_at: DateTime<Utc>,
    #[schema(value_type = crate::domain::order::Status)]
    pub status: String,
    #[schema(value_type = crate::domain::order::Payment)]
    pub payment: String,
    #[schema(value_type = crate::domain::order::Fulfilment)]
    pub fulfilment: String,
    pub total_amount: Amount,
    /// `null` for a guest.
    pub customer_id: Option<i64>,
    pub reference: Option<String>,
    pub line_count: i64,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OrderFilter {
    #[param(inline)]
    status: Option<Status>,
    /// State of the payment; `partially_paid` finds orders that wait for the rest of their money.
    #[param(inline)]
    payment: Option<Payment>,
    /// Placed on or after this day, UTC.
    #[param(inline)]
    from: Option<Day>,
    /// Placed on or before this day, UTC.
    #[param(inline)]
    to: Option<Day>,
    #[param(inline)]
    customer: Option<CustomerId>,
}

body! {
    /// An order placed by staff.
    #[schema(examples(json!({ "customer_id": 1, "lines": [{ "product_id": 1, "quantity": 2, "unit_price": "8.50" }] })))]
    pub struct NewOrder {
        /// Absent for an order of a guest.
        pub customer_id: Option<CustomerId>,
        /// Original time of an order imported from another system; now if absent.
        pub placed_at: Option<DateTime<Utc>>,
        /// The order's number in another system. The same request again returns the first order; another one is 422.
        pub reference: Option<Reference>,
        #[schema(min_items = 1, max_items = 2_000)]
        pub lines: Vec<NewLine>,
        /// Name and e-mail address of a guest.
        pub contact: Option<GivenContact>,
        /// Where the goods go; for a customer `shipping_address_id` may name a known address instead.
        pub shipping_address: Option<GivenAddress>,
        /// The billing address, if it differs from the shipping address.
        pub billing_address: Option<GivenAddress>,
        pub shipping_address_id: Option<AddressId>,
        pub billing_address_id: Option<AddressId>,
    }
}

body! {
    #[derive(Clone, Copy)]
    pub struct NewLine {
        pub product_id: ProductId,
        pub quantity: Quantity,
        /// An agreed price; the product's price if absent.
        pub unit_price: Option<Money>,
    }
}

/// List orders, newest first
#[utoipa::path(get, path = "/orders", tag = "orders", security(("bearer" = ["reader"])), params(OrderFilter, Page),
    responses((status = 200, body = Vec<OrderRow>), (status = 400, body = Problem)))]
pub async fn list_orders(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(filter): Params<OrderFilter>,
    Params(page): Params<Page>,
) -> Result<PageOf<OrderRow>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let (placed_at, order_id) = page.after()?.unwrap_or((LAST_MOMENT, i64::MAX));
    let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
    let rows = sqlx::query_file_as!(
        OrderRow,
        "projections/orders/list.sql",
        filter.status.map(Status::as_str),
        filter.from.map(|Day(day)| midnight(day)),
        filter.to.and_then(|Day(day)| day.succ_opt()).map(midnight),
        filter.customer.map(|customer_id| customer_id.0),
        placed_at,
        order_id,
        limit + 1,
        filter.payment.map(Payment::as_str)
    )
    .fetch_all(&app.pool)
    .await?;
    Ok(PageOf::new(&uri, rows, limit, |row| (row.placed_at, row.order_id)))
}

/// Place an order for a customer or a guest
///
/// A request that repeats a `reference` with the same customer, time and lines places nothing: it returns the first order
/// with 200 and `Idempotent-Replayed: true`.
#[utoipa::path(post, path = "/orders", tag = "orders", security(("bearer" = ["editor"])),
    request_body = NewOrder, params(CommandParams),
    responses(
        (status = 200, description = "The order that an earlier request with this reference placed", body = OrderView),
        (status = 201, body = OrderView), CommandProblems))]
pub async fn place_order(
    State(app): State<App>,
    command: Command<NewOrder>,
) -> Result<CommandResponse<OrderView>, ApiError> {
    let NewOrder { customer_id, placed_at, reference, lines, .. } = command.body;
    let NewOrder { contact, shipping_address, billing_address, shipping_address_id, billing_address_id, .. } =
        command.body;
    let given = GivenRecipients { contact, shipping_address, billing_address, shipping_address_id, billing_address_id };
    let recipients = given.resolve(&app, customer_id).await?;
    let requested = |line: NewLine| RequestedLine {
        product_id: line.product_id,
        quantity: line.quantity,
        unit_price: line.unit_price,
    };
    let lines = lines.into_iter().map(requested).collect();
    let place = PlaceOrder { customer_id, placed_at, reference, lines, recipients };
    let order = app.run(place, command.context).await?;
    let placed_before = order.answer().placed_before;
    let order = order.map(|placed| placed.order);
    let location = |order: &OrderView| format!("/shop/api/order/{}/", order.order_id);
    Ok(if placed_before { order.repeated() } else { order.created(location) })
}

/// List the lines of an order
#[utoipa::path(get, path = "/order/{order_id}", tag = "orders", security(("bearer" = ["owner", "reader"])),
    params(("order_id" = OrderId, Path)),
    responses((status = 200, body = Vec<OrderLine>), (status = 404, body = Problem)))]
pub async fn list_order_lines(
    State(app): State<App>,
    Ids(order_id): Ids<OrderId>,
) -> Result<Versioned<Vec<OrderLine>>, ApiError> {
    let rows = sqlx::query_file!("projections/order_lines/by_order.sql", order_id.0).fetch_all(&app.pool).await?;
    let first = rows.first().ok_or_else(order_not_found)?;
    let tag = EntityTag { version: first.version, digest: order_digest(first.customer_version) };
    let lines = rows.into_iter().map(|row| OrderLine {
        order_id: row.order_id,
        order_date: row.placed_at.date_naive(),
        customer_name: row.customer_name,
        product_name: row.product_name,
        quantity: row.quantity,
        price_per_unit: row.price_per_unit.into(),
        subtotal: row.subtotal.into(),
    });
    Ok(Versioned { tag, body: lines.collect() })
}

pub fn order_not_found() -> ApiError {
    ApiError::not_found("order_not_found", "Order not found")
}
