//! Moves streams from `events` to `events_archive`. Which streams may go is decided elsewhere: this knows no noun.
//!
//! A move is decided on streams at known versions, and the function `journal_archive` compares them before the commit, as
//! an append compares the head. So a stream that changes meanwhile stays.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};

use super::error::CommandError;
use super::stream::StreamId;
use crate::database::functions::FunctionSet;
use crate::database::locks;
use crate::domain::Decider;

/// A stream whose events in `events` may be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldStream {
    pub stream: StreamId,
    /// Sequence of its first event in `events`.
    pub first: i64,
    /// Sequence of its last event.
    pub version: i64,
}

/// A part of a stream that one slice moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPart {
    pub stream: StreamId,
    pub first: i64,
    pub last: i64,
    /// Sequence of the last event of the stream.
    pub version: i64,
}

/// Streams that one transaction moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchiveSlice {
    pub parts: Vec<StreamPart>,
    /// Streams that the decision depends on, with their versions.
    pub unchanged: Vec<(StreamId, i64)>,
}

/// What may be archived of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivableRange {
    /// The last position whose event is old enough and was read by every follower.
    pub upto: i64,
    /// The follower that has not read every old event, if there is one.
    pub limited_by: Option<String>,
}

/// The states of some streams of one kind, each with its version.
pub type States<A> = HashMap<String, (i64, A)>;

/// A move that was refused because a stream has changed, or was archived by another process.
const CHANGED: &str = "PJ004";
/// An event of a file that differs from the one in the log, or is not of this log.
const DIFFERS: &str = "PJ005";

impl ArchiveSlice {
    /// Number of events that it moves.
    pub fn events(&self) -> i64 {
        self.parts.iter().map(|part| part.last - part.first + 1).sum()
    }
}

/// The range of events that were recorded before `cutoff` and are read by every follower of the log.
pub async fn archivable_range(pool: &PgPool, cutoff: DateTime<Utc>) -> Result<ArchivableRange, sqlx::Error> {
    let (old, followed, follower): (i64, i64, String) =
        sqlx::query_as("select position_before($1), last_position, follower from archivable_position()")
            .bind(cutoff)
            .fetch_one(pool)
            .await?;
    Ok(ArchivableRange { upto: old.min(followed), limited_by: (followed < old).then_some(follower) })
}

/// The end of the next `count` events after a position, up to `upto`; `None` if there are none.
pub async fn window_end(pool: &PgPool, after: i64, upto: i64, count: i64) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "select max(position) from (
            select position from events where position > $1 and position <= $2 order by position limit $3
         ) as event",
    )
    .bind(after)
    .bind(upto)
    .bind(count)
    .fetch_one(pool)
    .await
}

/// Streams of some kinds whose last event has a position after `after` and up to `upto`.
pub async fn old_streams(
    pool: &PgPool,
    kinds: &[String],
    after: i64,
    upto: i64,
) -> Result<Vec<OldStream>, sqlx::Error> {
    let found = sqlx::query_file!("src/journal/queries/old_streams.sql", kinds, after, upto).fetch_all(pool).await?;
    let stream = |kind: String, id: String| StreamId { kind: kind.into(), id: id.into() };
    let streams = found.into_iter();
    Ok(streams
        .map(|row| OldStream { stream: stream(row.kind, row.id), first: row.first, version: row.version })
        .collect())
}

/// The states of streams of one kind, read with one query.
pub async fn read_states<A: Decider + Default>(pool: &PgPool, ids: &[String]) -> Result<States<A>, CommandError> {
    let events: Vec<(String, i64, String, Value)> = sqlx::query_as(
        "select aggregate_id, sequence, event_version, payload
         from event_log
         where aggregate_type = $1 and aggregate_id = any($2)
         order by aggregate_id, sequence",
    )
    .bind(A::TYPE)
    .bind(ids)
    .fetch_all(pool)
    .await
    .map_err(|error| CommandError::of_statement(&error))?;
    let mut states = States::<A>::new();
    for (id, sequence, event_version, payload) in events {
        let event = A::read_event(&event_version, payload)
            .map_err(|error| CommandError::Internal(format!("event {}/{id}/{sequence}: {error}", A::TYPE)))?;
        let (version, state) = states.entry(id).or_default();
        state.evolve(&event);
        *version = sequence;
    }
    Ok(states)
}

/// Moves a slice, all or nothing; `false`, and nothing is moved, if a stream has changed or is archived already.
pub async fn move_slice(pool: &PgPool, slice: &ArchiveSlice) -> Result<bool, sqlx::Error> {
    let ArchiveSlice { parts, unchanged } = slice;
    let moved: Result<i64, _> = sqlx::query_scalar("select journal_archive($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(parts.iter().map(|part| &*part.stream.kind).collect::<Vec<_>>())
        .bind(parts.iter().map(|part| &*part.stream.id).collect::<Vec<_>>())
        .bind(parts.iter().map(|part| part.first).collect::<Vec<_>>())
        .bind(parts.iter().map(|part| part.last).collect::<Vec<_>>())
        .bind(parts.iter().map(|part| part.version).collect::<Vec<_>>())
        .bind(unchanged.iter().map(|(stream, _)| &*stream.kind).collect::<Vec<_>>())
        .bind(unchanged.iter().map(|(stream, _)| &*stream.id).collect::<Vec<_>>())
        .bind(unchanged.iter().map(|(_, version)| *version).collect::<Vec<_>>())
        .fetch_one(pool)
        .await;
    match moved {
        Ok(_) => Ok(true),
        Err(error) if error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == CHANGED) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// The events of a slice, as the lines of an archive file hold them.
pub async fn events_of(pool: &PgPool, slice: &ArchiveSlice) -> Result<Vec<Json<Value>>, sqlx::Error> {
    sqlx::query_scalar(
        "select to_jsonb(event)
         from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) as part (kind, id, first, last)
         join events as event
            on event.aggregate_type = part.kind and event.aggregate_id = part.id
            and event.sequence between part.first and part.last
         order by event.position",
    )
    .bind(slice.parts.iter().map(|part| &*part.stream.kind).collect::<Vec<_>>())
    .bind(slice.parts.iter().map(|part| &*part.stream.id).collect::<Vec<_>>())
    .bind(slice.parts.iter().map(|part| part.first).collect::<Vec<_>>())
    .bind(slice.parts.iter().map(|part| part.last).collect::<Vec<_>>())
    .fetch_all(pool)
    .await
}

/// Adds the events of an archive file that are missing; returns how many. The outer error is the database's, the inner one
/// names an event that is of another log, or differs from the one that is there.
pub async fn restore_events(
    connection: &mut PgConnection,
    events: Vec<Value>,
) -> Result<Result<i64, String>, sqlx::Error> {
    let restored = sqlx::query_scalar("select journal_restore_archive($1)").bind(Json(events));
    match restored.fetch_one(connection).await {
        Ok(restored) => Ok(Ok(restored)),
        Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code == DIFFERS) => {
            Ok(Err(error.message().to_owned()))
        }
        Err(error) => Err(error),
    }
}

/// Ends a restore: every writer forgets its cached states before its next append. Returns a stream whose earlier events are
/// missing, if there is one; then the restore must be rolled back.
pub async fn finish_restore(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    let gap: Option<String> = sqlx::query_scalar(
        "select aggregate_type || '/' || aggregate_id
         from events_archive
         group by aggregate_type, aggregate_id
         having count(*) <> max(sequence)
         limit 1",
    )
    .fetch_optional(&mut *connection)
    .await?;
    sqlx::query("update journal_head set epoch = epoch + 1").execute(connection).await?;
    Ok(gap)
}

/// Whether a node with other functions than this program's is running. An older one does not read archived events.
pub async fn has_other_versions(pool: &PgPool) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (
            select from pg_locks
            where locktype = 'advisory' and classid = $1::bigint::oid and objsubid = 2
                and database = (select oid from pg_database where datname = current_database())
                and objid <> (hashtext($2)::bigint & 4294967295)::oid
         )",
    )
    .bind(i64::from(locks::FUNCTION_SCHEMA))
    .bind(FunctionSet::of_this_program().schema())
    .fetch_one(pool)
    .await
}
