//! Application of a file in slices: each is one unit of work, and stores how far the file is applied in its own commit.
//!
//! A killed command is finished by the same command: it begins where the last stored slice ended, so no row is applied
//! twice. A session holds a lock meanwhile, so that two files are not applied at once. If its connection is lost, the
//! stored progress still refuses the slice of a second process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection, PgPool};
use thiserror::Error;

use super::pace::Pace;
use crate::applied_files::{self, AppliedFile, Counts, FileKind, RecordAppliedRows, RefusedRow};
use crate::background::Backoff;
use crate::database::locks;
use crate::domain::refusal::Refusal;
use crate::failpoints::failpoint;
use crate::journal::{Actor, CommandError, Context, Interrupt, Journal, UnitOfWork, UseCase};

/// The most rows of one slice. A file with no more rows is applied completely or not at all.
pub const MAX_SLICE_ROWS: usize = 1_000;
/// Rows of a slice of a longer file: so few that other commands wait for it no longer than for each other.
const PACED_SLICE_ROWS: usize = 5;
/// Attempts for a slice: about half a minute if nothing answers.
const ATTEMPTS: u32 = 12;
const RETRIES: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
/// Refused rows of a file that are stored with their reasons.
const MAX_REFUSED_KEPT: usize = 1_000;

/// A row of a file, as commands on the shop.
pub trait FileRow: Send + Sync + 'static {
    /// Executes the commands of the row, and counts what they did. Commands that would change nothing have no events.
    fn carry_out(&self, work: &mut UnitOfWork<'_>, counts: &mut Counts) -> Result<(), Interrupt>;
}

/// A file that is applied.
#[derive(Clone, Debug)]
pub struct SlicedFile {
    pub kind: FileKind,
    /// SHA-256 of the file, and of the options that change what it does, in hexadecimal.
    pub digest: String,
    /// Its name, for operators.
    pub name: String,
    pub total_rows: u64,
    /// Whether all rows are one unit of work, however many they are.
    pub is_whole: bool,
}

impl SlicedFile {
    /// A file that is one unit of work if it has at most [`MAX_SLICE_ROWS`] rows.
    pub fn new(kind: FileKind, digest: String, name: String, total_rows: u64) -> Self {
        Self { kind, digest, name, total_rows, is_whole: total_rows <= MAX_SLICE_ROWS as u64 }
    }
}

/// What a refused row does to its slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRefusal {
    /// The slice changes nothing.
    Stop,
    /// The row is left out and reported.
    LeaveOut,
}

#[derive(Debug, Error)]
pub enum ApplyError {
    #[error("another file is being applied to the catalogue; wait until it has ended")]
    Running,
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// A file that this process applies. Dropping it leaves the rest for later.
pub struct Application {
    journal: Journal,
    pool: PgPool,
    file: SlicedFile,
    actor: &'static str,
    backup: Option<String>,
    applied_rows: u64,
    counts: Counts,
    refused: Vec<RefusedRow>,
    pace: Pace,
    _lock: PgConnection,
}

impl Application {
    /// Begins a file, or continues it where an earlier process stopped. Fails while another file is being applied.
    pub async fn begin(
        journal: &Journal,
        connect: &PgConnectOptions,
        pool: &PgPool,
        file: SlicedFile,
    ) -> Result<Self, ApplyError> {
        let mut lock = connect.connect().await?;
        let locked = sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(locks::APPLIED_FILE);
        if !locked.fetch_one(&mut lock).await? {
            return Err(ApplyError::Running);
        }
        let actor = file.kind.as_str();
        let found = applied_files::find(pool, file.kind, &file.digest).await?;
        let unfinished = found.filter(|found| found.applied_rows < found.total_rows);
        let (journal, pool) = (journal.clone(), pool.clone());
        let pace = Pace::new(journal.position(), Instant::now());
        let mut begun = Self {
            journal,
            pool,
            file,
            actor,
            backup: None,
            applied_rows: 0,
            counts: Counts::default(),
            refused: Vec::new(),
            pace,
            _lock: lock,
        };
        if let Some(unfinished) = unfinished {
            begun.adopt(unfinished);
        }
        Ok(begun)
    }

    /// Rows that are applied already: the next slice begins after them.
    pub fn applied_rows(&self) -> u64 {
        self.applied_rows
    }

    /// What was counted since the file began, by this process and by earlier ones.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Rows that were left out since the file began: the first thousand.
    pub fn refused(&self) -> &[RefusedRow] {
        &self.refused
    }

    /// The dump that was written before the first slice.
    pub fn backup(&self) -> Option<&str> {
        self.backup.as_deref()
    }

    /// Stores the name of a dump with the first slice.
    pub fn set_backup(&mut self, backup: String) {
        self.backup = Some(backup);
    }

    /// How many rows the next slice should have; 0 when the file is finished.
    pub fn next_slice_rows(&self) -> usize {
        let most = if self.file.is_whole { usize::MAX } else { PACED_SLICE_ROWS };
        let left = self.file.total_rows.saturating_sub(self.applied_rows);
        usize::try_from(left).map_or(most, |left| left.min(most))
    }

    /// Applies the next rows as one unit of work, and returns the rows that were left out. Before it, other commands get
    /// their time.
    pub async fn apply<R: FileRow>(
        &mut self,
        rows: Vec<R>,
        on_refusal: OnRefusal,
    ) -> Result<Vec<RefusedRow>, ApplyError> {
        tokio::time::sleep(self.pace.pause).await;
        let applied_rows = self.applied_rows + rows.len() as u64;
        let slice = Arc::new(Slice {
            file: self.file.clone(),
            backup: self.backup.clone(),
            first_row: self.applied_rows,
            counts: self.counts.clone(),
            refused: self.refused.clone(),
            rows,
            on_refusal,
        });
        let started = Instant::now();
        let SliceAnswer { counts, refused, events } = match self.send(&slice).await {
            Ok(answer) => answer,
            // A slice whose answer was lost is refused the second time.
            Err(CommandError::Refused(Refusal::FileAppliedElsewhere)) => self.stored_answer(applied_rows).await?,
            Err(error) => return Err(error.into()),
        };
        self.pace.end_slice(self.journal.position(), events, started.elapsed(), Instant::now());
        failpoint!("slice-applied");
        self.applied_rows = applied_rows;
        self.counts = counts;
        let left_out = refused.get(self.refused.len()..).unwrap_or_default().to_vec();
        self.refused = refused;
        Ok(left_out)
    }

    async fn send<R: FileRow>(&self, slice: &Arc<Slice<R>>) -> Result<SliceAnswer, CommandError> {
        let mut retries = RETRIES;
        let mut attempt = 1;
        loop {
            let context = Context::of(Actor { id: self.actor.to_owned(), role: "admin" });
            match self.journal.run(ApplySlice(Arc::clone(slice)), context).await {
                Err(CommandError::Busy | CommandError::Unavailable { .. } | CommandError::OutcomeUnknown)
                    if attempt < ATTEMPTS => {}
                concluded => return concluded.map(|receipt| receipt.answer),
            }
            tokio::time::sleep(retries.next_pause()).await;
            attempt += 1;
        }
    }

    /// The answer of a slice that is stored up to `applied_rows`, although it was refused.
    async fn stored_answer(&self, applied_rows: u64) -> Result<SliceAnswer, ApplyError> {
        let found = applied_files::find(&self.pool, self.file.kind, &self.file.digest).await?;
        let found = found.filter(|found| found.applied_rows.unsigned_abs() == applied_rows);
        let found = found.ok_or(ApplyError::Command(Refusal::FileAppliedElsewhere.into()))?;
        Ok(SliceAnswer { counts: found.counts.0, refused: found.refused.0, events: 0 })
    }

    fn adopt(&mut self, unfinished: AppliedFile) {
        self.applied_rows = unfinished.applied_rows.unsigned_abs();
        self.counts = unfinished.counts.0;
        self.refused = unfinished.refused.0;
        self.backup = unfinished.backup;
    }
}

/// The rows of a slice, and what is known of the file before it.
struct Slice<R> {
    file: SlicedFile,
    backup: Option<String>,
    first_row: u64,
    counts: Counts,
    refused: Vec<RefusedRow>,
    rows: Vec<R>,
    on_refusal: OnRefusal,
}

/// Applies one slice.
struct ApplySlice<R>(Arc<Slice<R>>);

/// What is known of the file after the slice.
#[derive(Serialize, Deserialize)]
struct SliceAnswer {
    counts: Counts,
    refused: Vec<RefusedRow>,
    /// Number of events of the slice.
    events: usize,
}

impl<R: FileRow> UseCase for ApplySlice<R> {
    type Answer = SliceAnswer;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<SliceAnswer, Interrupt> {
        let slice = &*self.0;
        let (mut counts, mut refused) = (slice.counts.clone(), slice.refused.clone());
        let mut missing = Vec::new();
        for (row, number) in slice.rows.iter().zip(slice.first_row + 1..) {
            let mut counted = Counts::default();
            match work.attempt(|work| row.carry_out(work, &mut counted)) {
                Ok(()) => counts.add(&counted),
                // All rows are tried, so that what they miss is loaded together.
                Err(Interrupt::Missing(references)) => missing.extend(references),
                Err(Interrupt::Refused(_)) if !missing.is_empty() => {}
                Err(Interrupt::Refused(refusal)) if slice.on_refusal == OnRefusal::Stop => {
                    return Err(Refusal::Row { row: number, refusal: Box::new(refusal) }.into());
                }
                Err(Interrupt::Refused(refusal)) if refused.len() < MAX_REFUSED_KEPT => {
                    refused.push(RefusedRow { row: number, reason: refusal.to_string() });
                }
                Err(Interrupt::Refused(_)) => {}
                Err(broken) => return Err(broken),
            }
        }
        if !missing.is_empty() {
            return Err(Interrupt::Missing(missing));
        }
        let SlicedFile { kind, digest, name, total_rows, .. } = &slice.file;
        work.add_side_write(&RecordAppliedRows {
            kind: *kind,
            digest,
            name,
            total_rows: *total_rows,
            first_row: slice.first_row,
            applied_rows: slice.first_row + slice.rows.len() as u64,
            counts: &counts,
            refused: &refused,
            backup: slice.backup.as_deref(),
        })?;
        Ok(SliceAnswer { counts, refused, events: work.event_count() })
    }
}
