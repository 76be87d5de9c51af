//! Changes of an account's e-mail address: requested with the password, effective when the mailed link is used.
//!
//! A request is stored and answered in the same way whether or not the new address belongs to another account. Only the
//! mail task looks for one.

use std::time::Duration;

use uuid::Uuid;

use super::secret;
use super::sessions::ProvenOwner;
use super::sign_ins::{self, ClientInfo, SignInOutcome};
use super::{Accounts, AccountsError};
use crate::domain::account::LinkHash;
use crate::domain::ids::{AccountId, CustomerId};
use crate::domain::text::Email;
use crate::journal::Context;
use crate::shop::ChangeEmail;

/// Lifetime of a link that confirms a new address, and of an unsent notice.
const LINK_LIFE: Duration = Duration::from_secs(60 * 60);

struct EmailChange {
    email: String,
    account_id: i64,
    customer_id: Option<i64>,
    session_id: Option<Uuid>,
}

impl Accounts {
    /// Stores the request; the mail task mails a link to the new address and a notice to the present one.
    pub async fn request_email_change(
        &self,
        owner: &ProvenOwner,
        email: &Email,
        session_id: Uuid,
        client: &ClientInfo,
    ) -> Result<(), AccountsError> {
        let stored = sqlx::query_file!(
            "src/accounts/queries/request_email_change.sql",
            owner.account_id.0,
            owner.password_hash,
            Uuid::now_v7(),
            email.as_str(),
            session_id,
            client.network,
            LINK_LIFE as _,
            Uuid::now_v7()
        );
        if stored.execute(self.pool()).await?.rows_affected() == 0 {
            return Err(AccountsError::WrongCredentials);
        }
        self.0.mail_requested.notify_one();
        let outcome = SignInOutcome::EmailChangeRequested;
        Ok(sign_ins::record_sign_in(self.pool(), Some(owner.account_id), outcome, client).await?)
    }

    /// Sets the new address for its mailed token. Ends the account's sessions, except the one that requested the change.
    pub async fn confirm_email_change(
        &self,
        token: &str,
        context: Context,
        client: &ClientInfo,
    ) -> Result<(), AccountsError> {
        let hash = secret::hash(token);
        let found = sqlx::query_file_as!(EmailChange, "src/accounts/queries/find_email_change.sql", &hash[..]);
        let link = found.fetch_optional(self.pool()).await?.ok_or(AccountsError::InvalidLink)?;
        let account_id = AccountId(link.account_id);
        let change = ChangeEmail {
            account_id,
            customer_id: link.customer_id.map(CustomerId),
            email: Email::stored(link.email),
            kept_session: link.session_id,
            link_hash: LinkHash::new(hash),
        };
        self.journal().run(change, context).await?;
        self.refresh().await?;
        Ok(sign_ins::record_sign_in(self.pool(), Some(account_id), SignInOutcome::EmailChanged, client).await?)
    }
}
