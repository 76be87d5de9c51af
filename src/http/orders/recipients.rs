//! Who orders are for and where they go.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

/// Who a guest is.
#[derive(Serialize, ToSchema)]
pub struct Contact {
    pub name: String,
    pub email: String,
}

/// An address as it was when the order was placed.
#[derive(Serialize, Deserialize, ToSchema)]
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
pub struct Known {
    /// Only of guests.
    pub contact: Option<Contact>,
    pub addresses: Vec<OrderAddress>,
}

/// What is known of the people of an order.
pub async fn known(connection: &mut PgConnection, order_id: i64) -> Result<Known, sqlx::Error> {
    let contact = sqlx::query_as!(Contact, "select name, email from order_contact where order_id = $1", order_id)
        .fetch_optional(&mut *connection)
        .await?;
    let addresses = sqlx::query_file_as!(OrderAddress, "src/http/queries/order_addresses.sql", order_id)
        .fetch_all(connection)
        .await?;
    Ok(Known { contact, addresses })
}
