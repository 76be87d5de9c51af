//! Many products in one request: rows, their results, all or nothing, dry runs, keys, new prices and received units.

use std::collections::BTreeSet;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{TestShop, tokens};

struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    /// The lines, or the problem.
    lines: Vec<Value>,
}

impl Answered {
    /// Number, status, and the effect or the code of the problem of each line.
    fn shown(&self) -> Vec<String> {
        let line = |line: &Value| {
            let number = line.get("line").or(line.get("product_id"));
            let code = line["problem"].get("code").or(line.get("effect")).cloned().unwrap_or_default();
            format!("{} {} {}", number.unwrap(), line["status"], code.as_str().unwrap_or_default())
        };
        self.lines.iter().map(line).collect()
    }
}

async fn post(shop: &TestShop, path: &str, content_type: &str, body: String, key: Option<&str>) -> Answered {
    let request = Request::post(format!("/shop/api/{path}")).header("content-type", content_type);
    let request = request.header("authorization", format!("Bearer {}", *tokens::ADMIN));
    let request = match key {
        Some(key) => request.header("idempotency-key", key),
        None => request,
    };
    let answer = shop.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Answered { status, headers, lines: lines.map(|line| serde_json::from_slice(line).unwrap()).collect() }
}

async fn rows(shop: &TestShop, path: &str, rows: &[Value]) -> Answered {
    let body: String = rows.iter().map(|row| format!("{row}\n")).collect();
    post(shop, path, "application/x-ndjson", body, None).await
}

async fn position(shop: &TestShop) -> i64 {
    shop.engine.journal.position()
}

#[tokio::test]
async fn each_row_creates_or_changes_a_product_or_is_refused_alone() {
    let shop = TestShop::new().await;
    let kettle = shop.product("Kettle", "20.00", 5).await;
    let new = |name: &str, sku: &str| json!({ "name": name, "price": "2.00", "category": "Kitchen", "sku": sku });
    let body = [
        new("Cup", "CUP-1").to_string(),
        String::new(),
        json!({ "product_id": kettle, "price": "21.00", "stock": 7 }).to_string(),
        json!({ "sku": "cup-1", "price": "2.50" }).to_string(),
        json!({ "sku": "NONE-1", "price": "2.50" }).to_string(),
        json!({ "product_id": 99, "price": "2.50" }).to_string(),
        json!({ "name": "Pot", "price": "-1", "category": "Kitchen" }).to_string(),
        "{\"name\"".to_owned(),
        json!({ "name": "Pan", "price": "9.00", "category": "Kitchen", "stock": 3 }).to_string(),
        json!({ "product_id": kettle, "price": "21.00" }).to_string(),
    ];
    let answered = post(&shop, "products/bulk/", "application/x-ndjson", body.join("\r\n"), None).await;
    assert_eq!(answered.status, StatusCode::OK);
    let expected = [
        "1 201 created",
        "3 200 changed",
        "4 200 changed",
        "5 400 product_incomplete",
        "6 404 product_not_found",
        "7 400 invalid_request",
        "8 400 invalid_json",
        "9 201 created",
        "10 200 unchanged",
    ];
    assert_eq!(answered.shown(), expected);
    assert_eq!(answered.headers["journal-position"].to_str().unwrap(), position(&shop).await.to_string());
    assert_eq!(answered.lines[5]["problem"]["errors"][0]["field"], "price");
    let products = shop.read("products/?view=stock").await;
    let found: Vec<_> = products
        .as_array()
        .unwrap()
        .iter()
        .map(|product| {
            format!(
                "{} {} {}",
                product["name"].as_str().unwrap(),
                product["price"].as_str().unwrap(),
                product["on_hand"]
            )
        })
        .collect();
    assert_eq!(found, ["Cup 2.50 0", "Kettle 21.00 7", "Pan 9.00 3"]);

    let stock = [
        json!({ "sku": "CUP-1", "change": 12, "reason": "delivery 4711" }),
        json!({ "product_id": kettle, "count": 3 }),
        json!({ "product_id": kettle, "change": -4 }),
        json!({ "sku": "NONE-1", "change": 1 }),
        json!({ "product_id": kettle, "sku": "CUP-1", "change": 1 }),
        json!({ "product_id": kettle, "change": 1, "count": 1 }),
        json!({ "product_id": kettle, "change": 1, "colour": "red" }),
    ];
    let answered = rows(&shop, "stock/bulk/", &stock).await;
    let statuses: Vec<_> = answered.lines.iter().map(|line| line["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 200, 409, 409, 400, 400, 400], "{:?}", answered.lines);
    assert_eq!((&answered.lines[0]["stock"], &answered.lines[1]["on_hand"]), (&json!(12), &json!(3)));

    // What is no list of rows is refused whole.
    let before = position(&shop).await;
    let (many, large) = ("{}\n".repeat(10_001), "x".repeat(10 * 1024 * 1024 + 1));
    for (content_type, body, status) in [
        ("application/json", "{}", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/x-ndjson", "\n\n", StatusCode::BAD_REQUEST),
        ("application/x-ndjson", many.as_str(), StatusCode::BAD_REQUEST),
        ("application/x-ndjson", large.as_str(), StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let answered = post(&shop, "products/bulk/", content_type, body.to_owned(), None).await;
        assert_eq!(answered.status, status, "{:?}", answered.lines);
    }
    assert_eq!(position(&shop).await, before);
    shop.check_log().await;
}

#[tokio::test]
async fn rows_are_all_or_nothing_previewed_and_replayed() {
    let shop = TestShop::new().await;
    shop.product("Kettle", "20.00", 5).await;
    let cups: Vec<_> = (0..250)
        .map(|number| json!({ "name": format!("Cup {number}"), "price": "2.00", "category": "Kitchen", "sku": format!("C-{number}") }))
        .collect();
    let before = position(&shop).await;

    // One refused row refuses all, and every refused row is named.
    let mut faulty = cups.clone();
    faulty[7] = json!({ "product_id": 98, "price": "1.00" });
    faulty[200] = json!({ "sku": "C-3", "name": "Other", "category": "Nowhere" });
    let answered = rows(&shop, "products/bulk/?atomic=true", &faulty).await;
    assert_eq!((answered.status, &answered.lines[0]["code"]), (StatusCode::CONFLICT, &json!("rows_refused")));
    let refused = answered.lines[0]["rows"].as_array().unwrap();
    let named: Vec<_> = refused.iter().map(|row| format!("{} {}", row["line"], row["problem"]["code"])).collect();
    assert_eq!(named, ["8 \"product_not_found\"", "201 \"category_not_found\""]);
    faulty[7] = json!({ "price": "x" });
    let answered = rows(&shop, "products/bulk/?atomic=true", &faulty).await;
    assert_eq!(
        (answered.status, &answered.lines[0]["errors"][0]["field"]),
        (StatusCode::BAD_REQUEST, &json!("line 8"))
    );
    let many = std::iter::repeat_n(&cups, 5).flatten().cloned().collect::<Vec<_>>();
    assert_eq!(rows(&shop, "products/bulk/?atomic=true", &many).await.status, StatusCode::BAD_REQUEST);

    // A dry run shows the events of each row, in which later rows see earlier ones.
    let twice = [cups[0].clone(), json!({ "sku": "c-0", "price": "3.00" })];
    let answered = rows(&shop, "products/bulk/?dry_run=true", &twice).await;
    assert_eq!(answered.shown(), ["1 201 created", "2 200 changed"]);
    let types = |line: &Value| -> Vec<String> {
        line["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["event_type"].as_str().unwrap().to_owned())
            .collect()
    };
    let second = types(&answered.lines[1]);
    assert_eq!(second, ["ProductRepriced"]);
    assert_eq!(position(&shop).await, before);

    // A repeated request answers as the first one did, and appends nothing.
    let body: String = cups.iter().map(|row| format!("{row}\n")).collect();
    let first = post(&shop, "products/bulk/", "application/x-ndjson", body.clone(), Some("k1")).await;
    assert!(first.lines.len() == 250 && first.lines.iter().all(|line| line["status"] == 201), "{:?}", first.lines[0]);
    let after = position(&shop).await;
    let again = post(&shop, "products/bulk/", "application/x-ndjson", body.clone(), Some("k1")).await;
    assert_eq!(again.lines, first.lines);
    assert_eq!((again.headers["idempotent-replayed"].to_str().unwrap(), position(&shop).await), ("true", after));
    let other = post(&shop, "products/bulk/", "application/x-ndjson", body.replace("2.00", "3.00"), Some("k1")).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    let whole = rows(&shop, "products/bulk/?atomic=true", &cups).await;
    assert_eq!(whole.lines.iter().filter(|line| line["effect"] == "unchanged").count(), 250);

    // Prices by a percentage, with a preview.
    let reprice = json!({ "percent": "-12.5", "category": "Kitchen" }).to_string();
    let preview = post(&shop, "products/reprice/?dry_run=true", "application/json", reprice.clone(), None).await;
    let shown = &preview.lines[0];
    assert_eq!((shown["price_before"].as_str(), shown["price"].as_str()), (Some("20.00"), Some("17.50")));
    assert_eq!((preview.lines.len(), preview.lines[1]["price"].as_str()), (251, Some("1.75")));
    assert_eq!(position(&shop).await, after);
    for _ in 0..2 {
        let repriced = post(&shop, "products/reprice/", "application/json", reprice.clone(), Some("k2")).await;
        assert_eq!(repriced.lines.len(), 251);
        assert!(repriced.lines.iter().all(|line| line["status"] == 200), "{:?}", repriced.lines[0]);
    }
    assert_eq!(shop.read("product/1/").await["price"], "17.50");
    let received = json!({ "category": "Kitchen", "units": 4, "reason": "delivery 4711" }).to_string();
    let answered = post(&shop, "stock/receive/", "application/json", received, None).await;
    assert_eq!((answered.lines.len(), &answered.lines[0]["on_hand"]), (251, &json!(9)));
    // A list of products, each once and in order; an unknown one is refused alone.
    let listed = json!({ "percent": "100", "product_ids": [4711, 2, 1, 2] }).to_string();
    let answered = post(&shop, "products/reprice/", "application/json", listed, None).await;
    let shown = answered.lines.iter().map(|line| (line["product_id"].clone(), line["status"].clone()));
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [(1, 200), (2, 200), (4711, 404)].map(|(id, status)| (json!(id), json!(status)))
    );
    assert_eq!(answered.lines[2]["problem"]["code"], "product_not_found");
    let listed = json!({ "units": 1, "product_ids": [1] }).to_string();
    let answered = post(&shop, "stock/receive/", "application/json", listed, None).await;
    assert_eq!((answered.lines.len(), &answered.lines[0]["on_hand"]), (1, &json!(10)));
    for body in [json!({ "units": 1 }), json!({ "units": 1, "product_ids": [1], "category": "Kitchen" })] {
        let answered = post(&shop, "stock/receive/", "application/json", body.to_string(), None).await;
        assert_eq!(answered.status, StatusCode::BAD_REQUEST, "{body}");
    }
    // Categories below are included where asked for.
    let kitchen = shop.read("categories/").await[0]["category_id"].clone();
    shop.done("categories/", json!({ "category_name": "Pans", "parent_id": kitchen })).await;
    shop.done("products/", json!({ "name": "Pan", "price": "9.00", "category": "Pans" })).await;
    for (subtree, products) in [(json!(null), 251), (json!(false), 251), (json!(true), 252)] {
        let group = json!({ "category": "Kitchen", "subtree": subtree });
        for (path, key, value) in [("products/reprice/", "percent", json!("5")), ("stock/receive/", "units", json!(1))]
        {
            let mut body = group.clone();
            body[key] = value;
            let path = format!("{path}?dry_run=true");
            let answered = post(&shop, &path, "application/json", body.to_string(), None).await;
            assert_eq!(answered.lines.len(), products, "{path} {body}");
            assert!(answered.lines.iter().all(|line| line["status"] == 200), "{body}: {:?}", answered.lines.last());
        }
    }
    for (body, status) in [
        (json!({ "percent": "5", "product_ids": [] }), StatusCode::BAD_REQUEST),
        (json!({ "percent": "5", "product_ids": (1..=1_001).collect::<Vec<_>>() }), StatusCode::BAD_REQUEST),
        (json!({ "percent": "5", "product_ids": [1], "all": true }), StatusCode::BAD_REQUEST),
        (json!({ "percent": "5" }), StatusCode::BAD_REQUEST),
        (json!({ "percent": "5", "all": true, "subtree": true }), StatusCode::BAD_REQUEST),
        (json!({ "percent": "-100", "all": true }), StatusCode::BAD_REQUEST),
        (json!({ "percent": "5", "all": true, "category": "Kitchen" }), StatusCode::BAD_REQUEST),
        (json!({ "percent": "5", "category": "Nowhere" }), StatusCode::CONFLICT),
    ] {
        let answered = post(&shop, "products/reprice/", "application/json", body.to_string(), None).await;
        assert_eq!(answered.status, status, "{body}: {:?}", answered.lines);
    }
    shop.check_log().await;
}

#[tokio::test]
async fn the_products_of_a_brand_or_of_a_family_get_new_prices() {
    let shop = TestShop::new().await;
    for (name, brand) in [("Kettle", "Café"), ("Cup", "CAFE"), ("Pot", "Other"), ("Old pot", "Café")] {
        let id = shop.product(name, "10.00", 1).await;
        let changed = shop.send("PATCH", &format!("product/{id}/"), json!({ "brand": brand }), &[]).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    }
    assert!(shop.send("PATCH", "product/4/", json!({ "discontinued": true }), &[]).await.status.is_success());
    shop.done("families/", json!({ "name": "Pots", "options": ["size"] })).await;
    for (product, size) in [(2, "S"), (3, "L")] {
        let place = json!({ "family_id": 1, "options": { "size": size } });
        assert!(shop.send("PUT", &format!("product/{product}/family/"), place, &[]).await.status.is_success());
    }
    shop.settle().await;
    for (group, expected) in [
        // Without regard to case and accents, and without discontinued products.
        (json!({ "brand": "cafe" }), vec![(1, "11.00"), (2, "11.00")]),
        (json!({ "family_id": 1 }), vec![(2, "12.10"), (3, "11.00")]),
        (json!({ "all": true }), vec![(1, "12.10"), (2, "13.31"), (3, "12.10")]),
    ] {
        let mut body = group.clone();
        body["percent"] = json!("10");
        let answered = post(&shop, "products/reprice/", "application/json", body.to_string(), None).await;
        let prices = answered
            .lines
            .iter()
            .map(|line| (line["product_id"].as_i64().unwrap(), line["price"].as_str().unwrap().to_owned()));
        let expected: Vec<_> = expected.into_iter().map(|(product, price)| (product, price.to_owned())).collect();
        assert_eq!(prices.collect::<Vec<_>>(), expected, "{group}");
        shop.settle().await;
    }
    for group in [json!({ "brand": "Nothing" }), json!({ "family_id": 9 })] {
        let mut body = group.clone();
        body["percent"] = json!("10");
        let before = position(&shop).await;
        let answered = post(&shop, "products/reprice/", "application/json", body.to_string(), None).await;
        assert!(answered.status.is_client_error() || answered.lines.is_empty(), "{group}: {:?}", answered.lines);
        assert_eq!(position(&shop).await, before, "{group}");
    }
    shop.check_log().await;
}

#[tokio::test]
async fn a_number_that_would_be_kept_as_another_is_refused_with_its_field() {
    let shop = TestShop::new().await;
    let kettle = shop.product("Kettle", "20.00", 5).await;
    let before = position(&shop).await;
    let row = |number: &str| format!("{{\"product_id\":{kettle},\"specifications\":{{\"a\":[1,{number}]}}}}");
    for number in ["12345678901234567890123", "0.1000", "-0", "1.0000000000000000001"] {
        let answered = post(&shop, "products/bulk/", "application/x-ndjson", row(number), None).await;
        let error = &answered.lines[0]["problem"]["errors"][0];
        assert_eq!(error["field"], "specifications.a[1]", "{:?}", answered.lines);
        assert!(error["message"].as_str().unwrap().contains(&format!("the number {number}, which would be kept as")));
    }
    let body = "{\"specifications\":{\"a\":0.1000},\"on_sale\":true}".to_owned();
    let patch = Request::patch(format!("/shop/api/product/{kettle}/")).header("content-type", "application/json");
    let patch = patch.header("authorization", format!("Bearer {}", *tokens::ADMIN));
    let refused = shop.router.clone().oneshot(patch.body(Body::from(body)).unwrap()).await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    // Null is no number of a product.
    let unnamed = json!({ "product_id": null, "name": "Cup", "price": "1.00", "category": "Kitchen" });
    let answered = rows(&shop, "products/bulk/", &[unnamed]).await;
    assert_eq!(answered.lines[0]["problem"]["errors"][0]["field"], "product_id");
    assert_eq!(position(&shop).await, before);
    let kept = "[18446744073709551615,-9007199254740993,0.1]";
    let body = format!("\u{feff}{}", row(kept));
    let answered = post(&shop, "products/bulk/", "application/x-ndjson", body, None).await;
    assert_eq!(answered.lines[0]["effect"], "changed", "{:?}", answered.lines);
    let product = shop.read(&format!("product/{kettle}/")).await;
    assert_eq!(product["specifications"]["a"][1].to_string(), kept);
    shop.check_log().await;
}

#[tokio::test]
async fn a_unit_of_work_creates_many_products_of_one_name_whose_slugs_are_taken() {
    let shop = TestShop::new().await;
    shop.category("Kitchen").await;
    let named = |name: &str| json!({ "name": name, "price": "2.00", "category": "Kitchen" });
    let create = async |products: Vec<Value>| {
        let answered = rows(&shop, "products/bulk/?atomic=true", &products).await;
        assert_eq!(answered.status, StatusCode::OK, "{:?}", answered.lines);
        assert!(answered.lines.iter().all(|line| line["status"] == 201), "{:?}", answered.lines);
    };
    // The slugs with a number are those of the next products.
    let taken = |number: i64| {
        let slugs = [format!("mug-{number}"), format!("mug-{number}-2")];
        slugs.map(|slug| json!({ "name": format!("Cup {slug}"), "price": "2.00", "category": "Kitchen", "slug": slug }))
    };
    create(vec![named("Kettle"); 32]).await;
    create(vec![named("Kettle"); 200]).await;
    create((433..533).flat_map(taken).collect()).await;
    create([vec![named("Mug"); 100], (0..70).map(|number| named(&format!("Pot {}", number % 7))).collect()].concat())
        .await;
    let products = shop.read("products/?view=full&limit=1000").await;
    let slug = |product: &Value| product["slug"].as_str().unwrap().to_owned();
    let slugs: BTreeSet<_> = products.as_array().unwrap().iter().map(slug).collect();
    assert_eq!((slugs.len(), products.as_array().unwrap().len()), (602, 602));
    assert!(slugs.contains("mug") && slugs.contains("mug-434-3") && slugs.contains("mug-532-3"), "{slugs:?}");
    shop.check_log().await;
}
