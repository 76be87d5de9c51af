//! Who may know whom: the rooms of the crate, the rooms of `http/`, the journal, and the shelves of the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::{Tried, contains_name, is_test, product_code, source_files};

pub const RULES: [Tried; 8] = [
    (
        journal_names_no_foreign_table,
        "src/journal/x.rs",
        &["insert into address (line1)", "constraint == \"customer_profile_email_key\""],
        &["insert into stream_snapshot (state)", "// an address\n", "let journal_head = 1;"],
    ),
    (
        journal_knows_no_noun,
        "src/journal/x.rs",
        &["use crate::domain::order::Order;", "use crate::domain::{Decider, webhook::Webhook};"],
        &["use crate::domain::refusal::Refusal;", "use crate::domain::Decider;"],
    ),
    (
        shared_rooms_of_http_know_no_noun,
        "src/http/edge/x.rs",
        &["use crate::http::orders::Order;", "use crate::http::{edge, orders};", "super::super::orders::x()"],
        &["use crate::http::wire::error::ApiError;", "// see crate::http::orders"],
    ),
    (
        only_the_shared_room_reads_queries,
        "src/http/orders/x.rs",
        &[
            "use axum::extract::{Query, State};",
            "Query(filter): axum::extract::Query<Filter>",
            "RawQuery(query): RawQuery",
            "let x = uri.query();",
        ],
        &["#[into_params(parameter_in = Query)]", "query: ErasureQuery", "// as Query does"],
    ),
    (
        pages_use_the_api_alone,
        "src/admin/x.rs",
        &[
            "use crate::shop::CreateCategory;",
            "use crate::journal::Journal;",
            "sqlx::query_file!(\"x.sql\")",
            "use crate::http::App;",
        ],
        &["use crate::domain::account::Role;", "use crate::accounts::Accounts;", "// see crate::http::router"],
    ),
    (
        routes_come_before_layers,
        "src/http/mod.rs",
        &["fn orders() -> Router {\n    Router::new().layer(limit).route(path, get(list))\n}"],
        &["fn a() {\n    x.routes(y).layer(limit)\n}\n\nfn b() {\n    x.routes(y).layer(limit)\n}"],
    ),
    (
        shelves_share_only_support,
        "tests/shop/features/x.rs",
        &["use crate::features::accounts::PASSWORD;", "use super::accounts::PASSWORD;", "crate::api::x()"],
        &["use crate::support::TestShop;"],
    ),
    (
        support_knows_no_shelf,
        "tests/shop/support/x.rs",
        &["use crate::features::accounts::PASSWORD;"],
        &["use super::TestShop;"],
    ),
];

/// The check of the log compares the events of several nouns.
const LOG_CHECK: &str = "src/journal/check/";

/// The tables that the journal owns; every other table of `migrations/` belongs to a noun or to another room.
const JOURNAL_TABLES: [&str; 8] = [
    "events",
    "snapshots",
    "stream_snapshot",
    "journal_head",
    "idempotency",
    "log_identity",
    "reserved_number",
    "archived_number",
];

/// The tables, constraints and indexes that migrations create for others than the journal.
static FOREIGN_NAMES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let mut names = BTreeSet::new();
    for (path, text) in source_files(&["migrations"]) {
        let words: Vec<&str> = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
        for window in words.windows(2).filter(|_| path.ends_with(".sql")) {
            if ["table", "constraint", "index"].contains(&window[0]) {
                names.insert(window[1].to_owned());
            }
        }
    }
    assert!(names.contains("customer_profile") && names.contains("customer_profile_email_key"), "{names:?}");
    // Two letters are a word of SQL or of a comment; the journal's own names are no foreign ones.
    names.retain(|name| {
        let own = JOURNAL_TABLES.iter().any(|table| name.starts_with(table));
        !own && name.len() > 2
    });
    names
});

fn journal_names_no_foreign_table(path: &str, text: &str) -> Option<String> {
    let code = product_code(text);
    let strings: String = code.split('"').skip(1).step_by(2).collect::<Vec<_>>().join(" ");
    let is_journal = path.starts_with("src/journal/") && !path.starts_with(LOG_CHECK);
    // A name of one word is looked for in SQL and other strings only: `account` may be a variable.
    let searched = if code.contains('"') { strings } else { code };
    let found = FOREIGN_NAMES.iter().find(|name| is_journal && contains_name(&searched, name));
    found.map(|name| format!("names {name}"))
}

/// What every use case needs of the domain, whatever its noun.
const SHARED_DOMAIN: [&str; 4] = ["Decider", "Numbered", "NUMBERED_KINDS", "refusal"];

fn journal_knows_no_noun(path: &str, text: &str) -> Option<String> {
    if !path.starts_with("src/journal/") || path.starts_with(LOG_CHECK) || is_test(path) {
        return None;
    }
    let shared =
        |import: &String| SHARED_DOMAIN.iter().any(|name| import == name || import.starts_with(&format!("{name}::")));
    let found = imports(&product_code(text), "crate::domain::").into_iter().find(|import| !shared(import));
    found.map(|import| format!("knows {import} of the domain"))
}

/// What stands behind `prefix` wherever it is named, groups in braces taken apart.
fn imports(code: &str, prefix: &str) -> Vec<String> {
    let mut imports = Vec::new();
    for (_, rest) in code.match_indices(prefix).map(|(place, _)| code[place..].split_at(prefix.len())) {
        let is_path = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
        match rest.strip_prefix('{') {
            Some(group) => {
                let mut depth = 1;
                let end = |letter: char| {
                    depth += i32::from(letter == '{') - i32::from(letter == '}');
                    depth == 0
                };
                let group = &group[..group.find(end).unwrap_or(group.len())];
                imports.extend(top_level(group).into_iter().map(|part| part.trim().to_owned()));
            }
            None => imports.push(rest.split(|letter| !is_path(letter)).next().unwrap_or_default().to_owned()),
        }
    }
    imports.retain(|import| !import.is_empty());
    imports
}

/// The parts between commas that stand in no braces.
fn top_level(group: &str) -> Vec<&str> {
    let mut depth = 0;
    let separator = |letter: char| {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        letter == ',' && depth == 0
    };
    group.split(separator).collect()
}

/// The modules of handlers in `src/http/`.
static HANDLERS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let files = source_files(&["src/http"]).into_iter().filter_map(|(path, _)| {
        let rest = path.strip_prefix("src/http/")?.to_owned();
        Some(rest.split(['/', '.']).next()?.to_owned())
    });
    let handlers: BTreeSet<_> = files.filter(|name| !["app", "edge", "wire", "mod"].contains(&name.as_str())).collect();
    assert!(handlers.contains("orders"), "{handlers:?}");
    handlers
});

fn shared_rooms_of_http_know_no_noun(path: &str, text: &str) -> Option<String> {
    let shared = ["src/http/edge/", "src/http/wire/"].iter().any(|room| path.starts_with(room));
    if !shared || is_test(path) {
        return None;
    }
    let code = product_code(text);
    let mut known = imports(&code, "crate::http::");
    known.extend(imports(&code, "super::super::"));
    if path.ends_with("/mod.rs") {
        let parent = code.lines().filter(|line| line.starts_with("use super::")).collect::<Vec<_>>().join("\n");
        known.extend(imports(&parent, "use super::"));
    }
    let noun = |import: &String| HANDLERS.contains(import.split([':', ' ']).next().unwrap_or_default());
    known.into_iter().find(noun).map(|import| format!("knows {import}"))
}

/// A layer covers the routes above it, so a route below a layer would silently miss it.
/// A route's parameters are read by `Params` and `CommandWith`, so that each is documented, and unknown ones are refused.
fn only_the_shared_room_reads_queries(path: &str, text: &str) -> Option<String> {
    let is_handler = path.starts_with("src/http/") && !path.starts_with("src/http/wire/");
    let code = product_code(text).replace("parameter_in = Query", "");
    let reads = ["Query", "RawQuery"].iter().any(|name| contains_name(&code, name)) || code.contains(".query()");
    (is_handler && reads).then(|| "reads the query itself".to_owned())
}

/// The pages of the staff are a client of the API: they know sessions and the words of the domain, and nothing that stores.
fn pages_use_the_api_alone(path: &str, text: &str) -> Option<String> {
    if !path.starts_with("src/admin/") {
        return None;
    }
    let code = product_code(text);
    let known = ["admin", "accounts", "clock", "domain", "payments"];
    let rooms = imports(&code, "crate::").into_iter();
    let mut rooms = rooms.map(|import| import.split(':').next().unwrap_or_default().to_owned());
    let foreign = rooms.find(|room| !known.contains(&room.as_str()));
    foreign.map(|room| format!("uses the room {room}")).or(code.contains("sqlx").then(|| "uses sqlx".to_owned()))
}

fn routes_come_before_layers(path: &str, text: &str) -> Option<String> {
    if path != "src/http/mod.rs" {
        return None;
    }
    let code = product_code(text);
    let adds = [".route(", ".routes(", ".merge(", ".nest("];
    let late = |chain: &str| {
        let below = &chain[chain.find("layer(")?..];
        adds.iter().find(|add| below.contains(**add)).map(|add| format!("has {add} below a layer"))
    };
    code.split([';', '}']).filter_map(late).next()
}

const SHELVES: [&str; 5] = ["features", "robustness", "security", "api", "browser"];

fn shelves_share_only_support(path: &str, text: &str) -> Option<String> {
    let mut folders = path.strip_prefix("tests/shop/")?.split('/');
    if !SHELVES.contains(&folders.next()?) {
        return None;
    }
    let code = product_code(text);
    // A folder of one subject shares within it.
    let is_single_file = folders.count() == 1 && !path.ends_with("/mod.rs");
    (is_single_file && code.contains("use super::"))
        .then(|| "imports from its neighbour".to_owned())
        .or_else(|| names_shelf(&code))
}

fn support_knows_no_shelf(path: &str, text: &str) -> Option<String> {
    path.starts_with("tests/shop/support/").then(|| names_shelf(&product_code(text))).flatten()
}

fn names_shelf(code: &str) -> Option<String> {
    let shelf = SHELVES.iter().find(|shelf| code.contains(&format!("crate::{shelf}::")));
    shelf.map(|shelf| format!("imports from {shelf}/"))
}

/// The rooms that each room of the crate uses.
fn rooms() -> BTreeMap<String, BTreeSet<String>> {
    let mut rooms: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in source_files(&["src"]) {
        let room = path["src/".len()..].split(['/', '.']).next().unwrap_or_default().to_owned();
        if is_test(&path) || ["main", "lib"].contains(&room.as_str()) {
            continue;
        }
        let used = imports(&product_code(&text), "crate::").into_iter();
        let used = used.map(|import| import.split(':').next().unwrap_or_default().to_owned());
        rooms.entry(room.clone()).or_default().extend(used.filter(|used| *used != room));
    }
    rooms
}

#[test]
fn rooms_depend_on_each_other_in_one_direction() {
    let mut rooms = rooms();
    assert!(rooms.len() > 10, "{rooms:?}");
    // A room that uses no room that is left is taken out; only circles stay.
    while let Some(free) = rooms.iter().find(|(_, used)| !used.iter().any(|name| rooms.contains_key(name))) {
        let free = free.0.clone();
        rooms.remove(&free);
    }
    assert!(rooms.is_empty(), "these rooms use each other in a circle: {rooms:?}");
}
