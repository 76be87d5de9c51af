//! Enqueues each event that a reactor subscribes to, exactly once.
//!
//! One transaction locks the reactor's row, reads the next events, inserts their reactions and moves the reactor's
//! position. A node that finds the row locked leaves the work to the node that holds the lock.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, PgPool};
use tokio::sync::{Notify, watch};

use super::{Reactor, RecordedEvent};
use crate::background::StopSignal;
use crate::failpoints::failpoint;
use crate::journal::KnownLog;

/// Reads the log for all reactors of this node, on one connection.
pub(super) struct Enqueuer {
    connect: PgConnectOptions,
    log: KnownLog,
    head: watch::Receiver<i64>,
    /// Each with the notifier of its worker.
    reactors: Vec<(Arc<dyn Reactor>, Arc<Notify>)>,
    stop: StopSignal,
    poll_interval: Duration,
}

/// The outcome of one transaction.
struct EnqueuedBatch {
    reactions: usize,
    /// Whether further events are already in the log.
    more: bool,
}

/// The most positions that one transaction covers.
const BATCH: i64 = 1_000;
/// Pause between two batches, in which events gather: each batch costs several statements.
const GATHER_INTERVAL: Duration = Duration::from_millis(100);

/// Registers a reactor that runs for the first time, at the end of the log or at its beginning.
pub(super) async fn register_reactor(
    pool: &PgPool,
    reactor: &dyn Reactor,
    start_at_first_event: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into reactor (name, position, started_at)
         select $1, case when $2 then 0 else position end, clock_timestamp() from journal_head
         on conflict do nothing",
    )
    .bind(reactor.name())
    .bind(start_at_first_event)
    .execute(pool)
    .await?;
    Ok(())
}

impl Enqueuer {
    pub fn new(
        connect: PgConnectOptions,
        log: KnownLog,
        reactors: Vec<(Arc<dyn Reactor>, Arc<Notify>)>,
        stop: StopSignal,
        poll_interval: Duration,
    ) -> Self {
        let head = log.head();
        Self { connect, log, head, reactors, stop, poll_interval }
    }

    pub async fn run(mut self) {
        while !self.stop.is_set() {
            if let Err(error) = self.follow_log().await {
                self.stop.pause_after(&error, "enqueue reactions", self.poll_interval).await;
            }
        }
    }

    async fn follow_log(&mut self) -> Result<(), sqlx::Error> {
        let mut connection = self.connect.connect().await?;
        while !self.stop.is_set() {
            self.head.borrow_and_update();
            let mut more = false;
            let mut failed = false;
            for (reactor, wake) in &self.reactors {
                // A reactor that fails or panics must not stop the others.
                let batch = match AssertUnwindSafe(enqueue_next(&mut connection, &**reactor, &self.log))
                    .catch_unwind()
                    .await
                {
                    Ok(Ok(Some(batch))) => batch,
                    Ok(Ok(None)) => continue,
                    Ok(Err(error)) => {
                        tracing::warn!(%error, reactor = reactor.name(), "cannot enqueue events");
                        failed = true;
                        continue;
                    }
                    Err(_) => {
                        tracing::error!(reactor = reactor.name(), "reactor panicked while its events were enqueued");
                        failed = true;
                        continue;
                    }
                };
                failpoint!("reactions-enqueued");
                more |= batch.more;
                if batch.reactions > 0 {
                    wake.notify_one();
                }
            }
            if failed {
                connection.ping().await?;
            }
            if more && !failed {
                continue;
            }
            self.stop.sleep(if failed { self.poll_interval } else { GATHER_INTERVAL }).await;
            tokio::select! {
                _ = self.head.changed() => {}
                () = self.stop.sleep(self.poll_interval) => {}
            }
        }
        connection.close().await
    }
}

/// Enqueues the next batch of events. Returns `None` if there is none, or if another node is enqueueing it.
async fn enqueue_next(
    connection: &mut PgConnection,
    reactor: &dyn Reactor,
    log: &KnownLog,
) -> Result<Option<EnqueuedBatch>, sqlx::Error> {
    // Check without locking first; it is cheaper.
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
    let (generation, seen) = log.seen();
    let locked = sqlx::query_file!("src/reactors/queries/positions.sql", reactor.name(), generation, seen);
    let locked = locked.fetch_optional(&mut *transaction).await?;
    let Some(locked) = locked.filter(|row| row.position < row.head) else { return Ok(None) };
    let (position, head) = (locked.position, locked.head);
    let upto = head.min(position.saturating_add(BATCH));
    // A new subscription does not receive earlier events.
    let event_types = match reactor.subscribed_event_types(&mut transaction).await? {
        Some(event_types) => event_types,
        None if reactor.event_types().is_empty() => vec!["*".to_owned()],
        None => reactor.event_types().iter().map(|name| (*name).to_owned()).collect(),
    };
    let events = if event_types.is_empty() {
        vec![]
    } else {
        read_events(&mut transaction, position, upto, &event_types).await?
    };
    let targets = if events.is_empty() { vec![] } else { reactor.targets(&mut transaction, &events).await? };
    let reactions = insert_reactions(&mut transaction, reactor.name(), targets, locked.parked_through).await?;
    sqlx::query("update reactor set position = $2 where name = $1")
        .bind(reactor.name())
        .bind(upto)
        .execute(&mut *transaction)
        .await?;
    failpoint!("reactions-written");
    transaction.commit().await?;
    Ok(Some(EnqueuedBatch { reactions, more: upto < head }))
}

/// The events of some types after `position`, up to and including `upto`.
async fn read_events(
    connection: &mut PgConnection,
    position: i64,
    upto: i64,
    event_types: &[String],
) -> Result<Vec<RecordedEvent>, sqlx::Error> {
    sqlx::query_file_as!(RecordedEvent, "src/reactors/queries/wanted_events.sql", position, upto, event_types)
        .fetch_all(connection)
        .await
}

/// Inserts a reaction for each position and target, and returns their number. Those up to `parked_through` were pending
/// when an older database was restored, so they are parked.
async fn insert_reactions(
    connection: &mut PgConnection,
    reactor: &str,
    targets: Vec<(i64, String)>,
    parked_through: i64,
) -> Result<usize, sqlx::Error> {
    let reactions = targets.len();
    if reactions == 0 {
        return Ok(0);
    }
    let (positions, targets): (Vec<i64>, Vec<String>) = targets.into_iter().unzip();
    // A redelivery may have inserted the same reaction before.
    sqlx::query(
        "insert into reaction (reactor, position, target, due_at, parked_at, restored_in, reason)
         select $1, fresh.position, fresh.target,
            case when fresh.position > $4 then clock_timestamp() end,
            case when fresh.position <= $4 then clock_timestamp() end,
            case when fresh.position <= $4 then identity.generation end,
            case when fresh.position <= $4 then 'pending when an older database was restored' end
         from unnest($2, $3) as fresh (position, target), log_identity as identity
         on conflict do nothing",
    )
    .bind(reactor)
    .bind(positions)
    .bind(targets)
    .bind(parked_through)
    .execute(connection)
    .await?;
    Ok(reactions)
}
