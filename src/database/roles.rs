//! The role `reader`, as which people read the shop's data: schemas `live` and `fact`, and no personal table.
//!
//! The shop grants it what is there and, by default privileges, what it is going to create. In an embedded database the
//! role always exists. In one of the operator's own the shop creates it where it may; otherwise it says what to do.

use sqlx::{Connection, Executor, PgConnection};

use super::locks;

/// Name of the role.
pub const READER: &str = "reader";

/// How many of the rights that a start withdraws are named in the log.
const LOGGED_RIGHTS_MAX: usize = 5;

/// Whether people can read the shop's data as `reader`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReaderState {
    /// The role reads both schemas, and the shop's own role may act as it.
    Ready,
    /// There is no such role, and the shop's role `owner` may not create one.
    Missing { owner: String },
    /// The shop's role `owner` is not a member of the role.
    NotMember { owner: String },
    /// The role reads `table` too, by a grant that the shop cannot withdraw.
    ReadsMore { table: String },
}

impl ReaderState {
    /// Whether people can read the shop's data.
    pub fn can_read(&self) -> bool {
        matches!(self, Self::Ready | Self::ReadsMore { .. })
    }

    /// What the operator has to do, in one line; `None` if nothing.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Ready => None,
            Self::Missing { owner } => Some(format!(
                "there is no role `{READER}` for SQL queries, and `{owner}` may not create it; \
                 run as a superuser, then restart the shop: create role {READER}; grant {READER} to {owner}"
            )),
            Self::NotMember { owner } => Some(format!(
                "`{owner}` cannot act as `{READER}` or cancel its queries; run as a superuser: grant {READER} to {owner}"
            )),
            Self::ReadsMore { table } => Some(format!(
                "`{READER}` can read `{table}`, which is not in `live` or `fact`; find the grant with \\dp {table} and \
                 \\du {READER} of psql, and revoke it as a superuser"
            )),
        }
    }
}

/// Creates the role if it is missing and may be created, and grants it both schemas. A failure is logged, because it
/// must not keep the shop from selling.
pub async fn grant_reads_or_warn(connection: &mut PgConnection) {
    if let Err(error) = grant_reads(connection).await {
        tracing::warn!(%error, "the role `{READER}` could not be given its rights");
    }
}

async fn grant_reads(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)").bind(locks::INSTALL).execute(&mut *transaction).await?;
    let withdrawn = withdraw_rights(&mut transaction).await?;
    grant_missing(&mut transaction).await?;
    transaction.commit().await?;
    if !withdrawn.is_empty() {
        let some = withdrawn.iter().take(LOGGED_RIGHTS_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
        let count = withdrawn.len();
        tracing::warn!(
            count,
            "rights of `{READER}` beyond reading `live` and `fact` were withdrawn, such as on {some}"
        );
    }
    Ok(())
}

/// Withdraws what an operator granted the role before it was the shop's. Returns what the rights were for.
async fn withdraw_rights(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let found = sqlx::query_as::<_, (String, String)>(include_str!("withdraw_rights.sql"));
    let (items, statements): (Vec<_>, Vec<_>) = found.fetch_all(&mut *connection).await?.into_iter().unzip();
    for statement in statements {
        sqlx::query(&statement).execute(&mut *connection).await?;
    }
    Ok(items)
}

/// Grants what is missing, in the caller's transaction: a read table that was built elsewhere comes without grants.
pub async fn grant_missing(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute(include_str!("grant_reads.sql")).await.map(drop)
}

/// Whether people can read the shop's data as `reader`.
pub async fn reader_state(connection: &mut PgConnection) -> Result<ReaderState, sqlx::Error> {
    let owner: String = sqlx::query_scalar("select current_user::text").fetch_one(&mut *connection).await?;
    let is_member: Option<bool> =
        sqlx::query_scalar("select pg_has_role(current_user, oid, 'member') from pg_roles where rolname = $1")
            .bind(READER)
            .fetch_optional(&mut *connection)
            .await?
            .flatten();
    Ok(match is_member {
        None => ReaderState::Missing { owner },
        Some(false) => ReaderState::NotMember { owner },
        Some(true) => {
            let table: Option<String> =
                sqlx::query_scalar(include_str!("excess_read.sql")).fetch_optional(connection).await?;
            table.map_or(ReaderState::Ready, |table| ReaderState::ReadsMore { table })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_is_what_a_superuser_has_to_run() {
        let owner = || "shop".to_owned();
        assert_eq!(ReaderState::Ready.advice(), None);
        let missing = ReaderState::Missing { owner: owner() }.advice().unwrap();
        assert!(missing.ends_with(": create role reader; grant reader to shop"), "{missing}");
        let no_member = ReaderState::NotMember { owner: owner() }.advice().unwrap();
        assert!(no_member.ends_with(": grant reader to shop"), "{no_member}");
        let more = ReaderState::ReadsMore { table: "public.account".to_owned() };
        assert!(more.can_read() && more.advice().unwrap().contains("`public.account`"));
    }
}
