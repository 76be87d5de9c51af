//! Settings of the shop: read, changed, and refused as a whole.

use axum::http::StatusCode;
use serde_json::json;

use crate::support::TestShop;

#[tokio::test]
async fn settings_have_defaults_and_change_one_by_one() {
    let shop = TestShop::new().await;
    let defaults = shop.get("settings/").await;
    assert_eq!(defaults.body, json!({ "search_language": "english", "low_stock_threshold": 10 }));
    assert_eq!(defaults.header("etag"), "\"0\"");

    let changed = shop.send("PATCH", "settings/", json!({ "search_language": "german" }), &[]).await;
    let german = json!({ "search_language": "german", "low_stock_threshold": 10 });
    assert_eq!((changed.status, &changed.body), (StatusCode::OK, &german));
    let changed = shop.send("PATCH", "settings/", json!({ "low_stock_threshold": 0 }), &[("if-match", "\"1\"")]).await;
    let none = json!({ "search_language": "german", "low_stock_threshold": 0 });
    assert_eq!((changed.status, &changed.body), (StatusCode::OK, &none));
    let read = shop.get("settings/").await;
    assert_eq!((&read.body, read.header("etag")), (&none, "\"2\""));

    let position = shop.engine.journal.position();
    for (body, headers, status) in [
        (none.clone(), &[][..], StatusCode::OK),
        (json!({}), &[], StatusCode::OK),
        (json!({ "low_stock_threshold": 7 }), &[("if-match", "\"1\"")], StatusCode::PRECONDITION_FAILED),
        (json!({ "low_stock_threshold": -1 }), &[], StatusCode::BAD_REQUEST),
        (json!({ "low_stock_threshold": 1_000_000_001 }), &[], StatusCode::BAD_REQUEST),
        (json!({ "low_stock_threshold": "7" }), &[], StatusCode::BAD_REQUEST),
        (json!({ "search_language": "klingon", "low_stock_threshold": 7 }), &[], StatusCode::BAD_REQUEST),
        (json!({ "search_language": "German" }), &[], StatusCode::BAD_REQUEST),
        (json!({ "language": "german" }), &[], StatusCode::BAD_REQUEST),
    ] {
        let answer = shop.send("PATCH", "settings/", body.clone(), headers).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
    }
    assert_eq!(shop.engine.journal.position(), position, "neither the same settings nor refused ones are events");
    assert_eq!(shop.read("settings/").await, none);
    shop.verify().await;
}
