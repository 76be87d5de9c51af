//! A guest who turns out to be a customer takes the guest's cart along.

use super::change_cart::check_customer;
use super::view::CartView;
use crate::domain::cart::{Cart, CartCommand, MergeMode};
use crate::domain::ids::{CartId, CustomerId};
use crate::journal::{Load, Stop, UnitOfWork, UseCase};
use uuid::Uuid;

pub struct MergeCarts {
    pub customer_id: CustomerId,
    pub cart_token: Uuid,
    pub mode: MergeMode,
}

impl UseCase for MergeCarts {
    type Answer = CartView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CartView, Stop> {
        check_customer(work, self.customer_id)?;
        let guest_cart = CartId::of_token(self.cart_token);
        let items = work.get::<Cart>(guest_cart)?.items();
        work.execute::<Cart>(guest_cart, CartCommand::CloseAfterMerge { customer_id: self.customer_id })?;
        work.execute::<Cart>(self.customer_id, CartCommand::MergeItems { items, mode: self.mode })?;
        CartView::of(work, CartId::Customer(self.customer_id))
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Cart>(self.customer_id))
    }
}
