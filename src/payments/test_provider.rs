//! A provider for tests: cards that do not exist, each with a fate of its own, and a ledger in the shop's database.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sqlx::PgPool;
use uuid::Uuid;

use super::provider::{
    Asked, Authorisation, Charge, Intent, IntentState, NoticeError, PaymentError, Provider, Purpose, Refunded,
    Repayment,
};
use crate::domain::money::Money;

/// What becomes of a payment with a card for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestCard {
    Succeeds,
    Declined,
    InsufficientFunds,
    /// Wants its holder to confirm the payment, which the shop does not support.
    AuthenticationRequired,
    /// The money is held, and cannot be taken.
    CaptureFails,
    /// The answer comes after some seconds.
    Slow,
    /// The money is held, and the first answer does not arrive.
    AnswerLost,
}

pub struct TestProvider {
    pool: PgPool,
}

/// How long a slow card takes.
const SLOW: Duration = Duration::from_secs(3);

/// Every card: what it does, its number, and its name.
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
    /// The card with a number, which may be written in groups.
    pub fn of_number(number: &str) -> Option<Self> {
        let digits: String = number.chars().filter(|letter| *letter != ' ').collect();
        CARDS.iter().find(|(_, known, _)| *known == digits).map(|(card, ..)| *card)
    }

    pub fn name(self) -> &'static str {
        CARDS.iter().find(|(card, ..)| *card == self).map_or("", |(_, _, name)| name)
    }

    fn of_name(name: &str) -> Option<Self> {
        CARDS.iter().find(|(_, _, known)| *known == name).map(|(card, ..)| *card)
    }
}

struct Row {
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

    async fn hold(&self, charge: &Charge) -> Result<Authorisation, PaymentError> {
        let card =
            TestCard::of_name(charge.instrument.expose()).ok_or_else(|| PaymentError::declined("invalid_number"))?;
        match card {
            TestCard::Declined => return Err(PaymentError::declined("card_declined")),
            TestCard::InsufficientFunds => return Err(PaymentError::declined("insufficient_funds")),
            TestCard::AuthenticationRequired => return Err(PaymentError::declined("authentication_required")),
            TestCard::Slow => tokio::time::sleep(SLOW).await,
            TestCard::Succeeds | TestCard::CaptureFails | TestCard::AnswerLost => {}
        }
        let made = sqlx::query(
            "insert into test_charge (reference, request, order_id, attempt, amount, card, state)
             values ($1, $2, $3, $4, $5, $6, 'authorised') on conflict (request) do nothing",
        )
        .bind(new_reference("test"))
        .bind(charge.purpose.request)
        .bind(charge.purpose.order_id)
        .bind(charge.purpose.attempt)
        .bind(charge.amount.amount())
        .bind(card.name())
        .execute(&self.pool)
        .await?;
        if card == TestCard::AnswerLost && made.rows_affected() == 1 {
            return Err(PaymentError::Unavailable("the answer was lost".to_owned()));
        }
        let reference = sqlx::query_scalar("select reference from test_charge where request = $1")
            .bind(charge.purpose.request)
            .fetch_one(&self.pool)
            .await?;
        Ok(Authorisation { reference })
    }

    async fn take(&self, reference: &str, amount: Money) -> Result<Money, PaymentError> {
        let row = self.row(reference).await?;
        if row.card == TestCard::CaptureFails.name() {
            return Err(PaymentError::declined("capture_failed"));
        }
        if row.amount != amount.amount() {
            return Err(PaymentError::declined("amount_differs"));
        }
        let taken = sqlx::query(
            "update test_charge set state = 'captured' where reference = $1 and state in ('authorised', 'captured')",
        );
        match taken.bind(reference).execute(&self.pool).await?.rows_affected() {
            0 => Err(PaymentError::declined("authorisation_gone")),
            _ => Ok(amount),
        }
    }

    async fn let_go(&self, reference: &str) -> Result<(), PaymentError> {
        let gone = sqlx::query(
            "update test_charge set state = 'cancelled' where reference = $1 and state in ('authorised', 'cancelled')",
        );
        match gone.bind(reference).execute(&self.pool).await?.rows_affected() {
            0 => Err(PaymentError::declined("not_held")),
            _ => Ok(()),
        }
    }

    async fn give_back(&self, repayment: &Repayment) -> Result<Refunded, PaymentError> {
        let mut transaction = self.pool.begin().await?;
        // Refunds of one payment go one after the other.
        let held: Option<rust_decimal::Decimal> =
            sqlx::query_scalar("select amount from test_charge where reference = $1 and state = 'captured' for update")
                .bind(&repayment.reference)
                .fetch_optional(&mut *transaction)
                .await?;
        let held = held.ok_or_else(|| PaymentError::declined("not_captured"))?;
        let known = sqlx::query_scalar("select reference from test_refund where request = $1")
            .bind(repayment.request)
            .fetch_optional(&mut *transaction)
            .await?;
        if let Some(reference) = known {
            return Ok(Refunded { reference });
        }
        let refunded: rust_decimal::Decimal =
            sqlx::query_scalar("select coalesce(sum(amount), 0) from test_refund where charge_reference = $1")
                .bind(&repayment.reference)
                .fetch_one(&mut *transaction)
                .await?;
        if refunded + repayment.amount.amount() > held {
            return Err(PaymentError::declined("refund_exceeds_payment"));
        }
        let reference = new_reference("test_refund");
        sqlx::query("insert into test_refund (reference, request, charge_reference, amount) values ($1, $2, $3, $4)")
            .bind(&reference)
            .bind(repayment.request)
            .bind(&repayment.reference)
            .bind(repayment.amount.amount())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Refunded { reference })
    }

    async fn row(&self, reference: &str) -> Result<Row, PaymentError> {
        let row = sqlx::query_file_as!(Row, "src/payments/queries/test_charge_by_reference.sql", reference);
        let row = row.fetch_optional(&self.pool).await?;
        row.ok_or_else(|| PaymentError::declined("unknown_payment"))
    }
}

impl Provider for TestProvider {
    fn authorise<'a>(&'a self, charge: &'a Charge) -> Asked<'a, Authorisation> {
        self.hold(charge).boxed()
    }

    fn capture<'a>(&'a self, reference: &'a str, amount: Money) -> Asked<'a, Money> {
        self.take(reference, amount).boxed()
    }

    fn cancel<'a>(&'a self, reference: &'a str) -> Asked<'a, ()> {
        self.let_go(reference).boxed()
    }

    fn refund<'a>(&'a self, repayment: &'a Repayment) -> Asked<'a, Refunded> {
        self.give_back(repayment).boxed()
    }

    fn look<'a>(&'a self, reference: &'a str) -> Asked<'a, Intent> {
        async move { Ok(self.row(reference).await?.into()) }.boxed()
    }

    fn find(&self, request: Uuid) -> Asked<'_, Option<Intent>> {
        let find = async move {
            let row = sqlx::query_file_as!(Row, "src/payments/queries/test_charge_by_request.sql", request);
            let row = row.fetch_optional(&self.pool).await?;
            Ok(row.map(Intent::from))
        };
        find.boxed()
    }

    /// It sends none.
    fn read_notice(&self, _: &str, _: &[u8], _: DateTime<Utc>) -> Result<Option<String>, NoticeError> {
        Err(NoticeError::NotTaken)
    }
}

impl From<Row> for Intent {
    fn from(row: Row) -> Self {
        let state = match row.state.as_str() {
            "captured" => IntentState::Captured,
            "cancelled" => IntentState::Cancelled,
            _ => IntentState::Authorised,
        };
        // It was an amount of money when it was written.
        let amount = Money::try_from(row.amount).unwrap_or_default();
        let purpose = Purpose { order_id: row.order_id, attempt: row.attempt, request: row.request };
        Self { reference: row.reference, purpose: Some(purpose), state, amount }
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
