//! The read tables: how far each is, and rebuilds and verifications with their progress.

use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::admin::api::Problem;
use crate::admin::form::Form;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/engine/projections.html")]
struct ProjectionsPage {
    page: Page,
    rows: Vec<Projection>,
    /// The query under which a script asks for the table again.
    watch: String,
    /// Whether a rebuild or a verification runs.
    busy: bool,
    /// Why a button was refused.
    problem: Option<Problem>,
}

/// The table alone, as a script gets it.
#[derive(Template)]
#[template(path = "admin/engine/projections_table.html")]
struct ProjectionsTable {
    page: Page,
    rows: Vec<Projection>,
    watch: String,
    busy: bool,
}

/// A read table as the API returns it.
#[derive(Deserialize)]
pub struct Projection {
    pub name: String,
    pub position: i64,
    pub head: i64,
    pub lag: i64,
    pub state: State,
    rate: Option<f64>,
    rebuild_position: Option<i64>,
    pub last_error: Option<String>,
    built_at: Option<DateTime<Utc>>,
    is_current: bool,
    pub rebuild_error: Option<String>,
    rebuild_attempts: Option<i64>,
    rebuild_retry_at: Option<DateTime<Utc>>,
    verification: Option<Verification>,
    /// Whether this page has started a rebuild that is not in service yet.
    #[serde(skip)]
    is_awaited: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Live,
    Rebuilding,
    Stopped,
    Missing,
}

#[derive(Deserialize)]
struct Verification {
    state: Verdict,
    position: i64,
    target: i64,
    finished_at: Option<DateTime<Utc>>,
    rows: Option<i64>,
    different: Option<i64>,
    error: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Running,
    Equal,
    Different,
    Failed,
    Interrupted,
}

impl Projection {
    pub fn state_text(&self) -> &'static str {
        match self.state {
            State::Stopped => "stopped",
            State::Missing => "missing",
            _ if self.is_rebuilding() => "rebuilding",
            State::Live | State::Rebuilding => "live",
        }
    }

    pub fn tone(&self) -> &'static str {
        match self.state {
            State::Stopped | State::Missing => "bad",
            _ if self.is_rebuilding() => "calm",
            _ if self.rebuild_error.is_some() || !self.is_current => "warn",
            State::Live | State::Rebuilding => "good",
        }
    }

    pub fn is_rebuilding(&self) -> bool {
        self.rebuild_position.is_some() || self.is_awaited
    }

    fn done(&self) -> i64 {
        self.rebuild_position.unwrap_or_default()
    }

    /// What the bar of a rebuild says: how many events it has read, and how long it takes.
    fn progress(&self, page: &Page) -> String {
        let (done, of) = (page.quantity(&self.done()), page.quantity(&self.head));
        let rate = self.rate.filter(|rate| *rate >= 1.0);
        let left = rate.map(|rate| ((self.head - self.done()).max(0) as f64 / rate).ceil() as i64);
        match (rate, left) {
            (Some(rate), Some(left)) => {
                let rate = page.quantity(&(rate.round() as i64));
                format!("{done} of {of} events, {rate} a second, {left} s left")
            }
            _ => format!("{done} of {of} events"),
        }
    }

    fn is_busy(&self) -> bool {
        self.is_rebuilding() || self.verification.as_ref().is_some_and(Verification::is_running)
    }
}

impl Verification {
    fn is_running(&self) -> bool {
        self.state == Verdict::Running
    }

    fn text(&self, page: &Page) -> String {
        let count = |count: Option<i64>| page.quantity(&count.unwrap_or_default());
        match self.state {
            Verdict::Running => {
                format!("{} of {} events", page.quantity(&self.position), page.quantity(&self.target))
            }
            Verdict::Equal => format!("{} rows equal the log", count(self.rows)),
            Verdict::Different => format!("{} rows differ from the log", count(self.different)),
            Verdict::Failed => self.error.clone().unwrap_or_default(),
            Verdict::Interrupted => "interrupted: its node stopped".to_owned(),
        }
    }

    fn tone(&self) -> &'static str {
        match self.state {
            Verdict::Running => "calm",
            Verdict::Equal => "good",
            Verdict::Different => "bad",
            Verdict::Failed | Verdict::Interrupted => "warn",
        }
    }
}

pub async fn read(staff: &Staff) -> Result<Vec<Projection>, Problem> {
    Ok(staff.api.get("projections").read::<Vec<Projection>>().await?.data)
}

/// The tables, with the mark of the rebuild that the address waits for.
async fn read_watched(staff: &Staff) -> Result<Vec<Projection>, Problem> {
    let mut rows = read(staff).await?;
    let (name, before) = (staff.query.get("rebuild"), staff.query.get("before"));
    for row in rows.iter_mut().filter(|row| row.name == name && row.rebuild_error.is_none()) {
        row.is_awaited = built_at(row) == before;
    }
    Ok(rows)
}

/// When a table was built, as a part of an address.
fn built_at(row: &Projection) -> String {
    row.built_at.map(|time| time.timestamp_micros().to_string()).unwrap_or_default()
}

pub async fn show(staff: Staff) -> PageResult {
    let (rows, watch) = (read_watched(&staff).await?, staff.query.filters());
    let (page, busy) = (staff.page("Projections"), rows.iter().any(Projection::is_busy));
    if staff.is_fragment {
        return staff.show(&ProjectionsTable { page, rows, watch, busy });
    }
    staff.show(&ProjectionsPage { page, rows, watch, busy, problem: None })
}

pub async fn rebuild(staff: Staff, form: Form) -> PageResult {
    let name = form.value("name");
    let before = read(&staff).await?.iter().find(|row| row.name == name).map(built_at);
    let before = before.ok_or_else(Problem::not_found)?;
    staff.api.post(format!("projections/{name}/rebuild")).send_command().await?;
    let to = format!("/admin/projections?rebuild={name}&before={before}");
    staff.done(&to, format!("The rebuild of {name} has begun. The table in service stays until it is done."))
}

pub async fn verify(staff: Staff, form: Form) -> PageResult {
    let name = form.value("name");
    if !read(&staff).await?.iter().any(|row| row.name == name) {
        return Err(Problem::not_found());
    }
    match staff.api.post(format!("projections/{name}/verify")).send_command().await {
        Ok(()) => staff.done("/admin/projections", format!("The verification of {name} has begun.")),
        Err(problem) if problem.is_about_input() => {
            let (page, rows) = (staff.page("Projections"), read(&staff).await?);
            let (watch, busy) = ("?".to_owned(), rows.iter().any(Projection::is_busy));
            let refused = ProjectionsPage { page, rows, watch, busy, problem: Some(problem.clone()) };
            staff.show_refused(&problem, &refused)
        }
        Err(problem) => Err(problem),
    }
}
