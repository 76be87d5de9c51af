//! Dump, check and deploy of the products.

use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use cartwright::applied_files::SectionCounts;
use cartwright::catalogue::{self, CatalogueShop, CheckReport, DeployOptions, DeployReport, DumpName, DumpOptions};
use image::ImageFormat;
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;

use crate::support::TestShop;
use crate::support::pictures::{picture, upload};

/// Reads and changes of the files of one shop.
struct Files<'a> {
    shop: &'a TestShop,
    connect: PgConnectOptions,
    folder: tempfile::TempDir,
}

impl<'a> Files<'a> {
    fn of(shop: &'a TestShop) -> Self {
        Self { shop, connect: (*shop.pool.connect_options()).clone(), folder: tempfile::tempdir().unwrap() }
    }

    fn catalogue(&self) -> CatalogueShop<'_> {
        let engine = &self.shop.engine;
        CatalogueShop {
            journal: &engine.journal,
            projector: &engine.projector,
            connect: &self.connect,
            pool: &self.shop.pool,
            media: &self.shop.media,
        }
    }

    async fn dump_to(&self, folder: &str, keep: usize) -> PathBuf {
        self.shop.settle().await;
        let options = DumpOptions {
            folder: self.folder.path().join(folder),
            name: DumpName::Dump,
            with_categories: true,
            keep: NonZeroUsize::new(keep),
            in_use: None,
        };
        catalogue::dump(&self.shop.engine.journal, &self.shop.engine.projector, &self.shop.pool, &options, &|_| ())
            .await
            .unwrap()
            .path
    }

    fn write(&self, content: &str) -> PathBuf {
        let path = self.folder.path().join("file.json");
        std::fs::write(&path, content).unwrap();
        path
    }

    async fn deploy(&self, path: &Path, options: &DeployOptions) -> anyhow::Result<DeployReport> {
        // The lock of a previous deployment ends with its connection.
        loop {
            match catalogue::deploy(&self.catalogue(), path, options, &|_, _| ()).await {
                Err(error) if error.to_string().contains("another file is being applied") => {
                    tokio::task::yield_now().await;
                }
                deployed => return deployed,
            }
        }
    }

    async fn force(&self, path: &Path) -> DeployReport {
        self.deploy(path, &DeployOptions { force: true, ..DeployOptions::default() }).await.unwrap()
    }

    async fn problems(&self, content: &str) -> Vec<String> {
        let path = self.write(content);
        match catalogue::check(&self.catalogue(), &path, &|_, _| ()).await {
            Ok(CheckReport { problems, .. }) => problems.iter().map(ToString::to_string).collect(),
            Err(error) => vec![format!("{error:#}")],
        }
    }

    async fn differences(&self, path: &Path) -> Vec<String> {
        let report = catalogue::compare(&self.catalogue(), path, &|_, _| ()).await.unwrap();
        assert_eq!(report.is_equal(), report.differences.is_empty());
        report.differences.iter().map(|difference| difference.to_string()).collect()
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A dump without what a deployment does not carry.
fn carried(path: &Path) -> Value {
    let mut dump = read(path);
    for section in ["products", "images"] {
        for element in dump[section].as_array_mut().unwrap() {
            element["fields"].as_object_mut().unwrap().remove("updated_at").unwrap();
        }
    }
    dump
}

fn counts(report: &DeployReport, section: &str) -> (u64, u64, u64) {
    let SectionCounts { created, changed, unchanged } = report.counts.0[section];
    (created, changed, unchanged)
}

/// A dump of products, each a pair of its number and more fields.
fn file_of(products: &[(i64, Value)]) -> Value {
    let element = |(pk, more): &(i64, Value)| {
        let mut fields = json!({ "title": format!("Product {pk}"), "price": "1.00", "category_id": 1 });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "model": "product.product", "pk": pk, "fields": fields })
    };
    json!({ "products": products.iter().map(element).collect::<Vec<_>>(), "phones": [], "images": [] })
}

#[tokio::test]
async fn a_dump_fills_an_empty_shop_whose_dump_is_the_same() {
    let shop = TestShop::new().await;
    let first = shop.product("Kettle \"é\" ☕", "20.00", 7).await;
    shop.product("Tea", "0.00", 0).await;
    let details = json!({
        "brand": "Acme", "on_sale": false, "specifications": { "z": [1, 2.5, null], "a": { "b": "ü" } },
        "weight_g": 1200, "dimensions": "20 × 15", "supplier_id": 77, "sku": "K-1", "description": "one\ntwo",
        "phone": { "brand": "Acme", "storage": 128, "is_new": true },
    });
    assert!(shop.send("PATCH", &format!("product/{first}/"), details, &[]).await.status.is_success());
    let imei = json!({ "imei": "356938035643809" });
    assert!(shop.send("PATCH", &format!("product/{first}/"), imei, &[]).await.status.is_success());
    let top = shop.category("Top").await;
    let below = json!({ "parent_id": top });
    assert!(shop.send("PATCH", "categories/1/", below, &[]).await.status.is_success());
    let files = Files::of(&shop);
    let before = files.dump_to("before", 1).await;
    let threshold = json!({ "low_stock_threshold": 3 });
    assert!(shop.send("PATCH", &format!("product/{first}/"), threshold, &[]).await.status.is_success());
    let dumped = files.dump_to("a", 1).await;
    let times = |path: &Path| read(path)["products"][0]["fields"]["updated_at"].as_str().unwrap().to_owned();
    assert!(times(&before) < times(&dumped), "a threshold of its own is a change of the product");
    assert_eq!(carried(&before), carried(&dumped));
    let again = files.dump_to("b", 1).await;
    assert_eq!(std::fs::read(&dumped).unwrap(), std::fs::read(&again).unwrap(), "equal byte for byte");
    assert_eq!(std::fs::metadata(&dumped).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&dumped).unwrap();
    assert!(!text.contains("356938035643809") && text.contains("☕"), "{text}");
    assert!(
        text.starts_with("{\n  \"categories\": [\n    {\n      \"model\": \"product.category\",\n      \"pk\": 1,\n"),
        "{text}"
    );
    assert!(text.ends_with("  ],\n  \"images\": []\n}\n"), "{text}");
    let fields: Vec<_> = read(&dumped)["products"][0]["fields"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        fields.join(" "),
        "title slug description price category_id supplier_id brand is_available created_at \
        updated_at image_urls sku stock specifications weight dimensions"
    );
    assert_eq!(read(&dumped)["phones"][0]["fields"].as_object().unwrap().len(), 18);

    let other = TestShop::new().await;
    let target = Files::of(&other);
    let planned = DeployOptions { dry_run: true, ..DeployOptions::default() };
    let planned = target.deploy(&dumped, &planned).await.unwrap();
    let lines: Vec<_> =
        planned.counts.to_string().lines().map(|line| line.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(lines, ["categories", "products", "phones"], "in the order of the format");
    assert_eq!((counts(&planned, "products"), other.log_position().await), ((2, 0, 0), 0), "a dry run changes nothing");
    let deployed = target.deploy(&dumped, &DeployOptions::default()).await.unwrap();
    assert_eq!((counts(&deployed, "products"), counts(&deployed, "phones")), ((2, 0, 0), (1, 0, 0)));
    assert_eq!(counts(&deployed, "categories"), (2, 0, 0));
    assert_eq!(carried(&target.dump_to("a", 1).await), carried(&dumped));
    assert_eq!(target.differences(&dumped).await, [""; 0]);
    let position = other.log_position().await;
    let refused = target.deploy(&dumped, &DeployOptions::default()).await.unwrap_err();
    assert!(refused.to_string().starts_with("the shop has products; deploy with --backup"), "{refused}");
    let repeated = target.force(&dumped).await;
    assert_eq!((counts(&repeated, "products"), counts(&repeated, "phones")), ((0, 0, 2), (0, 0, 1)));
    assert_eq!(other.log_position().await, position, "the same file again appends no event");

    let change = json!({ "price": "21.00", "on_sale": true });
    assert!(other.send("PATCH", &format!("product/{first}/"), change, &[]).await.status.is_success());
    let differences = target.differences(&dumped).await;
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert!(differences[0].ends_with("products 1: products: is_available, products: price"), "{differences:?}");
    let backups = target.folder.path().join("backups");
    let backup =
        || DeployOptions { backup: Some(backups.clone()), keep: NonZeroUsize::new(1), ..DeployOptions::default() };
    let restored = target.deploy(&dumped, &backup()).await.unwrap();
    let saved = restored.backup.unwrap();
    assert_eq!(read(&saved)["products"][0]["fields"]["price"], "21.00");
    assert!(saved.file_name().unwrap().to_str().unwrap().starts_with("heroku_backup_2"));
    assert_eq!(target.differences(&dumped).await, [""; 0]);
    let second = target.deploy(&saved, &backup()).await.unwrap();
    assert_eq!(second.deleted, [""; 0].map(PathBuf::from), "the file that is deployed stays");
    let third = target.deploy(&dumped, &backup()).await.unwrap();
    assert_eq!(third.deleted, [second.backup.unwrap(), saved], "older backups are deleted");
    let unusable = dumped.join("folder");
    let position = other.log_position().await;
    let failed = DeployOptions { backup: Some(unusable), ..DeployOptions::default() };
    assert!(target.deploy(&dumped, &failed).await.unwrap_err().to_string().contains("cannot create"));
    assert_eq!(other.log_position().await, position, "no backup, no deployment");

    let next = other.product("Next", "1.00", 1).await;
    assert_eq!(next, 3, "numbers continue after the highest");
    other.settle().await;
    other.verify().await;
    other.check_log().await;
}

#[tokio::test]
async fn every_problem_of_a_file_is_listed_with_its_place_and_changes_nothing() {
    let shop = TestShop::new().await;
    let (taken, gone) = (shop.product("Taken", "1.00", 1).await, shop.product("Gone", "1.00", 1).await);
    assert!(shop.send("PATCH", &format!("product/{taken}/"), json!({ "sku": "T-1" }), &[]).await.status.is_success());
    assert!(shop.send("DELETE", &format!("product/{gone}/"), Value::Null, &[]).await.status.is_success());
    let files = Files::of(&shop);
    let position = shop.log_position().await;

    let missing = files.folder.path().join("none.json");
    let error = catalogue::check(&files.catalogue(), &missing, &|_, _| ()).await.unwrap_err();
    assert!(format!("{error:#}").starts_with("cannot read "), "{error:#}");
    let error = files.problems("{\n  \"products\": [\n    {\"pk\": 1,, }\n").await;
    assert!(error[0].ends_with("file.json: line 3, column 14: key must be a string"), "{error:?}");
    let error = files.problems("{}").await;
    assert_eq!(error, ["products", "phones", "images"].map(|name| format!("the section `{name}` is missing")));

    let mut file = file_of(&[
        (10, json!({ "price": 1.5, "stock": -1, "weight": "heavy", "colour": "red", "is_available": null })),
        (11, json!({ "sku": "T-1" })),
        (12, json!({ "category_id": 99, "created_at": "yesterday" })),
        (13, json!({ "sku": "N-1", "slug": "n-1" })),
        (14, json!({ "sku": "n-1", "slug": "n-1" })),
        (13, json!({})),
        (gone, json!({})),
        (15, json!({ "title": " ", "slug": "No Slug", "specifications": [], "image_urls": { "main": 1 } })),
        (17, json!({ "specifications": { "sizes": [2.5, "NUMBER"] } })),
        (18, json!({ "image_urls": "x" })),
    ]);
    file["products"].as_array_mut().unwrap().push(json!({ "model": "product.phone", "pk": 16, "fields": {} }));
    file["products"].as_array_mut().unwrap().push(json!({ "model": "product.product", "pk": "x", "fields": {} }));
    file["phones"] = json!([
        { "model": "product.phone", "pk": 1, "fields": { "product_id": 13, "storage": "big", "imei": "1", "ram": 8, "colour": "red" } },
    ]);
    let image = |pk: i64, path: &str| json!({ "model": "product.imageproduct", "pk": pk, "fields": { "product_id": 13, "image": path, "ordre": pk } });
    file["images"] = json!([image(1, ""), image(2, "images/../../x.jpg")]);
    // Some programs write a byte order mark.
    let text = format!("\u{feff}{}", serde_json::to_string_pretty(&file).unwrap()).replace("\"NUMBER\"", "0.10");
    let problems = files.problems(&text).await;
    let expected = [
        "products 10: price: must be a string, not a number with decimals",
        "products 10: is_available: must be true or false, not null",
        "products 10: stock: must be a whole number from 0 to",
        "products 10: weight: must be a whole number, not a string",
        "products 10: colour: the format has no such field",
        "products 12: created_at: must be a time",
        "products 14: sku: product 13 of the file has this SKU too",
        "products 14: slug: product 13 of the file has this slug too",
        "products 13: pk: appears twice in the file",
        "products 15: title: must not be empty",
        "products 15: slug: must have only lower-case letters",
        "products 15: image_urls.main: must be a string, not a number",
        "products 15: specifications: must be an object, not an array",
        "products 17: specifications.sizes[1]: is the number 0.10, which would be kept as 0.1",
        "products 18: image_urls: must be an object, not a string",
        "products 16: model: must be \"product.product\"",
        "products: pk: must be a whole number above 0",
        "phones 1: imei: is stored apart from dumps",
        "phones 1: storage: must be a whole number, not a string",
        "phones 1: colour: the format has no such field",
        "images 1: image: must be the path of a file in the media store",
        "images 2: image: must be the path of a file in the media store",
    ];
    for expected in expected {
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected} is not in {problems:#?}");
    }
    assert!(problems.iter().all(|problem| problem.starts_with("line ")), "{problems:#?}");
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    assert!(problems.iter().all(|problem| !problem.contains("struct") && !problem.contains("i64")), "{problems:#?}");

    let mut file = file_of(&[(11, json!({ "sku": "T-1" })), (12, json!({ "category_id": 99 })), (gone, json!({}))]);
    file["phones"] = json!([{ "model": "product.phone", "pk": 1, "fields": { "product_id": 500, "ram": 8 } }]);
    let problems = files.problems(&serde_json::to_string_pretty(&file).unwrap()).await;
    let expected = [
        format!("products 11: the SKU already belongs to product {taken}"),
        "products 12: category 99 not found".to_owned(),
        format!("products {gone}: "),
        "phones 500: product not found".to_owned(),
    ];
    for expected in &expected {
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected} is not in {problems:#?}");
    }
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    let path = files.write(&file.to_string());
    let deployed = files.force(&path).await;
    assert_eq!((deployed.check.problems.len(), shop.log_position().await), (4, position), "nothing was changed");
}

#[tokio::test]
async fn a_deployment_keeps_what_the_file_does_not_say_and_lets_products_exchange_names() {
    let shop = TestShop::new().await;
    let (one, two) = (shop.product("One", "1.00", 5).await, shop.product("Two", "2.00", 0).await);
    for (product, sku) in [(one, "A"), (two, "B")] {
        let change = json!({ "sku": sku, "slug": sku.to_lowercase(), "brand": "Acme" });
        assert!(shop.send("PATCH", &format!("product/{product}/"), change, &[]).await.status.is_success());
    }
    let customer = shop.customer("Jo").await;
    shop.add(customer, one, 2).await;
    assert!(shop.check_out(customer).await.status.is_success());
    let files = Files::of(&shop);
    let exchanged = file_of(&[
        (one, json!({ "sku": "B", "slug": "b", "stock": 3 })),
        (two, json!({ "sku": "A", "slug": "a", "stock": 4, "title": "Two", "price": "2.00" })),
        (40, json!({ "created_at": "2020-01-02T03:04:05.123456Z" })),
    ]);
    let path = files.write(&exchanged.to_string());
    let deployed = files.force(&path).await;
    assert_eq!(deployed.check.problems, []);
    assert_eq!(counts(&deployed, "products"), (1, 2, 0));
    assert_eq!(files.differences(&path).await, [""; 0]);
    let product = shop.read(&format!("product/{one}/")).await;
    assert_eq!((&product["sku"], &product["slug"], &product["brand"]), (&"B".into(), &"b".into(), &"Acme".into()));
    assert_eq!((&product["stock"], &product["reserved"], &product["on_hand"]), (&3.into(), &2.into(), &5.into()));
    let dumped = read(&files.dump_to("a", 1).await);
    assert_eq!(dumped["products"][2]["fields"]["created_at"], "2020-01-02T03:04:05.123456Z");
    assert_eq!(shop.product("Next", "1.00", 1).await, 41);
    shop.check_log().await;
}

#[tokio::test]
async fn images_go_with_their_files_in_the_order_of_the_dump() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 1).await;
    let path = format!("product/{product}/images/");
    let mut images = Vec::new();
    for color in [10, 20, 30] {
        let added = upload(&shop, "POST", &path, &picture(20, 20, [color, 0, 0], ImageFormat::Png)).await;
        assert!(added.status.is_success(), "{}", added.body);
        images.push(added.body["image_id"].as_i64().unwrap());
    }
    images.rotate_right(1);
    let order = json!({ "image_ids": images });
    assert!(shop.send("PUT", &format!("{path}order/"), order, &[]).await.status.is_success());
    let files = Files::of(&shop);
    let dumped = files.dump_to("a", 1).await;
    let dump = read(&dumped);
    let urls = &dump["products"][0]["fields"]["image_urls"];
    assert!(urls["main"].is_string() && urls["gallery"].as_array().unwrap().len() == 2, "{urls}");
    assert_eq!(dump["images"][2]["fields"]["ordre"], 1);

    let other = TestShop::new().await;
    let target = Files::of(&other);
    let missing = target.deploy(&dumped, &DeployOptions::default()).await.unwrap();
    let problems: Vec<_> = missing.check.problems.iter().map(ToString::to_string).collect();
    assert_eq!((problems.len(), other.log_position().await), (3, 0), "{problems:?}");
    assert!(problems[0].contains("images ") && problems[0].ends_with("is not in the media store"), "{problems:?}");

    std::fs::create_dir_all(&other.media_dir).unwrap();
    let copied = Command::new("cp").args(["-r", "-T"]).arg(&shop.media_dir).arg(&other.media_dir).status();
    assert!(copied.unwrap().success());
    let deployed = target.deploy(&dumped, &DeployOptions::default()).await.unwrap();
    assert_eq!(counts(&deployed, "images"), (3, 0, 0));
    assert_eq!(carried(&target.dump_to("a", 1).await), carried(&dumped));
    let position = other.log_position().await;
    assert_eq!(counts(&target.force(&dumped).await, "images"), (0, 0, 3));
    assert_eq!(other.log_position().await, position);

    let removed = format!("product/{product}/images/{}/", images[1]);
    assert!(other.send("DELETE", &removed, Value::Null, &[]).await.status.is_success());
    let refused = target.deploy(&dumped, &DeployOptions { force: true, ..DeployOptions::default() }).await.unwrap();
    assert_eq!(refused.check.problems.len(), 1, "the number of a removed image is not free");
    other.check_log().await;
}
