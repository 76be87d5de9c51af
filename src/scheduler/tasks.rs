//! The shop's tasks. Each run handles a bounded batch, through the same use cases as clients' requests.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use futures_util::stream;
use sqlx::PgPool;

use super::{RunReport, Task};
use crate::accounts::Accounts;
use crate::domain::ids::{AccountId, CartId, CustomerId, OrderId};
use crate::domain::order::{OrderCommand, Status};
use crate::journal::{Actor, CommandError, Context, EntityTag, Journal, UseCase};
use crate::mail;
use crate::payments;
use crate::projector::Projector;
use crate::reactors::{self, MAX_PARKED};
use crate::shop::{EraseContact, EraseCustomer, ExpireCart, KnownOrders, MoveOrder};
use crate::webhooks::{self, MAX_DELIVERIES, MAX_PENDING, Swept};

/// What the shop's tasks need.
#[derive(Clone)]
pub struct TaskContext {
    pub journal: Journal,
    pub projector: Projector,
    pub pool: PgPool,
}

/// Name of the task that disables failing webhooks and retries what was kept for others.
pub const TEND_WEBHOOKS: &str = "tend_webhooks";
/// The most commands that one run sends.
pub const BATCH: i64 = 200;
/// How many of them run at the same time.
const CONCURRENT_COMMANDS: usize = 16;
/// How long a run waits for the read tables to show its changes, so that the next run does not find the same rows.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(10);
const ONE_MINUTE: Duration = Duration::from_secs(60);
const TEN_MINUTES: Duration = Duration::from_secs(600);
const ONE_DAY: Duration = Duration::from_secs(86_400);

/// After how many days the shop warns of an erasure that still waits for open orders.
pub const ERASURE_OVERDUE_DAYS: u32 = 30;

/// Deletes the stored answers of expired idempotency keys, and the oldest beyond `most`.
pub fn forget_answers(context: &TaskContext, most: u32) -> Task {
    Task::with("forget_answers", TEN_MINUTES, context, move |context| async move {
        let (handled, more) = context.journal.forget_answers(most).await?;
        Ok(RunReport::of(handled, more))
    })
}

/// Deletes expired sessions, links and attempts of accounts, and login records that are older than `audit_days`.
pub fn sweep_accounts(accounts: &Accounts, audit_days: u32) -> Task {
    Task::with("sweep_accounts", TEN_MINUTES, accounts, move |accounts| async move {
        accounts.delete_expired(audit_days).await?;
        Ok(RunReport::default())
    })
}

/// Deletes records of webhook deliveries, and parked deliveries, that are older than `days`.
pub fn sweep_deliveries(context: &TaskContext, days: u32) -> Task {
    Task::with("sweep_deliveries", TEN_MINUTES, context, move |context| async move {
        let Swept { deleted, more } = webhooks::sweep(&context.pool, days, MAX_DELIVERIES).await?;
        Ok(RunReport::of(deleted, more))
    })
}

/// Drops mails that have been parked for `days`, or are too many, and the oldest decisions about reactions.
pub fn sweep_reactions(context: &TaskContext, days: u32) -> Task {
    Task::with("sweep_reactions", TEN_MINUTES, context, move |context| async move {
        let (handled, more) = reactors::sweep(&context.pool, &mail::REACTORS, days, MAX_PARKED).await?;
        Ok(RunReport::of(handled, more))
    })
}

/// Disables webhooks that have failed for `off_days`, and retries the kept deliveries of those that are active again.
pub fn tend_webhooks(context: &TaskContext, off_days: u32) -> Task {
    Task::with(TEND_WEBHOOKS, ONE_MINUTE, context, move |context| async move {
        let Some(now) = context.journal.clock().measured_now(&context.pool).await? else {
            return Ok(RunReport::default());
        };
        let failing_before = (off_days > 0).then(|| before(now, off_days));
        let failing = webhooks::find_failing(&context.pool, failing_before, MAX_PENDING).await?;
        let disabled =
            context.run_commands(failing.into_iter().map(|disable| (disable, None)), false, |()| true).await?;
        let retried = webhooks::retry_kept(&context.pool).await?;
        Ok(RunReport::of(disabled.handled + retried, retried > 0))
    })
}

/// Deletes payment instruments that were never used.
pub fn sweep_instruments(context: &TaskContext) -> Task {
    Task::with("sweep_instruments", TEN_MINUTES, context, |context| async move {
        Ok(RunReport::of(payments::sweep_instruments(&context.pool).await?, false))
    })
}

/// Expires carts that have not changed for `days`; 0 disables it.
pub fn expire_carts(context: &TaskContext, days: u32) -> Task {
    Task::with("expire_carts", TEN_MINUTES, context, move |context| async move {
        // The clock may have jumped since the task was claimed.
        let Some(now) = context.journal.clock().measured_now(&context.pool).await?.filter(|_| days > 0) else {
            return Ok(RunReport::default());
        };
        let until = before(now, days);
        let carts = sqlx::query_file!("projections/carts/untouched.sql", until, BATCH).fetch_all(&context.pool).await?;
        let full = carts.len() as i64 == BATCH;
        let commands = carts.into_iter().filter_map(|cart| {
            let cart_id: CartId = cart.cart_id.parse().ok()?;
            Some((ExpireCart { cart_id }, Some(cart.version)))
        });
        context.run_commands(commands, full, |()| true).await
    })
}

/// Cancels orders that were not paid in time. An order that is paid in the meantime stays.
pub fn cancel_unpaid(context: &TaskContext) -> Task {
    Task::with("cancel_unpaid", ONE_MINUTE, context, |context| async move {
        let Some(now) = context.journal.clock().measured_now(&context.pool).await? else {
            return Ok(RunReport::default());
        };
        let orders = sqlx::query_file!("projections/orders/unpaid.sql", now, BATCH).fetch_all(&context.pool).await?;
        let full = orders.len() as i64 == BATCH;
        let commands = orders.into_iter().map(|order| {
            let command = OrderCommand::CancelUnpaid { now };
            (MoveOrder { order_id: OrderId(order.order_id), command }, None)
        });
        context.run_commands(commands, full, |standing| standing.status == Status::Cancelled).await
    })
}

/// Erases customers and guests whose last open order is closed. An order that is placed or changed meanwhile leaves the
/// erasure to the next run.
pub fn erase_when_closed(context: &TaskContext) -> Task {
    Task::with("erase_when_closed", ONE_MINUTE, context, |context| async move {
        let customers = sqlx::query_file!("projections/customers/erasable.sql", BATCH).fetch_all(&context.pool).await?;
        let full = customers.len() as i64 == BATCH;
        let commands = customers.into_iter().map(|row| {
            let orders = KnownOrders { open: Vec::new(), position: row.position };
            let customer_id = CustomerId(row.customer_id);
            (EraseCustomer { customer_id, account_id: row.account_id.map(AccountId), orders, when_closed: false }, None)
        });
        let erased = context.run_commands(commands, full, |erasure| !erasure.waiting).await?;
        let guests = sqlx::query_file!("projections/orders/erasable.sql", BATCH).fetch_all(&context.pool).await?;
        let full = guests.len() as i64 == BATCH;
        let commands =
            guests.into_iter().map(|row| (EraseContact { order_id: OrderId(row.order_id), when_closed: false }, None));
        let of_guests = context.run_commands(commands, full, |erasure| !erasure.waiting).await?;
        Ok(RunReport::of(erased.handled + of_guests.handled, erased.more || of_guests.more))
    })
}

/// Warns once a day of erasures that wait for too long; `cartwright status` and `GET erasures/` show them at any time.
pub fn warn_of_erasures(context: &TaskContext) -> Task {
    Task::with("warn_of_erasures", ONE_DAY, context, |context| async move {
        let Some(now) = context.journal.clock().measured_now(&context.pool).await? else {
            return Ok(RunReport::default());
        };
        let limit = before(now, ERASURE_OVERDUE_DAYS);
        let count =
            sqlx::query_file!("projections/customers/waiting_count.sql", limit).fetch_one(&context.pool).await?;
        if count.overdue > 0 {
            let (overdue, since) = (count.overdue, count.since);
            tracing::warn!(overdue, ?since, "erasures wait for open orders for more than {ERASURE_OVERDUE_DAYS} days");
        }
        Ok(RunReport::of(count.overdue.unsigned_abs(), false))
    })
}

impl TaskContext {
    /// Runs commands, each with the version of its subject if it must be unchanged, and reports how many took effect.
    ///
    /// `took_effect` tells it from a command's answer. A command is skipped if its subject has changed, or if a rule
    /// refuses it. `full` means that the batch reached its limit.
    async fn run_commands<U: UseCase>(
        &self,
        commands: impl Iterator<Item = (U, Option<i64>)>,
        full: bool,
        took_effect: impl Fn(&U::Answer) -> bool,
    ) -> anyhow::Result<RunReport> {
        let took_effect = &took_effect;
        let sent = stream::iter(commands).map(|(use_case, version)| async move {
            let actor = Actor { id: "scheduler".to_owned(), role: "system" };
            let context = Context { if_match: version.map(EntityTag::of_version), ..Context::of(actor) };
            match self.journal.run(use_case, context).await {
                Ok(receipt) => Ok(took_effect(&receipt.answer).then_some(receipt.position)),
                Err(CommandError::Stale { .. } | CommandError::Refused(_)) => Ok(None),
                Err(error) => Err(error),
            }
        });
        let outcomes: Vec<_> = sent.buffer_unordered(CONCURRENT_COMMANDS).collect().await;
        let positions: Vec<i64> = outcomes.into_iter().filter_map(Result::transpose).collect::<Result<_, _>>()?;
        if let Some(last) = positions.iter().max() {
            self.projector.wait_for(*last, CATCH_UP_TIMEOUT).await;
        }
        // A full batch without effect would be found again at once, so the next run waits for its interval.
        Ok(RunReport::of(positions.len() as u64, full && !positions.is_empty()))
    }
}

fn before(now: DateTime<Utc>, days: u32) -> DateTime<Utc> {
    now.checked_sub_signed(TimeDelta::days(i64::from(days))).unwrap_or(DateTime::<Utc>::MIN_UTC)
}
