//! A page of 100 products against a constant body of the same size from the same router.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use hyper::StatusCode;

use crate::catalogue;
use crate::client::Client;
use crate::in_process::{InProcess, settle, start_engine};
use crate::load::{self, Caller, round, rounds};
use crate::program::Database;
use crate::report::{Report, Spread, number};

const PATH: &str = "/shop/api/products/?limit=100";
const CLIENTS: usize = 32;

struct Reader {
    client: Client,
    path: &'static str,
    length: usize,
}

impl Caller for Reader {
    async fn call(&mut self) {
        let answer = self.client.get(self.path, None).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, self.length));
    }
}

pub async fn measure(report: &mut Report) {
    let database = Database::start().await;
    let engine = start_engine(&database).await;
    catalogue::stock_up(&engine.journal, 1_000, 0).await;
    settle(&engine).await;
    let page: Arc<std::sync::OnceLock<Bytes>> = Arc::default();
    let constant = Arc::clone(&page);
    let constant =
        move || async move { ([(CONTENT_TYPE, "application/json")], constant.get().cloned().unwrap_or_default()) };
    let shop = InProcess::start(&database, &engine, |router| router.route("/constant", get(constant))).await;
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
    report.add(
        format!("`GET products/`, 100 rows ({} bytes), {CLIENTS} clients, requests/s", number(length as f64)),
        format!("{}: **{} %**", Spread::of(rates), Spread::of(shares)),
        format!("constant body: {}", Spread::of(constant_rates)),
        "≥ 20 %",
    );
    shop.stop();
    engine.stop().await.expect("the shop stops");
    database.check().await;
    database.stop().await;
}
