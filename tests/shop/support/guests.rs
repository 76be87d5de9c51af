//! Guests: their carts and what they send at checkout.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::{Answer, TestShop};

/// The body of a guest's checkout.
pub fn as_guest(name: &str) -> Value {
    let email = format!("{}@example.com", name.to_lowercase());
    json!({ "name": format!("{name} Miller"), "email": email, "shipping_address": address(name, "GB") })
}

pub fn address(name: &str, country: &str) -> Value {
    json!({
        "name": format!("{name} Miller"), "line1": "12 Mill Lane", "postal_code": "AB1 2CD", "city": "Milltown",
        "country": country,
    })
}

impl TestShop {
    /// Sends a request without a token, as guests do.
    pub async fn send_without_token(&self, method: &str, path: &str, body: Value) -> Answer {
        let request = Request::builder().method(method).uri(format!("/shop/api/{path}"));
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send_unchanged(request.header("content-type", "application/json").body(body).unwrap()).await
    }

    /// Opens a guest's cart with a unit of the product; returns its path.
    pub async fn guest_cart(&self, product: i64) -> String {
        let token = self.send_without_token("POST", "carts/", Value::Null).await.body["cart_token"].clone();
        let cart = format!("carts/{}/", token.as_str().unwrap());
        let item = json!({ "product_id": product, "quantity": 1 });
        assert_eq!(self.send_without_token("POST", &format!("{cart}items/"), item).await.status, StatusCode::OK);
        cart
    }
}
