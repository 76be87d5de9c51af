//! Accounts and API keys, as admins see them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Accounts, AccountsError, Password, Secret};
use crate::domain::account::Role;
use crate::domain::ids::AccountId;
use crate::domain::text::Email;
use crate::journal::{Actor, Context};
use crate::shop::OpenAccount;

#[derive(Debug, Serialize, ToSchema)]
pub struct User {
    pub account_id: i64,
    pub email: String,
    #[schema(value_type = Role)]
    pub role: String,
    /// Null for staff.
    pub customer_id: Option<i64>,
    pub disabled: bool,
    /// True if the account has a password.
    pub has_password: bool,
    pub opened_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ApiKey {
    pub key_id: Uuid,
    pub account_id: i64,
    pub name: String,
    #[schema(value_type = Role)]
    pub role: String,
    pub created_at: DateTime<Utc>,
    /// Accurate to the minute; null if the key was never used.
    pub last_used_at: Option<DateTime<Utc>>,
}

impl User {
    pub fn is_customer(&self) -> bool {
        self.role == Role::Customer.as_str()
    }
}

/// Lists the accounts above number `after`, in the order of their numbers.
pub async fn list_users(pool: &PgPool, after: i64, limit: i64) -> Result<Vec<User>, sqlx::Error> {
    sqlx::query_file_as!(User, "src/accounts/queries/list_users.sql", after, limit).fetch_all(pool).await
}

/// Lists the accounts of the staff above number `after`, in the order of their numbers.
pub async fn list_staff(pool: &PgPool, after: i64, limit: i64) -> Result<Vec<User>, sqlx::Error> {
    sqlx::query_file_as!(User, "src/accounts/queries/list_staff.sql", after, limit).fetch_all(pool).await
}

/// Finds the account with an e-mail address.
pub async fn find_account_by_email(pool: &PgPool, email: &Email) -> Result<Option<AccountId>, sqlx::Error> {
    let query = "select account_id from account where lower(email) = lower($1)";
    let found: Option<i64> = sqlx::query_scalar(query).bind(email.as_str()).fetch_optional(pool).await?;
    Ok(found.map(AccountId))
}

impl Accounts {
    /// Opens an account with a generated password, and returns the password.
    pub async fn open_with_generated_password(&self, email: Email, role: Role) -> Result<Secret, AccountsError> {
        let password = Secret::password()?;
        let hash = self.passwords().hash(&Password::from_secret(&password)).await?;
        let open = OpenAccount { role, customer_id: None, email, password_hash: Some(hash), link_hash: None };
        let context = Context::of(Actor { id: "first-start".to_owned(), role: Role::Admin.as_str() });
        self.journal().run(open, context).await?;
        Ok(password)
    }

    /// See [`list_users`].
    pub async fn list_users(&self, after: i64, limit: i64) -> Result<Vec<User>, sqlx::Error> {
        list_users(self.pool(), after, limit).await
    }

    /// The accounts of the staff above number `after`, in the order of their numbers.
    pub async fn list_staff(&self, after: i64, limit: i64) -> Result<Vec<User>, sqlx::Error> {
        list_staff(self.pool(), after, limit).await
    }

    pub async fn find_user_by_email(&self, email: &str) -> Result<Option<User>, sqlx::Error> {
        sqlx::query_file_as!(User, "src/accounts/queries/find_user_by_email.sql", email)
            .fetch_optional(self.pool())
            .await
    }

    pub async fn find_user(&self, account_id: AccountId) -> Result<Option<User>, sqlx::Error> {
        sqlx::query_file_as!(User, "src/accounts/queries/find_user.sql", account_id.0).fetch_optional(self.pool()).await
    }

    /// Lists the API keys of one account or of all, oldest first.
    pub async fn list_keys(
        &self,
        of: Option<AccountId>,
        after: (DateTime<Utc>, Uuid),
        limit: i64,
    ) -> Result<Vec<ApiKey>, sqlx::Error> {
        let account_id = of.map(|account_id| account_id.0);
        let keys =
            sqlx::query_file_as!(ApiKey, "src/accounts/queries/list_keys.sql", account_id, after.0, after.1, limit);
        let mut keys = keys.fetch_all(self.pool()).await?;
        for key in &mut keys {
            key.last_used_at = self.0.authenticator.last_key_use(key.key_id).or(key.last_used_at);
        }
        Ok(keys)
    }

    /// Finds the account that owns an API key.
    pub async fn key_owner(&self, key_id: Uuid) -> Result<Option<AccountId>, sqlx::Error> {
        let query = "select account_id from api_key where key_id = $1";
        let found: Option<i64> = sqlx::query_scalar(query).bind(key_id).fetch_optional(self.pool()).await?;
        Ok(found.map(AccountId))
    }

    /// True if the shop has no account.
    pub async fn has_no_account(&self) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar("select not exists (select from account)").fetch_one(self.pool()).await
    }
}
