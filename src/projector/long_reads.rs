//! Queries that keep a read table from being replaced, and their end.
//!
//! A swap needs its tables alone for a moment. While it waits for that, other reads queue behind it. So after a first
//! attempt has failed it looks which sessions hold the tables, without a lock of its own, until they are gone. A
//! transaction that holds them for too long is cancelled; backups are not.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use sqlx::PgConnection;

/// How long others may keep a read table from being replaced.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// A transaction that has held a table for longer is cancelled, and then its session is ended.
    pub transaction: Duration,
    /// The swap gives up after this time; the old table stays in service.
    pub swap: Duration,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self { transaction: LONGEST_READ, swap: LONGEST_WAIT }
    }
}

/// The sessions that hold some tables, as far as a swap has seen them.
pub(super) struct LongReads {
    tables: Vec<String>,
    limits: ReadLimits,
    started_at: Instant,
    first_seen_at: HashMap<Holder, Instant>,
    cancelled: HashSet<Holder>,
}

/// A transaction of a session, and the name of the program that runs it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Holder {
    pid: i32,
    transaction: String,
    program: String,
}

const LONGEST_READ: Duration = Duration::from_secs(300);
const LONGEST_WAIT: Duration = Duration::from_secs(900);
/// How often to look.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The programs that are never cancelled: backups, and the shop, whose queries have timeouts of their own.
const SPARED: [&str; 3] = ["pg_dump", "pg_dumpall", "cartwright"];

impl LongReads {
    /// `tables` are names in schema `live`.
    pub fn of(tables: &[&str], limits: ReadLimits) -> Self {
        Self {
            tables: tables.iter().map(|table| format!("live.{table}")).collect(),
            limits,
            started_at: Instant::now(),
            first_seen_at: HashMap::new(),
            cancelled: HashSet::new(),
        }
    }

    /// Waits until no other session holds a table; `false` if the swap must give up.
    pub async fn wait_for_their_end(&mut self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        loop {
            if self.started_at.elapsed() > self.limits.swap {
                return Ok(false);
            }
            tokio::time::sleep(LOOK_EVERY).await;
            let holders = find_holders(connection, &self.tables).await?;
            if holders.is_empty() {
                return Ok(true);
            }
            self.first_seen_at.retain(|holder, _| holders.contains(holder));
            for holder in holders {
                let seen_at = *self.first_seen_at.entry(holder.clone()).or_insert_with(Instant::now);
                if seen_at.elapsed() > self.limits.transaction && !SPARED.contains(&holder.program.as_str()) {
                    self.stop(connection, &holder).await?;
                }
            }
        }
    }

    /// Cancels the query of a session; ends the session if it held on, or had no query.
    async fn stop(&mut self, connection: &mut PgConnection, holder: &Holder) -> Result<(), sqlx::Error> {
        let Holder { pid, program, .. } = holder;
        let (action, statement) = match self.cancelled.insert(holder.clone()) {
            true => ("cancelling", "select pg_cancel_backend($1)"),
            false => ("ending", "select pg_terminate_backend($1)"),
        };
        tracing::warn!(pid, program, "{action} a transaction that keeps a read table from being replaced");
        match sqlx::query_scalar::<_, bool>(statement).bind(pid).fetch_one(connection).await {
            // The session of a role over which the shop's own role has no rights.
            Err(error) if error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("42501")) => {
                tracing::warn!(pid, program, "the shop may not cancel it; grant pg_signal_backend to the shop's role");
                Ok(())
            }
            outcome => outcome.map(drop),
        }
    }
}

/// The transactions of other sessions that hold a lock on a table. Readable without any right.
async fn find_holders(connection: &mut PgConnection, tables: &[String]) -> Result<Vec<Holder>, sqlx::Error> {
    let holders = sqlx::query_file_as!(Holder, "src/projector/queries/lock_holders.sql", tables);
    holders.fetch_all(connection).await
}
