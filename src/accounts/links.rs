//! Mailed single-use links: confirm a registration, reset a password.
//!
//! Every request is stored and answered in the same way. Only the mail task looks for an account, so that neither the
//! response nor its timing reveals whether one exists.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::Notify;
use uuid::Uuid;

use super::account_mails::{AccountMail, RequestOrigin};
use super::secret::{self, Secret};
use super::sign_ins::{self, ClientInfo, SignInOutcome};
use super::{Accounts, AccountsError, Password};
use crate::domain::account::{LinkHash, Role};
use crate::domain::ids::{AccountId, CustomerId};
use crate::domain::text::{Email, LastName, Name};
use crate::journal::{Context, KnownLog};
use crate::mail::{MailError, Mailer};
use crate::shop::{ChangePassword, ConfirmRegistration, CustomerRef, OpenAccount};

/// A request for a mail with a link.
pub enum MailRequest {
    Register { first_name: Name, last_name: LastName, email: Email },
    Reset { email: Email },
}

struct MailedLink {
    email: String,
    first_name: Option<String>,
    last_name: Option<String>,
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
        let (purpose, email, names, within) = match request {
            MailRequest::Register { first_name, last_name, email } => {
                ("register", email, Some((first_name, last_name)), CONFIRM_LINK_LIFE)
            }
            MailRequest::Reset { email } => ("reset", email, None, RESET_LINK_LIFE),
        };
        let (first_name, last_name) = names.unzip();
        sqlx::query(
            "insert into mailed_link (
                link_id, purpose, email, first_name, last_name, network, requested_at, expires_at, due_at
            )
            values ($1, $2, $3, $4, $5, $6, clock_timestamp(), clock_timestamp() + $7, clock_timestamp())",
        )
        .bind(Uuid::now_v7())
        .bind(purpose)
        .bind(email.as_str())
        .bind(first_name.map(|name| name.to_string()))
        .bind(last_name.map(|name| name.to_string()))
        .bind(&client.network)
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
    ///
    /// The password is chosen now, by the owner of the mailbox: anyone may have requested the registration. A password
    /// that an earlier version stored with the request is ignored.
    pub async fn confirm_registration(
        &self,
        token: &str,
        password: &Password,
        context: Context,
    ) -> Result<CustomerRef, AccountsError> {
        let link = self.find_link("register", token).await?.ok_or(AccountsError::InvalidLink)?;
        let confirm = ConfirmRegistration {
            link_hash: LinkHash::new(secret::hash(token)),
            customer_id: link.customer_id.map(CustomerId),
            first_name: Name::stored(link.first_name.ok_or(AccountsError::InvalidLink)?),
            last_name: link.last_name.map_or_else(LastName::default, |name| Name::stored(name).into()),
            email: Email::stored(link.email),
            password_hash: self.passwords().hash(password).await?,
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
pub(super) async fn send_due_mails(pool: PgPool, log: KnownLog, mailer: Mailer, mail_requested: Arc<Notify>) {
    loop {
        let found = send_next_mail(&pool, &log, &mailer).await;
        if let Err(error) = &found {
            tracing::warn!(%error, "cannot read due mails");
        }
        if !matches!(found, Ok(true)) {
            let _ = tokio::time::timeout(POLL_INTERVAL, mail_requested.notified()).await;
        }
    }
}

/// Sends the next due mail; returns whether there was one.
async fn send_next_mail(pool: &PgPool, log: &KnownLog, mailer: &Mailer) -> Result<bool, sqlx::Error> {
    let token = Secret::token()?;
    let (generation, seen) = log.seen();
    let due = sqlx::query_file!(
        "src/accounts/queries/take_due_mail.sql",
        &token.hash()[..],
        FIRST_RETRY as _,
        generation,
        seen
    );
    let due = due.fetch_optional(pool).await?;
    let Some(due) = due else { return Ok(false) };
    let (has_account, is_customer) = (due.account_id.is_some(), due.customer_id.is_some());
    let account_mail = match due.purpose.as_str() {
        // No link would work.
        "register" | "reset" if due.disabled => Some(AccountMail::Disabled),
        "register" if has_account => Some(AccountMail::HasAccount),
        "register" => Some(AccountMail::Confirm { token: token.clone() }),
        "reset" => (has_account || is_customer).then(|| AccountMail::Reset { token: token.clone() }),
        "change_email" if has_account || is_customer => Some(AccountMail::EmailTaken),
        "change_email" => Some(AccountMail::ChangeEmail { token: token.clone() }),
        "email_notice" => Some(AccountMail::EmailNotice),
        _ => None,
    };
    let has_link = account_mail.as_ref().is_some_and(AccountMail::has_link);
    let origin = RequestOrigin { requested_at: due.requested_at, network: due.network };
    let sent = match account_mail {
        Some(mail) => mailer.send(&mail.write(&due.email, &mailer.config().public_url, &origin)).await,
        None => Ok(()),
    };
    let done = match sent {
        Ok(()) if has_link => "update mailed_link set due_at = null where link_id = $1",
        Ok(()) => "delete from mailed_link where link_id = $1",
        Err(error @ MailError::Unmailable) => {
            tracing::warn!(%error, purpose = due.purpose, "a mail is skipped");
            "delete from mailed_link where link_id = $1"
        }
        Err(error) => {
            tracing::warn!(%error, attempts = due.attempts, "cannot send a mail; it will be retried");
            return Ok(true);
        }
    };
    sqlx::query(done).bind(due.link_id).execute(pool).await?;
    Ok(true)
}
