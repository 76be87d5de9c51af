//! Erasure of personal data, at once or when the last open order is closed.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::domain::ids::{CustomerId, OrderId};
use crate::domain::refusal::Refusal;
use crate::http::App;
use crate::http::ranks;
use crate::http::wire::body::NoBody;
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::consistency::wait_for_position;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Ids, Params};
use crate::http::wire::ranked_walk::{ListRequest, RankedList, RankedPage};
use crate::journal::{CommandError, Context};
use crate::shop::{EraseCustomer, ErasureView, KeepCustomer, KnownOrders};

/// How many open orders a refusal names.
const ORDERS_NAMED: i64 = 50;
/// Attempts to erase a customer whose orders change meanwhile.
const ATTEMPTS: usize = 5;

/// An erasure that waits for open orders.
#[derive(Serialize, ToSchema)]
pub struct WaitingErasure {
    pub requested_at: DateTime<Utc>,
    /// `null` for a guest.
    pub customer_id: Option<i64>,
    /// The order of a guest; `null` for a customer.
    pub order_id: Option<i64>,
    /// Numbers of the orders that it waits for, at most 10.
    pub open_orders: Vec<i64>,
}

/// When personal data is erased.
#[derive(Clone, Copy, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ErasureQuery {
    /// `orders_closed` waits until no order is open. Without it, an open order refuses the erasure.
    #[param(inline)]
    pub when: Option<ErasureTime>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErasureTime {
    OrdersClosed,
}

/// 204 if the data is erased, 202 if it waits for open orders.
pub fn erasure_response(erasure: CommandResponse<ErasureView>) -> Response {
    match erasure.answer().waiting {
        true => erasure.accepted().into_response(),
        false => erasure.map(drop).into_response(),
    }
}

/// Erases a customer, or records that the erasure waits for open orders.
///
/// The open orders are read at a position that includes every order this node knows of; the command refuses if an order of
/// the customer has changed since, and they are read again.
pub async fn erase(
    app: &App,
    customer_id: CustomerId,
    when: Option<ErasureTime>,
    context: Context,
) -> Result<CommandResponse<ErasureView>, ApiError> {
    let account_id = app.accounts.account_of_customer(customer_id).await?;
    let mut attempt = 1;
    loop {
        let orders = find_open_orders(app, customer_id, &context).await?;
        let erase = EraseCustomer { customer_id, account_id, orders, when_closed: when.is_some() };
        match app.try_run(erase, context.clone()).await {
            Err(CommandError::Refused(Refusal::OrdersChanged)) if attempt < ATTEMPTS => attempt += 1,
            concluded => return Ok(concluded?),
        }
    }
}

async fn find_open_orders(app: &App, customer_id: CustomerId, context: &Context) -> Result<KnownOrders, ApiError> {
    wait_for_position(app, &context.principal, app.journal.position()).await?;
    let found = sqlx::query_file!("projections/orders/open_of_customer.sql", customer_id.0, ORDERS_NAMED)
        .fetch_one(&app.pool)
        .await?;
    Ok(KnownOrders { open: found.order_ids.into_iter().map(OrderId).collect(), position: found.position })
}

/// Withdraw the waiting erasure of a customer
#[utoipa::path(delete, path = "/customer/{customer_id}/erasure", tag = "customers", security(("bearer" = ["editor"])),
    params(("customer_id" = CustomerId, Path), CommandParams), responses((status = 204), CommandProblems))]
pub async fn withdraw_customer_erasure(
    State(app): State<App>,
    Ids(customer_id): Ids<CustomerId>,
    command: Command<NoBody>,
) -> Result<CommandResponse<()>, ApiError> {
    app.run(KeepCustomer { customer_id }, command.context).await
}

/// List the erasures that wait for open orders, longest waiting first
#[utoipa::path(get, path = "/erasures", tag = "customers", security(("bearer" = ["reader"])), params(RankedPage),
    responses((status = 200, body = Vec<WaitingErasure>), (status = 400, body = Problem)))]
pub async fn list_erasures(
    State(app): State<App>,
    request: ListRequest,
    Params(page): Params<RankedPage>,
) -> Result<Response, ApiError> {
    let start = (DateTime::UNIX_EPOCH, 0, 0);
    let list = RankedList { rank: &ranks::ERASURES, default_limit: DEFAULT_LIMIT, start };
    let key = |row: &WaitingErasure| {
        (row.requested_at, row.customer_id.unwrap_or_default(), row.order_id.unwrap_or_default())
    };
    request
        .answer_rows(&app, page, list, key, |connection, (requested_at, customer_id, order_id), limit| {
            sqlx::query_file_as!(
                WaitingErasure,
                "projections/customers/waiting.sql",
                requested_at,
                customer_id,
                order_id,
                limit
            )
            .fetch(connection)
        })
        .await
}
