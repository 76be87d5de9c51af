//! The reactor that authorises, captures, voids and refunds payments, and records the results on the order.
//!
//! Any step may run twice, on two nodes, and after a crash between any two steps. So each request to the provider
//! carries the id of the event that caused it as its idempotency key, and a result that the order already has is not
//! recorded again. An unknown outcome is looked up, never guessed.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::PgPool;
use uuid::Uuid;

use super::instrument::{StoredInstrument, delete_instrument, find_instrument, mark_requested};
use super::lost_refunds::find_lost_refund;
use super::order_payments::{OrderPayments, PaymentFault, PaymentRequest};
use super::provider::{
    AcceptedRefund, Authorisation, AuthorisationRequest, IntentState, PaymentError, PaymentIntent, PaymentProvider,
    PaymentPurpose, RefundRequest,
};
use super::{IDEMPOTENCY_WINDOW, Payments};
use crate::clock::Clock;
use crate::domain::Decider;
use crate::domain::ids::OrderId;
use crate::domain::money::Money;
use crate::domain::order::{Order, OrderEvent, Payment, PaymentFailure, RefundState, Status};
use crate::failpoints::failpoint;
use crate::journal::{Journal, KnownLog};
use crate::reactors::{Failure, Reaction, Reactor, ReactorOptions, RecordedEvent};

/// Moves the money that orders request. Cheap to clone.
#[derive(Clone)]
pub struct PaymentReactor {
    payments: Payments,
    order_payments: OrderPayments,
    pool: PgPool,
    clock: Clock,
    log: KnownLog,
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
        self.handle_event(reaction).map(|outcome| outcome.map_err(Failure::from)).boxed()
    }

    /// Retries quickly at first because a buyer is waiting, and keeps retrying beyond the provider's idempotency window.
    fn options(&self, default: ReactorOptions) -> ReactorOptions {
        let hour = Duration::from_secs(60 * 60);
        ReactorOptions {
            max_attempts: 48,
            first_retry: default.first_retry.min(Duration::from_secs(2)),
            longest_retry: default.longest_retry.min(hour),
            time_limit: Duration::from_secs(100),
            concurrency_per_target: default.concurrency,
            ..default
        }
    }
}

impl PaymentReactor {
    pub fn new(payments: Payments, journal: Journal, pool: PgPool) -> Self {
        let (clock, log) = (journal.clock().clone(), journal.known_log());
        Self { payments, order_payments: OrderPayments::new(journal, pool.clone()), pool, clock, log }
    }

    async fn handle_event(&self, reaction: &Reaction) -> Result<(), PaymentFault> {
        let recorded = &reaction.event;
        let order_id =
            OrderId(recorded.aggregate_id.parse().map_err(|_| PaymentFault::defect("the order id is not a number"))?);
        let event = Order::read_event(&recorded.event_version, &recorded.payload)
            .map_err(|error| PaymentFault::defect(error.to_string()))?;
        match event {
            OrderEvent::PaymentRequested { attempt, method, amount } => {
                let purpose = PaymentPurpose { order_id: order_id.0, attempt, request: recorded.event_id };
                let age = (self.clock.now() - recorded.recorded_at).to_std().unwrap_or_default();
                let too_late = age >= IDEMPOTENCY_WINDOW;
                if too_late && self.clock.trusted_now().is_none() {
                    let reason =
                        "the request looks too old, but the clock of the database waits to be accepted".to_owned();
                    return Err(PaymentFault { reason, defect: false });
                }
                self.authorise(purpose, method.as_str(), amount, too_late).await
            }
            OrderEvent::PaymentAuthorised { attempt, amount, reference } => {
                self.capture(order_id, attempt, amount, &reference).await
            }
            OrderEvent::RefundRequested { refund, amount, .. } => self.refund(order_id, refund, amount, recorded).await,
            OrderEvent::Cancelled { .. } => self.void_if_held(order_id).await,
            _ => Ok(()),
        }
    }

    /// Authorises the payment of an attempt. `too_late` means that the provider no longer recognises a repeated request.
    async fn authorise(
        &self,
        purpose: PaymentPurpose,
        method: &str,
        amount: Money,
        too_late: bool,
    ) -> Result<(), PaymentFault> {
        let PaymentPurpose { order_id, attempt, request } = purpose;
        let order = OrderId(order_id);
        // Read the instrument before the order: it is deleted after the outcome is recorded. So if it is missing while the
        // order still waits, it is lost.
        let stored = find_instrument(&self.pool, order_id, attempt).await?;
        let state = self.order_payments.state(order).await?;
        let bill = &state.bill;
        let waits = matches!(state.states.payment, Payment::Pending | Payment::PartiallyPaid);
        let open = bill.attempts == attempt && bill.open_attempt && waits;
        if !open && stored.as_ref().is_none_or(|stored| !stored.requested) {
            // The outcome is recorded, and the provider holds nothing.
            return Ok(delete_instrument(&self.pool, order_id, attempt).await?);
        }
        let provider = self.provider(method)?;
        let token = match stored {
            Some(StoredInstrument { requested: false, .. }) if state.states.status == Status::Cancelled => {
                return self.record_failed(order, attempt, PaymentFailure::Cancelled).await;
            }
            Some(StoredInstrument { requested: false, .. }) if too_late => {
                return self.record_failed(order, attempt, PaymentFailure::Expired).await;
            }
            // An instrument is stored until the outcome is known, for a day at most.
            None if !too_late => return self.record_failed(order, attempt, PaymentFailure::InstrumentMissing).await,
            Some(StoredInstrument { requested: false, token }) => token,
            stored => match (find_authorisation(provider, request).await?, stored) {
                (Some(intent), _) => return self.record_outcome(provider, order, attempt, intent).await,
                (None, Some(stored)) if !too_late => stored.token,
                (None, _) => return self.record_failed(order, attempt, PaymentFailure::OutcomeUnknown).await,
            },
        };
        mark_requested(&self.pool, order_id, attempt).await?;
        let authorisation_request =
            AuthorisationRequest { purpose, amount, currency: self.payments.currency, instrument: token };
        let outcome = provider.authorise(&authorisation_request).await;
        failpoint!("payment-authorised");
        match outcome {
            Ok(Authorisation { reference }) => {
                let state = IntentState::Authorised;
                let intent = PaymentIntent { reference, purpose: Some(purpose), state, amount };
                self.record_outcome(provider, order, attempt, intent).await
            }
            Err(PaymentError::Declined { code }) => {
                self.record_failed(order, attempt, PaymentFailure::parse(&code)?).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Records the outcome of an attempt on the order. Voids or refunds money that the order does not accept.
    async fn record_outcome(
        &self,
        provider: &dyn PaymentProvider,
        order_id: OrderId,
        attempt: i64,
        intent: PaymentIntent,
    ) -> Result<(), PaymentFault> {
        let PaymentIntent { reference, amount, .. } = intent;
        match intent.state {
            IntentState::Open => Err(PaymentFault::retry("the provider is still processing the payment")),
            IntentState::Failed { code } => self.record_failed(order_id, attempt, PaymentFailure::parse(&code)?).await,
            IntentState::Cancelled => self.record_failed(order_id, attempt, PaymentFailure::Cancelled).await,
            IntentState::Captured => self.record_paid(provider, order_id, attempt, amount, &reference).await,
            IntentState::Authorised => {
                let state = self.order_payments.record_authorised(order_id, attempt, amount, &reference).await?;
                let bill = state.bill;
                let accepted = bill.attempts == attempt && state.states.payment == Payment::Authorised
                    || bill.charge_of(attempt).is_some();
                if accepted {
                    return Ok(delete_instrument(&self.pool, order_id.0, attempt).await?);
                }
                self.void(provider, order_id, attempt, &reference, PaymentFailure::NotWanted).await
            }
        }
    }

    /// Captures an authorised payment, or voids it if the order is cancelled.
    async fn capture(
        &self,
        order_id: OrderId,
        attempt: i64,
        amount: Money,
        reference: &str,
    ) -> Result<(), PaymentFault> {
        let state = self.order_payments.state(order_id).await?;
        if state.bill.charge_of(attempt).is_some() {
            return Ok(());
        }
        let provider = self.provider_of(order_id, attempt).await?;
        if state.states.status == Status::Cancelled {
            return self.void(provider, order_id, attempt, reference, PaymentFailure::Cancelled).await;
        }
        // The attempt has failed, or the order was paid another way: nothing may stay held.
        if state.bill.attempts != attempt || state.states.payment != Payment::Authorised {
            return self.void(provider, order_id, attempt, reference, PaymentFailure::NotWanted).await;
        }
        let outcome = provider.capture(reference, amount).await;
        failpoint!("payment-captured");
        match outcome {
            Ok(captured) => self.record_paid(provider, order_id, attempt, captured, reference).await,
            // Nothing may stay held for a failed attempt.
            Err(PaymentError::Declined { code }) => {
                self.void(provider, order_id, attempt, reference, PaymentFailure::parse(&code)?).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Voids the authorised payment of a cancelled order, if there is one.
    async fn void_if_held(&self, order_id: OrderId) -> Result<(), PaymentFault> {
        let state = self.order_payments.state(order_id).await?;
        // Money of another payment may already be refunded, which hides that this one is authorised.
        if state.states.payment != Payment::Authorised && !state.bill.open_attempt {
            return Ok(());
        }
        let attempt = state.bill.attempts;
        let Some(reference) = self.order_payments.find_authorisation(order_id, attempt).await? else { return Ok(()) };
        let provider = self.provider_of(order_id, attempt).await?;
        self.void(provider, order_id, attempt, &reference, PaymentFailure::Cancelled).await
    }

    /// Voids an authorised payment and records the reason. If it was captured in the meantime, records that instead; the
    /// order then requests a refund if it does not accept the money.
    async fn void(
        &self,
        provider: &dyn PaymentProvider,
        order_id: OrderId,
        attempt: i64,
        reference: &str,
        reason: PaymentFailure,
    ) -> Result<(), PaymentFault> {
        match provider.void(reference).await {
            Ok(()) => self.record_failed(order_id, attempt, reason).await,
            Err(PaymentError::Declined { code }) => {
                let PaymentIntent { state, amount, .. } = provider.retrieve(reference).await?;
                match state {
                    IntentState::Captured => self.record_paid(provider, order_id, attempt, amount, reference).await,
                    IntentState::Cancelled | IntentState::Failed { .. } => {
                        self.record_failed(order_id, attempt, reason).await
                    }
                    IntentState::Open | IntentState::Authorised => {
                        Err(PaymentFault::retry(format!("the provider cannot void the payment: {code}")))
                    }
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Refunds a captured payment or a part of it, and records the result.
    async fn refund(
        &self,
        order_id: OrderId,
        refund: i64,
        amount: Money,
        recorded: &RecordedEvent,
    ) -> Result<(), PaymentFault> {
        let state = self.order_payments.state(order_id).await?;
        let index = usize::try_from(refund - 1).unwrap_or(usize::MAX);
        let Some(requested) = state.bill.refunds.get(index).filter(|refund| refund.state == RefundState::Requested)
        else {
            return Ok(());
        };
        let charge = requested.attempt.and_then(|attempt| state.bill.charge_of(attempt));
        let charge = charge.ok_or_else(|| PaymentFault::defect("the order has no captured payment"))?;
        let provider = self.provider_of(order_id, charge.attempt).await?;
        let reference = charge.reference.clone();
        let request = RefundRequest { reference, order_id: order_id.0, refund, amount, request: recorded.event_id };
        let is_restored = self.log.identity().borrow().generation > 1;
        let lost = match is_restored {
            true => find_lost_refund(&self.pool, provider, &request, recorded.position).await?,
            false => None,
        };
        let outcome = match lost {
            Some(reference) => Ok(AcceptedRefund { reference }),
            None => provider.refund(&request).await,
        };
        failpoint!("payment-refunded");
        match outcome {
            Ok(refunded) => self.order_payments.record_refunded(order_id, refund, &refunded.reference).await,
            Err(PaymentError::Declined { code }) => {
                tracing::warn!(
                    order_id = order_id.0,
                    refund,
                    code,
                    "the provider declined a refund; staff must decide"
                );
                self.order_payments.record_refund_failed(order_id, refund, &code).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Retrieves a payment after a provider notification and records its outcome. Payments of other shops are ignored.
    pub async fn refresh_payment(&self, reference: &str) -> Result<(), PaymentFault> {
        let provider = self.provider("card")?;
        let intent = match provider.retrieve(reference).await {
            Err(PaymentError::Declined { .. }) => return Ok(()),
            intent => intent?,
        };
        let Some(PaymentPurpose { order_id, attempt, request }) = intent.purpose else { return Ok(()) };
        let requested = self.order_payments.find_request(OrderId(order_id), attempt).await?;
        if intent.state == IntentState::Open || requested.is_none_or(|requested| requested.event_id != request) {
            return Ok(());
        }
        self.record_outcome(provider, OrderId(order_id), attempt, intent).await
    }

    /// Records a captured payment, or refunds it if the order was paid another way.
    async fn record_paid(
        &self,
        provider: &dyn PaymentProvider,
        order_id: OrderId,
        attempt: i64,
        amount: Money,
        reference: &str,
    ) -> Result<(), PaymentFault> {
        if self.order_payments.record_paid(order_id, attempt, amount, reference).await? {
            return Ok(delete_instrument(&self.pool, order_id.0, attempt).await?);
        }
        let request = self.find_request(order_id, attempt).await?.event_id;
        let request =
            RefundRequest { reference: reference.to_owned(), order_id: order_id.0, refund: 0, amount, request };
        tracing::warn!(order_id = order_id.0, attempt, "refunding a second payment of an order");
        Ok(provider.refund(&request).await.map(drop)?)
    }

    /// Records that an attempt failed, and deletes its instrument.
    async fn record_failed(&self, order_id: OrderId, attempt: i64, reason: PaymentFailure) -> Result<(), PaymentFault> {
        self.order_payments.record_failed(order_id, attempt, reason).await?;
        Ok(delete_instrument(&self.pool, order_id.0, attempt).await?)
    }

    async fn find_request(&self, order_id: OrderId, attempt: i64) -> Result<PaymentRequest, PaymentFault> {
        let request = self.order_payments.find_request(order_id, attempt).await?;
        request.ok_or_else(|| PaymentFault::defect("the order never requested this payment"))
    }

    fn provider(&self, method: &str) -> Result<&dyn PaymentProvider, PaymentFault> {
        self.payments
            .provider(method)
            .ok_or_else(|| PaymentFault::retry(format!("no provider is configured for payments by {method}")))
    }

    async fn provider_of(&self, order_id: OrderId, attempt: i64) -> Result<&dyn PaymentProvider, PaymentFault> {
        self.provider(&self.find_request(order_id, attempt).await?.method)
    }
}

/// Finds the payment of a request that was sent before. A search may return an outdated state, so the payment is
/// retrieved as well. Returns `None` if the provider cannot search.
async fn find_authorisation(
    provider: &dyn PaymentProvider,
    request: Uuid,
) -> Result<Option<PaymentIntent>, PaymentFault> {
    match provider.find(request).await {
        Ok(Some(found)) => Ok(Some(provider.retrieve(&found.reference).await?)),
        Ok(None) | Err(PaymentError::Declined { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
