//! Invariants of the source tree, each a rule over a file's path and text that is known to fail on an offender.

mod language;
mod names;
mod rooms;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// What is wrong with a file, if anything.
type Rule = fn(path: &str, text: &str) -> Option<String>;

/// A rule with a path, texts that break it there, and texts that only look like it.
type Tried = (Rule, &'static str, &'static [&'static str], &'static [&'static str]);

/// The rules of the other files.
fn more_rules() -> impl Iterator<Item = Tried> {
    rooms::RULES.into_iter().chain(names::RULES).chain(language::RULES)
}

const DOMAIN_CRATES: [&str; 6] = ["serde", "cqrs_es", "rust_decimal", "uuid", "chrono", "thiserror"];
const FILE_LINES: usize = 400;
/// Longer than that for one story each: what a server does in its life.
const LONG_FILES: [&str; 2] = ["src/database/embedded/server.rs", "src/database/embedded/tests.rs"];

/// What a source file in `src/` is only compiled into tests.
fn is_test(path: &str) -> bool {
    ["/tests.rs", "/properties.rs", "/samples.rs"].iter().any(|end| path.ends_with(end))
        || path.contains("/properties/")
        || path.contains("/tests/")
}

fn is_domain(path: &str) -> bool {
    path.starts_with("src/domain/") && path.ends_with(".rs") && !is_test(path)
}

/// The code of a file without its tests and comments.
fn product_code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Whether `path` is named in the code, and not as the end of a longer name.
fn names(code: &str, path: &str) -> bool {
    let inside = |before: char| before.is_alphanumeric() || before == '_';
    code.match_indices(path).any(|(place, _)| !code[..place].ends_with(inside))
}

/// Whether `name` stands in the code, and not as a part of a longer name.
fn contains_name(code: &str, name: &str) -> bool {
    let inside = |letter: char| letter.is_alphanumeric() || letter == '_';
    code.match_indices(name)
        .any(|(place, _)| !code[..place].ends_with(inside) && !code[place + name.len()..].starts_with(inside))
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

/// The tables that SQL in a text writes to, by their bare names.
fn written_tables(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let words: Vec<&str> = text.split(|letter: char| letter.is_whitespace() || letter == '"').collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let written = words.windows(3).filter_map(|window| match window {
        ["insert" | "merge", "into", table] | ["delete", "from", table] | ["truncate", "table", table] => Some(table),
        ["update", table, "set" | "as"] | ["truncate", table, ..] => Some(table),
        _ => None,
    });
    let bare = |table: &&str| {
        let name = table.split(['(', ';', ',']).next().unwrap_or_default();
        name.rsplit('.').next().unwrap_or_default().to_owned()
    };
    written.map(bare).collect()
}

fn only_the_journal_appends(path: &str, text: &str) -> Option<String> {
    let may = ["src/journal/", "migrations/", "tests/", "database/functions/journal_", "src/database/functions.rs"];
    let may = may.iter().any(|start| path.starts_with(start));
    let log = |table: &String| table == "events" || table == "journal_head";
    let writes = text.contains("journal_append") || written_tables(text).iter().any(log);
    (!may && !path.ends_with(".md") && writes).then(|| "writes to the log".to_owned())
}

/// The folders of `projections/`.
static READ_TABLES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folders = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/projections")).unwrap();
    let folders = folders.map(|entry| entry.unwrap()).filter(|entry| entry.path().is_dir());
    let names: Vec<_> = folders.map(|folder| folder.file_name().into_string().unwrap()).collect();
    assert!(names.contains(&"products".to_owned()), "{names:?}");
    names
});

/// Whether a table belongs to a projection: it has its name, perhaps with more behind it.
fn belongs(table: &str, projection: &str) -> bool {
    table.strip_prefix(projection).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

fn only_its_apply_writes_a_read_table(path: &str, text: &str) -> Option<String> {
    let own = path.strip_prefix("projections/").and_then(|path| path.strip_suffix("/apply.sql"));
    let searched = path.starts_with("projections/") && path.ends_with(".sql") || path.starts_with("src/");
    let foreign = |table: &String| match own {
        Some(own) => !belongs(table, own),
        None => READ_TABLES.iter().any(|projection| belongs(table, projection)),
    };
    let found = written_tables(text).into_iter().find(foreign).filter(|_| searched);
    found.map(|table| format!("writes to {table}"))
}

fn projections_take_no_time_from_the_clock(path: &str, text: &str) -> Option<String> {
    let clocks = ["now()", "clock_timestamp", "current_date", "current_timestamp"];
    let found = clocks.into_iter().find(|clock| path.starts_with("projections/") && text.contains(clock));
    found.filter(|_| path.ends_with(".sql")).map(|clock| format!("asks the clock: {clock}"))
}

/// The rooms whose statements are short and many, or made at run time.
const RUNTIME_READERS: [&str; 3] = ["src/journal/", "src/projector/", "src/database/"];

fn reads_are_checked_by_the_compiler(path: &str, text: &str) -> Option<String> {
    let searched = path.starts_with("src/") && !RUNTIME_READERS.iter().any(|room| path.starts_with(room));
    let code = product_code(text);
    // A call `query(…)` that fetches rows reads columns; one column is read by `query_scalar`.
    let calls = |name: &str| {
        code.split(name).skip(1).map(|rest| rest.split(';').next().unwrap_or_default()).collect::<Vec<_>>()
    };
    let maps_rows = ["query_as(", "query_as::<", "query_as_with("].iter().any(|call| code.contains(call));
    let fetches_rows = calls("query(").iter().any(|call| call.contains(".fetch"));
    (searched && (maps_rows || fetches_rows)).then(|| "reads columns that the compiler does not check".to_owned())
}

/// The last migration that created functions other than those of triggers.
const LAST_WITH_FUNCTIONS: u32 = 14;

/// The number in the name of a migration.
fn migration_number(path: &str) -> Option<u32> {
    path.strip_prefix("migrations/")?.split('_').next()?.parse().ok()
}

fn functions_are_files_of_their_own(path: &str, text: &str) -> Option<String> {
    let text = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.replace("create or replace function ", "create function ");
    let mut created = text.split("create function ").skip(1).peekable();
    created.peek()?;
    if let Some(name) = path.strip_prefix("database/functions/").and_then(|file| file.strip_suffix(".sql")) {
        let own = |function: &str| {
            function.starts_with(&format!("{name}(")) && function.contains("set search_path from current as $$")
        };
        let alone = created.next().is_some_and(own) && created.next().is_none();
        return (!alone).then(|| "holds more or less than the function of its name, with its search path".to_owned());
    }
    // The projector makes a function of each `apply.sql`.
    let may = path == "src/projector/definition.rs"
        || match migration_number(path) {
            Some(number) => {
                number <= LAST_WITH_FUNCTIONS
                    || created.all(|function| {
                        function.split(" as ").next().is_some_and(|head| head.contains("returns trigger"))
                    })
            }
            None => false,
        };
    (!may).then(|| "creates a function".to_owned())
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

fn files_tell_one_story(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    let long = path.starts_with("src/") && path.ends_with(".rs") && lines > FILE_LINES && !LONG_FILES.contains(&path);
    long.then(|| format!("has {lines} lines"))
}

/// Every rule with offenders that it must find.
const RULES: [(Rule, &str, &[&str]); 14] = [
    (
        domain_imports_only_its_crates,
        "src/domain/x.rs",
        &["use sqlx::PgPool;", "let x = serde_json::json!({});", "use crate::journal::Journal;"],
    ),
    (domain_is_pure, "src/domain/x.rs", &["let now = Utc::now();", "Uuid::now_v7()", "std::env::var(x)"]),
    (only_http_knows_axum, "src/shop/x.rs", &["use axum::Json;", "fn x() -> axum::Router"]),
    (
        only_the_journal_appends,
        "src/http/x.rs",
        &["insert into\n events (payload)", "DELETE FROM public.events", "update journal_head set", "journal_append("],
    ),
    (only_its_apply_writes_a_read_table, "projections/x/list.sql", &["delete from products as product"]),
    (only_its_apply_writes_a_read_table, "projections/carts/apply.sql", &["insert into products (product_id)"]),
    (
        only_its_apply_writes_a_read_table,
        "src/http/x.rs",
        &["sqlx::query(\"update products set price = 0\")", "truncate bestsellers_by_day;\nselect"],
    ),
    (projections_take_no_time_from_the_clock, "projections/x/apply.sql", &["select now()"]),
    (
        functions_are_files_of_their_own,
        "migrations/0015_x.sql",
        &[
            "create function x() returns void language sql as $$ $$;",
            "create or replace\nfunction y() returns trigger as $$ $$; create function x() returns bigint as $$ $$;",
        ],
    ),
    (
        functions_are_files_of_their_own,
        "database/functions/x.sql",
        &[
            "create function x() returns void language sql as $$ $$;",
            "create function y() returns void language sql set search_path from current as $$ $$;",
        ],
    ),
    (
        reads_are_checked_by_the_compiler,
        "src/accounts/x.rs",
        &[
            "let rows: Vec<(i64, String)> = sqlx::query_as(\"select a, b from c\").fetch_all(pool).await?;",
            "sqlx::query_as::<_, Row>(&statement)",
            "let row = sqlx::query(\"select a, b from c\")\n.bind(1)\n.fetch_one(pool).await?;",
        ],
    ),
    (modules_say_what_they_are_for, "src/shop/x.rs", &["use std::fmt;"]),
    (nothing_unwraps, "src/shop/x.rs", &["let x = y.unwrap();", "let x = y.expect(\"it is there\");"]),
    (files_tell_one_story, "src/shop/x.rs", &[LONG]),
];

/// Rules that some rooms have still to pass.
const NOT_YET: [Rule; 6] = [
    rooms::routes_come_before_layers,
    names::files_are_nouns,
    names::files_have_searchable_names,
    rooms::journal_names_no_foreign_table,
    rooms::journal_knows_no_noun,
    language::texts_use_plain_words,
];

/// Stands for a file that is too long.
const LONG: &str = "";

#[test]
fn every_rule_finds_its_offenders() {
    let long = "x\n".repeat(FILE_LINES + 1);
    let more = more_rules().map(|(rule, path, offenders, _)| (rule, path, offenders));
    for (rule, path, offenders) in RULES.into_iter().chain(more) {
        for offender in offenders {
            let text = if *offender == LONG { &long } else { *offender };
            assert!(rule(path, text).is_some(), "nothing is found in {path}: {offender:?}");
        }
    }
}

#[test]
fn what_only_looks_like_an_offence_is_let_pass() {
    let harmless: [(Rule, &str, &str); 11] = [
        (reads_are_checked_by_the_compiler, "src/journal/x.rs", "sqlx::query_as(\"select a, b from c\")"),
        (
            reads_are_checked_by_the_compiler,
            "src/accounts/x.rs",
            "sqlx::query_scalar(\"select a\").fetch_one(pool).await?;",
        ),
        (
            reads_are_checked_by_the_compiler,
            "src/accounts/x.rs",
            "sqlx::query(\"delete from a\").execute(pool).await?; b.fetch_one(pool)",
        ),
        (functions_are_files_of_their_own, "migrations/0015_x.sql", "create function x() returns trigger as $$ $$;"),
        (functions_are_files_of_their_own, "migrations/0014_x.sql", "create function x() returns void as $$ $$;"),
        (
            functions_are_files_of_their_own,
            "database/functions/x.sql",
            "-- Does x.\ncreate function x()\nreturns void language sql set search_path from current as $$ $$;",
        ),
        (domain_imports_only_its_crates, "src/domain/x.rs", "// as tokio::time does\nuse crate::domain::ids::OrderId;"),
        (domain_imports_only_its_crates, "src/domain/tests.rs", "use serde_json::json;"),
        (only_the_journal_appends, "src/http/x.rs", "select * from events for update"),
        (
            only_its_apply_writes_a_read_table,
            "projections/bestsellers/apply.sql",
            "insert into bestsellers_by_day (day)",
        ),
        (nothing_unwraps, "src/shop/x.rs", "//! x\n#[cfg(test)]\nmod tests {\nx.unwrap()"),
    ];
    let more = more_rules().flat_map(|(rule, path, _, harmless)| harmless.iter().map(move |text| (rule, path, *text)));
    for (rule, path, text) in harmless.into_iter().chain(more) {
        assert_eq!(rule(path, text), None, "{path}: {text:?}");
    }
}

#[test]
fn the_source_tree_keeps_every_rule() {
    let files =
        source_files(&["src", "projections", "migrations", "database", "tests", "benches", "docs", "templates", ""]);
    assert!(files.len() > 250, "only {} files were found", files.len());
    let more = more_rules().map(|(rule, ..)| rule);
    let mut rules: Vec<Rule> = RULES.iter().map(|(rule, ..)| *rule).chain(more).collect();
    rules.retain(|rule| !NOT_YET.iter().any(|not_yet| *not_yet as usize == *rule as usize));
    rules.dedup_by_key(|rule| *rule as usize);
    let mut offences = Vec::new();
    for (path, text) in files {
        offences.extend(rules.iter().filter_map(|rule| rule(&path, &text)).map(|offence| format!("{path} {offence}")));
    }
    assert!(offences.is_empty(), "{} offences:\n{}", offences.len(), offences.join("\n"));
}

#[test]
fn migrations_are_listed_and_numbered_without_gaps() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let list = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.retain(|file| file.ends_with(".sql"));
    files.sort();
    for file in &files {
        assert!(list.contains(&format!("`{file}`")), "{file} is missing in migrations/README.md");
    }
    let numbers: Vec<_> = files.iter().filter_map(|file| migration_number(&format!("migrations/{file}"))).collect();
    assert_eq!(numbers.len(), files.len());
    let new: Vec<_> = numbers.into_iter().filter(|number| *number >= LAST_WITH_FUNCTIONS).collect();
    assert_eq!(new, (LAST_WITH_FUNCTIONS..).take(new.len()).collect::<Vec<_>>());
}

/// The texts of the files below some folders, by their paths from the root; `""` stands for the root without folders.
fn source_files(folders: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in folders {
        collect(&root.join(folder), !folder.is_empty(), &mut files);
    }
    let path = |file: &PathBuf| file.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    files.iter().map(|file| (path(file), std::fs::read_to_string(file).unwrap())).collect()
}

fn collect(folder: &Path, deep: bool, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
        if path.is_dir() {
            // The rules here quote what they forbid.
            if deep && !path.ends_with("tests/shop/tidy") {
                collect(&path, deep, files);
            }
        } else if ["rs", "sql", "md", "html", "txt"].contains(&kind) {
            files.push(path);
        }
    }
}
