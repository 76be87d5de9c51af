//! Half a year of a real shop's sales, and the figures that the statistics must show.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cartwright::play::{PlayOptions, PlayReport, play};
use indicatif::ProgressBar;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::support::TestShop;

fn data() -> (PathBuf, Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let expected = std::fs::read_to_string(folder.join("online_retail_2010-12_2011-05.expected.json"));
    let expected = expected.expect("the data of the real shop is in ../shared/data");
    (folder.join("online_retail_2010-12_2011-05.csv.xz"), serde_json::from_str(&expected).unwrap())
}

fn unpacked(file: &Path) -> impl Read {
    let xz = Command::new("xz").arg("-dc").arg(file).stdout(Stdio::piped()).spawn();
    xz.expect("xz is needed to unpack the data").stdout.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the data of a real shop in ../shared/data"]
async fn half_a_year_of_a_real_shop_gives_the_expected_figures() {
    let (file, expected) = data();
    let shop = TestShop::new().await;
    let report = play_file(&shop, &file, true).await;
    assert_eq!(json!(report.orders), expected["orders"]);
    assert_eq!(json!(report.lines), expected["lines"]);
    assert_eq!(json!(report.skipped.len()), expected["rejected_rows"]);
    assert!(report.refused.is_empty(), "{:?}", report.refused);
    shop.settle().await;

    let sum = |rows: &Value, field: &str| {
        rows.as_array().unwrap().iter().map(|row| row[field].as_i64().unwrap()).sum::<i64>()
    };
    let months = shop.read("sales/?by=month").await;
    assert_eq!(json!(sum(&months, "orders")), expected["orders"]);
    assert_eq!(json!(sum(&months, "units")), expected["units"]);
    for month in months.as_array().unwrap() {
        let name = &month["period"].as_str().unwrap()[..7];
        assert_eq!(month["revenue"], expected["revenue_by_month"][name], "{name}");
    }
    let categories = shop.read("category-stats/").await;
    assert_eq!(sum(&categories, "product_count"), expected["products"].as_i64().unwrap());
    assert_eq!(pages(&shop, "customer-stats/?limit=1000").await.len() as i64, expected["customers"].as_i64().unwrap());
    let orders = pages(&shop, "orders/?limit=1000").await;
    assert_eq!(orders.len() as i64, expected["orders"].as_i64().unwrap());
    let guests = orders.iter().filter(|order| order["customer_id"].is_null()).count();
    assert_eq!(json!(guests), expected["guest_orders"]);
    let lines: i64 = orders.iter().map(|order| order["line_count"].as_i64().unwrap()).sum();
    assert_eq!(json!(lines), expected["lines"]);
    let revenue: rust_decimal::Decimal = orders
        .iter()
        .map(|order| order["total_amount"].as_str().unwrap().parse::<rust_decimal::Decimal>().unwrap())
        .sum();
    assert_eq!(json!(revenue.to_string()), expected["revenue"]);

    let best = shop.read("bestsellers/?limit=25").await;
    for (row, expected) in best.as_array().unwrap().iter().zip(expected["bestsellers"].as_array().unwrap()) {
        let product = shop.read(&format!("product/{}/", row["product_id"])).await;
        let found =
            json!({ "sku": product["sku"], "total_sold": row["total_sold"], "total_revenue": row["total_revenue"] });
        assert_eq!(found, *expected);
    }
    assert_eq!(best.as_array().unwrap().len(), 25);
    let by_day = shop.read("bestsellers/?limit=25&from=2010-12-01&to=2011-05-31").await;
    assert_eq!(by_day, best, "the days add up to the whole");

    let customers = shop.read("customer-stats/?limit=25").await;
    for (row, expected) in customers.as_array().unwrap().iter().zip(expected["customers_by_spent"].as_array().unwrap())
    {
        let number = row["email"].as_str().unwrap().split('@').next().unwrap();
        let found =
            json!({ "customer": number, "total_orders": row["total_orders"], "total_spent": row["total_spent"] });
        assert_eq!(found, *expected);
    }

    // The same sales, which add no order, and the cancellations.
    let taken = play_file(&shop, &file, false).await;
    shop.settle().await;
    let kept = kept(&file);
    let units: i64 = kept.products.values().map(|(units, _)| units).sum();
    assert_eq!(json!(taken.already_played), expected["orders"]);
    assert_eq!((taken.orders, taken.units_returned), (0, expected["units"].as_i64().unwrap() - units));
    let rejected = expected["rejected_rows"].as_i64().unwrap();
    assert_eq!(taken.skipped.len() as i64, rejected - kept.rows_taken_back);
    let mut products: Vec<_> = kept.products.into_iter().filter(|(_, (units, _))| *units > 0).collect();
    products.sort_by_key(|(_, (units, _))| -units);
    let best = shop.read("bestsellers/?limit=25").await;
    for (row, (sku, (units, revenue))) in best.as_array().unwrap().iter().zip(products) {
        let product = shop.read(&format!("product/{}/", row["product_id"])).await;
        assert_eq!(
            (&product["sku"], &row["total_sold"], &row["total_revenue"]),
            (&json!(sku), &json!(units), &json!(format!("{revenue:.2}")))
        );
        assert_ne!(sku, "23166");
    }
    let spent = pages(&shop, "customer-stats/?limit=1000").await;
    let spent: Decimal = spent.iter().map(|row| row["total_spent"].as_str().unwrap().parse::<Decimal>().unwrap()).sum();
    assert_eq!(spent, kept.spent_by_customers);
    let by_day = shop.read("bestsellers/?limit=25&from=2010-12-01&to=2011-05-31").await;
    assert_eq!(by_day, best, "the days add up to the whole");

    let position = shop.engine.journal.position();
    let again = play_file(&shop, &file, false).await;
    assert_eq!((again.orders, again.units_returned), (0, 0));
    assert_eq!(shop.engine.journal.position(), position, "playing again changes nothing");
    shop.check_log().await;
    shop.verify().await;
}

async fn play_file(shop: &TestShop, file: &Path, sales_only: bool) -> PlayReport {
    let options = PlayOptions { concurrency: 64, sales_only };
    let (journal, projector) = (&shop.engine.journal, &shop.engine.projector);
    play(journal, projector, &shop.pool, unpacked(file), &ProgressBar::hidden(), &options).await.unwrap()
}

/// Sales less cancellations, computed from the file alone.
#[derive(Default)]
struct Kept {
    /// Units and money by code.
    products: HashMap<String, (i64, Decimal)>,
    spent_by_customers: Decimal,
    /// Rows of cancellations that found all their units.
    rows_taken_back: i64,
}

fn kept(file: &Path) -> Kept {
    struct Sold {
        at: String,
        units: i64,
    }
    let mut sold: HashMap<(String, String, Decimal), Vec<Sold>> = HashMap::new();
    let mut kept = Kept::default();
    let mut cancelled = Vec::new();
    for row in csv::Reader::from_reader(unpacked(file)).records() {
        let row = row.unwrap();
        let units: i64 = row[3].parse().unwrap();
        let price: Decimal = row[5].parse::<Decimal>().unwrap().normalize();
        if row[0].starts_with('A') || price.scale() > 2 || price <= Decimal::ZERO {
            continue;
        }
        let key = (row[6].to_owned(), row[1].trim().to_uppercase(), price);
        if row[0].starts_with('C') {
            cancelled.push((key, row[4].to_owned(), -units));
        } else if units > 0 {
            let product = kept.products.entry(key.1.clone()).or_default();
            product.0 += units;
            product.1 += price * Decimal::from(units);
            if !key.0.is_empty() {
                kept.spent_by_customers += price * Decimal::from(units);
                sold.entry(key).or_default().push(Sold { at: row[4].to_owned(), units });
            }
        }
    }
    for (key, at, units) in cancelled {
        let mut left = units;
        for sale in sold.entry(key.clone()).or_default().iter_mut().rev().filter(|sale| sale.at <= at) {
            let taken = left.min(sale.units);
            sale.units -= taken;
            left -= taken;
        }
        let money = key.2 * Decimal::from(units - left);
        if units > left {
            let product = kept.products.get_mut(&key.1).unwrap();
            product.0 -= units - left;
            product.1 -= money;
            kept.spent_by_customers -= money;
        }
        kept.rows_taken_back += i64::from(left == 0);
    }
    kept
}

/// All pages of a list, along their links.
async fn pages(shop: &TestShop, path: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut path = path.to_owned();
    loop {
        let answer = shop.get(&path).await;
        rows.extend(answer.body.as_array().unwrap().iter().cloned());
        let link = answer.header("link");
        let Some(next) = link.strip_prefix("</shop/api/").and_then(|link| link.split('>').next()) else { break };
        path = next.to_owned();
    }
    rows
}
