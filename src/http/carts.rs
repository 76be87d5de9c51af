//! Carts of customers and guests.

use axum::extract::State;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{IntoParams, PartialSchema, ToSchema};
use uuid::Uuid;

use crate::clock::FUTURE_LEEWAY;
use crate::domain::cart::MergeMode;
use crate::domain::ids::{CartId, CustomerId, ProductId};
use crate::domain::product::{Supply, UnavailableReason};
use crate::domain::quantity::{Quantity, QuantityError};
use crate::http::App;
use crate::http::wire::body::{NoBody, body};
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::consistency::snapshot;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{Ids, Params, Versioned};
use crate::http::wire::schema::whole_number;
use crate::journal::EntityTag;
use crate::shop::{CartChange, CartItem, CartView, ChangeCart, MergeCarts, RequestedCart};

body! {
    /// Units of a product to add to a cart.
    #[schema(examples(json!({ "product_id": 1, "quantity": 2 })))]
    pub struct NewItem {
        pub product_id: ProductId,
        pub quantity: Quantity,
    }
}

body! {
    /// The new quantity of a product in a cart.
    #[schema(examples(json!({ "quantity": 3 })))]
    pub struct NewQuantity {
        /// 0 removes the product.
        pub quantity: QuantityOrNone,
    }
}

body! {
    /// A guest's cart to merge, and what happens to products that are in both carts.
    #[schema(examples(json!({ "cart_token": "2f1e7a52-8b1f-4f5e-9d3c-6a0e4a7f1c11", "mode": "sum" })))]
    pub struct Merge {
        pub cart_token: Uuid,
        pub mode: Option<MergeMode>,
    }
}

/// The token of a guest's cart.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct GuestCartRef {
    pub cart_token: Uuid,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CartQuery {
    /// `full` adds `metadata`.
    #[param(inline)]
    view: Option<CartShown>,
}

/// What a read of a cart shows beside its items.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CartShown {
    Full,
}

/// A quantity, or 0 for none.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "i64")]
pub struct QuantityOrNone(Option<Quantity>);

impl PartialSchema for QuantityOrNone {
    fn schema() -> RefOr<Schema> {
        whole_number("A number of units, or 0 for none.").minimum(Some(0)).maximum(Some(Quantity::MAX)).build().into()
    }
}

impl ToSchema for QuantityOrNone {}

impl TryFrom<i64> for QuantityOrNone {
    type Error = QuantityError;

    fn try_from(units: i64) -> Result<Self, QuantityError> {
        if units == 0 { Ok(Self(None)) } else { Quantity::new(units).map(Some).map(Self) }
    }
}

/// Get a customer's cart
#[utoipa::path(get, path = "/customer/{customer_id}/cart", tag = "carts", security(("bearer" = ["owner", "reader"])),
    params(("customer_id" = CustomerId, Path), CartQuery), responses((status = 200, body = CartView), (status = 404, body = Problem)))]
pub async fn find_customer_cart(
    State(app): State<App>,
    Ids(customer_id): Ids<CustomerId>,
    Params(query): Params<CartQuery>,
) -> Result<Versioned<CartView>, ApiError> {
    find_cart(&app, CartId::Customer(customer_id).into(), query.view).await
}

/// Get a guest's cart
#[utoipa::path(get, path = "/carts/{cart_token}", tag = "carts", security((), ("bearer" = [])),
    params(("cart_token" = Uuid, Path), CartQuery),
    responses((status = 200, body = CartView), (status = 404, body = Problem)))]
pub async fn find_guest_cart(
    State(app): State<App>,
    Ids(token): Ids<Uuid>,
    Params(query): Params<CartQuery>,
) -> Result<Versioned<CartView>, ApiError> {
    find_cart(&app, app.guest_cart(token), query.view).await
}

/// Add units of a product to a customer's cart
#[utoipa::path(post, path = "/customer/{customer_id}/cart/items", tag = "carts", security(("bearer" = ["owner", "editor"])),
    request_body = NewItem,
    params(("customer_id" = CustomerId, Path), CommandParams), responses((status = 200, body = CartView), CommandProblems))]
pub async fn add_item(
    State(app): State<App>,
    Ids(customer_id): Ids<CustomerId>,
    command: Command<NewItem>,
) -> Result<CommandResponse<CartView>, ApiError> {
    add(&app, CartId::Customer(customer_id).into(), command).await
}

/// Add units of a product to a guest's cart
#[utoipa::path(post, path = "/carts/{cart_token}/items", tag = "carts", security((), ("bearer" = [])), request_body = NewItem,
    params(("cart_token" = Uuid, Path), CommandParams), responses((status = 200, body = CartView), CommandProblems))]
pub async fn add_guest_item(
    State(app): State<App>,
    Ids(token): Ids<Uuid>,
    command: Command<NewItem>,
) -> Result<CommandResponse<CartView>, ApiError> {
    add(&app, app.guest_cart(token), command).await
}

/// Set the quantity of a product in a customer's cart; 0 removes it
#[utoipa::path(put, path = "/customer/{customer_id}/cart/items/{product_id}", tag = "carts", security(("bearer" = ["owner", "editor"])),
    request_body = NewQuantity,
    params(("customer_id" = CustomerId, Path), ("product_id" = ProductId, Path), CommandParams),
    responses((status = 200, body = CartView), CommandProblems))]
pub async fn set_item(
    State(app): State<App>,
    Ids((customer_id, product_id)): Ids<(CustomerId, ProductId)>,
    command: Command<NewQuantity>,
) -> Result<CommandResponse<CartView>, ApiError> {
    let change = CartChange::Set { product_id, quantity: command.body.quantity.0 };
    change_cart(&app, CartId::Customer(customer_id).into(), change, command).await
}

/// Set the quantity of a product in a guest's cart; 0 removes it
#[utoipa::path(put, path = "/carts/{cart_token}/items/{product_id}", tag = "carts", security((), ("bearer" = [])),
    request_body = NewQuantity,
    params(("cart_token" = Uuid, Path), ("product_id" = ProductId, Path), CommandParams),
    responses((status = 200, body = CartView), CommandProblems))]
pub async fn set_guest_item(
    State(app): State<App>,
    Ids((token, product_id)): Ids<(Uuid, ProductId)>,
    command: Command<NewQuantity>,
) -> Result<CommandResponse<CartView>, ApiError> {
    let change = CartChange::Set { product_id, quantity: command.body.quantity.0 };
    change_cart(&app, app.guest_cart(token), change, command).await
}

/// Remove a product from a customer's cart
#[utoipa::path(delete, path = "/customer/{customer_id}/cart/items/{product_id}", tag = "carts", security(("bearer" = ["owner", "editor"])),
    params(("customer_id" = CustomerId, Path), ("product_id" = ProductId, Path), CommandParams),
    responses((status = 200, body = CartView), CommandProblems))]
pub async fn remove_item(
    State(app): State<App>,
    Ids((customer_id, product_id)): Ids<(CustomerId, ProductId)>,
    command: Command<NoBody>,
) -> Result<CommandResponse<CartView>, ApiError> {
    let change = CartChange::Set { product_id, quantity: None };
    change_cart(&app, CartId::Customer(customer_id).into(), change, command).await
}

/// Remove a product from a guest's cart
#[utoipa::path(delete, path = "/carts/{cart_token}/items/{product_id}", tag = "carts", security((), ("bearer" = [])),
    params(("cart_token" = Uuid, Path), ("product_id" = ProductId, Path), CommandParams),
    responses((status = 200, body = CartView), CommandProblems))]
pub async fn remove_guest_item(
    State(app): State<App>,
    Ids((token, product_id)): Ids<(Uuid, ProductId)>,
    command: Command<NoBody>,
) -> Result<CommandResponse<CartView>, ApiError> {
    let change = CartChange::Set { product_id, quantity: None };
    change_cart(&app, app.guest_cart(token), change, command).await
}

/// Empty a customer's cart
#[utoipa::path(delete, path = "/customer/{customer_id}/cart", tag = "carts", security(("bearer" = ["owner", "editor"])),
    params(("customer_id" = CustomerId, Path), CommandParams), responses((status = 200, body = CartView), CommandProblems))]
pub async fn empty_cart(
    State(app): State<App>,
    Ids(customer_id): Ids<CustomerId>,
    command: Command<NoBody>,
) -> Result<CommandResponse<CartView>, ApiError> {
    change_cart(&app, CartId::Customer(customer_id).into(), CartChange::Empty, command).await
}

/// Empty a guest's cart
#[utoipa::path(delete, path = "/carts/{cart_token}", tag = "carts", security((), ("bearer" = [])),
    params(("cart_token" = Uuid, Path), CommandParams), responses((status = 200, body = CartView), CommandProblems))]
pub async fn empty_guest_cart(
    State(app): State<App>,
    Ids(token): Ids<Uuid>,
    command: Command<NoBody>,
) -> Result<CommandResponse<CartView>, ApiError> {
    change_cart(&app, app.guest_cart(token), CartChange::Empty, command).await
}

/// Create a guest's cart; its token is the only key to it
///
/// The cart is stored with its first item. An unused token expires like a cart.
#[utoipa::path(post, path = "/carts", tag = "carts", security((), ("bearer" = [])),
    responses((status = 201, body = GuestCartRef), CommandProblems))]
pub async fn open_guest_cart(
    State(app): State<App>,
    command: Command<NoBody>,
) -> Result<CommandResponse<GuestCartRef>, ApiError> {
    // Idempotency keys are ignored: a replay would give the token to any client that shares the guest's address and
    // guesses the key. A second empty cart does no harm.
    let cart_token = app.accounts.cart_tokens().issue(app.journal.clock().database_time());
    let opened = app.answer(GuestCartRef { cart_token }, &command.context);
    Ok(opened.created(|opened| format!("/shop/api/carts/{}/", opened.cart_token)))
}

/// Merge a guest's cart into a customer's cart
#[utoipa::path(post, path = "/customer/{customer_id}/cart/merge", tag = "carts", security(("bearer" = ["owner", "editor"])),
    request_body = Merge,
    params(("customer_id" = CustomerId, Path), CommandParams), responses((status = 200, body = CartView), CommandProblems))]
pub async fn merge_guest_cart(
    State(app): State<App>,
    Ids(customer_id): Ids<CustomerId>,
    command: Command<Merge>,
) -> Result<CommandResponse<CartView>, ApiError> {
    let Merge { cart_token, mode } = command.body;
    let mode = mode.unwrap_or(MergeMode::Sum);
    let guest_cart = app.guest_cart(cart_token);
    app.run(MergeCarts { customer_id, guest_cart, mode }, command.context).await
}

impl App {
    /// The cart of a guest's token.
    pub(super) fn guest_cart(&self, token: Uuid) -> RequestedCart {
        let now = self.journal.clock().database_time();
        let age = self.accounts.cart_tokens().issued_at(token).map(|issued_at| now - issued_at);
        // A token knows the hour of its issue, so it may live an hour longer than a cart, and never shorter.
        let lifetime = TimeDelta::days(self.cart_days.into()) + TimeDelta::hours(1);
        let issued = age.is_some_and(|age| age > -FUTURE_LEEWAY && (self.cart_days == 0 || age < lifetime));
        RequestedCart { cart_id: CartId::of_token(token), issued }
    }
}

async fn find_cart(app: &App, cart: RequestedCart, shown: Option<CartShown>) -> Result<Versioned<CartView>, ApiError> {
    let (cart_id, id) = (cart.cart_id, cart.cart_id.to_string());
    // One snapshot for all queries, so that the version matches the items.
    let mut transaction = snapshot(&app.pool, "carts, cart_items, products, products_deleted").await?;
    let found = sqlx::query_file!("projections/carts/find.sql", id).fetch_optional(&mut *transaction).await?;
    let version = match found {
        // An expired guest's cart is gone; a customer continues with an empty cart.
        Some(found) if found.state == "merged" => None,
        Some(found) if found.state == "expired" && cart_id.customer().is_none() => None,
        Some(found) => Some(found.version),
        None => cart.issued.then_some(0),
    };
    let version = version.ok_or_else(|| ApiError::not_found("cart_not_found", "Cart not found"))?;
    let rows = sqlx::query_file!("projections/cart_items/by_cart.sql", id).fetch_all(&mut *transaction).await?;
    let metadata = match shown {
        Some(CartShown::Full) => {
            sqlx::query_scalar!("select pairs from entity_metadata where kind = 'cart' and id = $1", id)
                .fetch_optional(&mut *transaction)
                .await?
        }
        None => None,
    };
    transaction.commit().await?;
    let metadata = metadata.map(serde_json::from_value).transpose().map_err(ApiError::internal)?;
    let items = rows.into_iter().map(|row| {
        let withdrawn = UnavailableReason::of_withdrawn(row.deleted, row.discontinued, row.on_sale);
        CartItem {
            product_id: ProductId(row.product_id),
            quantity: row.quantity,
            name: row.product_name,
            price: row.price,
            supply: Supply::new(withdrawn, row.stock),
        }
    });
    let mut body = CartView::of_items(cart_id.customer(), items);
    body.metadata = shown.map(|CartShown::Full| metadata.unwrap_or_default());
    Ok(Versioned::new(EntityTag { version, digest: Some(body.digest()) }, body))
}

async fn add(app: &App, cart: RequestedCart, command: Command<NewItem>) -> Result<CommandResponse<CartView>, ApiError> {
    let NewItem { product_id, quantity } = command.body;
    app.run(ChangeCart { cart, change: CartChange::Add { product_id, quantity } }, command.context).await
}

async fn change_cart<T>(
    app: &App,
    cart: RequestedCart,
    change: CartChange,
    command: Command<T>,
) -> Result<CommandResponse<CartView>, ApiError> {
    app.run(ChangeCart { cart, change }, command.context).await
}
