//! `cartwright views`: views of the operator that no longer fitted the shop's tables after an upgrade.

use std::process::ExitCode;

use anyhow::ensure;
use clap::Subcommand;

use super::database::with_database;
use super::output::print;
use crate::database::{Database, Location};
use crate::projector::{self, SetAsideView};

#[derive(Subcommand)]
pub(super) enum ViewsCommand {
    /// List the views: why each no longer fits, and the statements that make it
    List,
    /// Make views again that fit now; exit code 1 if one does not fit
    Restore {
        /// Views with their schemas, such as `reports.sales_by_country` [default: all]
        names: Vec<String>,
    },
    /// Delete the text of a view
    Forget {
        /// The view with its schema
        name: String,
    },
}

pub(super) async fn run_views_command(command: &ViewsCommand, location: &Location) -> anyhow::Result<ExitCode> {
    with_database(location, async |database| match command {
        ViewsCommand::List => list(database).await,
        ViewsCommand::Restore { names } => restore(names, database).await,
        ViewsCommand::Forget { name } => {
            ensure!(projector::forget_view(&database.pool, name).await?, "no view `{name}` is kept");
            print(&format!("the text of `{name}` is deleted"));
            Ok(ExitCode::SUCCESS)
        }
    })
    .await
}

async fn list(database: &Database) -> anyhow::Result<ExitCode> {
    let views = projector::set_aside_views(&database.pool).await?;
    if views.is_empty() {
        print("every view fits the shop's tables");
    }
    for view in views {
        print(&format!("-- {}: {}\n{};\n", view.name, view.reason, view.statements.join(";\n")));
    }
    Ok(ExitCode::SUCCESS)
}

async fn restore(names: &[String], database: &Database) -> anyhow::Result<ExitCode> {
    let views = projector::set_aside_views(&database.pool).await?;
    for name in names {
        ensure!(views.iter().any(|view| view.name == *name), "no view `{name}` is kept");
    }
    let is_named = |view: &SetAsideView| names.is_empty() || names.contains(&view.name);
    let mut left: Vec<_> = views.into_iter().filter(is_named).collect();
    // A view may read another one of the list, so the rest is tried again as long as one fits.
    loop {
        let (before, mut refused) = (left.len(), Vec::new());
        for view in left {
            match projector::restore_view(&database.pool, &view).await? {
                Some(reason) => refused.push(SetAsideView { reason, ..view }),
                None => print(&format!("`{}` is made again", view.name)),
            }
        }
        left = refused;
        if left.is_empty() || left.len() == before {
            break;
        }
    }
    for view in &left {
        print(&format!("`{}` does not fit: {}", view.name, view.reason));
    }
    Ok(if left.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
