//! Allowed actions of an order for a caller: those whose routes admit the caller and that the order accepts now.

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::Method;
use axum::http::request::Parts;
use serde_json::json;

use crate::domain::ids::OrderId;
use crate::domain::order::{Action, Mover, Order, OrderError, PaymentMethod};
use crate::domain::refusal::Refusal;
use crate::http::App;
use crate::http::wire::access::{Admission, Permissions};
use crate::http::wire::command::CommandResponse;
use crate::http::wire::error::ApiError;
use crate::http::wire::snapshot::RouterState;
use crate::journal::{CommandError, Context, UseCase};

/// Path of an order; the paths of its actions begin with it.
const ORDER: &str = "/shop/api/order/{order_id}";
/// Path of a guest's order.
const ORDER_OF_GUEST: &str = "/shop/api/carts/{cart_token}/order/{order_id}";

/// The actions of the order in the path that are open to the caller.
pub struct Movers {
    permissions: Permissions,
    /// Whether the caller named the order by the token of a guest's cart.
    by_cart: bool,
    /// Whether a payment provider is set up.
    online: bool,
}

impl FromRequestParts<RouterState> for Movers {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &RouterState) -> Result<Self, ApiError> {
        let permissions = Permissions::from_request_parts(parts, app).await?;
        let path = parts.extensions.get::<MatchedPath>();
        let by_cart = path.is_some_and(|path| path.as_str().starts_with(ORDER_OF_GUEST));
        let online = PaymentMethod::ALL.iter().any(|method| app.payments.provider(method.as_str()).is_some());
        Ok(Self { permissions, by_cart, online })
    }
}

impl Movers {
    /// The caller's part in an action; `None` if its route is closed to the caller.
    pub fn mover(&self, action: Action) -> Option<Mover> {
        let admission =
            |order: &str| self.permissions.admission(&Method::POST, &format!("{order}/{}", action.as_str()));
        let by_cart = self.by_cart.then(|| admission(ORDER_OF_GUEST)).flatten();
        match admission(ORDER).or(by_cart)? {
            Admission::Account => Some(Mover::Staff),
            Admission::Owner | Admission::Public if action == Action::Pay && !self.online => None,
            Admission::Owner | Admission::Public => Some(Mover::Buyer),
        }
    }

    /// The actions that the caller may take now.
    pub fn allowed(&self, order: &Order) -> Vec<Action> {
        order.allowed(|action| self.mover(action))
    }

    /// Runs a move of an order. A refusal shows the order's states, and what the caller may do instead.
    pub async fn run<U: UseCase>(
        &self,
        app: &App,
        order_id: OrderId,
        use_case: U,
        context: Context,
    ) -> Result<CommandResponse<U::Answer>, ApiError> {
        match app.try_run(use_case, context).await {
            Ok(response) => Ok(response),
            Err(error) => {
                let (error, order) = with_states(app, order_id, error).await;
                let Some(order) = order else { return Err(error) };
                let allowed = self.allowed(&order);
                let words: Vec<_> = allowed.iter().map(|action| action.as_str()).collect();
                let words = if words.is_empty() { "nothing".to_owned() } else { words.join(", ") };
                Err(error.and(&format!("allowed: {words}")).with("allowed", json!(allowed)))
            }
        }
    }
}

/// Adds the order's states to a 409 of its rules, and returns the order.
pub async fn with_states(app: &App, order_id: OrderId, error: CommandError) -> (ApiError, Option<Order>) {
    let CommandError::Refused(Refusal::Order(refusal)) = error else { return (error.into(), None) };
    let (order, has_states) = match &refusal {
        OrderError::IllegalMove { order, .. } => (Some(Order::Placed(order.clone())), true),
        _ => (app.journal.read::<Order>(order_id).await.ok(), false),
    };
    let error = ApiError::from(Refusal::Order(refusal));
    let Some(Order::Placed(placed)) = order.filter(|_| error.is_conflict()) else { return (error, None) };
    let error = if has_states { error } else { error.and(&format!("the order has {}", placed.states)) };
    (error.with("states", json!(placed.states)), Some(Order::Placed(placed)))
}
