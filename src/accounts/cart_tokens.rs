//! Tokens of guests' carts, which prove by themselves that the shop issued them.
//!
//! A token is a UUID of version 8: the hour of its issue in 24 bits, 58 random bits, and a MAC of both in 40 bits. So a
//! cart needs no row until its first item, and a token that a client invents is recognised without a query. The MAC only
//! keeps clients from inventing tokens, which `POST carts/` gives away anyway; what keeps a cart secret is the whole token.
//!
//! All nodes share the key in the table `shared_secret`. Tokens from before are random UUIDs of version 4; their carts are
//! in the log.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use uuid::{Builder, Uuid};

/// Issues and checks the tokens of guests' carts.
pub struct CartTokens {
    key: hmac::Key,
}

/// Name of the key in the table of shared secrets.
const SECRET: &str = "cart_tokens";

/// Length of the signed part of a token, in bytes; the MAC follows.
const SIGNED: usize = 11;

impl CartTokens {
    /// Reads the key of all nodes; the first node creates it.
    pub(super) async fn open(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let fresh = [*Uuid::new_v4().as_bytes(), *Uuid::new_v4().as_bytes(), *Uuid::new_v4().as_bytes()].concat();
        sqlx::query("insert into shared_secret (name, secret) values ($1, $2) on conflict (name) do nothing")
            .bind(SECRET)
            .bind(fresh)
            .execute(pool)
            .await?;
        let secret: Vec<u8> =
            sqlx::query_scalar("select secret from shared_secret where name = $1").bind(SECRET).fetch_one(pool).await?;
        Ok(Self::new(&secret))
    }

    fn new(secret: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    /// A fresh token.
    pub fn issue(&self, now: DateTime<Utc>) -> Uuid {
        let hours = (now - first_hour()).num_hours().clamp(0, 0xff_ffff);
        let [.., a, b, c] = hours.to_be_bytes();
        let mut bytes = *Uuid::new_v4().as_bytes();
        bytes[..3].copy_from_slice(&[a, b, c]);
        // Sets the bits of the version before they are signed.
        let mut bytes = Builder::from_custom_bytes(bytes).into_uuid().into_bytes();
        let mac = hmac::sign(&self.key, &bytes[..SIGNED]);
        bytes[SIGNED..].copy_from_slice(&mac.as_ref()[..16 - SIGNED]);
        Uuid::from_bytes(bytes)
    }

    /// When the shop issued the token, to the hour; `None` if it did not.
    pub fn issued_at(&self, token: Uuid) -> Option<DateTime<Utc>> {
        let (signed, mac) = token.as_bytes().split_at(SIGNED);
        let expected = hmac::sign(&self.key, signed);
        let is_ours =
            token.get_version_num() == 8 && verify_slices_are_equal(mac, &expected.as_ref()[..16 - SIGNED]).is_ok();
        let hours = i64::from_be_bytes([0, 0, 0, 0, 0, signed[0], signed[1], signed[2]]);
        is_ours.then(|| first_hour() + TimeDelta::hours(hours))
    }
}

/// The hour from which tokens count: the beginning of 2020.
fn first_hour() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(18_262)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_token_tells_the_hour_of_its_issue() {
        let tokens = CartTokens::new(b"secret");
        assert_eq!(first_hour(), time("2020-01-01T00:00:00Z"));
        for (now, hour) in [
            ("2026-03-01T12:34:56Z", "2026-03-01T12:00:00Z"),
            ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
            ("2500-01-01T00:59:59Z", "2500-01-01T00:00:00Z"),
        ] {
            let token = tokens.issue(time(now));
            assert_eq!(token.get_version_num(), 8);
            assert_eq!(tokens.issued_at(token), Some(time(hour)));
            assert_ne!(tokens.issue(time(now)), token);
        }
    }

    #[test]
    fn every_changed_bit_and_every_other_key_is_recognised() {
        let tokens = CartTokens::new(b"secret");
        let token = tokens.issue(time("2026-03-01T12:34:56Z"));
        for bit in 0..128 {
            let changed = Uuid::from_u128(token.as_u128() ^ (1 << bit));
            assert_eq!(tokens.issued_at(changed), None, "bit {bit}");
        }
        assert_eq!(CartTokens::new(b"other").issued_at(token), None);
        assert_eq!(tokens.issued_at(Uuid::new_v4()), None);
    }
}
