//! The payment instrument of an attempt: sent with the order or the attempt, stored until it is used, for a day at
//! most. It is stored beside the log, never in it.

use sqlx::PgPool;
use thiserror::Error;

use super::test_provider::TestCard;
use crate::domain::order::PaymentToken;

/// A payment instrument that a client has chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instrument {
    /// The token that the provider gave the client for a card.
    Card(PaymentToken),
    Test(TestCard),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InstrumentError {
    /// The number of a card never has the form of a token.
    #[error("must be a provider's token such as pm_1NXWPnA, never a card number")]
    NotAToken,
    #[error("must be one of the documented test card numbers")]
    NotATestCard,
}

impl Instrument {
    /// Parses a provider's token: a kind such as `pm`, an underscore, and the rest.
    pub fn card(token: &str) -> Result<Self, InstrumentError> {
        let (kind, rest) = token.split_once('_').ok_or(InstrumentError::NotAToken)?;
        let kind_fits = (2..=8).contains(&kind.len()) && kind.bytes().all(|byte| byte.is_ascii_lowercase());
        let rest_fits = (1..=240).contains(&rest.len())
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !rest.bytes().all(|byte| byte.is_ascii_digit());
        if kind_fits && rest_fits { Ok(Self::Card(PaymentToken::new(token))) } else { Err(InstrumentError::NotAToken) }
    }

    /// Parses a documented test card number.
    pub fn test(card_number: &str) -> Result<Self, InstrumentError> {
        TestCard::of_number(card_number).map(Self::Test).ok_or(InstrumentError::NotATestCard)
    }

    /// The payment method of the order, as its events name it.
    pub fn method(&self) -> &'static str {
        match self {
            Self::Card(_) => "card",
            Self::Test(_) => "test",
        }
    }

    /// The token that is stored and sent to the provider.
    pub fn token(&self) -> PaymentToken {
        match self {
            Self::Card(token) => token.clone(),
            Self::Test(card) => PaymentToken::new(card.name()),
        }
    }
}

/// The stored instrument of an attempt.
pub struct StoredInstrument {
    pub token: PaymentToken,
    /// Whether the authorisation may have been requested already.
    pub requested: bool,
}

/// Finds the instrument of an attempt; `None` once it is deleted.
pub async fn find_instrument(
    pool: &PgPool,
    order_id: i64,
    attempt: i64,
) -> Result<Option<StoredInstrument>, sqlx::Error> {
    sqlx::query_file_as!(StoredInstrument, "src/payments/queries/find_instrument.sql", order_id, attempt)
        .fetch_optional(pool)
        .await
}

/// Records that the authorisation is about to be requested. Call it before the request.
pub async fn mark_requested(pool: &PgPool, order_id: i64, attempt: i64) -> Result<(), sqlx::Error> {
    let note = sqlx::query("update payment_instrument set asked_at = now() where order_id = $1 and attempt = $2");
    note.bind(order_id).bind(attempt).execute(pool).await.map(drop)
}

/// Deletes the instrument of an attempt whose outcome is known.
pub async fn delete_instrument(pool: &PgPool, order_id: i64, attempt: i64) -> Result<(), sqlx::Error> {
    let delete = sqlx::query("delete from payment_instrument where order_id = $1 and attempt = $2");
    delete.bind(order_id).bind(attempt).execute(pool).await.map(drop)
}

/// Deletes instruments that are older than a day, and returns their number.
pub async fn sweep_instruments(pool: &PgPool) -> Result<u64, sqlx::Error> {
    let swept = sqlx::query("delete from payment_instrument where given_at < now() - interval '1 day'");
    Ok(swept.execute(pool).await?.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_is_not_a_token() {
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
