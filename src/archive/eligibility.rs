//! Which old streams may be archived: the aggregates decide, on states read from the log.

use cqrs_es::Aggregate;
use sqlx::PgPool;

use super::{ArchiveOptions, ArchivedKind};
use crate::domain::Decider;
use crate::domain::cart::Cart;
use crate::domain::customer::Customer;
use crate::domain::ids::{CartId, CustomerId};
use crate::domain::order::{Order, PlacedOrder};
use crate::journal::archive::{OldStream, States, read_states};
use crate::journal::{CommandError, StreamId};

/// Streams that may go, each with the stream that the decision depends on, and the number of those that stay.
pub(super) struct Eligible {
    pub streams: Vec<(OldStream, Option<(StreamId, i64)>)>,
    pub kept: u64,
}

/// The kinds of streams that the options name.
pub(super) fn kinds(options: &ArchiveOptions) -> impl Iterator<Item = &'static str> {
    let is_wanted = |kind: ArchivedKind| {
        (options.kinds.is_empty() || options.kinds.contains(&kind))
            && (kind == ArchivedKind::Order || options.statuses.is_empty())
    };
    let wanted = [ArchivedKind::Order, ArchivedKind::Cart].into_iter().filter(move |kind| is_wanted(*kind));
    wanted.map(stored_kind).collect::<Vec<_>>().into_iter()
}

fn stored_kind(kind: ArchivedKind) -> &'static str {
    match kind {
        ArchivedKind::Order => Order::TYPE,
        ArchivedKind::Cart => Cart::TYPE,
    }
}

pub(super) fn kind_of(stream: &StreamId) -> Option<ArchivedKind> {
    [ArchivedKind::Order, ArchivedKind::Cart].into_iter().find(|kind| *stream.kind == *stored_kind(*kind))
}

/// Decides for each stream, on its state and its customer's.
pub(super) async fn find_eligible(
    pool: &PgPool,
    old: Vec<OldStream>,
    options: &ArchiveOptions,
) -> Result<Eligible, CommandError> {
    let ids_of =
        |kind| old.iter().filter(move |old| kind_of(&old.stream) == Some(kind)).map(|old| old.stream.id.to_string());
    let orders = read_states::<Order>(pool, &ids_of(ArchivedKind::Order).collect::<Vec<_>>()).await?;
    let carts = read_states::<Cart>(pool, &ids_of(ArchivedKind::Cart).collect::<Vec<_>>()).await?;
    let customer_of = |stream: &StreamId| customer_of(stream, &orders);
    let mut customer_ids: Vec<String> =
        old.iter().filter_map(|old| customer_of(&old.stream)).map(|customer| customer.to_string()).collect();
    customer_ids.sort_unstable();
    customer_ids.dedup();
    let customers = read_states::<Customer>(pool, &customer_ids).await?;

    let mut eligible = Eligible { streams: Vec::new(), kept: 0 };
    for old in old {
        let customer = customer_of(&old.stream);
        let order = state_of(&orders, &old).and_then(|order| order.placed().ok());
        if !is_wanted(order, customer, options) {
            continue;
        }
        let known = customer.and_then(|customer| customers.get(&customer.to_string()).map(|known| (customer, known)));
        let awaits_erasure = known.is_some_and(|(_, (_, customer))| customer.awaits_erasure());
        let is_closed = order.is_some_and(PlacedOrder::may_be_archived)
            || state_of(&carts, &old).is_some_and(Cart::may_be_archived);
        if is_closed && !awaits_erasure {
            let depends_on = known.map(|(customer, (version, _))| (StreamId::of::<Customer>(customer), *version));
            eligible.streams.push((old, depends_on));
        } else {
            eligible.kept += 1;
        }
    }
    Ok(eligible)
}

/// The state of a stream, if it is the one that was found as old.
fn state_of<'a, A: Decider>(states: &'a States<A>, old: &OldStream) -> Option<&'a A> {
    if *old.stream.kind != *A::TYPE {
        return None;
    }
    states.get(&*old.stream.id).filter(|(version, _)| *version == old.version).map(|(_, state)| state)
}

fn customer_of(stream: &StreamId, orders: &States<Order>) -> Option<CustomerId> {
    match kind_of(stream)? {
        ArchivedKind::Order => orders.get(&*stream.id).and_then(|(_, order)| order.placed().ok()?.customer_id),
        ArchivedKind::Cart => stream.id.parse::<CartId>().ok()?.customer(),
    }
}

/// Whether the options ask for a stream. Others are not counted as kept.
fn is_wanted(order: Option<&PlacedOrder>, customer: Option<CustomerId>, options: &ArchiveOptions) -> bool {
    let has_status =
        options.statuses.is_empty() || order.is_some_and(|order| options.statuses.contains(&order.states.status));
    let of_customer = options.customer.is_none_or(|wanted| customer == Some(wanted));
    has_status && of_customer
}
