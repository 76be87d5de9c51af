//! The command line: arguments of the subcommands, and their dispatch. Each subcommand has a file.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::config::{DatabaseConfig, ServeConfig};
use crate::server::serve;

mod archive;
mod cleanup;
mod clock;
mod database;
mod environment;
mod greeting;
mod image_urls;
mod output;
mod play;
mod private_files;
mod product_import;
mod products;
mod projections;
mod reactions;
mod report_file;
mod restore;
mod restored;
mod sql;
mod status;
mod users;
mod views;

use archive::ArchiveArgs;
use cleanup::CleanupArgs;
use clock::ClockArgs;
use output::{error_in_one_line, print_error};
use play::PlayArgs;
use products::ProductsCommand;
use projections::{ReplayArgs, VerifyArgs};
use reactions::ReactionsCommand;
use restore::RestoreArgs;
use sql::SqlArgs;
use users::{KeysCommand, UsersCommand};
use views::ViewsCommand;

/// An event-sourced shop backend on PostgreSQL.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeConfig,
    #[command(flatten)]
    database: DatabaseConfig,
}

#[derive(Subcommand)]
enum Command {
    /// Run the shop (the default)
    Serve(Box<ServeConfig>),
    /// Import a sales history in the Online Retail format; a repeated import adds only what is missing
    Play(PlayArgs),
    /// Products as files: dump, check, deploy
    #[command(subcommand)]
    Products(ProductsCommand),
    /// Rebuild read tables from the log while the shop runs
    Replay(ReplayArgs),
    /// Rebuild read tables separately and compare them row by row; exit code 1 if any row differs
    Verify(VerifyArgs),
    /// Accounts: add, list, disable, enable, change the role or the password
    #[command(subcommand)]
    Users(UsersCommand),
    /// Keys that sign access tokens: rotate
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Failed side effects of events (webhooks, mails, payments): list, retry, drop
    #[command(subcommand)]
    Reactions(ReactionsCommand),
    /// Replace the database of an embedded shop by a dump, and begin a new generation of the log
    Restore(RestoreArgs),
    /// Begin a new generation of the log, after an older database was restored
    Restored,
    /// Open psql on the read tables and the facts as the role `reader`; arguments of psql follow `--`
    Sql(SqlArgs),
    /// Show the time of the database and the tasks that wait for it; `clock accept` accepts it
    Clock(ClockArgs),
    /// Views of yours that no longer fit the shop's tables: list, restore, forget
    #[command(subcommand)]
    Views(ViewsCommand),
    /// Move closed orders and dead carts out of the table of live events; `archive restore` reads a file back
    Archive(ArchiveArgs),
    /// Delete old temporary files, and pictures that no image refers to
    Cleanup(CleanupArgs),
    /// Show the positions of the log and the read tables, the clock, the scheduled tasks and the mail folder
    Status,
}

impl Cli {
    /// Reads the arguments of the process. Flags may stand before the command too.
    pub fn read() -> Self {
        let arguments: Vec<_> = std::env::args_os().collect();
        Self::read_from(&arguments).unwrap_or_else(|error| error.exit())
    }

    fn read_from(arguments: &[OsString]) -> Result<Self, clap::Error> {
        let cli = Self::parse_from_any_order(arguments)?;
        let serve = match &cli.command {
            Some(Command::Serve(serve)) => serve,
            _ => &cli.serve,
        };
        let checked = serve.schedules.check();
        checked.map_err(|message| Self::command().error(ErrorKind::ValueValidation, message))?;
        Ok(cli)
    }

    fn parse_from_any_order(arguments: &[OsString]) -> Result<Self, clap::Error> {
        Self::try_parse_from(arguments).or_else(|error| {
            let commands = Self::command();
            let is_command = |argument: &OsString| commands.get_subcommands().any(|one| argument == one.get_name());
            match arguments.iter().skip(1).position(is_command) {
                Some(flags) if error.kind() == ErrorKind::ArgumentConflict => {
                    let (flags, command) = arguments[1..].split_at(flags);
                    Self::try_parse_from(arguments[..1].iter().chain(command).chain(flags))
                }
                _ => Err(error),
            }
        })
    }
}

/// Runs the command; prints an error as one line on standard error.
pub async fn run(cli: Cli) -> ExitCode {
    private_files::restrict_new_files();
    let filter =
        EnvFilter::try_from_env("SHOP_LOG").unwrap_or_else(|_| EnvFilter::new("warn,cartwright=info,sqlx=error"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    log.with_ansi(std::io::stderr().is_terminal()).init();
    for warning in environment::unknown_variables() {
        tracing::warn!("{warning}");
    }
    run_command(&cli).await.unwrap_or_else(|error| {
        print_error(&format!("cartwright: {}", error_in_one_line(&error)));
        ExitCode::FAILURE
    })
}

async fn run_command(cli: &Cli) -> anyhow::Result<ExitCode> {
    let location = &cli.database.location();
    match &cli.command {
        None => run_server(&cli.serve, &cli.database).await,
        Some(Command::Serve(config)) => run_server(config, &cli.database).await,
        Some(Command::Play(args)) => play::play_file(args, location).await,
        Some(Command::Products(command)) => products::run_products_command(command, location, &cli.database).await,
        Some(Command::Replay(args)) => projections::replay(args, location).await,
        Some(Command::Verify(args)) => projections::verify(args, location).await,
        Some(Command::Users(command)) => users::run_users_command(command, location).await,
        Some(Command::Keys(command)) => users::run_keys_command(command, location, &cli.database.keys_dir()).await,
        Some(Command::Reactions(command)) => reactions::run_reactions_command(command, location).await,
        Some(Command::Restore(args)) => restore::restore_dump(args, location).await,
        Some(Command::Restored) => restored::declare_restored(location).await,
        Some(Command::Sql(args)) => sql::run_sql_command(args, location).await,
        Some(Command::Clock(args)) => clock::run_clock_command(args, location).await,
        Some(Command::Views(command)) => views::run_views_command(command, location).await,
        Some(Command::Archive(args)) => archive::run_archive_command(args, location).await,
        Some(Command::Cleanup(args)) => cleanup::run_cleanup(args, location, &cli.database).await,
        Some(Command::Status) => status::print_status(location, &cli.database).await,
    }
}

async fn run_server(config: &ServeConfig, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let location = database.location();
    serve(config, database, &location, |opening| greeting::print_greeting(opening, &location)).await?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Option<Cli> {
        let arguments: Vec<_> = ["cartwright"].iter().chain(arguments).map(OsString::from).collect();
        Cli::read_from(&arguments).ok()
    }

    fn listen(arguments: &[&str]) -> Option<u16> {
        let cli = read(arguments)?;
        match cli.command {
            None => Some(cli.serve.listen.port()),
            Some(Command::Serve(config)) => Some(config.listen.port()),
            Some(_) => None,
        }
    }

    #[test]
    fn flags_of_every_command_stand_before_or_after_it() {
        for arguments in [
            &["--data-dir", "/tmp/x", "users", "list"][..],
            &["users", "--data-dir", "/tmp/x", "list"],
            &["users", "list", "--data-dir", "/tmp/x"],
        ] {
            let cli = read(arguments).unwrap_or_else(|| panic!("{arguments:?}"));
            assert!(matches!(cli.command, Some(Command::Users(UsersCommand::List))), "{arguments:?}");
            assert_eq!(cli.database.data_dir.as_deref(), Some("/tmp/x".as_ref()), "{arguments:?}");
        }
    }

    #[test]
    fn settings_of_the_server_stand_before_or_after_the_command() {
        for arguments in [&["--listen", "8402"][..], &["serve", "--listen", "8402"], &["--listen", "8402", "serve"]] {
            assert_eq!(listen(arguments), Some(8402), "{arguments:?}");
        }
        assert_eq!(listen(&["--listen", "8402", "serve", "--no-seeds"]), Some(8402));
        assert_eq!(listen(&["serve", "--listen", "8402", "--data-dir", "/tmp/x"]), Some(8402));
        assert_eq!(listen(&["--listen", "8402", "status"]), None, "no setting is ignored");
        assert_eq!(listen(&["serve", "serve"]), None);
    }

    #[test]
    fn a_schedule_is_checked_before_anything_is_started() {
        let read = |schedules: &[&str]| {
            let flags = schedules.iter().map(|schedule| format!("--schedule={schedule}"));
            let arguments: Vec<_> = ["cartwright".to_owned(), "serve".to_owned()].into_iter().chain(flags).collect();
            let flags_alone: Vec<_> = arguments.iter().filter(|argument| *argument != "serve").cloned().collect();
            let read = [arguments, flags_alone].map(|arguments| {
                let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
                Cli::read_from(&arguments).err().map(|error| error.to_string())
            });
            assert_eq!(read[0].is_some(), read[1].is_some(), "{read:?}");
            read[0].clone()
        };
        assert_eq!(read(&["archive=30 3 * * *", "dump=0 4 * * *;backup=0 5 * * *"]), None);
        for twice in [&["dump=0 4 * * *", "dump=0 5 * * *"][..], &["dump=0 4 * * *;cleanup=0 5 * * *;dump=0 4 * * *"]] {
            assert!(read(twice).unwrap().contains("--schedule names the task dump twice"), "{twice:?}");
        }
        assert!(read(&["dump=@daily"]).unwrap().contains("is not a cron expression of five fields"));
    }
}
