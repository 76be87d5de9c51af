//! A customer, without the person: name and e-mail live in a table that can be forgotten, never in an event.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Decider;

#[cfg(test)]
mod tests;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Customer {
    #[default]
    Unknown,
    Registered,
    Erased,
}

/// A field of the profile, named in an event that says it changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    Erase,
    /// Proves that the customer exists, and changes nothing.
    Check,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum CustomerEvent {
    #[serde(rename = "CustomerRegistered")]
    Registered {},
    #[serde(rename = "CustomerChanged")]
    Changed { fields: Vec<ProfileField> },
    #[serde(rename = "CustomerErased")]
    Erased {},
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CustomerError {
    #[error("customer not found")]
    NotFound,
    #[error("the customer is registered already")]
    AlreadyRegistered,
}

impl CustomerEvent {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Registered {} => "CustomerRegistered",
            Self::Changed { .. } => "CustomerChanged",
            Self::Erased {} => "CustomerErased",
        }
    }
}

impl Decider for Customer {
    fn decide(&self, command: CustomerCommand) -> Result<Vec<CustomerEvent>, CustomerError> {
        match (self, command) {
            (Self::Unknown, CustomerCommand::Register) => Ok(vec![CustomerEvent::Registered {}]),
            (Self::Registered, CustomerCommand::Register) => Err(CustomerError::AlreadyRegistered),
            (Self::Unknown | Self::Erased, _) => Err(CustomerError::NotFound),
            (Self::Registered, CustomerCommand::Change { fields }) if fields.is_empty() => Ok(vec![]),
            (Self::Registered, CustomerCommand::Change { fields }) => Ok(vec![CustomerEvent::Changed { fields }]),
            (Self::Registered, CustomerCommand::Erase) => Ok(vec![CustomerEvent::Erased {}]),
            (Self::Registered, CustomerCommand::Check) => Ok(vec![]),
        }
    }

    fn evolve(&mut self, event: &CustomerEvent) {
        match event {
            CustomerEvent::Registered {} => *self = Self::Registered,
            CustomerEvent::Changed { .. } => {}
            CustomerEvent::Erased {} => *self = Self::Erased,
        }
    }
}

super::aggregate!(Customer, "Customer", CustomerCommand, CustomerEvent, CustomerError);
