//! Changes of a product: its data and stock, and whether it is sold.

use serde_json::{Value, json};

use super::{Part, Stored, address, fields, show_refused};
use crate::admin::api::Problem;
use crate::admin::categories::read_options;
use crate::admin::form::Form;
use crate::admin::staff::{Id, PageResult, Staff};

/// Saves the fields that differ from what is stored.
pub async fn save(staff: Staff, Id(product_id): Id, form: Form) -> PageResult {
    let form = fields::with_summaries(form);
    let (stored, options) = tokio::try_join!(Stored::read(&staff, product_id), read_options(&staff))?;
    let changed = fields::changed_fields(&form, &stored.form(&options), &stored.product.specifications);
    let body = match changed {
        Ok(body) if body.is_empty() => {
            return staff.done(&address(product_id), "Nothing was different, so nothing was saved.");
        }
        Ok(body) => Value::Object(body),
        Err(problem) => return show_refused(&staff, product_id, Part::Data, form, problem).await,
    };
    let call = staff.api.patch(format!("product/{product_id}")).json(&body);
    match call.if_match(&form.etag).key(&form.key).send_command().await {
        Ok(()) => staff.done(&address(product_id), "The product was saved."),
        Err(problem) => show_refused(&staff, product_id, Part::Data, form, problem).await,
    }
}

/// Adds units, takes them away, or sets the count of the units on hand.
pub async fn adjust_stock(staff: Staff, Id(product_id): Id, form: Form) -> PageResult {
    let units = form.number("units");
    let (field, units) = match (form.value("mode"), units) {
        ("count", units) => ("count", units),
        // What is no number is refused by the API, which names the field.
        ("take", units) => ("change", units.as_i64().map_or(units, |units| Value::from(units.saturating_neg()))),
        (_, units) => ("change", units),
    };
    let body = json!({ field: units, "reason": form.optional("reason") });
    match staff.api.post(format!("product/{product_id}/stock")).json(&body).key(&form.key).send_command().await {
        Ok(()) => staff.done(&format!("{}#stock", address(product_id)), "The stock was changed."),
        Err(problem) => {
            show_refused(&staff, product_id, Part::Stock, form, at_field(problem, &["change", "count"], "units")).await
        }
    }
}

/// The problem with its errors at the field of the form.
fn at_field(mut problem: Problem, fields: &[&str], field: &str) -> Problem {
    for error in problem.errors.iter_mut().filter(|error| fields.contains(&error.field.as_str())) {
        error.field = field.to_owned();
    }
    problem
}

pub async fn discontinue(staff: Staff, Id(product_id): Id, form: Form) -> PageResult {
    set_discontinued(staff, product_id, form, true).await
}

pub async fn relist(staff: Staff, Id(product_id): Id, form: Form) -> PageResult {
    set_discontinued(staff, product_id, form, false).await
}

async fn set_discontinued(staff: Staff, product_id: i64, form: Form, discontinued: bool) -> PageResult {
    let call = staff.api.patch(format!("product/{product_id}")).json(&json!({ "discontinued": discontinued }));
    match call.if_match(&form.etag).send_command().await {
        Ok(()) if discontinued => staff.done(&address(product_id), "The product is discontinued."),
        Ok(()) => staff.done(&address(product_id), "The product is in the shop again."),
        Err(problem) => show_refused(&staff, product_id, Part::Head, form, problem).await,
    }
}

pub async fn delete(staff: Staff, Id(product_id): Id, form: Form) -> PageResult {
    match staff.api.delete(format!("product/{product_id}")).if_match(&form.etag).send_command().await {
        Ok(()) => staff.done("/admin/products", "The product was deleted."),
        Err(problem) => show_refused(&staff, product_id, Part::Head, form, problem).await,
    }
}

/// Takes the product out of its family.
pub async fn leave_family(staff: Staff, Id(product_id): Id, form: Form) -> PageResult {
    match staff.api.delete(format!("product/{product_id}/family")).send_command().await {
        Ok(()) => staff.done(&address(product_id), "The product is in no family now."),
        Err(problem) => show_refused(&staff, product_id, Part::Family, form, problem).await,
    }
}
