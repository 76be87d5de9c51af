//! Sample commands for an empty shop: data in `seeds/`, played through the same use cases as a client's commands.

use sqlx::PgPool;

use crate::journal::{CommandError, Journal};

/// Whether the sample commands are to be played.
pub async fn due(_pool: &PgPool) -> Result<bool, sqlx::Error> {
    Ok(false)
}

pub async fn plant(_journal: &Journal) -> Result<(), CommandError> {
    Ok(())
}
