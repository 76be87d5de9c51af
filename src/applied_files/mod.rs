//! Files of products that are applied slice by slice: how far each is, stored in the commit of each slice.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::types::Json;

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
pub struct RecordAppliedRows<'a> {
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

impl SideWrite for RecordAppliedRows<'_> {
    const FUNCTION: &'static str = "record_applied_rows";

    fn refusal(constraint: &str) -> Option<Refusal> {
        (constraint == "applied_file_as_left").then_some(Refusal::FileAppliedElsewhere)
    }
}

/// How far a file is applied; `None` if it was never begun.
pub async fn find(pool: &PgPool, kind: FileKind, digest: &str) -> Result<Option<AppliedFile>, sqlx::Error> {
    sqlx::query_file_as!(AppliedFile, "src/applied_files/queries/applied_file.sql", kind.as_str(), digest)
        .fetch_optional(pool)
        .await
}

/// The files that were applied last; those that a command began and did not finish come first, at most one of each kind.
pub async fn latest_files(pool: &PgPool, limit: i64) -> Result<Vec<AppliedFile>, sqlx::Error> {
    sqlx::query_file_as!(AppliedFile, "src/applied_files/queries/latest_files.sql", limit).fetch_all(pool).await
}

impl AppliedFile {
    pub fn is_finished(&self) -> bool {
        self.applied_rows >= self.total_rows
    }
}
