//! Scheduled tasks: when each ran, what it did, and when it runs next.

use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::admin::api::Problem;
use crate::admin::form::Form;
use crate::admin::format::in_words;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/engine/tasks.html")]
struct TasksPage {
    page: Page,
    tasks: Vec<Task>,
    clock: Clock,
    /// Why a run was refused.
    problem: Option<Problem>,
}

/// A task as the API returns it.
#[derive(Deserialize)]
pub struct Task {
    pub name: String,
    pub schedule: Option<String>,
    pub due_at: DateTime<Utc>,
    running: bool,
    pub last_run_at: Option<DateTime<Utc>>,
    last_handled: Option<i64>,
    pub last_report: Option<String>,
    pub last_error: Option<String>,
    failures: i64,
}

#[derive(Deserialize)]
struct Clock {
    verdict: String,
    node_offset_seconds: f64,
}

impl Task {
    pub fn title(&self) -> String {
        title(&self.name)
    }

    pub fn is_running(&self) -> bool {
        self.running
    }

    fn state(&self) -> &'static str {
        match (self.running, &self.last_error, self.last_run_at) {
            (true, ..) => "running",
            (false, Some(_), _) => "failed",
            (false, None, Some(_)) => "done",
            (false, None, None) => "has not run",
        }
    }

    fn tone(&self) -> &'static str {
        match (self.running, &self.last_error, self.last_run_at) {
            (false, Some(_), _) => "bad",
            (false, None, Some(_)) => "good",
            _ => "calm",
        }
    }
}

/// What a task does, in words.
fn title(name: &str) -> String {
    let text = match name {
        "archive" => "Archive closed orders and old carts",
        "backup" => "Back up the products",
        "cancel_unpaid" => "Cancel unpaid orders",
        "cleanup" => "Delete old files",
        "dump" => "Dump the products",
        "erase_when_closed" => "Erase customers without open orders",
        "expire_carts" => "Empty old carts",
        "forget_answers" => "Delete old answers of repeated commands",
        "sweep_accounts" => "Delete expired sessions and links",
        "sweep_deliveries" => "Delete old records of deliveries",
        "sweep_instruments" => "Delete unused payment details",
        "sweep_reactions" => "Drop old parked mails",
        "tend_webhooks" => "Disable and retry failing webhooks",
        "warn_of_erasures" => "Warn of overdue erasures",
        _ => return in_words(name),
    };
    text.to_owned()
}

impl Clock {
    fn is_plausible(&self) -> bool {
        self.verdict == "plausible"
    }

    fn offset(&self) -> String {
        format!("{:.1}", self.node_offset_seconds.abs())
    }
}

impl TasksPage {
    async fn read(staff: &Staff, problem: Option<Problem>) -> Result<Self, Problem> {
        let clock = async { Ok::<_, Problem>(staff.api.get("clock").read::<Clock>().await?.data) };
        let (tasks, clock) = tokio::try_join!(read(staff), clock)?;
        Ok(Self { page: staff.page("Tasks"), tasks, clock, problem })
    }
}

pub async fn read(staff: &Staff) -> Result<Vec<Task>, Problem> {
    Ok(staff.api.get("scheduler").read::<Vec<Task>>().await?.data)
}

pub async fn show(staff: Staff) -> PageResult {
    staff.show(&TasksPage::read(&staff, None).await?)
}

pub async fn run(staff: Staff, form: Form) -> PageResult {
    let name = form.value("name");
    if !read(&staff).await?.iter().any(|task| task.name == name) {
        return Err(Problem::not_found());
    }
    match staff.api.post(format!("scheduler/{name}/run")).send_command().await {
        Ok(()) => staff.done("/admin/tasks", format!("The task starts within a second: {}.", title(name))),
        Err(problem) if problem.is_about_input() => {
            staff.show_refused(&problem, &TasksPage::read(&staff, Some(problem.clone())).await?)
        }
        Err(problem) => Err(problem),
    }
}
