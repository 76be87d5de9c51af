//! Addresses of customers.

use std::borrow::Cow;

use axum::extract::{OriginalUri, State};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::domain::customer::{self as domain, AddressLine, Country, DefaultMarks, OptionalLine, PostalCode};
use crate::domain::ids::{AddressId, CustomerId};
use crate::domain::text::Name;
use crate::http::App;
use crate::http::customers;
use crate::http::wire::body::{NoBody, body};
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::error::{ApiError, FieldError, Problem};
use crate::http::wire::input::InputErrors;
use crate::http::wire::page::{DEFAULT_LIMIT, Ids, Page, PageOf, Params};
use crate::shop::{AddAddress, AddressRef, ChangeAddress, KnownAddress, RemoveAddress};

#[derive(Serialize, Deserialize, ToSchema)]
pub struct AddressView {
    pub address_id: i64,
    /// The recipient's name.
    pub name: String,
    pub line1: String,
    pub line2: Option<String>,
    /// Empty if the country has none.
    pub postal_code: String,
    pub city: String,
    pub region: Option<String>,
    /// Country code of ISO 3166-1: two letters.
    pub country: String,
    /// Whether a checkout that names no shipping address uses it; at most one address of a customer.
    pub default_shipping: bool,
    /// Whether a checkout that names no billing address uses it; at most one address of a customer.
    pub default_billing: bool,
}

body! {
    /// A new address.
    #[schema(examples(json!({ "name": "Jo Miller", "line1": "12 Mill Lane", "postal_code": "AB1 2CD", "city": "Milltown", "country": "GB" })))]
    pub struct NewAddress {
        /// The recipient's name.
        pub name: Name,
        pub line1: AddressLine,
        pub line2: Option<AddressLine>,
        /// May be absent in countries without postal codes.
        pub postal_code: Option<PostalCode>,
        pub city: Name,
        pub region: Option<Name>,
        pub country: Country,
    }
}

impl NewAddress {
    /// Fails if the country needs a postal code.
    fn into_address(self) -> Result<domain::Address, FieldError> {
        let Self { name, line1, line2, postal_code, city, region, country } = self;
        let postal_code = postal_code.unwrap_or_default();
        let address = domain::Address { name, line1, line2, postal_code, city, region, country };
        if address.has_required_postal_code() {
            return Ok(address);
        }
        Err(FieldError { field: "postal_code".to_owned(), message: format!("is required in {}", address.country) })
    }
}

body! {
    /// A new address of a customer.
    #[schema(examples(json!({ "name": "Jo Miller", "line1": "12 Mill Lane", "postal_code": "AB1 2CD", "city": "Milltown", "country": "GB", "default_shipping": true })))]
    pub struct NewCustomerAddress {
        /// The recipient's name.
        pub name: Name,
        pub line1: AddressLine,
        pub line2: Option<AddressLine>,
        /// May be absent in countries without postal codes.
        pub postal_code: Option<PostalCode>,
        pub city: Name,
        pub region: Option<Name>,
        pub country: Country,
        /// `true` makes it the default shipping address, and the previous one an ordinary address.
        pub default_shipping: Option<bool>,
        /// `true` makes it the default billing address, and the previous one an ordinary address.
        pub default_billing: Option<bool>,
    }
}

body! {
    /// The fields to change; absent fields keep their value.
    #[schema(examples(json!({ "line1": "14 Mill Lane", "line2": "" })))]
    pub struct AddressChange {
        pub name: Option<Name>,
        pub line1: Option<AddressLine>,
        pub line2: Option<OptionalLine>,
        pub postal_code: Option<PostalCode>,
        pub city: Option<Name>,
        pub region: Option<OptionalLine>,
        pub country: Option<Country>,
        /// `true` makes it the default shipping address; `false` ends that.
        pub default_shipping: Option<bool>,
        /// `true` makes it the default billing address; `false` ends that.
        pub default_billing: Option<bool>,
    }
}

/// List a customer's addresses, oldest first
#[utoipa::path(get, path = "/customer/{customer_id}/addresses", tag = "customers",
    security(("bearer" = ["owner", "reader"])), params(("customer_id" = CustomerId, Path), Page),
    responses((status = 200, body = Vec<AddressView>), (status = 404, body = Problem)))]
pub async fn list_addresses(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Ids(customer_id): Ids<CustomerId>,
    Params(page): Params<Page>,
) -> Result<PageOf<AddressView>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let after: i64 = page.after()?.unwrap_or(0);
    let rows = sqlx::query_file_as!(AddressView, "src/http/queries/addresses.sql", customer_id.0, after, limit + 1)
        .fetch_all(&app.pool)
        .await?;
    if rows.is_empty() {
        customers::require_customer(&app, customer_id).await?;
    }
    Ok(PageOf::new(&uri, rows, limit, |address| address.address_id))
}

/// Add an address
#[utoipa::path(post, path = "/customer/{customer_id}/addresses", tag = "customers",
    security(("bearer" = ["owner", "editor"])), request_body = NewCustomerAddress,
    params(("customer_id" = CustomerId, Path), CommandParams),
    responses((status = 201, body = AddressRef), CommandProblems))]
pub async fn add_address(
    State(app): State<App>,
    Ids(customer_id): Ids<CustomerId>,
    command: Command<NewCustomerAddress>,
) -> Result<CommandResponse<AddressRef>, ApiError> {
    let NewCustomerAddress { name, line1, line2, postal_code, city, region, country, .. } = command.body;
    let marks = DefaultMarks { shipping: command.body.default_shipping, billing: command.body.default_billing };
    let address = NewAddress { name, line1, line2, postal_code, city, region, country }.into_address();
    let add = AddAddress { customer_id, address: address.map_err(|error| ApiError::invalid(vec![error]))?, marks };
    let added = app.run(add, command.context).await?;
    Ok(added.created(|added| format!("/shop/api/customer/{customer_id}/addresses/{}/", added.address_id)))
}

/// Change an address
#[utoipa::path(patch, path = "/customer/{customer_id}/addresses/{address_id}", tag = "customers",
    security(("bearer" = ["owner", "editor"])), request_body = AddressChange,
    params(("customer_id" = CustomerId, Path), ("address_id" = AddressId, Path), CommandParams),
    responses((status = 200, body = AddressRef), CommandProblems))]
pub async fn change_address(
    State(app): State<App>,
    Ids((customer_id, address_id)): Ids<(CustomerId, AddressId)>,
    command: Command<AddressChange>,
) -> Result<CommandResponse<AddressRef>, ApiError> {
    let AddressChange { name, line1, line2, postal_code, city, region, country, .. } = command.body;
    let marks = DefaultMarks { shipping: command.body.default_shipping, billing: command.body.default_billing };
    let change = domain::AddressChange { name, line1, line2, postal_code, city, region, country };
    app.run(ChangeAddress { customer_id, address_id, change, marks }, command.context).await
}

/// Remove an address
#[utoipa::path(delete, path = "/customer/{customer_id}/addresses/{address_id}", tag = "customers",
    security(("bearer" = ["owner", "editor"])),
    params(("customer_id" = CustomerId, Path), ("address_id" = AddressId, Path), CommandParams),
    responses((status = 204), CommandProblems))]
pub async fn remove_address(
    State(app): State<App>,
    Ids((customer_id, address_id)): Ids<(CustomerId, AddressId)>,
    command: Command<NoBody>,
) -> Result<CommandResponse<()>, ApiError> {
    app.run(RemoveAddress { customer_id, address_id }, command.context).await
}

/// The current country of a customer's address.
///
/// `country` is `None` if the address does not exist: the command refuses it, or replays an earlier answer.
pub async fn find_address(
    app: &App,
    customer_id: CustomerId,
    address_id: Option<AddressId>,
) -> Result<Option<KnownAddress>, ApiError> {
    let Some(address_id) = address_id else { return Ok(None) };
    let country: Option<String> =
        sqlx::query_scalar("select country from address where customer_id = $1 and address_id = $2")
            .bind(customer_id.0)
            .bind(address_id.0)
            .fetch_optional(&app.pool)
            .await?;
    let country = country.map(Country::try_from).transpose().map_err(ApiError::internal)?;
    Ok(Some(KnownAddress { address_id, country }))
}

/// The default addresses of a customer, with their countries.
pub struct SavedDefaults {
    pub shipping: Option<KnownAddress>,
    pub billing: Option<KnownAddress>,
}

pub async fn find_default_addresses(app: &App, customer_id: CustomerId) -> Result<SavedDefaults, ApiError> {
    let rows = sqlx::query_file!("src/http/queries/default_addresses.sql", customer_id.0).fetch_all(&app.pool).await?;
    let mut defaults = SavedDefaults { shipping: None, billing: None };
    for row in rows {
        let country = Some(Country::try_from(row.country).map_err(ApiError::internal)?);
        let address = KnownAddress { address_id: AddressId(row.address_id), country };
        if row.default_billing {
            defaults.billing = Some(address.clone());
        }
        if row.default_shipping {
            defaults.shipping = Some(address);
        }
    }
    Ok(defaults)
}

/// An address inside another body.
pub struct GivenAddress(pub domain::Address);

impl PartialSchema for GivenAddress {
    fn schema() -> RefOr<Schema> {
        NewAddress::schema()
    }
}

impl ToSchema for GivenAddress {
    fn name() -> Cow<'static, str> {
        NewAddress::name()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        NewAddress::schemas(schemas);
    }
}

impl<'de> Deserialize<'de> for GivenAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = NewAddress::deserialize(deserializer)?;
        given.into_address().map(Self).map_err(|error| InputErrors::nested(vec![error]))
    }
}
