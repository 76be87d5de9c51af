//! Side effects of events that wait: why, and the decision to retry or to drop them.

use askama::Template;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;

use super::page_of;
use crate::admin::api::Problem;
use crate::admin::form::Form;
use crate::admin::format::in_words;
use crate::admin::list::{Listing, chosen};
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

const LIST: &str = "/admin/reactions";
const FILTERS: [&str; 2] = ["state", "reactor"];

#[derive(Template)]
#[template(path = "admin/engine/reactions.html")]
struct ReactionsPage {
    page: Page,
    reactors: Vec<Reactor>,
    list: Listing<Reaction>,
    names: Vec<(String, String)>,
}

/// What will be dropped.
#[derive(Template)]
#[template(path = "admin/engine/drop_reactions.html")]
struct DropPage {
    page: Page,
    reaction_ids: Vec<i64>,
    back: String,
}

#[derive(Template)]
#[template(path = "admin/engine/decisions.html")]
struct DecisionsPage {
    page: Page,
    list: Listing<Decision>,
}

/// Progress of a kind of side effects.
#[derive(Deserialize)]
pub struct Reactor {
    name: String,
    position: i64,
    lag: i64,
    due: i64,
    pub parked: i64,
    oldest_due: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct Reaction {
    reaction_id: i64,
    reactor: String,
    target: String,
    attempts: i64,
    due_at: Option<DateTime<Utc>>,
    parked_at: Option<DateTime<Utc>>,
    reason: Option<String>,
    position: i64,
    event_type: String,
    aggregate_type: String,
    aggregate_id: String,
}

#[derive(Deserialize)]
struct Decision {
    decided_at: DateTime<Utc>,
    actor: String,
    decision: String,
    reactor: String,
    position: i64,
    target: String,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Decided {
    decided: i64,
}

impl Reactor {
    fn title(&self) -> String {
        in_words(&self.name)
    }
}

impl Reaction {
    fn title(&self) -> String {
        in_words(&self.reactor)
    }

    fn event(&self) -> String {
        in_words(&self.event_type)
    }

    fn subject(&self, page: &Page) -> Option<String> {
        page_of(page, &self.aggregate_type, &self.aggregate_id)
    }

    /// The page of the recipient.
    fn target_page(&self) -> Option<String> {
        (self.reactor == "webhooks" && !self.target.is_empty()).then(|| format!("/admin/webhooks/{}", self.target))
    }
}

impl Decision {
    fn title(&self) -> String {
        in_words(&self.reactor)
    }
}

impl ReactionsPage {
    /// Whether waiting attempts are shown instead of parked ones.
    fn shows_due(&self) -> bool {
        self.list.query.get("state") == "due"
    }

    fn is_filtered(&self) -> bool {
        self.list.query.has("reactor")
    }
}

pub async fn read_reactors(staff: &Staff) -> Result<Vec<Reactor>, Problem> {
    Ok(staff.api.get("reactors").read::<Vec<Reactor>>().await?.data)
}

pub async fn show(staff: Staff) -> PageResult {
    let call = staff.api.get("reactions");
    let call = if staff.query.has("state") { call } else { call.query("state", "parked") };
    let (reactors, list) = tokio::try_join!(read_reactors(&staff), Listing::<Reaction>::read(&staff, call, &FILTERS))?;
    let names = reactors.iter().map(|reactor| (reactor.name.clone(), reactor.title())).collect();
    staff.show(&ReactionsPage { page: staff.page("Deliveries"), reactors, list, names })
}

pub async fn preview_drop(staff: Staff, form: Form) -> PageResult {
    staff.require("decide_reactions")?;
    let page = staff.page("Drop deliveries").below("Deliveries", form.back(LIST));
    staff.show(&DropPage { page, reaction_ids: chosen(&form, "delivery")?, back: form.back(LIST) })
}

pub async fn retry(staff: Staff, form: Form) -> PageResult {
    let decided = decide(&staff, &form, "retry").await?;
    staff.done(&form.back(LIST), format!("Retried: {decided}. What fails again is parked again."))
}

pub async fn drop_chosen(staff: Staff, form: Form) -> PageResult {
    let decided = decide(&staff, &form, "drop").await?;
    staff.done(&form.back(LIST), format!("Dropped: {decided}. They will never be delivered."))
}

async fn decide(staff: &Staff, form: &Form, decision: &str) -> Result<i64, Problem> {
    let body = json!({ "reaction_ids": chosen(form, "delivery")?, "decision": decision });
    Ok(staff.api.post("reactions/decide").json(&body).read::<Decided>().await?.data.decided)
}

pub async fn show_decisions(staff: Staff) -> PageResult {
    let list = Listing::<Decision>::read(&staff, staff.api.get("reaction-decisions"), &[]).await?;
    staff.show(&DecisionsPage { page: staff.page("Decisions").below("Deliveries", "/admin/reactions"), list })
}

pub async fn decisions_csv(staff: Staff) -> Result<Response, Problem> {
    staff.api.get("reaction-decisions").stream_csv("decisions.csv").await
}
