//! Amounts of money in answers.

use std::borrow::Cow;

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::domain::money::two_decimals;
use crate::http::wire::schema::string;

/// An amount of money that the shop computed; in JSON a string with two decimals.
#[derive(Clone, Copy, Debug)]
pub struct Amount(pub Decimal);

impl From<Decimal> for Amount {
    fn from(amount: Decimal) -> Self {
        Self(amount)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&two_decimals(self.0))
    }
}

impl PartialSchema for Amount {
    fn schema() -> RefOr<Schema> {
        let schema = string("An amount of money with two decimals.");
        schema.pattern(Some("^-?[0-9]+[.][0-9]{2}$")).examples(["19.98"]).build().into()
    }
}

impl ToSchema for Amount {
    fn name() -> Cow<'static, str> {
        "Amount".into()
    }
}
