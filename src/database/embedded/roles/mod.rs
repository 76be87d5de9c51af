//! The roles of the cluster, how they authenticate, and the move of clusters from before there were roles.
//!
//! The superuser `postgres` is for maintenance alone. The shop connects as `cartwright`, which owns the database, and
//! people as `reader`. If root starts the shop, all of them need a password, because the account that runs the server
//! may be shared with other programs; otherwise a process that can enter the socket folder owns the data anyway.

#[cfg(test)]
mod tests;

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use aws_lc_rs::rand;
use nix::unistd::geteuid;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::folder::DataFolder;
use super::{Durability, EmbeddedError, NAME};
use crate::database::roles::READER;

/// Name of the superuser of a new cluster.
pub(super) const SUPERUSER: &str = "postgres";
/// Holds the name of the superuser, if it was ever another one.
const SUPERUSER_FILE: &str = "superuser";
/// Passwords in libpq's format, for root alone.
pub(super) const PASSWORD_FILE: &str = "pgpass";
/// Rules of authentication, which replace those that `initdb` wrote.
pub(super) const HBA_FILE: &str = "pg_hba.conf";

/// Method of authentication in the rules, if there are passwords.
const PASSWORD_METHOD: &str = "scram-sha-256";

/// Who connects to the database of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterRole {
    /// `postgres`, or the name that an older cluster has for it: the superuser, for maintenance.
    Superuser,
    /// `cartwright`: the owner of the database, as which the shop connects.
    Owner,
    /// `reader`: reads schemas `live` and `fact`, for people.
    Reader,
}

impl ClusterRole {
    const ALL: [Self; 3] = [Self::Superuser, Self::Owner, Self::Reader];

    /// Name in a new cluster; see `name_in`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Superuser => SUPERUSER,
            Self::Owner => NAME,
            Self::Reader => READER,
        }
    }

    /// Name in the cluster of a data folder, as its last start found it.
    pub(super) fn name_in(self, data_dir: &Path) -> String {
        let kept = match self {
            Self::Superuser => fs::read_to_string(data_dir.join(SUPERUSER_FILE)).ok(),
            Self::Owner | Self::Reader => None,
        };
        kept.filter(|name| !name.is_empty()).unwrap_or_else(|| self.name().to_owned())
    }
}

/// How sessions prove who they are.
#[derive(Debug)]
pub(super) enum Authentication {
    /// Entering the socket folder is enough.
    Socket,
    /// Each role has a password, in the order of [`ClusterRole::ALL`].
    Passwords([String; 3]),
}

impl Authentication {
    /// Passwords if root starts a durable server. They are generated at the first start, and whenever the file is not
    /// one that root alone can read.
    pub fn of(data_dir: &Path, as_root: bool, durability: Durability) -> Result<Self, EmbeddedError> {
        // The server of a test run holds nothing that a password could protect, and is connected to very often.
        if !as_root || durability == Durability::Volatile {
            return Ok(Self::Socket);
        }
        let path = data_dir.join(PASSWORD_FILE);
        let superuser = ClusterRole::Superuser.name_in(data_dir);
        if let Some(passwords) = trusted_passwords(&path, &superuser) {
            return Ok(Self::Passwords(passwords));
        }
        let mut passwords = [const { String::new() }; 3];
        for password in &mut passwords {
            *password = generate_password()?;
        }
        write_passwords(&path, &superuser, &passwords).map_err(EmbeddedError::file("write to", &path))?;
        Ok(Self::Passwords(passwords))
    }

    /// The contents of `pg_hba.conf`.
    pub fn rules(&self) -> String {
        let method = match self {
            Self::Socket => "trust",
            Self::Passwords(_) => PASSWORD_METHOD,
        };
        format!("# Written by cartwright at each start.\nlocal all all {method}\nlocal replication all {method}\n")
    }

    /// Keeps the name of the superuser for the next connections, and in the file of the passwords.
    fn keep_superuser(&self, folder: &DataFolder, name: &str) -> Result<(), EmbeddedError> {
        if ClusterRole::Superuser.name_in(&folder.path) == name {
            return Ok(());
        }
        tracing::info!("the superuser of the database is `{name}`");
        folder.replace_file(SUPERUSER_FILE, name)?;
        let Self::Passwords(passwords) = self else { return Ok(()) };
        let path = folder.join(PASSWORD_FILE);
        write_passwords(&path, name, passwords).map_err(EmbeddedError::file("write to", &path))
    }

    /// Statements for a stand-alone backend in one transaction: they create what is missing, and give `cartwright` and
    /// `reader` the attributes, settings and passwords that the shop has for them.
    pub fn statements(&self) -> String {
        let passwords: String = match self {
            Self::Socket => String::new(),
            Self::Passwords(passwords) => {
                let set = |(role, password): (ClusterRole, &String)| match role {
                    ClusterRole::Superuser => {
                        format!("    execute format('alter role %I password %L', superuser, '{password}');\n")
                    }
                    role => format!("    alter role {} password '{password}';\n", role.name()),
                };
                ClusterRole::ALL.into_iter().zip(passwords).map(set).collect()
            }
        };
        include_str!("roles.sql").replace("    -- passwords\n", &passwords)
    }
}

/// The password of a role, if there are passwords and this process may read them.
pub(super) fn password(data_dir: &Path, role: ClusterRole) -> Option<String> {
    let text = fs::read_to_string(data_dir.join(PASSWORD_FILE)).ok()?;
    let [superuser, owner, reader] = parse_passwords(&text, &ClusterRole::Superuser.name_in(data_dir))?;
    Some(match role {
        ClusterRole::Superuser => superuser,
        ClusterRole::Owner => owner,
        ClusterRole::Reader => reader,
    })
}

/// Whether the server was last started with passwords.
pub(super) fn asks_for_passwords(data_dir: &Path) -> bool {
    fs::read_to_string(data_dir.join(HBA_FILE)).is_ok_and(|rules| rules.contains(PASSWORD_METHOD))
}

/// Why the roles are not as [`Authentication::statements`] makes them; `None` if they are, and can log in. Keeps the
/// name of the superuser.
pub(super) async fn difference(
    folder: &DataFolder,
    authentication: &Authentication,
    connect: impl Fn(ClusterRole) -> PgConnectOptions,
) -> Result<Option<String>, EmbeddedError> {
    let found = match find_roles(&connect(ClusterRole::Owner)).await {
        Ok(found) => found,
        Err(error) => return Ok(Some(format!("`{NAME}`: {error}"))),
    };
    let Some((superuser, difference)) = found else { return Ok(Some("they are those of an earlier version".into())) };
    authentication.keep_superuser(folder, &superuser)?;
    if difference.is_some() || matches!(authentication, Authentication::Socket) {
        return Ok(difference);
    }
    for role in [ClusterRole::Superuser, ClusterRole::Reader] {
        // Every role may change its own password.
        let login = async { connect(role).connect().await?.close().await };
        if let Err(error) = login.await {
            return Ok(Some(format!("`{}` cannot log in: {error}", role.name_in(&folder.path))));
        }
    }
    Ok(None)
}

/// The name of the superuser, and what is wrong with the other roles; `None` if one of them is missing.
async fn find_roles(owner: &PgConnectOptions) -> Result<Option<(String, Option<String>)>, sqlx::Error> {
    let mut connection = owner.connect().await?;
    let found = sqlx::query_as(include_str!("difference.sql")).bind(READER).fetch_optional(&mut connection).await?;
    connection.close().await?;
    Ok(found)
}

/// Reads the file if it belongs to this process's user, and no other user can read it.
fn trusted_passwords(path: &Path, superuser: &str) -> Option<[String; 3]> {
    let mut file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NOFOLLOW).open(path).ok()?;
    let found = file.metadata().ok()?;
    if !found.is_file() || found.uid() != geteuid().as_raw() || found.mode() & 0o077 != 0 {
        return None;
    }
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    parse_passwords(&text, superuser)
}

/// What stands before the password of a role.
fn line_start(role: ClusterRole, superuser: &str) -> String {
    let name = if role == ClusterRole::Superuser { superuser } else { role.name() };
    format!("*:*:*:{}:", name.replace('\\', "\\\\").replace(':', "\\:"))
}

fn parse_passwords(text: &str, superuser: &str) -> Option<[String; 3]> {
    let of_role = |role: ClusterRole| {
        let prefix = line_start(role, superuser);
        text.lines().find_map(|line| line.strip_prefix(prefix.as_str())).filter(|password| is_password(password))
    };
    let [superuser, owner, reader] = ClusterRole::ALL.map(of_role);
    Some([superuser?.to_owned(), owner?.to_owned(), reader?.to_owned()])
}

/// A password is part of a statement, so nothing but what [`generate_password`] makes is taken.
fn is_password(text: &str) -> bool {
    text.len() == 48 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn generate_password() -> Result<String, EmbeddedError> {
    let mut bytes = [0; 24];
    rand::fill(&mut bytes).map_err(|_| EmbeddedError::NoRandomness)?;
    Ok(hex::encode(bytes))
}

/// Replaces the file in one step, so that a start that is broken off leaves the old one or none.
fn write_passwords(path: &Path, superuser: &str, passwords: &[String; 3]) -> std::io::Result<()> {
    let draft = path.with_extension("draft");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    writeln!(file, "# Passwords of the embedded PostgreSQL, for PGPASSFILE.")?;
    for (role, password) in ClusterRole::ALL.into_iter().zip(passwords) {
        writeln!(file, "{}{password}", line_start(role, superuser))?;
    }
    file.sync_all()?;
    fs::rename(&draft, path)
}
