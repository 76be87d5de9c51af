//! Who writes to which table, where functions and migrations stand, and that projections ask no clock.

use std::path::Path;
use std::sync::LazyLock;

use super::{Tried, product_code};

pub const RULES: [Tried; 10] = [
    (
        only_the_journal_appends,
        "src/http/x.rs",
        &["insert into\n events (payload)", "DELETE FROM public.events", "update journal_head set", "journal_append("],
        &["select * from events for update"],
    ),
    (only_its_apply_writes_a_read_table, "projections/x/list.sql", &["delete from products as product"], &[]),
    (
        only_its_apply_writes_a_read_table,
        "projections/bestsellers/apply.sql",
        &["insert into products (product_id)"],
        &["insert into bestsellers_by_day (day)"],
    ),
    (
        only_its_apply_writes_a_read_table,
        "src/http/x.rs",
        &["sqlx::query(\"update products set price = 0\")", "truncate bestsellers_by_day;\nselect"],
        &[],
    ),
    (
        reads_are_checked_by_the_compiler,
        "src/accounts/x.rs",
        &[
            "let rows: Vec<(i64, String)> = sqlx::query_as(\"select a, b from c\").fetch_all(pool).await?;",
            "sqlx::query_as::<_, Row>(&statement)",
            "let row = sqlx::query(\"select a, b from c\")\n.bind(1)\n.fetch_one(pool).await?;",
        ],
        &[
            "sqlx::query_scalar(\"select a\").fetch_one(pool).await?;",
            "sqlx::query(\"delete from a\").execute(pool).await?; b.fetch_one(pool)",
        ],
    ),
    (reads_are_checked_by_the_compiler, "src/journal/x.rs", &[], &["sqlx::query_as(\"select a, b from c\")"]),
    (projections_take_no_time_from_the_clock, "projections/x/apply.sql", &["select now()"], &["select placed_at"]),
    (
        functions_are_files_of_their_own,
        "migrations/0015_x.sql",
        &[
            "create function x() returns void language sql as $$ $$;",
            "create or replace\nfunction y() returns trigger as $$ $$; create function x() returns bigint as $$ $$;",
        ],
        &["create function x() returns trigger as $$ $$;"],
    ),
    (functions_are_files_of_their_own, "migrations/0014_x.sql", &[], &["create function x() returns void as $$ $$;"]),
    (
        functions_are_files_of_their_own,
        "database/functions/x.sql",
        &[
            "create function x() returns void language sql as $$ $$;",
            "create function y() returns void language sql set search_path from current as $$ $$;",
        ],
        &["-- Does x.\ncreate function x()\nreturns void language sql set search_path from current as $$ $$;"],
    ),
];

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
    // Not the metric of this name.
    let writes =
        text.replace("journal_append_seconds", "").contains("journal_append") || written_tables(text).iter().any(log);
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
    let maps_rows = ["query_as(", "query_as::<", "query_as_with("].iter().any(|call| code.contains(call));
    // `query(…)` that fetches rows reads columns; `query_scalar` reads one.
    let mut statements = code.split("query(").skip(1).filter_map(|rest| rest.split(';').next());
    let fetches_rows = statements.any(|statement| statement.contains(".fetch"));
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
    // The projector makes a function of each `apply.sql`, and one that these call. Tests make the database fail.
    let may = ["src/projector/definition.rs", "projections/text_key.sql"].contains(&path)
        || path.starts_with("tests/shop/robustness/")
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
