//! References of other systems: a request with a reference may be repeated, but only with the same content.

use chrono::SecondsFormat;
use sha2::{Digest, Sha256};

use super::placing::{PlaceOrder, RequestedLine, as_stored};
use crate::domain::order::PlacedOrder;

/// Bytes of the digest that an order keeps.
const DIGEST_BYTES: usize = 16;

/// Digest of everything that a request says about the order: customer, time, and each line in its order.
pub(super) fn request_digest(request: &PlaceOrder) -> String {
    let mut digest = Sha256::new();
    let mut add = |field: String| {
        digest.update((field.len() as u64).to_be_bytes());
        digest.update(field);
    };
    add(request.customer_id.map(|customer_id| customer_id.to_string()).unwrap_or_default());
    let placed_at = request.placed_at.map(as_stored);
    add(placed_at.map(|time| time.to_rfc3339_opts(SecondsFormat::Micros, true)).unwrap_or_default());
    for RequestedLine { product_id, quantity, unit_price } in &request.lines {
        add(product_id.to_string());
        add(quantity.get().to_string());
        add(unit_price.map(|price| price.to_string()).unwrap_or_default());
    }
    hex::encode(&digest.finalize()[..DIGEST_BYTES])
}

/// Whether the order was placed by the same request. Older orders have no digest, so their fields are compared with the
/// request.
pub(super) fn was_placed_by(order: &PlacedOrder, request: &PlaceOrder) -> bool {
    if let Some(digest) = &order.request_digest {
        return *digest == request_digest(request);
    }
    let same_lines = order.lines.len() == request.lines.len()
        && order.lines.iter().zip(&request.lines).all(|(line, requested)| {
            line.product_id == requested.product_id
                && line.quantity == requested.quantity
                && requested.unit_price.is_none_or(|price| price == line.unit_price)
        });
    let same_time = request.placed_at.map(as_stored).is_none_or(|placed_at| placed_at == order.placed_at);
    same_lines && same_time && order.customer_id == request.customer_id
}
