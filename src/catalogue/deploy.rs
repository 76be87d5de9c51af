//! Check and deployment of a dump file, and its comparison with the shop.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{bail, ensure};

use super::dump::{DumpOptions, dump};
use super::file::DumpFile;
use super::folder::DumpName;
use super::format::{Problem, Section};
use super::plan::{PLANNED_ROWS, PlannedPart, plan};
use super::reading::{ReadRows, line_of, read_rows};
use super::rows::DeployRow;
use super::slices::{Application, ApplyError, MAX_SLICE_ROWS, OnRefusal, SlicedFile};
use super::{CatalogueShop, Target, wait_for_read_tables};
use crate::applied_files::{Counts, FileKind};
use crate::domain::counted::counted;
use crate::domain::refusal::Refusal;
use crate::files::MediaStore;
use crate::journal::CommandError;

/// How to deploy.
#[derive(Clone, Debug, Default)]
pub struct DeployOptions {
    /// Deploys into a shop that has products.
    pub force: bool,
    /// Writes a dump of the shop before, into this folder, and deploys into a shop that has products.
    pub backup: Option<PathBuf>,
    /// Deletes older backups, so that so many stay.
    pub keep: Option<NonZeroUsize>,
    /// Plans only, and changes nothing.
    pub dry_run: bool,
}

/// What a file holds, and what is wrong with it.
#[derive(Debug)]
pub struct CheckReport {
    pub file: PathBuf,
    /// Elements of each section.
    pub elements: Vec<(Section, u64)>,
    pub problems: Vec<Problem>,
}

/// How the shop differs from a file.
#[derive(Debug)]
pub struct ComparisonReport {
    pub check: CheckReport,
    /// What a deployment would do.
    pub counts: Counts,
    /// Lines of the file that the shop does not hold as they are, with the fields that differ.
    pub differences: Vec<Problem>,
}

/// A deployment, or the plan of one.
#[derive(Debug)]
pub struct DeployReport {
    /// Problems of the file; with one, nothing is changed.
    pub check: CheckReport,
    pub counts: Counts,
    /// Rows that an earlier process had applied.
    pub resumed_after: u64,
    /// The dump that was written before.
    pub backup: Option<PathBuf>,
    /// Older backups that were deleted.
    pub deleted: Vec<PathBuf>,
    /// Where the log ended afterwards.
    pub position: i64,
}

impl ComparisonReport {
    /// Whether the shop holds what the file says.
    pub fn is_equal(&self) -> bool {
        self.check.problems.is_empty() && self.differences.is_empty()
    }
}

/// Shows how far a command is: rows that are done, of all rows.
pub type ShowRows<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// Lists every problem of a file, alone and in the shop as it is.
pub async fn check(shop: &CatalogueShop<'_>, path: &Path, progress: ShowRows<'_>) -> anyhow::Result<CheckReport> {
    Ok(compare(shop, path, progress).await?.check)
}

/// Compares a file with the shop as it is. Times are not compared.
pub async fn compare(
    shop: &CatalogueShop<'_>,
    path: &Path,
    progress: ShowRows<'_>,
) -> anyhow::Result<ComparisonReport> {
    let (file, problems) = DumpFile::open(path)?;
    let mut planned = Planned::of(&file, problems);
    if planned.problems.is_empty() {
        planned.plan_all(Target::Shop(shop), &file, 0, progress).await?;
    }
    Ok(planned.into_comparison(&file))
}

/// Plans the deployment of a file into a shop that does not exist yet. Nothing is created.
pub async fn plan_new_shop(store: &MediaStore, path: &Path, progress: ShowRows<'_>) -> anyhow::Result<DeployReport> {
    store.check_unowned().await?;
    let (file, problems) = DumpFile::open(path)?;
    let mut planned = Planned::of(&file, problems);
    if planned.problems.is_empty() {
        planned.plan_all(Target::NewShop(store), &file, 0, progress).await?;
    }
    Ok(planned.into_deployment(&file, 0, 0))
}

/// Checks a file and deploys it. A file with a problem changes nothing. A file of at most 1,000 products is deployed
/// completely or not at all; a longer one in slices, and a deployment that was killed is continued.
pub async fn deploy(
    shop: &CatalogueShop<'_>,
    path: &Path,
    options: &DeployOptions,
    progress: ShowRows<'_>,
) -> anyhow::Result<DeployReport> {
    let (file, problems) = DumpFile::open(path)?;
    let mut planned = Planned::of(&file, problems);
    if !planned.problems.is_empty() {
        return Ok(planned.into_deployment(&file, 0, shop.journal.position()));
    }
    if options.dry_run {
        planned.plan_all(Target::Shop(shop), &file, 0, progress).await?;
        return Ok(planned.into_deployment(&file, 0, shop.journal.position()));
    }
    let mut application = Application::begin(shop.journal, shop.connect, shop.pool, sliced(&file)).await?;
    let resumed_after = application.applied_rows();
    wait_for_read_tables(shop.projector, shop.journal.position()).await?;
    if resumed_after == 0 && !options.force && options.backup.is_none() {
        ensure_no_products(shop).await?;
    }
    planned.plan_all(Target::Shop(shop), &file, resumed_after, progress).await?;
    let mut report = planned.into_deployment(&file, resumed_after, shop.journal.position());
    if !report.check.problems.is_empty() {
        return Ok(report);
    }
    // A continued deployment keeps the backup of its beginning.
    if let (Some(folder), 0) = (&options.backup, resumed_after) {
        let (folder, name, in_use) = (folder.clone(), DumpName::Backup, Some(file.path.clone()));
        let backup = DumpOptions { folder, name, with_categories: true, keep: options.keep, in_use };
        let written = dump(shop.journal, shop.projector, shop.pool, &backup, &|_| ()).await?;
        application.set_backup(written.path.display().to_string());
        report.deleted = written.deleted;
    }
    report.backup = application.backup().map(PathBuf::from);
    apply_slices(shop, &file, &mut application, progress).await?;
    report.counts = application.counts().clone();
    report.position = shop.journal.position();
    wait_for_read_tables(shop.projector, report.position).await?;
    Ok(report)
}

/// Categories come first, then products.
fn sliced(file: &DumpFile) -> SlicedFile {
    SlicedFile {
        kind: FileKind::Deploy,
        digest: file.digest.clone(),
        name: file.name(),
        total_rows: (file.categories.len() + file.products.len()) as u64,
        is_whole: file.products.len() <= MAX_SLICE_ROWS,
    }
}

async fn ensure_no_products(shop: &CatalogueShop<'_>) -> anyhow::Result<()> {
    let exist: bool = sqlx::query_scalar("select exists (select from products)").fetch_one(shop.pool).await?;
    ensure!(!exist, "the shop has products; deploy with --backup, which dumps them before, or with --force");
    Ok(())
}

async fn apply_slices(
    shop: &CatalogueShop<'_>,
    file: &DumpFile,
    application: &mut Application,
    progress: ShowRows<'_>,
) -> anyhow::Result<()> {
    let (total, target) = (sliced(file).total_rows, Target::Shop(shop));
    loop {
        let first = application.applied_rows();
        progress(first, total);
        let count = application.next_slice_rows();
        if count == 0 {
            return Ok(());
        }
        let ReadRows { rows, problems, pictures, .. } = read_rows(target, file, first, count).await?;
        if let Some(problem) = problems.first() {
            pictures.release(target).await;
            bail!("{problem}; applied {first} of {}", counted(total, "row", "rows"));
        }
        let applied = application.apply(rows, OnRefusal::Stop).await;
        pictures.release(target).await;
        match applied {
            Ok(_) => {}
            Err(ApplyError::Command(CommandError::Refused(Refusal::Row { row, refusal }))) => {
                let line = line_of(file, row.saturating_sub(1));
                let rows = counted(total, "row", "rows");
                bail!("line {line}: {refusal}; applied {first} of {rows}, and this slice changed nothing");
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// What is known of a file before it is applied.
struct Planned {
    problems: Vec<Problem>,
    counts: Counts,
    differences: Vec<Problem>,
}

impl Planned {
    fn of(file: &DumpFile, problems: Vec<Problem>) -> Self {
        let mut counts = Counts::default();
        for section in file.elements.keys() {
            counts.section(section.name());
        }
        Self { problems, counts, differences: vec![] }
    }

    /// Plans the rows from `first` on. Products see the categories of the file.
    async fn plan_all(
        &mut self,
        target: Target<'_>,
        file: &DumpFile,
        first: u64,
        progress: ShowRows<'_>,
    ) -> anyhow::Result<()> {
        let categories = file.categories.iter().map(|(row, _)| DeployRow::Category(row.clone()));
        let (categories, none) = (Arc::new(categories.collect()), Arc::new(vec![]));
        let total = sliced(file).total_rows;
        let mut next = first;
        while next < total {
            progress(next, total);
            let own_categories = file.categories.len() as u64;
            // A part holds categories alone, or products alone.
            let (before, end) = if next < own_categories { (&none, own_categories) } else { (&categories, total) };
            let count = usize::try_from(end - next)?.min(if next < own_categories { usize::MAX } else { PLANNED_ROWS });
            let ReadRows { rows, places, problems, pictures } = read_rows(target, file, next, count).await?;
            next += rows.len() as u64;
            let planned = plan(target, before, rows).await;
            pictures.release(target).await;
            let PlannedPart { counts, refused, differing } = planned?;
            self.problems.extend(problems);
            self.counts.add(&counts);
            let place = |row: usize| places.get(row).copied();
            self.problems.extend(refused.into_iter().filter_map(|(row, reason)| Some(place(row)?.problem(reason))));
            let differing = differing.into_iter();
            self.differences.extend(differing.filter_map(|(row, fields)| Some(place(row)?.problem(fields.join(", ")))));
        }
        self.problems.sort_by_key(|problem| problem.line);
        progress(total, total);
        Ok(())
    }

    fn check(self, file: &DumpFile) -> (CheckReport, Counts, Vec<Problem>) {
        let elements = file.elements.iter().map(|(section, count)| (*section, *count)).collect();
        let check = CheckReport { file: file.path.clone(), elements, problems: self.problems };
        (check, self.counts, self.differences)
    }

    fn into_comparison(self, file: &DumpFile) -> ComparisonReport {
        let (check, counts, differences) = self.check(file);
        ComparisonReport { check, counts, differences }
    }

    fn into_deployment(self, file: &DumpFile, resumed_after: u64, position: i64) -> DeployReport {
        let (check, counts, _) = self.check(file);
        DeployReport { check, counts, resumed_after, backup: None, deleted: vec![], position }
    }
}
