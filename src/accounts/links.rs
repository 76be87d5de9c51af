//! Mailed single-use links: to confirm a registration, and to choose another password.
//!
//! Every request is stored alike and answered alike; whether there is an account is found out afterwards, by the task that
//! mails, so that neither the answer nor the time that it takes tells.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::Notify;
use uuid::Uuid;

use super::account_mails::AccountMail;
use super::secret::{self, Secret};
use super::sign_ins::{self, ClientInfo, Outcome};
use super::{Accounts, AccountsError, Password};
use crate::domain::account::{LinkHash, PasswordHash, Role};
use crate::domain::ids::{AccountId, CustomerId};
use crate::domain::text::{Email, Name};
use crate::journal::Context;
use crate::mail::Mailer;
use crate::shop::{ChangePassword, ConfirmRegistration, CustomerRef, OpenAccount};

/// What somebody asks to be mailed.
pub enum MailRequest {
    Register { first_name: Name, last_name: Name, email: Email, password: Password },
    Reset { email: Email },
}

struct MailedLink {
    email: String,
    first_name: Option<String>,
    last_name: Option<String>,
    password_hash: Option<String>,
    customer_id: Option<i64>,
    account_id: Option<i64>,
}

/// How long a link is good for: a day to confirm, an hour to choose a password.
const CONFIRM_LINK_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
const RESET_LINK_LIFE: Duration = Duration::from_secs(60 * 60);
/// How often the task that mails looks although this node has nothing new: other nodes may have left something.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// The first wait after a mail that could not be sent; each is twice as long as the one before.
const FIRST_RETRY: Duration = Duration::from_secs(10);

impl Accounts {
    /// Stores the request; the mail follows.
    pub async fn request_mail(&self, request: MailRequest, client: &ClientInfo) -> Result<(), AccountsError> {
        let (purpose, email, names, hash, within) = match request {
            MailRequest::Register { first_name, last_name, email, password } => {
                let hash = self.passwords().hash(&password).await?;
                ("register", email, Some((first_name, last_name)), Some(hash), CONFIRM_LINK_LIFE)
            }
            MailRequest::Reset { email } => ("reset", email, None, None, RESET_LINK_LIFE),
        };
        let (first_name, last_name) = names.unzip();
        sqlx::query(
            "insert into mailed_link (
                link_id, purpose, email, first_name, last_name, password_hash, requested_at, expires_at, due_at
            )
            values ($1, $2, $3, $4, $5, $6, clock_timestamp(), clock_timestamp() + $7, clock_timestamp())",
        )
        .bind(Uuid::now_v7())
        .bind(purpose)
        .bind(email.as_str())
        .bind(first_name.map(|name| name.to_string()))
        .bind(last_name.map(|name| name.to_string()))
        .bind(hash.as_ref().map(PasswordHash::expose))
        .bind(within)
        .execute(self.pool())
        .await?;
        self.0.mail_requested.notify_one();
        if purpose == "reset" {
            // Not whose: that would take another time where there is an account.
            sign_ins::record_sign_in(self.pool(), None, Outcome::ResetRequested, client).await?;
        }
        Ok(())
    }

    /// Makes a customer and an account of a registration, for the token that was mailed.
    pub async fn confirm_registration(&self, token: &str, context: Context) -> Result<CustomerRef, AccountsError> {
        let link = self.find_link("register", token).await?.ok_or(AccountsError::InvalidLink)?;
        let parsed = (
            Name::parse(link.first_name.as_deref().unwrap_or_default()),
            Name::parse(link.last_name.as_deref().unwrap_or_default()),
            Email::parse(&link.email),
            link.password_hash,
        );
        let (Ok(first_name), Ok(last_name), Ok(email), Some(password_hash)) = parsed else {
            return Err(AccountsError::InvalidLink);
        };
        let confirm = ConfirmRegistration {
            link_hash: LinkHash::new(secret::hash(token)),
            customer_id: link.customer_id.map(CustomerId),
            first_name,
            last_name,
            email,
            password_hash: PasswordHash::new(password_hash),
        };
        Ok(self.journal().run(confirm, context).await?.answer)
    }

    /// Takes another password from who has the mailed token. A customer whom staff entered gets an account by this.
    pub async fn reset_password(
        &self,
        token: &str,
        new: &Password,
        context: Context,
        client: &ClientInfo,
    ) -> Result<(), AccountsError> {
        let link = self.find_link("reset", token).await?.ok_or(AccountsError::InvalidLink)?;
        let password_hash = self.passwords().hash(new).await?;
        let link_hash = Some(LinkHash::new(secret::hash(token)));
        let account_id = match (link.account_id.map(AccountId), link.customer_id.map(CustomerId)) {
            (Some(account_id), _) => {
                self.journal().run(ChangePassword { account_id, password_hash, link_hash }, context).await?.answer
            }
            (None, customer_id @ Some(_)) => {
                let email = Email::parse(&link.email).map_err(|_| AccountsError::InvalidLink)?;
                let password_hash = Some(password_hash);
                let open = OpenAccount { role: Role::Customer, customer_id, email, password_hash, link_hash };
                self.journal().run(open, context).await?.answer
            }
            (None, None) => return Err(AccountsError::InvalidLink),
        }
        .account_id;
        self.refresh().await?;
        Ok(sign_ins::record_sign_in(self.pool(), Some(account_id), Outcome::PasswordChanged, client).await?)
    }

    async fn find_link(&self, purpose: &str, token: &str) -> Result<Option<MailedLink>, sqlx::Error> {
        sqlx::query_file_as!(MailedLink, "src/accounts/queries/find_link.sql", purpose, &secret::hash(token)[..])
            .fetch_optional(self.pool())
            .await
    }
}

/// Mails what is due, for as long as the node runs. Of several nodes each takes what no other holds.
pub(super) async fn send_due_mails(pool: PgPool, mailer: Mailer, mail_requested: Arc<Notify>) {
    loop {
        let found = send_next_mail(&pool, &mailer).await;
        if let Err(error) = &found {
            tracing::warn!(%error, "mails that are due could not be read");
        }
        if !matches!(found, Ok(true)) {
            let _ = tokio::time::timeout(POLL_INTERVAL, mail_requested.notified()).await;
        }
    }
}

/// Whether there was one.
async fn send_next_mail(pool: &PgPool, mailer: &Mailer) -> Result<bool, sqlx::Error> {
    let token = Secret::new("")?;
    let due = sqlx::query_file!("src/accounts/queries/take_due_mail.sql", &token.hash()[..], FIRST_RETRY as _);
    let due = due.fetch_optional(pool).await?;
    let Some(due) = due else { return Ok(false) };
    let account_mail = match (due.purpose.as_str(), due.account_id, due.customer_id) {
        ("register", None, _) => Some(AccountMail::Confirm { token: token.clone() }),
        ("register", Some(_), _) => Some(AccountMail::HasAccount),
        (_, None, None) => None,
        _ => Some(AccountMail::Reset { token: token.clone() }),
    };
    let leads_somewhere = matches!(account_mail, Some(AccountMail::Confirm { .. } | AccountMail::Reset { .. }));
    if let Some(account_mail) = account_mail
        && let Err(error) = mailer.send(&account_mail.write(&due.email, &mailer.config().public_url)).await
    {
        tracing::warn!(%error, attempts = due.attempts, "a mail could not be sent; it will be tried again");
        return Ok(true);
    }
    let done = if leads_somewhere {
        "update mailed_link set due_at = null where link_id = $1"
    } else {
        "delete from mailed_link where link_id = $1"
    };
    sqlx::query(done).bind(due.link_id).execute(pool).await?;
    Ok(true)
}
