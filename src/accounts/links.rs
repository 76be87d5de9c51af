//! Mailed single-use links: confirm a registration, reset a password.
//!
//! Every request is stored and answered in the same way. Only the mail task looks for an account, so that neither the
//! response nor its timing reveals whether one exists.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::Notify;
use uuid::Uuid;

use super::account_mails::AccountMail;
use super::secret::{self, Secret};
use super::sign_ins::{self, ClientInfo, SignInOutcome};
use super::{Accounts, AccountsError, Password};
use crate::domain::account::{LinkHash, PasswordHash, Role};
use crate::domain::ids::{AccountId, CustomerId};
use crate::domain::text::{Email, LastName, Name};
use crate::journal::Context;
use crate::mail::Mailer;
use crate::shop::{ChangePassword, ConfirmRegistration, CustomerRef, OpenAccount};

/// A request for a mail with a link.
pub enum MailRequest {
    Register { first_name: Name, last_name: LastName, email: Email, password: Password },
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

/// Lifetime of a link that confirms a registration.
const CONFIRM_LINK_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// Lifetime of a link that resets a password.
const RESET_LINK_LIFE: Duration = Duration::from_secs(60 * 60);
/// Interval at which the mail task polls for requests of other nodes.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// Pause before the first retry of a failed mail; doubles with each retry.
const FIRST_RETRY: Duration = Duration::from_secs(10);

impl Accounts {
    /// Stores the request; the mail task sends the mail.
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
            // Without the account: looking it up would reveal by timing whether it exists.
            sign_ins::record_sign_in(self.pool(), None, SignInOutcome::ResetRequested, client).await?;
        }
        Ok(())
    }

    /// Creates the customer and the account of a registration, for its mailed token.
    pub async fn confirm_registration(&self, token: &str, context: Context) -> Result<CustomerRef, AccountsError> {
        let link = self.find_link("register", token).await?.ok_or(AccountsError::InvalidLink)?;
        let (Some(first_name), Some(password_hash)) = (link.first_name, link.password_hash) else {
            return Err(AccountsError::InvalidLink);
        };
        let confirm = ConfirmRegistration {
            link_hash: LinkHash::new(secret::hash(token)),
            customer_id: link.customer_id.map(CustomerId),
            first_name: Name::stored(first_name),
            last_name: link.last_name.map_or_else(LastName::default, |name| Name::stored(name).into()),
            email: Email::stored(link.email),
            password_hash: PasswordHash::new(password_hash),
        };
        Ok(self.journal().run(confirm, context).await?.answer)
    }

    /// Sets a new password for a mailed token. Opens an account for a customer that staff created without one.
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
                let email = Email::stored(link.email);
                let password_hash = Some(password_hash);
                let open = OpenAccount { role: Role::Customer, customer_id, email, password_hash, link_hash };
                self.journal().run(open, context).await?.answer
            }
            (None, None) => return Err(AccountsError::InvalidLink),
        }
        .account_id;
        self.refresh().await?;
        Ok(sign_ins::record_sign_in(self.pool(), Some(account_id), SignInOutcome::PasswordChanged, client).await?)
    }

    async fn find_link(&self, purpose: &str, token: &str) -> Result<Option<MailedLink>, sqlx::Error> {
        sqlx::query_file_as!(MailedLink, "src/accounts/queries/find_link.sql", purpose, &secret::hash(token)[..])
            .fetch_optional(self.pool())
            .await
    }
}

/// Sends due mails until the task is aborted. Nodes share the work: each takes mails that no other holds.
pub(super) async fn send_due_mails(pool: PgPool, mailer: Mailer, mail_requested: Arc<Notify>) {
    loop {
        let found = send_next_mail(&pool, &mailer).await;
        if let Err(error) = &found {
            tracing::warn!(%error, "cannot read due mails");
        }
        if !matches!(found, Ok(true)) {
            let _ = tokio::time::timeout(POLL_INTERVAL, mail_requested.notified()).await;
        }
    }
}

/// Sends the next due mail; returns whether there was one.
async fn send_next_mail(pool: &PgPool, mailer: &Mailer) -> Result<bool, sqlx::Error> {
    let token = Secret::token()?;
    let due = sqlx::query_file!("src/accounts/queries/take_due_mail.sql", &token.hash()[..], FIRST_RETRY as _);
    let due = due.fetch_optional(pool).await?;
    let Some(due) = due else { return Ok(false) };
    let account_mail = match (due.purpose.as_str(), due.account_id, due.customer_id) {
        ("register", None, _) => Some(AccountMail::Confirm { token: token.clone() }),
        ("register", Some(_), _) => Some(AccountMail::HasAccount),
        (_, None, None) => None,
        _ => Some(AccountMail::Reset { token: token.clone() }),
    };
    let has_link = matches!(account_mail, Some(AccountMail::Confirm { .. } | AccountMail::Reset { .. }));
    if let Some(account_mail) = account_mail
        && let Err(error) = mailer.send(&account_mail.write(&due.email, &mailer.config().public_url)).await
    {
        tracing::warn!(%error, attempts = due.attempts, "cannot send a mail; it will be retried");
        return Ok(true);
    }
    let done = if has_link {
        "update mailed_link set due_at = null where link_id = $1"
    } else {
        "delete from mailed_link where link_id = $1"
    };
    sqlx::query(done).bind(due.link_id).execute(pool).await?;
    Ok(true)
}
