//! What follows from the events of an order: the provider is asked, and what it answers becomes an event.
//!
//! Everything here may run twice, on two nodes, and after a crash between any two steps: so what is asked of the
//! provider carries the id of the event that wishes it, and what is told to the order is no event again if the order
//! knows it. An outcome that is not known is asked for again, never guessed.

use std::time::Duration;

use chrono::Utc;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::PgPool;
use uuid::Uuid;

use super::books::{Books, Fault};
use super::instrument::{Kept, drop_instrument, kept_instrument, note_asked};
use super::provider::{Authorisation, Charge, Intent, IntentState, PaymentError, Provider, Purpose, Repayment};
use super::{Payments, REPEATABLE};
use crate::domain::ids::OrderId;
use crate::domain::money::Money;
use crate::domain::order::{OrderEvent, Payment, RefundState, Status};
use crate::failpoints::failpoint;
use crate::journal::Journal;
use crate::reactors::{Failure, Reaction, Reactor, Settings};

/// Asks providers for what orders wish. Cheap to clone.
#[derive(Clone)]
pub struct PaymentReactor {
    payments: Payments,
    books: Books,
    pool: PgPool,
}

const EVENTS: [&str; 4] = ["OrderPaymentRequested", "OrderPaymentAuthorised", "OrderRefundRequested", "OrderCancelled"];

impl Reactor for PaymentReactor {
    fn name(&self) -> &'static str {
        "payments"
    }

    fn event_types(&self) -> &[&'static str] {
        &EVENTS
    }

    fn react<'a>(&'a self, reaction: &'a Reaction) -> BoxFuture<'a, Result<(), Failure>> {
        self.follow(reaction).map(|outcome| outcome.map_err(Failure::from)).boxed()
    }

    /// Somebody is waiting for the answer at first; and it goes on for longer than a provider knows a request again.
    fn settings(&self, default: Settings) -> Settings {
        let hour = Duration::from_secs(60 * 60);
        Settings {
            max_attempts: 48,
            first_retry: default.first_retry.min(Duration::from_secs(2)),
            longest_retry: default.longest_retry.min(hour),
            time_limit: Duration::from_secs(100),
            at_once_per_target: default.at_once,
            ..default
        }
    }
}

impl PaymentReactor {
    pub fn new(payments: Payments, journal: Journal, pool: PgPool) -> Self {
        Self { payments, books: Books::new(journal, pool.clone()), pool }
    }

    async fn follow(&self, reaction: &Reaction) -> Result<(), Fault> {
        let fact = &reaction.fact;
        let order_id = OrderId(fact.aggregate_id.parse().map_err(|_| Fault::defect("the order has no number"))?);
        let event = serde_json::from_value(fact.payload.clone()).map_err(|error| Fault::defect(error.to_string()))?;
        match event {
            OrderEvent::PaymentRequested { attempt, method, amount } => {
                let purpose = Purpose { order_id: order_id.0, attempt, request: fact.event_id };
                let age = (Utc::now() - fact.recorded_at).to_std().unwrap_or_default();
                self.authorise(purpose, method.as_str(), amount, age >= REPEATABLE).await
            }
            OrderEvent::PaymentAuthorised { attempt, amount, reference } => {
                self.take(order_id, attempt, amount, &reference).await
            }
            OrderEvent::RefundRequested { refund, amount, .. } => {
                self.give_back(order_id, refund, amount, fact.event_id).await
            }
            OrderEvent::Cancelled { .. } => self.let_go(order_id).await,
            _ => Ok(()),
        }
    }

    /// Asks for the money of an attempt. `too_late` says that the provider would not know the request again.
    async fn authorise(&self, purpose: Purpose, method: &str, amount: Money, too_late: bool) -> Result<(), Fault> {
        let Purpose { order_id, attempt, request } = purpose;
        let order = OrderId(order_id);
        // Read before the order: whoever tells the order what became of the attempt deletes it afterwards, so an order
        // that still waits has really lost it.
        let kept = kept_instrument(&self.pool, order_id, attempt).await?;
        let standing = self.books.standing(order).await?;
        let bill = &standing.bill;
        let open = bill.attempts == attempt && bill.open_attempt && standing.states.payment == Payment::Pending;
        if !open && kept.as_ref().is_none_or(|kept| !kept.asked) {
            // What became of it is known, and nothing is left to be done about it.
            return Ok(drop_instrument(&self.pool, order_id, attempt).await?);
        }
        let provider = self.provider(method)?;
        let token = match kept {
            Some(Kept { asked: false, .. }) if standing.states.status == Status::Cancelled => {
                return self.failed(order, attempt, "cancelled").await;
            }
            Some(Kept { asked: false, .. }) if too_late => return self.failed(order, attempt, "expired").await,
            // It is kept until the outcome is known, or for a day.
            None if !too_late => return self.failed(order, attempt, "instrument_missing").await,
            Some(Kept { asked: false, token }) => token,
            asked => match (find(provider, request).await?, asked) {
                (Some(intent), _) => return self.conclude(provider, order, attempt, intent).await,
                (None, Some(kept)) if !too_late => kept.token,
                (None, _) => return self.failed(order, attempt, "outcome_unknown").await,
            },
        };
        note_asked(&self.pool, order_id, attempt).await?;
        let charge = Charge { purpose, amount, currency: self.payments.currency, instrument: token };
        let outcome = provider.authorise(&charge).await;
        failpoint!("payment-authorised");
        match outcome {
            Ok(Authorisation { reference }) => {
                let state = IntentState::Authorised;
                let intent = Intent { reference, purpose: Some(purpose), state, amount };
                self.conclude(provider, order, attempt, intent).await
            }
            Err(PaymentError::Declined { code }) => self.failed(order, attempt, &code).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Tells the order what became of an attempt. Money that the order does not want is let go of, or goes back.
    async fn conclude(
        &self,
        provider: &dyn Provider,
        order_id: OrderId,
        attempt: i64,
        intent: Intent,
    ) -> Result<(), Fault> {
        let Intent { reference, amount, .. } = intent;
        match intent.state {
            IntentState::Open => Err(Fault::later("the provider is still at it")),
            IntentState::Failed { code } => self.failed(order_id, attempt, &code).await,
            IntentState::Cancelled => self.failed(order_id, attempt, "canceled").await,
            IntentState::Captured => self.paid(provider, order_id, attempt, amount, &reference).await,
            IntentState::Authorised => {
                let standing = self.books.authorised(order_id, attempt, amount, &reference).await?;
                let bill = standing.bill;
                let wanted = bill.attempts == attempt && standing.states.payment == Payment::Authorised
                    || bill.charge.is_some_and(|charge| charge.attempt == attempt);
                if wanted {
                    return Ok(drop_instrument(&self.pool, order_id.0, attempt).await?);
                }
                self.release(provider, order_id, attempt, &reference, "not_wanted").await
            }
        }
    }

    /// Takes what is held, if the order still stands.
    async fn take(&self, order_id: OrderId, attempt: i64, amount: Money, reference: &str) -> Result<(), Fault> {
        let standing = self.books.standing(order_id).await?;
        let charge = standing.bill.charge.as_ref();
        if charge.is_some_and(|charge| charge.attempt == attempt) {
            return Ok(());
        }
        let provider = self.provider_of(order_id, attempt).await?;
        if standing.states.status == Status::Cancelled {
            return self.release(provider, order_id, attempt, reference, "cancelled").await;
        }
        // The attempt is said to have failed, or the money came from elsewhere: nothing may stay held for it.
        if standing.bill.attempts != attempt || standing.states.payment != Payment::Authorised {
            return self.release(provider, order_id, attempt, reference, "not_wanted").await;
        }
        let outcome = provider.capture(reference, amount).await;
        failpoint!("payment-captured");
        match outcome {
            Ok(taken) => self.paid(provider, order_id, attempt, taken, reference).await,
            // Nothing is to be held for an attempt that has failed.
            Err(PaymentError::Declined { code }) => self.release(provider, order_id, attempt, reference, &code).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Lets go of what is held for an order that was cancelled.
    async fn let_go(&self, order_id: OrderId) -> Result<(), Fault> {
        let standing = self.books.standing(order_id).await?;
        if standing.states.payment != Payment::Authorised {
            return Ok(());
        }
        let attempt = standing.bill.attempts;
        let Some(reference) = self.books.authorisation(order_id, attempt).await? else { return Ok(()) };
        let provider = self.provider_of(order_id, attempt).await?;
        self.release(provider, order_id, attempt, &reference, "cancelled").await
    }

    /// Lets go of what is held, for a reason. What was taken meanwhile is told to the order, which gives it back if it
    /// does not want it.
    async fn release(
        &self,
        provider: &dyn Provider,
        order_id: OrderId,
        attempt: i64,
        reference: &str,
        reason: &str,
    ) -> Result<(), Fault> {
        match provider.cancel(reference).await {
            Ok(()) => self.failed(order_id, attempt, reason).await,
            Err(PaymentError::Declined { code }) => {
                let Intent { state, amount, .. } = provider.look(reference).await?;
                match state {
                    IntentState::Captured => self.paid(provider, order_id, attempt, amount, reference).await,
                    IntentState::Cancelled | IntentState::Failed { .. } => self.failed(order_id, attempt, reason).await,
                    IntentState::Open | IntentState::Authorised => {
                        Err(Fault::later(format!("what is held cannot be let go of: {code}")))
                    }
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn give_back(&self, order_id: OrderId, refund: i64, amount: Money, request: Uuid) -> Result<(), Fault> {
        let standing = self.books.standing(order_id).await?;
        let index = usize::try_from(refund - 1).unwrap_or(usize::MAX);
        if standing.bill.refunds.get(index).is_none_or(|refund| refund.state != RefundState::Requested) {
            return Ok(());
        }
        let charge = standing.bill.charge.ok_or_else(|| Fault::defect("no provider has the money"))?;
        let provider = self.provider_of(order_id, charge.attempt).await?;
        let reference = charge.reference;
        let repayment = Repayment { reference, order_id: order_id.0, refund, amount, request };
        let outcome = provider.refund(&repayment).await;
        failpoint!("payment-refunded");
        match outcome {
            Ok(refunded) => self.books.refunded(order_id, refund, &refunded.reference).await,
            Err(PaymentError::Declined { code }) => {
                tracing::warn!(order_id = order_id.0, refund, code, "a refund was refused, and waits for a decision");
                self.books.refund_failed(order_id, refund, &code).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Looks at a payment because the provider says that it has changed. One of another shop is let be.
    pub async fn look_again(&self, reference: &str) -> Result<(), Fault> {
        let provider = self.provider("card")?;
        let intent = match provider.look(reference).await {
            Err(PaymentError::Declined { .. }) => return Ok(()),
            intent => intent?,
        };
        let Some(Purpose { order_id, attempt, request }) = intent.purpose else { return Ok(()) };
        let asked = self.books.request(OrderId(order_id), attempt).await?;
        if intent.state == IntentState::Open || asked.is_none_or(|asked| asked.event_id != request) {
            return Ok(());
        }
        self.conclude(provider, OrderId(order_id), attempt, intent).await
    }

    async fn paid(
        &self,
        provider: &dyn Provider,
        order_id: OrderId,
        attempt: i64,
        amount: Money,
        reference: &str,
    ) -> Result<(), Fault> {
        if self.books.paid(order_id, attempt, amount, reference).await? {
            return Ok(drop_instrument(&self.pool, order_id.0, attempt).await?);
        }
        // The order has its money from elsewhere.
        let asked = self.books.request(order_id, attempt).await?;
        let request = asked.ok_or_else(|| Fault::defect("nobody asked for this payment"))?.event_id;
        let repayment = Repayment { reference: reference.to_owned(), order_id: order_id.0, refund: 0, amount, request };
        tracing::warn!(order_id = order_id.0, attempt, "a second payment of an order goes back");
        Ok(provider.refund(&repayment).await.map(drop)?)
    }

    async fn failed(&self, order_id: OrderId, attempt: i64, reason: &str) -> Result<(), Fault> {
        self.books.failed(order_id, attempt, reason).await?;
        Ok(drop_instrument(&self.pool, order_id.0, attempt).await?)
    }

    fn provider(&self, method: &str) -> Result<&dyn Provider, Fault> {
        self.payments.provider(method).ok_or_else(|| Fault::later(format!("payments by {method} are not set up")))
    }

    async fn provider_of(&self, order_id: OrderId, attempt: i64) -> Result<&dyn Provider, Fault> {
        let asked = self.books.request(order_id, attempt).await?;
        self.provider(&asked.ok_or_else(|| Fault::defect("nobody asked for this payment"))?.method)
    }
}

/// What is known of a request that was sent before. What a search finds may be old, so it is looked at again. A provider
/// that cannot search knows nothing.
async fn find(provider: &dyn Provider, request: Uuid) -> Result<Option<Intent>, Fault> {
    match provider.find(request).await {
        Ok(Some(found)) => Ok(Some(provider.look(&found.reference).await?)),
        Ok(None) | Err(PaymentError::Declined { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
