//! The API as a test prepares and checks what the pages show.

use std::sync::atomic::{AtomicI64, Ordering};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::pictures;
use crate::support::tokens::ADMIN;

/// Where the log ended with the last command.
static POSITION: AtomicI64 = AtomicI64::new(0);

/// A client of the shop's API, as an admin.
pub struct Api {
    address: String,
    client: Client,
}

impl Api {
    pub fn new(address: &str) -> Self {
        Self { address: address.to_owned(), client: Client::new() }
    }

    /// The body of a read.
    pub async fn read(&self, path: &str) -> Value {
        self.send(Method::GET, path, Value::Null).await
    }

    /// The answer of a command.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.send(Method::POST, path, body).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Value {
        self.send(Method::PUT, path, body).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Value {
        self.send(Method::PATCH, path, body).await
    }

    /// Adds an image to a product; returns its number.
    pub async fn upload(&self, product: i64, picture: &[u8]) -> i64 {
        let (content_type, body) = pictures::form(&[("image", picture)]);
        let request = self.request(Method::POST, &format!("product/{product}/images/"));
        let answer = answer(request.header("content-type", content_type).body(body)).await;
        answer["image_id"].as_i64().unwrap()
    }

    /// Creates a product in the category `Kitchen`; returns its number.
    pub async fn product(&self, name: &str, price: &str, stock: i64) -> i64 {
        let body = json!({ "name": name, "price": price, "category": "Kitchen", "stock": stock });
        self.post("products/", body).await["product_id"].as_i64().unwrap()
    }

    /// Creates a customer; returns its number.
    pub async fn customer(&self, first_name: &str, last_name: &str) -> i64 {
        let email = format!("{}@example.com", uuid::Uuid::new_v4().simple());
        let body = json!({ "first_name": first_name, "last_name": last_name, "email": email });
        self.post("customers/", body).await["customer_id"].as_i64().unwrap()
    }

    /// Places an order of a guest in Milltown for products and quantities; returns its number.
    pub async fn order(&self, lines: &[(i64, i64)]) -> i64 {
        let line = |(product, quantity): &(i64, i64)| json!({ "product_id": product, "quantity": quantity });
        let body = json!({
            "lines": lines.iter().map(line).collect::<Vec<_>>(),
            "contact": { "name": "Jo Miller", "email": "jo@example.com" },
            "shipping_address": address("Jo Miller"),
        });
        self.post("orders/", body).await["order_id"].as_i64().unwrap()
    }

    /// Waits until every reader sees the commands so far: pages are read by another caller.
    pub async fn catch_up(&self) {
        let position = POSITION.load(Ordering::Relaxed);
        answer(self.request(Method::GET, "products/?limit=1").header("min-position", position)).await;
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> Value {
        let request = self.request(method, path);
        let request = match body {
            Value::Null => request,
            body => request.header("content-type", "application/json").body(body.to_string()),
        };
        answer(request).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}/shop/api/{path}", self.address)).bearer_auth(&*ADMIN)
    }
}

/// An address in Milltown.
pub fn address(name: &str) -> Value {
    json!({ "name": name, "line1": "12 Mill Lane", "postal_code": "AB1 2CD", "city": "Milltown", "country": "GB" })
}

/// The body of an answer that succeeds.
async fn answer(request: RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    let (url, status) = (response.url().clone(), response.status());
    let position =
        response.headers().get("journal-position").and_then(|position| position.to_str().ok()?.parse::<i64>().ok());
    POSITION.fetch_max(position.unwrap_or(0), Ordering::Relaxed);
    let body = response.text().await.unwrap();
    assert!(status.is_success(), "{url}: {status} {body}");
    serde_json::from_str(&body).unwrap_or_default()
}
