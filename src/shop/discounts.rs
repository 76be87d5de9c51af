//! Discounts, each under a code that is never reused.

use std::num::NonZeroU32;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::discount::{Discount, DiscountCode, DiscountCommand, DiscountTerms};
use crate::domain::money::Money;
use crate::domain::pricing::Benefit;
use crate::journal::{AggregateRef, Interrupt, UnitOfWork, UseCase};

/// Creates a discount under a new code.
pub struct CreateDiscount {
    pub code: DiscountCode,
    pub terms: DiscountTerms,
}

/// What a discount reduces.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DiscountKind {
    Percent,
    Amount,
    FreeShipping,
}

/// A discount and its uses.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DiscountView {
    /// The code as it was created; upper and lower case are equal.
    pub code: String,
    #[schema(value_type = DiscountKind)]
    pub kind: String,
    /// Percentage or amount, of the subtotal; `null` for free shipping.
    pub value: Option<String>,
    /// Start of its validity.
    pub from: Option<DateTime<Utc>>,
    /// End of its validity, exclusive.
    pub until: Option<DateTime<Utc>>,
    /// Maximum number of orders.
    pub total_limit: Option<i64>,
    /// Maximum number of orders of one customer; guests cannot use such a discount.
    pub customer_limit: Option<i64>,
    /// Minimum subtotal of an order.
    pub minimum: Option<String>,
    /// Number of orders that use the discount; cancelled orders do not count.
    pub uses: i64,
    /// Whether the discount was ended; this cannot be undone.
    pub ended: bool,
}

impl UseCase for CreateDiscount {
    type Answer = DiscountView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<DiscountView, Interrupt> {
        let create = DiscountCommand::Create { code: self.code.clone(), terms: self.terms };
        work.execute::<Discount>(self.code.folded(), create)?;
        DiscountView::of(work, &self.code)
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Discount>(self.code.folded()))
    }
}

impl DiscountView {
    pub(super) fn of(work: &UnitOfWork<'_>, code: &DiscountCode) -> Result<Self, Interrupt> {
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

/// Changes the terms of a discount; earlier uses still count.
pub struct ChangeDiscount {
    pub code: DiscountCode,
    pub change: TermsChange,
}

/// Changes to terms. `None` keeps a value; an inner `None` removes a bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TermsChange {
    pub benefit: Option<Benefit>,
    pub from: Option<Option<DateTime<Utc>>>,
    pub until: Option<Option<DateTime<Utc>>>,
    pub total_limit: Option<Option<NonZeroU32>>,
    pub customer_limit: Option<Option<NonZeroU32>>,
    pub minimum: Option<Option<Money>>,
}

impl UseCase for ChangeDiscount {
    type Answer = DiscountView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<DiscountView, Interrupt> {
        let before = work.get::<Discount>(self.code.folded())?.created()?.terms;
        let TermsChange { benefit, from, until, total_limit, customer_limit, minimum } = self.change;
        let terms = DiscountTerms {
            benefit: benefit.unwrap_or(before.benefit),
            from: from.unwrap_or(before.from),
            until: until.unwrap_or(before.until),
            total_limit: total_limit.unwrap_or(before.total_limit),
            customer_limit: customer_limit.unwrap_or(before.customer_limit),
            minimum: minimum.unwrap_or(before.minimum),
        };
        work.execute::<Discount>(self.code.folded(), DiscountCommand::Change { terms })?;
        DiscountView::of(work, &self.code)
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Discount>(self.code.folded()))
    }
}

/// Ends a discount; orders that used it keep it.
pub struct EndDiscount {
    pub code: DiscountCode,
}

impl UseCase for EndDiscount {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        work.execute::<Discount>(self.code.folded(), DiscountCommand::End)
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Discount>(self.code.folded()))
    }
}
