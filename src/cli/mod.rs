//! The command line: what each subcommand does, and what people see of it.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::accounts::Secret;
use crate::config::{DatabaseConfig, ServeConfig};
use crate::database::{Database, Location};
use crate::journal::{self, JournalOptions};
use crate::play;
use crate::projector::{self, PROJECTIONS, Progress, Projection, ProjectionState, ProjectorOptions};
use crate::scheduler;
use crate::server::{Engine, serve};

mod reactions;
mod users;

use reactions::ReactionsCommand;
use users::{KeysCommand, UsersCommand};

/// An event-sourced shop backend on PostgreSQL.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeConfig,
    #[command(flatten)]
    database: DatabaseConfig,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the shop (the default)
    Serve(Box<ServeConfig>),
    /// Play a sales history in the Online Retail format; what was played before is not played again
    Play(PlayArgs),
    /// Rebuild read tables from the log, beside those in service
    Replay(Names),
    /// Build read tables anew from the log and compare them row by row; exit code 1 if any row differs
    Verify(VerifyArgs),
    /// Accounts: who may log in, and as what
    #[command(subcommand)]
    Users(UsersCommand),
    /// The keys that access tokens are signed with
    #[command(subcommand)]
    Keys(KeysCommand),
    /// What follows from events, and could not be done
    #[command(subcommand)]
    Reactions(ReactionsCommand),
    /// Show where the log and the read tables stand, and where mails are
    Status,
}

#[derive(Args, Debug)]
struct PlayArgs {
    /// CSV: InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country
    file: PathBuf,
    /// Write every skipped row with its line and reason to this file
    #[arg(long)]
    skipped: Option<PathBuf>,
    /// How many orders are on their way at once
    #[arg(long, default_value_t = 64)]
    concurrency: usize,
    /// Leave out the cancellations
    #[arg(long)]
    sales_only: bool,
}

#[derive(Args, Debug)]
struct Names {
    /// Projections by name [default: all]
    names: Vec<String>,
}

#[derive(Args, Debug)]
struct VerifyArgs {
    /// Projections by name [default: all, or none with --log]
    names: Vec<String>,
    /// Hold the log itself against the rules of the shop; exit code 1 if it breaks any
    #[arg(long)]
    log: bool,
}

/// Runs the command; an error is one line on standard error.
pub async fn run(cli: Cli) -> ExitCode {
    let filter =
        EnvFilter::try_from_env("SHOP_LOG").unwrap_or_else(|_| EnvFilter::new("warn,cartwright=info,sqlx=error"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    log.with_ansi(std::io::stderr().is_terminal()).init();
    let location = cli.database.location();
    let outcome = match cli.command {
        None => serve(&cli.serve, &cli.database, &location).await.map(|()| ExitCode::SUCCESS),
        Some(Command::Serve(config)) => serve(&config, &cli.database, &location).await.map(|()| ExitCode::SUCCESS),
        Some(Command::Play(args)) => play_file(&args, &location).await,
        Some(Command::Replay(names)) => replay(&names.names, &location).await,
        Some(Command::Verify(args)) => verify(&args, &location).await,
        Some(Command::Users(command)) => {
            manage(&location, async |database| users::users(&command, database).await).await
        }
        Some(Command::Keys(command)) => {
            manage(&location, async |database| users::keys(&command, &cli.database, database).await).await
        }
        Some(Command::Reactions(command)) => {
            manage(&location, async |database| reactions::reactions(&command, database).await).await
        }
        Some(Command::Status) => status(&location, &cli.database).await,
    };
    outcome.unwrap_or_else(|error| {
        say_error(&format!("cartwright: {}", one_line(&error)));
        ExitCode::FAILURE
    })
}

/// Tells where the shop is, and what to try.
pub(crate) fn greet(address: SocketAddr, location: &Location, first_account: Option<(&str, &Secret)>) {
    say(&format!(
        "Cartwright is open at http://{address} ({}).\n\
         \n  curl http://{address}/shop/api/products/\n\
         \nEvery route: http://{address}/docs",
        location.describe()
    ));
    if let Some((email, password)) = first_account {
        say(&format!(
            "\nThe first admin, shown this once:\n\n  email     {email}\n  password  {}\n\
             \n  curl http://{address}/shop/api/auth/login/ --json '{{\"email\": \"{email}\", \"password\": \"…\"}}'",
            password.expose()
        ));
    }
}

/// Lets metrics be collected; `None` if this process collects them already.
pub(crate) fn install_metrics() -> Option<PrometheusHandle> {
    PrometheusBuilder::new().install_recorder().ok()
}

async fn play_file(args: &PlayArgs, location: &Location) -> anyhow::Result<ExitCode> {
    let file = std::fs::File::open(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let mut skipped = match &args.skipped {
        Some(path) => Some(std::fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?),
        None => None,
    };
    let database = Database::join(location).await?;
    let engine =
        Engine::start(&database.connect, &database.pool, JournalOptions::default(), ProjectorOptions::default())
            .await?;
    let bar = ProgressBar::new(0).with_style(style("{msg:12} {wide_bar} {pos}/{len} orders, {per_sec}, {eta} left")?);
    let options = play::PlayOptions { concurrency: args.concurrency, sales_only: args.sales_only };
    let file = std::io::BufReader::new(file);
    let played = play::play(&engine.journal, &engine.projector, &database.pool, file, &bar, &options).await;
    bar.finish_and_clear();
    let position = engine.journal.position();
    if played.is_ok() {
        settle(&engine, position).await?;
    }
    engine.stop().await?;
    database.close().await?;
    let report = played?;
    if let Some(skipped) = &mut skipped {
        report.write_skipped(skipped).context("cannot write the skipped rows")?;
    }
    say(&report.to_string());
    Ok(ExitCode::SUCCESS)
}

/// Waits until the read tables hold what was played, as long as they move.
async fn settle(engine: &Engine, position: i64) -> anyhow::Result<()> {
    let bar = ProgressBar::new(position.unsigned_abs())
        .with_style(style("{msg:12} {wide_bar} {pos}/{len} events")?)
        .with_message("read tables");
    while !engine.projector.wait_for(position, std::time::Duration::from_millis(200)).await {
        bar.set_position(engine.projector.position().unsigned_abs());
        let stopped = engine.projector.status().await?.into_iter().find_map(|projection| projection.last_error);
        if let Some(error) = stopped {
            bail!("everything was played, but the projector has stopped: {error}");
        }
    }
    bar.finish_and_clear();
    Ok(())
}

async fn replay(names: &[String], location: &Location) -> anyhow::Result<ExitCode> {
    let projections = find(names)?;
    let database = Database::join(location).await?;
    let (engine, bars) = (quiet_engine(&database).await?, MultiProgress::new());
    let mut waiting = projections.into_iter();
    loop {
        let pair: Vec<_> = waiting.by_ref().take(2).collect();
        if pair.is_empty() {
            break;
        }
        let rebuilds = pair.into_iter().map(|projection| {
            let (pool, bar) = (&database.pool, bars.add(bar(projection.name)));
            async move {
                projector::rebuild(pool, projection, &|progress| show(&bar, progress)).await?;
                bar.finish_with_message(format!("{} in service", projection.name));
                anyhow::Ok(())
            }
        });
        futures_util::future::try_join_all(rebuilds).await?;
    }
    engine.stop().await?;
    database.close().await?;
    say("every table was rebuilt and is in service");
    Ok(ExitCode::SUCCESS)
}

async fn verify(args: &VerifyArgs, location: &Location) -> anyhow::Result<ExitCode> {
    let projections = if args.log && args.names.is_empty() { vec![] } else { find(&args.names)? };
    let database = Database::join(location).await?;
    let mut right = true;
    if args.log {
        right &= verify_log(&database).await?;
    }
    if !projections.is_empty() {
        right &= verify_tables(projections, &database).await?;
    }
    database.close().await?;
    Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether the log keeps every rule.
async fn verify_log(database: &Database) -> anyhow::Result<bool> {
    let checked = journal::check_log(&database.pool).await?;
    for rule in &checked {
        let verdict = if rule.offences == 0 { "ok".to_owned() } else { format!("{} WRONG", rule.offences) };
        say(&format!("{:16} {:>9} {}: {verdict}", rule.name, rule.checked, rule.unit));
    }
    for rule in &checked {
        for finding in &rule.findings {
            say(&format!("    {:16} {finding}", rule.name));
        }
    }
    Ok(checked.iter().all(|rule| rule.offences == 0))
}

/// Whether every row of the read tables is what the log gives.
async fn verify_tables(projections: Vec<&'static Projection>, database: &Database) -> anyhow::Result<bool> {
    let engine = quiet_engine(database).await?;
    let bars = MultiProgress::new();
    let mut different = 0;
    for projection in projections {
        let bar = bars.add(bar(projection.name));
        let found = projector::verify(&database.pool, projection, &|progress| show(&bar, progress)).await?;
        bar.finish_and_clear();
        let verdict = if found.different == 0 { "equal".to_owned() } else { format!("{} DIFFERENT", found.different) };
        say(&format!("{:16} {:>9} rows at position {}: {verdict}", found.name, found.rows, found.position));
        for difference in &found.examples {
            let side = if difference.live { "only live   " } else { "only rebuilt" };
            say(&format!("    {side} {} {}", difference.table, difference.row));
        }
        different += found.different;
    }
    engine.stop().await?;
    Ok(different == 0)
}

/// Does something with the database of a running shop, or of one that is started for it.
async fn manage(
    location: &Location,
    act: impl AsyncFnOnce(&Database) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    let database = Database::join(location).await?;
    let done = act(&database).await;
    database.close().await?;
    done
}

async fn status(location: &Location, config: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let database = Database::join(location).await?;
    let projections = projector::status(&database.pool).await?;
    let tasks = scheduler::status(&database.pool).await?;
    database.close().await?;
    let head = projections.first().map_or(0, |projection| projection.head);
    let mail = match &config.smtp_url {
        Some(_) => "mails are sent by SMTP".to_owned(),
        None => format!("mails are written into {}", config.mail_dir().display()),
    };
    say(&format!("{}\nlog ends at position {head}\n{mail}\n", location.describe()));
    for projection in &projections {
        let state = match projection.state {
            ProjectionState::Live => "live",
            ProjectionState::Rebuilding => "rebuilding",
            ProjectionState::Stopped => "stopped",
            ProjectionState::Missing => "missing",
        };
        say(&format!("{:17} {state:10} at {}, {} behind", projection.name, projection.position, projection.lag));
    }
    say("");
    for task in &tasks {
        let last = task.last_run_at.map_or("never".to_owned(), |at| at.format("%F %T").to_string());
        let error = task.last_error.as_ref().map_or(String::new(), |error| format!(", failed: {error}"));
        say(&format!("{:17} ran {last}, due {}{error}", task.name, task.due_at.format("%F %T")));
    }
    match projections.into_iter().find_map(|projection| projection.last_error) {
        Some(error) => bail!("the projector has stopped: {error}"),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Journal and projector beside those of a running server, if there is one: tables that are not there yet are made.
async fn quiet_engine(database: &Database) -> anyhow::Result<Engine> {
    let (journal, projector) = (JournalOptions::default(), ProjectorOptions::default());
    Ok(Engine::start(&database.connect, &database.pool, journal, projector).await?)
}

fn find(names: &[String]) -> anyhow::Result<Vec<&'static Projection>> {
    if names.is_empty() {
        return Ok(PROJECTIONS.iter().collect());
    }
    let known = || PROJECTIONS.iter().map(|projection| projection.name).collect::<Vec<_>>().join(", ");
    let find = |name: &String| {
        Projection::find(name).with_context(|| format!("no projection `{name}`; there are {}", known()))
    };
    names.iter().map(find).collect()
}

fn bar(name: &'static str) -> ProgressBar {
    let style = style("{msg:24} {wide_bar} {pos}/{len} events, {prefix}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_message(name)
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.of.unsigned_abs());
    bar.set_position(progress.position.unsigned_abs());
    bar.set_prefix(format!("{:.0}/s, {} s left", progress.events_per_second, progress.left.as_secs()));
}

fn style(template: &str) -> anyhow::Result<ProgressStyle> {
    ProgressStyle::with_template(template).context("the progress bar cannot be drawn")
}

/// The error and its causes; some errors name their cause themselves.
fn one_line(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |line, cause| match line.as_str() {
        "" => cause,
        _ if line.contains(&cause) => line,
        _ => format!("{line}: {cause}"),
    })
}

/// Standard output may be closed: that is its reader's choice, and no error of ours.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn say_error(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
