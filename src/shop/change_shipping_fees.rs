//! Another table of what shipping costs.

use serde::{Deserialize, Serialize};

use crate::domain::pricing::{Pricing, PricingCommand, SHOP, ShippingFee};
use crate::journal::{Load, Stop, UnitOfWork, UseCase};

pub struct ChangeShippingFees {
    pub fees: Vec<ShippingFee>,
}

/// What shipping costs.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ShippingFees {
    /// The row of the country with the highest `from` that the value of the goods reaches applies; without one, such a
    /// row without country; without that, shipping is free.
    pub fees: Vec<ShippingFeeRow>,
}

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ShippingFeeRow {
    /// Two letters of ISO 3166-1; `null` is for every other country.
    pub country: Option<String>,
    /// The least value of the goods after the discount.
    #[schema(example = "50.00")]
    pub from: String,
    #[schema(example = "4.90")]
    pub fee: String,
}

impl UseCase for ChangeShippingFees {
    type Answer = ShippingFees;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<ShippingFees, Stop> {
        work.execute::<Pricing>(SHOP, PricingCommand::ChangeShippingFees { fees: self.fees.clone() })?;
        let pricing = work.get::<Pricing>(SHOP)?;
        Ok(ShippingFees { fees: pricing.fees.iter().map(ShippingFeeRow::of).collect() })
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Pricing>(SHOP))
    }
}

impl ShippingFeeRow {
    fn of(row: &ShippingFee) -> Self {
        let country = row.country.as_ref().map(ToString::to_string);
        Self { country, from: row.from.to_string(), fee: row.fee.to_string() }
    }
}
