//! The running shop: a journal and a projector on one database, served over HTTP until it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::accounts::{Accounts, Secret};
use crate::config::{DatabaseConfig, ServeConfig};
use crate::database::{Database, Location};
use crate::domain::account::Role;
use crate::domain::text::Email;
use crate::http::{self, App};
use crate::journal::{Journal, JournalOptions, Writer};
use crate::mail::{self, MailConfig, Mailer, OrderMails, Templates};
use crate::payments::{PaymentReactor, Payments};
use crate::projector::{Projector, ProjectorOptions};
use crate::reactors::{self, Reactor, Reactors};
use crate::scheduler::tasks::{self, Tools};
use crate::scheduler::{Scheduler, SchedulerOptions};
use crate::seeds;
use crate::webhooks::Webhooks;

/// The parts of a shop that work without HTTP.
pub struct Engine {
    pub journal: Journal,
    pub projector: Projector,
    writer: Writer,
}

/// Who may log in to an embedded shop at first.
const FIRST_ADMIN: &str = "admin@shop.localhost";
/// How long the commands under way may take when the shop stops.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(15);

impl Engine {
    pub async fn start(
        connect: &PgConnectOptions,
        pool: &PgPool,
        journal: JournalOptions,
        projector: ProjectorOptions,
    ) -> Result<Self, sqlx::Error> {
        let (head_sender, head) = watch::channel(0);
        let (journal, writer) = Journal::start(connect.clone(), pool.clone(), head_sender, journal).await?;
        let projector = Projector::start(connect.clone(), pool.clone(), head, projector).await?;
        Ok(Self { journal, projector, writer })
    }

    /// Answers every command that was accepted, then stops.
    pub async fn stop(self) -> anyhow::Result<()> {
        let Self { journal, projector, writer } = self;
        drop(journal);
        let drained = tokio::time::timeout(SHUTDOWN_TIMEOUT, writer.finish()).await;
        projector.stop().await;
        match drained {
            Ok(ended) => ended.context("the writer ended badly"),
            Err(_) => bail!("the log could not be written while the shop stopped"),
        }
    }
}

/// Serves the shop until SIGINT or SIGTERM.
pub async fn serve(config: &ServeConfig, database_config: &DatabaseConfig, location: &Location) -> anyhow::Result<()> {
    let (stop, stopping) = watch::channel(false);
    stop_on_signal(stop)?;
    let payments_config = config.payments.config()?;
    let http_listener =
        TcpListener::bind(config.listen).await.with_context(|| format!("cannot listen on {}", config.listen))?;
    let database = Database::open(location).await?;
    let journal = JournalOptions { cache_entries: config.cache_entries, ..JournalOptions::default() };
    let engine = Engine::start(&database.connect, &database.pool, journal, ProjectorOptions::default()).await?;
    if !config.no_seeds && seeds::is_empty_shop(&database.pool).await? {
        seeds::load(&engine.journal).await.context("the sample commands could not be played")?;
    }
    let (connect, pool) = (database.connect.clone(), database.pool.clone());
    let listening = http_listener.local_addr()?;
    let accounts_config = database_config.accounts(config, listening);
    let accounts = Accounts::start(&accounts_config, connect, pool, engine.journal.clone()).await?;
    let first_password = open_first_account(&accounts, location).await?;
    let payments = Payments::new(&payments_config, &database.pool)?;
    let tools =
        Tools { journal: engine.journal.clone(), projector: engine.projector.clone(), pool: database.pool.clone() };
    let tasks = vec![
        tasks::forget_answers(&tools),
        tasks::sweep_accounts(&accounts, config.audit_days),
        tasks::sweep_deliveries(&tools, config.webhook_days),
        tasks::sweep_instruments(&tools),
        tasks::expire_carts(&tools, config.cart_days),
        tasks::cancel_unpaid(&tools),
    ];
    drop(tools);
    let scheduler = Scheduler::start(database.connect.clone(), tasks, SchedulerOptions::default());
    let head = engine.journal.head();
    let default = reactors::Settings { max_attempts: config.reaction_attempts, ..reactors::Settings::default() };
    let mails = order_mails(config, &accounts_config.mail, &database.pool);
    let mut reactors = reactors(config, listening, &database.pool, &engine.journal, &payments)?;
    reactors.push(mails);
    let (connect, pool) = (database.connect.clone(), database.pool.clone());
    let reactors = Reactors::start_with(connect, pool, head, reactors, &default).await?;

    let app = App::new(
        engine.journal.clone(),
        engine.projector.clone(),
        accounts,
        database.pool.clone(),
        http::AppSettings { edge: config.edge.edge(), terms: config.terms(), payments },
        crate::cli::install_metrics(),
        stopping.clone(),
    );
    crate::cli::greet(listening, location, first_password.as_ref().map(|password| (FIRST_ADMIN, password)));
    let mut stopped = stopping;
    tokio::select! {
        served = http::serve(http_listener, app) => served?,
        // A client that never ends its request must not keep the shop from stopping.
        () = async {
            let _ = stopped.wait_for(|stopped| *stopped).await;
            tokio::time::sleep(SHUTDOWN_TIMEOUT).await;
        } => tracing::warn!("requests that did not end were cut off"),
    }
    tracing::info!("stopping");
    scheduler.stop().await;
    reactors.stop().await;
    let stopped = engine.stop().await;
    database.close().await?;
    stopped
}

/// Everything that follows from events outside of the database.
fn reactors(
    config: &ServeConfig,
    listening: SocketAddr,
    pool: &PgPool,
    journal: &Journal,
    payments: &Payments,
) -> anyhow::Result<Vec<Arc<dyn Reactor>>> {
    let private_allowed = config.webhook_private.unwrap_or_else(|| listening.ip().is_loopback());
    let webhooks = Webhooks::new(pool.clone(), journal.clone(), private_allowed);
    let webhooks = webhooks.context("webhooks cannot be told over TLS")?;
    let payments = PaymentReactor::new(payments.clone(), journal.clone(), pool.clone());
    Ok(vec![Arc::new(webhooks), Arc::new(payments)])
}

fn order_mails(config: &ServeConfig, mail: &MailConfig, pool: &PgPool) -> Arc<dyn Reactor> {
    let templates = Templates::new(config.templates_dir.as_ref().map(|folder| folder.join("mail")));
    // What is wrong must not keep the shop from selling: its mails wait, and say so.
    for error in mail::check(&templates) {
        tracing::error!(%error, "a template of mails is wrong; mails that need it are parked");
    }
    Arc::new(OrderMails::new(pool.clone(), Mailer::new(mail), templates, config.payments.currency))
}

fn stop_on_signal(stop: watch::Sender<bool>) -> std::io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.send_replace(true);
    });
    Ok(())
}

/// Opens an account for the owner of an embedded shop that nobody can log in to yet, and returns its password. Who
/// brings a database of their own makes accounts on the command line.
async fn open_first_account(accounts: &Accounts, location: &Location) -> anyhow::Result<Option<Secret>> {
    if !matches!(location, Location::Embedded(_)) || !accounts.has_no_account().await? {
        return Ok(None);
    }
    let email = Email::parse(FIRST_ADMIN)?;
    Ok(Some(accounts.open_with_generated_password(email, Role::Admin).await?))
}
