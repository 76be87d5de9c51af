//! Catalogue details of products: slugs, phones, sale, IMEI, and numbers of other systems.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use cartwright::domain::account::Role;
use cartwright::domain::ids::ProductId;
use cartwright::domain::money::Money;
use cartwright::domain::text::Name;
use cartwright::journal::{Actor, Context};
use cartwright::shop::{CategoryKey, CreateProduct};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::accounts::{PASSWORD, access, api_key};
use crate::support::furnished::{fill, furnished};
use crate::support::{Answer, TestShop, check_log, tokens};

async fn patch(shop: &TestShop, product: i64, body: Value) -> Answer {
    shop.send("PATCH", &format!("product/{product}/"), body, &[]).await
}

async fn create(shop: &TestShop, body: Value) -> i64 {
    shop.done("products/", body).await["product_id"].as_i64().unwrap()
}

fn phone() -> Value {
    json!({
        "name": "Galaxy", "price": "499.00", "category": "Phones", "brand": "Samsung", "weight_g": 168,
        "dimensions": "147 × 71 × 8 mm", "supplier_id": 12, "metadata": { "shelf": "A 3" },
        "specifications": { "display": { "inches": 6.2 } },
        "phone": { "brand": "Samsung", "model": "S 24", "storage": 128, "ram": 8, "color": "Onyx Black", "is_new": true,
            "battery_capacity": 4000 },
    })
}

#[tokio::test]
async fn a_product_shows_all_its_details_and_each_can_be_changed() {
    let shop = TestShop::new().await;
    shop.category("Phones").await;
    let product = create(&shop, phone()).await;
    let path = format!("product/{product}/");
    let shown = shop.read(&path).await;
    for field in ["brand", "weight_g", "dimensions", "supplier_id", "metadata", "specifications", "phone"] {
        assert_eq!(shown[field], phone()[field], "{field}");
    }
    assert_eq!((&shown["slug"], &shown["on_sale"]), (&json!("galaxy"), &json!(true)));
    assert_eq!(shown["created_at"], shown["updated_at"]);

    let tag = shop.send("GET", &path, Value::Null, &[]).await.headers["etag"].clone();
    let change = json!({ "brand": null, "weight_g": 170, "phone": { "color": "Grey" }, "metadata": {} });
    let changed = patch(&shop, product, change).await.body;
    assert_eq!((&changed["brand"], &changed["weight_g"]), (&Value::Null, &json!(170)));
    assert_eq!((&changed["phone"], &changed["metadata"]), (&json!({ "color": "Grey" }), &json!({})));
    assert_eq!(changed["supplier_id"], json!(12), "absent fields keep their value");
    let shown = shop.read(&path).await;
    assert_eq!(shown["phone"], changed["phone"]);
    assert_ne!(shown["updated_at"], shown["created_at"]);
    let after = shop.send("GET", &path, Value::Null, &[]).await.headers["etag"].clone();
    assert_ne!(after, tag);
    let head = shop.engine.journal.position();
    patch(&shop, product, json!({ "weight_g": 170, "phone": { "color": "Grey" }, "brand": null })).await;
    assert_eq!(shop.engine.journal.position(), head, "nothing changed");
    let stale = shop.send("PATCH", &path, json!({ "on_sale": false }), &[("if-match", tag.to_str().unwrap())]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    let removed =
        patch(&shop, product, json!({ "phone": null, "specifications": null, "supplier_id": null })).await.body;
    assert_eq!((&removed["phone"], &removed["specifications"]), (&Value::Null, &json!({})));

    let many: serde_json::Map<_, _> = (0..51).map(|number| (number.to_string(), json!(""))).collect();
    for (field, value, message) in [
        ("metadata", json!(many), "must have at most 50 pairs"),
        ("metadata", json!({ "a": 1 }), "must be a string, not a number"),
        ("specifications", json!([]), "must be an object, not an array"),
        ("specifications", json!({ "a": "\0" }), "the value of `a` must not contain control characters"),
        ("slug", json!("Big Letters"), "must have only lower-case letters"),
        ("weight_g", json!(-1), "must be a whole number from 0 to 1000000000"),
        ("phone", json!({ "storage": 0, "colour": "red" }), "must be a whole number from 1 to 1000000"),
        ("phone", json!({ "colour": "red" }), "is not a field of this request"),
        ("imei", json!("123"), "must have 15 digits"),
        ("on_sale", json!("yes"), "must be true or false, not a string"),
    ] {
        let refused = patch(&shop, product, json!({ (field): value })).await;
        let error = &refused.body["errors"][0];
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{field}");
        assert!(error["field"].as_str().unwrap().starts_with(field), "{error}");
        assert!(error["message"].as_str().unwrap().starts_with(message), "{error}");
    }
    let history = shop.read(&format!("product/{product}/history/")).await;
    let types: Vec<_> = history.as_array().unwrap().iter().map(|entry| entry["event_type"].as_str().unwrap()).collect();
    assert_eq!(types, ["ProductCreated", "ProductDetailsChanged", "ProductDetailsChanged"]);
    assert_eq!(history[1]["before"]["details"]["weight_g"], json!(168));
    assert_eq!(history[1]["after"]["details"]["weight_g"], json!(170));
}

#[tokio::test]
async fn a_slug_belongs_to_one_product_and_older_products_have_one_without_an_event() {
    let shop = TestShop::new().await;
    shop.category("Tea").await;
    let tea = |name: &str| json!({ "name": name, "price": "5.00", "category": "Tea" });
    let (first, second) = (create(&shop, tea("Earl Grey")).await, create(&shop, tea("Earl grey!")).await);
    let slug = |product: i64| {
        let path = format!("product/{product}/");
        let shop = &shop;
        async move { shop.read(&path).await["slug"].as_str().unwrap().to_owned() }
    };
    assert_eq!((slug(first).await, slug(second).await), ("earl-grey".to_owned(), format!("earl-grey-{second}")));
    let taken = patch(&shop, second, json!({ "slug": "earl-grey" })).await;
    assert_eq!((taken.status, taken.problem()), (StatusCode::CONFLICT, "slug_taken"));
    patch(&shop, first, json!({ "slug": "bergamot", "name": "Bergamot" })).await;
    assert_eq!(patch(&shop, second, json!({ "slug": "earl-grey" })).await.status, StatusCode::OK);
    patch(&shop, second, json!({ "name": "Lady Grey" })).await;
    assert_eq!(slug(second).await, "earl-grey", "a slug outlives a change of the name");
    shop.send("DELETE", &format!("product/{first}/"), Value::Null, &[]).await;
    assert_eq!(slug(create(&shop, tea("Bergamot")).await).await, "bergamot", "a deleted product frees its slug");

    // A product from before there were slugs.
    let payload = json!({ "event": "ProductCreated", "name": "Assam", "description": "", "price": "8.00",
        "category_id": 1, "sku": null });
    sqlx::query(
        "insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
         values ('Product', '40', 1, 'ProductCreated', '1.0', $1, '{}')",
    )
    .bind(payload)
    .execute(&shop.pool)
    .await
    .unwrap();
    let other = create(&shop, tea("Other")).await;
    assert_eq!(other, 41);
    assert_eq!(slug(40).await, "assam-40");
    assert_eq!(patch(&shop, other, json!({ "slug": "assam-40" })).await.problem(), "slug_taken");
    patch(&shop, 40, json!({ "name": "Assam, loose" })).await;
    assert_eq!(slug(40).await, "assam-40", "a change of the name keeps it");
    assert_eq!(patch(&shop, other, json!({ "slug": "assam-40" })).await.problem(), "slug_taken");
    patch(&shop, 40, json!({ "slug": "assam" })).await;
    assert_eq!(patch(&shop, other, json!({ "slug": "assam-40" })).await.status, StatusCode::OK);
    check_log(&shop.pool).await;
}

#[tokio::test]
async fn a_product_off_sale_is_listed_and_cannot_be_bought() {
    let shop = TestShop::new().await;
    let (kettle, cup) = (shop.product("Kettle", "20.00", 5).await, shop.product("Cup", "4.00", 5).await);
    let customer = shop.customer("Ada").await;
    shop.add(customer, kettle, 2).await;
    shop.add(customer, cup, 1).await;
    let cart = format!("customer/{customer}/cart/");
    let tag = shop.send("GET", &cart, Value::Null, &[]).await.headers["etag"].clone();
    patch(&shop, kettle, json!({ "on_sale": false })).await;

    assert_eq!(shop.read("products/").await.as_array().unwrap().len(), 2);
    assert_eq!(shop.read("category-stats/").await[0]["product_count"], json!(2));
    let shown = shop.send("GET", &cart, Value::Null, &[]).await;
    assert_ne!(shown.headers["etag"], tag);
    let item = &shown.body["items"][0];
    assert_eq!(
        (&item["available"], &item["reason"], &item["in_stock"]),
        (&json!(false), &json!("not_on_sale"), &json!(0))
    );
    assert_eq!(shown.body["total"], "4.00");
    let more = json!({ "product_id": kettle, "quantity": 1 });
    let refused = shop.post(&format!("{cart}items/"), more.clone()).await;
    assert_eq!((refused.status, refused.problem()), (StatusCode::CONFLICT, "product_not_on_sale"));
    let checkout = shop.check_out(customer).await;
    assert_eq!(
        (checkout.problem(), &checkout.body["products"][0]["reason"]),
        ("items_unavailable", &json!("not_on_sale"))
    );
    let staff = shop.post("orders/", json!({ "lines": [more] })).await;
    assert_eq!((staff.status, staff.problem()), (StatusCode::CONFLICT, "items_unavailable"));
    shop.send("PUT", &format!("customer/{customer}/wishlist/{kettle}/"), Value::Null, &[]).await;
    assert_eq!(shop.read(&format!("customer/{customer}/wishlist/")).await[0]["reason"], "not_on_sale");

    patch(&shop, kettle, json!({ "on_sale": true })).await;
    assert_eq!(shop.check_out(customer).await.status, StatusCode::CREATED);
    patch(&shop, kettle, json!({ "on_sale": false })).await;
    shop.complete_order(1).await;
}

#[tokio::test]
async fn an_imei_is_unique_and_only_editors_read_it() {
    let shop = TestShop::new().await;
    shop.category("Phones").await;
    let mut body = phone();
    body["imei"] = json!("35-693803-564380-9");
    let (first, second) = (create(&shop, body).await, create(&shop, phone()).await);
    let path = format!("product/{first}/imei/");
    assert_eq!(shop.read(&path).await, json!({ "product_id": first, "imei": "356938035643809" }));
    assert_eq!(shop.read(&format!("product/{second}/imei/")).await["imei"], Value::Null);
    let taken = patch(&shop, second, json!({ "imei": "356938035643809", "weight_g": 1 })).await;
    assert_eq!((taken.status, taken.problem()), (StatusCode::CONFLICT, "imei_taken"));
    assert_eq!(shop.read(&format!("product/{second}/")).await["weight_g"], json!(168), "nothing changed");
    let (_, _, reader) = api_key(&shop, "reader", Role::Reader).await;
    assert_eq!(shop.send_with_token(&reader, "GET", &path, Value::Null).await.status, StatusCode::FORBIDDEN);
    assert!(!shop.read(&format!("product/{first}/")).await.to_string().contains("356938035643809"));
    assert!(!shop.read("events/?limit=1000").await.to_string().contains("356938035643809"));
    shop.send("DELETE", &format!("product/{first}/"), Value::Null, &[]).await;
    assert_eq!(patch(&shop, second, json!({ "imei": "356938035643809" })).await.status, StatusCode::OK);
    patch(&shop, second, json!({ "imei": null })).await;
    let stored: i64 = sqlx::query_scalar("select count(*) from product_imei").fetch_one(&shop.pool).await.unwrap();
    assert_eq!(stored, 0);
}

#[tokio::test]
async fn a_product_keeps_the_number_of_another_system_where_it_is_free() {
    let shop = TestShop::new().await;
    shop.category("Tea").await;
    let tea = |product_id: i64| CreateProduct {
        product_id: Some(ProductId(product_id)),
        created_at: Some("2020-02-01T10:00:00Z".parse().unwrap()),
        ..CreateProduct::new(
            Name::parse("Tea").unwrap(),
            Money::parse("5.00").unwrap(),
            CategoryKey::Name(Name::parse("Tea").unwrap()),
        )
    };
    let run = |product_id: i64| {
        let context = Context::of(Actor { id: "test".to_owned(), role: "admin" });
        shop.engine.journal.run(tea(product_id), context)
    };
    assert_eq!(run(30).await.unwrap().answer.product_id, ProductId(30));
    assert_eq!(run(7).await.unwrap().answer.product_id, ProductId(7));
    for taken in [7, 30] {
        assert!(run(taken).await.err().unwrap().to_string().contains("already belongs to a product"));
    }
    for never in [0, -4, i64::MAX] {
        assert!(run(never).await.err().unwrap().to_string().contains("cannot have the number"));
    }
    shop.send("DELETE", "product/7/", Value::Null, &[]).await;
    assert!(run(7).await.is_err(), "a number of a deleted product is not used again");
    assert_eq!(shop.product("Next", "1.00", 0).await, 31);
    let shown = shop.read("product/30/").await;
    assert_eq!((&shown["created_at"], &shown["slug"]), (&json!("2020-02-01T10:00:00Z"), &json!("tea")));
    check_log(&shop.pool).await;
}

#[tokio::test]
async fn products_are_found_by_their_details_and_shown_with_all_of_them() {
    let shop = TestShop::new().await;
    shop.category("Phones").await;
    let galaxy = create(&shop, phone()).await;
    let with = |name: &str, phone: Value| json!({ "name": name, "price": "99.00", "category": "Phones", "stock": 3, "phone": phone });
    let ete = create(&shop, with("Été", json!({ "brand": "Été", "storage": 128, "ram": 4, "color": "Rosé" }))).await;
    let plain = create(&shop, with("Plain", json!({ "storage": 256 }))).await;
    patch(&shop, plain, json!({ "on_sale": false, "phone": null })).await;
    for (query, found) in [
        ("brand=samsung", vec![galaxy]),
        ("brand=ETE", vec![ete]),
        ("brand=unknown", vec![]),
        ("storage=128", vec![ete, galaxy]),
        ("storage=128&ram=4&color=rose", vec![ete]),
        ("storage=128&min_price=100", vec![galaxy]),
        ("storage=256", vec![]),
        ("model=s%2024&sort=price_desc", vec![galaxy]),
        ("supplier_id=12&sort=newest", vec![galaxy]),
        ("on_sale=false", vec![plain]),
        ("on_sale=true&sort=price_asc", vec![ete, galaxy]),
        ("on_sale=true&in_stock=true", vec![ete]),
        ("slug=ete", vec![ete]),
        ("slug=never-made-1", vec![]),
    ] {
        let listed = shop.read(&format!("products/?{query}")).await;
        let ids: Vec<_> = listed.as_array().unwrap().iter().map(|row| row["product_id"].as_i64().unwrap()).collect();
        assert_eq!(ids, found, "{query}");
        assert!(listed.as_array().unwrap().iter().all(|row| row.as_object().unwrap().len() == 5), "{query}");
    }
    for bad in ["brand=", "storage=much", "on_sale=perhaps", "slug=No", "colour=red"] {
        assert_eq!(shop.get(&format!("products/?{bad}")).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    let listed = shop.send_without_token("GET", "products/?view=full&brand=samsung", Value::Null).await;
    assert_eq!(listed.status, StatusCode::OK);
    let alone = format!("product/{galaxy}/");
    let to_guests = shop.send_without_token("GET", &alone, Value::Null).await.body;
    let for_staff = shop.read("products/?view=full&brand=samsung").await;
    for (listed, alone) in [(listed.body, to_guests), (for_staff, shop.read(&alone).await)] {
        let (mut row, mut shown) = (listed[0].clone(), alone);
        for value in [&mut row, &mut shown] {
            value.as_object_mut().unwrap().sort_keys();
        }
        assert_eq!(row, shown, "`view=full` shows what the product shows");
    }
    let stock = shop.send_without_token("GET", "products/?view=stock", Value::Null).await;
    assert_eq!(stock.status, StatusCode::UNAUTHORIZED);
    let all = shop.read("products/?view=full&all=true").await;
    assert_eq!((all[1]["on_sale"].clone(), all[1]["phone"].clone()), (json!(true), phone()["phone"].clone()));
}

/// Fields of a product that shoppers do not see.
const FOR_STAFF: [&str; 5] = ["on_hand", "reserved", "supplier_id", "metadata", "low_stock_threshold"];

/// The bytes of an answer to a guest, or to the caller of a token.
async fn text(shop: &TestShop, path: &str, token: Option<&str>, accept: &str) -> (StatusCode, String, String) {
    let mut request = Request::get(path).header("accept", accept);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let answer = shop.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = answer.status();
    let tag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned()).unwrap_or_default();
    let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    (status, tag, String::from_utf8_lossy(&bytes).into_owned())
}

#[tokio::test]
async fn only_staff_see_suppliers_metadata_thresholds_and_units_on_hand() {
    let (shop, cart) = furnished().await;
    let details = json!({ "supplier_id": 12, "metadata": { "shelf": "A 3" }, "low_stock_threshold": 7 });
    assert_eq!(patch(&shop, 1, details).await.status, StatusCode::OK);
    shop.member("Zoe").await;
    let customer = access(&shop.log_in("zoe@example.com", PASSWORD).await).to_owned();
    let document = shop.call(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.body;
    let reads = document["paths"].as_object().unwrap().iter().filter_map(|(path, item)| Some((path, item.get("get")?)));
    let public = reads.filter(|(_, read)| read["security"].as_array().unwrap().contains(&json!({})));
    let mut paths: Vec<_> = public.map(|(path, _)| fill(path, &cart)).collect();
    // Reads of a guest's own cart and order have metadata of their own.
    paths.retain(|path| path.starts_with("/shop/api/") && !path.contains(&cart));
    let full =
        ["view=full", "view=full&all=true", "view=full&search=kettle&sort=relevance", "view=full&collapse=family"];
    paths.extend(full.map(|query| format!("/shop/api/products/?{query}")));
    for path in &paths {
        for accept in ["application/json", "application/x-ndjson", "text/csv"] {
            // Staff read first: nothing that is kept for them reaches others.
            let (.., for_staff) = text(&shop, path, Some(tokens::ADMIN.as_str()), accept).await;
            for token in [None, Some(customer.as_str())] {
                let (_, _, shown) = text(&shop, path, token, accept).await;
                let leaked: Vec<_> = FOR_STAFF.iter().filter(|field| shown.contains(*field)).collect();
                assert!(leaked.is_empty(), "{path} shows {leaked:?}: {shown}");
            }
            let is_full = path.contains("view=full") || path.ends_with("/product/1");
            let is_json = accept == "application/json";
            if is_full && (is_json || path.contains("view=full")) {
                let missing: Vec<_> = FOR_STAFF.iter().filter(|field| !for_staff.contains(*field)).collect();
                assert!(missing.is_empty(), "{path} lacks {missing:?}: {for_staff}");
            }
        }
    }
    let tags = [None, Some(customer.as_str()), Some(tokens::ADMIN.as_str())];
    let mut of = Vec::new();
    for token in tags {
        of.push(text(&shop, "/shop/api/product/1/", token, "*/*").await.1);
    }
    assert_eq!((&of[0], of[1] != of[2]), (&of[1], true), "a guest who logs in as staff reads anew");
    for path in ["products/", "products/facets/"] {
        let path = format!("/shop/api/{path}?supplier_id=12");
        for (token, status) in tags.into_iter().zip([401, 403, 200]) {
            assert_eq!(text(&shop, &path, token, "*/*").await.0.as_u16(), status, "{path}");
        }
    }
    // A product shows its family to all.
    let family = json!({ "family_id": 1, "name": "Phone X", "options": { "storage": "128 GB", "color": "Black" } });
    assert_eq!(shop.send_without_token("GET", "product/1/", Value::Null).await.body["family"], family);
    assert_eq!(shop.send_without_token("GET", "products/?view=full", Value::Null).await.body[0]["family"], family);
    shop.send("DELETE", "product/1/family/", Value::Null, &[]).await;
    assert_eq!(shop.read("product/1/").await["family"], Value::Null);
}
