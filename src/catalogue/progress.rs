//! Progress of files that are applied slice by slice, stored in the commit of each slice.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::types::Json;

use super::format::Section;
use crate::domain::refusal::Refusal;
use crate::journal::SideWrite;

/// The command that applies a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    Deploy,
    Import,
}

/// What became of the things of one section of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionCounts {
    pub created: u64,
    pub changed: u64,
    pub unchanged: u64,
}

/// What became of everything in a file, by section. They are shown in the order of the format.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counts(pub BTreeMap<String, SectionCounts>);

/// A row that was left out. Rows count from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRow {
    pub row: u64,
    pub reason: String,
}

/// How far a file is applied.
#[derive(Clone, Debug)]
pub struct AppliedFile {
    /// `deploy` or `import`.
    pub kind: String,
    /// SHA-256, in hexadecimal.
    pub digest: String,
    pub name: String,
    pub total_rows: i64,
    pub applied_rows: i64,
    pub counts: Json<Counts>,
    pub refused: Json<Vec<RefusedRow>>,
    /// The dump that was written before the first slice.
    pub backup: Option<String>,
    pub began_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
}

/// Side write of a slice: the rows that its commit applies.
#[derive(Serialize)]
pub(super) struct RecordAppliedRows<'a> {
    pub kind: FileKind,
    pub digest: &'a str,
    pub name: &'a str,
    pub total_rows: u64,
    /// Rows that were applied before.
    pub first_row: u64,
    pub applied_rows: u64,
    pub counts: &'a Counts,
    pub refused: &'a [RefusedRow],
    pub backup: Option<&'a str>,
}

impl FileKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Import => "import",
        }
    }
}

impl Counts {
    /// The counts of a section, to be raised.
    pub fn section(&mut self, name: &str) -> &mut SectionCounts {
        self.0.entry(name.to_owned()).or_default()
    }

    pub fn add(&mut self, other: &Self) {
        for (name, counts) in &other.0 {
            let section = self.section(name);
            section.created += counts.created;
            section.changed += counts.changed;
            section.unchanged += counts.unchanged;
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sections: Vec<_> = self.0.iter().collect();
        sections.sort_by_key(|(name, _)| Section::ALL.iter().position(|section| section.name() == name.as_str()));
        for (place, (name, counts)) in sections.into_iter().enumerate() {
            let SectionCounts { created, changed, unchanged } = counts;
            let separator = if place > 0 { "\n" } else { "" };
            write!(formatter, "{separator}{name}: {created} created, {changed} changed, {unchanged} unchanged")?;
        }
        Ok(())
    }
}

impl SideWrite for RecordAppliedRows<'_> {
    const FUNCTION: &'static str = "record_applied_rows";

    fn refusal(constraint: &str) -> Option<Refusal> {
        (constraint == "applied_file_as_left").then_some(Refusal::FileAppliedElsewhere)
    }
}

/// How far a file is applied; `None` if it was never begun.
pub(super) async fn find(pool: &PgPool, kind: FileKind, digest: &str) -> Result<Option<AppliedFile>, sqlx::Error> {
    sqlx::query_file_as!(AppliedFile, "src/catalogue/queries/applied_file.sql", kind.as_str(), digest)
        .fetch_optional(pool)
        .await
}

/// Files that a command began and did not finish, the last one first. At most one of each kind.
pub async fn unfinished_files(pool: &PgPool) -> Result<Vec<AppliedFile>, sqlx::Error> {
    sqlx::query_file_as!(AppliedFile, "src/catalogue/queries/unfinished_files.sql").fetch_all(pool).await
}
