//! `cartwright users` and `cartwright keys`: accounts and signing keys, by those who have the machine.

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use sqlx::PgPool;

use super::{quiet_engine, say};
use crate::accounts::{self, Password, Passwords, Secret, TokenKeys};
use crate::config::DatabaseConfig;
use crate::database::Database;
use crate::domain::account::{PasswordHash, Role};
use crate::domain::ids::AccountId;
use crate::domain::text::Email;
use crate::journal::{Actor, Context, UseCase};
use crate::shop::{ChangeAccount, ChangePassword, OpenAccount};

#[derive(Debug, Subcommand)]
pub(super) enum UsersCommand {
    /// Open an account for a member of the staff
    Add {
        #[arg(value_parser = Email::parse)]
        email: Email,
        /// reader, editor or admin
        #[arg(long)]
        role: Role,
        /// Read the password from standard input, instead of asking or making one
        #[arg(long)]
        password_stdin: bool,
    },
    /// Show every account
    List,
    /// End all sessions of an account, and let nobody log in with it
    Disable {
        #[arg(value_parser = Email::parse)]
        email: Email,
    },
    /// Let the owner of a disabled account log in again
    Enable {
        #[arg(value_parser = Email::parse)]
        email: Email,
    },
    /// Give an account another role; its sessions end
    Role {
        #[arg(value_parser = Email::parse)]
        email: Email,
        /// reader, editor or admin
        role: Role,
    },
    /// Set another password; all sessions of the account end
    Password {
        #[arg(value_parser = Email::parse)]
        email: Email,
        /// Read the password from standard input, instead of asking or making one
        #[arg(long)]
        password_stdin: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Sign access tokens with a new key; those of the old one are honoured until they end
    Rotate {
        /// Honour no token of any other key from now on: for a key that got into wrong hands
        #[arg(long)]
        refuse_others: bool,
    },
}

pub(super) async fn users(command: &UsersCommand, database: &Database) -> anyhow::Result<ExitCode> {
    match command {
        UsersCommand::Add { email, role, password_stdin } => {
            let (hash, made) = choose_password(*password_stdin).await?;
            open_staff_account(database, email.clone(), *role, hash).await?;
            say(&format!("{email} can log in as {role}"));
            tell(made.as_ref());
        }
        UsersCommand::List => list(&database.pool).await?,
        UsersCommand::Disable { email } => {
            change(database, email, None, Some(true)).await?;
            say(&format!("{email} is disabled"));
        }
        UsersCommand::Enable { email } => {
            change(database, email, None, Some(false)).await?;
            say(&format!("{email} is enabled"));
        }
        UsersCommand::Role { email, role } => {
            change(database, email, Some(*role), None).await?;
            say(&format!("{email} has the role {role}"));
        }
        UsersCommand::Password { email, password_stdin } => {
            let account_id = find(&database.pool, email).await?;
            let (password_hash, made) = choose_password(*password_stdin).await?;
            run(database, ChangePassword { account_id, password_hash, link_hash: None }).await?;
            say(&format!("{email} has another password, and has to log in again"));
            tell(made.as_ref());
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn keys(
    command: &KeysCommand,
    config: &DatabaseConfig,
    database: &Database,
) -> anyhow::Result<ExitCode> {
    let KeysCommand::Rotate { refuse_others } = command;
    let key_id = TokenKeys::rotate(&config.keys_dir(), &database.pool, *refuse_others).await?;
    say(&format!("access tokens are signed with key {key_id} from now on"));
    Ok(ExitCode::SUCCESS)
}

async fn open_staff_account(database: &Database, email: Email, role: Role, hash: PasswordHash) -> anyhow::Result<()> {
    run(database, OpenAccount { role, customer_id: None, email, password_hash: Some(hash), link_hash: None }).await
}

async fn change(database: &Database, email: &Email, role: Option<Role>, disabled: Option<bool>) -> anyhow::Result<()> {
    let account_id = find(&database.pool, email).await?;
    run(database, ChangeAccount { account_id, role, disabled }).await
}

async fn run<U: UseCase>(database: &Database, use_case: U) -> anyhow::Result<()> {
    let engine = quiet_engine(database).await?;
    let context = Context::of(Actor { id: "cli".to_owned(), role: Role::Admin.as_str() });
    let done = engine.journal.run(use_case, context).await;
    engine.stop().await?;
    done?;
    Ok(())
}

async fn find(pool: &PgPool, email: &Email) -> anyhow::Result<AccountId> {
    let found = accounts::find_account_by_email(pool, email).await?;
    found.with_context(|| format!("no account has the address {email}"))
}

async fn list(pool: &PgPool) -> anyhow::Result<()> {
    const AT_ONCE: i64 = 1_000;
    let mut after = 0;
    loop {
        let users = accounts::list_users(pool, after, AT_ONCE).await?;
        for user in &users {
            let standing = match (user.disabled, user.has_password) {
                (true, _) => "disabled",
                (false, true) => "",
                (false, false) => "no password yet",
            };
            say(format!("{:>6}  {:8}  {:40} {standing}", user.account_id, user.role, user.email).trim_end());
        }
        match users.last() {
            Some(last) => after = last.account_id,
            None => return Ok(()),
        }
    }
}

/// The hash of the password, and the password if it was made here.
async fn choose_password(from_stdin: bool) -> anyhow::Result<(PasswordHash, Option<Secret>)> {
    let (text, made) = if from_stdin {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).context("the password cannot be read")?;
        (line.trim_end_matches(['\r', '\n']).to_owned(), None)
    } else if std::io::stdin().is_terminal() {
        let first = rpassword::prompt_password("Password: ")?;
        if first != rpassword::prompt_password("Again: ")? {
            bail!("the two passwords are not the same");
        }
        (first, None)
    } else {
        let made = Secret::password()?;
        (made.expose().to_owned(), Some(made))
    };
    let password = Password::parse(text).map_err(|error| anyhow::anyhow!("the password {error}"))?;
    Ok((Passwords::default().hash(&password).await?, made))
}

/// Shows a password that was made here, this once.
fn tell(made: Option<&Secret>) {
    if let Some(password) = made {
        say(&format!("password: {}", password.expose()));
    }
}
