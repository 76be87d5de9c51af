//! A shop in which something of every kind exists, for tests driven by the OpenAPI document.

use std::sync::LazyLock;

use cartwright::domain::account::Role;
use cartwright::files::prepare;
use image::ImageFormat;
use serde_json::{Value, json};
use uuid::Uuid;

use super::TestShop;
use super::accounts::api_key_called;
use super::guests::as_guest;
use super::pictures::{picture, upload};

/// A shop in which number 1 of everything exists, and a guest's cart; with the guest's token.
pub async fn furnished() -> (TestShop, String) {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 100).await;
    upload(&shop, "POST", "product/1/images/", &IMAGE).await;
    let customer = shop.customer("Ada").await;
    shop.add(customer, product, 2).await;
    let home =
        json!({ "name": "Ada", "line1": "1 Mill Lane", "postal_code": "1", "city": "Milltown", "country": "GB" });
    shop.done("customer/1/addresses/", home).await;
    let wish = shop.send("PUT", "customer/1/wishlist/1/", Value::Null, &[]).await;
    assert!(wish.status.is_success(), "{}", wish.body);
    shop.done("families/", json!({ "name": "Phone X", "options": ["storage", "color"] })).await;
    let place = json!({ "family_id": 1, "options": { "storage": "128 GB", "color": "Black" } });
    let placed = shop.send("PUT", "product/1/family/", place, &[]).await;
    assert!(placed.status.is_success(), "{}", placed.body);
    let token = shop.done("carts/", Value::Null).await["cart_token"].as_str().unwrap().to_owned();
    let fill = async || {
        shop.done(&format!("carts/{token}/items/"), json!({ "product_id": product, "quantity": 2 })).await;
    };
    fill().await;
    let order = shop.done(&format!("carts/{token}/checkout/"), as_guest("Jo")).await;
    fill().await;
    shop.done("webhooks/", json!({ "url": "https://example.com", "event_types": ["*"] })).await;
    shop.done("discounts/", json!({ "code": "welcome", "kind": "free_shipping" })).await;
    let (account, ..) = api_key_called(&shop, "admin", Role::Admin, KEY_ID).await;
    assert_eq!(account.0, 1);
    assert_eq!((product, customer, &order["order_id"]), (1, 1, &json!(1)));
    shop.settle().await;
    (shop, token)
}

const KEY_ID: Uuid = Uuid::from_u128(0x0199_f3b2_7c1e_4d6a_9b5e_3f2a_1c0d_8e77);

/// The picture of product 1.
static IMAGE: LazyLock<Vec<u8>> = LazyLock::new(|| picture(9, 9, [9, 9, 9], ImageFormat::Png));

/// The path with ids of what exists.
pub fn fill(path: &str, token: &str) -> String {
    let path = path.replace("{cart_token}", token).replace("{name}", "bestsellers");
    let path = path.replace("{key_id}", &KEY_ID.to_string()).replace("{event_id}", &KEY_ID.to_string());
    let path = path.replace("{code}", "WELCOME");
    let path = match path.contains("{picture}") {
        true => path.replace("{picture}", &prepare(&IMAGE).unwrap().picture.name().to_string()),
        false => path,
    };
    let numbered = [
        "{account_id}",
        "{address_id}",
        "{cart_id}",
        "{category_id}",
        "{customer_id}",
        "{image_id}",
        "{family_id}",
        "{order_id}",
        "{product_id}",
        "{reaction_id}",
        "{webhook_id}",
    ];
    numbered.into_iter().fold(path, |path, id| path.replace(id, "1"))
}
