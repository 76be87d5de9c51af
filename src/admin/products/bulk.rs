//! Changes to many products at once: a preview of each, and the changes themselves.
//!
//! The preview is the API's dry run, and the changes are sent with the key of the preview's form, so that a second click
//! changes nothing again.

use std::collections::HashMap;

use askama::Template;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::admin::api::{Call, Problem};
use crate::admin::form::Form;
use crate::admin::list;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

/// The list of products; others are below it.
const LIST: &str = "/admin/products";

#[derive(Template)]
#[template(path = "admin/products/bulk.html")]
struct BulkPage {
    page: Page,
    form: Form,
    action: Action,
    rows: Vec<Row>,
    /// Whether the changes were made, and some were refused.
    applied: bool,
    /// The address of the list to return to.
    back: String,
}

/// What to do with the chosen products.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Receive,
    Reprice,
    PutOnSale,
    TakeOffSale,
}

/// The result of a product as the API returns it.
#[derive(Deserialize)]
struct Outcome {
    product_id: Option<i64>,
    /// In results of rows that name no product: the row, from 1.
    line: Option<usize>,
    problem: Option<Problem>,
    price_before: Option<String>,
    price: Option<String>,
    on_hand: Option<i64>,
    effect: Option<String>,
}

/// A product, and what happens to it.
struct Row {
    product_id: i64,
    name: String,
    before: String,
    after: String,
    problem: Option<String>,
}

impl Action {
    fn read(form: &Form) -> Result<Self, Problem> {
        match form.value("action") {
            "receive" => Ok(Self::Receive),
            "reprice" => Ok(Self::Reprice),
            "on_sale" => Ok(Self::PutOnSale),
            "off_sale" => Ok(Self::TakeOffSale),
            _ => Err(Problem::invalid("action", "is unknown")),
        }
    }

    fn title(self, form: &Form) -> String {
        match self {
            Self::Receive => format!("Add {} units to each", form.value("units")),
            Self::Reprice => format!("Change prices by {} %", form.value("percent")),
            Self::PutOnSale => "Put on sale".to_owned(),
            Self::TakeOffSale => "Take off sale".to_owned(),
        }
    }

    /// What the columns before and after show.
    fn subject(self) -> &'static str {
        match self {
            Self::Receive => "Units on hand",
            Self::Reprice => "Price",
            Self::PutOnSale | Self::TakeOffSale => "On sale",
        }
    }

    fn call(self, staff: &Staff, form: &Form, product_ids: &[i64]) -> Call {
        let api = &staff.api;
        match self {
            Self::Receive => {
                let body = json!({ "product_ids": product_ids, "units": form.number("units"), "reason": "received" });
                api.post("stock/receive").json(&body)
            }
            Self::Reprice => {
                let body = json!({ "product_ids": product_ids, "percent": form.text("percent") });
                api.post("products/reprice").json(&body)
            }
            Self::PutOnSale | Self::TakeOffSale => {
                let on_sale = self == Self::PutOnSale;
                let row = |product_id: &i64| json!({ "product_id": product_id, "on_sale": on_sale });
                api.post("products/bulk").lines(&product_ids.iter().map(row).collect::<Vec<Value>>())
            }
        }
    }

    fn row(self, page: &Page, form: &Form, product_ids: &[i64], names: &HashMap<i64, &str>, outcome: Outcome) -> Row {
        let of_line = || product_ids.get(outcome.line?.checked_sub(1)?).copied();
        let product_id = outcome.product_id.or_else(of_line).unwrap_or_default();
        let money = |price: Option<String>| price.map(|price| page.money(&price)).unwrap_or_default();
        let units: i64 = form.value("units").trim().parse().unwrap_or_default();
        let (before, after) = match self {
            Self::Receive => match outcome.on_hand {
                Some(on_hand) => (page.quantity(&(on_hand - units)), page.quantity(&on_hand)),
                None => Default::default(),
            },
            Self::Reprice => (money(outcome.price_before), money(outcome.price)),
            Self::PutOnSale | Self::TakeOffSale => {
                let after = if self == Self::PutOnSale { "yes" } else { "no" };
                let before = if outcome.effect.as_deref() == Some("unchanged") { after } else { other(after) };
                (before.to_owned(), after.to_owned())
            }
        };
        let name = names.get(&product_id).map_or_else(|| format!("Product {product_id}"), |name| (*name).to_owned());
        let problem = outcome.problem.map(|problem| problem.sentence());
        Row { product_id, name, before, after, problem }
    }
}

fn other(answer: &str) -> &'static str {
    if answer == "yes" { "no" } else { "yes" }
}

pub async fn preview(staff: Staff, form: Form) -> PageResult {
    let (action, product_ids) = (Action::read(&form)?, list::chosen(&form, "product")?);
    let outcomes = action.call(&staff, &form, &product_ids).dry_run().read_lines::<Outcome>().await?;
    // The key of the changes; the preview itself stores nothing.
    let form = form.with_new_key();
    show(&staff, action, form, outcomes, false)
}

pub async fn apply(staff: Staff, form: Form) -> PageResult {
    let (action, product_ids) = (Action::read(&form)?, list::chosen(&form, "product")?);
    let outcomes = action.call(&staff, &form, &product_ids).key(&form.key).read_lines::<Outcome>().await?;
    if outcomes.iter().any(|outcome| outcome.problem.is_some()) {
        return show(&staff, action, form, outcomes, true);
    }
    let (count, to) = (outcomes.len(), form.back(LIST));
    staff.done(&to, format!("{}: {count} products changed.", action.title(&form)))
}

fn show(staff: &Staff, action: Action, form: Form, outcomes: Vec<Outcome>, applied: bool) -> PageResult {
    let (product_ids, back) = (list::chosen(&form, "product")?, form.back(LIST));
    let page = staff.page(action.title(&form)).below("Products", back.clone());
    let names: Vec<(i64, String)> =
        product_ids.iter().map(|id| (*id, form.value(&format!("name.{id}")).to_owned())).collect();
    let names = names.iter().filter(|(_, name)| !name.is_empty()).map(|(id, name)| (*id, name.as_str())).collect();
    let rows = outcomes.into_iter().map(|outcome| action.row(&page, &form, &product_ids, &names, outcome)).collect();
    staff.show(&BulkPage { page, form, action, rows, applied, back })
}

impl BulkPage {
    fn changed(&self) -> usize {
        self.rows.iter().filter(|row| row.problem.is_none()).count()
    }
}
