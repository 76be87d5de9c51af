//! The begin of a generation: by a node that recognises a restored database, or on the word of an operator.

use serde_json::json;
use sqlx::{PgConnection, PgPool};

use super::file::FileRecord;
use super::{Known, LogFile, LogState};
use crate::journal::numbers::Numbers;

/// What `cartwright restored` did.
#[derive(Debug)]
pub struct BegunGeneration {
    pub state: LogState,
    /// `false` if the generation had begun already, and has no event yet.
    pub begun: bool,
}

/// Begins a new generation after a restore, on the word of an operator. `file` is that of the node's data folder.
pub async fn declare_restored(pool: &PgPool, file: &LogFile) -> anyhow::Result<BegunGeneration> {
    let mut connection = pool.acquire().await?;
    let state = LogState::read(&mut connection, None).await?;
    let record = file.load(state.identity.log_id);
    let known = Known::new(&state, record);
    let generation = state.identity.generation.max(known.identity.generation);
    let unused = generation > 1 && generation == state.identity.generation && state.position == state.began_after;
    let begun = !unused
        && begin_generation(&mut connection, state.identity.generation, generation + 1, &known.reserved).await?;
    let state = LogState::read(&mut connection, None).await?;
    let (identity, seen) = (state.identity, state.last_event());
    let (file, numbers) = (file.clone(), known.reserved);
    let saved = tokio::task::spawn_blocking(move || file.save(&FileRecord { identity, seen, numbers })).await?;
    if let Err(error) = saved {
        tracing::warn!(%error, "cannot write the identity of the log to the data folder");
    }
    Ok(BegunGeneration { state, begun })
}

/// Begins a generation, unless the log has another one than `expected` by now; returns whether it did.
pub(super) async fn begin_generation(
    connection: &mut PgConnection,
    expected: i64,
    least: i64,
    reserved: &Numbers,
) -> Result<bool, sqlx::Error> {
    let begin = sqlx::query_scalar("select journal_begin_generation($1, $2, $3)");
    let begun = begin.bind(expected).bind(least).bind(json!(reserved)).fetch_one(connection).await?;
    if begun {
        tracing::warn!(least, "an older database was restored; a new generation of the log begins");
    }
    Ok(begun)
}

/// Adds numbers that an earlier generation may have given.
pub(super) async fn reserve_numbers(connection: &mut PgConnection, reserved: &Numbers) -> Result<(), sqlx::Error> {
    sqlx::query("select journal_reserve_numbers($1)").bind(json!(reserved)).execute(connection).await.map(drop)
}
