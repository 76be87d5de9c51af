//! The data folder: its location, its owner, and the lock that reserves it for one process.
//!
//! Everything that depends on running as root is decided here: PostgreSQL refuses root, so its
//! processes get the account that owns the folder.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::unistd::{Uid, User, geteuid};
use tokio::process::Command;

use super::EmbeddedError;

pub(super) const OWNER_FILE: &str = "owner.lock";

/// Folder of pictures that a new data folder may have.
const PICTURES: &str = "media";
/// What a media store has at its top.
const STORE_ENTRIES: [&str; 5] = ["images", "thumbnails", "probes", ".cartwright-media", ".cartwright-log-id"];

/// How long to wait for the lock: a process that checks for a running server, or a killed owner that is still ending,
/// may hold it for a moment.
const OWNER_TIMEOUT: Duration = Duration::from_secs(1);
const OWNER_POLL: Duration = Duration::from_millis(20);

/// The data folder when none was chosen: `/var/lib/cartwright` for root, since `/root` is closed
/// to the account that runs the server; for others `./data` if that exists, else
/// `$XDG_DATA_HOME/cartwright`, which is `~/.local/share/cartwright` unless set otherwise.
pub fn default_data_dir() -> PathBuf {
    if geteuid().is_root() {
        return PathBuf::from("/var/lib/cartwright");
    }
    let beside_us = PathBuf::from("data");
    if beside_us.is_dir() {
        return beside_us;
    }
    let absolute = |variable| {
        let path = PathBuf::from(std::env::var_os(variable)?);
        path.is_absolute().then_some(path)
    };
    absolute("XDG_DATA_HOME")
        .or_else(|| Some(absolute("HOME")?.join(".local/share")))
        .map_or(beside_us, |base| base.join("cartwright"))
}

/// A data folder that this process owns until it drops this.
#[derive(Debug)]
pub(super) struct DataFolder {
    pub path: PathBuf,
    /// Account that runs PostgreSQL if this process is root.
    pub account: Option<OsAccount>,
    owner_file: File,
}

#[derive(Clone, Debug)]
pub(super) struct OsAccount {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

impl DataFolder {
    pub async fn open(path: &Path) -> Result<Self, EmbeddedError> {
        let path = made(path)?;
        let account = account_for(&path)?;
        restrict(&path, account.as_ref())?;
        if let Some(account) = &account {
            check_reach(&path, account).await?;
        }
        let owner_file = open_private(&path.join(OWNER_FILE), account.as_ref())?;
        lock_as_owner(&owner_file, &path).await?;
        Ok(Self { path, account, owner_file })
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a file of the folder for appending, made with mode 0600 if it is missing.
    pub fn open_file(&self, name: &str) -> Result<File, EmbeddedError> {
        open_private(&self.join(name), self.account.as_ref())
    }

    /// Writes a file of the folder anew, with mode 0600.
    pub fn replace_file(&self, name: &str, text: &str) -> Result<(), EmbeddedError> {
        let mut file = self.open_file(name)?;
        let written = file.set_len(0).and_then(|()| file.write_all(text.as_bytes()));
        written.map_err(EmbeddedError::file("write to", &self.join(name)))
    }

    /// Makes a folder that no other account can enter; one that exists must already be such a folder,
    /// because another account may have created it if its parent is shared.
    pub fn make_private_folder(&self, path: &Path) -> Result<(), EmbeddedError> {
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {
                if let Some(account) = &self.account {
                    chown(path, Some(account.uid), Some(account.gid))
                        .map_err(EmbeddedError::file("give away the folder", path))?;
                }
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(EmbeddedError::file("create the folder", path)(error)),
        }
        let found = fs::symlink_metadata(path).map_err(EmbeddedError::file("look at", path))?;
        let owner = self.account.as_ref().map_or(geteuid().as_raw(), |account| account.uid);
        if !found.is_dir() || found.uid() != owner || found.mode() & 0o077 != 0 {
            let reason = std::io::Error::other("it exists, and is not a folder of this account alone");
            return Err(EmbeddedError::file("use the folder", path)(reason));
        }
        Ok(())
    }

    /// A command that runs as the right account and in this folder, knows nothing of our
    /// environment but how to find programs and libraries, and speaks English.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = command_as(self.account.as_ref(), program);
        command.current_dir(&self.path);
        command
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        // Closing the file is not enough while a child between fork and exec has a copy of it.
        let _ = self.owner_file.unlock();
    }
}

/// As [`DataFolder::command`], for use before there is a folder.
pub(super) fn command_as(account: Option<&OsAccount>, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for name in ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.env("LC_ALL", "C").current_dir("/").stdin(Stdio::null());
    if let Some(account) = account {
        // Setting the user also drops the supplementary groups of root.
        command.uid(account.uid).gid(account.gid);
    }
    command
}

/// The folder's real path, after making it if needed.
fn made(path: &Path) -> Result<PathBuf, EmbeddedError> {
    let create = |reason| EmbeddedError::file("create the data folder", path)(reason);
    let absolute = std::path::absolute(path).map_err(create)?;
    if let Some(parent) = absolute.parent() {
        fs::create_dir_all(parent).map_err(create)?;
    }
    match DirBuilder::new().mode(0o700).create(&absolute) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(create(error)),
        _ => {}
    }
    if !absolute.is_dir() {
        return Err(create(ErrorKind::NotADirectory.into()));
    }
    absolute.canonicalize().map_err(EmbeddedError::file("open the data folder", path))
}

/// Account that is to run PostgreSQL on this folder; `None` unless this process is root.
fn account_for(path: &Path) -> Result<Option<OsAccount>, EmbeddedError> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let found = fs::metadata(path).map_err(EmbeddedError::file("look at", path))?;
    if found.uid() != 0 {
        let user = User::from_uid(Uid::from_raw(found.uid())).ok().flatten();
        return Ok(Some(match user {
            Some(user) => OsAccount::from(user),
            None => OsAccount { name: found.uid().to_string(), uid: found.uid(), gid: found.gid() },
        }));
    }
    // Changing the owner and mode of a shared folder such as `/etc` would be a disaster.
    let mut names = fs::read_dir(path)
        .map_err(EmbeddedError::file("read the folder", path))?
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .filter(|name| name != PICTURES || !holds_only_pictures(&path.join(name)));
    let owner_file = path.join(OWNER_FILE);
    let is_ours = owner_file.try_exists().map_err(EmbeddedError::file("look at", &owner_file))?;
    if names.any(|name| name != "lost+found") && !is_ours {
        return Err(EmbeddedError::NotOurs { folder: path.display().to_string() });
    }
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| User::from_name(name).ok().flatten())
        .map(|user| Some(OsAccount::from(user)))
        .ok_or(EmbeddedError::NoAccount)
}

/// Whether a folder is a media store, which was copied here before the first start of the shop.
fn holds_only_pictures(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let names: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    !names.is_empty() && names.iter().all(|name| STORE_ENTRIES.iter().any(|own| name == own))
}

impl From<User> for OsAccount {
    fn from(user: User) -> Self {
        Self { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() }
    }
}

/// Makes the account the owner of the folder, with mode 0700.
fn restrict(path: &Path, account: Option<&OsAccount>) -> Result<(), EmbeddedError> {
    let found = fs::metadata(path).map_err(EmbeddedError::file("look at", path))?;
    match account {
        Some(account) if found.uid() != account.uid => {
            chown(path, Some(account.uid), Some(account.gid))
                .map_err(EmbeddedError::file("give away the folder", path))?;
        }
        None if found.uid() != geteuid().as_raw() => {
            return Err(EmbeddedError::NotOwned { folder: path.display().to_string(), owner: found.uid() });
        }
        _ => {}
    }
    if found.mode() & 0o777 != 0o700 {
        fs::set_permissions(path, Permissions::from_mode(0o700))
            .map_err(EmbeddedError::file("restrict the folder", path))?;
    }
    Ok(())
}

/// Lets the account itself try every folder on the way, so that access lists count as well.
async fn check_reach(path: &Path, account: &OsAccount) -> Result<(), EmbeddedError> {
    let mut folders: Vec<&Path> = path.ancestors().collect();
    folders.reverse();
    let script = r#"for folder; do [ -x "$folder" ] || { printf %s "$folder"; exit; }; done"#;
    let output = command_as(Some(account), Path::new("/bin/sh"))
        .args(["-c", script, "sh"])
        .args(folders)
        .output()
        .await
        .map_err(EmbeddedError::file("run", Path::new("/bin/sh")))?;
    if output.stdout.is_empty() {
        return Ok(());
    }
    Err(EmbeddedError::OutOfReach {
        folder: String::from_utf8_lossy(&output.stdout).into_owned(),
        user: account.name.clone(),
    })
}

/// Does not follow symbolic links, because the account could place one to mislead root.
fn open_private(path: &Path, account: Option<&OsAccount>) -> Result<File, EmbeddedError> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(path)
        .map_err(EmbeddedError::file("write to", path))?;
    if let Some(account) = account {
        fchown(&file, Some(account.uid), Some(account.gid)).map_err(EmbeddedError::file("give away the file", path))?;
    }
    Ok(file)
}

async fn lock_as_owner(mut owner_file: &File, folder: &Path) -> Result<(), EmbeddedError> {
    let path = folder.join(OWNER_FILE);
    let deadline = Instant::now() + OWNER_TIMEOUT;
    loop {
        match owner_file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::Error(error)) => {
                return Err(EmbeddedError::file("lock", &path)(error));
            }
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                tokio::time::sleep(OWNER_POLL).await;
            }
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                owner_file.read_to_string(&mut pid).map_err(EmbeddedError::file("read", &path))?;
                return Err(EmbeddedError::InUse { folder: folder.display().to_string(), pid: pid.trim().to_owned() });
            }
        }
    }
    owner_file
        .set_len(0)
        .and_then(|()| writeln!(owner_file, "{}", std::process::id()))
        .map_err(EmbeddedError::file("write to", &path))
}
