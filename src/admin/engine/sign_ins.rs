//! Logins and failed logins.

use askama::Template;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::admin::api::Problem;
use crate::admin::format::in_words;
use crate::admin::list::Listing;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/engine/sign_ins.html")]
struct SignInsPage {
    page: Page,
    list: Listing<SignIn>,
}

#[derive(Deserialize)]
struct SignIn {
    happened_at: DateTime<Utc>,
    account_id: Option<i64>,
    outcome: String,
    address: String,
    user_agent: String,
}

/// Parts of a browser's name, the most specific first: most browsers name others too.
const BROWSERS: [(&str, &str); 6] = [
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];
const SYSTEMS: [(&str, &str); 6] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
];
const MAX_CLIENT: usize = 80;

impl SignIn {
    fn text(&self) -> String {
        in_words(&self.outcome)
    }

    /// Browser and system, or the first words of another program.
    fn client(&self) -> String {
        let names = |known: &[(&str, &'static str)]| {
            known.iter().find(|(part, _)| self.user_agent.contains(part)).map(|(_, name)| *name)
        };
        match (names(&BROWSERS), names(&SYSTEMS)) {
            (Some(browser), Some(system)) => format!("{browser} on {system}"),
            _ => self.user_agent.chars().take(MAX_CLIENT).collect(),
        }
    }

    fn tone(&self) -> &'static str {
        match self.outcome.as_str() {
            "logged_in" => "good",
            "wrong_password" | "unknown_address" | "account_disabled" => "warn",
            "token_reused" => "bad",
            _ => "calm",
        }
    }
}

pub async fn show(staff: Staff) -> PageResult {
    let list = Listing::<SignIn>::read(&staff, staff.api.get("audit"), &[]).await?;
    staff.show(&SignInsPage { page: staff.page("Sign-ins"), list })
}

pub async fn csv(staff: Staff) -> Result<Response, Problem> {
    staff.api.get("audit").stream_csv("sign-ins.csv").await
}
