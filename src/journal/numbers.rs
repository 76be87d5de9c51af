//! The numbers that categories, products, customers, orders, accounts and webhooks are given: from 1, in sequence, without gaps.
//!
//! They need no counter of their own: the next one follows the highest number in the log.

use sqlx::PgConnection;

use crate::domain::account::Account;
use crate::domain::category::Category;
use crate::domain::customer::Customer;
use crate::domain::order::Order;
use crate::domain::product::Product;
use crate::domain::webhook::Webhook;
use cqrs_es::Aggregate;

/// The highest number of each kind of stream, in the order of [`NUMBERED`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Numbers([i64; NUMBERED.len()]);

const NUMBERED: [&str; 6] = [Category::TYPE, Product::TYPE, Customer::TYPE, Order::TYPE, Account::TYPE, Webhook::TYPE];

impl Numbers {
    /// Reads the highest number of each kind, from the index made for it.
    pub async fn read(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let mut numbers = Self::default();
        for (kind, number) in NUMBERED.iter().zip(&mut numbers.0) {
            let highest: Option<i64> = sqlx::query_scalar(
                "select max(aggregate_id::bigint) from events
                 where aggregate_type = $1 and sequence = 1 and aggregate_id ~ '^[1-9][0-9]{0,17}$'",
            )
            .bind(kind)
            .fetch_one(&mut *connection)
            .await?;
            *number = highest.unwrap_or(0);
        }
        Ok(numbers)
    }

    /// Gives the next number of a kind; `None` for a kind that is not numbered.
    pub fn next(&mut self, kind: &str) -> Option<i64> {
        let highest = self.highest(kind)?;
        *highest += 1;
        Some(*highest)
    }

    /// Notices a stream that another process has opened.
    pub fn notice(&mut self, kind: &str, id: &str) {
        if let (Some(highest), Ok(number)) = (self.highest(kind), id.parse::<i64>()) {
            *highest = number.max(*highest);
        }
    }

    fn highest(&mut self, kind: &str) -> Option<&mut i64> {
        let place = NUMBERED.iter().position(|numbered| *numbered == kind)?;
        self.0.get_mut(place)
    }
}
