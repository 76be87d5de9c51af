//! Carts of customers and guests.

use axum::extract::State;
use serde::Deserialize;
use utoipa::openapi::Object;
use uuid::Uuid;

use crate::domain::cart::MergeMode;
use crate::domain::ids::{CartId, CustomerId, ProductId};
use crate::domain::money::two_decimals;
use crate::domain::quantity::{Quantity, QuantityError};
use crate::http::App;
use crate::http::wire::body::{NoBody, body};
use crate::http::wire::command::{Answer, Command, CommandParams, CommandProblems};
use crate::http::wire::consistency::snapshot;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::openapi;
use crate::http::wire::page::{Ids, Versioned};
use crate::shop::{CartChange, CartLineView, CartView, ChangeCart, GuestCartRef, MergeCarts, OpenGuestCart};

body! {
    /// A product to put into a cart.
    pub struct NewItem {
        #[schema(value_type = i64, example = 1)]
        pub product_id: ProductId,
        #[schema(value_type = i64, minimum = 1, maximum = 1_000_000, example = 2)]
        pub quantity: Quantity,
    }
}

body! {
    /// How many units of a product a cart is to hold.
    pub struct NewQuantity {
        /// 0 takes the product out.
        #[schema(value_type = i64, minimum = 0, maximum = 1_000_000, example = 3)]
        pub quantity: QuantityOrNone,
    }
}

fn merge_mode() -> Object {
    openapi::words(["sum", "keep_larger", "keep_guest", "keep_customer"])
}

body! {
    /// The guest's cart to take over, and what becomes of products that stand in both.
    pub struct Merge {
        pub cart_token: Uuid,
        #[schema(schema_with = merge_mode)]
        pub mode: Option<MergeMode>,
    }
}

/// A quantity, or 0 for none.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "i64")]
pub struct QuantityOrNone(Option<Quantity>);

impl TryFrom<i64> for QuantityOrNone {
    type Error = QuantityError;

    fn try_from(units: i64) -> Result<Self, QuantityError> {
        if units == 0 { Ok(Self(None)) } else { Quantity::new(units).map(Some).map(Self) }
    }
}

/// A customer's cart
#[utoipa::path(get, path = "/customer/{customer_id}/cart", tag = "carts", security(("bearer" = ["owner", "reader"])),
    params(("customer_id" = i64, Path)), responses((status = 200, body = CartView), (status = 404, body = Problem)))]
pub async fn find(State(app): State<App>, Ids(customer_id): Ids<i64>) -> Result<Versioned<CartView>, ApiError> {
    find_cart(&app, CartId::Customer(CustomerId(customer_id))).await
}

/// A guest's cart
#[utoipa::path(get, path = "/carts/{cart_token}", tag = "carts", security((), ("bearer" = [])),
    params(("cart_token" = Uuid, Path)), responses((status = 200, body = CartView), (status = 404, body = Problem)))]
pub async fn find_guest_cart(State(app): State<App>, Ids(token): Ids<Uuid>) -> Result<Versioned<CartView>, ApiError> {
    find_cart(&app, CartId::of_token(token)).await
}

/// Puts units of a product into a customer's cart
#[utoipa::path(post, path = "/customer/{customer_id}/cart/items", tag = "carts", security(("bearer" = ["owner", "editor"])),
    request_body = NewItem,
    params(("customer_id" = i64, Path), CommandParams), responses((status = 200, body = CartView), CommandProblems))]
pub async fn add_item(
    State(app): State<App>,
    Ids(customer_id): Ids<i64>,
    command: Command<NewItem>,
) -> Result<Answer<CartView>, ApiError> {
    add(&app, CartId::Customer(CustomerId(customer_id)), command).await
}

/// Puts units of a product into a guest's cart
#[utoipa::path(post, path = "/carts/{cart_token}/items", tag = "carts", security((), ("bearer" = [])), request_body = NewItem,
    params(("cart_token" = Uuid, Path), CommandParams), responses((status = 200, body = CartView), CommandProblems))]
pub async fn add_guest_item(
    State(app): State<App>,
    Ids(token): Ids<Uuid>,
    command: Command<NewItem>,
) -> Result<Answer<CartView>, ApiError> {
    add(&app, CartId::of_token(token), command).await
}

/// Sets how many units of a product a customer's cart holds; 0 takes it out
#[utoipa::path(put, path = "/customer/{customer_id}/cart/items/{product_id}", tag = "carts", security(("bearer" = ["owner", "editor"])),
    request_body = NewQuantity,
    params(("customer_id" = i64, Path), ("product_id" = i64, Path), CommandParams),
    responses((status = 200, body = CartView), CommandProblems))]
pub async fn set_item(
    State(app): State<App>,
    Ids((customer_id, product_id)): Ids<(i64, i64)>,
    command: Command<NewQuantity>,
) -> Result<Answer<CartView>, ApiError> {
    let change = CartChange::Set { product_id: ProductId(product_id), quantity: command.body.quantity.0 };
    change_cart(&app, CartId::Customer(CustomerId(customer_id)), change, command).await
}

/// Sets how many units of a product a guest's cart holds; 0 takes it out
#[utoipa::path(put, path = "/carts/{cart_token}/items/{product_id}", tag = "carts", security((), ("bearer" = [])),
    request_body = NewQuantity,
    params(("cart_token" = Uuid, Path), ("product_id" = i64, Path), CommandParams),
    responses((status = 200, body = CartView), CommandProblems))]
pub async fn set_guest_item(
    State(app): State<App>,
    Ids((token, product_id)): Ids<(Uuid, i64)>,
    command: Command<NewQuantity>,
) -> Result<Answer<CartView>, ApiError> {
    let change = CartChange::Set { product_id: ProductId(product_id), quantity: command.body.quantity.0 };
    change_cart(&app, CartId::of_token(token), change, command).await
}

/// Takes a product out of a customer's cart
#[utoipa::path(delete, path = "/customer/{customer_id}/cart/items/{product_id}", tag = "carts", security(("bearer" = ["owner", "editor"])),
    params(("customer_id" = i64, Path), ("product_id" = i64, Path), CommandParams),
    responses((status = 200, body = CartView), CommandProblems))]
pub async fn remove_item(
    State(app): State<App>,
    Ids((customer_id, product_id)): Ids<(i64, i64)>,
    command: Command<NoBody>,
) -> Result<Answer<CartView>, ApiError> {
    let change = CartChange::Set { product_id: ProductId(product_id), quantity: None };
    change_cart(&app, CartId::Customer(CustomerId(customer_id)), change, command).await
}

/// Takes a product out of a guest's cart
#[utoipa::path(delete, path = "/carts/{cart_token}/items/{product_id}", tag = "carts", security((), ("bearer" = [])),
    params(("cart_token" = Uuid, Path), ("product_id" = i64, Path), CommandParams),
    responses((status = 200, body = CartView), CommandProblems))]
pub async fn remove_guest_item(
    State(app): State<App>,
    Ids((token, product_id)): Ids<(Uuid, i64)>,
    command: Command<NoBody>,
) -> Result<Answer<CartView>, ApiError> {
    let change = CartChange::Set { product_id: ProductId(product_id), quantity: None };
    change_cart(&app, CartId::of_token(token), change, command).await
}

/// Empties a customer's cart
#[utoipa::path(delete, path = "/customer/{customer_id}/cart", tag = "carts", security(("bearer" = ["owner", "editor"])),
    params(("customer_id" = i64, Path), CommandParams), responses((status = 200, body = CartView), CommandProblems))]
pub async fn empty(
    State(app): State<App>,
    Ids(customer_id): Ids<i64>,
    command: Command<NoBody>,
) -> Result<Answer<CartView>, ApiError> {
    change_cart(&app, CartId::Customer(CustomerId(customer_id)), CartChange::Empty, command).await
}

/// Empties a guest's cart
#[utoipa::path(delete, path = "/carts/{cart_token}", tag = "carts", security((), ("bearer" = [])),
    params(("cart_token" = Uuid, Path), CommandParams), responses((status = 200, body = CartView), CommandProblems))]
pub async fn empty_guest_cart(
    State(app): State<App>,
    Ids(token): Ids<Uuid>,
    command: Command<NoBody>,
) -> Result<Answer<CartView>, ApiError> {
    change_cart(&app, CartId::of_token(token), CartChange::Empty, command).await
}

/// Opens a guest's cart; its token is the only key to it
#[utoipa::path(post, path = "/carts", tag = "carts", security((), ("bearer" = [])),
    responses((status = 201, body = GuestCartRef), CommandProblems))]
pub async fn open_guest_cart(
    State(app): State<App>,
    mut command: Command<NoBody>,
) -> Result<Answer<GuestCartRef>, ApiError> {
    // A replay would need the token to be stored, and give it to whoever shares the guest's address and guesses the key.
    // A second cart that is empty does no harm.
    command.context.idempotency = None;
    let opened = app.run(OpenGuestCart { token: Uuid::new_v4() }, command.context).await?;
    Ok(opened.created(|opened| format!("/shop/api/carts/{}/", opened.cart_token)))
}

/// Moves a guest's items into a customer's cart
#[utoipa::path(post, path = "/customer/{customer_id}/cart/merge", tag = "carts", security(("bearer" = ["owner", "editor"])),
    request_body = Merge,
    params(("customer_id" = i64, Path), CommandParams), responses((status = 200, body = CartView), CommandProblems))]
pub async fn merge(
    State(app): State<App>,
    Ids(customer_id): Ids<i64>,
    command: Command<Merge>,
) -> Result<Answer<CartView>, ApiError> {
    let Merge { cart_token, mode } = command.body;
    let mode = mode.unwrap_or(MergeMode::Sum);
    app.run(MergeCarts { customer_id: CustomerId(customer_id), cart_token, mode }, command.context).await
}

async fn find_cart(app: &App, cart_id: CartId) -> Result<Versioned<CartView>, ApiError> {
    let id = cart_id.to_string();
    // One snapshot for both, so that items and version speak of the same moment.
    let mut transaction = snapshot(&app.pool, "carts, cart_items, products").await?;
    let cart = sqlx::query_file!("projections/carts/find.sql", id).fetch_optional(&mut *transaction).await?;
    // What a guest's token opens is gone then; a customer goes on with an empty cart.
    let expired = cart_id.customer().is_none().then_some("expired");
    let cart = cart.filter(|cart| cart.state != "merged" && Some(cart.state.as_str()) != expired);
    let cart = cart.ok_or_else(|| ApiError::not_found("cart_not_found", "Cart not found"))?;
    let items = sqlx::query_file!("projections/cart_items/by_cart.sql", id).fetch_all(&mut *transaction).await?;
    transaction.commit().await?;
    let total = items.iter().map(|item| item.subtotal).sum();
    let items = items.into_iter().map(|item| CartLineView {
        product_name: item.product_name,
        price: two_decimals(item.price),
        quantity: item.quantity,
        subtotal: two_decimals(item.subtotal),
        product_id: item.product_id,
    });
    let customer_id = cart_id.customer().map(|customer_id| customer_id.0);
    Ok(Versioned {
        version: cart.version,
        body: CartView { customer_id, items: items.collect(), total: two_decimals(total) },
    })
}

async fn add(app: &App, cart_id: CartId, command: Command<NewItem>) -> Result<Answer<CartView>, ApiError> {
    let NewItem { product_id, quantity } = command.body;
    app.run(ChangeCart { cart_id, change: CartChange::Add { product_id, quantity } }, command.context).await
}

async fn change_cart<T>(
    app: &App,
    cart_id: CartId,
    change: CartChange,
    command: Command<T>,
) -> Result<Answer<CartView>, ApiError> {
    app.run(ChangeCart { cart_id, change }, command.context).await
}
