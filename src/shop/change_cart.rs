//! Items in and out of a cart.

use super::view::CartView;
use crate::domain::cart::{Cart, CartCommand};
use crate::domain::customer::{Customer, CustomerCommand};
use crate::domain::ids::{CartId, CustomerId, ProductId};
use crate::domain::product::Product;
use crate::domain::quantity::Quantity;
use crate::journal::{Load, Stop, UnitOfWork, UseCase};

pub struct ChangeCart {
    pub cart_id: CartId,
    pub change: CartChange,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CartChange {
    Add {
        product_id: ProductId,
        quantity: Quantity,
    },
    /// `None` takes the product out.
    Set {
        product_id: ProductId,
        quantity: Option<Quantity>,
    },
    Empty,
}

impl UseCase for ChangeCart {
    type Answer = CartView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CartView, Stop> {
        check_owner(work, self.cart_id)?;
        if let CartChange::Add { product_id, .. } | CartChange::Set { product_id, quantity: Some(_) } = self.change {
            work.get::<Product>(product_id)?.for_sale()?;
        }
        let command = match self.change {
            CartChange::Add { product_id, quantity } => CartCommand::AddItem { product_id, quantity },
            CartChange::Set { product_id, quantity } => CartCommand::SetItem { product_id, quantity },
            CartChange::Empty => CartCommand::Empty,
        };
        work.execute::<Cart>(self.cart_id, command)?;
        CartView::of(work, self.cart_id)
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Cart>(self.cart_id))
    }
}

/// Proves that the customer exists, or that the guest's cart was opened.
pub(super) fn check_owner(work: &mut UnitOfWork<'_>, cart_id: CartId) -> Result<(), Stop> {
    match cart_id {
        CartId::Customer(customer_id) => check_customer(work, customer_id),
        CartId::Guest(_) => Ok(work.get::<Cart>(cart_id)?.require_opened()?),
    }
}

pub(super) fn check_customer(work: &mut UnitOfWork<'_>, customer_id: CustomerId) -> Result<(), Stop> {
    work.execute::<Customer>(customer_id, CustomerCommand::CheckRegistered)
}
