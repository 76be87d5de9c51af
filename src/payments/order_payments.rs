//! The order's side of a payment: reads its state, and records what the provider did.

use sqlx::PgPool;
use uuid::Uuid;

use super::provider::PaymentError;
use crate::domain::ids::OrderId;
use crate::domain::money::Money;
use crate::domain::order::{Order, OrderCommand, OrderError, PaymentFailure, ProviderReference};
use crate::domain::refusal::Refusal;
use crate::domain::text::{Reason, TextError};
use crate::journal::{Actor, CommandError, Context, Journal};
use crate::reactors::Failure;
use crate::shop::{PaymentStateView, RecordPayment};

/// Reads and records the payments of orders. Cheap to clone.
#[derive(Clone)]
pub(super) struct OrderPayments {
    journal: Journal,
    pool: PgPool,
}

/// The event that requested a payment.
pub(super) struct PaymentRequest {
    pub event_id: Uuid,
    pub method: String,
}

/// Why a payment step failed.
#[derive(Debug)]
pub struct PaymentFault {
    pub reason: String,
    /// Whether a retry cannot succeed.
    pub defect: bool,
}

impl OrderPayments {
    pub fn new(journal: Journal, pool: PgPool) -> Self {
        Self { journal, pool }
    }

    /// The state of an order and of its payments.
    pub async fn state(&self, order_id: OrderId) -> Result<PaymentStateView, PaymentFault> {
        let order = self.journal.read::<Order>(order_id).await?;
        Ok(PaymentStateView::of(&order).map_err(|error| CommandError::from(Refusal::from(error)))?)
    }

    pub async fn record_authorised(
        &self,
        order_id: OrderId,
        attempt: i64,
        amount: Money,
        reference: &str,
    ) -> Result<PaymentStateView, PaymentFault> {
        let reference = ProviderReference::parse(reference)?;
        Ok(self.record(order_id, OrderCommand::RecordAuthorisation { attempt, amount, reference }).await?)
    }

    /// Returns `false` if the order does not accept the money, because it was paid another way.
    pub async fn record_paid(
        &self,
        order_id: OrderId,
        attempt: i64,
        amount: Money,
        reference: &str,
    ) -> Result<bool, PaymentFault> {
        let reference = ProviderReference::parse(reference)?;
        match self.record(order_id, OrderCommand::RecordCapture { attempt, amount, reference }).await {
            Err(CommandError::Refused(Refusal::Order(OrderError::PaidByOtherAttempt))) => Ok(false),
            recorded => Ok(recorded.map(|_| true)?),
        }
    }

    pub async fn record_failed(
        &self,
        order_id: OrderId,
        attempt: i64,
        reason: PaymentFailure,
    ) -> Result<(), PaymentFault> {
        Ok(self.record(order_id, OrderCommand::RecordPaymentFailure { attempt, reason }).await.map(drop)?)
    }

    pub async fn record_refunded(&self, order_id: OrderId, refund: i64, reference: &str) -> Result<(), PaymentFault> {
        let reference = ProviderReference::parse(reference)?;
        Ok(self.record(order_id, OrderCommand::RecordRefund { refund, reference }).await.map(drop)?)
    }

    pub async fn record_refund_failed(&self, order_id: OrderId, refund: i64, reason: &str) -> Result<(), PaymentFault> {
        let reason = Reason::parse(reason)?;
        Ok(self.record(order_id, OrderCommand::RecordRefundFailure { refund, reason }).await.map(drop)?)
    }

    /// Finds the event that requested an attempt.
    pub async fn find_request(&self, order_id: OrderId, attempt: i64) -> Result<Option<PaymentRequest>, PaymentFault> {
        let id = order_id.to_string();
        let request = sqlx::query_file_as!(PaymentRequest, "src/payments/queries/find_request.sql", id, attempt);
        Ok(request.fetch_optional(&self.pool).await?)
    }

    /// Finds the provider's reference of an authorised attempt.
    pub async fn find_authorisation(&self, order_id: OrderId, attempt: i64) -> Result<Option<String>, PaymentFault> {
        let reference = sqlx::query_scalar(
            "select payload ->> 'reference' from event_log
             where aggregate_type = 'Order' and aggregate_id = $1 and event_type = 'OrderPaymentAuthorised'
                and (payload ->> 'attempt')::bigint = $2
             order by sequence desc limit 1",
        );
        Ok(reference.bind(order_id.to_string()).bind(attempt).fetch_optional(&self.pool).await?)
    }

    async fn record(&self, order_id: OrderId, command: OrderCommand) -> Result<PaymentStateView, CommandError> {
        let context = Context::of(Actor { id: "payments".to_owned(), role: "system" });
        Ok(self.journal.run(RecordPayment { order_id, command }, context).await?.answer)
    }
}

impl PaymentFault {
    pub fn retry(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), defect: false }
    }

    pub fn defect(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), defect: true }
    }
}

impl From<PaymentFault> for Failure {
    fn from(fault: PaymentFault) -> Self {
        if fault.defect { Self::Park(fault.reason) } else { Self::Retry(fault.reason) }
    }
}

impl From<PaymentError> for PaymentFault {
    fn from(error: PaymentError) -> Self {
        if let PaymentError::Misconfigured(reason) = &error {
            tracing::error!(reason, "payments are misconfigured");
        }
        Self::retry(error.to_string())
    }
}

impl From<CommandError> for PaymentFault {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(refusal) => Self::defect(refusal.to_string()),
            other => Self::retry(other.to_string()),
        }
    }
}

impl From<sqlx::Error> for PaymentFault {
    fn from(error: sqlx::Error) -> Self {
        Self::retry(error.to_string())
    }
}

impl From<TextError> for PaymentFault {
    fn from(error: TextError) -> Self {
        Self::defect(error.to_string())
    }
}
