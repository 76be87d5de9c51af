//! Load by buyers that repeat each command with its key until it is acknowledged, and its comparison with the log.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use crate::support;
use crate::support::client::{Client, Reply};
use crate::support::program::{ask, wait_for};

/// A shop prepared for buyers, and its ports.
pub struct Load {
    ports: Vec<u16>,
    customers: Vec<i64>,
    products: Vec<i64>,
}

/// The progress of the buyers.
#[derive(Default)]
pub struct Progress {
    acknowledged: AtomicUsize,
    replayed: AtomicUsize,
    stop: AtomicBool,
}

/// What the shop has acknowledged to the buyers.
#[derive(Default)]
pub struct Ledger {
    pub orders: Vec<Order>,
    /// Commands, each with a key of its own.
    pub acknowledged: usize,
    products: Vec<i64>,
}

pub struct Order {
    order_id: i64,
    reference: Option<String>,
    status: &'static str,
    /// Product and quantity.
    lines: Vec<(i64, i64)>,
}

const BUYERS: usize = 8;
/// Stock of each product; more than all buyers together can buy.
const STOCK: i64 = 1_000_000;

impl Load {
    /// Fills an empty shop.
    pub fn prepare(ports: &[u16]) -> Self {
        let mut staff = Client::new(ports, 0);
        let mut create = |path: &str, body: Value, id: &str| {
            let reply = staff.send("POST", path, "", &body).unwrap();
            assert_eq!(reply.status, 201, "{}", reply.body);
            reply.body[id].as_i64().unwrap()
        };
        create("categories/", json!({ "category_name": "Kitchen" }), "category_id");
        let products = (0..4).map(|number| {
            let product =
                json!({ "name": format!("Pot {number}"), "price": "9.90", "category": "Kitchen", "stock": STOCK });
            create("products/", product, "product_id")
        });
        let products = products.collect();
        let customers = (0..BUYERS).map(|number| {
            let email = format!("buyer{number}@example.com");
            let customer = json!({ "first_name": "Jo", "last_name": "Miller", "email": email });
            create("customers/", customer, "customer_id")
        });
        Self { customers: customers.collect(), products, ports: ports.to_vec() }
    }

    /// Runs the buyers while `disturb` runs, and until each has its last acknowledgement.
    pub fn run(&self, disturb: impl FnOnce(&Progress)) -> Ledger {
        let progress = &Progress::default();
        std::thread::scope(|scope| {
            let buyers = self.customers.iter().enumerate().map(|(place, customer)| {
                scope.spawn(move || {
                    let mut buyer = Buyer {
                        client: Client::new(&self.ports, place),
                        customer: *customer,
                        products: &self.products,
                        ledger: Ledger::default(),
                        progress,
                    };
                    (0..).take_while(|_| !progress.stop.load(Ordering::Relaxed)).for_each(|round| buyer.buy(round));
                    buyer.ledger
                })
            });
            let buyers: Vec<_> = buyers.collect();
            // The buyers end also when the disturbance fails.
            let stop_at_end = StopAtEnd(progress);
            disturb(progress);
            drop(stop_at_end);
            let mut ledger = Ledger { products: self.products.clone(), ..Ledger::default() };
            for buyer in buyers {
                let of_buyer = buyer.join().unwrap();
                assert!(!of_buyer.orders.is_empty(), "a buyer bought nothing");
                ledger.orders.extend(of_buyer.orders);
                ledger.acknowledged += of_buyer.acknowledged;
            }
            ledger
        })
    }
}

impl Progress {
    /// Waits until this many commands more are acknowledged.
    pub fn more(&self, commands: usize) {
        let goal = self.acknowledged.load(Ordering::Relaxed) + commands;
        wait_for("acknowledgements", || (self.acknowledged.load(Ordering::Relaxed) >= goal).then_some(()));
    }

    /// The number of acknowledgements that were replayed answers.
    pub fn replayed(&self) -> usize {
        self.replayed.load(Ordering::Relaxed)
    }
}

struct StopAtEnd<'load>(&'load Progress);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

/// The longest time that a disturbance may delay an acknowledgement.
const GIVE_UP: Duration = Duration::from_secs(60);

struct Buyer<'load> {
    client: Client,
    customer: i64,
    products: &'load [i64],
    ledger: Ledger,
    progress: &'load Progress,
}

impl Buyer<'_> {
    /// One round: a checked-out cart, an order entered by staff, and the moves of both.
    fn buy(&mut self, round: usize) {
        // Each customer meets every server.
        self.client.turn();
        let customer = self.customer;
        let product = |place: usize| self.products[(round + place) % self.products.len()];
        let (first, second) = (product(0), product(1));
        let telephone = vec![(product(2), 3), (product(3), 1), (first, 2)];
        for (product, quantity) in [(first, 1), (second, 2)] {
            let item = json!({ "product_id": product, "quantity": quantity });
            self.send(&format!("customer/{customer}/cart/items/"), item);
        }
        let order = self.send(&format!("customer/{customer}/cart/checkout/"), Value::Null);
        self.follow(round, None, order, vec![(first, 1), (second, 2)]);

        let reference = format!("{customer}-{round}");
        let lines: Vec<_> = telephone
            .iter()
            .map(|(product, quantity)| json!({ "product_id": product, "quantity": quantity }))
            .collect();
        let order = self.send("orders/", json!({ "customer_id": customer, "reference": &reference, "lines": lines }));
        self.follow(round / 2, Some(reference), order, telephone);
    }

    fn follow(&mut self, fate: usize, reference: Option<String>, order: Value, lines: Vec<(i64, i64)>) {
        let order_id = order["order_id"].as_i64().unwrap();
        let (moves, status): (&[&str], _) = match fate % 4 {
            0 => (&["cancel"], "cancelled"),
            1 => (&["process", "ship"], "shipped"),
            2 => (&["process", "cancel"], "cancelled"),
            _ => (&[], "pending"),
        };
        for step in moves {
            let body = if *step == "ship" { json!({ "collected": true }) } else { Value::Null };
            self.send(&format!("order/{order_id}/{step}/"), body);
        }
        self.ledger.orders.push(Order { order_id, reference, status, lines });
    }

    /// Sends a command until it is acknowledged. No rule forbids it, so any refusal is a fault of the shop.
    fn send(&mut self, path: &str, body: Value) -> Value {
        let key = format!("{}-{}", self.customer, self.ledger.acknowledged);
        let begun = Instant::now();
        loop {
            let sent = self.client.send("POST", path, &key, &body);
            assert!(begun.elapsed() < GIVE_UP, "POST {path} {body}: nothing but {sent:?}");
            match sent {
                Ok(Reply { status: 200 | 201, replayed, body }) => {
                    self.ledger.acknowledged += 1;
                    self.progress.acknowledged.fetch_add(1, Ordering::Relaxed);
                    self.progress.replayed.fetch_add(usize::from(replayed), Ordering::Relaxed);
                    return body;
                }
                Ok(Reply { status: 503, .. }) | Err(_) => std::thread::sleep(Duration::from_millis(5)),
                Ok(Reply { status, body: problem, .. }) => panic!("POST {path} {body}: {status} {problem}"),
            }
        }
    }
}

impl Ledger {
    /// Checks that the log holds every acknowledged command once and nothing else, and that stock and orders follow.
    pub fn compare_with_log(&self, connect: &PgConnectOptions, port: u16) {
        assert!(self.acknowledged > 100, "there was no load: {} commands", self.acknowledged);
        ask(connect, async |pool| {
            support::check_log(pool).await;
            self.audit_log(pool).await;
        });
        self.audit_reads(&mut Client::new(&[port], 0));
    }

    async fn audit_log(&self, pool: &PgPool) {
        let (keys, twice): (i64, i64) = sqlx::query_as(
            "select count(*), count(*) filter (where commands > 1)
             from (
                 select count(distinct metadata ->> 'causation_id') as commands
                 from events where metadata ? 'key_digest' group by metadata ->> 'key_digest'
             ) as key",
        )
        .fetch_one(pool)
        .await
        .unwrap();
        assert_eq!(twice, 0, "commands were carried out twice");
        assert_eq!(usize::try_from(keys).unwrap(), self.acknowledged, "commands in the log, and acknowledged ones");

        let mut logged: Vec<(i64, Option<String>)> = sqlx::query_as(
            "select aggregate_id::bigint, payload ->> 'reference' from events
             where event_type = 'OrderPlaced'",
        )
        .fetch_all(pool)
        .await
        .unwrap();
        let mut acknowledged: Vec<_> =
            self.orders.iter().map(|order| (order.order_id, order.reference.clone())).collect();
        logged.sort();
        acknowledged.sort();
        assert_eq!(logged, acknowledged, "the orders in the log, and the acknowledged ones");
    }

    fn audit_reads(&self, client: &mut Client) {
        let (mut shipped, mut open): (HashMap<i64, i64>, HashMap<i64, i64>) = Default::default();
        for order in &self.orders {
            let units = match order.status {
                "shipped" => &mut shipped,
                "pending" => &mut open,
                _ => continue,
            };
            for (product, quantity) in &order.lines {
                *units.entry(*product).or_default() += quantity;
            }
        }
        for product in &self.products {
            let found = client.get(&format!("product/{product}/")).body;
            let expected = (STOCK - shipped.get(product).unwrap_or(&0), *open.get(product).unwrap_or(&0));
            assert_eq!((&found["on_hand"], &found["reserved"]), (&json!(expected.0), &json!(expected.1)), "{product}");
        }
        for order in &self.orders {
            let found = client.get(&format!("order/{}/summary/", order.order_id)).body;
            assert_eq!(found["status"], order.status, "order {}", order.order_id);
        }
    }
}
