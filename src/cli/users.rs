//! `cartwright users` and `cartwright keys`: accounts and signing keys, for operators with access to the machine.

use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use sqlx::PgPool;

use super::database::{start_engine, with_database};
use super::output::print;
use crate::accounts::{self, Password, Passwords, Secret, TokenKeys};
use crate::database::{Database, Location};
use crate::domain::account::{PasswordHash, Role};
use crate::domain::ids::AccountId;
use crate::domain::text::Email;
use crate::journal::{Actor, Context, UseCase};
use crate::shop::{ChangeAccount, ChangePassword, OpenAccount};

#[derive(Subcommand)]
pub(super) enum UsersCommand {
    /// Add a staff account
    Add {
        /// E-mail address to log in with
        #[arg(value_parser = Email::parse)]
        email: Email,
        /// Role of the account: reader, editor or admin
        #[arg(long)]
        role: Role,
        /// Read the password from standard input instead of prompting or generating one
        #[arg(long)]
        password_stdin: bool,
    },
    /// List all accounts
    List,
    /// Disable an account and end its sessions
    Disable {
        /// E-mail address of the account
        #[arg(value_parser = Email::parse_known)]
        email: Email,
    },
    /// Enable a disabled account
    Enable {
        /// E-mail address of the account
        #[arg(value_parser = Email::parse_known)]
        email: Email,
    },
    /// Change the role of an account and end its sessions
    Role {
        /// E-mail address of the account
        #[arg(value_parser = Email::parse_known)]
        email: Email,
        /// New role: reader, editor or admin
        role: Role,
    },
    /// Set a new password and end all sessions of the account
    Password {
        /// E-mail address of the account
        #[arg(value_parser = Email::parse_known)]
        email: Email,
        /// Read the password from standard input instead of prompting or generating one
        #[arg(long)]
        password_stdin: bool,
    },
}

#[derive(Subcommand)]
pub(super) enum KeysCommand {
    /// Sign access tokens with a new key; existing tokens stay valid until they expire
    Rotate {
        /// Reject all tokens of other keys immediately; use this when a key has leaked
        #[arg(long)]
        refuse_others: bool,
    },
}

pub(super) async fn run_users_command(command: &UsersCommand, location: &Location) -> anyhow::Result<ExitCode> {
    with_database(location, async |database| run_on(command, database).await).await?;
    Ok(ExitCode::SUCCESS)
}

async fn run_on(command: &UsersCommand, database: &Database) -> anyhow::Result<()> {
    accounts::convert_stored_domains(&database.pool).await?;
    match command {
        UsersCommand::Add { email, role, password_stdin } => {
            let (hash, generated) = choose_password(*password_stdin).await?;
            open_staff_account(database, email.clone(), *role, hash).await?;
            print(&format!("{email} can log in as {role}"));
            print_password(generated.as_ref());
        }
        UsersCommand::List => list_users(&database.pool).await?,
        UsersCommand::Disable { email } => {
            change_account(database, email, None, Some(true)).await?;
            print(&format!("{email} is disabled"));
        }
        UsersCommand::Enable { email } => {
            change_account(database, email, None, Some(false)).await?;
            print(&format!("{email} is enabled"));
        }
        UsersCommand::Role { email, role } => {
            change_account(database, email, Some(*role), None).await?;
            print(&format!("{email} has the role {role}"));
        }
        UsersCommand::Password { email, password_stdin } => {
            let account_id = find_account(&database.pool, email).await?;
            let (password_hash, generated) = choose_password(*password_stdin).await?;
            run_use_case(database, ChangePassword { account_id, password_hash, link_hash: None }).await?;
            print(&format!("{email} has a new password; all sessions have ended"));
            print_password(generated.as_ref());
        }
    }
    Ok(())
}

pub(super) async fn run_keys_command(
    command: &KeysCommand,
    location: &Location,
    keys_dir: &Path,
) -> anyhow::Result<ExitCode> {
    let KeysCommand::Rotate { refuse_others } = command;
    let key_id =
        with_database(
            location,
            async |database| Ok(TokenKeys::rotate(keys_dir, &database.pool, *refuse_others).await?),
        )
        .await?;
    print(&format!("access tokens are now signed with key {key_id}"));
    Ok(ExitCode::SUCCESS)
}

async fn open_staff_account(database: &Database, email: Email, role: Role, hash: PasswordHash) -> anyhow::Result<()> {
    run_use_case(database, OpenAccount { role, customer_id: None, email, password_hash: Some(hash), link_hash: None })
        .await
}

async fn change_account(
    database: &Database,
    email: &Email,
    role: Option<Role>,
    disabled: Option<bool>,
) -> anyhow::Result<()> {
    let account_id = find_account(&database.pool, email).await?;
    run_use_case(database, ChangeAccount { account_id, role, disabled }).await
}

async fn run_use_case<U: UseCase>(database: &Database, use_case: U) -> anyhow::Result<()> {
    let engine = start_engine(database).await?;
    let context = Context::of(Actor { id: "cli".to_owned(), role: Role::Admin.as_str() });
    let done = engine.journal.run(use_case, context).await;
    engine.stop().await?;
    done?;
    Ok(())
}

async fn find_account(pool: &PgPool, email: &Email) -> anyhow::Result<AccountId> {
    let found = accounts::find_account_by_email(pool, email).await?;
    found.with_context(|| format!("no account has the e-mail address {email}"))
}

async fn list_users(pool: &PgPool) -> anyhow::Result<()> {
    const PAGE_SIZE: i64 = 1_000;
    let mut after = 0;
    loop {
        let users = accounts::list_users(pool, after, PAGE_SIZE).await?;
        for user in &users {
            let note = match (user.disabled, user.has_password) {
                (true, _) => "disabled",
                (false, true) => "",
                (false, false) => "no password yet",
            };
            print(format!("{:>6}  {:8}  {:40} {note}", user.account_id, user.role, user.email).trim_end());
        }
        match users.last() {
            Some(last) => after = last.account_id,
            None => return Ok(()),
        }
    }
}

/// Reads or generates a password; returns its hash, and the password itself if it was generated.
async fn choose_password(from_stdin: bool) -> anyhow::Result<(PasswordHash, Option<Secret>)> {
    let (text, generated) = if from_stdin {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).context("cannot read the password from standard input")?;
        (line.trim_end_matches(['\r', '\n']).to_owned(), None)
    } else if std::io::stdin().is_terminal() {
        let first = rpassword::prompt_password("Password: ")?;
        if first != rpassword::prompt_password("Repeat password: ")? {
            bail!("the passwords do not match");
        }
        (first, None)
    } else {
        let generated = Secret::password()?;
        (generated.expose().to_owned(), Some(generated))
    };
    let password = Password::parse(text).map_err(|error| anyhow::anyhow!("the password {error}"))?;
    Ok((Passwords::default().hash(&password).await?, generated))
}

/// Prints a generated password. It cannot be shown again.
fn print_password(generated: Option<&Secret>) {
    if let Some(password) = generated {
        print(&format!("password: {}", password.expose()));
    }
}
