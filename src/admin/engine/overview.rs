//! The engine room at a glance: warnings, the log, the tables, what waits, and the last reports.

use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::projections::{self, Projection, State};
use super::reactions::{self, Reactor};
use super::tasks::{self, Task};
use crate::admin::api::Problem;
use crate::admin::form::capitalized;
use crate::admin::format::in_words;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/engine/overview.html")]
struct OverviewPage {
    page: Page,
    status: Status,
    tables: Vec<Projection>,
    tasks: Vec<Task>,
    /// Empty if the member may not see them.
    reactors: Vec<Reactor>,
}

/// The report as the API returns it.
#[derive(Deserialize)]
struct Status {
    lag: i64,
    writes: bool,
    warnings: Vec<Warning>,
    log: Log,
    applied_files: Vec<AppliedFile>,
    restored_reactions: Vec<RestoredReactions>,
    part_paid_orders: Option<i64>,
    missing_stock: Option<MissingStock>,
    waiting_erasures: Option<WaitingErasures>,
}

#[derive(Deserialize)]
struct Warning {
    code: String,
    detail: String,
}

#[derive(Deserialize)]
struct Log {
    log_id: String,
    generation: i64,
    began_at: DateTime<Utc>,
    began_after: i64,
    position: i64,
}

#[derive(Deserialize)]
struct AppliedFile {
    kind: String,
    name: String,
    total_rows: i64,
    applied_rows: i64,
    created: i64,
    changed: i64,
    unchanged: i64,
    refused: i64,
    first_refused: Vec<RefusedRow>,
    backup: Option<String>,
    changed_at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct RefusedRow {
    row: i64,
    reason: String,
}

#[derive(Deserialize)]
struct RestoredReactions {
    reactor: String,
    parked: i64,
    not_enqueued: i64,
}

#[derive(Deserialize)]
struct MissingStock {
    units: i64,
    products: i64,
}

#[derive(Deserialize)]
struct WaitingErasures {
    erasures: i64,
    since: Option<DateTime<Utc>>,
}

impl Warning {
    fn title(&self) -> String {
        in_words(&self.code)
    }

    fn text(&self) -> String {
        capitalized(&self.detail)
    }

    /// The page where an operator decides about it, with the text of the link.
    fn page(&self, page: &Page) -> Option<(&'static str, &'static str)> {
        let (operation, address, label) = match self.code.as_str() {
            "reactions_parked" | "restored_reactions" => ("list_reactions", "/admin/reactions", "Show the deliveries"),
            "webhook_disabled" => ("list_webhooks", "/admin/webhooks", "Show the webhooks"),
            "rebuild_failed" | "table_outdated" | "verification_failed" => {
                ("list_projections", "/admin/projections", "Show the projections")
            }
            "clock_implausible" => ("list_tasks", "/admin/tasks", "Show the tasks"),
            _ => return None,
        };
        page.may(operation).then_some((address, label))
    }
}

impl RestoredReactions {
    fn title(&self) -> String {
        in_words(&self.reactor)
    }
}

impl AppliedFile {
    fn is_finished(&self) -> bool {
        self.applied_rows >= self.total_rows
    }
}

impl OverviewPage {
    fn parked(&self) -> i64 {
        self.reactors.iter().map(|reactor| reactor.parked).sum()
    }

    fn failed_tasks(&self) -> usize {
        self.tasks.iter().filter(|task| task.last_error.is_some()).count()
    }

    fn rebuilding(&self) -> usize {
        self.tables.iter().filter(|table| table.is_rebuilding()).count()
    }

    fn broken(&self) -> usize {
        let is_broken = |table: &&Projection| {
            matches!(table.state, State::Stopped | State::Missing) || table.rebuild_error.is_some()
        };
        self.tables.iter().filter(is_broken).count()
    }

    /// Dumps, backups, archiving runs and clean-ups: the tasks at set times.
    fn scheduled(&self) -> Vec<&Task> {
        self.tasks.iter().filter(|task| task.schedule.is_some() || task.last_report.is_some()).collect()
    }
}

pub async fn show(staff: Staff) -> PageResult {
    let status = async { Ok::<_, Problem>(staff.api.get("status").read::<Status>().await?.data) };
    let reactors =
        async { if staff.may("list_reactors") { reactions::read_reactors(&staff).await } else { Ok(Vec::new()) } };
    let (status, tables, tasks, reactors) =
        tokio::try_join!(status, projections::read(&staff), tasks::read(&staff), reactors)?;
    staff.show(&OverviewPage { page: staff.page("Health"), status, tables, tasks, reactors })
}
