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

impl SignIn {
    fn text(&self) -> String {
        in_words(&self.outcome)
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
