//! Public ids: integers, short enough to read aloud from an invoice.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

number!(
    /// The number of an account.
    AccountId
);
number!(
    /// The number of a category.
    CategoryId
);
number!(
    /// The number of a family.
    FamilyId
);
number!(
    /// The number of a product.
    ProductId
);
number!(
    /// The number of a customer.
    CustomerId
);
number!(
    /// The number of an address within its customer.
    AddressId
);
number!(
    /// The number of an order.
    OrderId
);
number!(
    /// The number of a webhook.
    WebhookId
);
number!(
    /// The number of an image, unique in the shop.
    ImageId
);

/// Id of a cart: the customer's number, or a digest of a guest's secret token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CartId {
    Customer(CustomerId),
    Guest(Uuid),
}

impl CartId {
    /// Cart of a guest's token. The id is a digest, because ids are in the log and the token must stay secret.
    pub fn of_token(token: Uuid) -> Self {
        const GUEST_CARTS: Uuid = Uuid::from_u128(0x8f0e_64b2_1d0b_4f4e_9f3a_5c47_2b8d_6a11);
        Self::Guest(Uuid::new_v5(&GUEST_CARTS, token.as_bytes()))
    }

    /// Number of the customer; `None` for a guest.
    pub fn customer(self) -> Option<CustomerId> {
        match self {
            Self::Customer(customer_id) => Some(customer_id),
            Self::Guest(_) => None,
        }
    }
}

impl FromStr for CartId {
    type Err = uuid::Error;

    /// Reads the form that is stored in the log.
    fn from_str(id: &str) -> Result<Self, uuid::Error> {
        match id.parse() {
            Ok(number) => Ok(Self::Customer(CustomerId(number))),
            Err(_) => id.parse().map(Self::Guest),
        }
    }
}

impl fmt::Display for CartId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(customer_id) => customer_id.fmt(formatter),
            Self::Guest(id) => id.fmt(formatter),
        }
    }
}
