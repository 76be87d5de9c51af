//! The tasks that run at set times: the operators' commands, without a terminal.

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use sqlx::PgPool;

use crate::archive::{self, ArchiveOptions};
use crate::catalogue::{self, DumpName, DumpOptions};
use crate::config::DatabaseConfig;
use crate::files::{self, CleanupOptions, MediaFiles};
use crate::scheduler::tasks::TaskContext;
use crate::scheduler::{CronSchedule, RunReport, ScheduleArgs, ScheduleSetting, ScheduledTask, Task};

/// The most events that one run archives, about.
const ARCHIVED_EVENTS: i64 = 100_000;
const ONE_HOUR: Duration = Duration::from_secs(3_600);

/// The tasks of the settings.
pub fn build(config: &ScheduleArgs, database: &DatabaseConfig, context: &TaskContext, files: &MediaFiles) -> Vec<Task> {
    let dump = |name: DumpName, folder: &Path| {
        let (folder, keep) = (folder.to_owned(), NonZeroUsize::new(config.keep_dumps));
        dump_products(name.task(), context, DumpOptions { folder, name, with_categories: true, keep, in_use: None })
    };
    let scheduled = config.schedule.iter().map(|ScheduleSetting { task, times }| {
        let schedule = CronSchedule::new(times.clone(), config.schedule_zone);
        let task = match task {
            ScheduledTask::Archive => archive(&context.pool, config.archive_older_than),
            ScheduledTask::Cleanup => {
                let options = CleanupOptions {
                    max_age: config.cleanup_max_age,
                    dry_run: false,
                    temporary_folder: Some(database.temporary_dir()),
                };
                clean_up(files, options)
            }
            ScheduledTask::Dump => dump(DumpName::Dump, &database.dumps_dir),
            ScheduledTask::Backup => dump(DumpName::Backup, &database.backups_dir),
        };
        task.at(schedule)
    });
    scheduled.collect()
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

/// Dumps all products to a new file.
pub fn dump_products(name: &'static str, context: &TaskContext, options: DumpOptions) -> Task {
    Task::with(name, ONE_HOUR, context, move |context| {
        let options = options.clone();
        async move {
            let TaskContext { journal, projector, pool } = &context;
            let report = catalogue::dump(journal, projector, pool, &options, &|_| ()).await?;
            let elements = report.elements.iter().map(|(_, count)| count).sum();
            tracing::info!(path = %report.path.display(), elements, position = report.position, "dumped the products");
            Ok(RunReport { handled: elements, more: false })
        }
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
