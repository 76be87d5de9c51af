//! Metadata of carts and orders: pairs of texts that a storefront, staff and integrations keep with them.

use axum::extract::State;
use uuid::Uuid;

use crate::domain::ids::{CartId, CustomerId, OrderId};
use crate::domain::metadata::Metadata;
use crate::http::App;
use crate::http::wire::body::body;
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::error::ApiError;
use crate::http::wire::page::Ids;
use crate::shop::{CartView, ChangeCartMetadata, ChangeOrderMetadata, OrderRef};

body! {
    /// The new metadata.
    #[schema(examples(json!({ "metadata": { "gift_note": "Happy birthday" } })))]
    pub struct MetadataChange {
        /// Replaces all pairs; `{}` removes them.
        pub metadata: Metadata,
    }
}

/// Replace the metadata of a customer's cart
///
/// At checkout it goes to the order. `GET` shows it with `view=full`.
#[utoipa::path(patch, path = "/customer/{customer_id}/cart", tag = "carts", security(("bearer" = ["owner", "editor"])),
    request_body = MetadataChange, params(("customer_id" = CustomerId, Path), CommandParams),
    responses((status = 200, body = CartView), CommandProblems))]
pub async fn change_cart_metadata(
    State(app): State<App>,
    Ids(customer_id): Ids<CustomerId>,
    command: Command<MetadataChange>,
) -> Result<CommandResponse<CartView>, ApiError> {
    let (cart, metadata) = (CartId::Customer(customer_id).into(), command.body.metadata);
    app.run(ChangeCartMetadata { cart, metadata }, command.context).await
}

/// Replace the metadata of a guest's cart
///
/// At checkout it goes to the order. `GET` shows it with `view=full`.
#[utoipa::path(patch, path = "/carts/{cart_token}", tag = "carts", security((), ("bearer" = [])),
    request_body = MetadataChange, params(("cart_token" = Uuid, Path), CommandParams),
    responses((status = 200, body = CartView), CommandProblems))]
pub async fn change_guest_cart_metadata(
    State(app): State<App>,
    Ids(token): Ids<Uuid>,
    command: Command<MetadataChange>,
) -> Result<CommandResponse<CartView>, ApiError> {
    let (cart, metadata) = (app.guest_cart(token), command.body.metadata);
    app.run(ChangeCartMetadata { cart, metadata }, command.context).await
}

/// Replace the metadata of an order
///
/// `GET order/<id>/summary/` shows it. After the buyer was erased it is refused with 409 `contact_erased`.
#[utoipa::path(patch, path = "/order/{order_id}", tag = "orders", security(("bearer" = ["editor"])),
    request_body = MetadataChange, params(("order_id" = OrderId, Path), CommandParams),
    responses((status = 200, body = OrderRef), CommandProblems))]
pub async fn change_order_metadata(
    State(app): State<App>,
    Ids(order_id): Ids<OrderId>,
    command: Command<MetadataChange>,
) -> Result<CommandResponse<OrderRef>, ApiError> {
    app.run(ChangeOrderMetadata { order_id, metadata: command.body.metadata }, command.context).await
}
