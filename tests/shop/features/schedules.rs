//! Tasks at set times: missed runs, changed settings, and what the server takes from its command line.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cartwright::scheduler::{
    CronSchedule, RunReport, Scheduler, SchedulerOptions, Task, TaskStatus, forget_unscheduled, run_now, status,
};
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use crate::support::pages::page;
use crate::support::program::{Server, command, text, url, wait_for};
use crate::support::{fresh_database, pool};

fn options() -> SchedulerOptions {
    SchedulerOptions { poll_interval: Duration::from_millis(5), time_limit: Duration::from_secs(20) }
}

/// The task `nightly`, which counts its runs.
fn counted(runs: &Arc<AtomicUsize>) -> Task {
    Task::with("nightly", Duration::from_secs(3_600), runs, |runs| async move {
        runs.fetch_add(1, Ordering::SeqCst);
        Ok(RunReport::default())
    })
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn task(pool: &PgPool, name: &str) -> TaskStatus {
    status(pool).await.unwrap().into_iter().find(|task| task.name == name).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_at_set_times_makes_up_for_missed_runs_once_and_follows_its_settings() {
    let connect = fresh_database().await;
    let pool = pool(&connect).await;
    let schedule = |text: &str| CronSchedule::new(text.parse().unwrap(), "Europe/Berlin".parse().unwrap());
    let runs = Arc::new(AtomicUsize::new(0));
    let nightly = |times: &str| counted(&runs).at(schedule(times));
    let first = Scheduler::start(connect.clone(), vec![nightly("30 3 1 * *")], options());
    until("the row", async || !status(&pool).await.unwrap().is_empty()).await;
    let planned = task(&pool, "nightly").await;
    assert_eq!(planned.schedule.as_deref(), Some("30 3 1 * * Europe/Berlin"));
    assert_eq!(planned.due_at, schedule("30 3 1 * *").next_after(chrono::Utc::now()).unwrap());
    // Runs of several months were missed; two nodes make up for them with one run.
    let second = Scheduler::start(connect.clone(), vec![nightly("30 3 1 * *")], options());
    let missed = "update scheduler_task set due_at = due_at - interval '90 days'";
    sqlx::query(missed).execute(&pool).await.unwrap();
    until("the run", async || task(&pool, "nightly").await.last_run_at.is_some()).await;
    assert_eq!(task(&pool, "nightly").await.due_at, planned.due_at);
    first.stop().await;
    second.stop().await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);

    // Another schedule replaces the time; a task without a schedule is forgotten.
    let weekly = Scheduler::start(connect, vec![nightly("0 5 * * 1")], options());
    until("the new time", async || task(&pool, "nightly").await.schedule.as_deref() == Some("0 5 * * 1 Europe/Berlin"))
        .await;
    assert_eq!(task(&pool, "nightly").await.due_at, schedule("0 5 * * 1").next_after(chrono::Utc::now()).unwrap());
    weekly.stop().await;
    forget_unscheduled(&pool, &[]).await.unwrap();
    assert!(status(&pool).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_runs_tasks_at_the_times_of_its_settings() {
    let database = fresh_database().await;
    let folder = tempfile::tempdir().unwrap();
    let page = page("docs/operating.md");
    let shown = page.lines().find_map(|line| line.strip_prefix("cartwright serve --schedule ")).unwrap();
    assert_eq!(shown, "'archive=30 3 * * *' --schedule-zone Europe/Berlin");
    let serve = |arguments: &[&str]| {
        let mut command = command(folder.path());
        command
            .env("DATABASE_URL", url(&database))
            .args(["serve", "--no-seeds", "--listen", "127.0.0.1:0"])
            .args(arguments);
        command
    };
    for (schedule, expected) in [
        ("archive=30 25 * * *", "`30 25 * * *` is not a cron expression"),
        ("bake=30 3 * * *", "`bake` is not a task"),
        ("archive=0 3 * * *;archive=0 4 * * *", "--schedule names the task archive twice"),
        ("dump=@daily", "is not a cron expression of five fields"),
    ] {
        let refused = serve(&["--schedule", schedule]).output().unwrap();
        assert!(!refused.status.success() && text(&refused).contains(expected), "{refused:?}");
    }
    let all = "archive=30 3 * * *;cleanup=0 4 * * *;dump=0 5 1 * *;backup=0 6 * * sun";
    let mut command = serve(&["--schedule", all, "--schedule-zone", "Europe/Berlin", "--keep-dumps", "1"]);
    command.env("SHOP_DUMPS_DIR", folder.path().join("dumps")).env("SHOP_BACKUPS_DIR", folder.path().join("backups"));
    let server = Server::spawn(&mut command);
    let find = |name: &str| {
        let tasks: Vec<Value> = serde_json::from_str(&server.get("/shop/api/scheduler/")).unwrap();
        tasks.into_iter().find(|task| task["name"] == name)
    };
    let archive = wait_for("the task", || find("archive"));
    assert_eq!(archive["schedule"], "30 3 * * * Europe/Berlin");
    let pool = pool(&database).await;
    for name in ["archive", "cleanup", "dump", "backup"] {
        assert!(find(name).unwrap()["last_run_at"].is_null(), "{name} waits for its time");
        assert!(run_now(&pool, name).await.unwrap());
        let ran = wait_for(name, || find(name).filter(|task| !task["last_run_at"].is_null()));
        assert!(ran["last_error"].is_null(), "{ran}");
    }
    for (name, files) in [("dumps", "products_dump_"), ("backups", "heroku_backup_")] {
        let found: Vec<_> = std::fs::read_dir(folder.path().join(name)).unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(found.len(), 1, "{name}");
        assert!(found[0].file_name().into_string().unwrap().starts_with(files));
    }
    // A run that fails is shown with its reason until one succeeds.
    let dumps = folder.path().join("dumps");
    std::fs::remove_dir_all(&dumps).unwrap();
    std::fs::write(&dumps, "in the way").unwrap();
    assert!(run_now(&pool, "dump").await.unwrap());
    let failed = wait_for("the failure", || find("dump").filter(|task| !task["last_error"].is_null()));
    assert!(failed["last_error"].as_str().unwrap().contains("/dumps"), "{failed}");
    let status = run_with(&database, folder.path(), &["status"]);
    assert!(status.contains(" (30 3 * * * Europe/Berlin)"), "{status}");
    assert!(status.contains("/dumps"), "{status}");
    std::fs::remove_file(&dumps).unwrap();
    assert!(run_now(&pool, "dump").await.unwrap());
    wait_for("a run that succeeds", || find("dump").filter(|task| task["last_error"].is_null()));
    assert_eq!(std::fs::read_dir(&dumps).unwrap().count(), 1);
}

fn run_with(database: &PgConnectOptions, folder: &Path, arguments: &[&str]) -> String {
    let mut program = command(folder);
    text(&program.env("DATABASE_URL", url(database)).args(arguments).output().unwrap())
}
