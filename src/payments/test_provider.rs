//! A provider for tests: test cards with a fixed outcome each, and a ledger in the shop's database.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sqlx::PgPool;
use uuid::Uuid;

use super::provider::{
    AcceptedRefund, Authorisation, AuthorisationRequest, IntentState, MadeRefund, NotificationError, PaymentError,
    PaymentIntent, PaymentProvider, PaymentPurpose, ProviderFuture, RefundRequest,
};
use crate::database::begin_transaction;
use crate::domain::money::Money;

/// The outcome of a payment with a test card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestCard {
    Succeeds,
    Declined,
    InsufficientFunds,
    /// The holder would have to confirm the payment, which the shop does not support.
    AuthenticationRequired,
    /// The payment is authorised, and its capture is declined.
    CaptureFails,
    /// The response takes a few seconds.
    Slow,
    /// The payment is authorised, and the first response is lost.
    AnswerLost,
}

/// Moves no money.
pub struct TestProvider {
    pool: PgPool,
}

/// How long the slow card takes.
const SLOW: Duration = Duration::from_secs(3);

/// Every card with its number and its name.
const CARDS: [(TestCard, &str, &str); 7] = [
    (TestCard::Succeeds, "4242424242424242", "succeeds"),
    (TestCard::Declined, "4000000000000002", "declined"),
    (TestCard::InsufficientFunds, "4000000000009995", "insufficient_funds"),
    (TestCard::AuthenticationRequired, "4000002500003155", "authentication_required"),
    (TestCard::CaptureFails, "4000000000000341", "capture_fails"),
    (TestCard::Slow, "4000000000000077", "slow"),
    (TestCard::AnswerLost, "4000000000000119", "answer_lost"),
];

impl TestCard {
    /// Finds the card with a number; the number may contain spaces.
    pub fn of_number(number: &str) -> Option<Self> {
        let digits: String = number.chars().filter(|letter| *letter != ' ').collect();
        CARDS.iter().find(|(_, number, _)| *number == digits).map(|(card, ..)| *card)
    }

    pub fn name(self) -> &'static str {
        CARDS.iter().find(|(card, ..)| *card == self).map_or("", |(_, _, name)| name)
    }

    fn of_name(name: &str) -> Option<Self> {
        CARDS.iter().find(|(_, _, card_name)| *card_name == name).map(|(card, ..)| *card)
    }
}

struct TestCharge {
    reference: String,
    request: Uuid,
    order_id: i64,
    attempt: i64,
    amount: rust_decimal::Decimal,
    card: String,
    state: String,
}

impl TestProvider {
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    async fn authorise_payment(
        &self,
        authorisation_request: &AuthorisationRequest,
    ) -> Result<Authorisation, PaymentError> {
        let card = TestCard::of_name(authorisation_request.instrument.expose())
            .ok_or_else(|| PaymentError::declined("invalid_number"))?;
        match card {
            TestCard::Declined => return Err(PaymentError::declined("card_declined")),
            TestCard::InsufficientFunds => return Err(PaymentError::declined("insufficient_funds")),
            TestCard::AuthenticationRequired => return Err(PaymentError::declined("authentication_required")),
            TestCard::Slow => tokio::time::sleep(SLOW).await,
            TestCard::Succeeds | TestCard::CaptureFails | TestCard::AnswerLost => {}
        }
        let insert = sqlx::query(
            "insert into test_charge (reference, request, order_id, attempt, amount, card, state)
             values ($1, $2, $3, $4, $5, $6, 'authorised') on conflict (request) do nothing",
        )
        .bind(new_reference("test"))
        .bind(authorisation_request.purpose.request)
        .bind(authorisation_request.purpose.order_id)
        .bind(authorisation_request.purpose.attempt)
        .bind(authorisation_request.amount.amount())
        .bind(card.name())
        .execute(&self.pool)
        .await?;
        if card == TestCard::AnswerLost && insert.rows_affected() == 1 {
            return Err(PaymentError::Unavailable("the response was lost".to_owned()));
        }
        let reference = sqlx::query_scalar("select reference from test_charge where request = $1")
            .bind(authorisation_request.purpose.request)
            .fetch_one(&self.pool)
            .await?;
        Ok(Authorisation { reference })
    }

    async fn capture_payment(&self, reference: &str, amount: Money) -> Result<Money, PaymentError> {
        let charge = self.find_charge(reference).await?;
        if charge.card == TestCard::CaptureFails.name() {
            return Err(PaymentError::declined("capture_failed"));
        }
        if charge.amount != amount.amount() {
            return Err(PaymentError::declined("amount_differs"));
        }
        let capture = sqlx::query(
            "update test_charge set state = 'captured' where reference = $1 and state in ('authorised', 'captured')",
        );
        match capture.bind(reference).execute(&self.pool).await?.rows_affected() {
            0 => Err(PaymentError::declined("authorisation_gone")),
            _ => Ok(amount),
        }
    }

    async fn void_payment(&self, reference: &str) -> Result<(), PaymentError> {
        let void = sqlx::query(
            "update test_charge set state = 'cancelled' where reference = $1 and state in ('authorised', 'cancelled')",
        );
        match void.bind(reference).execute(&self.pool).await?.rows_affected() {
            0 => Err(PaymentError::declined("not_held")),
            _ => Ok(()),
        }
    }

    async fn refund_payment(&self, refund_request: &RefundRequest) -> Result<AcceptedRefund, PaymentError> {
        let mut transaction = begin_transaction(&self.pool, "begin").await?;
        // Locks the payment, so that its refunds run one after the other.
        let captured: Option<rust_decimal::Decimal> =
            sqlx::query_scalar("select amount from test_charge where reference = $1 and state = 'captured' for update")
                .bind(&refund_request.reference)
                .fetch_optional(&mut *transaction)
                .await?;
        let captured = captured.ok_or_else(|| PaymentError::declined("not_captured"))?;
        let earlier = sqlx::query_scalar("select reference from test_refund where request = $1")
            .bind(refund_request.request)
            .fetch_optional(&mut *transaction)
            .await?;
        if let Some(reference) = earlier {
            return Ok(AcceptedRefund { reference });
        }
        let refunded: rust_decimal::Decimal =
            sqlx::query_scalar("select coalesce(sum(amount), 0) from test_refund where charge_reference = $1")
                .bind(&refund_request.reference)
                .fetch_one(&mut *transaction)
                .await?;
        if refunded + refund_request.amount.amount() > captured {
            return Err(PaymentError::declined("refund_exceeds_payment"));
        }
        let reference = new_reference("test_refund");
        sqlx::query("insert into test_refund (reference, request, charge_reference, amount) values ($1, $2, $3, $4)")
            .bind(&reference)
            .bind(refund_request.request)
            .bind(&refund_request.reference)
            .bind(refund_request.amount.amount())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(AcceptedRefund { reference })
    }

    /// The ledger is in the shop's database, so a restore loses its refunds with the log's; the number is not recorded.
    async fn list_refunds(&self, reference: &str) -> Result<Vec<MadeRefund>, PaymentError> {
        let charge = self.find_charge(reference).await?;
        let refunds = sqlx::query_file!("src/payments/queries/test_refunds.sql", reference);
        let made = refunds.fetch_all(&self.pool).await?.into_iter().map(|refund| MadeRefund {
            reference: refund.reference,
            order_id: charge.order_id,
            refund: 0,
            amount: Money::try_from(refund.amount).unwrap_or_default(),
            request: refund.request,
        });
        Ok(made.collect())
    }

    async fn find_charge(&self, reference: &str) -> Result<TestCharge, PaymentError> {
        let charge = sqlx::query_file_as!(TestCharge, "src/payments/queries/test_charge_by_reference.sql", reference);
        let charge = charge.fetch_optional(&self.pool).await?;
        charge.ok_or_else(|| PaymentError::declined("unknown_payment"))
    }
}

impl PaymentProvider for TestProvider {
    fn authorise<'a>(&'a self, authorisation_request: &'a AuthorisationRequest) -> ProviderFuture<'a, Authorisation> {
        self.authorise_payment(authorisation_request).boxed()
    }

    fn capture<'a>(&'a self, reference: &'a str, amount: Money) -> ProviderFuture<'a, Money> {
        self.capture_payment(reference, amount).boxed()
    }

    fn void<'a>(&'a self, reference: &'a str) -> ProviderFuture<'a, ()> {
        self.void_payment(reference).boxed()
    }

    fn refund<'a>(&'a self, refund_request: &'a RefundRequest) -> ProviderFuture<'a, AcceptedRefund> {
        self.refund_payment(refund_request).boxed()
    }

    fn find_refunds<'a>(&'a self, reference: &'a str) -> ProviderFuture<'a, Vec<MadeRefund>> {
        self.list_refunds(reference).boxed()
    }

    fn retrieve<'a>(&'a self, reference: &'a str) -> ProviderFuture<'a, PaymentIntent> {
        async move { Ok(self.find_charge(reference).await?.into()) }.boxed()
    }

    fn find(&self, request: Uuid) -> ProviderFuture<'_, Option<PaymentIntent>> {
        let find = async move {
            let charge = sqlx::query_file_as!(TestCharge, "src/payments/queries/test_charge_by_request.sql", request);
            let charge = charge.fetch_optional(&self.pool).await?;
            Ok(charge.map(PaymentIntent::from))
        };
        find.boxed()
    }

    /// The test provider sends no notifications.
    fn read_notification(&self, _: &str, _: &[u8], _: DateTime<Utc>) -> Result<Option<String>, NotificationError> {
        Err(NotificationError::NotConfigured)
    }
}

impl From<TestCharge> for PaymentIntent {
    fn from(charge: TestCharge) -> Self {
        let state = match charge.state.as_str() {
            "captured" => IntentState::Captured,
            "cancelled" => IntentState::Cancelled,
            _ => IntentState::Authorised,
        };
        // The column was written from `Money`, so the conversion succeeds.
        let amount = Money::try_from(charge.amount).unwrap_or_default();
        let purpose = PaymentPurpose { order_id: charge.order_id, attempt: charge.attempt, request: charge.request };
        Self { reference: charge.reference, purpose: Some(purpose), state, amount }
    }
}

impl From<sqlx::Error> for PaymentError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

fn new_reference(kind: &str) -> String {
    format!("{kind}_{}", Uuid::now_v7().simple())
}
