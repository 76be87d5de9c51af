//! Corrections of an order's addresses and contact.

use serde::{Deserialize, Serialize};

use super::customers::check_customer;
use super::orders::order_view_digest;
use super::recipients::PutOrderAddress;
use crate::domain::customer::{Address, CustomerError};
use crate::domain::ids::OrderId;
use crate::domain::order::{AddressKind, ContactField, Order, OrderCommand, OrderError};
use crate::domain::pricing::{Pricing, SHOP};
use crate::domain::refusal::Refusal;
use crate::domain::text::{Email, Name};
use crate::journal::{AggregateRef, Interrupt, SideWrite, UnitOfWork, UseCase, ViewDigest};

/// Replaces addresses of an order that is not sent completely. `None` keeps an address.
pub struct CorrectAddresses {
    pub order_id: OrderId,
    pub shipping: Option<Address>,
    pub billing: Option<Address>,
}

/// Replaces name or e-mail address of a guest's order that is not sent completely. `None` keeps a value.
pub struct CorrectContact {
    pub order_id: OrderId,
    pub name: Option<Name>,
    pub email: Option<Email>,
}

/// What was corrected; without the values, because answers are stored and buyers can be erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CorrectionView {
    pub order_id: i64,
    /// `shipping`, `billing`, `name` or `email`.
    pub corrected: Vec<String>,
}

impl UseCase for CorrectAddresses {
    type Answer = CorrectionView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CorrectionView, Interrupt> {
        let order_id = self.order_id;
        let before = work.get::<Order>(order_id)?;
        let customer_id = before.placed()?.customer_id;
        let shipping = self.shipping.as_ref().map(|address| address.country.clone());
        let correct = OrderCommand::CorrectAddresses { shipping, billing: self.billing.is_some() };
        work.execute::<Order>(order_id, correct)?;
        if let Some(address) = &self.shipping {
            before.placed()?.require_same_cost(&*work.get::<Pricing>(SHOP)?, &address.country)?;
        }
        if let Some(customer_id) = customer_id {
            check_customer(work, customer_id).map_err(|interrupt| match interrupt {
                Interrupt::Refused(Refusal::Customer(CustomerError::NotFound)) => OrderError::ContactErased.into(),
                other => other,
            })?;
        }
        let mut corrected = Vec::new();
        for (kind, address) in [(AddressKind::Shipping, &self.shipping), (AddressKind::Billing, &self.billing)] {
            let Some(address) = address else { continue };
            work.add_side_write(&PutOrderAddress { order_id, kind, customer_id, address })?;
            corrected.push(kind.as_str().to_owned());
        }
        Ok(CorrectionView { order_id: order_id.0, corrected })
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Order>(self.order_id))
    }

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        order_view_digest(work, self.order_id)
    }
}

impl UseCase for CorrectContact {
    type Answer = CorrectionView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CorrectionView, Interrupt> {
        let Self { order_id, name, email } = self;
        let order_id = *order_id;
        let given = [(ContactField::Name, name.is_some()), (ContactField::Email, email.is_some())];
        let fields: Vec<_> = given.into_iter().filter_map(|(field, given)| given.then_some(field)).collect();
        let corrected = fields.iter().map(|field| field.as_str().to_owned()).collect();
        work.execute::<Order>(order_id, OrderCommand::CorrectContact { fields })?;
        work.add_side_write(&ChangeOrderContact { order_id, name: name.as_ref(), email: email.as_ref() })?;
        Ok(CorrectionView { order_id: order_id.0, corrected })
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Order>(self.order_id))
    }

    fn view_digest(&self, work: &UnitOfWork<'_>) -> Result<Option<ViewDigest>, Interrupt> {
        order_view_digest(work, self.order_id)
    }
}

/// Stores a contact that is complete, or changes parts of a stored one.
#[derive(Serialize)]
struct ChangeOrderContact<'a> {
    order_id: OrderId,
    name: Option<&'a Name>,
    email: Option<&'a Email>,
}

impl SideWrite for ChangeOrderContact<'_> {
    const FUNCTION: &'static str = "change_order_contact";

    fn refusal(constraint: &str) -> Option<Refusal> {
        (constraint == "order_contact_complete").then_some(Refusal::Order(OrderError::ContactIncomplete))
    }
}
