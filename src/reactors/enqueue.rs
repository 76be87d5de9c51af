//! The first step: every event that concerns a reactor becomes a row, exactly once.
//!
//! One transaction takes the row of the reactor, reads the next events, writes the reactions, and moves the position.
//! A node that finds the row taken leaves the work to the node that has it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, PgPool};
use tokio::sync::{Notify, watch};

use super::{Fact, Reactor};
use crate::failpoints::failpoint;

/// Follows the log for all reactors of this node, on one connection.
pub(super) struct Enqueuer {
    connect: PgConnectOptions,
    head: watch::Receiver<i64>,
    /// Each with what wakes its worker.
    reactors: Vec<(Arc<dyn Reactor>, Arc<Notify>)>,
    stopped: watch::Receiver<bool>,
    poll: Duration,
}

/// What one transaction did.
struct Step {
    reactions: usize,
    /// Whether there are more events already.
    more: bool,
}

/// How many positions one transaction takes at the most.
const BATCH: i64 = 1_000;
/// While the shop is busy, events are left to gather for so long, because each look costs some statements.
const REST: Duration = Duration::from_millis(100);

/// Lets a reactor that is new follow the log from its end, or from its beginning.
pub(super) async fn register(
    pool: &PgPool,
    reactor: &dyn Reactor,
    from_the_beginning: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into reactor (name, position, started_at)
         select $1, case when $2 then 0 else position end, clock_timestamp() from journal_head
         on conflict do nothing",
    )
    .bind(reactor.name())
    .bind(from_the_beginning)
    .execute(pool)
    .await?;
    Ok(())
}

impl Enqueuer {
    pub fn new(
        connect: PgConnectOptions,
        head: watch::Receiver<i64>,
        reactors: Vec<(Arc<dyn Reactor>, Arc<Notify>)>,
        stopped: watch::Receiver<bool>,
        poll: Duration,
    ) -> Self {
        Self { connect, head, reactors, stopped, poll }
    }

    pub async fn run(mut self) {
        while !*self.stopped.borrow() {
            if let Err(error) = self.follow().await {
                tracing::warn!(%error, "the log cannot be followed for reactors");
                self.sleep(self.poll).await;
            }
        }
    }

    async fn follow(&mut self) -> Result<(), sqlx::Error> {
        let mut connection = self.connect.connect().await?;
        while !*self.stopped.borrow() {
            self.head.borrow_and_update();
            let mut more = false;
            let mut failed = false;
            for (reactor, wake) in &self.reactors {
                // A reactor that fails, or panics, must not keep the others from what is theirs.
                let step = match AssertUnwindSafe(enqueue(&mut connection, &**reactor)).catch_unwind().await {
                    Ok(Ok(Some(step))) => step,
                    Ok(Ok(None)) => continue,
                    Ok(Err(error)) => {
                        tracing::warn!(%error, reactor = reactor.name(), "events could not be enqueued");
                        failed = true;
                        continue;
                    }
                    Err(_) => {
                        tracing::error!(reactor = reactor.name(), "a reactor panicked while events were enqueued");
                        failed = true;
                        continue;
                    }
                };
                failpoint!("reactions-enqueued");
                more |= step.more;
                if step.reactions > 0 {
                    wake.notify_one();
                }
            }
            if failed {
                connection.ping().await?;
            }
            if more && !failed {
                continue;
            }
            self.sleep(if failed { self.poll } else { REST }).await;
            let mut stopped = self.stopped.clone();
            tokio::select! {
                _ = self.head.changed() => {}
                _ = stopped.wait_for(|stopped| *stopped) => {}
                () = tokio::time::sleep(self.poll) => {}
            }
        }
        connection.close().await
    }

    async fn sleep(&mut self, duration: Duration) {
        tokio::select! {
            () = tokio::time::sleep(duration) => {}
            _ = self.stopped.wait_for(|stopped| *stopped) => {}
        }
    }
}

/// Enqueues the next events; `None` when there are none, or when another node does it.
async fn enqueue(connection: &mut PgConnection, reactor: &dyn Reactor) -> Result<Option<Step>, sqlx::Error> {
    // A look costs less than a lock.
    let behind: bool = sqlx::query_scalar(
        "select exists (
            select from reactor, journal_head where name = $1 and reactor.position < journal_head.position
        )",
    )
    .bind(reactor.name())
    .fetch_one(&mut *connection)
    .await?;
    if !behind {
        return Ok(None);
    }
    let mut transaction = connection.begin().await?;
    let taken = sqlx::query_file!("src/reactors/queries/positions.sql", reactor.name());
    let taken = taken.fetch_optional(&mut *transaction).await?.map(|row| (row.position, row.head));
    let Some((position, head)) = taken.filter(|(position, head)| position < head) else { return Ok(None) };
    let upto = head.min(position.saturating_add(BATCH));
    // Who begins to want something now does not want what happened before.
    let wanted = match reactor.wanted(&mut transaction).await? {
        Some(wanted) => wanted,
        None if reactor.event_types().is_empty() => vec!["*".to_owned()],
        None => reactor.event_types().iter().map(|name| (*name).to_owned()).collect(),
    };
    let facts = if wanted.is_empty() { vec![] } else { read(&mut transaction, position, upto, &wanted).await? };
    let targets = if facts.is_empty() { vec![] } else { reactor.targets(&mut transaction, &facts).await? };
    let reactions = write(&mut transaction, reactor.name(), targets).await?;
    sqlx::query("update reactor set position = $2 where name = $1")
        .bind(reactor.name())
        .bind(upto)
        .execute(&mut *transaction)
        .await?;
    failpoint!("reactions-written");
    transaction.commit().await?;
    Ok(Some(Step { reactions, more: upto < head }))
}

/// The wanted events after `position`, up to another.
async fn read(
    connection: &mut PgConnection,
    position: i64,
    upto: i64,
    wanted: &[String],
) -> Result<Vec<Fact>, sqlx::Error> {
    sqlx::query_file_as!(Fact, "src/reactors/queries/wanted_events.sql", position, upto, wanted)
        .fetch_all(connection)
        .await
}

/// Writes a row for each position and target; returns how many there are.
async fn write(
    connection: &mut PgConnection,
    reactor: &str,
    targets: Vec<(i64, String)>,
) -> Result<usize, sqlx::Error> {
    let reactions = targets.len();
    if reactions == 0 {
        return Ok(0);
    }
    let (positions, targets): (Vec<i64>, Vec<String>) = targets.into_iter().unzip();
    // What somebody has asked for already, ahead of this, is there.
    sqlx::query(
        "insert into reaction (reactor, position, target, due_at)
         select $1, fresh.position, fresh.target, clock_timestamp()
         from unnest($2, $3) as fresh (position, target)
         on conflict do nothing",
    )
    .bind(reactor)
    .bind(positions)
    .bind(targets)
    .execute(connection)
    .await?;
    Ok(reactions)
}
