//! Pages about problems: what happened, and what to do.

use askama::Template;
use axum::http::header::RETRY_AFTER;
use axum::response::{Html, IntoResponse, Response};

use super::api::{Problem, status_of};
use super::assets;
use super::form::capitalized;
use super::page::Page;
use super::staff::{PageResult, Staff};

/// A problem inside the frame of the pages.
#[derive(Template)]
#[template(path = "admin/problem.html")]
struct ProblemPage<'a> {
    page: Page,
    problem: Explained<'a>,
}

/// A problem where a script expects a part of a page.
#[derive(Template)]
#[template(path = "admin/problem_part.html")]
struct ProblemPart<'a> {
    problem: Explained<'a>,
}

/// A problem without a session.
#[derive(Template)]
#[template(path = "admin/problem_plain.html")]
struct PlainProblemPage<'a> {
    problem: Explained<'a>,
    style: String,
}

/// A problem in plain words.
struct Explained<'a> {
    title: &'a str,
    text: String,
    /// What to do now.
    advice: String,
    code: &'a str,
}

impl<'a> Explained<'a> {
    fn of(problem: &'a Problem) -> Self {
        let title = match problem.status {
            403 if problem.code == "forbidden" => "Not allowed for your role",
            404 => "Not found",
            412 => "Changed in the meantime",
            429 => "Too many requests",
            503 => "The shop is not available",
            500 => "Something went wrong",
            _ => problem.title.as_str(),
        };
        let advice = match (problem.status, problem.retry_after) {
            (403, _) if problem.code == "forbidden" => "Ask an admin if you need this.".to_owned(),
            (404, _) => "It may have been deleted, or the address is mistyped.".to_owned(),
            (412, _) => "Go back, load the page again, and repeat your change.".to_owned(),
            (429, Some(seconds)) => format!("Try again in {seconds} seconds."),
            (503, _) => "Nothing was changed unless stated. Try again in a moment.".to_owned(),
            (500, _) => "Try again; if it happens again, ask the operator of the shop to look at its log.".to_owned(),
            _ => String::new(),
        };
        Self { title, text: capitalized(&problem.sentence()), advice, code: &problem.code }
    }
}

/// The page of a problem for a member of the staff.
pub fn of_staff(staff: &Staff, problem: &Problem) -> Response {
    let explained = Explained::of(problem);
    let html = if staff.is_fragment {
        ProblemPart { problem: explained }.render()
    } else {
        ProblemPage { page: staff.page(explained.title), problem: explained }.render()
    };
    respond(problem, html)
}

/// The page of a problem for a client without a session.
pub fn plain(problem: &Problem) -> Response {
    respond(problem, PlainProblemPage { problem: Explained::of(problem), style: assets::address("admin.css") }.render())
}

fn respond(problem: &Problem, html: Result<String, askama::Error>) -> Response {
    // A page about a problem must not need another.
    let html = html.unwrap_or_else(|_| problem.title.clone());
    let mut response = (status_of(problem), Html(html)).into_response();
    response.headers_mut().extend(problem.retry_after.map(|seconds| (RETRY_AFTER, seconds.into())));
    response
}

/// 404 for an address without a page; pages have no slash at their end.
pub async fn unknown_page(staff: Staff) -> PageResult {
    match staff.path.strip_suffix('/') {
        Some(path) if !path.ends_with('/') => staff.redirect(&format!("{path}{}", staff.query.filters())),
        _ => Err(Problem::not_found()),
    }
}
