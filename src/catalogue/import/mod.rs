//! Import of products from a CSV file: each row is created or changed as a client's command would do it.
//!
//! The file is read twice: first whole, so that a broken file changes nothing, then slice by slice. A killed import is
//! finished by the same command.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::ProgressBar;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use thiserror::Error;

use super::slices::{Application, ApplyError, MAX_SLICE_ROWS, OnRefusal, SlicedFile};
use crate::applied_files::{Counts, FileKind};
use crate::csv_file::{CsvError, CsvFile, CsvRow};
use crate::domain::counted::counted;
use crate::journal::{Actor, CommandError, Context, Journal};
use crate::regular_file;
use crate::shop::{AppliedProduct, Bulk, BulkRow, RowEffect};

mod columns;
mod rows;

pub use columns::{ColumnError, ColumnOptions, ProductColumns};

use rows::{ImportRow, RowReader};

#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    pub columns: ColumnOptions,
    /// Creates the categories that rows name and the shop does not have.
    pub create_categories: bool,
    /// Changes nothing, and reports what would change.
    pub dry_run: bool,
    /// Creates a product for each row that names none, although such a row was imported before.
    pub again: bool,
}

#[derive(Debug, Error)]
pub enum ImportError {
    #[error("cannot read {}: {error}", .path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error(transparent)]
    File(#[from] CsvError),
    #[error(transparent)]
    Columns(#[from] ColumnError),
    #[error("the file has no rows")]
    NoRows,
    #[error("the file was changed while it was read")]
    Changed,
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// What became of a file.
#[derive(Debug)]
pub struct ImportReport {
    pub columns: ProductColumns,
    pub rows: u64,
    /// Rows that an earlier, interrupted import had applied.
    pub continued_after: u64,
    pub counts: Counts,
    /// Rows that were left out.
    pub refused: Vec<RefusedLine>,
    pub dry_run: bool,
}

/// A row that was left out.
#[derive(Debug)]
pub struct RefusedLine {
    pub line: u64,
    pub reason: String,
}

/// What a first reading of the file finds.
struct Survey {
    columns: ProductColumns,
    /// The line of each row.
    lines: Vec<u64>,
    digest: String,
}

/// Imports a file, or finishes an interrupted import of it; `progress` counts rows.
pub async fn import_products(
    journal: &Journal,
    connect: &PgConnectOptions,
    pool: &PgPool,
    path: &Path,
    options: &ImportOptions,
    progress: &ProgressBar,
) -> Result<ImportReport, ImportError> {
    let Survey { columns, lines, digest } = survey(path, options)?;
    let rows = lines.len() as u64;
    progress.set_length(rows);
    let mut report = ImportReport {
        columns,
        rows,
        continued_after: 0,
        counts: Counts::default(),
        refused: Vec::new(),
        dry_run: options.dry_run,
    };
    let columns = report.columns.clone();
    let mut file = RowReader::new(CsvFile::open(open(path)?)?, columns, options);
    if options.dry_run {
        preview(journal, &mut file, &mut report, progress).await?;
        return Ok(report);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let sliced = SlicedFile::new(FileKind::Import, digest, name, rows);
    let mut application = Application::begin(journal, connect, pool, sliced).await?;
    report.continued_after = application.applied_rows();
    progress.set_position(report.continued_after);
    for _ in 0..report.continued_after {
        file.next_row()?.ok_or(ImportError::Changed)?;
    }
    loop {
        let most = application.next_slice_rows();
        if most == 0 {
            break;
        }
        let slice = file.slice(most)?;
        if slice.len() < most {
            return Err(ImportError::Changed);
        }
        progress.inc(slice.len() as u64);
        apply_slice(&mut application, slice).await?;
    }
    report.counts = application.counts().clone();
    let refused = application.refused().iter().map(|refused| RefusedLine {
        line: usize::try_from(refused.row).ok().and_then(|row| lines.get(row - 1).copied()).unwrap_or(refused.row),
        reason: refused.reason.clone(),
    });
    report.refused = refused.collect();
    Ok(report)
}

/// Applies rows as one unit of work. If a constraint of the database refuses all of them, each is applied alone, which
/// shows the row at fault.
async fn apply_slice(application: &mut Application, slice: Vec<ImportRow>) -> Result<(), ImportError> {
    let slice: Vec<_> = slice.into_iter().map(Arc::new).collect();
    match application.apply(slice.clone(), OnRefusal::LeaveOut).await {
        Err(ApplyError::Command(CommandError::Refused(_))) => {}
        outcome => return Ok(outcome.map(drop)?),
    }
    for row in slice {
        let line = row.line;
        match application.apply(vec![row], OnRefusal::LeaveOut).await {
            Err(ApplyError::Command(CommandError::Refused(refusal))) => {
                let left_out = ImportRow { line, command: Err(refusal.to_string()) };
                application.apply(vec![Arc::new(left_out)], OnRefusal::LeaveOut).await?;
            }
            outcome => drop(outcome?),
        }
    }
    Ok(())
}

fn open(path: &Path) -> Result<BufReader<File>, ImportError> {
    regular_file::open(path)
        .map(BufReader::new)
        .map_err(|error| ImportError::Unreadable { path: path.to_owned(), error })
}

/// Reads the whole file: its columns, the lines of its rows, and its digest.
fn survey(path: &Path, options: &ImportOptions) -> Result<Survey, ImportError> {
    let mut digest = Digested { file: open(path)?, digest: Sha256::new() };
    let mut lines = Vec::new();
    let columns = {
        let mut file = CsvFile::open(&mut digest)?;
        let columns = ProductColumns::find(file.headers(), &options.columns)?;
        while let Some(CsvRow { line, .. }) = file.next_row()? {
            lines.push(line);
        }
        file.check_end()?;
        columns
    };
    if lines.is_empty() {
        return Err(ImportError::NoRows);
    }
    // Other columns are another import.
    digest.digest.update(columns.to_string());
    Ok(Survey { columns, lines, digest: hex::encode(digest.digest.finalize()) })
}

/// A file whose bytes are hashed while they are read.
struct Digested<R> {
    file: R,
    digest: Sha256,
}

impl<R: Read> Read for Digested<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.digest.update(&buffer[..length]);
        Ok(length)
    }
}

fn count(counts: &mut Counts, applied: &AppliedProduct) {
    let section = counts.section("products");
    match applied.effect {
        RowEffect::Created => section.created += 1,
        RowEffect::Changed => section.changed += 1,
        RowEffect::Unchanged => section.unchanged += 1,
    }
}

/// Decides every row and stores nothing, up to 1,000 rows at once.
async fn preview<R: Read>(
    journal: &Journal,
    file: &mut RowReader<'_, R>,
    report: &mut ImportReport,
    progress: &ProgressBar,
) -> Result<(), ImportError> {
    loop {
        let slice = file.slice(MAX_SLICE_ROWS)?;
        if slice.is_empty() {
            return Ok(());
        }
        progress.inc(slice.len() as u64);
        let rows = slice.into_iter().map(|ImportRow { line, command }| BulkRow {
            number: line,
            command: command.map(Arc::new).map_err(Value::String),
        });
        let bulk =
            Bulk { rows: rows.collect(), all_or_nothing: false, explain: |refusal| Value::String(refusal.to_string()) };
        let actor = Actor { id: FileKind::Import.as_str().to_owned(), role: "admin" };
        let context = Context { dry_run: true, ..Context::of(actor) };
        for outcome in journal.run(bulk, context).await?.answer {
            match outcome.result {
                Ok(applied) => count(&mut report.counts, &applied),
                Err(reason) => {
                    let reason = reason.as_str().unwrap_or_default().to_owned();
                    report.refused.push(RefusedLine { line: outcome.number, reason });
                }
            }
        }
    }
}

/// Refused rows that are printed.
const SHOWN: usize = 20;

impl ImportReport {
    /// Whether every row was imported.
    pub fn is_complete(&self) -> bool {
        self.refused.is_empty()
    }

    /// Writes every refused row as CSV.
    pub fn write_skipped(&self, file: impl Write) -> Result<(), csv::Error> {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(["line", "reason"])?;
        for RefusedLine { line, reason } in &self.refused {
            writer.write_record([&line.to_string(), reason])?;
        }
        Ok(writer.flush()?)
    }
}

impl fmt::Display for ImportReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "columns:\n{}", self.columns)?;
        if self.continued_after > 0 {
            writeln!(formatter, "continued after row {}", self.continued_after)?;
        }
        let would = if self.dry_run { " (dry run: nothing was changed)" } else { "" };
        writeln!(formatter, "{}{would}\n{}", counted(self.rows, "row", "rows"), self.counts)?;
        for RefusedLine { line, reason } in self.refused.iter().take(SHOWN) {
            writeln!(formatter, "line {line}: {reason}")?;
        }
        match self.refused.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => {
                let more = counted(more, "more row that was", "more rows that were");
                writeln!(formatter, "and {more} left out; --skipped FILE writes all")
            }
        }
    }
}
