//! An account for logging in, without personal data: e-mail address and password live in erasable tables.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use super::Decider;
use super::event::events;
use super::ids::CustomerId;
use super::words::words;

mod credentials;
#[cfg(test)]
mod tests;

pub use credentials::{ApiKeyHash, LinkHash, PasswordHash};

words!(
    /// Permissions of an account. Each role includes those before it, except that only customers own carts and orders.
    Role {
        /// Access to the customer's own cart, orders and profile.
        Customer = "customer",
        /// Read access to everything except credentials.
        Reader = "reader",
        /// Changes to catalogue, orders and customers.
        Editor = "editor",
        /// Every route.
        Admin = "admin",
    }
);

/// Life cycle of an account. An erased account cannot be opened again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Account {
    #[default]
    Unknown,
    Open {
        role: Role,
        /// Owner, if the account is a customer's.
        customer_id: Option<CustomerId>,
        disabled: bool,
        keys: BTreeMap<Uuid, Role>,
    },
    Erased,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountCommand {
    /// Opens an account for a customer, or for staff if `customer_id` is `None`.
    Open {
        role: Role,
        customer_id: Option<CustomerId>,
    },
    ChangeRole {
        role: Role,
    },
    Disable,
    Enable,
    ChangePassword,
    /// Records that the e-mail address has changed; the address itself is in a table.
    ChangeEmail,
    CreateKey {
        key_id: Uuid,
        role: Role,
    },
    RevokeKey {
        key_id: Uuid,
    },
    Erase,
}

events! {
    pub enum AccountEvent {
        Opened { role: Role, customer_id: Option<CustomerId> } = "AccountOpened",
        RoleChanged { role: Role, previous_role: Role } = "AccountRoleChanged",
        Disabled {} = "AccountDisabled",
        Enabled {} = "AccountEnabled",
        PasswordChanged {} = "AccountPasswordChanged",
        EmailChanged {} = "AccountEmailChanged",
        KeyCreated { key_id: Uuid, role: Role } = "ApiKeyCreated",
        KeyRevoked { key_id: Uuid } = "ApiKeyRevoked",
        Erased {} = "AccountErased",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AccountError {
    #[error("account not found")]
    NotFound,
    #[error("the account already exists")]
    AlreadyOpen,
    #[error("only the account of a customer can have the role customer, and it cannot have another role")]
    RoleDoesNotFit,
    #[error("the account is disabled")]
    Disabled,
    #[error("only staff can have API keys, with at most the role of their account")]
    KeyExceedsAccount,
    #[error("API key not found")]
    KeyNotFound,
    #[error("the API key already exists")]
    KeyExists,
    #[error("an account can have at most {} API keys", Account::MAX_KEYS)]
    TooManyKeys,
}

/// A role that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be customer, reader, editor or admin")]
pub struct UnknownRole;

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.iter().copied().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

impl Account {
    /// Maximum number of API keys of an account.
    pub const MAX_KEYS: usize = 100;
}

impl Decider for Account {
    fn decide(&self, command: AccountCommand) -> Result<Vec<AccountEvent>, AccountError> {
        use AccountCommand as Command;
        use AccountEvent as Event;
        let (role, customer_id, disabled, keys) = match (self, &command) {
            (Self::Unknown, Command::Open { role, customer_id }) => {
                let fits = customer_id.is_some() == (*role == Role::Customer);
                let opened = Event::Opened { role: *role, customer_id: *customer_id };
                return if fits { Ok(vec![opened]) } else { Err(AccountError::RoleDoesNotFit) };
            }
            (_, Command::Open { .. }) => return Err(AccountError::AlreadyOpen),
            (Self::Unknown | Self::Erased, _) => return Err(AccountError::NotFound),
            (Self::Open { role, customer_id, disabled, keys }, _) => (*role, *customer_id, *disabled, keys),
        };
        let is_customer = customer_id.is_some();
        let event = match command {
            Command::Open { .. } => return Err(AccountError::AlreadyOpen),
            Command::ChangeRole { role: wanted } if wanted == role => return Ok(vec![]),
            Command::ChangeRole { role: wanted } if is_customer || wanted == Role::Customer => {
                return Err(AccountError::RoleDoesNotFit);
            }
            Command::ChangeRole { role: wanted } => Event::RoleChanged { role: wanted, previous_role: role },
            Command::Disable if disabled => return Ok(vec![]),
            Command::Disable => Event::Disabled {},
            Command::Enable if !disabled => return Ok(vec![]),
            Command::Enable => Event::Enabled {},
            Command::ChangePassword if disabled => return Err(AccountError::Disabled),
            Command::ChangePassword => Event::PasswordChanged {},
            Command::ChangeEmail if disabled => return Err(AccountError::Disabled),
            Command::ChangeEmail => Event::EmailChanged {},
            Command::CreateKey { .. } if disabled => return Err(AccountError::Disabled),
            Command::CreateKey { role: wanted, .. } if is_customer || wanted == Role::Customer || wanted > role => {
                return Err(AccountError::KeyExceedsAccount);
            }
            Command::CreateKey { key_id, .. } if keys.contains_key(&key_id) => return Err(AccountError::KeyExists),
            Command::CreateKey { .. } if keys.len() >= Self::MAX_KEYS => return Err(AccountError::TooManyKeys),
            Command::CreateKey { key_id, role } => Event::KeyCreated { key_id, role },
            Command::RevokeKey { key_id } if keys.contains_key(&key_id) => Event::KeyRevoked { key_id },
            Command::RevokeKey { .. } => return Err(AccountError::KeyNotFound),
            Command::Erase => Event::Erased {},
        };
        Ok(vec![event])
    }

    fn evolve(&mut self, event: &AccountEvent) {
        if let AccountEvent::Opened { role, customer_id } = event {
            *self = Self::Open { role: *role, customer_id: *customer_id, disabled: false, keys: BTreeMap::new() };
        }
        let Self::Open { role, disabled, keys, .. } = self else { return };
        match event {
            AccountEvent::Opened { .. } | AccountEvent::PasswordChanged {} | AccountEvent::EmailChanged {} => {}
            AccountEvent::RoleChanged { role: changed, .. } => *role = *changed,
            AccountEvent::Disabled {} => *disabled = true,
            AccountEvent::Enabled {} => *disabled = false,
            AccountEvent::KeyCreated { key_id, role } => {
                keys.insert(*key_id, *role);
            }
            AccountEvent::KeyRevoked { key_id } => {
                keys.remove(key_id);
            }
            AccountEvent::Erased {} => *self = Self::Erased,
        }
    }
}

impl super::Numbered for Account {}
super::aggregate!(Account, "Account", AccountCommand, AccountEvent, AccountError);
