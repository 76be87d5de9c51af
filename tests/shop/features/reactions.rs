//! Reactions to events: each is enqueued once, executed at least once, and parked when it keeps failing.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use cartwright::projector::{PROJECTIONS, rebuild};
use cartwright::reactors::{Failure, Reaction, Reactor, ReactorOptions, Reactors};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnection;
use tokio::sync::Semaphore;

use crate::support::reactors::{eventually, reactor, start_all, wait_until_drained};
use crate::support::{TestShop, fresh_database};

type React = dyn Fn(Reaction) -> BoxFuture<'static, Result<(), Failure>> + Send + Sync;

/// A reactor whose behaviour each test chooses.
struct Probe {
    name: &'static str,
    /// Panics (`true`) or queries a missing table (`false`) instead of returning targets.
    broken: Option<bool>,
    event_types: &'static [&'static str],
    targets: &'static [&'static str],
    options: fn(ReactorOptions) -> ReactorOptions,
    react: Box<React>,
}

impl Probe {
    fn new<F>(event_types: &'static [&'static str], react: impl Fn(Reaction) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let react: Box<React> = Box::new(move |reaction| Box::pin(react(reaction)));
        Self { name: "probe", broken: None, event_types, targets: &[""], options: |options| options, react }
    }
}

impl Reactor for Probe {
    fn name(&self) -> &'static str {
        self.name
    }

    fn event_types(&self) -> &[&'static str] {
        self.event_types
    }

    fn react<'a>(&'a self, reaction: &'a Reaction) -> BoxFuture<'a, Result<(), Failure>> {
        (self.react)(reaction.clone())
    }

    fn targets<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [cartwright::reactors::RecordedEvent],
    ) -> BoxFuture<'a, Result<Vec<(i64, String)>, sqlx::Error>> {
        let pairs =
            events.iter().flat_map(|event| self.targets.iter().map(|target| (event.position, target.to_string())));
        Box::pin(async move {
            match self.broken {
                Some(true) => panic!("on purpose"),
                Some(false) => sqlx::query("select from nowhere").execute(connection).await.map(|_| vec![]),
                None => Ok(pairs.collect()),
            }
        })
    }

    fn options(&self, default: ReactorOptions) -> ReactorOptions {
        (self.options)(default)
    }
}

async fn start(shop: &TestShop, reactor: Probe) -> Reactors {
    start_all(shop, vec![Arc::new(reactor)]).await
}

async fn parked(shop: &TestShop) -> Value {
    let rows = eventually("a parked reaction", async || {
        let rows = shop.read("reactions/?state=parked&reactor=probe").await;
        (rows != json!([])).then_some(rows)
    });
    rows.await[0].clone()
}

#[tokio::test]
async fn a_failed_reaction_is_retried_with_growing_pauses_then_parked_and_retried_by_route() {
    let shop = TestShop::new().await;
    let (attempts, works) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
    let (seen, now_works) = (Arc::clone(&attempts), Arc::clone(&works));
    let probe = Probe::new(&["CategoryCreated"], move |reaction| {
        seen.lock().unwrap().push((Instant::now(), reaction.attempt, reaction.event.event_id));
        let works = now_works.load(Ordering::Relaxed);
        async move { if works { Ok(()) } else { Err(Failure::Retry("the other side is away".to_owned())) } }
    });
    let reactors = start(&shop, probe).await;
    shop.category("Tea").await;

    let row = parked(&shop).await;
    assert_eq!((&row["reason"], &row["attempts"]), (&json!("the other side is away"), &json!(3)));
    assert_eq!((&row["event_type"], &row["due_at"]), (&json!("CategoryCreated"), &Value::Null));
    let misspelt = shop.get("reactions/?reactor=prob").await;
    let error = &misspelt.body["errors"][0];
    assert_eq!((misspelt.status, &error["field"]), (StatusCode::BAD_REQUEST, &json!("reactor")), "{error}");
    let tried = attempts.lock().unwrap().clone();
    assert_eq!(tried.iter().map(|(_, number, _)| *number).collect::<Vec<_>>(), [1, 2, 3]);
    let pause = |place: usize| tried[place].0 - tried[place - 1].0;
    assert!(pause(1) >= Duration::from_millis(60) && pause(2) >= Duration::from_millis(180), "{tried:?}");
    assert_eq!(reactor(&shop).await["parked"], 1);

    let path = format!("reactions/{}/", row["reaction_id"]);
    works.store(true, Ordering::Relaxed);
    let retried = shop.post(&format!("{path}retry/"), Value::Null).await;
    assert_eq!(retried.status, StatusCode::ACCEPTED, "{}", retried.body);
    eventually("the retry", async || (shop.read("reactions/").await == json!([])).then_some(())).await;
    let tried = attempts.lock().unwrap().clone();
    assert_eq!((tried.len(), tried[3].1), (4, 1), "it has all its attempts before it again");
    assert!(tried.iter().all(|(_, _, event_id)| *event_id == tried[0].2), "one id at every attempt");

    assert_eq!(shop.post(&format!("{path}retry/"), Value::Null).await.problem(), "reaction_not_found");
    let decisions = shop.read("reaction-decisions/").await;
    assert_eq!((&decisions[0]["decision"], &decisions[0]["reason"]), (&json!("retry"), &row["reason"]));
    assert!(decisions[0]["actor"].as_str().unwrap().starts_with("account/"), "{decisions}");
    reactors.stop().await;
}

#[tokio::test]
async fn a_permanent_failure_is_parked_at_once_and_can_be_dropped() {
    let shop = TestShop::new().await;
    let probe = Probe::new(&["CategoryCreated"], |_| async { Err(Failure::Park("no such shelf".to_owned())) });
    let reactors = start(&shop, probe).await;
    shop.category("Tea").await;
    let row = parked(&shop).await;
    assert_eq!((&row["attempts"], &row["reason"]), (&json!(1), &json!("no such shelf")));
    let path = format!("reactions/{}/", row["reaction_id"]);
    assert_eq!(shop.send("DELETE", &path, Value::Null, &[]).await.status, StatusCode::NO_CONTENT);
    assert_eq!(shop.send("DELETE", &path, Value::Null, &[]).await.problem(), "reaction_not_found");
    assert_eq!(shop.read("reactions/").await, json!([]));
    let decision = &shop.read("reaction-decisions/").await[0];
    assert_eq!((&decision["decision"], &decision["position"]), (&json!("drop"), &row["position"]));
    reactors.stop().await;
}

#[tokio::test]
async fn panics_and_timeouts_count_as_failures() {
    let shop = TestShop::new().await;
    let mut probe = Probe::new(&["CategoryCreated"], |reaction| async move {
        match reaction.attempt {
            2 => panic!("on purpose"),
            _ => std::future::pending().await,
        }
    });
    let react = std::mem::replace(&mut probe.react, Box::new(|_| Box::pin(async { Ok(()) })));
    probe.react = Box::new(move |reaction| {
        assert_ne!(reaction.attempt, 1, "before there is a future at all");
        react(reaction)
    });
    probe.options = |options| ReactorOptions { max_attempts: 3, time_limit: Duration::from_millis(50), ..options };
    let reactors = start(&shop, probe).await;
    shop.category("Tea").await;
    let row = parked(&shop).await;
    assert_eq!((&row["reason"], &row["attempts"]), (&json!("no result within 0.05 s"), &json!(3)));
    reactors.stop().await;
}

#[tokio::test]
async fn a_reaction_whose_last_attempt_died_with_its_server_is_parked() {
    let shop = TestShop::new().await;
    let begun = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&begun);
    let probe = |count: Arc<AtomicUsize>| {
        Probe::new(&["CategoryCreated"], move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            std::future::pending()
        })
    };
    let reactors = start(&shop, probe(Arc::clone(&count))).await;
    shop.category("Tea").await;
    eventually("the first attempt", async || (begun.load(Ordering::Relaxed) == 1).then_some(())).await;
    // The server dies; in the table it was the last of three attempts.
    drop(reactors);
    sqlx::query("update reaction set attempts = 3, due_at = clock_timestamp()").execute(&shop.pool).await.unwrap();
    let reactors = start(&shop, probe(count)).await;
    let row = parked(&shop).await;
    assert!(row["reason"].as_str().unwrap().contains("did not finish"), "{row}");
    assert_eq!(begun.load(Ordering::Relaxed), 1);
    reactors.stop().await;
}

#[tokio::test]
async fn reactions_are_taken_over_from_dead_servers_within_seconds_and_never_from_living_ones() {
    let shop = TestShop::new().await;
    let other = TestShop::on((*shop.pool.connect_options()).clone()).await;
    let begun = Arc::new(Mutex::new(Vec::new()));
    let probe = |node: &'static str| {
        let begun = Arc::clone(&begun);
        Probe::new(&["CategoryCreated"], move |reaction| {
            begun.lock().unwrap().push((node, reaction.attempt, Instant::now()));
            std::future::pending()
        })
    };
    let first = start(&shop, probe("first")).await;
    shop.category("Tea").await;
    eventually("the first attempt", async || (!begun.lock().unwrap().is_empty()).then_some(())).await;
    let second = start(&other, probe("second")).await;
    // Longer than a claim lasts without renewal.
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(begun.lock().unwrap().len(), 1, "it is still under way on the first node");
    let died = Instant::now();
    drop(first);
    eventually("the second attempt", async || (begun.lock().unwrap().len() == 2).then_some(())).await;
    let (node, attempt, at) = begun.lock().unwrap()[1];
    assert_eq!((node, attempt), ("second", 2));
    assert!(at - died < Duration::from_secs(10), "{:?}", at - died);

    // A stopping server releases unfinished reactions as if it had not begun them.
    second.stop().await;
    let (attempts, due): (i32, bool) = sqlx::query_as("select attempts, due_at <= clock_timestamp() from reaction")
        .fetch_one(&shop.pool)
        .await
        .unwrap();
    assert_eq!((attempts, due), (1, true));
}

/// Counts by event and target.
type Counts = Arc<Mutex<BTreeMap<(i64, String), usize>>>;

fn counting(counts: &Counts, event_types: &'static [&'static str]) -> Probe {
    let counts = Arc::clone(counts);
    Probe::new(event_types, move |reaction| {
        *counts.lock().unwrap().entry((reaction.event.position, reaction.target)).or_default() += 1;
        async { Ok(()) }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_enqueue_each_event_once_and_carry_it_out_once() {
    let connect = fresh_database().await;
    let nodes = [TestShop::on(connect.clone()).await, TestShop::on(connect).await];
    let counts = Counts::default();
    let reactors = [start(&nodes[0], counting(&counts, &[])).await, start(&nodes[1], counting(&counts, &[])).await];
    let product = nodes[0].product("Kettle", "20.00", 1_000).await;
    let customers = [nodes[0].customer("Jo").await, nodes[1].customer("Ida").await];
    let buy = async |place: usize| {
        for _ in 0..20 {
            nodes[place].add(customers[place], product, 1).await;
            assert_eq!(nodes[place].check_out(customers[place]).await.status, StatusCode::CREATED);
        }
    };
    tokio::join!(buy(0), buy(1));
    wait_until_drained(&nodes[0]).await;
    let head: i64 = sqlx::query_scalar("select position from journal_head").fetch_one(&nodes[0].pool).await.unwrap();
    let expected: BTreeMap<_, _> = (1..=head).map(|position| ((position, String::new()), 1)).collect();
    assert_eq!(*counts.lock().unwrap(), expected);
    for reactors in reactors {
        reactors.stop().await;
    }
}

#[tokio::test]
async fn a_rebuild_causes_no_reaction() {
    let shop = TestShop::new().await;
    let counts = Counts::default();
    let reactors = start(&shop, counting(&counts, &[])).await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let customer = shop.customer("Jo").await;
    shop.add(customer, product, 2).await;
    shop.check_out(customer).await;
    shop.settle().await;
    wait_until_drained(&shop).await;
    let before = counts.lock().unwrap().clone();
    let stood = reactor(&shop).await;
    assert!(before.len() > 5, "{before:?}");
    let given = async || -> i64 {
        let query =
            "select coalesce(max(last_value), 0)::bigint from pg_sequences where sequencename like 'reaction_%'";
        sqlx::query_scalar(query).fetch_one(&shop.pool).await.unwrap()
    };
    let rows_ever = given().await;
    assert!(rows_ever > 5);
    for projection in PROJECTIONS {
        rebuild(&shop.pool, projection, &|_| ()).await.unwrap();
    }
    shop.verify().await;
    assert_eq!(given().await, rows_ever, "a rebuild has enqueued something");
    assert_eq!(reactor(&shop).await, stood);
    // New events still cause one reaction each.
    shop.category("Tea").await;
    wait_until_drained(&shop).await;
    assert_eq!(counts.lock().unwrap().len(), before.len() + 2);
    assert!(counts.lock().unwrap().values().all(|count| *count == 1));
    reactors.stop().await;
}

#[tokio::test]
async fn a_reactor_that_fails_while_enqueuing_does_not_block_others() {
    let shop = TestShop::new().await;
    let counts = Counts::default();
    let broken = |name: &'static str, how: bool| {
        let mut probe = counting(&Counts::default(), &[]);
        (probe.name, probe.broken) = (name, Some(how));
        Arc::new(probe) as Arc<dyn Reactor>
    };
    let all = vec![broken("a", true), broken("b", false), Arc::new(counting(&counts, &["CategoryCreated"]))];
    let reactors = start_all(&shop, all).await;
    for number in 0..3 {
        shop.category(&format!("Tea {number}")).await;
    }
    eventually("the reactions", async || (counts.lock().unwrap().len() == 3).then_some(())).await;
    let lags: Vec<_> =
        shop.read("reactors/").await.as_array().unwrap().iter().map(|reactor| reactor["lag"].clone()).collect();
    assert_eq!(lags[..2], [json!(6), json!(6)], "a broken reactor stops, and its lag shows it");
    reactors.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reactions_survive_repeatedly_terminated_sessions() {
    let shop = TestShop::new().await;
    for number in 0..150 {
        shop.category(&format!("Tea {number}")).await;
    }
    let counts = Counts::default();
    let mut probe = counting(&counts, &["CategoryCreated"]);
    probe.options = |options| ReactorOptions { start_at_first_event: true, concurrency: 1, ..options };
    let reactors = start(&shop, probe).await;
    let mut ended = 0;
    while counts.lock().unwrap().len() < 150 && ended < 100 {
        let others = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                      where datname = current_database() and pid <> pg_backend_pid() and query ilike '%reaction%'";
        let mut connection = (*shop.pool.connect_options()).clone().connect().await.unwrap();
        ended += sqlx::query_scalar::<_, i64>(others).fetch_one(&mut connection).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(ended > 10, "only {ended} sessions were ended");
    eventually("the reactions", async || (counts.lock().unwrap().len() == 150).then_some(())).await;
    eventually("the end of the reactions", async || {
        let left = sqlx::query_scalar::<_, i64>("select count(*) from reaction").fetch_one(&shop.pool).await;
        (left.ok()? == 0).then_some(())
    })
    .await;
    reactors.stop().await;
}

#[tokio::test]
async fn a_new_reactor_starts_with_the_next_event_by_default() {
    for (options, expected) in [
        ((|options| options) as fn(ReactorOptions) -> ReactorOptions, vec!["Coffee"]),
        (|options| ReactorOptions { start_at_first_event: true, ..options }, vec!["Tea", "Coffee"]),
    ] {
        let shop = TestShop::new().await;
        shop.category("Tea").await;
        let names = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&names);
        let mut probe = Probe::new(&["CategoryCreated"], move |reaction| {
            seen.lock().unwrap().push(reaction.event.payload["name"].as_str().unwrap().to_owned());
            async { Ok(()) }
        });
        probe.options = options;
        let reactors = start(&shop, probe).await;
        shop.category("Coffee").await;
        wait_until_drained(&shop).await;
        names.lock().unwrap().sort_by_key(|name| name != "Tea");
        assert_eq!(*names.lock().unwrap(), expected);
        reactors.stop().await;
    }
}

#[tokio::test]
async fn a_slow_target_does_not_block_others() {
    let shop = TestShop::new().await;
    let (gate, counts) = (Arc::new(Semaphore::new(0)), Counts::default());
    let (held, count) = (Arc::clone(&gate), Arc::clone(&counts));
    let mut probe = Probe::new(&["CategoryCreated"], move |reaction| {
        let (held, count) = (Arc::clone(&held), Arc::clone(&count));
        async move {
            *count.lock().unwrap().entry((0, reaction.target.clone())).or_default() += 1;
            if reaction.target == "slow" {
                held.acquire().await.unwrap().forget();
            }
            Ok(())
        }
    });
    probe.targets = &["fast", "slow"];
    probe.options = |options| ReactorOptions { concurrency: 4, concurrency_per_target: 2, ..options };
    let reactors = start(&shop, probe).await;
    for number in 0..20 {
        shop.category(&format!("Tea {number}")).await;
    }
    let of = |target: &str| counts.lock().unwrap().get(&(0, target.to_owned())).copied().unwrap_or_default();
    eventually("the fast target", async || (of("fast") == 20).then_some(())).await;
    assert_eq!(of("slow"), 2, "as many as may be under way");
    gate.add_permits(20);
    wait_until_drained(&shop).await;
    assert_eq!((of("fast"), of("slow")), (20, 20));
    reactors.stop().await;
}
