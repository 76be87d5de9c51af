//! Import of products from CSV files: what is recognised, what is refused with its line, and an interrupted import.

use std::path::PathBuf;
use std::time::Duration;

use cartwright::catalogue::{ColumnOptions, ImportError, ImportOptions, ImportReport, import_products};
use indicatif::ProgressBar;
use tempfile::TempDir;

use crate::support::TestShop;

struct Import<'shop> {
    shop: &'shop TestShop,
    folder: TempDir,
}

impl Import<'_> {
    fn write(&self, content: &[u8]) -> PathBuf {
        let file = self.folder.path().join("products.csv");
        std::fs::write(&file, content).unwrap();
        file
    }

    async fn run(&self, content: &[u8], options: &ImportOptions) -> Result<ImportReport, ImportError> {
        let file = self.write(content);
        let (journal, pool) = (&self.shop.engine.journal, &self.shop.pool);
        import_products(journal, &pool.connect_options(), pool, &file, options, &ProgressBar::hidden()).await
    }

    async fn report(&self, content: &str, options: &ImportOptions) -> ImportReport {
        self.run(content.as_bytes(), options).await.unwrap()
    }
}

fn counts(report: &ImportReport) -> String {
    report.counts.to_string()
}

fn mapped() -> ImportOptions {
    let mapping = vec![("price".to_owned(), "Preis".to_owned())];
    ImportOptions { columns: ColumnOptions { mapping, ignore_others: false }, ..ImportOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_become_products_and_faulty_ones_are_named_with_their_lines() {
    let shop = TestShop::new().await;
    let kettle = shop.product("Kettle", "20.00", 5).await;
    let import = Import { shop: &shop, folder: tempfile::tempdir().unwrap() };
    let file = format!(
        "\u{feff}SKU,Title,Preis,Category,Stock,Product ID,Description\r\n\
         CUP-1,Cup,2.50,Kitchen,3,,\"two\r\nlines\"\r\n\
         ,,21.00,,,{kettle},\r\n\
         TEA-1,'=Tea,1.00,Kitchen,,,\r\n\
         BAD-1,Pot,\"1,50\",Kitchen,,,\r\n\
         BAD-2,Pan,1.50,Garden,,,\r\n\
         BAD-3,Pan\r\n\
         BAD-4,Lid,1.50,Kitchen,many,,\r\n\
         ,,,,,99,\r\n"
    );
    let preview = ImportOptions { dry_run: true, ..mapped() };
    let before = shop.log_position().await;
    let report = import.report(&file, &preview).await;
    assert!(report.to_string().contains("Preis        price"), "{report}");
    assert_eq!((counts(&report).as_str(), report.refused.len()), ("products: 2 created, 1 changed, 0 unchanged", 5));
    assert_eq!(shop.log_position().await, before, "a dry run changed something");
    for (expected, unchanged) in
        [("products: 2 created, 1 changed, 0 unchanged", 0), ("products: 0 created, 0 changed, 3 unchanged", 3)]
    {
        let position = shop.log_position().await;
        let report = import.report(&file, &mapped()).await;
        assert_eq!(counts(&report), expected);
        let lines: Vec<_> = report.refused.iter().map(|refused| refused.line).collect();
        assert_eq!(lines, [6, 7, 8, 9, 10], "{report}");
        assert_eq!(shop.log_position().await == position, unchanged == 3);
        for (place, reason) in
            ["price must", "category", "too few columns", "Stock must be a whole number", "not found"]
                .into_iter()
                .enumerate()
        {
            assert!(report.refused[place].reason.contains(reason), "{reason}: {report}");
        }
    }
    shop.settle().await;
    let products = shop.read("products/?view=stock").await;
    let found = products.as_array().unwrap().iter().map(|product| {
        format!("{} {} {}", product["name"].as_str().unwrap(), product["price"].as_str().unwrap(), product["on_hand"])
    });
    let found: Vec<_> = found.collect();
    assert_eq!(found, ["=Tea 1.00 0", "Cup 2.50 3", "Kettle 21.00 5"]);

    let garden = "sku,name,price,category\nG-1,Rake,9.00,Garden\nG-2,Hoe,8.00,Garden\n";
    let creating = ImportOptions { create_categories: true, ..ImportOptions::default() };
    assert_eq!(counts(&import.report(garden, &creating).await), "products: 2 created, 0 changed, 0 unchanged");

    shop.check_log().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_names_no_product_creates_it_once() {
    let shop = TestShop::new().await;
    shop.category("Garden").await;
    let import = Import { shop: &shop, folder: tempfile::tempdir().unwrap() };
    let plain = ImportOptions::default();
    // Equal rows are a product each. One row has an SKU, and one an error.
    let rows = "sku,name,price,category,imei\n,Spade,9.00,Garden,\nR-1,Rake,9.00,Garden,\n,Spade,9.00,Garden,\n,Hoe,x,Garden,\n";
    let created = import.report(rows, &plain).await;
    assert_eq!((counts(&created).as_str(), created.refused.len()), ("products: 3 created, 0 changed, 0 unchanged", 1));
    let position = shop.log_position().await;
    let previewed = import.report(rows, &ImportOptions { dry_run: true, ..plain.clone() }).await;
    for report in [previewed, import.report(rows, &plain).await] {
        assert_eq!(counts(&report), "products: 0 created, 0 changed, 3 unchanged");
    }
    // The columns are in another order, and the row with the error is mended: the others are recognised.
    let mended =
        "name,price,category,sku\nHoe,8.00,Garden,\nSpade,9.00,Garden,\nSpade,9.00,Garden,\nRake,9.00,Garden,R-1\n";
    assert_eq!(counts(&import.report(mended, &plain).await), "products: 1 created, 0 changed, 3 unchanged");
    assert_eq!(shop.log_position().await, position + 4, "category, product, slug and row");
    // A column without any key.
    let nameless = "name,price,category\nSpade,9.00,Garden\nPot,1.00,Garden\n";
    assert_eq!(counts(&import.report(nameless, &plain).await), "products: 1 created, 0 changed, 1 unchanged");
    let again = ImportOptions { again: true, ..plain };
    assert_eq!(counts(&import.report(nameless, &again).await), "products: 2 created, 0 changed, 0 unchanged");
    assert_eq!(shop.read("products/").await.as_array().unwrap().len(), 7);
    shop.check_log().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_a_constraint_refuses_is_left_out_and_the_others_of_its_slice_are_imported() {
    let shop = TestShop::new().await;
    let kettle = shop.product("Kettle", "20.00", 5).await;
    let device = serde_json::json!({ "imei": "356938035643809" });
    assert!(shop.send("PATCH", &format!("product/{kettle}/"), device, &[]).await.status.is_success());
    let import = Import { shop: &shop, folder: tempfile::tempdir().unwrap() };
    let rows = "sku,name,price,category,imei\nA,Phone A,1.00,Kitchen,490154203237518\nB,Phone B,1.00,Kitchen,356938035643809\n\
                C,Phone C,1.00,Kitchen,\n";
    // The log does not know whether an IMEI is another one, so setting it again is a change.
    for (expected, round) in
        [("products: 2 created, 0 changed, 0 unchanged", 1), ("products: 0 created, 1 changed, 1 unchanged", 2)]
    {
        let report = import.report(rows, &ImportOptions::default()).await;
        let refused: Vec<_> = report.refused.iter().map(|refused| (refused.line, refused.reason.as_str())).collect();
        assert_eq!((counts(&report).as_str(), refused.len()), (expected, 1), "round {round}: {refused:?}");
        assert!(refused[0].0 == 3 && refused[0].1.contains("IMEI"), "{refused:?}");
    }
    let events: Vec<String> =
        sqlx::query_scalar("select payload::text from events").fetch_all(&shop.pool).await.unwrap();
    assert!(events.iter().all(|event| !event.contains("356938035643809") && !event.contains("490154203237518")));
    shop.check_log().await;
}

#[tokio::test]
async fn a_suspicious_file_changes_nothing() {
    let shop = TestShop::new().await;
    shop.category("Kitchen").await;
    let import = Import { shop: &shop, folder: tempfile::tempdir().unwrap() };
    let before = shop.log_position().await;
    for (file, expected) in [
        (&b"sku;name;price\nA;B;1\n"[..], "separated by ';'"),
        (b"sku,name,price,category\nA,\"B,1.00,Kitchen\nC,D,1.00,Kitchen\n", "line 2: a quote opens here"),
        (b"sku,name,SKU\nA,B,C\n", "is there twice"),
        (b"sku,name,colour\nA,B,red\n", "unknown columns: \"colour\""),
        (b"a,b\n1,2\n", "no column is a field"),
        (b"sku,name\n", "the file has no rows"),
        (b"", "the file is empty"),
        (b"\xff\xfes\0k\0u\0", "UTF-16"),
    ] {
        let error = import.run(file, &ImportOptions::default()).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let rows = b"sku,name,price,category\nA,caf\xe9,1.00,Kitchen\n\0,B,1.00,Kitchen\n";
    let report = import.run(rows, &ImportOptions::default()).await.unwrap();
    let reasons: Vec<_> = report.refused.iter().map(|refused| (refused.line, refused.reason.as_str())).collect();
    assert!(reasons[0].1.starts_with("not UTF-8") && reasons[1].1.contains("NUL"), "{reasons:?}");
    assert_eq!((reasons[0].0, reasons[1].0, shop.log_position().await), (2, 3, before));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_import_is_finished_by_the_same_command() {
    const ROWS: usize = 1_060;
    let shop = TestShop::new().await;
    shop.category("Kitchen").await;
    let import = Import { shop: &shop, folder: tempfile::tempdir().unwrap() };
    // Without a number or an SKU, so that a row that is applied twice is a product too many.
    let rows: String = (0..ROWS).map(|number| format!("Cup {number},2.00,Kitchen\n")).collect();
    let file = format!("name,price,category\n{rows}");
    let options = ImportOptions::default();
    let interrupted = async {
        let count = "select count(*) from events where event_type = 'ProductCreated'";
        while sqlx::query_scalar::<_, i64>(count).fetch_one(&shop.pool).await.unwrap() < 100 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        report = import.run(file.as_bytes(), &options) => panic!("it was not interrupted: {report:?}"),
        () = interrupted => {}
    }
    let report = loop {
        match import.run(file.as_bytes(), &options).await {
            // The lock of the interrupted import ends with its connection.
            Err(ImportError::Apply(cartwright::catalogue::ApplyError::Running)) => tokio::task::yield_now().await,
            outcome => break outcome.unwrap(),
        }
    };
    assert!(report.continued_after >= 100, "{report}");
    assert_eq!(counts(&report), format!("products: {ROWS} created, 0 changed, 0 unchanged"));
    let created: i64 = sqlx::query_scalar("select count(*) from events where event_type = 'ProductCreated'")
        .fetch_one(&shop.pool)
        .await
        .unwrap();
    assert_eq!(usize::try_from(created).unwrap(), ROWS);
    shop.check_log().await;
}
