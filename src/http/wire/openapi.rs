//! The OpenAPI document: its head, and the responses that layers add to every route.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, PathItem};
use utoipa::openapi::schema::{AllOfBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, Object, Ref, RefOr, Response};
use utoipa::{Modify, OpenApi, PartialSchema, ToSchema};

use crate::domain::discount::DiscountCode;
use crate::domain::ids::{AccountId, AddressId, CategoryId, CustomerId, OrderId, ProductId, WebhookId};
use crate::http::wire::access;

const PROBLEM: &str = "application/problem+json";
const JSON: &str = "application/json";

#[derive(OpenApi)]
#[openapi(
    modifiers(&Bearer),
    components(schemas(AccountId, AddressId, CategoryId, CustomerId, DiscountCode, OrderId, ProductId, WebhookId)),
    info(title = "Cartwright", description = "An event-sourced web shop. Responses carry positions of the event log: `Journal-Position` after \
                       a command, `Projection-Position` on a read. Reads of a single resource carry an `ETag`; `If-None-Match` \
                       with it gives 304."),
    tags(
        (name = "accounts", description = "Login, accounts, roles and API keys"),
        (name = "catalogue", description = "Products, categories and stock"),
        (name = "customers", description = "Customers, their addresses and data export"),
        (name = "carts", description = "Customers' and guests' carts, and checkout"),
        (name = "pricing", description = "Shipping fees, taxes and discounts"),
        (name = "orders", description = "Orders: payment, shipping, returns and refunds"),
        (name = "payments", description = "Payment methods and provider notifications"),
        (name = "statistics", description = "Statistics, all at the same position of the log"),
        (name = "log", description = "The event log, and histories of single resources"),
        (name = "webhooks", description = "Delivery of events to external URLs"),
        (name = "operation", description = "Projections, reactions, scheduled tasks, health and metrics"),
    )
)]
pub struct Document;

/// Access tokens and API keys.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// An event that a command would append.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes the answer for OpenAPI")]
struct PlannedEvent {
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    payload: serde_json::Value,
}

/// The events of a dry run, in addition to the command's own response.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes the answer for OpenAPI")]
struct DryRun {
    events: Vec<PlannedEvent>,
}

/// Adds the responses of layers to every route.
pub fn complete(mut description: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    for (path, item) in &mut description.paths.paths {
        for operation in operations(item) {
            add_problems(path, operation);
            add_dry_run(operation);
            for problem in operation.responses.responses.iter_mut().filter(|(status, _)| is_problem(status)) {
                set_problem_content(problem);
            }
        }
    }
    let schemas = &mut description.components.get_or_insert_default().schemas;
    schemas.insert(DryRun::name().into_owned(), DryRun::schema());
    schemas.insert(PlannedEvent::name().into_owned(), PlannedEvent::schema());
    description
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().flatten()
}

fn is_problem(status: &str) -> bool {
    status.starts_with(['4', '5'])
}

/// Adds the errors of layers and of unreadable parameters.
fn add_problems(path: &str, operation: &mut Operation) {
    let has_input = operation.parameters.is_some() || operation.request_body.is_some();
    let health = path.starts_with("/health/");
    let roles = access::roles(operation);
    for (given, status, meaning) in [
        (has_input, "400", "The request is unreadable or out of range; `errors` names the fields"),
        (roles.is_some(), "401", "The token or key is missing, malformed, expired or revoked"),
        (roles.is_some_and(|roles| !roles.is_empty()), "403", "The caller's role does not permit the request"),
        (!health, "429", "Too many requests from this address or caller; retry after `Retry-After` seconds"),
        (!health, "503", "The database is unavailable or the shop is too busy; retry after `Retry-After` seconds"),
    ] {
        if given {
            let answers = &mut operation.responses.responses;
            answers.entry(status.to_owned()).or_insert_with(|| Response::new(meaning).into());
        }
    }
}

/// Every problem is the same document.
fn set_problem_content((status, answer): (&String, &mut RefOr<Response>)) {
    let RefOr::T(answer) = answer else { return };
    answer.content.clear();
    answer.content.insert(PROBLEM.to_owned(), Content::new(Some(Ref::from_schema_name("Problem"))).into());
    if ["429", "503"].contains(&status.as_str()) {
        let seconds =
            HeaderBuilder::new().schema(Some(Object::with_type(Type::Integer))).description(Some("In seconds"));
        answer.headers.insert("Retry-After".to_owned(), seconds.build().into());
    }
}

/// A dry run answers 200 where the command itself would answer 201 or 204.
fn add_dry_run(operation: &mut Operation) {
    let parameters = operation.parameters.iter().flatten();
    let mut names = parameters.filter_map(|parameter| match parameter {
        RefOr::T(Parameter { name, .. }) => Some(name.as_str()),
        RefOr::Ref(_) => None,
    });
    let answers = &mut operation.responses.responses;
    if !names.any(|name| name == "dry_run") || answers.contains_key("200") {
        return;
    }
    let created = answers.get("201").and_then(|answer| match answer {
        RefOr::T(answer) => answer.content.get(JSON).and_then(|content| match content {
            RefOr::T(content) => content.schema.clone(),
            RefOr::Ref(_) => None,
        }),
        RefOr::Ref(_) => None,
    });
    let dry_run = Ref::from_schema_name(DryRun::name());
    let schema: RefOr<Schema> = match created {
        Some(created) => Schema::AllOf(AllOfBuilder::new().item(created).item(dry_run).build()).into(),
        None => dry_run.into(),
    };
    let mut answer = Response::new("Dry run: the response and the events of the command");
    answer.content.insert(JSON.to_owned(), Content::new(Some(schema)).into());
    answers.insert("200".to_owned(), answer.into());
}
