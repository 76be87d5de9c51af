//! A customer, without personal data: name, e-mail and addresses live in erasable tables, never in events.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Decider;
use super::event::events;
use super::ids::AddressId;

mod address;
mod defaults;
#[cfg(test)]
mod tests;

pub use defaults::{DefaultAddresses, DefaultMarks};

pub use address::{Address, AddressChange, AddressField, AddressLine, Country, OptionalLine, PostalCode};

/// Maximum number of addresses of a customer.
pub const MAX_ADDRESSES: usize = 50;

/// Life cycle of a customer. Without addresses it is serialised as before addresses existed, so that old snapshots stay
/// readable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub enum Customer {
    #[default]
    Unknown,
    Registered(AddressBook),
    Erased,
}

/// A registered customer: numbers of the addresses, of which none is reused, and a requested erasure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressBook {
    pub addresses: Vec<AddressId>,
    pub last_address: i64,
    /// The addresses that a checkout uses when it names none.
    #[serde(flatten)]
    pub defaults: DefaultAddresses,
    /// Whether the customer is to be erased when the last open order is closed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erasure_requested: bool,
}

/// A customer as stored in snapshots.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Bare(Bare),
    WithAddresses {
        #[serde(rename = "Registered")]
        book: AddressBook,
    },
}

#[derive(Serialize, Deserialize)]
enum Bare {
    Unknown,
    Registered,
    Erased,
}

/// Name of a changed field of the profile, for events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProfileField {
    FirstName,
    LastName,
    Email,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CustomerCommand {
    Register,
    Change {
        fields: Vec<ProfileField>,
    },
    ChangeMetadata,
    AddAddress {
        marks: DefaultMarks,
    },
    ChangeAddress {
        address_id: AddressId,
        fields: Vec<AddressField>,
        marks: DefaultMarks,
    },
    RemoveAddress {
        address_id: AddressId,
    },
    Erase,
    /// Records that the customer is to be erased when the last open order is closed.
    RequestErasure,
    WithdrawErasure,
    /// Refuses an unknown or erased customer; changes nothing.
    CheckRegistered,
    /// Refuses a customer who is to be erased too; changes nothing.
    CheckMayOrder,
}

events! {
    pub enum CustomerEvent {
        Registered {} = "CustomerRegistered",
        Changed { fields: Vec<ProfileField> } = "CustomerChanged",
        /// The metadata itself is beside the log.
        MetadataChanged {} = "CustomerMetadataChanged",
        AddressAdded { address_id: AddressId } = "CustomerAddressAdded",
        AddressChanged { address_id: AddressId, fields: Vec<AddressField> } = "CustomerAddressChanged",
        AddressRemoved { address_id: AddressId } = "CustomerAddressRemoved",
        /// Both defaults after the change.
        DefaultAddressesChanged { shipping: Option<AddressId>, billing: Option<AddressId> }
            = "CustomerDefaultAddressesChanged",
        Erased {} = "CustomerErased",
        /// The customer is to be erased when the last open order is closed.
        ErasureRequested {} = "CustomerErasureRequested",
        ErasureWithdrawn {} = "CustomerErasureWithdrawn",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CustomerError {
    #[error("customer not found")]
    NotFound,
    #[error("the customer is already registered")]
    AlreadyRegistered,
    #[error("the customer has no address {0}")]
    AddressNotFound(AddressId),
    #[error("a customer can have at most {MAX_ADDRESSES} addresses")]
    TooManyAddresses,
    #[error("the customer is to be erased, so nothing can be ordered; staff can withdraw the erasure")]
    ErasureRequested,
}

impl Customer {
    /// Whether the customer is to be erased when the last open order is closed.
    pub fn awaits_erasure(&self) -> bool {
        matches!(self, Self::Registered(book) if book.erasure_requested)
    }

    /// Number of the next address.
    pub fn next_address(&self) -> AddressId {
        let last = if let Self::Registered(book) = self { book.last_address } else { 0 };
        AddressId(last + 1)
    }

    /// The addresses that a checkout uses when it names none.
    pub fn default_addresses(&self) -> DefaultAddresses {
        if let Self::Registered(book) = self { book.defaults } else { DefaultAddresses::default() }
    }

    /// Refuses an address that the customer does not have.
    pub fn require_address(&self, address_id: AddressId) -> Result<(), CustomerError> {
        match self {
            Self::Registered(book) => book.holds(address_id),
            Self::Unknown | Self::Erased => Err(CustomerError::NotFound),
        }
    }
}

impl AddressBook {
    fn holds(&self, address_id: AddressId) -> Result<(), CustomerError> {
        if self.addresses.contains(&address_id) { Ok(()) } else { Err(CustomerError::AddressNotFound(address_id)) }
    }

    fn change_defaults(&self, address_id: AddressId, marks: DefaultMarks) -> Option<CustomerEvent> {
        let changed = self.defaults.with(address_id, marks);
        let DefaultAddresses { shipping, billing } = changed;
        (changed != self.defaults).then_some(CustomerEvent::DefaultAddressesChanged { shipping, billing })
    }
}

impl Decider for Customer {
    fn decide(&self, command: CustomerCommand) -> Result<Vec<CustomerEvent>, CustomerError> {
        let book = match (self, &command) {
            (Self::Unknown, CustomerCommand::Register) => return Ok(vec![CustomerEvent::Registered {}]),
            (Self::Unknown | Self::Erased, _) => return Err(CustomerError::NotFound),
            (Self::Registered(book), _) => book,
        };
        match command {
            CustomerCommand::Register => Err(CustomerError::AlreadyRegistered),
            CustomerCommand::Change { fields } if fields.is_empty() => Ok(vec![]),
            CustomerCommand::Change { fields } => Ok(vec![CustomerEvent::Changed { fields }]),
            CustomerCommand::ChangeMetadata => Ok(vec![CustomerEvent::MetadataChanged {}]),
            CustomerCommand::AddAddress { .. } if book.addresses.len() >= MAX_ADDRESSES => {
                Err(CustomerError::TooManyAddresses)
            }
            CustomerCommand::AddAddress { marks } => {
                let address_id = self.next_address();
                let added = CustomerEvent::AddressAdded { address_id };
                Ok([added].into_iter().chain(book.change_defaults(address_id, marks)).collect())
            }
            CustomerCommand::ChangeAddress { address_id, fields, marks } => {
                book.holds(address_id)?;
                let changed = (!fields.is_empty()).then_some(CustomerEvent::AddressChanged { address_id, fields });
                Ok(changed.into_iter().chain(book.change_defaults(address_id, marks)).collect())
            }
            CustomerCommand::RemoveAddress { address_id } => {
                book.holds(address_id)?;
                let removed = CustomerEvent::AddressRemoved { address_id };
                Ok([removed].into_iter().chain(book.change_defaults(address_id, DefaultMarks::NONE)).collect())
            }
            CustomerCommand::Erase => Ok(vec![CustomerEvent::Erased {}]),
            CustomerCommand::RequestErasure if book.erasure_requested => Ok(vec![]),
            CustomerCommand::RequestErasure => Ok(vec![CustomerEvent::ErasureRequested {}]),
            CustomerCommand::WithdrawErasure if !book.erasure_requested => Ok(vec![]),
            CustomerCommand::WithdrawErasure => Ok(vec![CustomerEvent::ErasureWithdrawn {}]),
            CustomerCommand::CheckMayOrder if book.erasure_requested => Err(CustomerError::ErasureRequested),
            CustomerCommand::CheckMayOrder | CustomerCommand::CheckRegistered => Ok(vec![]),
        }
    }

    fn evolve(&mut self, event: &CustomerEvent) {
        match (&mut *self, event) {
            (_, CustomerEvent::Registered {}) => *self = Self::Registered(AddressBook::default()),
            (_, CustomerEvent::Erased {}) => *self = Self::Erased,
            (Self::Registered(book), CustomerEvent::AddressAdded { address_id }) => {
                book.addresses.push(*address_id);
                book.last_address = address_id.0;
            }
            (Self::Registered(book), CustomerEvent::AddressRemoved { address_id }) => {
                book.addresses.retain(|held| held != address_id);
            }
            (Self::Registered(book), CustomerEvent::DefaultAddressesChanged { shipping, billing }) => {
                book.defaults = DefaultAddresses { shipping: *shipping, billing: *billing };
            }
            (Self::Registered(book), CustomerEvent::ErasureRequested {}) => book.erasure_requested = true,
            (Self::Registered(book), CustomerEvent::ErasureWithdrawn {}) => book.erasure_requested = false,
            (_, CustomerEvent::AddressAdded { .. } | CustomerEvent::AddressRemoved { .. }) => {}
            (_, CustomerEvent::DefaultAddressesChanged { .. }) => {}
            (_, CustomerEvent::ErasureRequested {} | CustomerEvent::ErasureWithdrawn {}) => {}
            (_, CustomerEvent::Changed { .. } | CustomerEvent::AddressChanged { .. }) => {}
            (_, CustomerEvent::MetadataChanged {}) => {}
        }
    }
}

impl From<Stored> for Customer {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Bare(Bare::Unknown) => Self::Unknown,
            Stored::Bare(Bare::Registered) => Self::Registered(AddressBook::default()),
            Stored::Bare(Bare::Erased) => Self::Erased,
            Stored::WithAddresses { book } => Self::Registered(book),
        }
    }
}

impl From<Customer> for Stored {
    fn from(customer: Customer) -> Self {
        match customer {
            Customer::Unknown => Self::Bare(Bare::Unknown),
            Customer::Registered(book) if book == AddressBook::default() => Self::Bare(Bare::Registered),
            Customer::Registered(book) => Self::WithAddresses { book },
            Customer::Erased => Self::Bare(Bare::Erased),
        }
    }
}

impl super::Numbered for Customer {}
super::aggregate!(Customer, "Customer", CustomerCommand, CustomerEvent, CustomerError);
