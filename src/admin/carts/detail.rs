//! A cart, to read.

use askama::Template;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;

use super::Cart;
use crate::admin::api::Problem;
use crate::admin::history::{self, History};
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};
use crate::domain::ids::CartId;

#[derive(Template)]
#[template(path = "admin/carts/detail.html")]
struct CartPage {
    page: Page,
    cart: Cart,
    history: History,
}

pub async fn show(staff: Staff, path: Result<Path<String>, PathRejection>) -> PageResult {
    let Path(cart_id) = path.map_err(|_| Problem::not_found())?;
    let cart_id: CartId = cart_id.parse().map_err(|_| Problem::not_found())?;
    let subject = format!("cart/{cart_id}");
    let (cart, history) = tokio::try_join!(
        staff.api.get(&subject).query("view", "full").read::<Cart>(),
        history::read(&staff, &subject)
    )?;
    let cart = cart.data;
    let title = match cart.customer_id {
        Some(customer_id) => format!("Cart of customer {customer_id}"),
        None => "Cart of a guest".to_owned(),
    };
    staff.show(&CartPage { page: staff.page(title).below("Carts", "/admin/carts"), cart, history })
}
