//! Preview of the scheduled tasks: what they would do now, for an operator who accepts or corrects the clock.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;

use super::tasks::BATCH;

/// What the tasks would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskPreview {
    /// Orders to be cancelled as unpaid, longest overdue first, at most [`BATCH`].
    pub overdue_orders: Vec<i64>,
    /// Carts to be expired, at most [`BATCH`].
    pub untouched_carts: usize,
    /// Expired stored answers, sessions, links and payment instruments to be deleted.
    pub expired_records: i64,
}

/// Reads what the tasks would find at `now`; carts expire after `cart_days`, 0 disables it.
pub async fn preview(pool: &PgPool, now: DateTime<Utc>, cart_days: u32) -> Result<TaskPreview, sqlx::Error> {
    let orders = sqlx::query_file!("projections/orders/unpaid.sql", now, BATCH).fetch_all(pool).await?;
    let until = now.checked_sub_signed(TimeDelta::days(i64::from(cart_days))).filter(|_| cart_days > 0);
    let untouched_carts = match until {
        Some(until) => sqlx::query_file!("projections/carts/untouched.sql", until, BATCH).fetch_all(pool).await?.len(),
        None => 0,
    };
    Ok(TaskPreview {
        overdue_orders: orders.into_iter().map(|order| order.order_id).collect(),
        untouched_carts,
        expired_records: sqlx::query_file_scalar!("src/scheduler/queries/expired.sql").fetch_one(pool).await?,
    })
}

impl TaskPreview {
    /// A line for each thing to be done.
    pub fn lines(&self) -> Vec<String> {
        let count = |count: usize| if count as i64 >= BATCH { format!("{count} or more") } else { count.to_string() };
        let mut lines = Vec::new();
        if !self.overdue_orders.is_empty() {
            let shown: Vec<_> = self.overdue_orders.iter().take(10).map(ToString::to_string).collect();
            let more = if self.overdue_orders.len() > shown.len() { ", …" } else { "" };
            let count = count(self.overdue_orders.len());
            lines.push(format!("unpaid orders to cancel: {count} ({}{more})", shown.join(", ")));
        }
        if self.untouched_carts > 0 {
            lines.push(format!("carts to expire: {}", count(self.untouched_carts)));
        }
        if self.expired_records > 0 {
            lines.push(format!(
                "expired sessions, links, stored answers and card tokens to delete: {}",
                self.expired_records
            ));
        }
        lines
    }
}
