//! Invariants of the source tree, each a rule over a file's path and text that is known to fail on an offender.

mod code;
mod language;
mod names;
mod rooms;
mod sql;

use std::path::{Path, PathBuf};

/// What is wrong with a file, if anything.
type Rule = fn(path: &str, text: &str) -> Option<String>;

/// A rule with a path, texts that break it there, and texts that only look like it.
type Tried = (Rule, &'static str, &'static [&'static str], &'static [&'static str]);

fn rules() -> impl Iterator<Item = Tried> {
    code::RULES.into_iter().chain(rooms::RULES).chain(sql::RULES).chain(names::RULES).chain(language::RULES)
}

#[test]
fn every_rule_finds_its_offenders() {
    for (rule, path, offenders, _) in rules() {
        for offender in offenders {
            assert!(rule(path, offender).is_some(), "nothing is found in {path}: {offender:?}");
        }
    }
}

#[test]
fn texts_that_only_look_like_an_offence_pass() {
    for (rule, path, _, harmless) in rules() {
        for text in harmless {
            assert_eq!(rule(path, text), None, "{path}: {text:?}");
        }
    }
}

#[test]
fn the_source_tree_keeps_every_rule() {
    let files =
        source_files(&["src", "projections", "migrations", "database", "tests", "benches", "docs", "templates", ""]);
    assert!(files.len() > 250, "only {} files were found", files.len());
    let mut rules: Vec<Rule> = rules().map(|(rule, ..)| rule).collect();
    // A rule is tried on several paths.
    rules.dedup_by_key(|rule| *rule as usize);
    let mut offences = Vec::new();
    for (path, text) in files {
        offences.extend(rules.iter().filter_map(|rule| rule(&path, &text)).map(|offence| format!("{path} {offence}")));
    }
    assert!(offences.is_empty(), "{} offences:\n{}", offences.len(), offences.join("\n"));
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

/// What a source file in `src/` is only compiled into tests.
fn is_test(path: &str) -> bool {
    ["/tests.rs", "/properties.rs", "/samples.rs"].iter().any(|end| path.ends_with(end))
        || path.contains("/properties/")
        || path.contains("/tests/")
}

/// The code of a file without its tests and comments.
fn product_code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Whether the code contains `name` as a whole name.
fn contains_name(code: &str, name: &str) -> bool {
    let inside = |letter: char| letter.is_alphanumeric() || letter == '_';
    code.match_indices(name)
        .any(|(place, _)| !code[..place].ends_with(inside) && !code[place + name.len()..].starts_with(inside))
}
