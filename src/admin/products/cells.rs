//! Price and stock, edited in the list itself.

use askama::Template;
use serde::Deserialize;
use serde_json::json;

use super::ProductCell;
use crate::admin::api::Reply;
use crate::admin::form::Form;
use crate::admin::page::Page;
use crate::admin::staff::{Id, PageResult, Staff};

/// A cell that shows its value, or its form.
#[derive(Template)]
#[template(path = "admin/products/cell.html")]
struct CellPart {
    page: Page,
    product: ProductCell,
    cell: Cell,
    form: Option<Form>,
    saved: bool,
}

/// The form of a cell as a page, for browsers without scripts.
#[derive(Template)]
#[template(path = "admin/products/cell_page.html")]
struct CellPage {
    page: Page,
    product: ProductCell,
    cell: Cell,
    form: Option<Form>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cell {
    Price,
    Stock,
}

/// The stock after a change.
#[derive(Deserialize)]
struct Stock {
    stock: i64,
    on_hand: i64,
    reserved: i64,
}

impl Cell {
    /// End of the address, and start of the cell's id.
    fn name(self) -> &'static str {
        match self {
            Self::Price => "price",
            Self::Stock => "stock",
        }
    }

    /// The API's name of the field.
    fn field(self) -> &'static str {
        match self {
            Self::Price => "price",
            Self::Stock => "count",
        }
    }

    /// The `operationId` of the change.
    fn operation(self) -> &'static str {
        match self {
            Self::Price => "change_product",
            Self::Stock => "adjust_stock",
        }
    }

    fn form(self, product: &ProductCell, etag: &str) -> Form {
        let value = match self {
            Self::Price => product.price.clone(),
            Self::Stock => product.on_hand.to_string(),
        };
        Form::new([(self.field(), value)]).about(etag)
    }
}

pub async fn edit_price(staff: Staff, Id(product_id): Id) -> PageResult {
    edit(staff, product_id, Cell::Price).await
}

pub async fn edit_stock(staff: Staff, Id(product_id): Id) -> PageResult {
    edit(staff, product_id, Cell::Stock).await
}

async fn edit(staff: Staff, product_id: i64, cell: Cell) -> PageResult {
    staff.require(cell.operation())?;
    let Reply { data: product, etag, .. } = staff.api.get(format!("product/{product_id}")).read().await?;
    // `cancel` shows the value again.
    let form = (!staff.query.has("cancel")).then(|| cell.form(&product, &etag));
    let page = staff.page(format!("{} of {}", if cell == Cell::Price { "Price" } else { "Stock" }, product.name));
    if staff.is_fragment {
        staff.show(&CellPart { page, product, cell, form, saved: false })
    } else {
        let page = page.below("Products", "/admin/products");
        staff.show(&CellPage { page, product, cell, form })
    }
}

pub async fn save_price(staff: Staff, Id(product_id): Id, form: Form) -> PageResult {
    let call = staff.api.patch(format!("product/{product_id}")).json(&json!({ "price": form.text("price") }));
    match call.if_match(&form.etag).key(&form.key).read::<ProductCell>().await {
        Ok(reply) => show_saved(&staff, reply.data, Cell::Price),
        Err(problem) if problem.is_about_input() => refuse(&staff, product_id, Cell::Price, form, problem).await,
        Err(problem) => Err(problem),
    }
}

pub async fn save_stock(staff: Staff, Id(product_id): Id, form: Form) -> PageResult {
    let reason = if form.value("reason").is_empty() { json!("counted") } else { form.text("reason") };
    let body = json!({ "count": form.number("count"), "reason": reason });
    let call = staff.api.post(format!("product/{product_id}/stock")).json(&body);
    match call.if_match(&form.etag).key(&form.key).read::<Stock>().await {
        Ok(reply) => {
            let Stock { stock, on_hand, reserved } = reply.data;
            let product = staff.api.get(format!("product/{product_id}")).read::<ProductCell>().await?.data;
            show_saved(&staff, ProductCell { stock, on_hand, reserved, ..product }, Cell::Stock)
        }
        Err(problem) if problem.is_about_input() => refuse(&staff, product_id, Cell::Stock, form, problem).await,
        Err(problem) => Err(problem),
    }
}

fn show_saved(staff: &Staff, product: ProductCell, cell: Cell) -> PageResult {
    if staff.is_fragment {
        return staff.show(&CellPart { page: staff.page("Saved"), product, cell, form: None, saved: true });
    }
    let message = match cell {
        Cell::Price => format!("{} costs {} now.", product.name, staff.page("").money(&product.price)),
        Cell::Stock => format!("{} has {} units on hand now.", product.name, product.on_hand),
    };
    staff.done("/admin/products", message)
}

/// The form again, with the error at the cell.
async fn refuse(
    staff: &Staff,
    product_id: i64,
    cell: Cell,
    form: Form,
    problem: crate::admin::api::Problem,
) -> PageResult {
    let Reply { data: product, etag, .. } = staff.api.get(format!("product/{product_id}")).read().await?;
    let current = cell.form(&product, &etag);
    let form = form.refused_beside(problem.clone(), current);
    let (page, form) = (staff.page(product.name.clone()), Some(form));
    if staff.is_fragment {
        staff.show_refused(&problem, &CellPart { page, product, cell, form, saved: false })
    } else {
        let page = page.below("Products", "/admin/products");
        staff.show_refused(&problem, &CellPage { page, product, cell, form })
    }
}
