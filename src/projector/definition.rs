//! The projections: the folders of `projections/`, compiled in.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use super::text_key::TEXT_KEY_SQL;

/// One folder of `projections/`.
#[derive(Clone, Copy, Debug)]
pub struct Projection {
    pub name: &'static str,
    table_sql: &'static str,
    apply_sql: &'static str,
}

const FACTS_SQL: &str = include_str!("../../projections/facts.sql");

macro_rules! projections {
    ($($name:literal),* $(,)?) => {
        /// Every projection, in alphabetical order.
        pub const PROJECTIONS: &[Projection] = &[$(Projection {
            name: $name,
            table_sql: include_str!(concat!("../../projections/", $name, "/table.sql")),
            apply_sql: include_str!(concat!("../../projections/", $name, "/apply.sql")),
        }),*];
    };
}

projections![
    "bestsellers",
    "cart_items",
    "carts",
    "categories",
    "category_stats",
    "customer_stats",
    "customers",
    "discounts",
    "families",
    "family_members",
    "low_stock",
    "order_lines",
    "orders",
    "pricing",
    "product_details",
    "product_facets",
    "product_images",
    "product_search",
    "products",
    "refunds",
    "sales",
    "settings",
    "shipment_lines",
    "shipments",
    "wishlist_items",
];

impl Projection {
    pub fn find(name: &str) -> Option<&'static Self> {
        PROJECTIONS.iter().find(|projection| projection.name == name)
    }

    /// The tables that the folder owns.
    pub fn tables(&self) -> Vec<&'static str> {
        let created = statements(self.table_sql).filter_map(|statement| statement.strip_prefix("create table "));
        created.filter_map(|rest| rest.split_whitespace().next()).collect()
    }

    /// The statements that create the tables, without their indexes.
    pub fn table_statements(&self) -> impl Iterator<Item = &'static str> {
        statements(self.table_sql).filter(|statement| !is_index(statement))
    }

    /// The statements that create the indexes; run last, because inserts are faster without indexes.
    pub fn index_statements(&self) -> impl Iterator<Item = &'static str> {
        statements(self.table_sql).filter(|statement| is_index(statement))
    }

    /// The statements that give the views of `live` the comments of their tables and columns.
    pub fn view_comments(&self) -> Vec<String> {
        let kinds = [("comment on column ", "comment on column live."), ("comment on table ", "comment on view live.")];
        let of_view = |statement: &str| {
            kinds.iter().find_map(|(table, view)| Some(format!("{view}{}", statement.strip_prefix(table)?)))
        };
        statements(self.table_sql).filter_map(of_view).collect()
    }

    /// The statement that installs `apply.sql` as a function in `schema`, so that PostgreSQL keeps its plans and a batch
    /// costs one round trip. It writes the tables in the schema `tables`, from `events` alone; without one, those that
    /// its caller's path finds, from the whole log.
    pub fn create_function(&self, schema: &str, tables: Option<&str>) -> String {
        let path = tables.map_or(String::new(), |tables| format!(" set search_path = {tables}, public, pg_temp"));
        let facts = if tables.is_some() { fact_schema() } else { rebuild_fact_schema() };
        let body = self.function_body().replace("fact.", &format!("{facts}."));
        let name = self.name;
        format!(
            "create or replace function {schema}.apply_{name}() returns void language plpgsql{path} as $$\n{body}$$"
        )
    }

    /// `apply.sql` with a guard around each statement: it is skipped in batches without the events that it reads, because
    /// most batches hold few types. A batch without a list of types runs every statement.
    fn function_body(&self) -> String {
        let guarded: String = statements(self.apply_sql)
            .map(|statement| {
                let types = facts_in(statement).flat_map(quoted_event_types).collect::<Vec<_>>().join(",");
                format!("if batch_types is null or batch_types && '{{{types}}}' then\n{statement};\nend if;\n")
            })
            .collect();
        format!(
            "declare\nbatch_types text[] := \
             string_to_array(nullif(current_setting('projector.types', true), ''), ',');\nbegin\n{guarded}end\n"
        )
    }

    /// SHA-256 of everything that determines the contents of the tables.
    pub fn fingerprint(&self) -> &'static str {
        static FINGERPRINTS: LazyLock<HashMap<&str, String>> = LazyLock::new(|| {
            PROJECTIONS.iter().map(|projection| (projection.name, projection.compute_fingerprint())).collect()
        });
        FINGERPRINTS.get(self.name).map_or("", String::as_str)
    }

    fn compute_fingerprint(&self) -> String {
        let function_body = self.function_body();
        let facts: Vec<&str> = facts_in(self.apply_sql).collect();
        let key = if self.apply_sql.contains("fact.text_key(") { TEXT_KEY_SQL } else { "" };
        let mut parts = [&[self.table_sql, &function_body], facts.as_slice()].concat();
        parts.extend(Some(key).filter(|key| !key.is_empty()));
        let mut digest = Sha256::new();
        for part in parts {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        hex::encode(digest.finalize())
    }

    /// The event types that the projection reads.
    pub fn event_types(&self) -> Vec<&'static str> {
        let mut event_types: Vec<_> = facts_in(self.apply_sql).flat_map(quoted_event_types).collect();
        event_types.sort_unstable();
        event_types.dedup();
        event_types
    }
}

/// The views of `facts.sql` that some SQL reads, and the view that these read.
fn facts_in(sql: &'static str) -> impl Iterator<Item = &'static str> {
    statements(FACTS_SQL).filter(move |statement| {
        let Some(name) = view_name(statement) else { return false };
        name == "event" || words_after(sql, "fact.").any(|word| word == name)
    })
}

/// The schema of the fact views and of `text_key`: named for their text, so that functions of an older text keep theirs.
pub fn fact_schema() -> String {
    let digest = Sha256::new().chain_update(FACTS_SQL).chain_update(TEXT_KEY_SQL).finalize();
    format!("fact_{}", &hex::encode(digest)[..12])
}

/// The schema of the fact views that rebuilds read: the same views, also over archived events.
pub fn rebuild_fact_schema() -> String {
    fact_schema() + "_log"
}

/// The statements that create the fact views and `text_key` for the projector's steps, which need no archived events.
pub fn fact_statements() -> impl Iterator<Item = String> {
    let prefix = format!("{}.", fact_schema());
    let all = statements(FACTS_SQL).chain([without_leading_comments(TEXT_KEY_SQL)]);
    all.map(move |statement| statement.replace("fact.", &prefix))
}

/// The statements that create the fact views and `text_key` for rebuilds.
pub fn rebuild_fact_statements() -> impl Iterator<Item = String> {
    let prefix = format!("{}.", rebuild_fact_schema());
    let all = statements(FACTS_SQL).map(with_archive).chain([without_leading_comments(TEXT_KEY_SQL).to_owned()]);
    all.map(move |statement| statement.replace("fact.", &prefix))
}

/// The statements that create the views of schema `fact`: the same views over the whole log instead of a batch.
pub fn whole_log_statements() -> impl Iterator<Item = String> {
    statements(FACTS_SQL).map(|statement| {
        let whole_log = match view_name(statement) {
            Some("event") => statement.split("\nwhere ").next().unwrap_or(statement),
            _ => statement,
        };
        with_archive(whole_log).replacen("create view", "create or replace view", 1)
    })
}

/// The view that all others read, over archived events too.
fn with_archive(statement: &str) -> String {
    statement.replace("from public.events as event", "from public.event_log as event")
}

/// The names of the fact views.
pub fn fact_names() -> Vec<&'static str> {
    statements(FACTS_SQL).filter_map(view_name).collect()
}

/// The event types that some fact views read.
pub fn event_types_of(facts: &[&str]) -> Vec<&'static str> {
    static VIEWS: LazyLock<HashMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
        let views =
            statements(FACTS_SQL).filter_map(|view| Some((view_name(view)?, quoted_event_types(view).collect())));
        views.collect()
    });
    let mut event_types: Vec<_> = facts.iter().filter_map(|fact| VIEWS.get(fact)).flatten().copied().collect();
    event_types.sort_unstable();
    event_types.dedup();
    event_types
}

/// The places in [`PROJECTIONS`] of those whose tables some SQL names, also where it only seems to: as the name of a column.
pub fn projections_read(sql: &str) -> Vec<usize> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let lines = sql.lines().filter(|line| !line.trim_start().starts_with("--"));
    let words: HashSet<&str> = lines.flat_map(|line| line.split(|letter| !is_word(letter))).collect();
    let reads = |projection: &Projection| projection.tables().iter().any(|table| words.contains(table));
    let places = PROJECTIONS.iter().enumerate().filter(|(_, projection)| reads(projection));
    places.map(|(place, _)| place).collect()
}

/// The fact views of the statements that name one of these columns: what they may set it from.
#[cfg(test)]
pub fn facts_that_set(projection: &str, columns: &[&str]) -> Vec<&'static str> {
    let projection = Projection::find(projection);
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let all = projection.into_iter().flat_map(|projection| statements(projection.apply_sql));
    let setting =
        all.filter(|statement| statement.split(|letter| !is_word(letter)).any(|word| columns.contains(&word)));
    setting.flat_map(|statement| words_after(statement, "fact.")).filter(|fact| *fact != "text_key").collect()
}

/// The statements of a file. A semicolon at the end of a line ends a statement; no line of a comment ends with it.
fn statements(sql: &'static str) -> impl Iterator<Item = &'static str> {
    sql.split(";\n").map(without_leading_comments).filter(|statement| !statement.is_empty())
}

fn without_leading_comments(statement: &'static str) -> &'static str {
    let mut rest = statement.trim();
    while rest.starts_with("--") {
        rest = rest.split_once('\n').map_or("", |(_, next)| next.trim_start());
    }
    rest
}

fn is_index(statement: &str) -> bool {
    statement.starts_with("create index") || statement.starts_with("create unique index")
}

fn view_name(statement: &'static str) -> Option<&'static str> {
    statement.strip_prefix("create view fact.")?.split_whitespace().next()
}

fn words_after<'text>(text: &'text str, prefix: &'text str) -> impl Iterator<Item = &'text str> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.split(prefix).skip(1).map(move |rest| rest.split(|letter| !is_word(letter)).next().unwrap_or_default())
}

/// Event types: the only quoted words in the facts that begin with a capital.
fn quoted_event_types(view: &'static str) -> impl Iterator<Item = &'static str> {
    view.split('\'')
        .skip(1)
        .step_by(2)
        .filter(|word| word.starts_with(|first: char| first.is_ascii_uppercase()))
        .filter(|word| *word != "UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_projection_is_read_from_its_folder() {
        let bestsellers = Projection::find("bestsellers").unwrap();
        assert_eq!(bestsellers.tables(), ["bestsellers", "bestsellers_by_day", "bestsellers_by_month"]);
        assert_eq!(
            bestsellers.event_types(),
            ["OrderCancelled", "OrderPlaced", "OrderReturned", "OrderUnitsCancelled"]
        );
        assert_eq!(bestsellers.index_statements().count(), 1);
        assert!(bestsellers.table_statements().all(|statement| !statement.contains("create index")));
    }

    #[test]
    fn every_projection_reads_some_events_and_owns_the_table_of_its_name() {
        for projection in PROJECTIONS {
            assert!(!projection.event_types().is_empty(), "{}", projection.name);
            assert!(projection.tables().contains(&projection.name), "{}", projection.name);
        }
    }

    #[test]
    fn every_statement_is_left_out_of_batches_without_its_events() {
        for projection in PROJECTIONS {
            let body = projection.function_body();
            let statements = statements(projection.apply_sql).count();
            assert_eq!(body.matches("if batch_types is null or batch_types && '{").count(), statements);
            assert!(!body.contains("'{}'"), "a statement of {} reads no events", projection.name);
        }
        let cancelled = "if batch_types is null or batch_types && '{OrderCancelled}' then\ndelete from sales";
        assert!(Projection::find("sales").unwrap().function_body().contains(cancelled));
    }

    #[test]
    fn every_fact_that_is_read_is_declared() {
        let declared: Vec<_> = statements(FACTS_SQL).filter_map(view_name).collect();
        for projection in PROJECTIONS {
            for fact in words_after(projection.apply_sql, "fact.") {
                assert!(fact == "text_key" || declared.contains(&fact), "{} reads {fact}", projection.name);
            }
        }
    }

    #[test]
    fn statements_are_split_where_they_end() {
        let files = PROJECTIONS.iter().map(|projection| projection.table_sql).chain([FACTS_SQL]);
        for statement in files.flat_map(statements) {
            let begins = ["create view ", "create table ", "create index ", "comment on "];
            assert!(begins.iter().any(|begin| statement.starts_with(begin)), "{statement}");
        }
    }

    #[test]
    fn facts_of_the_whole_log_differ_in_one_view_only() {
        let batch =
            statements(FACTS_SQL).map(|statement| statement.replacen("create view", "create or replace view", 1));
        let different: Vec<_> = batch.zip(whole_log_statements()).filter(|(batch, whole)| batch != whole).collect();
        let [(_, event)] = different.as_slice() else { panic!("{different:?}") };
        assert!(event.starts_with("create or replace view fact.event as\nselect "), "{event}");
        assert!(event.ends_with("\nfrom public.event_log as event"), "{event}");
    }

    #[test]
    fn facts_of_rebuilds_differ_in_one_view_only() {
        let steps = fact_statements().map(|statement| statement.replace(&fact_schema(), &rebuild_fact_schema()));
        let different: Vec<_> =
            steps.zip(rebuild_fact_statements()).filter(|(step, rebuild)| step != rebuild).collect();
        let [(step, rebuild)] = different.as_slice() else { panic!("{different:?}") };
        assert_eq!(step.replace("public.events", "public.event_log"), *rebuild);
    }

    #[test]
    fn fingerprints_differ() {
        let mut fingerprints: Vec<_> = PROJECTIONS.iter().map(Projection::fingerprint).collect();
        fingerprints.sort();
        fingerprints.dedup();
        assert_eq!(fingerprints.len(), PROJECTIONS.len());
    }
}
