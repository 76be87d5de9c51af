//! `cartwright cleanup`: deletes old temporary files and pictures that nothing refers to.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::database::with_database;
use super::output::{print, print_error};
use crate::config::DatabaseConfig;
use crate::database::Location;
use crate::files::{CleanupOptions, MediaFiles, MediaStore, clean_up};

#[derive(Args)]
pub struct CleanupArgs {
    /// Keep files that are younger: a number with `s`, `m`, `h` or `d`
    #[arg(long, default_value = "7d", value_parser = parse_age)]
    max_age: Duration,
    /// Show what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
}

pub async fn run_cleanup(args: &CleanupArgs, location: &Location, config: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let store = MediaStore::open(&config.media())?;
    let options =
        CleanupOptions { max_age: args.max_age, dry_run: args.dry_run, temporary_folder: Some(config.temporary_dir()) };
    let report = with_database(location, async |database| {
        Ok(clean_up(&MediaFiles::new(store, database.pool.clone()), &options).await?)
    })
    .await?;
    for failure in &report.failures {
        print_error(&format!("{}: {}", failure.path, failure.reason));
    }
    print(&report.to_string());
    Ok(if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// An age such as `7d` or `12h`.
pub fn parse_age(text: &str) -> Result<Duration, String> {
    let explain = || "must be a whole number with s, m, h or d, such as 7d".to_owned();
    let unit = text.chars().last().ok_or_else(explain)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(explain()),
    };
    let number = text[..text.len() - 1].parse::<u32>().map_err(|_| explain())?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_and_a_unit() {
        assert_eq!(parse_age("7d").unwrap(), Duration::from_secs(7 * 86_400));
        assert_eq!(parse_age("0s").unwrap(), Duration::ZERO);
        assert_eq!(parse_age("90m").unwrap(), Duration::from_secs(5_400));
        for text in ["", "7", "d", "-1d", "1.5h", "7 d", "7w", "7€"] {
            assert!(parse_age(text).is_err(), "{text}");
        }
    }
}
