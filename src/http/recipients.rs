//! Who orders are for and where they go, as checkouts take it and orders show it.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::Shop;
use super::addresses::NewAddress;
use super::body::FromObject;
use super::error::{ApiError, FieldError};
use crate::domain::customer::{self as domain, Country};
use crate::domain::ids::{AddressId, CustomerId};
use crate::shop::KnownAddress;

/// Who a guest is.
#[derive(Serialize, ToSchema, sqlx::FromRow)]
pub struct Contact {
    pub name: String,
    pub email: String,
}

/// An address as it was when the order was placed.
#[derive(Serialize, Deserialize, ToSchema, sqlx::FromRow)]
pub struct OrderAddress {
    /// `shipping` or `billing`.
    pub kind: String,
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

/// What is still known of an order's people.
pub(super) struct Known {
    /// Only of guests.
    pub contact: Option<Contact>,
    pub addresses: Vec<OrderAddress>,
}

/// What is known of the people of an order.
pub(super) async fn known(connection: &mut PgConnection, order_id: i64) -> Result<Known, sqlx::Error> {
    let contact = sqlx::query_as("select name, email from order_contact where order_id = $1")
        .bind(order_id)
        .fetch_optional(&mut *connection)
        .await?;
    let addresses = sqlx::query_as(
        "select kind, name, line1, line2, postal_code, city, region, country
         from order_address
         where order_id = $1
         order by kind desc",
    )
    .bind(order_id)
    .fetch_all(connection)
    .await?;
    Ok(Known { contact, addresses })
}

/// An address that a customer names, with the country that it is in now. One that is not there is for the command to
/// refuse, which may have been carried out before.
pub(super) async fn known_address(
    shop: &Shop,
    customer_id: CustomerId,
    address_id: Option<AddressId>,
) -> Result<Option<KnownAddress>, ApiError> {
    let Some(address_id) = address_id else { return Ok(None) };
    let country: Option<String> =
        sqlx::query_scalar("select country from address where customer_id = $1 and address_id = $2")
            .bind(customer_id.0)
            .bind(address_id.0)
            .fetch_optional(&shop.pool)
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
