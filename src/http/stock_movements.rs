//! Movements of the stock, read from the log: every event that changed the units on hand or reserved.

use axum::extract::{OriginalUri, State};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::domain::Decider;
use crate::domain::product::{Product, ProductEvent, Stock};
use crate::http::App;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Day, Page, PageOf, Params, check_range};

/// A change of the units on hand or reserved, and the event that made it.
#[derive(Serialize, ToSchema)]
pub struct StockMovement {
    /// Position of the event in the log.
    pub position: i64,
    pub event_id: Uuid,
    pub recorded_at: DateTime<Utc>,
    /// `StockReceived`, `StockCorrected`, `StockReserved`, `StockReleased`, `StockShipped` or `StockReturned`.
    pub event_type: String,
    pub product_id: i64,
    /// The order that reserved, released, shipped or returned units; `null` for a receipt or a correction.
    pub order_id: Option<i64>,
    pub reason: Option<String>,
    /// The account, guest or task that sent the command.
    pub actor: Option<String>,
    pub before: StockLevel,
    pub after: StockLevel,
}

/// Units of a product at one time.
#[derive(Serialize, ToSchema)]
pub struct StockLevel {
    /// Units in the warehouse.
    pub on_hand: i64,
    /// Units that belong to open orders.
    pub reserved: i64,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MovementFilter {
    /// Number of a product.
    product_id: Option<i64>,
    /// First day, UTC, inclusive.
    #[param(inline)]
    from: Option<Day>,
    /// Last day, UTC, inclusive.
    #[param(inline)]
    to: Option<Day>,
}

/// Events of a product's stream that a page reads at most; more than the largest page.
const WALKED_EVENTS: i64 = 2_000;

/// List the movements of the stock, newest first
///
/// Every change of the units on hand or reserved, of all products or of one. A page of one product may be short, or even
/// empty, and still have a next page.
#[utoipa::path(get, path = "/stock-movements", tag = "log", security(("bearer" = ["reader"])),
    params(MovementFilter, Page),
    responses((status = 200, body = Vec<StockMovement>), (status = 400, body = Problem)))]
pub async fn list_stock_movements(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(filter): Params<MovementFilter>,
    Params(page): Params<Page>,
) -> Result<PageOf<StockMovement>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    check_range(("from", filter.from), ("to", filter.to))?;
    let before: i64 = page.after()?.unwrap_or(i64::MAX);
    let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
    let from = filter.from.map(|day| midnight(day.0));
    let until = filter.to.and_then(|day| day.0.succ_opt()).map(midnight);
    let event_types = ProductEvent::STOCK_EVENTS.map(str::to_owned);
    let Some(product_id) = filter.product_id else {
        let rows =
            sqlx::query_file!("src/http/queries/stock_movements.sql", before, from, until, &event_types, limit + 1)
                .fetch_all(&app.pool)
                .await?;
        let movements = rows.into_iter().map(|row| {
            let product_id = row.aggregate_id.parse().map_err(ApiError::internal)?;
            let head = (row.position, row.event_id, row.recorded_at);
            movement(product_id, head, &row.event_version, &row.payload, row.actor)
        });
        let movements = movements.collect::<Result<Vec<_>, ApiError>>()?;
        return Ok(PageOf::new(&uri, movements, limit, |movement| movement.position));
    };
    let rows = sqlx::query_file!(
        "src/http/queries/stock_movements_of_product.sql",
        product_id.to_string(),
        before,
        from,
        until,
        &event_types,
        limit + 1,
        WALKED_EVENTS
    )
    .fetch_all(&app.pool)
    .await?;
    let walked_to = rows.first().and_then(|row| row.walked_to);
    let mut movements = Vec::new();
    for row in rows {
        // A walk that found nothing is one row without an event.
        let (Some(sequence), Some(position), Some(event_id), Some(recorded_at)) =
            (row.sequence, row.position, row.event_id, row.recorded_at)
        else {
            continue;
        };
        let (version, payload) = (row.event_version.unwrap_or_default(), row.payload.unwrap_or_default());
        let head = (position, event_id, recorded_at);
        movements.push((sequence, movement(product_id, head, &version, &payload, row.actor)?));
    }
    let shown = usize::try_from(limit).unwrap_or_default();
    let next = if movements.len() > shown {
        movements.truncate(shown);
        movements.last().map(|(sequence, _)| *sequence)
    } else {
        walked_to
    };
    Ok(PageOf::with_next(&uri, movements.into_iter().map(|(_, movement)| movement).collect(), next))
}

/// The movement of a stored event of a product.
fn movement(
    product_id: i64,
    (position, event_id, recorded_at): (i64, Uuid, DateTime<Utc>),
    version: &str,
    payload: &Value,
    actor: Option<String>,
) -> Result<StockMovement, ApiError> {
    let event = Product::read_event(version, payload).map_err(ApiError::internal)?;
    let found = event.stock_movement();
    let movement = found.ok_or_else(|| ApiError::internal(format!("position {position} is no stock event")))?;
    let level = |Stock { on_hand, reserved }| StockLevel { on_hand, reserved };
    Ok(StockMovement {
        position,
        event_id,
        recorded_at,
        event_type: event.name().to_owned(),
        product_id,
        order_id: movement.order_id.map(|order_id| order_id.0),
        reason: movement.reason.map(str::to_owned),
        actor,
        before: level(movement.before),
        after: level(movement.after),
    })
}
