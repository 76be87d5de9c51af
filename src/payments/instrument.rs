//! What an attempt to pay is made with: given with the order or with the attempt, kept until it was used, and a day at
//! the most. It stands beside the log, never in it.

use sqlx::PgPool;
use thiserror::Error;

use super::test_provider::TestCard;
use crate::domain::order::PaymentToken;

/// A way to pay that a client has chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instrument {
    /// A token that the provider gave to the client for a card.
    Card(PaymentToken),
    Test(TestCard),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InstrumentError {
    /// A card's own number has no such form: it must not be sent here.
    #[error("must be a token of the provider, such as pm_1NXWPnA, and never the number of a card")]
    NotAToken,
    #[error("must be one of the documented numbers for tests")]
    NotATestCard,
}

impl Instrument {
    /// `pm_` and the like, and what the provider put behind it.
    pub fn card(token: &str) -> Result<Self, InstrumentError> {
        let (kind, rest) = token.split_once('_').ok_or(InstrumentError::NotAToken)?;
        let kind_fits = (2..=8).contains(&kind.len()) && kind.bytes().all(|byte| byte.is_ascii_lowercase());
        let rest_fits = (1..=240).contains(&rest.len())
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !rest.bytes().all(|byte| byte.is_ascii_digit());
        if kind_fits && rest_fits { Ok(Self::Card(PaymentToken::new(token))) } else { Err(InstrumentError::NotAToken) }
    }

    pub fn test(card_number: &str) -> Result<Self, InstrumentError> {
        TestCard::of_number(card_number).map(Self::Test).ok_or(InstrumentError::NotATestCard)
    }

    /// The method as orders name it.
    pub fn method(&self) -> &'static str {
        match self {
            Self::Card(_) => "card",
            Self::Test(_) => "test",
        }
    }

    /// As it is kept, and handed to the provider.
    pub fn token(&self) -> PaymentToken {
        match self {
            Self::Card(token) => token.clone(),
            Self::Test(card) => PaymentToken::new(card.name()),
        }
    }
}

/// What an attempt is to be made with, if it is still kept.
pub struct Kept {
    pub token: PaymentToken,
    /// Whether the provider may have been asked already.
    pub asked: bool,
}

/// Without `Debug`, so that no token gets into a log.
struct KeptRow {
    token: String,
    asked: bool,
}

pub async fn kept_instrument(pool: &PgPool, order_id: i64, attempt: i64) -> Result<Option<Kept>, sqlx::Error> {
    let kept = sqlx::query_file_as!(KeptRow, "src/payments/queries/kept_instrument.sql", order_id, attempt);
    let Some(kept) = kept.fetch_optional(pool).await? else { return Ok(None) };
    let token = PaymentToken::try_from(kept.token).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(Some(Kept { token, asked: kept.asked }))
}

/// Notes that the provider is about to be asked, before it is.
pub async fn note_asked(pool: &PgPool, order_id: i64, attempt: i64) -> Result<(), sqlx::Error> {
    let note = sqlx::query("update payment_instrument set asked_at = now() where order_id = $1 and attempt = $2");
    note.bind(order_id).bind(attempt).execute(pool).await.map(drop)
}

/// Deletes what is of no use any more.
pub async fn drop_instrument(pool: &PgPool, order_id: i64, attempt: i64) -> Result<(), sqlx::Error> {
    let delete = sqlx::query("delete from payment_instrument where order_id = $1 and attempt = $2");
    delete.bind(order_id).bind(attempt).execute(pool).await.map(drop)
}

/// Deletes what was never used in a day.
pub async fn sweep_instruments(pool: &PgPool) -> Result<u64, sqlx::Error> {
    let swept = sqlx::query("delete from payment_instrument where given_at < now() - interval '1 day'");
    Ok(swept.execute(pool).await?.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_card_is_no_token() {
        for token in ["pm_card_visa", "pm_1NXWPnA2eZvKYlo2", "tok_visa"] {
            assert_eq!(Instrument::card(token).unwrap().token().expose(), token);
        }
        for strange in
            ["", "4242424242424242", "4242 4242 4242 4242", "pm_", "pm_4242424242424242", "pm-1", "_x", "pm_ä"]
        {
            assert_eq!(Instrument::card(strange), Err(InstrumentError::NotAToken), "{strange}");
        }
    }

    #[test]
    fn only_documented_numbers_are_test_cards() {
        assert_eq!(Instrument::test("4242 4242 4242 4242").unwrap().token().expose(), "succeeds");
        for strange in ["", "4111111111111111", "42424242424242", "succeeds"] {
            assert_eq!(Instrument::test(strange), Err(InstrumentError::NotATestCard), "{strange}");
        }
    }
}
