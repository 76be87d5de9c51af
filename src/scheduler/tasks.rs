//! The tasks of the shop. Each deals with a bounded batch in a run, through the same commands as everybody.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use futures_util::stream;
use sqlx::PgPool;

use super::{Run, Task};
use crate::accounts::Accounts;
use crate::domain::ids::{CartId, OrderId};
use crate::domain::order::{OrderCommand, Status};
use crate::journal::{Actor, CommandError, Context, Journal, UseCase};
use crate::payments;
use crate::projector::Projector;
use crate::shop::{ExpireCart, MoveOrder};
use crate::webhooks;

/// What tasks work with.
#[derive(Clone)]
pub struct Tools {
    pub journal: Journal,
    pub projector: Projector,
    pub pool: PgPool,
}

/// How many commands one run sends at the most, and how many at once.
pub const BATCH: i64 = 200;
const AT_ONCE: usize = 16;
/// How long a run waits for the read tables to know what it did, so that the next does not find it again.
const SETTLE: Duration = Duration::from_secs(10);

/// Deletes the answers whose idempotency keys are forgotten.
pub fn forget_answers(tools: &Tools) -> Task {
    let journal = tools.journal.clone();
    Task::new("forget_answers", Duration::from_secs(600), move || {
        let journal = journal.clone();
        async move { Ok(Run { handled: journal.forget_answers().await?, more: false }) }
    })
}

/// Deletes what has expired of accounts, and log-ins after as many days.
pub fn sweep_accounts(accounts: &Accounts, audit_days: u32) -> Task {
    let accounts = accounts.clone();
    Task::new("sweep_accounts", Duration::from_secs(600), move || {
        let accounts = accounts.clone();
        async move {
            accounts.delete_expired(audit_days).await?;
            Ok(Run::default())
        }
    })
}

/// Deletes what became of the messages of webhooks, after as many days.
pub fn sweep_deliveries(tools: &Tools, days: u32) -> Task {
    let pool = tools.pool.clone();
    Task::new("sweep_deliveries", Duration::from_secs(600), move || {
        let pool = pool.clone();
        async move {
            webhooks::sweep(&pool, days).await?;
            Ok(Run::default())
        }
    })
}

/// Deletes what attempts to pay were to be made with.
pub fn sweep_instruments(tools: &Tools) -> Task {
    let pool = tools.pool.clone();
    Task::new("sweep_instruments", Duration::from_secs(600), move || {
        let pool = pool.clone();
        async move { Ok(Run { handled: payments::sweep_instruments(&pool).await?, more: false }) }
    })
}

/// Lets carts expire that nobody touched for so many days; 0 for never.
pub fn expire_carts(tools: &Tools, days: u32) -> Task {
    let tools = tools.clone();
    Task::new("expire_carts", Duration::from_secs(600), move || {
        let tools = tools.clone();
        async move {
            if days == 0 {
                return Ok(Run::default());
            }
            let until = before(Utc::now(), days);
            let carts =
                sqlx::query_file!("projections/carts/untouched.sql", until, BATCH).fetch_all(&tools.pool).await?;
            let full = carts.len() as i64 == BATCH;
            let commands = carts.into_iter().filter_map(|cart| {
                let cart_id: CartId = cart.cart_id.parse().ok()?;
                Some((ExpireCart { cart_id }, Some(cart.version)))
            });
            tools.send(commands, full, |()| true).await
        }
    })
}

/// Cancels orders that were not paid in time; one that is paid meanwhile is left alone.
pub fn cancel_unpaid(tools: &Tools) -> Task {
    let tools = tools.clone();
    Task::new("cancel_unpaid", Duration::from_secs(60), move || {
        let tools = tools.clone();
        async move {
            let now = Utc::now();
            let orders = sqlx::query_file!("projections/orders/unpaid.sql", now, BATCH).fetch_all(&tools.pool).await?;
            let full = orders.len() as i64 == BATCH;
            let commands = orders.into_iter().map(|order| {
                let command = OrderCommand::CancelUnpaid { now };
                (MoveOrder { order_id: OrderId(order.order_id), command }, None)
            });
            tools.send(commands, full, |standing| standing.status == Status::Cancelled).await
        }
    })
}

impl Tools {
    /// Sends the commands, of which `done` tells by its answer whether one did what it was for; one whose subject is no longer as it was seen, or that a rule forbids by now, is left alone.
    async fn send<U: UseCase>(
        &self,
        commands: impl Iterator<Item = (U, Option<i64>)>,
        full: bool,
        done: impl Fn(&U::Answer) -> bool,
    ) -> anyhow::Result<Run> {
        let done = &done;
        let sent = stream::iter(commands).map(|(use_case, seen)| async move {
            let actor = Actor { id: "scheduler".to_owned(), role: "system" };
            let context = Context { if_match: seen, ..Context::of(actor) };
            match self.journal.run(use_case, context).await {
                Ok(receipt) => Ok(done(&receipt.answer).then_some(receipt.position)),
                Err(CommandError::Stale { .. } | CommandError::Refused(_)) => Ok(None),
                Err(error) => Err(error),
            }
        });
        let outcomes: Vec<_> = sent.buffer_unordered(AT_ONCE).collect().await;
        let positions: Vec<i64> = outcomes.into_iter().filter_map(Result::transpose).collect::<Result<_, _>>()?;
        if let Some(last) = positions.iter().max() {
            self.projector.wait_for(*last, SETTLE).await;
        }
        // A full batch of which nothing could be done would be found again at once.
        Ok(Run { handled: positions.len() as u64, more: full && !positions.is_empty() })
    }
}

fn before(now: DateTime<Utc>, days: u32) -> DateTime<Utc> {
    now.checked_sub_signed(TimeDelta::days(i64::from(days))).unwrap_or(DateTime::<Utc>::MIN_UTC)
}
