//! The tasks that run at set times: the operators' commands, without a terminal.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use super::tasks::TaskContext;
use super::{CronSchedule, RunReport, ScheduleArgs, ScheduleSetting, ScheduledTask, Task};
use crate::archive::{self, ArchiveOptions};
use crate::catalogue::{self, CatalogueShop, DumpName, DumpOptions};
use crate::config::DatabaseConfig;
use crate::files::{self, CleanupOptions, MediaFiles};

/// What the tasks need.
#[derive(Clone)]
pub struct DumpContext {
    pub tasks: TaskContext,
    pub connect: PgConnectOptions,
    pub files: MediaFiles,
}

/// The longest delay before a failed run is tried again.
const ONE_HOUR: Duration = Duration::from_secs(3_600);
/// The most events that one run archives, about.
const ARCHIVED_EVENTS: i64 = 100_000;

/// The tasks of the settings; a task that is named twice is refused.
pub fn build(config: &ScheduleArgs, database: &DatabaseConfig, context: &DumpContext) -> anyhow::Result<Vec<Task>> {
    let mut scheduled: Vec<Task> = Vec::new();
    for ScheduleSetting { task, times } in &config.schedule {
        let task = match task {
            ScheduledTask::Archive => archive(&context.tasks.pool, config.archive_older_than),
            ScheduledTask::Cleanup => {
                let (max_age, temporary_folder) = (config.cleanup_max_age, Some(database.temporary_dir()));
                clean_up(&context.files, CleanupOptions { max_age, dry_run: false, temporary_folder })
            }
            ScheduledTask::Dump => {
                dump(task.name(), context, dump_options(database.dumps_dir.clone(), DumpName::Dump, config.dump_keep))
            }
            ScheduledTask::Backup => {
                let folder = database.backups_dir.clone();
                dump(task.name(), context, dump_options(folder, DumpName::Backup, config.dump_keep))
            }
        };
        ensure!(scheduled.iter().all(|other| other.name != task.name), "--schedule names {} twice", task.name);
        scheduled.push(task.at(CronSchedule::new(times.clone(), config.schedule_zone)));
    }
    Ok(scheduled)
}

/// A backup holds the categories too, so that it fills an empty shop.
fn dump_options(folder: PathBuf, name: DumpName, keep: Option<NonZeroUsize>) -> DumpOptions {
    DumpOptions { folder, name, with_categories: matches!(name, DumpName::Backup), keep, in_use: None }
}

/// Archives closed orders and dead carts whose last event is older than `older_than`.
pub fn archive(pool: &PgPool, older_than: Duration) -> Task {
    Task::with("archive", ONE_HOUR, pool, move |pool| async move {
        let options = ArchiveOptions { most_events: Some(ARCHIVED_EVENTS), ..ArchiveOptions::older_than(older_than) };
        let report = archive::run(&pool, &options).await?;
        tracing::info!("{report}");
        Ok(RunReport { handled: report.orders + report.carts, more: report.more })
    })
}

/// Deletes old temporary files, and pictures that no image refers to.
pub fn clean_up(files: &MediaFiles, options: CleanupOptions) -> Task {
    Task::with("cleanup", ONE_HOUR, files, move |files| {
        let options = options.clone();
        async move {
            let report = files::clean_up(&files, &options).await?;
            for failure in &report.failures {
                tracing::warn!(path = failure.path, reason = failure.reason, "cannot delete a file");
            }
            tracing::info!("{report}");
            Ok(RunReport { handled: report.deleted, more: false })
        }
    })
}

/// Writes the products to a new file.
fn dump(name: &'static str, context: &DumpContext, options: DumpOptions) -> Task {
    Task::with(name, ONE_HOUR, context, move |context| {
        let options = options.clone();
        async move {
            let TaskContext { journal, projector, pool } = &context.tasks;
            let shop = CatalogueShop { journal, projector, connect: &context.connect, pool, media: &context.files };
            let report = catalogue::dump(&shop, &options, &|_| ()).await?;
            let handled = report.elements.iter().map(|(_, count)| count).sum();
            let (file, deleted) = (report.path.display(), report.deleted.len());
            tracing::info!(%file, position = report.position, handled, deleted, "products are dumped");
            Ok(RunReport { handled, more: false })
        }
    })
}
