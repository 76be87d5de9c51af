//! Responses of the OpenAPI document: problems, defined once, and the headers that layers add.

use utoipa::ToSchema;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{AllOfBuilder, Array, ArrayItems, Schema, Type};
use utoipa::openapi::{Content, Header, Object, OpenApi, Ref, RefOr, Required, Response};

use crate::http::wire::access;
use crate::http::wire::csv_rows::CSV;
use crate::http::wire::negotiation::{JSON, JSON_LINES};
use crate::http::wire::openapi::{DryRun, PossibleDryRun, operations};

const PROBLEM: &str = "application/problem+json";

/// A problem that several routes may answer.
struct SharedProblem {
    status: &'static str,
    /// Name in the document.
    name: &'static str,
    meaning: &'static str,
}

const SHARED_PROBLEMS: [SharedProblem; 12] = [
    problem("400", "BadRequest", "The request is unreadable or out of range; `errors` names the fields"),
    problem("401", "Unauthenticated", "The token or key is missing, malformed, expired or revoked"),
    problem("403", "Forbidden", "The caller's role does not permit the request"),
    problem("404", "NotFound", "The resource in the path does not exist"),
    problem(
        "409",
        "Conflict",
        "A business rule forbids the command in the current state, or the body names something that does not exist",
    ),
    problem(
        "410",
        "Gone",
        "The log does not have the position: an older database was restored; the members `log_id`, `generation`, `head` \
         and `began_after` say where to continue",
    ),
    problem("412", "Stale", "The resource has changed since the version in `If-Match`"),
    problem("413", "TooLarge", "The body is larger than 1 MiB"),
    problem("415", "NotJson", "The body is not `application/json`, or is compressed"),
    problem("422", "KeyReused", "The idempotency key or the reference was used for another request"),
    problem(
        "429",
        "TooManyRequests",
        "Too many requests from this address or caller; retry after `Retry-After` seconds",
    ),
    problem(
        "503",
        "Unavailable",
        "The database is unavailable or the shop is too busy; retry after `Retry-After` seconds",
    ),
];

const fn problem(status: &'static str, name: &'static str, meaning: &'static str) -> SharedProblem {
    SharedProblem { status, name, meaning }
}

/// Describes every response, adds the problems of layers, and defines shared problems once.
pub fn complete(document: &mut OpenApi) {
    let mut combined = Vec::new();
    note_formats(document);
    document.paths.paths.values_mut().filter_map(|item| item.get.as_mut()).for_each(note_tag);
    for (path, operation) in operations(document) {
        add_layer_problems(path, operation);
        combined.extend(add_dry_run(operation));
        note_log(operation);
        let (summary, is_command) =
            (operation.summary.clone().unwrap_or_default(), has_parameter(operation, "dry_run"));
        let (is_list, is_ranked) = (has_parameter(operation, "cursor"), has_parameter(operation, "all"));
        for (status, response) in &mut operation.responses.responses {
            if is_problem(status) {
                share_problem(status, response);
            } else if let RefOr::T(response) = response {
                describe_success(status, response, &summary, is_command, is_list);
                if is_ranked {
                    let meaning =
                        "`true` if a row may have moved since the first page: rows may be missing or repeated";
                    response.headers.insert("Walk-Moved".to_owned(), header(Type::String, meaning).into());
                }
            }
        }
    }
    let components = document.components.get_or_insert_default();
    components.schemas.extend(combined);
    let responses = &mut components.responses;
    for SharedProblem { status, name, meaning } in SHARED_PROBLEMS {
        let mut response = Response::new(meaning);
        set_problem_content(status, &mut response);
        responses.insert(name.to_owned(), response.into());
    }
}

/// Notes on the reads of these routes that they wait for positions, and report theirs.
pub fn note_positions(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        let Some(operation) = &mut item.get else { continue };
        operation.parameters.get_or_insert_default().push(min_position().into());
        operation.responses.responses.insert("410".to_owned(), Response::new("").into());
        for (status, response) in &mut operation.responses.responses {
            if let (RefOr::T(response), false) = (response, is_problem(status)) {
                let header = header(Type::Integer, "Least position of the log that the answer contains");
                response.headers.insert("Projection-Position".to_owned(), header.into());
            }
        }
    }
}

/// A position of the log, or generation and position: the id of an event.
const STREAM_POSITION: &str = "^([1-9][0-9]{0,17}-)?[0-9]{1,18}$";

fn min_position() -> Parameter {
    let position =
        Object::builder().schema_type(Type::String).pattern(Some(STREAM_POSITION)).examples(["1045"]).build();
    ParameterBuilder::new()
        .name("Min-Position")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Position that the answer must contain, or the `id` of an event; 503 if the read tables do not reach it in \
             2 seconds, 410 if it is of another generation of the log.",
        ))
        .schema(Some(position))
        .build()
}

fn header(kind: Type, meaning: &str) -> Header {
    HeaderBuilder::new().schema(Some(Object::with_type(kind))).description(Some(meaning)).build()
}

fn is_problem(status: &str) -> bool {
    status.starts_with(['4', '5'])
}

fn has_parameter(operation: &Operation, wanted: &str) -> bool {
    let parameters = operation.parameters.iter().flatten();
    let mut names = parameters.filter_map(|parameter| match parameter {
        RefOr::T(Parameter { name, .. }) => Some(name.as_str()),
        RefOr::Ref(_) => None,
    });
    names.any(|name| name == wanted)
}

/// Adds the errors of layers.
fn add_layer_problems(path: &str, operation: &mut Operation) {
    let health = path.starts_with("/health/");
    let roles = access::roles(operation);
    for (status, given) in [
        ("400", true),
        ("401", roles.is_some()),
        ("403", roles.is_some_and(|roles| !roles.is_empty())),
        ("429", !health),
        ("503", !health),
    ] {
        if given {
            let responses = &mut operation.responses.responses;
            responses.entry(status.to_owned()).or_insert_with(|| Response::new("").into());
        }
    }
}

/// Replaces a problem by a reference, unless its route describes it in its own words.
fn share_problem(status: &str, response: &mut RefOr<Response>) {
    let RefOr::T(own) = response else { return };
    match SHARED_PROBLEMS.iter().find(|shared| shared.status == status) {
        Some(shared) if own.description.is_empty() || own.description == shared.meaning => {
            *response = Ref::from_response_name(shared.name).into();
        }
        _ => set_problem_content(status, own),
    }
}

/// Every problem is the same document.
fn set_problem_content(status: &str, response: &mut Response) {
    response.content.clear();
    response.content.insert(PROBLEM.to_owned(), Content::new(Some(Ref::from_schema_name("Problem"))).into());
    if ["429", "503"].contains(&status) {
        response.headers.insert("Retry-After".to_owned(), header(Type::Integer, "In seconds").into());
    }
}

fn describe_success(status: &str, response: &mut Response, summary: &str, is_command: bool, is_list: bool) {
    if response.description.is_empty() {
        let done = if status == "202" { "Accepted" } else { "Done" };
        response.description = if is_command { format!("{done}: {summary}") } else { summary.to_owned() };
    }
    let mut add = |name: &str, kind, meaning| {
        response.headers.insert(name.to_owned(), header(kind, meaning).into());
    };
    if is_command {
        add("Journal-Position", Type::Integer, "Position of the log after the command");
        add("Idempotent-Replayed", Type::String, "`true` if the answer repeats that of an earlier request");
    }
    if status == "201" {
        add("Location", Type::String, "Path of the new resource");
    }
    if is_list {
        add("Link", Type::String, "`<…>; rel=\"next\"`, the next page, if there is one");
    }
}

/// Describes the formats of each list, and the answer to a client that accepts none of a read.
fn note_formats(document: &mut OpenApi) {
    let reads = document.paths.paths.iter_mut().filter(|(path, _)| path.starts_with("/shop/api/"));
    for operation in reads.filter_map(|(_, item)| item.get.as_mut()) {
        let Some(RefOr::T(success)) = operation.responses.responses.get_mut("200") else { continue };
        let json = success.content.get(JSON).and_then(|content| match content {
            RefOr::T(content) => content.schema.clone(),
            RefOr::Ref(_) => None,
        });
        if let Some(RefOr::T(Schema::Array(Array { items: ArrayItems::RefOrSchema(row), .. }))) = json {
            success.content.insert(JSON_LINES.to_owned(), Content::new(Some(*row)).into());
            let text =
                Object::builder().schema_type(Type::String).description(Some("A header line, and a line a row."));
            success.content.insert(CSV.to_owned(), Content::new(Some(text.build())).into());
            success.headers.insert("Vary".to_owned(), header(Type::String, "`Accept`").into());
        }
        let meaning = "The client accepts no media type of the answer";
        operation.responses.responses.insert("406".to_owned(), Response::new(meaning).into());
    }
}

/// The reads whose `ETag` is the version of what they show; that of any other read is a digest.
const TAGGED: [&str; 13] = [
    "find_category",
    "find_customer",
    "find_customer_cart",
    "find_discount",
    "find_family",
    "find_guest_cart",
    "find_guest_order",
    "find_order_summary",
    "find_product",
    "find_settings",
    "find_shipping_fees",
    "find_tax_rates",
    "list_order_lines",
];

/// Describes the headers of reads of the log, which name it.
fn note_log(operation: &mut Operation) {
    let reads_log =
        operation.operation_id.as_deref().is_some_and(|name| ["list_events", "stream_events"].contains(&name));
    if let (true, Some(RefOr::T(found))) = (reads_log, operation.responses.responses.get_mut("200")) {
        found.headers.insert("Log-Id".to_owned(), header(Type::String, "UUID of the log").into());
        let meaning = "Generation of the log; a restored older database begins the next";
        found.headers.insert("Log-Generation".to_owned(), header(Type::Integer, meaning).into());
    }
}

/// Describes the `ETag` of a read, and the answer to a client that knows it.
fn note_tag(operation: &mut Operation) {
    let Some(RefOr::T(found)) = operation.responses.responses.get_mut("200") else { return };
    if found.content.contains_key("text/event-stream") {
        return;
    }
    let meaning = if operation.operation_id.as_deref().is_some_and(|name| TAGGED.contains(&name)) {
        "Version of what is shown; send it as `If-Match` with a command, or as `If-None-Match` with a read"
    } else {
        "Digest of the answer; send it as `If-None-Match`. A stream has none"
    };
    let tag = || header(Type::String, meaning);
    found.headers.insert("ETag".to_owned(), tag().into());
    let mut unchanged = Response::new("Unchanged since the `ETag` of `If-None-Match`");
    unchanged.headers.insert("ETag".to_owned(), tag().into());
    operation.responses.responses.insert("304".to_owned(), unchanged.into());
    let known = ParameterBuilder::new()
        .name("If-None-Match")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("The `ETag` that the client has; 304 if nothing has changed."))
        .schema(Some(Object::with_type(Type::String)))
        .build();
    operation.parameters.get_or_insert_default().push(known.into());
}

/// Adds the events of a dry run to the answer of a command; returns the schema that has both, with its name.
///
/// A dry run answers 200 where the command itself answers 201, 202 or 204.
fn add_dry_run(operation: &mut Operation) -> Option<(String, RefOr<Schema>)> {
    if !has_parameter(operation, "dry_run") {
        return None;
    }
    let responses = &mut operation.responses.responses;
    let is_shared = responses.contains_key("200");
    // Rows have their events themselves.
    if responses.get("200").is_some_and(has_only_lines) {
        return None;
    }
    let answer = ["200", "201", "202"].into_iter().find_map(|status| json_schema(responses.get(status)?));
    let events = if is_shared { PossibleDryRun::name() } else { DryRun::name() };
    let (schema, combined) = match answer {
        Some(RefOr::Ref(answer)) => {
            let name = answer.ref_location.rsplit('/').next().unwrap_or_default();
            let name = if is_shared { format!("{name}OrDryRun") } else { format!("DryRunOf{name}") };
            let both = AllOfBuilder::new().item(answer).item(Ref::from_schema_name(events)).build();
            (Ref::from_schema_name(&name), Some((name, Schema::AllOf(both).into())))
        }
        _ => (Ref::from_schema_name(events), None),
    };
    let meaning = "Dry run: the response and the events of the command";
    let response = responses.entry("200".to_owned()).or_insert_with(|| Response::new(meaning).into());
    if let RefOr::T(response) = response {
        response.content.insert(JSON.to_owned(), Content::new(Some(schema)).into());
    }
    combined
}

fn has_only_lines(response: &RefOr<Response>) -> bool {
    matches!(response, RefOr::T(response) if response.content.contains_key(JSON_LINES) && response.content.len() == 1)
}

/// The schema of a JSON response.
fn json_schema(response: &RefOr<Response>) -> Option<RefOr<Schema>> {
    let RefOr::T(response) = response else { return None };
    match response.content.get(JSON)? {
        RefOr::T(content) => content.schema.clone(),
        RefOr::Ref(_) => None,
    }
}
