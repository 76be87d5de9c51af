//! The journal alone, adding items to carts: against stock postgres-es on the same database, and against the machine's
//! limit.

use std::sync::Arc;
use std::time::Instant;

use cartwright::domain::cart::{Cart, CartChange, CartCommand};
use cartwright::domain::ids::ProductId;
use cartwright::domain::quantity::Quantity;
use cartwright::journal::{Actor, Context, Interrupt, Journal, JournalOptions, UnitOfWork, UseCase};
use cqrs_es::CqrsFramework;
use cqrs_es::persist::PersistedEventStore;
use postgres_es::{PostgresCqrs, PostgresEventRepository};
use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::{ConnectOptions, Executor};
use tokio::sync::watch;
use uuid::Uuid;

use crate::load::{self, Caller, Load, round, rounds};
use crate::program::{self, Database};
use crate::report::{Report, Spread, milliseconds};

const CALLERS: [usize; 4] = [1, 8, 32, 128];
/// Items of a cart, after which a caller uses a new one.
const ITEMS_A_CART: usize = 10;
/// Connections of stock postgres-es; neither more nor its default of 10 was faster.
const STOCK_CONNECTIONS: u32 = 32;

/// Tables of stock postgres-es: the documented ones, with `jsonb` as in the shop.
const STOCK_TABLES: &str = "
    create table stock_events (
        aggregate_type text not null, aggregate_id text not null, sequence bigint not null check (sequence >= 0),
        event_type text not null, event_version text not null, payload jsonb not null, metadata jsonb not null,
        primary key (aggregate_type, aggregate_id, sequence)
    )";

/// Table for the machine's limit: the log's columns, keys and indexes, without triggers.
const LIMIT_TABLE: &str = "create table limit_events (like events including defaults including indexes)";

fn add_item() -> CartCommand {
    CartCommand::Change(CartChange::Add {
        product_id: ProductId(7),
        quantity: Quantity::new(1).expect("one is a quantity"),
    })
}

/// Use case of the comparison: the cart's own decision only, as in stock postgres-es.
struct AddItem {
    cart: Arc<str>,
}

impl UseCase for AddItem {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        work.execute::<Cart>(&self.cart, add_item())
    }
}

/// The carts of one caller.
#[derive(Clone)]
enum Carts {
    /// A new cart after every ten items.
    Fresh { current: Arc<str>, items: usize },
    /// The given carts in turn.
    Prepared { carts: Vec<Arc<str>>, turn: usize },
}

impl Carts {
    fn fresh() -> Self {
        Self::Fresh { current: Uuid::now_v7().to_string().into(), items: 0 }
    }

    fn next(&mut self) -> Arc<str> {
        match self {
            Self::Fresh { current, items } => {
                if *items == ITEMS_A_CART {
                    (*current, *items) = (Uuid::now_v7().to_string().into(), 0);
                }
                *items += 1;
                Arc::clone(current)
            }
            Self::Prepared { carts, turn } => {
                *turn += 1;
                Arc::clone(&carts[*turn % carts.len()])
            }
        }
    }
}

struct Ours {
    journal: Journal,
    carts: Carts,
}

impl Caller for Ours {
    async fn call(&mut self) {
        let context = Context::of(Actor { id: "bench".to_owned(), role: "admin" });
        self.journal.run(AddItem { cart: self.carts.next() }, context).await.expect("an item can be added");
    }
}

struct Stock {
    framework: Arc<PostgresCqrs<Cart>>,
    carts: Carts,
}

impl Caller for Stock {
    async fn call(&mut self) {
        self.framework.execute(&self.carts.next(), add_item()).await.expect("an item can be added");
    }
}

/// Inserts 100 rows per call.
struct Limit {
    connection: PgConnection,
    position: i64,
}

impl Limit {
    const ROWS: usize = 100;
}

impl Caller for Limit {
    async fn call(&mut self) {
        let cart = Uuid::now_v7().to_string();
        let rows = 0..Self::ROWS;
        let payload = r#"{"event":"CartItemAdded","product_id":7,"quantity":1,"new_quantity":1}"#;
        let id = Uuid::now_v7();
        let metadata = format!(
            r#"{{"actor":"bench","role":"admin","request_id":"{id}","correlation_id":"{id}","causation_id":"{id}"}}"#
        );
        sqlx::query(
            "insert into limit_events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload,
                metadata, position, recorded_at, event_id)
             select kind, id, sequence, event_type, event_version, payload::jsonb, metadata::jsonb,
                $1 + place, clock_timestamp(), event_id
             from unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::uuid[]) with ordinality
                as fresh (kind, id, sequence, event_type, event_version, payload, metadata, event_id, place)",
        )
        .bind(self.position)
        .bind(vec!["Cart"; Self::ROWS])
        .bind(vec![cart.as_str(); Self::ROWS])
        .bind(rows.clone().map(|row| row as i64 + 1).collect::<Vec<_>>())
        .bind(vec!["CartItemAdded"; Self::ROWS])
        .bind(vec!["1.0"; Self::ROWS])
        .bind(vec![payload; Self::ROWS])
        .bind(vec![metadata.as_str(); Self::ROWS])
        .bind(rows.map(|_| Uuid::now_v7()).collect::<Vec<_>>())
        .execute(&mut self.connection)
        .await
        .expect("rows can be inserted");
        self.position += Self::ROWS as i64;
    }
}

pub async fn measure(report: &mut Report) {
    let database = Database::start().await;
    for statement in [STOCK_TABLES, LIMIT_TABLE] {
        (&database.pool).execute(statement).await.expect("a table can be created");
    }
    let journal = start_journal(&database).await;
    against_stock(report, &database, &journal).await;
    against_limit(report, &database, &journal).await;
    on_long_carts(report, &database, &journal).await;
    drop(journal);
    program::check(&database.pool, false).await;
    database.stop().await;
}

async fn start_journal(database: &Database) -> Journal {
    let (head, _) = watch::channel(0);
    let options = JournalOptions::default();
    let (journal, _writer) = Journal::start(database.connect.clone(), database.pool.clone(), head, options)
        .await
        .expect("the journal starts");
    journal
}

fn ours(journal: &Journal, callers: usize) -> Vec<Ours> {
    (0..callers).map(|_| Ours { journal: journal.clone(), carts: Carts::fresh() }).collect()
}

async fn against_stock(report: &mut Report, database: &Database, journal: &Journal) {
    let pool = PgPoolOptions::new().max_connections(STOCK_CONNECTIONS).connect_with(database.connect.clone()).await;
    let repository =
        PostgresEventRepository::new(pool.expect("connections")).with_tables("stock_events", "stock_snapshots");
    let framework = Arc::new(CqrsFramework::new(PersistedEventStore::new_event_store(repository), vec![], ()));
    for callers in CALLERS {
        let mut ours = ours(journal, callers);
        let mut stock: Vec<_> =
            (0..callers).map(|_| Stock { framework: Arc::clone(&framework), carts: Carts::fresh() }).collect();
        let (mut our_load, mut stock_load) = (Load::default(), Load::default());
        let (mut rates, mut stock_rates, mut ratios) = (vec![], vec![], vec![]);
        for place in 0..=rounds() {
            let our_round = load::run(&mut ours, round(), None).await;
            let stock_round = load::run(&mut stock, round(), None).await;
            // The first round warms up both sides.
            if place > 0 {
                rates.push(our_round.rate());
                stock_rates.push(stock_round.rate());
                ratios.push(our_round.rate() / stock_round.rate());
                our_load.join(&our_round);
                stock_load.join(&stock_round);
            }
        }
        let goal = match callers {
            1 => "1.5×",
            8 => "3×",
            32 => "6×",
            _ => "10×; p99 below the p50 of stock postgres-es",
        };
        let latency = |load: &Load| {
            format!("p50 {}, p99 {}", milliseconds(load.quantile(0.5)), milliseconds(load.quantile(0.99)))
        };
        report.add(
            format!("add an item, commands/s, {callers} callers"),
            format!("{}, {}: **{}×**", Spread::of(rates), latency(&our_load), Spread::of(ratios)),
            format!("stock postgres-es: {}, {}", Spread::of(stock_rates), latency(&stock_load)),
            goal,
        );
    }
}

async fn against_limit(report: &mut Report, database: &Database, journal: &Journal) {
    let mut ours = ours(journal, 128);
    let connection = database.connect.connect().await.expect("a connection");
    let mut limit = vec![Limit { connection, position: 0 }];
    let (mut rates, mut limits, mut shares) = (vec![], vec![], vec![]);
    for place in 0..=rounds() {
        let our_rate = load::run(&mut ours, round(), None).await.rate();
        let limit_rate = load::run(&mut limit, round(), None).await.rate() * Limit::ROWS as f64;
        if place > 0 {
            rates.push(our_rate);
            limits.push(limit_rate);
            shares.push(our_rate / limit_rate * 100.0);
        }
    }
    report.add(
        "add an item against the machine's limit, 128 callers",
        format!("{}: **{} %**", Spread::of(rates), Spread::of(shares)),
        format!("loop of 100-row inserts, rows/s: {}", Spread::of(limits)),
        "≥ 50 %",
    );
}

/// Carts of 100 events and more against fresh ones, and the first command on an uncached one.
async fn on_long_carts(report: &mut Report, database: &Database, journal: &Journal) {
    const EVENTS: usize = 100;
    const CARTS_A_CALLER: usize = 20;
    let prepared: Vec<Vec<Arc<str>>> =
        (0..32).map(|_| (0..CARTS_A_CALLER).map(|_| Uuid::now_v7().to_string().into()).collect()).collect();
    let with = |carts: &[Arc<str>]| Ours {
        journal: journal.clone(),
        carts: Carts::Prepared { carts: carts.to_vec(), turn: 0 },
    };
    let mut long: Vec<_> = prepared.iter().map(|carts| with(carts)).collect();
    let fill = long.drain(..).map(|mut caller| {
        tokio::spawn(async move {
            for _ in 0..EVENTS * CARTS_A_CALLER {
                caller.call().await;
            }
            caller
        })
    });
    for task in fill.collect::<Vec<_>>() {
        long.push(task.await.expect("the carts are filled"));
    }
    first_command(report, database, &prepared).await;

    let mut fresh = ours(journal, 32);
    let (mut rates, mut fresh_rates, mut shares) = (vec![], vec![], vec![]);
    for _ in 0..rounds() {
        let fresh_rate = load::run(&mut fresh, round(), None).await.rate();
        let rate = load::run(&mut long, round(), None).await.rate();
        rates.push(rate);
        fresh_rates.push(fresh_rate);
        shares.push(rate / fresh_rate * 100.0);
    }
    report.add(
        "add an item to carts of 100 events and more, 32 callers",
        format!("{}: **{} %**", Spread::of(rates), Spread::of(shares)),
        format!("fresh carts: {}", Spread::of(fresh_rates)),
        "within 10 %",
    );
}

/// Measures the first command on carts that a restarted journal has not cached.
async fn first_command(report: &mut Report, database: &Database, prepared: &[Vec<Arc<str>>]) {
    let journal = start_journal(database).await;
    let (mut first, mut second) = (vec![], vec![]);
    for cart in prepared.iter().flatten().take(200) {
        let mut caller =
            Ours { journal: journal.clone(), carts: Carts::Prepared { carts: vec![Arc::clone(cart)], turn: 0 } };
        for latencies in [&mut first, &mut second] {
            let called = Instant::now();
            caller.call().await;
            latencies.push(called.elapsed().as_secs_f64() * 1e3);
        }
    }
    report.add(
        "first command on an uncached cart of 100 events, ms",
        Spread::of(first).to_string(),
        format!("the second command: {}", Spread::of(second)),
        "–",
    );
}
