//! The list of orders, and what staff find orders by.

use std::collections::HashMap;

use axum::extract::{OriginalUri, State};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::domain::ids::{CategoryId, CustomerId, ProductId};
use crate::domain::order::{Fulfilment, Payment, Status};
use crate::domain::text::{Email, Name, Reference};
use crate::http::App;
use crate::http::customers::list::EmailFilter;
use crate::http::orders::summary::RefundState;
use crate::http::wire::amount::Amount;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Day, LAST_MOMENT, Page, PageOf, Params, Walked, check_range};
use crate::projector::text_key;

/// An order in the list of orders.
#[derive(Serialize, ToSchema)]
pub struct OrderRow {
    pub order_id: i64,
    pub placed_at: DateTime<Utc>,
    #[schema(value_type = Status)]
    pub status: String,
    #[schema(value_type = Payment)]
    pub payment: String,
    #[schema(value_type = Fulfilment)]
    pub fulfilment: String,
    pub total_amount: Amount,
    /// `null` for a guest.
    pub customer_id: Option<i64>,
    pub reference: Option<String>,
    pub line_count: i64,
    /// With `view=full`: name of the customer or guest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    /// With `view=full`: ordered units of all lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<i64>,
    /// With `view=full`: city of the shipping address; empty without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// With `view=full`: total reduction since the order was placed, by returns, refunds and cancellation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credited: Option<Amount>,
    /// With `view=full`: units that were not cancelled or returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_units: Option<i64>,
    /// With `view=full` and `product_id`: units of this product that were not cancelled or returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_units: Option<i64>,
}

/// What the list shows of each order.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OrderListView {
    /// Adds the customer's name, the city, units and credits.
    Full,
}

/// Who placed an order, as `GET buyers` counts them.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Buyer {
    /// A customer without an order before `from`; cancelled orders do not count.
    New,
    /// A customer who had ordered before `from`.
    Returning,
    Guest,
}

impl Buyer {
    fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Returning => "returning",
            Self::Guest => "guest",
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OrderFilter {
    #[param(inline)]
    status: Option<Status>,
    /// State of the payment; `partially_paid` finds orders that wait for the rest of their money.
    #[param(inline)]
    payment: Option<Payment>,
    #[param(inline)]
    fulfilment: Option<Fulfilment>,
    /// The order's number in another system; case and accents do not matter.
    #[param(inline)]
    reference: Option<Reference>,
    /// The whole e-mail address of the customer or guest.
    #[param(value_type = Option<Email>, inline)]
    email: Option<EmailFilter>,
    /// A product of the order.
    #[param(inline)]
    product_id: Option<ProductId>,
    #[param(inline)]
    customer_id: Option<CustomerId>,
    /// Earlier name of `customer_id`.
    #[param(inline)]
    customer: Option<CustomerId>,
    /// A category that a product of the order had when it was ordered.
    #[param(inline)]
    category_id: Option<CategoryId>,
    /// The whole name of the city of the shipping address; case does not matter.
    #[param(inline)]
    city: Option<Name>,
    /// Orders with a refund in this state; `requested` finds the refunds that a provider has not executed yet.
    #[param(inline)]
    refund: Option<RefundState>,
    /// `false` leaves cancelled orders out; `true` lists them alone.
    cancelled: Option<bool>,
    /// Who placed the order, as `GET buyers` counts: customers without an order before `from` (`new`), with one
    /// (`returning`), and guests.
    #[param(inline)]
    buyer: Option<Buyer>,
    /// `full` adds `customer_name`, `city`, `units`, `kept_units`, `credited`, and with `product_id` `product_units`.
    #[param(inline)]
    view: Option<OrderListView>,
    /// Placed on or after this day, UTC.
    #[param(inline)]
    from: Option<Day>,
    /// Placed on or before this day, UTC.
    #[param(inline)]
    to: Option<Day>,
}

/// Guests' orders with one e-mail address that are found by the address. If there are more, they are found by the date.
const GUEST_ORDERS: i64 = 1_000;

/// Orders with a requested refund that are found by the refund. If there are more, they are found by the date.
const REQUESTED_REFUNDS: i64 = 1_000;

/// The orders with an e-mail address, or with a requested refund.
struct Ordered {
    customer_id: Option<i64>,
    guest_orders: Vec<i64>,
}

/// The index that a list of orders follows.
enum Walk {
    ByDate,
    /// Among orders with an index of their own: of a customer, with an e-mail address, a reference or a requested refund.
    Among(Ordered, Option<String>),
    ToShip,
    ToPay,
}

/// List orders, newest first
///
/// Orders of a customer, with a `reference`, an `email` or a requested refund, and those in an open state (`status`
/// pending or processing, `payment` before paid) are found at once. Any other filter searches a limited number of orders per page: the page may
/// be short, or even empty, and still have a next page.
#[utoipa::path(get, path = "/orders", tag = "orders", security(("bearer" = ["reader"])), params(OrderFilter, Page),
    responses((status = 200, body = Vec<OrderRow>), (status = 400, body = Problem)))]
pub async fn list_orders(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(filter): Params<OrderFilter>,
    Params(page): Params<Page>,
) -> Result<PageOf<OrderRow>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    check_range(("from", filter.from), ("to", filter.to))?;
    if filter.customer.is_some() && filter.customer_id.is_some() {
        return Err(ApiError::invalid_field("customer", "is the earlier name of customer_id; send one of them"));
    }
    let customer_id = filter.customer_id.or(filter.customer).map(|customer_id| customer_id.0);
    let reference = filter.reference.as_ref().map(|reference| text_key(reference.as_str()));
    let email = filter.email.as_ref().map(EmailFilter::as_str);
    let ordered = match email {
        Some(email) => Some(
            sqlx::query_file_as!(Ordered, "projections/orders/of_email.sql", email, GUEST_ORDERS + 1)
                .fetch_one(&app.pool)
                .await?,
        ),
        None => None,
    };
    let email_customer = ordered.as_ref().and_then(|ordered| ordered.customer_id);
    let (placed_at, order_id) = start(&page, filter.to)?;
    let from = filter.from.map_or(FIRST_MOMENT, Day::begin);
    macro_rules! walk {
        ($file:literal $(, $key:expr)*) => {
            sqlx::query_file!(
                $file,
                placed_at,
                order_id,
                from,
                limit + 1,
                filter.status.map(Status::as_str),
                filter.payment.map(Payment::as_str),
                filter.fulfilment.map(Fulfilment::as_str),
                reference,
                customer_id,
                filter.product_id.map(|product_id| product_id.0),
                email,
                email_customer,
                filter.category_id.map(|category_id| category_id.0),
                filter.city.as_ref().map(Name::as_str),
                filter.refund.map(RefundState::as_str),
                filter.cancelled,
                filter.buyer.map(Buyer::as_str)
                $(, $key)*
            )
            .fetch_all(&app.pool)
            .await?
            .into_iter()
            .map(|row| Walked {
                found: row.found,
                last: row.last,
                row: OrderRow {
                    order_id: row.order_id,
                    placed_at: row.placed_at,
                    status: row.status,
                    payment: row.payment,
                    fulfilment: row.fulfilment,
                    total_amount: row.total_amount.into(),
                    customer_id: row.customer_id,
                    reference: row.reference,
                    line_count: row.line_count,
                    customer_name: None,
                    units: None,
                    city: None,
                    credited: None,
                    kept_units: None,
                    product_units: None,
                },
            })
            .collect()
        };
    }
    let refunds = match filter.refund {
        Some(RefundState::Requested) => find_requested_refunds(&app).await?,
        _ => None,
    };
    let mut walked: Vec<Walked<OrderRow>> =
        match choose_walk(&filter, customer_id, reference.as_ref(), ordered, refunds) {
            Walk::ByDate => walk!("projections/orders/list.sql"),
            Walk::Among(Ordered { customer_id, guest_orders }, reference) => {
                walk!("projections/orders/list_among.sql", customer_id, &guest_orders, reference)
            }
            Walk::ToShip => walk!("projections/orders/list_to_ship.sql"),
            Walk::ToPay => walk!("projections/orders/list_to_pay.sql"),
        };
    if filter.view == Some(OrderListView::Full) {
        add_details(&app, &mut walked, filter.product_id).await?;
    }
    Ok(PageOf::of_walk(&uri, walked, limit, |row| (row.placed_at, row.order_id)))
}

/// The orders with a requested refund; `None` if there are too many.
async fn find_requested_refunds(app: &App) -> Result<Option<Ordered>, ApiError> {
    let found = sqlx::query_scalar!(
        "select distinct order_id from refunds where state = 'requested' order by order_id desc limit $1",
        REQUESTED_REFUNDS + 1
    );
    let guest_orders = found.fetch_all(&app.pool).await?;
    let too_many = guest_orders.len() > REQUESTED_REFUNDS as usize;
    Ok((!too_many).then_some(Ordered { customer_id: None, guest_orders }))
}

/// Adds what `view=full` shows, with one query for all orders of the page.
async fn add_details(
    app: &App,
    walked: &mut [Walked<OrderRow>],
    product_id: Option<ProductId>,
) -> Result<(), ApiError> {
    let product_id = product_id.map(|product_id| product_id.0);
    let order_ids: Vec<i64> = walked.iter().map(|walked| walked.row.order_id).collect();
    let shown = sqlx::query_file!("projections/orders/shown.sql", &order_ids, product_id).fetch_all(&app.pool).await?;
    let mut shown: HashMap<i64, _> = shown.into_iter().map(|shown| (shown.order_id, shown)).collect();
    for Walked { row, .. } in walked {
        if let Some(shown) = shown.remove(&row.order_id) {
            row.customer_name = Some(shown.customer_name);
            row.units = Some(shown.units);
            row.city = Some(shown.city.unwrap_or_default());
            row.credited = Some(shown.credited.into());
            row.kept_units = Some(shown.kept_units);
            row.product_units = product_id.map(|_| shown.product_units);
        }
    }
    Ok(())
}

/// The index with the fewest orders. Every other filter applies to what the walk reads.
fn choose_walk(
    filter: &OrderFilter,
    customer_id: Option<i64>,
    reference: Option<&String>,
    ordered: Option<Ordered>,
    refunds: Option<Ordered>,
) -> Walk {
    let of_customer = |customer_id| Ordered { customer_id, guest_orders: vec![] };
    let many = |ordered: &Ordered| ordered.guest_orders.len() > GUEST_ORDERS as usize;
    match (reference, ordered, customer_id, refunds) {
        (Some(reference), ..) => Walk::Among(of_customer(None), Some(reference.clone())),
        (None, Some(ordered), ..) if !many(&ordered) => Walk::Among(ordered, None),
        (None, _, Some(customer_id), _) => Walk::Among(of_customer(Some(customer_id)), None),
        (None, _, None, Some(refunds)) => Walk::Among(refunds, None),
        _ if matches!(filter.status, Some(Status::Pending | Status::Processing)) => Walk::ToShip,
        _ if filter.payment.is_some_and(is_open) => Walk::ToPay,
        _ => Walk::ByDate,
    }
}

/// Whether an order in this state waits for money. The index `orders_to_pay` has these states.
fn is_open(payment: Payment) -> bool {
    match payment {
        Payment::Pending | Payment::Authorised | Payment::PartiallyPaid | Payment::Failed => true,
        Payment::Paid | Payment::PartiallyRefunded | Payment::Refunded => false,
    }
}

/// Where the page begins: after the cursor, and not after the last day.
fn start(page: &Page, to: Option<Day>) -> Result<(DateTime<Utc>, i64), ApiError> {
    let cursor = page.after()?.unwrap_or((LAST_MOMENT, i64::MAX));
    let end = to.map(|day| (day.end(), 0));
    Ok(end.map_or(cursor, |end| end.min(cursor)))
}

/// Before every order.
const FIRST_MOMENT: DateTime<Utc> =
    NaiveDate::from_ymd_opt(1, 1, 1).expect("it is a day").and_time(NaiveTime::MIN).and_utc();
