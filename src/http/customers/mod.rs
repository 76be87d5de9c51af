//! Customers and their orders.

pub mod addresses;
pub mod export;
pub mod list;
pub mod wishlist;

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::{OriginalUri, State};
use axum::response::Response;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::accounts::ClientInfo;
use crate::domain::account::Role;
use crate::domain::ids::CustomerId;
use crate::domain::metadata::Metadata;
use crate::domain::text::{Email, LastName, Name};
use crate::http::App;
use crate::http::edge::client_address::ClientAddress;
use crate::http::erasures::{ErasureQuery, erase, erasure_response};
use crate::http::wire::amount::Amount;
use crate::http::wire::body::body;
use crate::http::wire::caller::Caller;
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse, CommandWith};
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Ids, LAST_MOMENT, Page, PageOf, Params, Versioned};
use crate::journal::EntityTag;
use crate::shop::{ChangeCustomer, CustomerRef, ErasureView, RegisterCustomer};

#[derive(Serialize, ToSchema)]
pub struct CustomerView {
    pub customer_id: i64,
    pub first_name: String,
    /// Empty for a person with one name.
    pub last_name: String,
    pub email: String,
    pub registered_at: DateTime<Utc>,
    /// Pairs of texts that staff and integrations keep with the customer; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// Since when the customer waits to be erased, until the last open order is closed; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erasure_requested_at: Option<DateTime<Utc>>,
}

/// An order in a customer's list.
#[derive(Serialize, ToSchema)]
pub struct CustomerOrder {
    pub order_id: i64,
    pub order_date: NaiveDate,
    #[schema(value_type = crate::domain::order::Status)]
    pub status: String,
    pub total_amount: Amount,
    pub customer_email: String,
}

body! {
    /// A new customer.
    #[schema(examples(json!({ "first_name": "Jo", "last_name": "Miller", "email": "jo@example.com" })))]
    pub struct NewCustomer {
        pub first_name: Name,
        /// Absent or empty for a person with one name.
        pub last_name: Option<LastName>,
        pub email: Email,
        /// Pairs of texts that staff and integrations keep with the customer.
        pub metadata: Option<Metadata>,
    }
}

body! {
    /// The fields to change; absent fields keep their value.
    #[schema(examples(json!({ "last_name": "Muller" })))]
    pub struct CustomerChange {
        pub first_name: Option<Name>,
        /// Empty for a person with one name.
        pub last_name: Option<LastName>,
        /// Only of a customer without an account; the owner of an account uses `POST auth/email/`.
        pub email: Option<Email>,
        /// Replaces all pairs. For staff.
        pub metadata: Option<Metadata>,
    }
}

body! {
    /// The password, which proves that the owner of an account wants to erase it; staff send no body.
    #[schema(examples(json!({}), json!({ "password": "correct horse battery" })))]
    pub struct Erasure {
        #[schema(format = Password)]
        pub password: Option<String>,
    }
}

/// Register a customer
#[utoipa::path(post, path = "/customers", tag = "customers", security(("bearer" = ["editor"])),
    request_body = NewCustomer, params(CommandParams),
    responses((status = 201, body = CustomerRef), CommandProblems))]
pub async fn register_customer(
    State(app): State<App>,
    command: Command<NewCustomer>,
) -> Result<CommandResponse<CustomerRef>, ApiError> {
    let NewCustomer { first_name, last_name, email, metadata } = command.body;
    let (last_name, metadata) = (last_name.unwrap_or_default(), metadata.unwrap_or_default());
    let register = RegisterCustomer { first_name, last_name, email, metadata };
    let registered = app.run(register, command.context).await?;
    Ok(registered.created(|registered| format!("/shop/api/customer/{}/", registered.customer_id)))
}

/// Get a customer
#[utoipa::path(get, path = "/customer/{customer_id}", tag = "customers", security(("bearer" = ["owner", "reader"])),
    params(("customer_id" = CustomerId, Path)),
    responses((status = 200, body = CustomerView), (status = 404, body = Problem)))]
pub async fn find_customer(
    State(app): State<App>,
    Ids(customer_id): Ids<CustomerId>,
) -> Result<Versioned<CustomerView>, ApiError> {
    let found = sqlx::query_file!("projections/customers/find.sql", customer_id.0).fetch_optional(&app.pool).await?;
    let row = found.ok_or_else(customer_not_found)?;
    let body = CustomerView {
        customer_id: row.customer_id,
        first_name: row.first_name,
        last_name: row.last_name,
        email: row.email,
        registered_at: row.registered_at,
        metadata: Some(serde_json::from_value(row.metadata).map_err(ApiError::internal)?),
        erasure_requested_at: row.erasure_requested_at,
    };
    Ok(Versioned::new(EntityTag::of_version(row.version), body))
}

/// Change a customer's name or metadata, or the e-mail address of a customer without an account
///
/// The e-mail address of a customer with an account changes with `POST auth/email/` only: 409 `email_needs_confirmation`.
#[utoipa::path(patch, path = "/customer/{customer_id}", tag = "customers", security(("bearer" = ["owner", "editor"])),
    request_body = CustomerChange,
    params(("customer_id" = CustomerId, Path), CommandParams), responses((status = 200, body = CustomerRef), CommandProblems))]
pub async fn change_customer(
    State(app): State<App>,
    caller: Caller,
    Ids(customer_id): Ids<CustomerId>,
    command: Command<CustomerChange>,
) -> Result<CommandResponse<CustomerRef>, ApiError> {
    let CustomerChange { first_name, last_name, email, metadata } = command.body;
    if metadata.is_some() && caller.identity()?.role == Role::Customer {
        return Err(ApiError::forbidden("the metadata of a customer is for staff"));
    }
    let change = ChangeCustomer { customer_id, first_name, last_name, email, metadata };
    app.run(change, command.context).await
}

/// Erase a customer's personal data; orders and totals remain
///
/// The customer must send the password of the account; staff must not.
///
/// An order is open while units are still to be sent or delivered, or money is still to be paid or refunded. With open
/// orders the answer is 409 `open_orders`, and `order_ids` names them. With `when=orders_closed` the shop erases the
/// customer when the last of them is closed; until then, orders of the customer are refused.
#[utoipa::path(delete, path = "/customer/{customer_id}", tag = "customers", security(("bearer" = ["owner", "editor"])),
    request_body = Option<Erasure>, params(("customer_id" = CustomerId, Path), ErasureQuery, CommandParams),
    responses(
        (status = 204), (status = 202, body = ErasureView), (status = 401, body = Problem), CommandProblems
    ))]
pub async fn erase_customer(
    State(app): State<App>,
    caller: Caller,
    client: ClientInfo,
    Extension(address): Extension<ClientAddress>,
    Ids(customer_id): Ids<CustomerId>,
    command: CommandWith<Erasure, ErasureQuery>,
) -> Result<Response, ApiError> {
    let CommandWith { body, mut context, query } = command;
    let identity = caller.identity()?;
    match (identity.role, body.password) {
        (Role::Customer, Some(password)) => {
            app.edge.rate_limits.per_credential_address(address)?;
            app.edge.rate_limits.per_account(&format!("account/{}", identity.account_id))?;
            app.accounts.prove_owner(identity.account_id, &password, &client).await?;
            // The stored fingerprint of an idempotent request is a fast hash of the body, and so of the password.
            context.idempotency = None;
        }
        (Role::Customer, None) => return Err(ApiError::invalid_field("password", "is required to erase an account")),
        (_, Some(_)) => return Err(ApiError::invalid_field("password", "is for the owner of the account only")),
        (_, None) => {}
    }
    let erased = erase(&app, customer_id, query.when, context).await?;
    // Refuses the customer's access tokens at once, not only after the database has notified this node.
    app.accounts.refresh().await?;
    Ok(erasure_response(erased))
}

/// List a customer's orders, newest first
#[utoipa::path(get, path = "/customer/{customer_id}/orders", tag = "customers", security(("bearer" = ["owner", "reader"])),
    params(("customer_id" = CustomerId, Path), Page),
    responses((status = 200, body = Vec<CustomerOrder>), (status = 404, body = Problem)))]
pub async fn list_customer_orders(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Ids(customer_id): Ids<CustomerId>,
    Params(page): Params<Page>,
) -> Result<PageOf<CustomerOrder>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let (placed_at, order_id) = page.after()?.unwrap_or((LAST_MOMENT, i64::MAX));
    let rows = sqlx::query_file!("projections/orders/by_customer.sql", customer_id.0, placed_at, order_id, limit + 1)
        .fetch_all(&app.pool)
        .await?;
    if rows.is_empty() {
        require_customer(&app, customer_id).await?;
    }
    let page = PageOf::new(&uri, rows, limit, |row| (row.placed_at, row.order_id));
    Ok(page.map(|row| CustomerOrder {
        order_id: row.order_id,
        order_date: row.placed_at.date_naive(),
        status: row.status,
        total_amount: row.total_amount.into(),
        customer_email: row.customer_email,
    }))
}

/// 404 if there never was such a customer.
pub async fn require_customer(app: &App, customer_id: CustomerId) -> Result<(), ApiError> {
    let exists =
        sqlx::query_file_scalar!("projections/customers/exists.sql", customer_id.0).fetch_one(&app.pool).await?;
    if exists { Ok(()) } else { Err(customer_not_found()) }
}

pub fn customer_not_found() -> ApiError {
    ApiError::not_found("customer_not_found", "Customer not found")
}
