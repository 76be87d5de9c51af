//! A customer is forgotten; orders and sums stay, without the person.

use crate::domain::account::{Account, AccountCommand};
use crate::domain::cart::{Cart, CartCommand};
use crate::domain::customer::{Customer, CustomerCommand};
use crate::domain::ids::{AccountId, CustomerId};
use crate::journal::{Load, Profile, Stop, UnitOfWork, UseCase};

pub struct EraseCustomer {
    pub customer_id: CustomerId,
    /// The customer's account, if there is one.
    pub account_id: Option<AccountId>,
}

impl UseCase for EraseCustomer {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Stop> {
        work.execute::<Customer>(self.customer_id, CustomerCommand::Erase)?;
        if !work.get::<Cart>(self.customer_id)?.items().is_empty() {
            work.execute::<Cart>(self.customer_id, CartCommand::Empty)?;
        }
        if let Some(account_id) = self.account_id {
            work.execute::<Account>(account_id, AccountCommand::Erase)?;
        }
        work.write_profile(Profile::Forget { customer_id: self.customer_id.0 });
        Ok(())
    }

    fn subject(&self) -> Option<Load> {
        Some(Load::of::<Customer>(self.customer_id))
    }
}
