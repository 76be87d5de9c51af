//! Computes the fingerprint of the rules: the sources that decide what state follows from a stream of events.
//!
//! Stored snapshots of states carry it, so that a program with other rules never reads them.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

const RULES: &str = "src/domain";
/// Files and folders without rules.
const TESTS: [&str; 4] = ["tests.rs", "tests", "samples", "properties"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={RULES}");
    let mut files = Vec::new();
    collect_files(Path::new(RULES), &mut files)?;
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        (file.to_string_lossy(), fs::read(&file)?).hash(&mut hasher);
    }
    println!("cargo::rustc-env=RULES_FINGERPRINT={:016x}", hasher.finish());
    Ok(())
}

fn collect_files(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if TESTS.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        if path.is_dir() { collect_files(&path, files)? } else { files.push(path) }
    }
    Ok(())
}
