//! Hard cases for pages: long names, many lines, other scripts, many pictures, a parked reaction.

use image::ImageFormat;
use serde_json::{Value, json};

use super::api::{Api, address};
use crate::support::pictures::picture;
use crate::support::reactors::eventually;

/// What a page may find hard to show, by number.
pub struct Sample {
    /// A product with a very long name, ten pictures and every field.
    pub product: i64,
    /// A product with a name of right-to-left text and emoji.
    pub foreign_product: i64,
    /// A family of three products with one option.
    pub family: i64,
    /// A category without a product.
    pub empty_category: i64,
    /// A customer with very long names and a full cart.
    pub customer: i64,
    /// A customer who has nothing yet.
    pub new_customer: i64,
    /// An order of a guest that is still to be paid.
    pub open_order: i64,
    /// An order with 1,000 lines.
    pub long_order: i64,
    /// An order that was paid, shipped, and returned in part.
    pub returned_order: i64,
    pub webhook: i64,
}

const LINES: usize = 1_000;
const PICTURES: u8 = 10;

pub async fn load(api: &Api) -> Sample {
    let empty = json!({ "category_name": "Spare parts without a single product yet" });
    let (category, product, foreign_product, customer, new_customer, family, webhook) = tokio::join!(
        api.post("categories/", empty),
        long_product(api),
        api.product("إبريق شاي من الخزف 🫖🍵 — чайник — 茶壶", "1234567.89", 3),
        long_customer(api),
        api.customer("Li", "O"),
        family(api),
        parked_reaction(api),
    );
    let (cart, item) =
        (format!("customer/{customer}/cart/items/"), json!({ "product_id": foreign_product, "quantity": 1 }));
    let lines = [(foreign_product, 1)];
    let (_, open_order, returned_order, long_order) = tokio::join!(
        api.post(&cart, item),
        api.order(&lines),
        returned_order(api, product),
        long_order(api, product, customer),
    );
    Sample {
        product,
        foreign_product,
        family,
        empty_category: category["category_id"].as_i64().unwrap(),
        customer,
        new_customer,
        open_order,
        long_order,
        returned_order,
        webhook,
    }
}

async fn long_product(api: &Api) -> i64 {
    let name = format!("Hand-thrown stoneware teapot {}", "with a lid and an infuser ".repeat(6).trim());
    let body = json!({
        "name": name, "price": "0.01", "category": "Kitchen", "stock": 1_000_000, "sku": "Z".repeat(64),
        "description": "Holds the tea of a large family. ".repeat(60),
        "brand": "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
        "weight_g": 1_250, "dimensions": "23 × 17 × 14 cm",
        "specifications": { "material": "stoneware", "dishwasher": true, "sizes": { "small": "0.5 l", "large": "1.2 l" } },
        "metadata": { "shelf": "W".repeat(120) },
        "phone": { "brand": "Samsung", "model": "S 24", "storage": 128, "ram": 8, "color": "Onyx Black", "is_new": true },
    });
    let product = api.post("products/", body).await["product_id"].as_i64().unwrap();
    for number in 0..PICTURES {
        let (width, height) = if number % 2 == 0 { (320, 180) } else { (180, 320) };
        let colour = [25 * number, 120, 250 - 25 * number];
        api.upload(product, &picture(width, height, colour, ImageFormat::Png)).await;
    }
    product
}

async fn long_customer(api: &Api) -> i64 {
    let customer = api.customer("Maximiliana-Wilhelmine Karoline", &"von und zu Hohenlohe-Langenburg ".repeat(3)).await;
    let mut home = address("Maximiliana-Wilhelmine Karoline von und zu Hohenlohe-Langenburg");
    home["line1"] = json!("Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch Road 1234567890");
    api.post(&format!("customer/{customer}/addresses/"), home).await;
    customer
}

async fn family(api: &Api) -> i64 {
    let new = json!({ "name": "Mug with a handle", "options": ["glaze"] });
    let family = api.post("families/", new).await["family_id"].as_i64().unwrap();
    for (glaze, stock) in [("Celadon", 0), ("Cobalt", 2), ("Tenmoku", 40)] {
        let product = api.product(&format!("Mug, {glaze}"), "18.00", stock).await;
        let place = json!({ "family_id": family, "options": { "glaze": glaze } });
        api.put(&format!("product/{product}/family/"), place).await;
    }
    family
}

async fn returned_order(api: &Api, product: i64) -> i64 {
    let order = api.order(&[(product, 3)]).await;
    let reason = "The lid does not fit the pot. ".repeat(6);
    for (action, body) in [
        ("pay", json!({})),
        ("process", Value::Null),
        ("ship", json!({ "carrier": "Post", "tracking_number": "0".repeat(100) })),
        ("deliver", Value::Null),
        ("return", json!({ "lines": [{ "line": 1, "quantity": 1 }], "refund": true, "reason": reason.trim() })),
    ] {
        api.post(&format!("order/{order}/{action}/"), body).await;
    }
    order
}

async fn long_order(api: &Api, product: i64, customer: i64) -> i64 {
    let line = |number: usize| {
        let cents = number % 100;
        json!({ "product_id": product, "quantity": 1 + number % 7, "unit_price": format!("{number}.{cents:02}") })
    };
    let lines: Vec<Value> = (0..LINES).map(line).collect();
    let body = json!({ "customer_id": customer, "lines": lines, "shipping_address": address("Jo Miller") });
    api.post("orders/", body).await["order_id"].as_i64().unwrap()
}

/// A webhook that cannot be reached, and an event for it.
async fn parked_reaction(api: &Api) -> i64 {
    let hook = json!({
        "url": "http://127.0.0.1:9/hooks", "event_types": ["CategoryCreated"], "description": "a till that is switched off",
    });
    let webhook = api.post("webhooks/", hook).await["webhook_id"].as_i64().unwrap();
    api.post("categories/", json!({ "category_name": "Haberdashery" })).await;
    eventually("a parked reaction", async || {
        let reactors = api.read("reactors/").await;
        reactors.as_array().unwrap().iter().any(|reactor| reactor["parked"] != 0).then_some(())
    })
    .await;
    webhook
}
