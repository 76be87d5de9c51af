//! Public ids: integers, short enough to read out from an invoice.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    /// The number of a category.
    CategoryId
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
    /// The number of an order.
    OrderId
);

/// Whose cart it is: a customer's, found by the customer's number, or a guest's, found by a token nobody can guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CartId {
    Customer(CustomerId),
    Guest(Uuid),
}

impl CartId {
    /// The customer's number, or the guest's token.
    pub fn parts(self) -> (Option<i64>, Option<Uuid>) {
        match self {
            Self::Customer(customer_id) => (Some(customer_id.0), None),
            Self::Guest(token) => (None, Some(token)),
        }
    }
}

impl fmt::Display for CartId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(customer_id) => customer_id.fmt(formatter),
            Self::Guest(token) => token.fmt(formatter),
        }
    }
}
