//! The order's side of a payment: how it stands, and being told what a provider did.

use sqlx::PgPool;
use uuid::Uuid;

use super::provider::PaymentError;
use crate::domain::ids::OrderId;
use crate::domain::money::Money;
use crate::domain::order::{OrderCommand, OrderError, PaymentFailure, ProviderReference};
use crate::domain::refusal::Refusal;
use crate::domain::text::{Reason, TextError};
use crate::journal::{Actor, CommandError, Context, Journal};
use crate::reactors::Failure;
use crate::shop::{MoneyStanding, RecordPayment};

#[derive(Clone)]
pub(super) struct Books {
    journal: Journal,
    pool: PgPool,
}

/// The event that asked for a payment.
pub(super) struct Request {
    pub event_id: Uuid,
    pub method: String,
}

/// Why something could not be brought to an end yet.
#[derive(Debug)]
pub struct Fault {
    pub reason: String,
    /// It will not work by itself.
    pub defect: bool,
}

impl Books {
    pub fn new(journal: Journal, pool: PgPool) -> Self {
        Self { journal, pool }
    }

    pub async fn standing(&self, order_id: OrderId) -> Result<MoneyStanding, Fault> {
        Ok(self.tell(order_id, None).await?)
    }

    pub async fn authorised(
        &self,
        order_id: OrderId,
        attempt: i64,
        amount: Money,
        reference: &str,
    ) -> Result<MoneyStanding, Fault> {
        let reference = ProviderReference::parse(reference)?;
        Ok(self.tell(order_id, Some(OrderCommand::RecordAuthorisation { attempt, amount, reference })).await?)
    }

    /// Whether the order takes the money; else it has been paid otherwise.
    pub async fn paid(&self, order_id: OrderId, attempt: i64, amount: Money, reference: &str) -> Result<bool, Fault> {
        let reference = ProviderReference::parse(reference)?;
        match self.tell(order_id, Some(OrderCommand::RecordCapture { attempt, amount, reference })).await {
            Err(CommandError::Refused(Refusal::Order(OrderError::PaidByOtherAttempt))) => Ok(false),
            told => Ok(told.map(|_| true)?),
        }
    }

    pub async fn failed(&self, order_id: OrderId, attempt: i64, reason: &str) -> Result<(), Fault> {
        let reason = PaymentFailure::parse(reason)?;
        Ok(self.tell(order_id, Some(OrderCommand::RecordPaymentFailure { attempt, reason })).await.map(drop)?)
    }

    pub async fn refunded(&self, order_id: OrderId, refund: i64, reference: &str) -> Result<(), Fault> {
        let reference = ProviderReference::parse(reference)?;
        Ok(self.tell(order_id, Some(OrderCommand::RecordRefund { refund, reference })).await.map(drop)?)
    }

    pub async fn refund_failed(&self, order_id: OrderId, refund: i64, reason: &str) -> Result<(), Fault> {
        let reason = Reason::parse(reason)?;
        Ok(self.tell(order_id, Some(OrderCommand::RecordRefundFailure { refund, reason })).await.map(drop)?)
    }

    /// What asked for the payment of an attempt.
    pub async fn request(&self, order_id: OrderId, attempt: i64) -> Result<Option<Request>, Fault> {
        let id = order_id.to_string();
        let request = sqlx::query_file_as!(Request, "src/payments/queries/request.sql", id, attempt);
        Ok(request.fetch_optional(&self.pool).await?)
    }

    /// What the provider calls the money that it holds for an attempt.
    pub async fn authorisation(&self, order_id: OrderId, attempt: i64) -> Result<Option<String>, Fault> {
        let reference = sqlx::query_scalar(
            "select payload ->> 'reference' from events
             where aggregate_type = 'Order' and aggregate_id = $1 and event_type = 'OrderPaymentAuthorised'
                and (payload ->> 'attempt')::bigint = $2
             order by sequence desc limit 1",
        );
        Ok(reference.bind(order_id.to_string()).bind(attempt).fetch_optional(&self.pool).await?)
    }

    async fn tell(&self, order_id: OrderId, note: Option<OrderCommand>) -> Result<MoneyStanding, CommandError> {
        let context = Context::of(Actor { id: "payments".to_owned(), role: "system" });
        Ok(self.journal.run(RecordPayment { order_id, note }, context).await?.answer)
    }
}

impl Fault {
    pub fn later(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), defect: false }
    }

    pub fn defect(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), defect: true }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        if fault.defect { Self::Park(fault.reason) } else { Self::Later(fault.reason) }
    }
}

impl From<PaymentError> for Fault {
    fn from(error: PaymentError) -> Self {
        if let PaymentError::Misconfigured(reason) = &error {
            tracing::error!(reason, "payments are not set up as they must be");
        }
        Self::later(error.to_string())
    }
}

impl From<CommandError> for Fault {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(refusal) => Self::defect(refusal.to_string()),
            other => Self::later(other.to_string()),
        }
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::later(error.to_string())
    }
}

impl From<TextError> for Fault {
    fn from(error: TextError) -> Self {
        Self::defect(error.to_string())
    }
}
