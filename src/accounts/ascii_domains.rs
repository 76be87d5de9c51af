//! Domains of stored e-mail addresses in their ASCII form.
//!
//! Earlier versions stored `jo@bücher.example` as typed; requests are parsed to `jo@xn--bcher-kva.example`. Lookups and
//! unique indexes compare the stored text, so the stored addresses take the form of the requests before any is served.

use sqlx::PgPool;
use sqlx::error::ErrorKind;

use crate::database::begin_transaction;
use crate::domain::text::Email;

/// Name of the conversion in `completed_work`.
const WORK: &str = "ascii_domains";

/// Gives every stored address the form that [`Email::parse`] gives it. An address whose ASCII form belongs to another
/// account or customer stays as it is, and is logged. It is done once in the life of a shop.
pub async fn convert_stored_domains(pool: &PgPool) -> Result<(), sqlx::Error> {
    let is_done: bool = sqlx::query_scalar("select exists (select from completed_work where name = $1)")
        .bind(WORK)
        .fetch_one(pool)
        .await?;
    if is_done {
        return Ok(());
    }
    convert_all(pool).await?;
    let complete =
        "insert into completed_work (name, completed_at) values ($1, clock_timestamp()) on conflict do nothing";
    sqlx::query(complete).bind(WORK).execute(pool).await?;
    Ok(())
}

async fn convert_all(pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut after = String::new();
    loop {
        let found = sqlx::query_file_scalar!("src/accounts/queries/addresses_not_ascii.sql", after);
        let stored = found.fetch_all(pool).await?;
        let Some(last) = stored.last() else { return Ok(()) };
        after.clone_from(last);
        for stored in &stored {
            if let Ok(email) = Email::parse(stored) {
                convert(pool, stored, &email).await?;
            }
        }
    }
}

/// Replaces one address in all tables, or in none: an account and its customer have the same address.
async fn convert(pool: &PgPool, stored: &str, email: &Email) -> Result<(), sqlx::Error> {
    let mut transaction = begin_transaction(pool, "begin").await?;
    for update in [
        "update customer_profile set email = $2 where email = $1",
        "update account set email = $2 where email = $1",
        "update mailed_link set email = $2 where email = $1",
    ] {
        match sqlx::query(update).bind(stored).bind(email.as_str()).execute(&mut *transaction).await {
            Ok(_) => {}
            Err(sqlx::Error::Database(error)) if error.kind() == ErrorKind::UniqueViolation => {
                tracing::warn!(
                    domain = stored.rsplit('@').next(),
                    "an address in other letters stays: another account or customer has its ASCII form"
                );
                return transaction.rollback().await;
            }
            Err(error) => return Err(error),
        }
    }
    transaction.commit().await
}
