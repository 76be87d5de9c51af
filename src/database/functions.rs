//! SQL functions: the files of `database/functions/`, compiled in and installed at start.
//!
//! Each version of their text has a schema of its own, so that two versions of the program can work on one database
//! during a rolling update. A node holds a shared lock on its schema; a node that starts drops the schemas without one.

use std::borrow::Cow;
use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::task::JoinHandle;

use super::locks;

/// The text of all functions, and the schema named for it.
#[derive(Clone, Debug)]
pub struct FunctionSet {
    files: Vec<Cow<'static, str>>,
    schema: String,
}

/// A shared lock on the schema of a node's functions, held by a session of its own until it is dropped.
pub struct SchemaLock {
    session: JoinHandle<()>,
}

macro_rules! functions {
    ($($name:literal),* $(,)?) => {
        /// Every function, in alphabetical order.
        const FUNCTIONS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../database/functions/", $name, ".sql")))),*];
    };
}

functions![
    "accept_clock",
    "archivable_position",
    "clock_heartbeat",
    "end_session",
    "end_sessions",
    "journal_append",
    "journal_archive",
    "journal_begin_generation",
    "journal_lost_numbers",
    "journal_rehearse",
    "journal_reserve_numbers",
    "journal_restore_archive",
    "position_before",
    "projector_acquire",
    "projector_step",
    "read_clock",
    "refresh_session",
    "sequence_upto",
    "store_side_writes",
    "unpaid_holder",
    "write_change_address",
    "write_change_email",
    "write_change_order_contact",
    "write_change_profile",
    "write_change_webhook",
    "write_disable_account",
    "write_disable_webhook",
    "write_enable_account",
    "write_forget_customer",
    "write_forget_order_contact",
    "write_hold_unpaid",
    "write_move_metadata",
    "write_open_account",
    "write_put_address",
    "write_put_imei",
    "write_put_instrument",
    "write_put_key",
    "write_put_metadata",
    "write_put_order_address",
    "write_put_order_contact",
    "write_put_profile",
    "write_put_webhook",
    "write_record_applied_rows",
    "write_refer_picture",
    "write_release_picture",
    "write_release_unpaid",
    "write_remove_address",
    "write_remove_imei",
    "write_remove_webhook",
    "write_require_orders_unchanged",
    "write_require_shipping_address",
    "write_revoke_key",
    "write_rotate_webhook_secret",
    "write_set_default_addresses",
    "write_set_password",
    "write_set_role",
    "write_snapshot_address",
    "write_use_link",
];

/// How often the session of the lock is checked.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// How long a check may take, so that a session over a dead connection is replaced.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

impl FunctionSet {
    /// The functions of this program.
    pub fn of_this_program() -> Self {
        Self::new(FUNCTIONS.iter().map(|(_, text)| Cow::Borrowed(*text)).collect())
    }

    /// As the functions of this program, with more text: those of another version, for tests.
    pub fn of_another_version(text: &str) -> Self {
        let mut files = Self::of_this_program().files;
        files.push(Cow::Owned(text.to_owned()));
        Self::new(files)
    }

    fn new(files: Vec<Cow<'static, str>>) -> Self {
        let mut digest = Sha256::new();
        for file in &files {
            digest.update((file.len() as u64).to_be_bytes());
            digest.update(file.as_bytes());
        }
        let schema = format!("functions_{}", &hex::encode(digest.finalize())[..12]);
        Self { files, schema }
    }

    /// `functions_` and 12 hexadecimal digits of the text's SHA-256.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The search path of connections that call the functions. Functions of the same names that migrations left in
    /// `public` serve older versions of the program, so `public` comes last.
    pub fn search_path(&self) -> String {
        format!("live,{},public", self.schema)
    }

    /// Creates the schema with its functions, unless it exists.
    pub async fn install(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let mut transaction = connection.begin().await?;
        sqlx::query("select pg_advisory_xact_lock($1)").bind(locks::INSTALL).execute(&mut *transaction).await?;
        if !self.is_installed(&mut transaction).await? {
            let schema = &self.schema;
            // Each function keeps this path: `set search_path from current`.
            let path = format!("create schema {schema}; set local search_path = {schema}, live, public, pg_temp");
            transaction.execute(path.as_str()).await?;
            for file in &self.files {
                transaction.execute(&**file).await?;
            }
        }
        transaction.commit().await
    }

    async fn is_installed(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar("select exists (select from pg_namespace where nspname = $1)")
            .bind(&self.schema)
            .fetch_one(connection)
            .await
    }

    /// Locks the schema for as long as the returned value lives. A schema that is dropped all the same is installed
    /// again within seconds, because calls would find the older functions of `public` instead.
    pub async fn hold(self, connect: PgConnectOptions) -> Result<SchemaLock, sqlx::Error> {
        let mut connection = self.lock(&connect).await?;
        let session = tokio::spawn(async move {
            loop {
                tokio::time::sleep(CHECK_EVERY).await;
                match tokio::time::timeout(CHECK_TIMEOUT, self.restore(&mut connection)).await {
                    Ok(Ok(())) => continue,
                    Ok(Err(error)) => tracing::debug!(%error, "the lock on the function schema was lost"),
                    Err(_) => tracing::debug!("the session with the lock on the function schema does not answer"),
                }
                match self.lock(&connect).await {
                    Ok(locked) => connection = locked,
                    Err(error) => tracing::debug!(%error, "the function schema cannot be locked yet"),
                }
            }
        });
        Ok(SchemaLock { session })
    }

    /// Installs the schema if something other than a node dropped it.
    async fn restore(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.is_installed(connection).await? {
            return Ok(());
        }
        tracing::warn!(schema = self.schema, "the function schema was dropped; installing it again");
        self.install(connection).await
    }

    async fn lock(&self, connect: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
        let mut connection = connect.connect().await?;
        sqlx::query("select pg_advisory_lock_shared($1, hashtext($2))")
            .bind(locks::FUNCTION_SCHEMA)
            .bind(&self.schema)
            .execute(&mut connection)
            .await?;
        self.install(&mut connection).await?;
        Ok(connection)
    }

    /// Drops the function schemas that no node holds, except this one.
    pub async fn drop_unused_others(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let mut transaction = connection.begin().await?;
        sqlx::query("select pg_advisory_xact_lock($1)").bind(locks::INSTALL).execute(&mut *transaction).await?;
        let others: Vec<String> = sqlx::query_scalar(
            "select nspname::text from pg_namespace where nspname ~ '^functions_[0-9a-f]{12}$' and nspname <> $1",
        )
        .bind(&self.schema)
        .fetch_all(&mut *transaction)
        .await?;
        for schema in others {
            let unused: bool = sqlx::query_scalar("select pg_try_advisory_xact_lock($1, hashtext($2))")
                .bind(locks::FUNCTION_SCHEMA)
                .bind(&schema)
                .fetch_one(&mut *transaction)
                .await?;
            if unused {
                tracing::info!(schema, "dropping a function schema that no node uses");
                transaction.execute(format!("drop schema {schema} cascade").as_str()).await?;
            }
        }
        transaction.commit().await
    }
}

impl Drop for SchemaLock {
    fn drop(&mut self) {
        self.session.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_compiled_in() {
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/database/functions")).unwrap();
        let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter_map(|name| name.strip_suffix(".sql").map(str::to_owned)).collect();
        names.sort();
        assert_eq!(FUNCTIONS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
    }

    #[test]
    fn another_text_has_another_schema() {
        let (this, another) = (FunctionSet::of_this_program(), FunctionSet::of_another_version("-- Changed."));
        assert_eq!(this.schema(), FunctionSet::of_this_program().schema());
        assert_ne!(this.schema(), another.schema());
        assert_eq!(this.schema().len(), "functions_".len() + 12);
    }
}
