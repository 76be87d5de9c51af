//! Invariants of the source tree, each a rule over a file's path and text that is known to fail on an offender.

use std::path::{Path, PathBuf};

/// What is wrong with a file, if anything.
type Rule = fn(path: &str, text: &str) -> Option<String>;

const DOMAIN_CRATES: [&str; 8] = ["std", "serde", "cqrs_es", "rust_decimal", "uuid", "chrono", "thiserror", "crate"];
const FILE_LINES: usize = 400;
/// Longer than that for one story each: what a server does in its life.
const LONG_FILES: [&str; 2] = ["src/database/embedded/server.rs", "src/database/embedded/tests.rs"];

fn is_domain(path: &str) -> bool {
    let test = path.ends_with("/tests.rs") || path.ends_with("/properties.rs") || path.ends_with("/samples.rs");
    path.starts_with("src/domain/") && path.ends_with(".rs") && !test
}

/// The code of a file without its tests.
fn product_code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

fn domain_imports_only_its_crates(path: &str, text: &str) -> Option<String> {
    let imports = product_code(text).lines().filter_map(|line| line.trim().strip_prefix("use "));
    let roots = imports.map(|import| import.split("::").next().unwrap_or_default().trim_end_matches(';'));
    let foreign =
        |root: &str| !DOMAIN_CRATES.contains(&root) && root != "super" && root.chars().all(char::is_lowercase);
    let mut foreign = roots.filter(|root| is_domain(path) && foreign(root) && !is_sibling(root));
    foreign.next().map(|root| format!("imports {root}"))
}

/// A module of the domain itself, re-exported.
fn is_sibling(root: &str) -> bool {
    root == "moves"
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

fn only_the_journal_appends(path: &str, text: &str) -> Option<String> {
    let may = path.starts_with("src/journal/") || path.starts_with("migrations/") || path.starts_with("tests/");
    let writes = text.to_lowercase().contains("into events") || text.contains("journal_append");
    (!may && writes).then(|| "writes to the log".to_owned())
}

fn only_apply_writes_read_tables(path: &str, text: &str) -> Option<String> {
    if !path.starts_with("projections/") || path.ends_with("/apply.sql") || path.ends_with(".md") {
        return None;
    }
    let writes =
        |line: &str| ["insert into", "update ", "delete from"].iter().any(|word| line.trim().starts_with(word));
    text.lines().any(writes).then(|| "writes a read table".to_owned())
}

fn projections_take_no_time_from_the_clock(path: &str, text: &str) -> Option<String> {
    let clocks = ["now()", "clock_timestamp", "current_date", "current_timestamp"];
    let found = clocks.into_iter().find(|clock| path.starts_with("projections/") && text.contains(clock));
    found.filter(|_| path.ends_with(".sql")).map(|clock| format!("asks the clock: {clock}"))
}

fn modules_say_what_they_are_for(path: &str, text: &str) -> Option<String> {
    let module = path.starts_with("src/") && path.ends_with(".rs") && !path.ends_with("/tests.rs");
    (module && !text.starts_with("//!")).then(|| "does not begin with //!".to_owned())
}

fn nothing_unwraps(path: &str, text: &str) -> Option<String> {
    let tests = path.ends_with("tests.rs") || path.ends_with("properties.rs") || path.ends_with("samples.rs");
    let unwraps = path.starts_with("src/") && !tests && product_code(text).contains(".unwrap()");
    unwraps.then(|| "unwraps".to_owned())
}

fn files_tell_one_story(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    let long = path.starts_with("src/") && lines > FILE_LINES && !LONG_FILES.contains(&path);
    long.then(|| format!("has {lines} lines"))
}

/// Every rule with an offender that it must find.
const RULES: [(Rule, &str, &str); 9] = [
    (domain_imports_only_its_crates, "src/domain/x.rs", "use sqlx::PgPool;"),
    (domain_is_pure, "src/domain/x.rs", "let now = Utc::now();"),
    (only_http_knows_axum, "src/shop/x.rs", "use axum::Json;"),
    (only_the_journal_appends, "src/http/x.rs", "insert into events (payload)"),
    (only_apply_writes_read_tables, "projections/x/list.sql", "delete from products"),
    (projections_take_no_time_from_the_clock, "projections/x/apply.sql", "select now()"),
    (modules_say_what_they_are_for, "src/shop/x.rs", "use std::fmt;"),
    (nothing_unwraps, "src/shop/x.rs", "//! x\nlet x = y.unwrap();"),
    (files_tell_one_story, "src/shop/x.rs", ""),
];

#[test]
fn every_rule_finds_its_offender() {
    let long = "x\n".repeat(FILE_LINES + 1);
    for (number, (rule, path, text)) in RULES.iter().enumerate() {
        let text = if text.is_empty() { &long } else { *text };
        assert!(rule(path, text).is_some(), "rule {number} finds nothing in {text:?}");
    }
}

#[test]
fn the_source_tree_keeps_every_rule() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "projections", "migrations", "tests"] {
        collect(&root.join(folder), &mut files);
    }
    assert!(files.len() > 80, "only {} files were found", files.len());
    let mut offences = Vec::new();
    for file in files {
        let path = file.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        offences.extend(
            RULES.iter().filter_map(|(rule, ..)| rule(&path, &text)).map(|offence| format!("{path} {offence}")),
        );
    }
    assert_eq!(offences, Vec::<String>::new());
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
        if path.is_dir() {
            collect(&path, files);
        } else if ["rs", "sql", "md"].contains(&kind) && !path.ends_with("tests/shop/tidy.rs") {
            files.push(path);
        }
    }
}
