//! A page of 100 products against a constant body of the same size from the same router: computed for each request, kept,
//! and kept while orders come in.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use cartwright::domain::ids::ProductId;
use cartwright::domain::metadata::Metadata;
use cartwright::domain::quantity::Quantity;
use cartwright::http::{AppSettings, ResponseCacheLimits};
use cartwright::journal::Journal;
use cartwright::shop::{PlaceOrder, Recipients, RequestedLine};
use hyper::StatusCode;

use crate::catalogue;
use crate::client::Client;
use crate::in_process::{InProcess, settle, start_engine};
use crate::load::{self, Caller, round, rounds};
use crate::program::Database;
use crate::report::{Report, Spread, number};

const PATH: &str = "/shop/api/products/?limit=100";
const CLIENTS: usize = 32;
/// Time between two orders: 500 a second.
const ORDER_EVERY: Duration = Duration::from_millis(2);

/// How the pages are read.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Computed,
    Kept,
    KeptUnderOrders,
}

struct Reader {
    client: Client,
    path: &'static str,
    length: usize,
}

impl Caller for Reader {
    async fn call(&mut self) {
        let answer = self.client.get(self.path, None).await;
        assert_eq!(answer.status, StatusCode::OK);
        // Orders change the stock, and with it the length a little.
        assert!(answer.body.len().abs_diff(self.length) < 1_000, "{} bytes", answer.body.len());
    }
}

pub async fn measure(report: &mut Report) {
    for mode in [Mode::Computed, Mode::Kept, Mode::KeptUnderOrders] {
        measure_in(mode, report).await;
    }
}

/// Places orders until it is aborted, each for one of the first products.
async fn sell(journal: Journal) {
    let mut ticks = tokio::time::interval(ORDER_EVERY);
    for place in 0_i64.. {
        ticks.tick().await;
        let journal = journal.clone();
        tokio::spawn(async move {
            let line = RequestedLine {
                product_id: ProductId(place % 100 + 1),
                quantity: Quantity::new(1).expect("a quantity"),
                unit_price: None,
            };
            let order = PlaceOrder {
                customer_id: None,
                placed_at: None,
                reference: None,
                lines: vec![line],
                recipients: Recipients::default(),
                metadata: Metadata::default(),
            };
            journal.run(order, catalogue::context()).await.expect("an order is placed");
        });
    }
}

async fn measure_in(mode: Mode, report: &mut Report) {
    let database = Database::start().await;
    let engine = start_engine(&database).await;
    catalogue::stock_up(&engine.journal, 1_000, 0).await;
    settle(&engine).await;
    let page: Arc<std::sync::OnceLock<Bytes>> = Arc::default();
    let constant = Arc::clone(&page);
    let constant =
        move || async move { ([(CONTENT_TYPE, "application/json")], constant.get().cloned().unwrap_or_default()) };
    let bytes = if mode == Mode::Computed { 0 } else { ResponseCacheLimits::default().bytes };
    let response_cache = ResponseCacheLimits { bytes, ..ResponseCacheLimits::default() };
    let settings = AppSettings { response_cache, ..AppSettings::default() };
    let constant = get(constant);
    let shop = InProcess::start(&database, &engine, settings, |router| router.route("/constant", constant)).await;
    let host = shop.host.clone();
    let answer = Client::connect(&host).await.get(PATH, None).await;
    assert_eq!(answer.json().as_array().map(Vec::len), Some(100));
    let length = answer.body.len();
    page.set(answer.body).expect("it is set once");

    let (mut products, mut constants) = (vec![], vec![]);
    for _ in 0..CLIENTS {
        products.push(Reader { client: Client::connect(&host).await, path: PATH, length });
        constants.push(Reader { client: Client::connect(&host).await, path: "/constant", length });
    }
    let orders = (mode == Mode::KeptUnderOrders).then(|| tokio::spawn(sell(engine.journal.clone())));
    let (mut rates, mut constant_rates, mut shares) = (vec![], vec![], vec![]);
    for place in 0..=rounds() {
        let rate = load::run(&mut products, round(), None).await.rate();
        let constant_rate = load::run(&mut constants, round(), None).await.rate();
        if place > 0 {
            rates.push(rate);
            constant_rates.push(constant_rate);
            shares.push(rate / constant_rate * 100.0);
        }
    }
    if let Some(orders) = orders {
        orders.abort();
    }
    let (what, goal) = match mode {
        Mode::Computed => ("computed each time", "≥ 3 %"),
        Mode::Kept => ("kept", "≥ 60 %"),
        Mode::KeptUnderOrders => ("kept, with 500 orders/s", "≥ 40 %"),
    };
    report.add(
        format!("`GET products/`, 100 rows ({} bytes), {CLIENTS} clients, {what}, requests/s", number(length as f64)),
        format!("{}: **{} %**", Spread::of(rates), Spread::of(shares)),
        format!("constant body: {}", Spread::of(constant_rates)),
        goal,
    );
    shop.stop();
    engine.stop().await.expect("the shop stops");
    database.check().await;
    database.stop().await;
}
