//! Orders: placed by staff, and read line by line.

pub mod guest;
pub mod list;
pub mod movers;
pub mod moves;
pub mod recipients;
pub mod short;
pub mod summary;

use axum::extract::State;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::ids::{AddressId, CustomerId, OrderId, ProductId};
use crate::domain::metadata::Metadata;
use crate::domain::money::Money;
use crate::domain::quantity::Quantity;
use crate::domain::text::Reference;
use crate::http::App;
use crate::http::customers::addresses::GivenAddress;
use crate::http::orders::recipients::{GivenContact, GivenRecipients};
use crate::http::wire::amount::Amount;
use crate::http::wire::body::body;
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{Ids, Versioned};
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
        /// Pairs of texts that staff and integrations keep with the order.
        pub metadata: Option<Metadata>,
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
    let NewOrder { customer_id, placed_at, reference, lines, metadata, .. } = command.body;
    let NewOrder { contact, shipping_address, billing_address, shipping_address_id, billing_address_id, .. } =
        command.body;
    let metadata = metadata.unwrap_or_default();
    let given = GivenRecipients { contact, shipping_address, billing_address, shipping_address_id, billing_address_id };
    let recipients = given.resolve(&app, customer_id).await?;
    let requested = |line: NewLine| RequestedLine {
        product_id: line.product_id,
        quantity: line.quantity,
        unit_price: line.unit_price,
    };
    let lines = lines.into_iter().map(requested).collect();
    let place = PlaceOrder { customer_id, placed_at, reference, lines, recipients, metadata };
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
    Ok(Versioned::new(tag, lines.collect()))
}

pub fn order_not_found() -> ApiError {
    ApiError::not_found("order_not_found", "Order not found")
}
