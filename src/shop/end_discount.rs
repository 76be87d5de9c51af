//! The end of a discount; orders that used it keep it.

use crate::domain::discount::{Discount, DiscountCode, DiscountCommand};
use crate::journal::{Load, Stop, UnitOfWork, UseCase};

pub struct EndDiscount {
    pub code: DiscountCode,
}

impl UseCase for EndDiscount {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Stop> {
        work.execute::<Discount>(self.code.folded(), DiscountCommand::End)
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Discount>(self.code.folded()))
    }
}
