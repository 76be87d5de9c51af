//! Recipients of an order: a guest's contact, and the addresses.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::domain::ids::OrderId;

/// Name and e-mail address of a guest.
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
}

/// The personal data of an order that was not erased.
pub struct OrderRecipients {
    /// `None` for a customer.
    pub contact: Option<Contact>,
    pub addresses: Vec<OrderAddress>,
}

/// Reads the recipients of an order.
pub async fn find_recipients(connection: &mut PgConnection, order_id: OrderId) -> Result<OrderRecipients, sqlx::Error> {
    let contact = sqlx::query_as!(Contact, "select name, email from order_contact where order_id = $1", order_id.0)
        .fetch_optional(&mut *connection)
        .await?;
    let addresses = sqlx::query_file_as!(OrderAddress, "src/http/queries/order_addresses.sql", order_id.0)
        .fetch_all(connection)
        .await?;
    Ok(OrderRecipients { contact, addresses })
}
