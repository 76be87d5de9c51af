//! Playing a sales history: interrupted, repeated, and beside existing products and customers.

use std::fmt::Write;

use cartwright::domain::money::Money;
use cartwright::domain::text::{Name, Sku};
use cartwright::journal::{Actor, Context};
use cartwright::play::{PlayOptions, PlayReport, play};
use cartwright::shop::{CategoryKey, ChangeProduct, CreateProduct};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::support::archived::{archive_all, counts};
use crate::support::{TestShop, fresh_database};

const HEADER: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

/// Invoices of three lines, among 40 products and 12 customers; every fifth is a guest's. Then a tenth as many
/// cancellations.
fn history_of(invoices: usize) -> String {
    let mut history = HEADER.to_owned();
    for invoice in 0..invoices {
        let customer = if invoice % 5 == 0 { String::new() } else { (17_000 + invoice % 12).to_string() };
        for line in 0..3 {
            let product = (invoice * 7 + line * 11) % 40;
            let (quantity, cents) = (1 + invoice % 9, 10 + product);
            let minute = invoice % 60;
            writeln!(
                history,
                "{invoice},p{product},Product {product},{quantity},2011-03-01 09:{minute:02}:00,1.{cents},{customer},UK"
            )
            .unwrap();
        }
    }
    for invoice in (1..invoices).step_by(10) {
        let (customer, product) = (17_000 + invoice % 12, (invoice * 7) % 40);
        let cents = 10 + product;
        writeln!(history, "C{invoice},p{product},x,-3,2011-03-02 09:00:00,1.{cents},{customer},UK").unwrap();
    }
    history
}

async fn play_all(shop: &TestShop, history: &str) -> PlayReport {
    let options = PlayOptions { concurrency: 16, sales_only: false };
    let (journal, projector) = (&shop.engine.journal, &shop.engine.projector);
    play(journal, projector, &shop.pool, history.as_bytes(), &ProgressBar::hidden(), &options).await.unwrap()
}

/// Every event by stream, without its time and its batch.
async fn log(shop: &TestShop) -> Vec<(String, String, i64, Value)> {
    sqlx::query_as(
        "select aggregate_type, aggregate_id, sequence, payload from events
         order by aggregate_type, aggregate_id, sequence",
    )
    .fetch_all(&shop.pool)
    .await
    .unwrap()
}

async fn stock(shop: &TestShop, product: &str) -> i64 {
    let row: (i64,) = sqlx::query_as(
        "select (payload ->> 'on_hand')::bigint - (payload ->> 'reserved')::bigint from events
         where aggregate_type = 'Product' and payload ? 'on_hand' and aggregate_id = (
             select payload ->> 'holder' from events where aggregate_id = 'product-sku:' || $1
         )
         order by sequence desc limit 1",
    )
    .bind(product)
    .fetch_one(&shop.pool)
    .await
    .unwrap();
    row.0
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_play_that_is_repeated_ends_in_the_same_state() {
    let history = history_of(150);
    let whole = TestShop::new().await;
    let report = play_all(&whole, &history).await;
    assert_eq!((report.orders, report.products_created, report.customers_registered), (150, 40, 12));
    assert!(report.units_returned > 15, "{report}");
    let end = whole.engine.journal.position();

    let database = fresh_database().await;
    for position in [20, 90, 160, 400, 600, end - 20] {
        let shop = TestShop::on(database.clone()).await;
        let mut head = shop.engine.journal.head();
        tokio::select! {
            _ = play_all(&shop, &history) => panic!("it ended before position {position}"),
            reached = head.wait_for(|head| *head >= position) => { reached.unwrap(); }
        }
    }
    let shop = TestShop::on(database).await;
    let report = play_all(&shop, &history).await;
    assert!(report.orders == 0 && (150..165).contains(&report.already_played), "{report}");
    assert_eq!(log(&shop).await, log(&whole).await);
    shop.check_log().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_between_the_parts_of_a_play_changes_no_figure() {
    const FIGURES: [&str; 6] = [
        "bestsellers/?limit=1000",
        "customer-stats/?limit=1000",
        "category-stats/",
        "low-stock/?threshold=1000",
        "sales/?by=day",
        "never-ordered/?limit=1000",
    ];
    let (part, whole) = (history_of(40), history_of(60));
    let mut figures = Vec::new();
    for is_archived in [true, false] {
        let shop = TestShop::new().await;
        for (round, history) in [&part, &whole, &whole].into_iter().enumerate() {
            play_all(&shop, history).await;
            // Orders of all ages are closed; later cancellations return their units.
            for order in (1..40).step_by(2).filter(|_| round == 0) {
                shop.complete_order(order).await;
            }
            if is_archived {
                archive_all(&shop).await;
            }
        }
        shop.settle().await;
        let (_, archived) = counts(&shop.pool).await;
        assert_eq!(archived > 0, is_archived);
        let mut seen = Vec::new();
        for path in FIGURES {
            seen.push(shop.read(path).await.to_string());
        }
        figures.push(seen);
        if is_archived {
            shop.check_log().await;
            shop.verify().await;
        }
    }
    assert_eq!(figures[0], figures[1]);
}

#[tokio::test]
async fn orders_are_numbered_in_the_order_of_the_file() {
    let shop = TestShop::new().await;
    play_all(&shop, &history_of(100)).await;
    let references: Vec<String> = sqlx::query_scalar(
        "select payload ->> 'reference' from events where event_type = 'OrderPlaced' order by aggregate_id::bigint",
    )
    .fetch_all(&shop.pool)
    .await
    .unwrap();
    assert_eq!(references, (0..100).map(|invoice| invoice.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_existing_product_is_reused_and_only_missing_stock_is_added() {
    let shop = TestShop::new().await;
    shop.category("Garden").await;
    let create = |sku: &str, stock| CreateProduct {
        sku: Some(Sku::parse(sku).unwrap()),
        stock,
        ..CreateProduct::new(
            Name::parse("Spade").unwrap(),
            Money::parse("30.00").unwrap(),
            CategoryKey::Name(Name::parse("Garden").unwrap()),
        )
    };
    let context = || Context::of(Actor { id: "test".to_owned(), role: "admin" });
    for (sku, stock) in [("A", 5), ("B", 50)] {
        shop.engine.journal.run(create(sku, stock), context()).await.unwrap();
    }
    let gone = shop.engine.journal.run(create("C", 1), context()).await.unwrap().answer.product_id;
    let discontinue = ChangeProduct { discontinued: Some(true), ..ChangeProduct::of(gone) };
    shop.engine.journal.run(discontinue, context()).await.unwrap();

    let sales = "1,a,x,12,2011-03-01 09:00:00,25.00,,UK\n\
                 2,B,x,12,2011-03-01 09:00:00,25.00,,UK\n\
                 3,C,x,1,2011-03-01 09:00:00,25.00,,UK\n";
    let report = play_all(&shop, &format!("{HEADER}{sales}")).await;
    assert_eq!((report.orders, report.products_created), (2, 0));
    assert_eq!(report.refused, [("3".to_owned(), format!("product {gone} (Spade): discontinued"))]);
    assert_eq!((stock(&shop, "a").await, stock(&shop, "b").await), (0, 38));
}

#[tokio::test]
async fn a_cancellation_takes_units_from_the_latest_earlier_order_that_still_has_them() {
    let sales = "1,A,x,5,2011-03-01 09:00:00,2.50,17,UK\n\
                 1,A,x,3,2011-03-01 09:00:00,2.00,17,UK\n\
                 2,A,x,2,2011-03-02 09:00:00,2.50,17,UK\n\
                 2,B,x,1,2011-03-02 09:00:00,9.00,17,UK\n\
                 3,A,x,7,2011-03-03 09:00:00,2.50,18,UK\n\
                 4,A,x,9,2011-03-09 09:00:00,2.50,17,UK\n\
                 5,B,x,4,2011-03-02 10:00:00,9.00,,UK\n";
    let cancellations = "C1,A,x,-4,2011-03-05 09:00:00,2.50,17,UK\n\
                         C1,B,x,-1,2011-03-05 09:00:00,9.00,17,UK\n\
                         C2,A,x,-7,2011-03-05 09:00:00,2.50,18,UK\n\
                         C3,A,x,-5,2011-03-05 09:00:00,2.50,17,UK\n\
                         C3,A,x,-1,2011-03-05 09:00:00,1.99,17,UK\n\
                         C4,B,x,-4,2011-03-05 09:00:00,9.00,,UK\n\
                         C5,A,x,-1,2011-02-05 09:00:00,2.50,17,UK\n\
                         C6,Z,x,-1,2011-03-05 09:00:00,2.50,17,UK\n";
    let shop = TestShop::new().await;
    let history = format!("{HEADER}{sales}{cancellations}");
    let report = play_all(&shop, &history).await;
    let seen = (report.orders, report.orders_cancelled, report.orders_returned, report.units_returned);
    // C1 takes all of order 2 and two of order 1; C2 all of order 3; C3 the other three of order 1, and misses two.
    assert_eq!(seen, (5, 2, 2, 4 + 1 + 7 + 3), "{report}");
    let skipped: Vec<_> = report.skipped.iter().map(|row| (row.line, row.reason)).collect();
    let no_sale = "cancellation of a product that the customer did not buy before";
    let partly = "cancellation of more units than the customer bought before";
    assert_eq!(skipped, [(12, partly), (13, no_sale), (14, no_sale), (15, no_sale), (16, no_sale)]);
    shop.settle().await;
    let best = shop.read("bestsellers/").await;
    let best: Vec<_> = best.as_array().unwrap().iter().map(|row| (&row["total_sold"], &row["total_revenue"])).collect();
    assert_eq!(best, [(&json!(12), &json!("28.50")), (&json!(4), &json!("36.00"))]);
    let stats = shop.read("customer-stats/").await;
    assert_eq!((&stats[0]["total_orders"], &stats[0]["total_spent"]), (&json!(2), &json!("28.50")));
    assert_eq!((&stats[1]["total_orders"], &stats[1]["total_spent"]), (&json!(0), &json!("0.00")));

    let position = shop.engine.journal.position();
    let again = play_all(&shop, &history).await;
    assert_eq!((again.orders, again.already_played, again.units_returned), (0, 8, 0));
    assert_eq!(shop.engine.journal.position(), position, "playing again changes nothing");
    shop.verify().await;
    shop.check_log().await;
}
