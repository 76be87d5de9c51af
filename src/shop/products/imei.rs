//! The IMEI of a product, beside the log: a number of one device, which can lead to its owner.

use serde::Serialize;

use crate::domain::ids::ProductId;
use crate::domain::product::{Imei, Product, ProductCommand};
use crate::domain::refusal::Refusal;
use crate::journal::{Interrupt, SideWrite, UnitOfWork};

/// Stores or removes the IMEI of a product; the event says only that it changed.
pub(super) fn change_imei(
    work: &mut UnitOfWork<'_>,
    product_id: ProductId,
    imei: Option<&Imei>,
) -> Result<(), Interrupt> {
    let had_imei = work.get::<Product>(product_id)?.listing()?.has_imei;
    work.execute::<Product>(product_id, ProductCommand::ChangeImei { present: imei.is_some() })?;
    match imei {
        Some(imei) => work.add_side_write(&PutImei { product_id, imei }),
        None if had_imei => work.add_side_write(&RemoveImei { product_id }),
        None => Ok(()),
    }
}

#[derive(Serialize)]
struct PutImei<'a> {
    product_id: ProductId,
    imei: &'a Imei,
}

impl SideWrite for PutImei<'_> {
    const FUNCTION: &'static str = "put_imei";

    fn refusal(constraint: &str) -> Option<Refusal> {
        (constraint == "product_imei_unique").then_some(Refusal::ImeiTaken)
    }
}

#[derive(Serialize)]
struct RemoveImei {
    product_id: ProductId,
}

impl SideWrite for RemoveImei {
    const FUNCTION: &'static str = "remove_imei";
}
