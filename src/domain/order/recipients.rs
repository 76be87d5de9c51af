//! Destination and contact of an order. Names and addresses are beside the log; the order knows what changed.

use super::{Fulfilment, OrderError, OrderEvent, PlacedOrder, RefundState, Status};
use crate::domain::customer::Country;
use crate::domain::money::Money;
use crate::domain::pricing::{Pricing, PricingItem};
use crate::domain::refusal::Refusal;
use crate::domain::words::words;

words!(
    /// Purpose of an order's address.
    AddressKind {
        Shipping = "shipping",
        Billing = "billing",
    }
);

words!(
    /// A changed field of a guest's contact, for events.
    ContactField {
        Name = "name",
        Email = "email",
    }
);

impl PlacedOrder {
    /// Whether something is still to be done: units to send or to deliver, an amount to pay, or a refund.
    ///
    /// `projections/orders/open_of_customer.sql` has the same rule.
    pub fn is_open(&self) -> bool {
        let ended = matches!(self.states.status, Status::Completed | Status::Cancelled)
            || self.states.fulfilment == Fulfilment::Returned;
        let refunding = self.bill.refunds.iter().any(|refund| refund.state == RefundState::Requested);
        !ended || !self.bill.due().is_zero() || refunding
    }

    /// Refuses a destination with another price than the order's, by the current tables.
    ///
    /// An order without pricing has agreed prices, which no country changes.
    pub fn require_same_cost(&self, pricing: &Pricing, country: &Country) -> Result<(), Refusal> {
        if self.pricing.is_none() || self.shipping_country.as_ref() == Some(country) {
            return Ok(());
        }
        let items = self.lines.iter().map(|line| {
            let discount = line.priced.map_or(Money::ZERO, |priced| priced.discount);
            PricingItem { subtotal: line.subtotal.less(discount), ..line.item() }
        });
        let items: Vec<_> = items.collect();
        let wanted = pricing.price(&items, Some(country), None)?;
        match pricing.price(&items, self.shipping_country.as_ref(), None) {
            Ok(agreed) if agreed != wanted => Err(OrderError::CountryChangesPrice(country.clone()).into()),
            // Without a row for the old country there is nothing to compare: the agreed price stays.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    pub(super) fn correct_addresses(
        &self,
        shipping: Option<Country>,
        billing: bool,
    ) -> Result<Vec<OrderEvent>, OrderError> {
        self.require_correctable()?;
        let shipping_kind = shipping.is_some().then_some(AddressKind::Shipping);
        let kinds: Vec<_> = shipping_kind.into_iter().chain(billing.then_some(AddressKind::Billing)).collect();
        let corrected = OrderEvent::AddressesCorrected { kinds: kinds.clone(), shipping_country: shipping };
        Ok(if kinds.is_empty() { vec![] } else { vec![corrected] })
    }

    pub(super) fn correct_contact(&self, fields: Vec<ContactField>) -> Result<Vec<OrderEvent>, OrderError> {
        self.require_guest()?;
        self.require_correctable()?;
        Ok(if fields.is_empty() { vec![] } else { vec![OrderEvent::ContactCorrected { fields }] })
    }

    /// Metadata may name a person, so none comes back after the erasure.
    pub(super) fn change_metadata(&self) -> Result<Vec<OrderEvent>, OrderError> {
        if self.contact_erased { Err(OrderError::ContactErased) } else { Ok(vec![OrderEvent::MetadataChanged {}]) }
    }

    pub(super) fn erase_contact(&self) -> Result<Vec<OrderEvent>, OrderError> {
        self.require_guest()?;
        if self.contact_erased {
            return Ok(vec![]);
        }
        if self.is_open() { Err(OrderError::StillOpen) } else { Ok(vec![OrderEvent::ContactErased {}]) }
    }

    /// Erases the contact when the order is closed.
    pub(super) fn request_contact_erasure(&self) -> Result<Vec<OrderEvent>, OrderError> {
        self.require_guest()?;
        let pending = self.contact_erased || self.contact_erasure_requested;
        Ok(if pending { vec![] } else { vec![OrderEvent::ContactErasureRequested {}] })
    }

    pub(super) fn withdraw_contact_erasure(&self) -> Vec<OrderEvent> {
        let pending = self.contact_erasure_requested && !self.contact_erased;
        if pending { vec![OrderEvent::ContactErasureWithdrawn {}] } else { vec![] }
    }

    pub(super) fn evolve_recipients(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::AddressesCorrected { shipping_country: Some(country), .. } => {
                self.shipping_country = Some(country.clone());
            }
            OrderEvent::ContactErased {} => self.contact_erased = true,
            OrderEvent::ContactErasureRequested {} => self.contact_erasure_requested = true,
            OrderEvent::ContactErasureWithdrawn {} => self.contact_erasure_requested = false,
            _ => {}
        }
    }

    /// While units are still to be sent, addresses and contact can be corrected; erased data never comes back.
    fn require_correctable(&self) -> Result<(), OrderError> {
        if self.contact_erased {
            return Err(OrderError::ContactErased);
        }
        let unsent = self.lines().any(|(line, units)| line.unshipped(units) > 0);
        let running = matches!(self.states.status, Status::Pending | Status::Processing);
        if unsent && running { Ok(()) } else { Err(OrderError::NothingToSend) }
    }

    fn require_guest(&self) -> Result<(), OrderError> {
        self.customer_id.map_or(Ok(()), |customer_id| Err(OrderError::HasCustomer(customer_id)))
    }
}
