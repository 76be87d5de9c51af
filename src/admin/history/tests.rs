use chrono_tz::Tz;
use serde_json::json;

use super::*;

/// The changes, each as `field: before → after`, with links in brackets.
fn compared(before: Value, after: Value) -> Vec<String> {
    let format =
        Format { currency: "EUR".parse().unwrap(), zone: Tz::UTC, now: "2026-11-28T14:05:00Z".parse().unwrap() };
    let link = |subject: &str, id: &str| Some(format!("{subject}/{id}"));
    let text = |pieces: &[Piece]| -> String {
        let text = |piece: &Piece| piece.link.as_ref().map_or_else(|| piece.text.clone(), |link| format!("[{link}]"));
        pieces.iter().map(text).collect::<String>().replace('\u{a0}', " ")
    };
    let changes = of(before.as_object().unwrap(), after.as_object().unwrap(), &format, &link);
    changes.iter().map(|c| format!("{}: {} → {}", c.field, text(&c.before), text(&c.after))).collect()
}

#[test]
fn changes_name_each_field_once_with_both_values() {
    let before =
        json!({ "name": "Tea", "parent_id": 3, "stock": { "on_hand": 3000, "reserved": 1 }, "has_imei": false });
    let after = json!({ "name": "Coffee", "parent_id": null, "stock": { "on_hand": 5, "reserved": 1 }, "tags": ["a"] });
    let expected = ["Name: Tea → Coffee", "Below: [Category/3] → ", "Stock, on hand: 3,000 → 5", "Tags:  → a"];
    let mut changes = compared(before, after);
    changes.sort_by_key(|change| expected.iter().position(|found| found == change));
    assert_eq!(changes, expected);
}

#[test]
fn lists_show_the_items_that_changed() {
    let units =
        |shipped: i64, withdrawn: i64| json!([{ "shipped": 0 }, { "shipped": shipped, "withdrawn": withdrawn }]);
    assert_eq!(
        compared(
            json!({ "units": units(0, 0), "shipments": [true] }),
            json!({ "units": units(2, 1), "shipments": [true, false] })
        ),
        ["Line 2, shipped: 0 → 2", "Line 2, given up: 0 → 1", "Shipment 2:  → sent"]
    );
    let refund = json!([{ "amount": "1020.00", "state": "done", "attempt": null }]);
    assert_eq!(
        compared(
            json!({ "bill": { "refunded": "0.00", "refunds": [] } }),
            json!({ "bill": { "refunded": "1020.00", "refunds": refund } })
        ),
        ["Refunded: 0.00 EUR → 1,020.00 EUR", "Refund 1:  → amount 1,020.00 EUR, refunded"]
    );
    let image =
        |number: i64| json!({ "image_id": number, "hash": "ab", "extension": "png", "width": 320, "height": 180 });
    assert_eq!(
        compared(
            json!({ "images": [image(1), image(2), image(3)] }),
            json!({ "images": [image(3), image(1), image(4)] })
        ),
        ["Image 4:  → 320 × 180 pixels, png", "Image 2: 320 × 180 pixels, png → ", "Order of images: 1, 3 → 3, 1"]
    );
    assert_eq!(compared(json!({ "options": ["a", "b"] }), json!({ "options": ["b", "a"] })), ["Options: a, b → b, a"]);
    assert_eq!(
        compared(json!({ "items": { "7": 1 } }), json!({ "items": { "7": 3, "8": 1 } })),
        ["Product 7: 1 → 3", "Product 8:  → 1"]
    );
}

#[test]
fn a_first_state_leaves_out_what_is_empty() {
    let after = json!({
        "state": "Placed", "status": "pending", "payment": "partially_paid", "placed_at": "2026-11-28T07:26:58.387710Z",
        "customer_id": 7, "reference": null, "contact_erased": false, "shipments": [],
        "units": [{ "shipped": 0, "withdrawn": 0 }], "bill": { "total": "0.03", "paid": "0.00", "attempts": 0 },
        "lines": [{ "line": 1, "product_id": 32, "product_name": "Pot", "quantity": 3, "unit_price": "0.01", "subtotal": "0.03" }],
    });
    let mut changes = compared(json!({}), after);
    changes.sort();
    let expected = [
        "Customer:  → [Customer/7]",
        "Line 1:  → 3 × [Product/32], 0.01 EUR each",
        "Payment:  → partly paid",
        "Placed at:  → 28 Nov 2026, 07:26",
        "Status:  → new",
        "Total:  → 0.03 EUR",
    ];
    assert_eq!(changes, expected);
}

#[test]
fn what_members_name_themselves_stays_as_it_is() {
    let details = |price: &str| json!({ "details": { "specifications": { "price": price, "sizes": { "large": 1 } } } });
    let without_sale =
        json!({ "details": { "on_sale": false, "specifications": { "price": "2.00", "sizes": { "large": 1 } } } });
    assert_eq!(compared(details("1.00"), details("2.00")), ["Specifications: price: 1.00 → 2.00"]);
    assert_eq!(compared(details("2.00"), without_sale), ["On sale: yes → no"]);
    let discount = |kind: &str, value: &str| json!({ "kind": kind, "value": value });
    assert_eq!(
        compared(discount("percent", "10"), discount("amount", "10.00")),
        ["Kind: percent → amount", "Value: 10 % → 10.00 EUR"]
    );
}
