//! The documentation as files: its pages, and the commands that they show.

use std::path::{Path, PathBuf};

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn page(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The blocks of a page in one language: `sh`, `text`, `json`.
pub fn blocks(path: &str, language: &str) -> Vec<String> {
    let (page, opening) = (page(path), format!("```{language}\n"));
    let blocks = page.split(&opening).skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// Every page of the repository, by its path from the root.
pub fn all() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for folder in ["", "docs", "docs/decisions", "migrations", "projections", "database/functions"] {
        let files = std::fs::read_dir(root().join(folder)).into_iter().flatten().map(|entry| entry.unwrap().path());
        pages.extend(files.filter(|file| file.extension().is_some_and(|extension| extension == "md")));
    }
    pages.iter().map(|file| file.strip_prefix(root()).unwrap().to_owned()).collect()
}
