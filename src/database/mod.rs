//! The database: where it is, how the program connects, its migrations and functions.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use percent_encoding::percent_decode_str;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};

pub mod embedded;
pub mod failure;
pub mod functions;
mod listen;
pub mod locks;
pub mod roles;
pub mod stale_plans;
mod transaction;
pub mod unavailability;

pub use listen::listen;
pub use transaction::begin_transaction;

use embedded::{EmbeddedOptions, EmbeddedPostgres};
use functions::{FunctionSet, SchemaLock};
use roles::{ReaderState, reader_state};

use crate::failpoints::failpoint;

/// `migrations/`, compiled in.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// The open database of a command.
pub struct Database {
    pub connect: PgConnectOptions,
    pub pool: PgPool,
    /// Data folder of this node.
    pub data_dir: PathBuf,
    functions: SchemaLock,
    embedded: Option<EmbeddedPostgres>,
}

/// Location of the database.
#[derive(Clone, Debug)]
pub enum Location {
    Url {
        url: String,
        password_file: Option<PathBuf>,
        /// Data folder of this node, for what it keeps beside the database.
        data_dir: PathBuf,
    },
    /// The embedded PostgreSQL in a data folder.
    Embedded(EmbeddedOptions),
}

/// Name of the database in the embedded server.
const NAME: &str = "cartwright";
/// Connections for reads and loads; the writer and the projector have their own.
const POOL_SIZE: u32 = 16;
/// How long a query waits for a connection before the client gets 503.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

impl Location {
    /// The data folder of this node.
    pub fn data_dir(&self) -> &Path {
        match self {
            Self::Url { data_dir, .. } => data_dir,
            Self::Embedded(options) => &options.data_dir,
        }
    }

    /// Description for log lines and terminals, without a password.
    pub fn describe(&self) -> String {
        match self {
            Self::Url { url, .. } => match PgConnectOptions::from_str(url) {
                Ok(options) => {
                    let name = options.get_database().unwrap_or_default();
                    format!("PostgreSQL at {}, database `{name}`", describe_server(&options))
                }
                Err(_) => "the PostgreSQL of DATABASE_URL".to_owned(),
            },
            Self::Embedded(options) => format!("embedded PostgreSQL in {}", options.data_dir.display()),
        }
    }
}

impl Database {
    /// Starts the embedded server if no URL is given, connects, and migrates. Creates the shop if there is none.
    pub async fn open(location: &Location) -> anyhow::Result<Self> {
        let (connect, embedded) = match location {
            Location::Url { url, password_file, .. } => (external_options(url, password_file.as_deref())?, None),
            Location::Embedded(options) => {
                let server = EmbeddedPostgres::start(options).await?;
                (server.connect_options(NAME), Some(server))
            }
        };
        Self::connect(connect, embedded, location).await
    }

    /// As [`Database::open`], but fails if there is no shop yet, and creates nothing.
    pub async fn open_existing(location: &Location) -> anyhow::Result<Self> {
        ensure!(Self::exists(location).await?, no_shop(location));
        Self::join(location).await
    }

    /// Whether a shop has been created.
    pub async fn exists(location: &Location) -> anyhow::Result<bool> {
        match location {
            Location::Url { url, password_file, .. } => {
                has_migrations(&external_options(url, password_file.as_deref())?).await
            }
            Location::Embedded(options) => Ok(embedded::has_cluster(&options.data_dir)?),
        }
    }

    /// As [`Database::open`], but joins the embedded server of a running process.
    pub async fn join(location: &Location) -> anyhow::Result<Self> {
        if let Location::Embedded(options) = location
            && let Some(running) = embedded::running(&options.data_dir, NAME)
        {
            embedded::check_passwords(&options.data_dir)?;
            return Self::connect(running, None, location).await;
        }
        Self::open(location).await
    }

    async fn connect(
        connect: PgConnectOptions,
        embedded: Option<EmbeddedPostgres>,
        location: &Location,
    ) -> anyhow::Result<Self> {
        reach(&connect).await?.close().await?;
        migrate(&connect).await.map_err(explain_migration)?;
        failpoint!("start-migrated");
        let connect = prepared(connect);
        let pool = pool_options().connect_with(connect.clone()).await.context("the database cannot be reached")?;
        let functions = hold_functions(&connect).await.context("the SQL functions cannot be installed")?;
        let data_dir = location.data_dir().to_owned();
        Ok(Self { connect, pool, data_dir, functions, embedded })
    }

    /// Closes all connections and stops the embedded server.
    pub async fn close(self) -> anyhow::Result<()> {
        self.pool.close().await;
        drop(self.functions);
        match self.embedded {
            Some(server) => server.stop().await.context("the embedded PostgreSQL did not stop"),
            None => Ok(()),
        }
    }
}

fn external_options(url: &str, password_file: Option<&Path>) -> anyhow::Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url).context("DATABASE_URL is not the address of a PostgreSQL")?;
    with_password(options, password_file)
}

/// Connects, or names the server that does not answer.
async fn reach(connect: &PgConnectOptions) -> anyhow::Result<PgConnection> {
    let connection = connect.connect().await;
    connection.with_context(|| format!("cannot reach PostgreSQL at {}", describe_server(connect)))
}

/// The address of a server: host and port, or the file of its socket.
fn describe_server(connect: &PgConnectOptions) -> String {
    let (host, port) = (connect.get_host(), connect.get_port());
    // A host that is a folder is that of a socket too.
    match connect.get_socket().map(PathBuf::as_path).or_else(|| host.starts_with('/').then(|| Path::new(host))) {
        Some(folder) => format!("{}/.s.PGSQL.{port}", folder.display()),
        None => format!("{host}:{port}"),
    }
}

/// Whether a shop has been created in this database.
async fn has_migrations(connect: &PgConnectOptions) -> anyhow::Result<bool> {
    let mut connection = reach(connect).await?;
    let exists = sqlx::query_scalar("select to_regclass('public._sqlx_migrations') is not null");
    let exists = exists.fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(exists)
}

/// How a person may read a database that is not embedded.
pub struct ReadAccess {
    /// Password of the shop's own role, from the URL or the file.
    pub password: Option<String>,
    pub state: ReaderState,
    pub reader_can_log_in: bool,
}

/// Looks at the roles of the operator's own database; fails if there is no shop in it. Changes nothing.
pub async fn read_access(location: &Location) -> anyhow::Result<ReadAccess> {
    let Location::Url { url, password_file, .. } = location else { bail!("the database is embedded") };
    let options = external_options(url, password_file.as_deref())?;
    ensure!(has_migrations(&options).await?, no_shop(location));
    let mut connection = reach(&options).await?;
    let state = reader_state(&mut connection).await?;
    let can_log_in = "select exists (select from pg_roles where rolname = $1 and rolcanlogin)";
    let reader_can_log_in = sqlx::query_scalar(can_log_in).bind(roles::READER).fetch_one(&mut connection).await?;
    connection.close().await?;
    // The driver has decoded it; it gives it back in a URL only.
    let address = options.to_url_lossy();
    let password = address.password().map(|password| percent_decode_str(password).decode_utf8_lossy().into_owned());
    Ok(ReadAccess { password, state, reader_can_log_in })
}

/// The refusal of a command that needs a shop.
pub fn no_shop(location: &Location) -> String {
    format!("there is no shop yet ({}); `cartwright serve` creates one", location.describe())
}

fn explain_migration(error: MigrateError) -> anyhow::Error {
    match error {
        // Migrations are never removed, so an unknown one is of a later version.
        MigrateError::VersionMissing(_) => {
            anyhow!("this shop was used by a newer version of the program; start that version or a later one")
        }
        other => anyhow::Error::from(other).context("the database cannot be migrated"),
    }
}

fn with_password(connect: PgConnectOptions, file: Option<&Path>) -> anyhow::Result<PgConnectOptions> {
    let Some(file) = file else { return Ok(connect) };
    let password = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(connect.password(password.trim_end_matches(['\r', '\n'])))
}

/// Applies the migrations, installs the functions of this program, and grants `reader` its rights. Processes that start at once take turns.
pub async fn migrate(connect: &PgConnectOptions) -> Result<(), MigrateError> {
    // The table of migrations is found by the search path, and belongs to `public`.
    let mut connection = connect.clone().options([("search_path", "public")]).connect().await?;
    MIGRATOR.run(&mut connection).await?;
    FunctionSet::of_this_program().install(&mut connection).await?;
    roles::grant_reads_or_warn(&mut connection).await;
    Ok(connection.close().await?)
}

/// Locks the functions of this program against removal, and removes those that no node uses any longer.
async fn hold_functions(connect: &PgConnectOptions) -> Result<SchemaLock, sqlx::Error> {
    let functions = FunctionSet::of_this_program();
    let lock = functions.clone().hold(connect.clone()).await?;
    let mut connection = connect.connect().await?;
    functions.drop_unused_others(&mut connection).await?;
    connection.close().await?;
    Ok(lock)
}

/// The pool for reads and loads. It closes connections with statements that may be prepared for replaced tables.
pub fn pool_options() -> PgPoolOptions {
    let options = PgPoolOptions::new().max_connections(POOL_SIZE).acquire_timeout(ACQUIRE_TIMEOUT);
    options.before_acquire(|_, connection| Box::pin(async move { Ok(!stale_plans::is_stale(connection.age)) }))
}

/// The options that every connection of the program needs: the search path, and an end to every wait.
pub fn prepared(connect: PgConnectOptions) -> PgConnectOptions {
    prepared_for(connect, &FunctionSet::of_this_program())
}

/// As [`prepared`], for a program with other functions.
pub fn prepared_for(connect: PgConnectOptions, functions: &FunctionSet) -> PgConnectOptions {
    connect.application_name("cartwright").options([
        ("search_path", functions.search_path().as_str()),
        ("statement_timeout", "60s"),
        ("idle_in_transaction_session_timeout", "60s"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_names_its_host_or_its_socket() {
        for (url, expected) in [
            ("postgres://jo:secret@db:5433/shop", "PostgreSQL at db:5433, database `shop`"),
            ("postgresql:///shop?host=/run/pg&user=jo", "PostgreSQL at /run/pg/.s.PGSQL.5432, database `shop`"),
            ("postgresql://jo@%2Frun%2Fpg:5433/shop", "PostgreSQL at /run/pg/.s.PGSQL.5433, database `shop`"),
        ] {
            let location = Location::Url { url: url.to_owned(), password_file: None, data_dir: PathBuf::new() };
            assert_eq!(location.describe(), expected);
        }
    }
}
