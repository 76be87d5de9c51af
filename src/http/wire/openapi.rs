//! What holds for many routes of the OpenAPI description, said once: the answers that a handler does not give itself.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, PathItem};
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, Object, Ref, RefOr, Response};
use utoipa::{Modify, OpenApi, PartialSchema, ToSchema};

use crate::http::wire::access;

const PROBLEM: &str = "application/problem+json";
const JSON: &str = "application/json";

#[derive(OpenApi)]
#[openapi(
    modifiers(&Bearer),
    info(title = "Cartwright", description = "An event-sourced shop."),
    tags(
        (name = "accounts", description = "Who somebody is, and what they may do"),
        (name = "catalogue", description = "Products, categories and stock"),
        (name = "customers", description = "People who buy"),
        (name = "carts", description = "Customers' and guests' carts, and checkout"),
        (name = "pricing", description = "Shipping fees, taxes and discounts"),
        (name = "orders", description = "Orders and their life"),
        (name = "payments", description = "What providers of payments say"),
        (name = "statistics", description = "Figures from the log, all at one position"),
        (name = "log", description = "Every change, in order"),
        (name = "webhooks", description = "Who outside is told of events"),
        (name = "operation", description = "Running the shop"),
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

/// What a dry run says of each event that it would append.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes the answer for OpenAPI")]
struct PlannedEvent {
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    payload: serde_json::Value,
}

/// The answer of a dry run, beside what the command itself would answer.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes the answer for OpenAPI")]
struct DryRun {
    events: Vec<PlannedEvent>,
}

/// Adds to every route what its handler need not say.
pub fn complete(mut description: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    for (path, item) in &mut description.paths.paths {
        for operation in operations(item) {
            add_problems(path, operation);
            add_dry_run(operation);
            for problem in operation.responses.responses.iter_mut().filter(|(status, _)| is_problem(status)) {
                describe_problem(problem);
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

/// The answers that layers give, and those of parameters that cannot be read.
fn add_problems(path: &str, operation: &mut Operation) {
    let takes_anything = operation.parameters.is_some() || operation.request_body.is_some();
    let health = path.starts_with("/health/");
    let roles = access::roles(operation);
    for (given, status, meaning) in [
        (takes_anything, "400", "The request is unreadable or out of range; `errors` names the fields"),
        (roles.is_some(), "401", "The token or key is missing, has expired, was revoked, or is no such thing"),
        (roles.is_some_and(|roles| !roles.is_empty()), "403", "The caller is known, and may not do it"),
        (!health, "429", "Too many requests from this address or caller; try again after `Retry-After` seconds"),
        (!health, "503", "The database is away or the shop is too busy; try again after `Retry-After` seconds"),
    ] {
        if given {
            let answers = &mut operation.responses.responses;
            answers.entry(status.to_owned()).or_insert_with(|| Response::new(meaning).into());
        }
    }
}

/// Every problem is the same document.
fn describe_problem((status, answer): (&String, &mut RefOr<Response>)) {
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
    let made = answers.get("201").and_then(|answer| match answer {
        RefOr::T(answer) => answer.content.get(JSON).and_then(|content| match content {
            RefOr::T(content) => content.schema.clone(),
            RefOr::Ref(_) => None,
        }),
        RefOr::Ref(_) => None,
    });
    let dry_run = Ref::from_schema_name(DryRun::name());
    let schema: RefOr<Schema> = match made {
        Some(made) => Schema::AllOf(AllOfBuilder::new().item(made).item(dry_run).build()).into(),
        None => dry_run.into(),
    };
    let mut answer = Response::new("A dry run: what the command would answer, and append");
    answer.content.insert(JSON.to_owned(), Content::new(Some(schema)).into());
    answers.insert("200".to_owned(), answer.into());
}

/// One of several words.
pub fn words<'word>(words: impl IntoIterator<Item = &'word str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

/// A category, by its number or its name.
pub fn number_or_name() -> Object {
    category([Type::Integer, Type::String])
}

pub fn number_or_name_or_null() -> Object {
    category([Type::Integer, Type::String, Type::Null])
}

fn category(types: impl IntoIterator<Item = Type>) -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter(types))
        .description(Some("Number or name of a category."))
        .min_length(Some(1))
        .max_length(Some(200))
        .examples(["Kitchen"])
        .build()
}
