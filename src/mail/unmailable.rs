//! Stored e-mail addresses that cannot be mailed. They are from before a stricter rule for addresses.

use futures_util::TryStreamExt;
use lettre::Address;
use sqlx::PgPool;

/// Owners of e-mail addresses that cannot be mailed, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnmailableOwners {
    pub customers: Vec<i64>,
    /// Accounts of the staff.
    pub accounts: Vec<i64>,
    /// Orders of guests.
    pub orders: Vec<i64>,
}

/// Returns whether a mail to the address can be composed.
pub(super) fn is_mailable(email: &str) -> bool {
    email.parse::<Address>().is_ok()
}

/// Reads all stored e-mail addresses, so it is for operators and not for requests.
pub async fn find_unmailable(pool: &PgPool) -> Result<UnmailableOwners, sqlx::Error> {
    let mut owners = UnmailableOwners::default();
    let mut rows = sqlx::query_file!("src/mail/queries/doubtful_addresses.sql").fetch(pool);
    while let Some(row) = rows.try_next().await? {
        if is_mailable(&row.email) {
            continue;
        }
        match row.kind {
            1 => owners.customers.push(row.id),
            2 => owners.accounts.push(row.id),
            _ => owners.orders.push(row.id),
        }
    }
    Ok(owners)
}
