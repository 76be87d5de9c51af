//! The archive: moves the streams of closed orders and dead carts out of `events`, for `cartwright archive` and for the
//! scheduled task.
//!
//! The aggregates decide whether a stream may go (`eligibility.rs`); the journal moves it if it has not changed since.
//! A run reads the old part of the log in windows, and moves each window in slices of a bounded number of events. So it
//! may be killed anywhere: what is moved is moved, and the next run continues.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use clap::ValueEnum;
use serde::Serialize;
use sqlx::PgPool;

use crate::clock::{self, ClockVerdict};
use crate::domain::counted::counted;
use crate::domain::ids::CustomerId;
use crate::domain::order::Status;
use crate::failpoints::failpoint;
use crate::journal::archive::{ArchivableRange, ArchiveSlice, StreamPart};
use crate::journal::{StreamId, archive as journal};
use crate::reactors;

mod eligibility;
mod file;
mod restore;

pub use file::Manifest;
pub use restore::{RestoreReport, restore};

use eligibility::{Eligible, find_eligible};
use file::ArchiveWriter;

/// Kind of streams that can be archived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ArchivedKind {
    Order,
    Cart,
}

/// Which streams to archive.
#[derive(Clone, Debug)]
pub struct ArchiveOptions {
    /// Only streams whose last event is older.
    pub older_than: Duration,
    /// Kinds of streams; empty: all.
    pub kinds: Vec<ArchivedKind>,
    /// Statuses of orders; empty: completed and cancelled. With statuses, carts are left out.
    pub statuses: Vec<Status>,
    /// Only orders and carts of this customer.
    pub customer: Option<CustomerId>,
    /// Count only.
    pub dry_run: bool,
    /// Also write the events to this file, before they are moved.
    pub file: Option<PathBuf>,
    /// Stop after this many events; the scheduled task archives the rest in its next run.
    pub most_events: Option<i64>,
}

impl ArchiveOptions {
    /// Every closed order and dead cart of an age.
    pub fn older_than(older_than: Duration) -> Self {
        let (kinds, statuses) = (Vec::new(), Vec::new());
        Self { older_than, kinds, statuses, customer: None, dry_run: false, file: None, most_events: None }
    }
}

/// What a run has archived, or would archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ArchiveReport {
    pub dry_run: bool,
    pub orders: u64,
    pub carts: u64,
    pub events: i64,
    /// Old orders and carts that stay: still open, or something of them waits.
    pub kept: u64,
    /// The follower of the log that keeps further events from being archived.
    pub limited_by: Option<String>,
    pub file: Option<PathBuf>,
    /// Whether `most_events` ended the run.
    pub more: bool,
}

/// Events of a window of the log.
const WINDOW: i64 = 1_000;
/// The most events of a slice, so that a move takes milliseconds.
const SLICE: i64 = 500;
/// How often a window is decided again because a stream of it has changed meanwhile.
const ATTEMPTS: usize = 20;

/// Archives every stream that may go.
pub async fn run(pool: &PgPool, options: &ArchiveOptions) -> anyhow::Result<ArchiveReport> {
    let mut run = Run::start(pool, options).await?;
    match &options.file {
        _ if options.dry_run => run.plan(None).await?,
        // The file is complete before anything is moved, so a killed run loses no event of it.
        Some(path) => {
            let mut writer = ArchiveWriter::create(path, run.log_id().await?)?;
            let slices = run.plan(Some(&mut writer)).await.map(|()| std::mem::take(&mut run.planned))?;
            if slices.is_empty() {
                // The name stays free for a run that archives something.
                return Ok(run.report);
            }
            writer.finish(&run.cutoff)?;
            failpoint!("archive-file-written");
            run.report = ArchiveReport { file: Some(path.clone()), ..run.empty_report() };
            for slice in slices {
                run.move_planned(slice).await?;
            }
        }
        None => run.archive().await?,
    }
    Ok(run.report)
}

/// One run.
struct Run<'a> {
    pool: &'a PgPool,
    options: &'a ArchiveOptions,
    kinds: Vec<String>,
    cutoff: DateTime<Utc>,
    range: ArchivableRange,
    /// Streams that a reaction waits for.
    awaited: HashSet<StreamId>,
    /// What a file holds and the run then moves.
    planned: Vec<ArchiveSlice>,
    report: ArchiveReport,
}

impl<'a> Run<'a> {
    async fn start(pool: &'a PgPool, options: &'a ArchiveOptions) -> anyhow::Result<Self> {
        let reading = clock::read(pool).await?;
        if reading.verdict != ClockVerdict::Plausible {
            bail!("{}; `cartwright clock accept` accepts it", reading.describe());
        }
        ensure!(
            !journal::has_other_versions(pool).await?,
            "a node of another version of the program is running, which may not read archived events; \
             archive when all nodes have this version"
        );
        let kinds: Vec<String> = eligibility::kinds(options).map(str::to_owned).collect();
        ensure!(!kinds.is_empty(), "--status names statuses of orders, and --kind leaves orders out");
        let age = TimeDelta::from_std(options.older_than).context("--older-than is too long")?;
        let cutoff = reading.clock_time.checked_sub_signed(age).context("--older-than is too long")?;
        let range = journal::archivable_range(pool, cutoff).await?;
        let awaited = reactors::awaited_streams(pool, &kinds, range.upto).await?;
        let awaited = awaited.into_iter().map(|(kind, id)| StreamId { kind: kind.into(), id: id.into() }).collect();
        let mut run =
            Self { pool, options, kinds, cutoff, range, awaited, planned: vec![], report: ArchiveReport::default() };
        run.report = run.empty_report();
        Ok(run)
    }

    fn empty_report(&self) -> ArchiveReport {
        let limited_by = self.range.limited_by.clone();
        ArchiveReport { dry_run: self.options.dry_run, kept: self.report.kept, limited_by, ..ArchiveReport::default() }
    }

    async fn log_id(&self) -> Result<uuid::Uuid, sqlx::Error> {
        sqlx::query_scalar("select log_id from log_identity").fetch_one(self.pool).await
    }

    /// Counts what may go, and writes it to the file if there is one.
    async fn plan(&mut self, mut writer: Option<&mut ArchiveWriter>) -> anyhow::Result<()> {
        let mut after = 0;
        while let Some(end) = journal::window_end(self.pool, after, self.range.upto, WINDOW).await? {
            let eligible = self.find_eligible(after, end).await?;
            self.report.kept += eligible.kept;
            for slice in slices_of(&eligible) {
                self.count(&slice);
                if let Some(writer) = &mut writer {
                    writer.write(&journal::events_of(self.pool, &slice).await?)?;
                    self.planned.push(slice);
                }
            }
            after = end;
        }
        Ok(())
    }

    /// Moves what may go, window by window.
    async fn archive(&mut self) -> anyhow::Result<()> {
        let mut after = 0;
        while let Some(end) = journal::window_end(self.pool, after, self.range.upto, WINDOW).await? {
            if self.options.most_events.is_some_and(|most| self.report.events >= most) {
                self.report.more = true;
                break;
            }
            self.archive_window(after, end).await?;
            after = end;
        }
        Ok(())
    }

    async fn archive_window(&mut self, after: i64, end: i64) -> anyhow::Result<()> {
        for _ in 0..ATTEMPTS {
            let eligible = self.find_eligible(after, end).await?;
            let mut changed = false;
            for slice in slices_of(&eligible) {
                match self.move_slice(&slice).await? {
                    true => self.count(&slice),
                    // A stream has changed, or another archiver was faster: the rest is decided again.
                    false => changed = true,
                }
            }
            if !changed {
                self.report.kept += eligible.kept;
                return Ok(());
            }
        }
        bail!("the streams up to position {end} change all the time; run the command again")
    }

    /// Moves a slice that the file holds; what has changed since stays, and the file holds it all the same.
    async fn move_planned(&mut self, slice: ArchiveSlice) -> anyhow::Result<()> {
        if self.move_slice(&slice).await? {
            self.count(&slice);
            return Ok(());
        }
        for part in slice.parts {
            let alone = ArchiveSlice { parts: vec![part], unchanged: slice.unchanged.clone() };
            match self.move_slice(&alone).await? {
                true => self.count(&alone),
                false => self.report.kept += 1,
            }
        }
        Ok(())
    }

    async fn move_slice(&self, slice: &ArchiveSlice) -> Result<bool, sqlx::Error> {
        failpoint!("archive-slice-decided");
        let moved = journal::move_slice(self.pool, slice).await?;
        failpoint!("archive-slice-moved");
        Ok(moved)
    }

    async fn find_eligible(&self, after: i64, end: i64) -> anyhow::Result<Eligible> {
        let old = journal::old_streams(self.pool, &self.kinds, after, end).await?;
        let (awaited, free): (Vec<_>, Vec<_>) = old.into_iter().partition(|old| self.awaited.contains(&old.stream));
        let mut eligible = find_eligible(self.pool, free, self.options).await?;
        eligible.kept += awaited.len() as u64;
        Ok(eligible)
    }

    fn count(&mut self, slice: &ArchiveSlice) {
        self.report.events += slice.events();
        // A long stream is moved in several parts; its last one counts.
        for part in slice.parts.iter().filter(|part| part.last == part.version) {
            match eligibility::kind_of(&part.stream) {
                Some(ArchivedKind::Order) => self.report.orders += 1,
                Some(ArchivedKind::Cart) => self.report.carts += 1,
                None => {}
            }
        }
    }
}

/// The streams in slices of at most [`SLICE`] events; a longer stream in several, from its first event on.
fn slices_of(eligible: &Eligible) -> Vec<ArchiveSlice> {
    let mut slices: Vec<ArchiveSlice> = Vec::new();
    let mut room = 0;
    for (old, depends_on) in &eligible.streams {
        let mut first = old.first;
        while first <= old.version {
            if room == 0 {
                slices.push(ArchiveSlice::default());
                room = SLICE;
            }
            let last = old.version.min(first + room - 1);
            room -= last - first + 1;
            if let Some(slice) = slices.last_mut() {
                slice.parts.push(StreamPart { stream: old.stream.clone(), first, last, version: old.version });
                slice.unchanged.extend(depends_on.clone().filter(|known| !slice.unchanged.contains(known)));
            }
            first = last + 1;
        }
    }
    slices
}

impl fmt::Display for ArchiveReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { orders, carts, events, kept, .. } = self;
        let verb = if self.dry_run { "would archive" } else { "archived" };
        let (orders, carts) = (counted(*orders, "order", "orders"), counted(*carts, "cart", "carts"));
        let (events, kept) = (counted(*events, "event", "events"), counted(*kept, "that is", "that are"));
        write!(formatter, "{verb} {orders} and {carts}, {events}; kept {kept} not closed")?;
        if let Some(follower) = &self.limited_by {
            write!(formatter, "\nnothing is archived that {follower} has not read yet")?;
        }
        if let Some(file) = &self.file {
            write!(formatter, "\nwritten to {}", file.display())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::archive::OldStream;

    fn eligible(lengths: &[(i64, i64)]) -> Eligible {
        let stream = |id: usize| StreamId { kind: "Order".into(), id: id.to_string().into() };
        let streams = lengths.iter().enumerate();
        let streams = streams.map(|(id, (first, version))| {
            (OldStream { stream: stream(id), first: *first, version: *version }, Some((stream(99), 1)))
        });
        Eligible { streams: streams.collect(), kept: 0 }
    }

    #[test]
    fn slices_are_bounded_and_a_long_stream_is_moved_from_its_first_event_on() {
        let slices = slices_of(&eligible(&[(1, 3), (4, 1_203), (1, 10)]));
        assert!(slices.iter().all(|slice| slice.events() <= SLICE && slice.unchanged.len() == 1));
        assert_eq!(slices.iter().map(ArchiveSlice::events).sum::<i64>(), 3 + 1_200 + 10);
        let long: Vec<_> =
            slices.iter().flat_map(|slice| &slice.parts).filter(|part| &*part.stream.id == "1").collect();
        assert_eq!((long[0].first, long[long.len() - 1].last), (4, 1_203));
        assert!(long.windows(2).all(|pair| pair[0].last + 1 == pair[1].first));
        assert!(slices_of(&eligible(&[])).is_empty());
    }
}
