//! Recipients of an order: a guest's contact, and the addresses; read, entered by staff, and corrected.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::domain::ids::{AddressId, CustomerId, OrderId};
use crate::domain::text::{Email, Name};
use crate::http::App;
use crate::http::customers::addresses::{GivenAddress, find_address};
use crate::http::orders::movers::with_states;
use crate::http::wire::body::body;
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::error::{ApiError, FieldError};
use crate::http::wire::page::Ids;
use crate::shop::{CorrectAddresses, CorrectContact, CorrectionView, Destination, GuestContact, Recipients};

/// Name and e-mail address of a guest.
#[derive(Serialize, ToSchema)]
pub struct Contact {
    pub name: String,
    pub email: String,
}

/// An address of an order: a copy from when the order was placed, or as staff corrected it.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct OrderAddress {
    /// `shipping` or `billing`.
    #[schema(value_type = crate::domain::order::AddressKind)]
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

body! {
    /// Name and e-mail address of a guest, as staff enter them.
    #[derive(Clone)]
    pub struct GivenContact {
        pub name: Name,
        /// Recipient of mails about the order.
        pub email: Email,
    }
}

/// Recipients as the body of an order entered by staff names them.
pub struct GivenRecipients {
    pub contact: Option<GivenContact>,
    pub shipping_address: Option<GivenAddress>,
    pub billing_address: Option<GivenAddress>,
    pub shipping_address_id: Option<AddressId>,
    pub billing_address_id: Option<AddressId>,
}

impl GivenRecipients {
    /// Checks that they fit each other and the buyer, and reads the country of the customer's address.
    pub async fn resolve(self, app: &App, customer_id: Option<CustomerId>) -> Result<Recipients, ApiError> {
        let mut errors = Vec::new();
        let mut refuse = |broken: bool, field: &str, message: &str| {
            if broken {
                errors.push(FieldError { field: field.to_owned(), message: message.to_owned() });
            }
        };
        let of_customer = "must be absent for an order of a customer, who has a profile";
        refuse(self.contact.is_some() && customer_id.is_some(), "contact", of_customer);
        for (id_field, id, field, address) in [
            ("shipping_address_id", &self.shipping_address_id, "shipping_address", &self.shipping_address),
            ("billing_address_id", &self.billing_address_id, "billing_address", &self.billing_address),
        ] {
            refuse(id.is_some() && customer_id.is_none(), id_field, "needs a customer_id");
            refuse(id.is_some() && address.is_some(), id_field, &format!("must be absent beside {field}"));
        }
        if !errors.is_empty() {
            return Err(ApiError::invalid(errors));
        }
        let destination =
            async |address: Option<GivenAddress>, address_id: Option<AddressId>| match (address, customer_id) {
                (Some(GivenAddress(address)), _) => Ok(Some(Destination::given(address))),
                (None, Some(customer_id)) => {
                    find_address(app, customer_id, address_id).await.map(|known| known.map(Destination::Known))
                }
                (None, None) => Ok(None),
            };
        Ok(Recipients {
            contact: self.contact.map(|GivenContact { name, email }| GuestContact { name, email }),
            shipping: destination(self.shipping_address, self.shipping_address_id).await?,
            billing: destination(self.billing_address, self.billing_address_id).await?,
            // Staff name what an order is sent to.
            defaults: None,
        })
    }
}

body! {
    /// Addresses that replace those of the order; an absent one stays.
    #[schema(examples(json!({ "shipping":
        { "name": "Jo Miller", "line1": "14 Mill Lane", "postal_code": "AB1 2CD", "city": "Milltown", "country": "GB" } })))]
    pub struct AddressCorrection {
        pub shipping: Option<GivenAddress>,
        pub billing: Option<GivenAddress>,
    }
}

body! {
    /// Name or e-mail address of a guest; an absent one stays.
    #[schema(examples(json!({ "name": "Jo Miller", "email": "jo@example.com" })))]
    pub struct ContactCorrection {
        pub name: Option<Name>,
        /// Recipient of mails about the order from now on.
        pub email: Option<Email>,
    }
}

/// Correct the addresses of an order
///
/// Possible while units are still to be sent. The agreed total does not change, so a country with other shipping fees
/// or taxes is refused with 409 `country_changes_price`: cancel the order and place it again.
#[utoipa::path(put, path = "/order/{order_id}/addresses", tag = "orders", security(("bearer" = ["editor"])),
    request_body = AddressCorrection,
    params(("order_id" = OrderId, Path), CommandParams), responses((status = 200, body = CorrectionView), CommandProblems))]
pub async fn correct_addresses(
    State(app): State<App>,
    Ids(order_id): Ids<OrderId>,
    command: Command<AddressCorrection>,
) -> Result<CommandResponse<CorrectionView>, ApiError> {
    let AddressCorrection { shipping, billing } = command.body;
    if shipping.is_none() && billing.is_none() {
        return Err(ApiError::invalid_field("shipping", "is required unless billing is given"));
    }
    let (shipping, billing) = (shipping.map(|given| given.0), billing.map(|given| given.0));
    match app.try_run(CorrectAddresses { order_id, shipping, billing }, command.context).await {
        Ok(response) => Ok(response),
        Err(error) => Err(with_states(&app, order_id, error).await.0),
    }
}

/// Correct the name or e-mail address of a guest's order
///
/// Possible while units are still to be sent. If staff entered the order without a contact, both are required.
#[utoipa::path(put, path = "/order/{order_id}/contact", tag = "orders", security(("bearer" = ["editor"])),
    request_body = ContactCorrection,
    params(("order_id" = OrderId, Path), CommandParams), responses((status = 200, body = CorrectionView), CommandProblems))]
pub async fn correct_contact(
    State(app): State<App>,
    Ids(order_id): Ids<OrderId>,
    command: Command<ContactCorrection>,
) -> Result<CommandResponse<CorrectionView>, ApiError> {
    let ContactCorrection { name, email } = command.body;
    if name.is_none() && email.is_none() {
        return Err(ApiError::invalid_field("name", "is required unless email is given"));
    }
    match app.try_run(CorrectContact { order_id, name, email }, command.context).await {
        Ok(response) => Ok(response),
        Err(error) => Err(with_states(&app, order_id, error).await.0),
    }
}
