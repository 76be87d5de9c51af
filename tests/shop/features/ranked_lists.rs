//! Lists whose order changes while a client walks them: whole from one snapshot, and pages that say when rows may have
//! moved.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use cartwright::http::WholeListLimits;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{TestShop, tokens};

const PRODUCTS: i64 = 40;
const CUSTOMERS: i64 = 25;

/// A shop whose read tables were built long ago: just after a rebuild, every walk says that it may have moved.
async fn shop_with_old_tables() -> TestShop {
    let shop = TestShop::new().await;
    let aged = "update projection set built_at = built_at - interval '1 hour'";
    sqlx::query(aged).execute(&shop.pool).await.unwrap();
    shop
}

/// A shop whose products and customers stand in each list for good: each was sold, and none runs out.
async fn busy_shop() -> TestShop {
    let shop = shop_with_old_tables().await;
    for number in 0..PRODUCTS {
        shop.product(&format!("Product {number:02}"), "2.00", 100_000).await;
    }
    shop.customers(usize::try_from(CUSTOMERS).unwrap()).await;
    let lines: Vec<_> = (1..=PRODUCTS).map(|product| json!({ "product_id": product, "quantity": 1 })).collect();
    shop.done("orders/", json!({ "lines": lines })).await;
    shop
}

/// Places an order of `quantity` units.
async fn order(shop: &TestShop, customer: i64, product: i64, quantity: i64) {
    let lines = json!([{ "product_id": product, "quantity": quantity }]);
    shop.done("orders/", json!({ "customer_id": customer, "lines": lines })).await;
}

/// One walk of a list: the ids in their order, and whether a page said that rows may have moved.
struct Walk {
    ids: Vec<i64>,
    moved: bool,
}

impl Walk {
    fn lost_or_repeated(&self, expected: usize) -> bool {
        self.ids.iter().collect::<BTreeSet<_>>().len() != expected || self.ids.len() != expected
    }
}

/// Follows the links of a list to its end; `between` runs after each page.
async fn walk(shop: &TestShop, path: &str, id: &str, mut between: impl AsyncFnMut()) -> Walk {
    let mut walk = Walk { ids: vec![], moved: false };
    let mut next = path.to_owned();
    loop {
        let page = shop.get(&next).await;
        assert_eq!(page.status, StatusCode::OK, "{next}: {}", page.body);
        walk.ids.extend(page.body.as_array().unwrap().iter().map(|row| row[id].as_i64().unwrap()));
        walk.moved |= page.header("walk-moved") == "true";
        let Some(link) = page.header("link").split(['<', '>']).nth(1).map(str::to_owned) else { return walk };
        next = link.strip_prefix("/shop/api/").unwrap().to_owned();
        between().await;
    }
}

/// The raw answer of an admin's GET with an `Accept`.
async fn raw(shop: &TestShop, path: &str, accept: &str) -> (StatusCode, String, String) {
    let request = Request::get(format!("/shop/api/{path}"))
        .header("authorization", format!("Bearer {}", *tokens::ADMIN))
        .header("accept", accept);
    let answer = shop.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (status, kind) = (answer.status(), answer.headers()["content-type"].to_str().unwrap().to_owned());
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    (status, kind, String::from_utf8(body.into()).unwrap())
}

fn ids(rows: &Value, id: &str) -> Vec<i64> {
    rows.as_array().unwrap().iter().map(|row| row[id].as_i64().unwrap()).collect()
}

/// Each list by rank, the number of its rows, and their ids.
const LISTS: [(&str, &str, i64); 3] = [
    ("low-stock/?threshold=1000000", "product_id", PRODUCTS),
    ("bestsellers/?from=2000-01-01", "product_id", PRODUCTS),
    ("customer-stats/?", "customer_id", CUSTOMERS),
];

#[tokio::test(flavor = "multi_thread")]
async fn while_orders_arrive_a_whole_list_is_complete_and_each_walk_that_lost_a_row_says_that_it_moved() {
    let shop = busy_shop().await;
    let ended = AtomicBool::new(false);
    let orders = async {
        let mut number: i64 = 0;
        while !ended.load(Ordering::Relaxed) {
            number += 1;
            let (customer, product) = (1 + number * 7 % CUSTOMERS, 1 + number * 11 % PRODUCTS);
            order(&shop, customer, product, 1 + number % 9).await;
        }
        number
    };
    let walks = async {
        let began = Instant::now();
        let (mut wrong, mut whole) = (0, 0);
        // Long enough for some rows to move across the end of a page, and longer on a busy machine.
        while began.elapsed() < Duration::from_secs(3) || wrong == 0 && began.elapsed() < Duration::from_secs(30) {
            for (path, id, rows) in LISTS {
                let expected: BTreeSet<_> = (1..=rows).collect();
                let all = shop.get(&format!("{path}&all=true")).await;
                let found = ids(&all.body, id);
                assert_eq!((found.len(), found.into_iter().collect()), (expected.len(), expected), "{path}");
                assert_eq!((all.header("walk-moved"), all.header("link")), ("", ""), "{path}");
                whole += 1;
                let walked = walk(&shop, &format!("{path}&limit=3"), id, async || {}).await;
                let lost = walked.lost_or_repeated(usize::try_from(rows).unwrap());
                assert!(!lost || walked.moved, "{path} lost or repeated rows in silence: {:?}", walked.ids);
                wrong += i32::from(lost);
            }
        }
        ended.store(true, Ordering::Relaxed);
        (wrong, whole)
    };
    let ((wrong, whole), orders) = tokio::join!(walks, orders);
    assert!(wrong > 0 && whole >= 3 && orders > 20, "{wrong} wrong walks, {whole} whole lists, {orders} orders");
    // Nothing moves any more.
    shop.settle().await;
    for (path, id, rows) in LISTS {
        let walked = walk(&shop, &format!("{path}&limit=3"), id, async || {}).await;
        assert!(!walked.moved && !walked.lost_or_repeated(usize::try_from(rows).unwrap()), "{path}");
        let all = shop.read(&format!("{path}&all=true")).await;
        assert_eq!(walked.ids, ids(&all, id), "{path}: the whole list has another order than its pages");
    }
}

#[tokio::test]
async fn every_list_in_a_changing_order_says_when_rows_may_have_moved_and_no_other_change_says_so() {
    let shop = shop_with_old_tables().await;
    for (number, name) in (1..).zip(["Apron", "Basin", "Cup", "Dish"]) {
        shop.product(name, &format!("{number}.00"), 60).await;
        shop.category(&format!("Category {name}")).await;
        shop.customer(&format!("{name}s")).await;
        shop.add(number, number, 1).await;
        order(&shop, number, number, 1).await;
    }
    let patch = async |path: &str, body: Value| {
        let answer = shop.send("PATCH", path, body, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    };
    let (sale, rename, reprice, cart, regroup, stock) = ("sale", "rename", "reprice", "cart", "regroup", "stock");
    let cases = [
        ("low-stock/?threshold=100", "product_id", vec![sale, stock], vec![rename, reprice, cart]),
        ("bestsellers/?", "product_id", vec![sale], vec![stock, reprice, cart]),
        ("bestsellers/?from=2001-01-01&to=2099-01-01", "product_id", vec![sale], vec![stock, reprice, cart]),
        ("customer-stats/?", "customer_id", vec![sale], vec![stock, reprice, cart, rename]),
        ("category-stats/?", "product_count", vec![regroup], vec![stock, sale, reprice, cart]),
        ("categories/?", "category_id", vec![regroup], vec![stock, sale, reprice, cart, rename]),
        ("products/?", "product_id", vec![rename], vec![stock, sale, reprice, cart]),
        ("products/?sort=price_asc", "product_id", vec![reprice], vec![stock, sale, cart]),
        ("products/?sort=price_desc&search=i", "product_id", vec![reprice], vec![stock, sale, cart]),
        ("products/?max_price=900", "product_id", vec![reprice, rename], vec![stock, sale, cart]),
        ("products/?in_stock=true&sort=newest", "product_id", vec![stock, sale], vec![cart]),
        ("products/?sort=newest", "product_id", vec![], vec![stock, sale, rename, reprice, cart]),
        ("abandoned-carts/?days=0", "customer_id", vec![cart], vec![stock, sale, rename, reprice]),
    ];
    let mut turn = 0;
    for (path, id, moving, quiet) in cases {
        for (change, expected) in moving.iter().map(|change| (change, true)).chain(quiet.iter().map(|c| (c, false))) {
            turn += 1;
            let mut changed = false;
            let separator = if path.ends_with('?') { "" } else { "&" };
            let walked = walk(&shop, &format!("{path}{separator}limit=1"), id, async || {
                if std::mem::replace(&mut changed, true) {
                    return;
                }
                match *change {
                    "sale" => order(&shop, 1, 1, 1).await,
                    "stock" => drop(shop.done("product/2/stock/", json!({ "change": 1 })).await),
                    "rename" => patch("product/3/", json!({ "name": format!("Cup {turn}") })).await,
                    "reprice" => patch("product/3/", json!({ "price": format!("{turn}.50") })).await,
                    "cart" => shop.add(2, 4, 1).await,
                    _ => {
                        patch("product/4/", json!({ "category": 2 + turn % 2 })).await;
                        patch("categories/3/", json!({ "category_name": format!("Category {turn}") })).await;
                    }
                }
            })
            .await;
            assert!(changed, "{path} has one page only");
            assert_eq!(walked.moved, expected, "{path} after {change}");
        }
    }
    // A cursor of an earlier version does not know when its walk began; a rebuild may have moved anything.
    let earlier = shop.get("low-stock/?threshold=100&cursor=WzAsMF0").await;
    assert_eq!((earlier.status, earlier.header("walk-moved")), (StatusCode::OK, "true"));
    let first = shop.get("customer-stats/?limit=1").await;
    let next = first.header("link").split(['<', '>']).nth(1).unwrap().strip_prefix("/shop/api/").unwrap().to_owned();
    assert_eq!(shop.get(&next).await.header("walk-moved"), "");
    sqlx::query("update projection set built_at = now() where name = 'customer_stats'")
        .execute(&shop.pool)
        .await
        .unwrap();
    assert_eq!(shop.get(&next).await.header("walk-moved"), "true");
    assert_eq!(shop.get("low-stock/?cursor=W10").await.body["errors"][0]["field"], "cursor");
}

#[tokio::test]
async fn a_whole_list_is_json_or_lines_and_is_never_asked_for_in_part() {
    let shop = TestShop::new().await;
    for name in ["Apron", "Basin", "Cup"] {
        shop.product(name, "2.00", 5).await;
    }
    shop.customer("Ada").await;
    order(&shop, 1, 2, 2).await;
    shop.settle().await;
    for path in [
        "low-stock/",
        "bestsellers/",
        "bestsellers/?from=2020-01-01",
        "customer-stats/",
        "category-stats/",
        "categories/",
        "products/",
        "products/?sort=price_asc",
        "products/?sort=price_desc",
        "products/?sort=newest",
        "products/?search=a",
        "abandoned-carts/",
        "orders/short/",
        "erasures/",
    ] {
        let separator = if path.contains('?') { "&" } else { "?" };
        let page = shop.read(path).await;
        let (status, kind, body) = raw(&shop, &format!("{path}{separator}all=true"), "*/*").await;
        assert_eq!((status, kind.as_str()), (StatusCode::OK, "application/json"), "{path}: {body}");
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), page, "{path}");
        let (status, kind, body) = raw(&shop, path, "application/x-ndjson").await;
        assert_eq!((status, kind.as_str()), (StatusCode::OK, "application/x-ndjson"), "{path}: {body}");
        let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(Value::Array(lines), page, "{path}");
    }
    for (query, accept, field) in
        [("all=true&limit=5", "*/*", "limit"), ("all=true&cursor=WzAsMF0", "*/*", "cursor"), ("all=yes", "*/*", "all")]
    {
        let (status, _, body) = raw(&shop, &format!("low-stock/?{query}"), accept).await;
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &problem["errors"][0]["field"]), (StatusCode::BAD_REQUEST, &json!(field)), "{query}");
    }
    assert_eq!(shop.read("low-stock/?all=false").await.as_array().unwrap().len(), 3);
    for query in ["limit=2", "all=false&limit=2"] {
        let (_, kind, body) = raw(&shop, &format!("low-stock/?{query}"), "application/x-ndjson").await;
        assert_eq!((kind.as_str(), body.lines().count()), ("application/x-ndjson", 2), "{query}: {body}");
    }
}

/// Rows beyond what waits for a client: chunks, and the buffers of connection and database.
const MANY: i64 = 60_000;

async fn shop_of_many_customers(limits: WholeListLimits) -> TestShop {
    let shop = TestShop::with_whole_lists(limits).await;
    sqlx::query("insert into live.customer_stats select number, 0, 0 from generate_series(1, $1) as number")
        .bind(MANY)
        .execute(&shop.pool)
        .await
        .unwrap();
    shop
}

/// Begins a whole list of all customers, and reads nothing of it.
async fn open(shop: &TestShop) -> Response {
    let request = Request::get("/shop/api/customer-stats/?all=true");
    let request = request.header("authorization", format!("Bearer {}", *tokens::ADMIN)).body(Body::empty());
    shop.router.clone().oneshot(request.unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_reads_two_whole_lists_at_once_and_leaves_its_place_with_one_of_them() {
    let shop = shop_of_many_customers(WholeListLimits::default()).await;
    let (_, _, body) = raw(&shop, "customer-stats/", "application/x-ndjson").await;
    assert_eq!(body.lines().count(), usize::try_from(MANY).unwrap());
    let (first, second, third) = (open(&shop).await, open(&shop).await, open(&shop).await);
    assert_eq!((first.status(), second.status()), (StatusCode::OK, StatusCode::OK));
    assert_eq!(
        (third.status(), &third.headers()["retry-after"]),
        (StatusCode::TOO_MANY_REQUESTS, &"5".parse().unwrap())
    );
    drop(first);
    let mut again = open(&shop).await;
    while again.status() == StatusCode::TOO_MANY_REQUESTS {
        tokio::task::yield_now().await;
        again = open(&shop).await;
    }
    assert_eq!(again.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_its_list_is_cut_off_in_time() {
    let limits = WholeListLimits { time: Duration::from_secs(2), ..WholeListLimits::default() };
    let shop = shop_of_many_customers(limits).await;
    let list = open(&shop).await;
    assert_eq!(list.status(), StatusCode::OK);
    let mut held: i64 = 1;
    while held > 0 {
        held = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
             where datname = current_database() and query like '%customer_stats as stats%' and state = 'active'
                 and pid <> pg_backend_pid()",
        )
        .fetch_one(&shop.pool)
        .await
        .unwrap();
        tokio::task::yield_now().await;
    }
    // The client sees that the list is not complete.
    assert!(to_bytes(list.into_body(), usize::MAX).await.is_err());
    assert_eq!(open(&shop).await.status(), StatusCode::OK);
}
