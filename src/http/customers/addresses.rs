//! Where customers live and have things sent.

use axum::extract::{OriginalUri, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::customer::{self as domain, AddressLine, Country, OptionalLine, PostalCode};
use crate::domain::ids::{AddressId, CustomerId};
use crate::domain::text::Name;
use crate::http::App;
use crate::http::customers;
use crate::http::wire::body::{FromObject, NoBody, body};
use crate::http::wire::command::{Answer, Command, CommandParams, CommandProblems};
use crate::http::wire::error::{ApiError, FieldError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Ids, Page, PageOf, Params};
use crate::shop::{AddAddress, AddressRef, ChangeAddress, KnownAddress, RemoveAddress};

#[derive(Serialize, Deserialize, ToSchema)]
pub struct Address {
    pub address_id: i64,
    /// Who receives what is sent there.
    pub name: String,
    pub line1: String,
    pub line2: Option<String>,
    pub postal_code: String,
    pub city: String,
    pub region: Option<String>,
    /// Two letters of ISO 3166-1.
    pub country: String,
}

body! {
    /// A new address.
    pub struct NewAddress {
        /// Who receives what is sent there.
        #[schema(value_type = String, min_length = 1, max_length = 200, example = "Jo Miller")]
        pub name: Name,
        #[schema(value_type = String, min_length = 1, max_length = 200, example = "12 Mill Lane")]
        pub line1: AddressLine,
        #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
        pub line2: Option<AddressLine>,
        #[schema(value_type = String, min_length = 1, max_length = 20, example = "AB1 2CD")]
        pub postal_code: PostalCode,
        #[schema(value_type = String, min_length = 1, max_length = 200, example = "Milltown")]
        pub city: Name,
        #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
        pub region: Option<Name>,
        /// Two letters of ISO 3166-1, in upper case.
        #[schema(value_type = String, pattern = "^[A-Z]{2}$", example = "GB")]
        pub country: Country,
    }
}

body! {
    /// What is to be changed; what is absent stays as it is.
    pub struct AddressChange {
        #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
        pub name: Option<Name>,
        #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
        pub line1: Option<AddressLine>,
        /// Empty to take it away.
        #[schema(value_type = Option<String>, max_length = 200)]
        pub line2: Option<OptionalLine>,
        #[schema(value_type = Option<String>, min_length = 1, max_length = 20)]
        pub postal_code: Option<PostalCode>,
        #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
        pub city: Option<Name>,
        /// Empty to take it away.
        #[schema(value_type = Option<String>, max_length = 200)]
        pub region: Option<OptionalLine>,
        #[schema(value_type = Option<String>, pattern = "^[A-Z]{2}$")]
        pub country: Option<Country>,
    }
}

/// A customer's addresses, oldest first
#[utoipa::path(get, path = "/customer/{customer_id}/addresses", tag = "customers",
    security(("bearer" = ["owner", "reader"])), params(("customer_id" = i64, Path), Page),
    responses((status = 200, body = Vec<Address>), (status = 404, body = Problem)))]
pub async fn list(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Ids(customer_id): Ids<i64>,
    Params(page): Params<Page>,
) -> Result<PageOf<Address>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let after: i64 = page.after()?.unwrap_or(0);
    let rows = sqlx::query_file_as!(Address, "src/http/queries/addresses.sql", customer_id, after, limit + 1)
        .fetch_all(&app.pool)
        .await?;
    if rows.is_empty() {
        customers::known(&app, customer_id).await?;
    }
    Ok(PageOf::new(&uri, rows, limit, |address| address.address_id))
}

/// Adds an address
#[utoipa::path(post, path = "/customer/{customer_id}/addresses", tag = "customers",
    security(("bearer" = ["owner", "editor"])), request_body = NewAddress,
    params(("customer_id" = i64, Path), CommandParams),
    responses((status = 201, body = AddressRef), CommandProblems))]
pub async fn add(
    State(app): State<App>,
    Ids(customer_id): Ids<i64>,
    command: Command<NewAddress>,
) -> Result<Answer<AddressRef>, ApiError> {
    let NewAddress { name, line1, line2, postal_code, city, region, country } = command.body;
    let address = domain::Address { name, line1, line2, postal_code, city, region, country };
    let add = AddAddress { customer_id: CustomerId(customer_id), address };
    let added = app.run(add, command.context).await?;
    Ok(added.created(|added| format!("/shop/api/customer/{customer_id}/addresses/{}/", added.address_id)))
}

/// Changes an address
#[utoipa::path(patch, path = "/customer/{customer_id}/addresses/{address_id}", tag = "customers",
    security(("bearer" = ["owner", "editor"])), request_body = AddressChange,
    params(("customer_id" = i64, Path), ("address_id" = i64, Path), CommandParams),
    responses((status = 200, body = AddressRef), CommandProblems))]
pub async fn change(
    State(app): State<App>,
    Ids((customer_id, address_id)): Ids<(i64, i64)>,
    command: Command<AddressChange>,
) -> Result<Answer<AddressRef>, ApiError> {
    let AddressChange { name, line1, line2, postal_code, city, region, country } = command.body;
    let change = domain::AddressChange { name, line1, line2, postal_code, city, region, country };
    let (customer_id, address_id) = (CustomerId(customer_id), AddressId(address_id));
    app.run(ChangeAddress { customer_id, address_id, change }, command.context).await
}

/// Removes an address
#[utoipa::path(delete, path = "/customer/{customer_id}/addresses/{address_id}", tag = "customers",
    security(("bearer" = ["owner", "editor"])),
    params(("customer_id" = i64, Path), ("address_id" = i64, Path), CommandParams),
    responses((status = 204), CommandProblems))]
pub async fn remove(
    State(app): State<App>,
    Ids((customer_id, address_id)): Ids<(i64, i64)>,
    command: Command<NoBody>,
) -> Result<Answer<()>, ApiError> {
    let (customer_id, address_id) = (CustomerId(customer_id), AddressId(address_id));
    app.run(RemoveAddress { customer_id, address_id }, command.context).await
}

/// An address that a customer names, with the country that it is in now. One that is not there is for the command to
/// refuse, which may have been carried out before.
pub async fn known_address(
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

/// An address inside of another body: every field that is missing or wrong is named.
#[derive(Deserialize)]
#[serde(try_from = "serde_json::Map<String, serde_json::Value>")]
pub struct GivenAddress(pub domain::Address);

impl TryFrom<serde_json::Map<String, serde_json::Value>> for GivenAddress {
    type Error = String;

    fn try_from(object: serde_json::Map<String, serde_json::Value>) -> Result<Self, String> {
        let given = NewAddress::from_object(object).map_err(|errors| {
            let told = errors.iter().map(|FieldError { field, message }| format!("{field} {message}"));
            told.collect::<Vec<_>>().join(", ")
        })?;
        let NewAddress { name, line1, line2, postal_code, city, region, country } = given;
        Ok(Self(domain::Address { name, line1, line2, postal_code, city, region, country }))
    }
}
