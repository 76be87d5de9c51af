//! What source files may import, and how large and how careful they are.

use std::sync::LazyLock;

use super::{Tried, is_test, product_code};

pub const RULES: [Tried; 11] = [
    (
        domain_imports_only_its_crates,
        "src/domain/x.rs",
        &["use sqlx::PgPool;", "let x = hex::encode([0]);", "use crate::journal::Journal;"],
        &["// as tokio::time does\nuse crate::domain::ids::OrderId;"],
    ),
    (
        domain_is_pure,
        "src/domain/x.rs",
        &["let now = Utc::now();", "Uuid::now_v7()", "std::env::var(x)"],
        &["let now = command.placed_at;"],
    ),
    (
        only_the_clock_reads_the_wall_clock,
        "src/shop/x.rs",
        &["let now = Utc::now();", "let x = SystemTime::now();", "chrono::Local::now()"],
        &["let now = work.now();", "let started = Instant::now();"],
    ),
    (only_http_knows_axum, "src/shop/x.rs", &["use axum::Json;", "fn x() -> axum::Router"], &["// as axum::Json does"]),
    (modules_say_what_they_are_for, "src/shop/x.rs", &["use std::fmt;"], &["//! Carts.\nuse std::fmt;"]),
    (
        nothing_unwraps,
        "src/shop/x.rs",
        &["let x = y.unwrap();", "let x = y.expect(\"it is there\");"],
        &["//! x\n#[cfg(test)]\nmod tests {\nx.unwrap()"],
    ),
    (
        metrics_have_one_place,
        "src/shop/x.rs",
        &["metrics::counter!(\"x\").increment(1);", "gauge!(\"x\")", "histogram!(name)"],
        &["metrics::HTTP_REQUESTS.add(1, &[]);", "// as counter!(\"x\") does"],
    ),
    (
        paragraphs_hold_no_blocks,
        "templates/admin/x.html",
        &["<p class=\"actions\">{{ ui::ask(page) }}</p>", "<p>\n<form></form></p>", "<p>a <ul></ul></p>"],
        &["<div><form></form></div>", "<p>a <b>b</b></p><form></form>", "<picture><form></form></picture>"],
    ),
    (
        pools_begin_transactions_in_one_place,
        "src/shop/x.rs",
        &["let x = self.pool.begin().await?;", "pool.begin_with(\"begin read only\")"],
        &["let x = connection.begin().await?;", "let x = begin_transaction(&pool, \"begin\").await?;"],
    ),
    (files_tell_one_story, "src/shop/x.rs", &[LONG_TEXT], &["//! Carts."]),
    (
        use_cases_know_the_tag_of_their_subject,
        "src/shop/x.rs",
        &[
            "impl UseCase for X {\n    Some(AggregateRef::of::<Order>(self.order_id))\n}\n\nimpl Y {\n    fn view_digest() {}\n}\n",
        ],
        &[
            "impl UseCase for X {\n    Some(AggregateRef::of::<Order>(self.order_id))\n    fn view_digest() {}\n}\n",
            "impl UseCase for X {\n    Some(AggregateRef::of::<Customer>(self.customer_id))\n}\n",
        ],
    ),
];

const DOMAIN_CRATES: [&str; 13] = [
    "serde",
    // For a JSON object that the merchant chooses.
    "serde_json",
    "schemars",
    "cqrs_es",
    "rust_decimal",
    "uuid",
    "chrono",
    "thiserror",
    "icu_casemap",
    "idna",
    "slug",
    "unicode_normalization",
    "unicode_properties",
];
const FILE_LINES: usize = 400;
/// A line more than a file may have.
const LONG_TEXT: &str = {
    const LINES: [u8; FILE_LINES + 1] = [b'\n'; FILE_LINES + 1];
    match std::str::from_utf8(&LINES) {
        Ok(text) => text,
        Err(_) => panic!("line breaks are text"),
    }
};

/// Decisions use the database's time; a node's own may be wrong.
fn only_the_clock_reads_the_wall_clock(path: &str, text: &str) -> Option<String> {
    let code = product_code(text);
    let is_outside = path.starts_with("src/") && !path.starts_with("src/clock/") && !is_test(path);
    let read = ["Utc::now", "Local::now", "SystemTime::now", "SystemTime::UNIX_EPOCH"].into_iter();
    read.filter(|_| is_outside).find(|name| names(&code, name)).map(|name| format!("reads {name}"))
}

fn is_domain(path: &str) -> bool {
    path.starts_with("src/domain/") && path.ends_with(".rs") && !is_test(path)
}

/// Whether `path` is named in the code, and not as the end of a longer name.
fn names(code: &str, path: &str) -> bool {
    let inside = |before: char| before.is_alphanumeric() || before == '_';
    code.match_indices(path).any(|(place, _)| !code[..place].ends_with(inside))
}

/// The package's dependencies as code names them.
static CRATES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let names = dependencies.lines().filter_map(|line| line.split_once(" = "));
    let names: Vec<_> = names.map(|(name, _)| name.trim().replace('-', "_")).collect();
    assert!(names.len() > 20, "{names:?}");
    names
});

fn domain_imports_only_its_crates(path: &str, text: &str) -> Option<String> {
    if !is_domain(path) {
        return None;
    }
    let code = product_code(text);
    let foreign = CRATES.iter().filter(|name| !DOMAIN_CRATES.contains(&name.as_str()));
    let mut foreign = foreign.filter(|name| names(&code, &format!("{name}::")));
    let other_room = code.replace("crate::domain", "").contains("crate::");
    foreign
        .next()
        .map(|name| format!("uses {name}"))
        .or(other_room.then(|| "uses another room of the crate".to_owned()))
}

fn domain_is_pure(path: &str, text: &str) -> Option<String> {
    let impure = [
        "::now()",
        "now_v7",
        "new_v4",
        "SystemTime",
        "Instant",
        "std::env",
        "std::fs",
        "std::net",
        "sqlx",
        "tokio",
        "rand::",
        "tracing",
    ];
    let found = impure.into_iter().find(|word| is_domain(path) && product_code(text).contains(word));
    found.map(|word| format!("uses {word}"))
}

fn only_http_knows_axum(path: &str, text: &str) -> Option<String> {
    let outside = path.starts_with("src/") && !path.starts_with("src/http/") && !path.starts_with("src/admin/");
    let uses = text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains("axum::"));
    (outside && uses).then(|| "uses axum".to_owned())
}

fn modules_say_what_they_are_for(path: &str, text: &str) -> Option<String> {
    let searched = ["src/", "tests/", "benches/"].iter().any(|start| path.starts_with(start));
    let module = searched && path.ends_with(".rs") && !path.ends_with("/tests.rs");
    (module && !text.starts_with("//!")).then(|| "does not begin with //!".to_owned())
}

/// What cannot fail, because it was worked out from constants.
const EXPECTED: [&str; 2] = [".expect(\"it is a day\")", ".expect(\"it is not zero\")"];

fn nothing_unwraps(path: &str, text: &str) -> Option<String> {
    let mut code = product_code(text);
    for expected in EXPECTED {
        code = code.replace(expected, "");
    }
    let unwraps = code.contains(".unwrap()") || code.contains(".expect(");
    (path.starts_with("src/") && !is_test(path) && unwraps).then(|| "unwraps".to_owned())
}

/// Names, help lines and buckets of metrics are in one file, which the documentation is compared with.
fn metrics_have_one_place(path: &str, text: &str) -> Option<String> {
    let elsewhere = path.starts_with("src/") && path != "src/metrics.rs";
    let mut macros = ["counter!(", "gauge!(", "histogram!("].into_iter();
    let found = macros.find(|name| elsewhere && product_code(text).contains(name));
    found.map(|name| format!("records a metric with {name}…)"))
}

/// A caller that is dropped while a pool begins a transaction would leave its connection inside it.
fn pools_begin_transactions_in_one_place(path: &str, text: &str) -> Option<String> {
    let elsewhere = path.starts_with("src/") && path != "src/database/transaction.rs";
    let mut calls = ["pool.begin()", ".begin_with("].into_iter();
    let found = calls.find(|call| elsewhere && product_code(text).contains(call));
    found.map(|call| format!("calls {call}; write database::begin_transaction"))
}

/// A browser ends a paragraph before a form, a list or a table, so that the rest stands outside.
fn paragraphs_hold_no_blocks(path: &str, text: &str) -> Option<String> {
    if !path.starts_with("templates/admin/") {
        return None;
    }
    let blocks = ["<form", "ui::ask(", "<div", "<ul", "<ol", "<dl", "<table", "<section", "<p>", "<p "];
    let paragraphs = ["<p>", "<p "].into_iter().flat_map(|start| text.split(start).skip(1));
    let mut contents = paragraphs.map(|rest| rest.split("</p>").next().unwrap_or_default());
    let found = contents.find_map(|content| blocks.into_iter().find(|block| content.contains(block)));
    found.map(|block| format!("has {block} inside a paragraph"))
}

fn files_tell_one_story(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    let long = path.starts_with("src/") && path.ends_with(".rs") && lines > FILE_LINES;
    long.then(|| format!("has {lines} lines"))
}

/// Aggregates whose reads show more than their stream, so that their tags have a digest.
const DIGESTED: [&str; 4] = ["Cart", "Family", "Order", "Product"];

fn use_cases_know_the_tag_of_their_subject(path: &str, text: &str) -> Option<String> {
    if !path.starts_with("src/shop/") {
        return None;
    }
    let blocks = text.split("\nimpl ").map(|block| block.split("\n}\n").next().unwrap_or(block));
    let use_cases = blocks.filter_map(|block| block.trim_start_matches("impl ").strip_prefix("UseCase for "));
    let found = use_cases.filter(|block| {
        let digested = DIGESTED.iter().any(|kind| block.contains(&format!("Some(AggregateRef::of::<{kind}>")));
        digested && !block.contains("fn view_digest(")
    });
    let names: Vec<_> = found.filter_map(|block| block.split_whitespace().next()).collect();
    (!names.is_empty()).then(|| format!("lacks the view_digest of {}", names.join(", ")))
}
