//! `cartwright replay` and `cartwright verify`: rebuilds and checks of read tables and the log.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use futures_util::future::try_join_all;
use indicatif::MultiProgress;

use super::database::{start_engine, wait_for_rebuild, with_database};
use super::output::{print, rebuild_bar, show_progress};
use crate::database::{Database, Location};
use crate::health::{Finding, record_finding};
use crate::journal;
use crate::projector::{self, PROJECTIONS, Projection, Verifier};

#[derive(Args)]
pub(super) struct ReplayArgs {
    /// Projections by name [default: all]
    names: Vec<String>,
}

#[derive(Args)]
pub(super) struct VerifyArgs {
    /// Projections by name [default: all, or none with --log]
    names: Vec<String>,
    /// Check the log itself (positions, stock, money, idempotency); exit code 1 if a rule is broken
    #[arg(long)]
    log: bool,
}

/// Number of tables rebuilt concurrently.
const CONCURRENT_REBUILDS: usize = 2;

pub(super) async fn replay(args: &ReplayArgs, location: &Location) -> anyhow::Result<ExitCode> {
    let projections = find_projections(&args.names)?;
    with_database(location, async |database| rebuild_all(&projections, database).await).await?;
    print("all requested tables are rebuilt and live");
    Ok(ExitCode::SUCCESS)
}

async fn rebuild_all(projections: &[&'static Projection], database: &Database) -> anyhow::Result<()> {
    let (engine, bars) = (start_engine(database).await?, MultiProgress::new());
    for group in projections.chunks(CONCURRENT_REBUILDS) {
        let rebuilds = group.iter().map(|projection| {
            let (pool, bar) = (&database.pool, bars.add(rebuild_bar(projection.name)));
            async move {
                projector::rebuild(pool, projection, &|progress| show_progress(&bar, progress)).await?;
                bar.finish_with_message(format!("{} is live", projection.name));
                anyhow::Ok(())
            }
        });
        try_join_all(rebuilds).await?;
    }
    engine.stop().await
}

pub(super) async fn verify(args: &VerifyArgs, location: &Location) -> anyhow::Result<ExitCode> {
    let projections = if args.log && args.names.is_empty() { vec![] } else { find_projections(&args.names)? };
    let verified = with_database(location, async |database| {
        let log_is_right = !args.log || verify_log(database).await?;
        let tables_are_right = projections.is_empty() || verify_tables(&projections, database).await?;
        Ok(log_is_right && tables_are_right)
    });
    Ok(if verified.await? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints the verdict for each rule of the log; `true` if none is broken.
async fn verify_log(database: &Database) -> anyhow::Result<bool> {
    let checked = journal::check_log(&database.pool).await?;
    for rule in &checked {
        let verdict = if rule.offences == 0 { "ok".to_owned() } else { format!("{} WRONG", rule.offences) };
        print(&format!("{:16} {:>9} {}: {verdict}", rule.name, rule.checked, rule.unit));
    }
    for rule in &checked {
        for finding in &rule.findings {
            print(&format!("    {:16} {finding}", rule.name));
        }
    }
    let offences = checked.iter().map(|rule| rule.offences).sum();
    record_finding(&database.pool, Finding::Log(offences)).await?;
    Ok(offences == 0)
}

/// Prints the verdict for each read table; `true` if every row equals the one rebuilt from the log.
async fn verify_tables(projections: &[&'static Projection], database: &Database) -> anyhow::Result<bool> {
    let engine = start_engine(database).await?;
    let bars = MultiProgress::new();
    let mut different = 0;
    let mut verifier = Verifier::new(&database.pool);
    for projection in projections {
        let bar = bars.add(rebuild_bar(projection.name));
        wait_for_rebuild(database, projection.name).await?;
        let found = verifier.verify(projection, &|progress| show_progress(&bar, progress)).await?;
        bar.finish_and_clear();
        record_finding(&database.pool, Finding::Rows(found.name, found.different)).await?;
        let verdict = if found.different == 0 { "equal".to_owned() } else { format!("{} DIFFERENT", found.different) };
        let rows = if found.rows == 1 { "row" } else { "rows" };
        print(&format!("{:16} {:>9} {rows} at position {}: {verdict}", found.name, found.rows, found.position));
        for difference in &found.examples {
            let side = if difference.live { "only live   " } else { "only rebuilt" };
            print(&format!("    {side} {} {}", difference.table, difference.row));
        }
        different += found.different;
    }
    engine.stop().await?;
    Ok(different == 0)
}

fn find_projections(names: &[String]) -> anyhow::Result<Vec<&'static Projection>> {
    if names.is_empty() {
        return Ok(PROJECTIONS.iter().collect());
    }
    let all_names = || PROJECTIONS.iter().map(|projection| projection.name).collect::<Vec<_>>().join(", ");
    let find = |name: &String| {
        Projection::find(name).with_context(|| format!("no projection `{name}`; the projections are {}", all_names()))
    };
    names.iter().map(find).collect()
}
