//! Erasure of personal data, at once or when the last open order is closed.

use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::http::wire::command::CommandResponse;
use crate::shop::ErasureView;

/// When personal data is erased.
#[derive(Clone, Copy, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
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
