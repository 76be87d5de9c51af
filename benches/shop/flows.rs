//! Flows over HTTP: three adds to a cart and a checkout.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use serde_json::json;

use crate::client::Client;
use crate::load::{self, Caller, Load, round, rounds};
use crate::program::{self, Program};
use crate::report::{Report, Spread, milliseconds, number};

const PRODUCTS: i64 = 1_000;
const CUSTOMERS: i64 = 2_000;

/// A shopper whose every call is one flow, for one customer after the other.
struct Shopper {
    client: Client,
    /// Next customer; shared, so that two shoppers never use one cart at once.
    next_customer: Arc<AtomicI64>,
    /// First product of every cart; `None` for a random one.
    wanted: Option<i64>,
    random: u64,
    /// Number of flows that ended with `out_of_stock`.
    sold_out: Arc<AtomicU64>,
    bought: Arc<AtomicU64>,
}

impl Shopper {
    async fn many(count: usize, host: &str, wanted: Option<i64>) -> Vec<Self> {
        let next_customer = Arc::new(AtomicI64::new(0));
        let (sold_out, bought) = (Arc::default(), Arc::default());
        let mut shoppers = Vec::new();
        for place in 0..count {
            shoppers.push(Self {
                client: Client::connect(host).await,
                next_customer: Arc::clone(&next_customer),
                wanted,
                random: 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(place as u64 + 1),
                sold_out: Arc::clone(&sold_out),
                bought: Arc::clone(&bought),
            });
        }
        shoppers
    }

    /// Random product, by xorshift.
    fn any_product(&mut self) -> i64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % PRODUCTS.unsigned_abs()).cast_signed() + 1
    }
}

impl Caller for Shopper {
    async fn call(&mut self) {
        let customer = self.next_customer.fetch_add(1, Ordering::Relaxed) % CUSTOMERS + 1;
        self.client.customer = Some(customer);
        let first = self.wanted.unwrap_or_else(|| self.any_product());
        let mut products = vec![first];
        while products.len() < 3 {
            let product = self.any_product();
            if !products.contains(&product) {
                products.push(product);
            }
        }
        let path = format!("/shop/api/customer/{customer}/cart/items/");
        for product in products {
            let added = self.client.post(&path, format!(r#"{{"product_id":{product},"quantity":1}}"#)).await;
            assert_eq!(added.status, StatusCode::OK, "{:?}", added.body);
        }
        let path = format!("/shop/api/customer/{customer}/cart/checkout/");
        let placed = self.client.post(&path, String::new()).await;
        match placed.status {
            StatusCode::CREATED => self.bought.fetch_add(1, Ordering::Relaxed),
            StatusCode::CONFLICT if placed.body.windows(12).any(|text| text == b"out_of_stock") => {
                self.sold_out.fetch_add(1, Ordering::Relaxed)
            }
            status => panic!("{status}: {:?}", placed.body),
        };
    }
}

/// Adds an item to a cart and waits until the read tables show it.
struct Watcher {
    client: Client,
    reader: Client,
    customer: i64,
    seen_after: Arc<std::sync::Mutex<Vec<Duration>>>,
}

impl Caller for Watcher {
    async fn call(&mut self) {
        let path = format!("/shop/api/customer/{}/cart/items/", self.customer);
        let added = self.client.post(&path, r#"{"product_id":1,"quantity":1}"#.to_owned()).await;
        assert_eq!(added.status, StatusCode::OK);
        let answered = Instant::now();
        let path = format!("/shop/api/customer/{}/cart/", self.customer);
        let seen = self.reader.get(&path, Some(added.position())).await;
        assert_eq!(seen.status, StatusCode::OK, "{:?}", seen.body);
        self.seen_after.lock().expect("no thread panicked").push(answered.elapsed());
    }
}

pub async fn measure(report: &mut Report) {
    let folder = program::folder();
    let program = Program::start(folder.path());
    stock_up(&program.host).await;
    println!("stocked up: {:.0} MB in use", program.memory().0);

    let mut highest = 0.0_f64;
    for callers in [1, 8, 32] {
        let load = flows(&program, callers).await;
        highest = highest.max(load.rate());
        let goal = match callers {
            1 => "p50 < 3 ms",
            8 => "–",
            _ => "≥ 3,000 flows/s, p99 < 40 ms",
        };
        report.add(
            format!("HTTP flow, {callers} clients"),
            format!(
                "{} flows/s, p50 {}, p99 {}",
                number(load.rate()),
                milliseconds(load.quantile(0.5)),
                milliseconds(load.quantile(0.99))
            ),
            "–".to_owned(),
            goal,
        );
    }
    flash_sale(report, &program).await;
    effect(report, &program, highest / 2.0).await;
    sell_out(report, &program).await;
    let (now, most) = program.memory();
    report.add("memory under the flow load", format!("{now:.0} MB, at most {most:.0} MB"), "–".to_owned(), "< 200 MB");
    verify(folder.path());
    program.stop();
}

async fn flows(program: &Program, callers: usize) -> Load {
    let mut shoppers = Shopper::many(callers, &program.host, None).await;
    load::run(&mut shoppers, Duration::from_secs(1), None).await;
    let mut all = Load::default();
    for _ in 0..rounds() {
        let before = program.processor_seconds();
        let load = load::run(&mut shoppers, round(), None).await;
        println!(
            "  {callers} clients: {} flows/s, p99 {}, server process {:.0} % of a core",
            number(load.rate()),
            milliseconds(load.quantile(0.99)),
            (program.processor_seconds() - before) / round().as_secs_f64() * 100.0
        );
        all.join(&load);
    }
    settle(program).await;
    all
}

/// Flows with one common product against flows with random ones, in alternating rounds.
async fn flash_sale(report: &mut Report, program: &Program) {
    let mut one = Shopper::many(32, &program.host, Some(1)).await;
    let mut any = Shopper::many(32, &program.host, None).await;
    let (mut rates, mut ratios) = (vec![], vec![]);
    for _ in 0..rounds() {
        let base = load::run(&mut any, round(), None).await.rate();
        settle(program).await;
        let rate = load::run(&mut one, round(), None).await.rate();
        settle(program).await;
        rates.push(rate);
        ratios.push(rate / base * 100.0);
    }
    assert_eq!(one[0].sold_out.load(Ordering::Relaxed), 0, "the stock was large enough");
    report.add(
        "flash sale: 32 clients buy one product",
        format!("{} flows/s", Spread::of(rates)),
        format!("{} % of the flow on distinct products", Spread::of(ratios)),
        "≥ 95 %",
    );
}

/// A flash sale with limited stock: nothing is oversold, and `out_of_stock` is the only error.
async fn sell_out(report: &mut Report, program: &Program) {
    const STOCK: i64 = 3_000;
    let mut client = Client::connect(&program.host).await;
    let body = json!({ "name": "Rare", "price": "9.90", "category": "Category 1", "stock": STOCK });
    let product = client.post("/shop/api/products/", body.to_string()).await.json()["product_id"].as_i64();
    let mut shoppers = Shopper::many(32, &program.host, product).await;
    let load = load::run(&mut shoppers, round(), None).await;
    let (bought, sold_out) = (&shoppers[0].bought, &shoppers[0].sold_out);
    let (bought, sold_out) = (bought.load(Ordering::Relaxed), sold_out.load(Ordering::Relaxed));
    assert!(sold_out > 0 || load::quick(), "the stock did not run out");
    settle(program).await;
    let path = format!("/shop/api/product/{}/", product.expect("a number"));
    let left = client.get(&path, None).await.json()["stock"].as_i64().expect("a number");
    assert!(left >= 0, "{left} are left");
    report.add(
        format!("flash sale with a stock of {}", number(STOCK as f64)),
        format!("{} flows/s: {bought} orders, {sold_out} times out of stock, {left} left", number(load.rate())),
        "–".to_owned(),
        "no other error",
    );
}

/// Delay of the read tables after a command's answer, at a steady load.
async fn effect(report: &mut Report, program: &Program, flows_per_second: f64) {
    const CLIENTS: usize = 32;
    let every = Duration::from_secs_f64(CLIENTS as f64 / flows_per_second);
    let mut shoppers = Shopper::many(CLIENTS, &program.host, None).await;
    let seen_after = Arc::new(std::sync::Mutex::new(vec![]));
    let mut watchers = vec![];
    for place in 0..4 {
        watchers.push(Watcher {
            client: Client::connect(&program.host).await,
            reader: Client::connect(&program.host).await,
            customer: CUSTOMERS + 1 + place,
            seen_after: Arc::clone(&seen_after),
        });
    }
    let duration = round() * 3;
    let (load, _) = tokio::join!(
        load::run(&mut shoppers, duration, Some(every)),
        load::run(&mut watchers, duration, Some(Duration::from_millis(20)))
    );
    let mut seen_after = std::mem::take(&mut *seen_after.lock().expect("no thread panicked"));
    seen_after.sort_unstable();
    let quantile = |share: f64| milliseconds(seen_after[(seen_after.len() as f64 * share) as usize]);
    report.add(
        format!("delay of the read tables, including the read, at {} flows/s", number(load.rate())),
        format!("p50 {}, p99 {} ({} samples)", quantile(0.5), quantile(0.99), seen_after.len()),
        "–".to_owned(),
        "p50 < 5 ms, p99 < 50 ms",
    );
}

/// Waits until the read tables have caught up; prints the time if it is long.
async fn settle(program: &Program) {
    let started = Instant::now();
    let mut client = Client::connect(&program.host).await;
    loop {
        let standing = client.get("/shop/api/projections/", None).await.json();
        let behind = standing.as_array().expect("a list").iter().filter_map(|table| table["lag"].as_i64()).max();
        if behind == Some(0) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let waited = started.elapsed();
    if waited > Duration::from_millis(200) {
        println!("  the read tables were {:.1} s behind", waited.as_secs_f64());
    }
}

/// Creates products and customers over HTTP.
async fn stock_up(host: &str) {
    let mut client = Client::connect(host).await;
    for category in 0..20 {
        client
            .post("/shop/api/categories/", json!({ "category_name": format!("Category {category}") }).to_string())
            .await
            .json();
    }
    let products = (1..=PRODUCTS).map(|product| {
        let body = json!({
            "name": format!("Product {product:05}"),
            "price": format!("{}.{:02}", product % 90 + 1, product % 100),
            "category": format!("Category {}", product % 20),
            "stock": 1_000_000_000,
        });
        ("/shop/api/products/", body.to_string())
    });
    let customers = (1..=CUSTOMERS + 10).map(|customer| {
        let email = format!("customer{customer}@customer.example");
        let body = json!({ "first_name": "Ada", "last_name": format!("Number{customer}"), "email": email });
        ("/shop/api/customers/", body.to_string())
    });
    let requests: Vec<_> = products.chain(customers).collect();
    let tasks = requests.chunks(requests.len().div_ceil(32)).map(|requests| {
        let (requests, host) = (requests.to_vec(), host.to_owned());
        tokio::spawn(async move {
            let mut client = Client::connect(&host).await;
            for (path, body) in requests {
                client.post(path, body).await.json();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("the shop accepts the requests");
    }
}

fn verify(folder: &std::path::Path) {
    for args in [&["verify"][..], &["verify", "--log"]] {
        let output = program::command(folder).args(args).output().expect("the program runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
