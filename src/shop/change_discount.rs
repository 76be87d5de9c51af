//! Other terms for a discount; the uses it had count on.

use std::num::NonZeroU32;

use chrono::{DateTime, Utc};

use super::create_discount::DiscountView;
use crate::domain::discount::{Discount, DiscountCode, DiscountCommand, DiscountTerms};
use crate::domain::money::Money;
use crate::domain::pricing::Benefit;
use crate::journal::{Load, Stop, UnitOfWork, UseCase};

pub struct ChangeDiscount {
    pub code: DiscountCode,
    pub change: TermsChange,
}

/// What is `None` stays as it is; an inner `None` takes a bound away.
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

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<DiscountView, Stop> {
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

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Discount>(self.code.folded()))
    }
}
