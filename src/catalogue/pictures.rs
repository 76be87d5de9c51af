//! Images of deployed products.

use super::apply::RowOutcome;
use crate::domain::ids::ProductId;
use crate::journal::{Interrupt, UnitOfWork};

/// An image of a file whose picture is in the media store.
#[derive(Clone, Debug)]
pub(super) struct WantedImage;

pub(super) fn apply(
    _product_id: ProductId,
    _images: &[WantedImage],
    _work: &mut UnitOfWork<'_>,
    _outcome: &mut RowOutcome,
) -> Result<(), Interrupt> {
    Ok(())
}
