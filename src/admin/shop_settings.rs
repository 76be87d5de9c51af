//! Settings of the shop: language of the search, and when stock is low.

use askama::Template;
use serde::Deserialize;
use serde_json::json;

use super::api::Problem;
use super::form::{Form, capitalized};
use super::page::Page;
use super::staff::{PageResult, Staff};
use crate::domain::settings::SearchLanguage;

#[derive(Template)]
#[template(path = "admin/settings.html")]
struct SettingsPage {
    page: Page,
    settings: Settings,
    languages: Vec<(String, String)>,
    form: Form,
}

#[derive(Deserialize)]
struct Settings {
    search_language: String,
    low_stock_threshold: i64,
}

impl Settings {
    fn language(&self) -> String {
        language(&self.search_language)
    }
}

fn language(word: &str) -> String {
    if word == "simple" { "Any (words as they are)".to_owned() } else { capitalized(word) }
}

impl SettingsPage {
    async fn read(staff: &Staff, refused: Option<(Form, Problem)>) -> Result<Self, Problem> {
        let reply = staff.api.get("settings").read::<Settings>().await?;
        let settings = reply.data;
        let stored = Form::new([
            ("search_language", settings.search_language.clone()),
            ("low_stock_threshold", settings.low_stock_threshold.to_string()),
        ]);
        let stored = stored.about(&reply.etag);
        let form = match refused {
            None => stored,
            Some((form, problem)) => form.refused_beside(problem, stored),
        };
        let languages = SearchLanguage::ALL.iter().map(|word| (word.as_str().to_owned(), language(word.as_str())));
        Ok(Self { page: staff.page("Shop settings"), settings, languages: languages.collect(), form })
    }
}

pub async fn show(staff: Staff) -> PageResult {
    staff.show(&SettingsPage::read(&staff, None).await?)
}

pub async fn save(staff: Staff, form: Form) -> PageResult {
    let body = json!({
        "search_language": form.text("search_language"),
        "low_stock_threshold": form.number("low_stock_threshold"),
    });
    match staff.api.patch("settings").json(&body).if_match(&form.etag).key(&form.key).send_command().await {
        Ok(()) => staff.done("/admin/settings", "The settings were saved."),
        Err(problem) if problem.is_about_input() => {
            let page = SettingsPage::read(&staff, Some((form, problem.clone()))).await?;
            staff.show_refused(&problem, &page)
        }
        Err(problem) => Err(problem),
    }
}
