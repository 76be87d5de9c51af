//! Names of files and types: one word per noun, nouns for files, standard terms, one meaning for each type's name.

use std::collections::{BTreeMap, BTreeSet};

use super::{Tried, is_test, product_code, source_files};

pub const RULES: [Tried; 4] = [
    (files_are_nouns, "src/shop/change_cart.rs", &[""], &[]),
    (files_are_nouns, "src/shop/carts.rs", &[], &[""]),
    (files_have_searchable_names, "src/http/edge/patience.rs", &[""], &[]),
    (
        a_projection_is_named_for_its_table,
        "projections/carts/table.sql",
        &["create table cart (cart_id text)", "create table carts_of_guests (cart_id text)"],
        &["create table carts (\n    cart_id text\n)"],
    ),
];

/// Verbs of commands. A use case or a handler belongs in the file of its noun.
const VERBS: [&str; 22] = [
    "add", "adjust", "cancel", "change", "confirm", "create", "delete", "end", "erase", "expire", "merge", "move",
    "open", "place", "record", "register", "remove", "rename", "request", "revoke", "rotate", "set",
];

fn files_are_nouns(path: &str, _: &str) -> Option<String> {
    let shared = path.starts_with("src/http/edge/") || path.starts_with("src/http/wire/");
    let searched = (path.starts_with("src/shop/") || path.starts_with("src/http/")) && !shared;
    let stem = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
    let verb = stem.split_once('_').map(|(verb, _)| verb).filter(|verb| searched && VERBS.contains(verb));
    verb.map(|verb| format!("is named for the verb {verb}, not for its noun"))
}

/// Names of files that say nothing to a reader who searches, with the name to use.
const RENAMED_FILES: [(&str, &str); 14] = [
    ("points", "failpoints"),
    ("patience", "timeouts"),
    ("gate", "authenticator"),
    ("letters", "account_mails"),
    ("books", "order_payments"),
    ("records", "sign_ins, or what is recorded"),
    ("profile", "side_write"),
    ("remains", "abandoned_builds"),
    ("leaks", "secrets_in_logs"),
    ("trail", "audit"),
    ("swaps", "projection_swaps"),
    ("stops", "graceful_shutdown"),
    ("till", "paying_shop"),
    ("deaths", "crashes"),
];

fn files_have_searchable_names(path: &str, _: &str) -> Option<String> {
    let searched = path.starts_with("src/") || path.starts_with("tests/");
    let stem = path.rsplit('/').next().unwrap_or_default().strip_suffix(".rs")?;
    let better = RENAMED_FILES.iter().find(|(banned, _)| searched && *banned == stem);
    better.map(|(_, better)| format!("should be named {better}"))
}

fn a_projection_is_named_for_its_table(path: &str, text: &str) -> Option<String> {
    let folder = path.strip_prefix("projections/")?.strip_suffix("/table.sql")?;
    let first = text.split("create table ").nth(1)?.split([' ', '(', '\n']).next()?;
    (first != folder).then(|| format!("creates {first} first, not {folder}"))
}

/// Where types mirror a format from outside under the noun's own name: bodies of the API, and files that are read.
const FORMATS: [&str; 4] = ["src/http/", "src/admin/", "src/seeds.rs", "src/play/"];

#[test]
fn no_type_name_has_two_meanings() {
    let mut declared: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in source_files(&["src"]) {
        if is_test(&path) || FORMATS.iter().any(|format| path.starts_with(format)) {
            continue;
        }
        for name in product_code(&text).lines().filter_map(declared_type) {
            declared.entry(name.to_owned()).or_default().insert(path.clone());
        }
    }
    assert!(declared.len() > 200, "only {} types were found", declared.len());
    declared.retain(|_, paths| paths.len() > 1);
    assert!(declared.is_empty(), "{declared:#?}");
}

/// The name of the type that a line declares at the top of a module.
fn declared_type(line: &str) -> Option<&str> {
    let visible = ["pub(super) ", "pub(crate) ", "pub "].iter().find_map(|start| line.strip_prefix(start));
    let line = visible.unwrap_or(line);
    let name = ["struct ", "enum ", "trait ", "type "].iter().find_map(|start| line.strip_prefix(start))?;
    name.split(|letter: char| !letter.is_alphanumeric()).next()
}
