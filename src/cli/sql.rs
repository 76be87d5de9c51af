//! `cartwright sql`: opens psql on the shop's data as `reader`, or prints the address for other programs.
//!
//! In an embedded database `reader` logs in. In one of the operator's own psql logs in as the shop does and acts as
//! `reader`, so that no further password is needed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use clap::Args;
use reqwest::Url;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use super::database::with_database;
use super::output::{print, print_error};
use super::private_files::with_callers_umask;
use crate::database::embedded::{self, ClusterRole};
use crate::database::roles::READER;
use crate::database::{Location, ReadAccess, no_shop, read_access};

#[derive(Args)]
pub(super) struct SqlArgs {
    /// Print the address of the database for other programs, without a password, instead of opening psql
    #[arg(long, conflicts_with = "psql_args")]
    url: bool,
    /// Connect as the owner of the database instead of `reader`: for repairs and views of your own
    #[arg(long)]
    owner: bool,
    /// Connect as the superuser of the embedded database: for backups and maintenance
    #[arg(long, conflicts_with = "owner")]
    superuser: bool,
    /// Arguments of psql, after `--`
    #[arg(last = true)]
    psql_args: Vec<OsString>,
}

/// How psql reaches the database.
struct Session {
    /// Without a password.
    address: String,
    /// Variables of libpq.
    environment: Vec<(&'static str, String)>,
    /// Folder with client programs to prefer.
    programs: Option<PathBuf>,
}

/// What a session of a person starts with, also where the role has no settings of its own.
const READER_OPTIONS: &str = "-c search_path=live,fact -c idle_in_transaction_session_timeout=5min";
/// The owner finds the same names, and those of the log.
const OWNER_OPTIONS: &str = "-c search_path=live,fact,public";

pub(super) async fn run_sql_command(args: &SqlArgs, location: &Location) -> anyhow::Result<ExitCode> {
    match location {
        Location::Embedded(options) => {
            let role = match (args.superuser, args.owner) {
                (true, _) => ClusterRole::Superuser,
                (false, true) => ClusterRole::Owner,
                (false, false) => ClusterRole::Reader,
            };
            let (data_dir, programs) = (&options.data_dir, options.binaries.clone());
            ensure!(embedded::has_cluster(data_dir)?, no_shop(location));
            let running = embedded::running_socket_folder(data_dir);
            if args.url || running.is_some() {
                embedded::check_passwords(data_dir)?;
            }
            if args.url {
                let socket_folder = running.clone().unwrap_or(embedded::socket_folder(data_dir)?);
                print(&embedded::address(data_dir, &socket_folder, role));
                if running.is_none() {
                    print_error("the shop is not running; the address is valid while it runs");
                }
                return Ok(ExitCode::SUCCESS);
            }
            let session = |socket_folder: &Path| Session {
                address: embedded::address(data_dir, socket_folder, role),
                environment: if args.owner { vec![("PGOPTIONS", OWNER_OPTIONS.to_owned())] } else { vec![] },
                programs,
            };
            match running {
                Some(socket_folder) => run_psql(session(&socket_folder), &args.psql_args).await,
                None => {
                    with_database(location, async |_| {
                        let socket_folder = embedded::socket_folder(data_dir)?;
                        run_psql(session(&socket_folder), &args.psql_args).await
                    })
                    .await
                }
            }
        }
        Location::Url { url, .. } => {
            ensure!(!args.superuser, "the database is one of your own: connect as its superuser with psql");
            let access = read_access(location).await?;
            let reader = (!args.owner).then_some(READER);
            if args.url {
                print(&address(url, reader)?);
                if reader.is_some() && !access.reader_can_log_in {
                    print_error(&format!(
                        "`{READER}` cannot log in yet; run as a superuser: alter role {READER} login password '…'"
                    ));
                }
                return Ok(ExitCode::SUCCESS);
            }
            let ReadAccess { password, state, .. } = access;
            if let Some(advice) = state.advice().filter(|_| reader.is_some()) {
                ensure!(state.can_read(), "{advice}");
                print_error(&advice);
            }
            let mut environment: Vec<_> = password.map(|password| ("PGPASSWORD", password)).into_iter().collect();
            if reader.is_none() {
                environment.push(("PGOPTIONS", OWNER_OPTIONS.to_owned()));
            } else {
                environment.push(("PGOPTIONS", format!("-c role={READER} {READER_OPTIONS}")));
            }
            run_psql(Session { address: address(url, None)?, environment, programs: None }, &args.psql_args).await
        }
    }
}

/// Runs psql in this terminal, and returns its exit code.
async fn run_psql(session: Session, args: &[OsString]) -> anyhow::Result<ExitCode> {
    let Some(psql) = embedded::find_client("psql", session.programs.as_deref()).await else {
        bail!(
            "psql was not found; install it, for example with `apt install postgresql-client`, \
             or connect another program to the address that `cartwright sql --url` prints"
        );
    };
    // Ctrl-C cancels a query of psql; it must not end this process before psql.
    let _interrupts = signal(SignalKind::interrupt())?;
    let mut command = Command::new(&psql);
    command.envs(session.environment).arg(session.address).args(args);
    let mut child = with_callers_umask(|| command.spawn()).with_context(|| format!("cannot run {}", psql.display()))?;
    let status = child.wait().await?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// `DATABASE_URL` as libpq reads it, without a password; for another user if one is given.
fn address(url: &str, user: Option<&str>) -> anyhow::Result<String> {
    let mut address = Url::parse(url).context("DATABASE_URL is not the address of a PostgreSQL")?;
    let pairs: Vec<(String, String)> = address.query_pairs().into_owned().collect();
    let mut kept: Vec<_> = pairs.into_iter().filter_map(|(key, value)| Some((libpq_key(&key)?, value))).collect();
    // An address without a host has its user in the query, and takes no user here.
    let _ = address.set_password(None);
    if let Some(user) = user {
        kept.retain(|(key, _)| key != "user");
        if address.set_username(user).is_err() {
            kept.push(("user".to_owned(), user.to_owned()));
        }
        kept.push(("options".to_owned(), READER_OPTIONS.to_owned()));
    }
    address.set_query(None);
    if !kept.is_empty() {
        address.query_pairs_mut().extend_pairs(kept);
    }
    // In a query libpq reads `+` as it stands.
    Ok(address.as_str().replace('+', "%20"))
}

/// The name that libpq has for a parameter of the driver; `None` for a password, and for what only the driver knows.
fn libpq_key(key: &str) -> Option<String> {
    let key = match key {
        "password" | "statement-cache-capacity" => return None,
        key if key.starts_with("options[") => return None,
        "ssl-mode" => "sslmode",
        "ssl-root-cert" | "ssl-ca" => "sslrootcert",
        "ssl-cert" => "sslcert",
        "ssl-key" => "sslkey",
        key => key,
    };
    Some(key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_password_and_the_parameters_of_libpq() {
        let options = "options=-c%20search_path%3Dlive%2Cfact%20-c%20idle_in_transaction_session_timeout%3D5min";
        for (url, user, expected) in [
            ("postgres://jo:secret@db:5433/shop", None, "postgres://jo@db:5433/shop".to_owned()),
            ("postgres://jo:secret@db/shop?ssl-mode=require", Some("reader"), {
                format!("postgres://reader@db/shop?sslmode=require&{options}")
            }),
            ("postgresql:///shop?host=/run/pg&user=jo&password=secret", Some("reader"), {
                format!("postgresql:///shop?host=%2Frun%2Fpg&user=reader&{options}")
            }),
            ("postgres://db/shop?statement-cache-capacity=9", None, "postgres://db/shop".to_owned()),
        ] {
            assert_eq!(address(url, user).unwrap(), expected);
        }
    }
}
