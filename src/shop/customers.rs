//! Customers: a number in the log, the person in a profile beside it.

use serde::{Deserialize, Serialize};

use super::metadata::{change_customer_metadata, put_customer_metadata};
use crate::domain::customer::{Customer, CustomerCommand, ProfileField};
use crate::domain::ids::CustomerId;
use crate::domain::metadata::Metadata;
use crate::domain::refusal::Refusal;
use crate::domain::text::{Email, LastName, Name};
use crate::journal::{AggregateRef, Interrupt, SideWrite, UnitOfWork, UseCase};

/// Registers a customer.
pub struct RegisterCustomer {
    pub first_name: Name,
    pub last_name: LastName,
    pub email: Email,
    pub metadata: Metadata,
}

/// Changes the name or the metadata of a customer, or the e-mail address of one without an account. `None` keeps a value.
pub struct ChangeCustomer {
    pub customer_id: CustomerId,
    pub first_name: Option<Name>,
    pub last_name: Option<LastName>,
    pub email: Option<Email>,
    /// Replaces the metadata.
    pub metadata: Option<Metadata>,
}

/// The number of a customer; no other data, because answers are stored and customers can be erased.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CustomerRef {
    pub customer_id: CustomerId,
}

impl UseCase for RegisterCustomer {
    type Answer = CustomerRef;

    /// The database refuses an e-mail address that is taken: the log holds no addresses.
    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CustomerRef, Interrupt> {
        let customer_id = CustomerId(work.next_number::<Customer>()?);
        work.execute::<Customer>(customer_id, CustomerCommand::Register)?;
        let Self { first_name, last_name, email, metadata } = self;
        work.add_side_write(&PutProfile { customer_id, first_name, last_name, email })?;
        put_customer_metadata(work, customer_id, metadata)?;
        Ok(CustomerRef { customer_id })
    }
}

impl UseCase for ChangeCustomer {
    type Answer = CustomerRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CustomerRef, Interrupt> {
        let given = [
            (ProfileField::FirstName, self.first_name.is_some()),
            (ProfileField::LastName, self.last_name.is_some()),
            (ProfileField::Email, self.email.is_some()),
        ];
        let fields: Vec<_> = given.into_iter().filter_map(|(field, given)| given.then_some(field)).collect();
        let changes = !fields.is_empty();
        let Self { customer_id, first_name, last_name, email, metadata } = self;
        let customer_id = *customer_id;
        work.execute::<Customer>(customer_id, CustomerCommand::Change { fields })?;
        if changes {
            let (first_name, last_name, email) = (first_name.as_ref(), last_name.as_ref(), email.as_ref());
            work.add_side_write(&PatchProfile { customer_id, first_name, last_name, email })?;
        }
        if let Some(metadata) = metadata {
            change_customer_metadata(work, customer_id, metadata)?;
        }
        Ok(CustomerRef { customer_id })
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Customer>(self.customer_id))
    }
}

/// Refuses customers that are unknown or erased.
pub(super) fn check_customer(work: &mut UnitOfWork<'_>, customer_id: CustomerId) -> Result<(), Interrupt> {
    work.execute::<Customer>(customer_id, CustomerCommand::CheckRegistered)
}

/// Refuses customers that are unknown, erased, or to be erased.
pub(super) fn check_may_order(work: &mut UnitOfWork<'_>, customer_id: CustomerId) -> Result<(), Interrupt> {
    work.execute::<Customer>(customer_id, CustomerCommand::CheckMayOrder)
}

#[derive(Serialize)]
struct PutProfile<'a> {
    customer_id: CustomerId,
    first_name: &'a Name,
    last_name: &'a LastName,
    email: &'a Email,
}

impl SideWrite for PutProfile<'_> {
    const FUNCTION: &'static str = "put_profile";

    fn refusal(constraint: &str) -> Option<Refusal> {
        email_taken(constraint)
    }
}

/// The database refuses another e-mail address for a customer with an account, in the commit of the events, so that no
/// account can be opened in between.
#[derive(Serialize)]
struct PatchProfile<'a> {
    customer_id: CustomerId,
    first_name: Option<&'a Name>,
    last_name: Option<&'a LastName>,
    email: Option<&'a Email>,
}

impl SideWrite for PatchProfile<'_> {
    const FUNCTION: &'static str = "change_profile";

    fn refusal(constraint: &str) -> Option<Refusal> {
        if constraint == "customer_profile_email_of_account" {
            return Some(Refusal::EmailNeedsConfirmation);
        }
        email_taken(constraint)
    }
}

fn email_taken(constraint: &str) -> Option<Refusal> {
    matches!(constraint, "customer_profile_email_key" | "account_email_key").then_some(Refusal::EmailTaken)
}
