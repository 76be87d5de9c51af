//! A discount, under a code that no other has or had.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::discount::{Discount, DiscountCode, DiscountCommand, DiscountTerms};
use crate::domain::pricing::Benefit;
use crate::journal::{Load, Stop, UnitOfWork, UseCase};

pub struct CreateDiscount {
    pub code: DiscountCode,
    pub terms: DiscountTerms,
}

/// A discount and its uses.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DiscountView {
    /// As it was written; it is found in any case.
    pub code: String,
    /// `percent`, `amount` or `free_shipping`.
    pub kind: String,
    /// Of the subtotal: a percentage or an amount; `null` for free shipping.
    pub value: Option<String>,
    /// The first moment when it is valid.
    pub from: Option<DateTime<Utc>>,
    /// The first moment when it is no longer valid.
    pub until: Option<DateTime<Utc>>,
    /// How many orders may use it.
    pub total_limit: Option<i64>,
    /// How many orders of one customer may use it; then it is not for guests.
    pub customer_limit: Option<i64>,
    /// The least subtotal of an order.
    pub minimum: Option<String>,
    /// By orders that were not cancelled.
    pub uses: i64,
    /// It was taken back, for good.
    pub ended: bool,
}

impl UseCase for CreateDiscount {
    type Answer = DiscountView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<DiscountView, Stop> {
        let create = DiscountCommand::Create { code: self.code.clone(), terms: self.terms };
        work.execute::<Discount>(self.code.folded(), create)?;
        DiscountView::of(work, &self.code)
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Discount>(self.code.folded()))
    }
}

impl DiscountView {
    pub(super) fn of(work: &UnitOfWork<'_>, code: &DiscountCode) -> Result<Self, Stop> {
        let discount = work.get::<Discount>(code.folded())?;
        let discount = discount.created()?;
        let DiscountTerms { benefit, from, until, total_limit, customer_limit, minimum } = discount.terms;
        let (kind, value) = match benefit {
            Benefit::Percent(percent) => ("percent", Some(percent.to_string())),
            Benefit::Amount(amount) => ("amount", Some(amount.to_string())),
            Benefit::FreeShipping => ("free_shipping", None),
        };
        Ok(Self {
            code: discount.code.to_string(),
            kind: kind.to_owned(),
            value,
            from,
            until,
            total_limit: total_limit.map(|limit| limit.get().into()),
            customer_limit: customer_limit.map(|limit| limit.get().into()),
            minimum: minimum.map(|minimum| minimum.to_string()),
            uses: discount.uses.into(),
            ended: discount.ended,
        })
    }
}
