//! Stored e-mail addresses that cannot be mailed. They are from before a stricter rule for addresses.

use futures_util::TryStreamExt;
use lettre::Address;
use sqlx::PgPool;

use crate::domain::text::Email;

/// Owners of e-mail addresses that cannot be mailed, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnmailableOwners {
    pub customers: Vec<i64>,
    /// Accounts of the staff.
    pub accounts: Vec<i64>,
    /// Orders of guests.
    pub orders: Vec<i64>,
}

/// The address in the form that every mail server accepts; `None` if it has none.
///
/// Addresses from before the rule of [`Email::parse`] are mailed too if they can be, such as `jo@intranet`.
pub(super) fn mailable_address(email: &str) -> Option<Address> {
    match Email::parse(email) {
        Ok(email) => email.as_str().parse().ok(),
        Err(_) => email.parse().ok().filter(|_| email.is_ascii()),
    }
}

/// Reads all stored e-mail addresses, so it is for operators and not for requests.
pub async fn find_unmailable(pool: &PgPool) -> Result<UnmailableOwners, sqlx::Error> {
    let mut owners = UnmailableOwners::default();
    let mut rows = sqlx::query_file!("src/mail/queries/doubtful_addresses.sql").fetch(pool);
    while let Some(row) = rows.try_next().await? {
        if mailable_address(&row.email).is_some() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_mailable_if_every_mail_server_accepts_it() {
        for (email, mailable) in [
            ("jo+shop@example.com", Some("jo+shop@example.com")),
            ("jo@intranet", Some("jo@intranet")),
            ("jo@bücher.example", Some("jo@xn--bcher-kva.example")),
            ("jö@example.com", None),
            ("jo..x@example.com", None),
            (".jo@example.com", None),
            ("<jo@example.com>", None),
            ("jo@example.com,", None),
            ("jo@-example.com", None),
        ] {
            let address = mailable_address(email).map(|address| address.to_string());
            assert_eq!(address.as_deref(), mailable, "{email}");
        }
    }
}
