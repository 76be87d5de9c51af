//! The running shop: a journal and a projector on one database, served over HTTP until SIGINT or SIGTERM.

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
use crate::clock::Clock;
use crate::config::{DatabaseConfig, ServeConfig};
use crate::database::roles::reader_state;
use crate::database::{Database, Location};
use crate::domain::account::Role;
use crate::domain::text::Email;
use crate::files::{FileDeletion, MediaError, MediaFiles, MediaStore};
use crate::http::{self, App};
use crate::journal::{Journal, JournalOptions, LogFile, WriterHandle};
use crate::mail::{self, MailConfig, Mailer, OrderMails, StaffMails, Templates};
use crate::metrics;
use crate::payments::{self, PaymentReactor, Payments};
use crate::projector::{Projector, ProjectorOptions};
use crate::reactors::{Reactor, ReactorOptions, Reactors};
use crate::scheduled_tasks;
use crate::scheduler::tasks::{self, TaskContext};
use crate::scheduler::{Scheduler, SchedulerOptions, Task, forget_unscheduled};
use crate::seeds;
use crate::webhooks::WebhookReactor;

/// The parts of a shop that work without HTTP: journal and projector.
pub struct Engine {
    pub journal: Journal,
    pub projector: Projector,
    writer: WriterHandle,
}

/// A shop that has become ready for requests.
pub struct Opening {
    pub address: SocketAddr,
    /// Public URL of the shop, if one is set.
    pub public_url: Option<String>,
    /// E-mail address and password of the admin account that this start created.
    pub first_admin: Option<(&'static str, Secret)>,
    /// Whether the shop has no account yet, so that an operator has to add one.
    pub without_account: bool,
}

/// E-mail address of the admin account that the first start creates.
const FIRST_ADMIN: &str = "admin@shop.localhost";
/// Time limit of a run of a task at set times.
const SCHEDULED_TIME_LIMIT: Duration = Duration::from_secs(3_600);
/// Time limit for requests and commands in progress when the shop stops.
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

    /// Finishes every accepted command, then stops.
    pub async fn stop(self) -> anyhow::Result<()> {
        let Self { journal, projector, writer } = self;
        drop(journal);
        let drained = tokio::time::timeout(SHUTDOWN_TIMEOUT, writer.finish()).await;
        projector.stop().await;
        match drained {
            Ok(ended) => ended.context("the writer failed"),
            Err(_) => bail!("the writer did not finish within the shutdown timeout"),
        }
    }
}

/// Serves the shop until SIGINT or SIGTERM. Calls `on_open` once, when the shop is ready for requests.
pub async fn serve(
    config: &ServeConfig,
    database_config: &DatabaseConfig,
    location: &Location,
    on_open: impl FnOnce(&Opening),
) -> anyhow::Result<()> {
    let (stop, stopping) = watch::channel(false);
    stop_on_signal(stop)?;
    let payments_config = config.payments.config()?;
    let http_listener =
        TcpListener::bind(config.listen).await.with_context(|| format!("cannot listen on {}", config.listen))?;
    let media = MediaStore::open(&database_config.media())?;
    if !Database::exists(location).await?
        && let Err(error @ MediaError::Owned(_)) = media.check_unowned().await
    {
        return Err(error.into());
    }
    let database = Database::open(location).await?;
    if let Some(advice) = reader_state(&mut *database.pool.acquire().await?).await?.advice() {
        tracing::info!("{advice}");
    }
    let files = MediaFiles::new(media.clone(), database.pool.clone());
    match files.claim_store().await {
        Err(MediaError::OtherOwner(error)) => return Err(error.into()),
        // A shop without its images still sells; the store is compared before it is written.
        Err(error) => tracing::error!(%error, "the media store cannot be used; images cannot be stored"),
        Ok(()) => {}
    }
    let journal = JournalOptions {
        cache_entries: config.cache_entries,
        log_file: Some(LogFile::in_data_folder(location.data_dir())),
        ..JournalOptions::default()
    };
    let engine = Engine::start(&database.connect, &database.pool, journal, ProjectorOptions::default()).await?;
    if !config.no_seeds && seeds::is_empty_shop(&database.pool).await? {
        seeds::load(&engine.journal).await.context("cannot load the sample data")?;
    }
    let (connect, pool) = (database.connect.clone(), database.pool.clone());
    let listening = http_listener.local_addr()?;
    let accounts_config = database_config.accounts(config, listening);
    restrict_older_mails(&accounts_config.mail).await;
    let accounts = Accounts::start(&accounts_config, connect, pool, engine.journal.clone()).await?;
    let is_embedded = matches!(location, Location::Embedded(_));
    let first_password = open_first_account(&accounts, config.first_admin.unwrap_or(is_embedded)).await?;
    let without_account = accounts.has_no_account().await?;
    let payments = Payments::new(&payments_config, &database.pool)?;
    let guest_invoices = payments::guest_invoices_by_default(&database.pool).await?;
    if guest_invoices && config.guest_invoices.is_none() {
        tracing::info!("guests may pay by invoice, as before; --guest-invoices=false ends it, =true keeps it");
    }
    let payment_policy = config.payment_policy(guest_invoices);
    let tasks = periodic_tasks(config, &engine, &accounts, &database.pool);
    let scheduler = Scheduler::start(database.connect.clone(), tasks, SchedulerOptions::default());
    let context = task_context(&engine, &database.pool);
    let scheduled = scheduled_tasks::build(&config.schedules, database_config, &context, &files);
    // The writer ends when no journal is left.
    drop(context);
    forget_unscheduled(&database.pool, &scheduled.iter().map(|task| task.name).collect::<Vec<_>>()).await?;
    // By themselves, because a run may take long and must not delay the periodic tasks.
    let options = SchedulerOptions { time_limit: SCHEDULED_TIME_LIMIT, ..SchedulerOptions::default() };
    let scheduled = Scheduler::start(database.connect.clone(), scheduled, options);
    let log = engine.journal.known_log();
    let default = ReactorOptions { max_attempts: config.reaction_attempts, ..ReactorOptions::default() };
    let mail = &accounts_config.mail;
    let mut reactors = build_reactors(config, listening, mail, &database.pool, &engine.journal, &payments)?;
    reactors.push(Arc::new(FileDeletion::new(MediaFiles::new(media.clone(), database.pool.clone()))));
    let (connect, pool) = (database.connect.clone(), database.pool.clone());
    let reactors = Reactors::start_with(connect, pool, log, reactors, &default).await?;

    let app = App::new(
        engine.journal.clone(),
        engine.projector.clone(),
        accounts,
        database.pool.clone(),
        http::AppSettings {
            edge: config.edge.edge(),
            payment_policy,
            payments,
            cart_days: config.cart_days,
            media: Some(media),
            response_cache: config.response_cache(),
            time_zone: config.schedules.schedule_zone,
            ..http::AppSettings::default()
        },
        metrics::install(),
        stopping.clone(),
    );
    let first_admin = first_password.map(|password| (FIRST_ADMIN, password));
    let public_url = config.public_url.clone();
    on_open(&Opening { address: listening, public_url, first_admin, without_account });
    if listening.ip().is_unspecified() && config.public_url.is_none() {
        tracing::warn!("links in mails begin with http://{listening}, which no buyer can open; set --public-url");
    }
    let mut stopped = stopping;
    tokio::select! {
        served = http::serve(http_listener, app) => served?,
        // A client that never ends its request must not prevent the shutdown.
        () = async {
            let _ = stopped.wait_for(|stopped| *stopped).await;
            tokio::time::sleep(SHUTDOWN_TIMEOUT).await;
        } => tracing::warn!("the shutdown timeout is over; closing the connections of unfinished requests"),
    }
    tracing::info!("shutting down");
    scheduler.stop().await;
    scheduled.stop().await;
    reactors.stop().await;
    let stopped = engine.stop().await;
    database.close().await?;
    stopped
}

/// Mails of earlier versions could be read by other users of the machine if they may enter the folder.
async fn restrict_older_mails(mail: &MailConfig) {
    let folder = mail.folder.clone();
    let restricted = tokio::task::spawn_blocking(move || mail::restrict_mails(&folder)).await;
    if let Ok(Err(error)) = restricted {
        tracing::warn!(%error, folder = %mail.folder.display(), "other users may be able to read older mails");
    }
}

fn task_context(engine: &Engine, pool: &PgPool) -> TaskContext {
    TaskContext { journal: engine.journal.clone(), projector: engine.projector.clone(), pool: pool.clone() }
}

/// All tasks that run periodically.
fn periodic_tasks(config: &ServeConfig, engine: &Engine, accounts: &Accounts, pool: &PgPool) -> Vec<Task> {
    let context = task_context(engine, pool);
    vec![
        tasks::forget_answers(&context, config.kept_answers),
        tasks::sweep_accounts(accounts, config.audit_days),
        tasks::sweep_deliveries(&context, config.webhook_days),
        tasks::sweep_reactions(&context, config.parked_days),
        tasks::tend_webhooks(&context, config.webhook_off_days),
        tasks::sweep_instruments(&context),
        tasks::expire_carts(&context, config.cart_days),
        tasks::cancel_unpaid(&context),
        tasks::erase_when_closed(&context),
        tasks::warn_of_erasures(&context),
    ]
}

/// All reactors of the shop.
fn build_reactors(
    config: &ServeConfig,
    listening: SocketAddr,
    mail: &MailConfig,
    pool: &PgPool,
    journal: &Journal,
    payments: &Payments,
) -> anyhow::Result<Vec<Arc<dyn Reactor>>> {
    let private_allowed = config.webhook_private.unwrap_or_else(|| listening.ip().is_loopback());
    let webhooks = WebhookReactor::new(pool.clone(), journal.clone(), private_allowed);
    let webhooks = webhooks.context("cannot set up TLS for webhook deliveries")?;
    Ok(vec![
        Arc::new(webhooks),
        Arc::new(PaymentReactor::new(payments.clone(), journal.clone(), pool.clone())),
        Arc::new(build_order_mails(config, mail, pool, journal.clock())),
        Arc::new(StaffMails::new(pool.clone(), Mailer::new(mail, journal.clock()))),
    ])
}

fn build_order_mails(config: &ServeConfig, mail: &MailConfig, pool: &PgPool, clock: &Clock) -> OrderMails {
    let templates = Templates::new(config.templates_dir.as_ref().map(|folder| folder.join("mail")));
    // A broken template must not stop sales: only the mails that need it are parked.
    for error in mail::check(&templates) {
        tracing::error!(%error, "a mail template is invalid; mails that need it will be parked");
    }
    OrderMails::new(pool.clone(), Mailer::new(mail, clock), templates, config.payments.currency)
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

/// Creates the first admin account of a shop without accounts, and returns its password. Of several nodes that start at
/// once, one creates it.
async fn open_first_account(accounts: &Accounts, is_wanted: bool) -> anyhow::Result<Option<Secret>> {
    if !is_wanted || !accounts.has_no_account().await? {
        return Ok(None);
    }
    let email = Email::parse(FIRST_ADMIN)?;
    match accounts.open_with_generated_password(email, Role::Admin).await {
        Ok(password) => Ok(Some(password)),
        Err(_) if !accounts.has_no_account().await? => Ok(None),
        Err(error) => Err(error.into()),
    }
}
