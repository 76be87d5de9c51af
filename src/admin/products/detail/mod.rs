//! A product: its data, stock, family, images, charts and history.

mod charts;
pub mod commands;
mod fields;
pub mod images;
pub mod new;

use askama::Template;
use serde::Deserialize;

use super::super::chart::Chart;
use super::super::headers::ShownImages;
use super::super::history::{self, History};
use super::super::page::Page;
use super::family::{Place, read_place};
use crate::admin::api::{Problem, Reply};
use crate::admin::categories::{CategoryOption, read_options};
use crate::admin::form::{Form, capitalized};
use crate::admin::staff::{Id, PageResult, Staff};
use crate::admin::stock_movements::{Movement, read_latest};
use fields::Product;
use images::Image;

const LISTED_MOVEMENTS: usize = 10;

#[derive(Template)]
#[template(path = "admin/products/detail.html")]
struct ProductPage {
    page: Page,
    product: Product,
    category_id: Option<i64>,
    categories: Vec<(String, String)>,
    form: Form,
    stock_form: Form,
    images: Vec<Image>,
    place: Option<Place>,
    /// The latest movements of the stock.
    movements: Vec<Movement>,
    prices: Chart,
    stock: Chart,
    history: History,
    refused: Option<Refused>,
}

/// A command that was refused.
struct Refused {
    part: Part,
    problem: Problem,
}

/// The part of the page where a refused command is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Head,
    Data,
    Stock,
    Images,
    Family,
}

#[derive(Deserialize)]
struct ProductImei {
    imei: Option<String>,
}

/// The product as it is stored, and its form.
struct Stored {
    product: Product,
    etag: String,
    imei: Option<String>,
}

impl Stored {
    async fn read(staff: &Staff, product_id: i64) -> Result<Self, Problem> {
        let product = staff.api.get(format!("product/{product_id}")).read::<Product>();
        let imei = async {
            // Only editors read it.
            if !staff.may("find_imei") {
                return Ok(None);
            }
            let reply = staff.api.get(format!("product/{product_id}/imei")).read::<ProductImei>().await;
            reply.map(|reply| reply.data.imei)
        };
        let (Reply { data: product, etag, .. }, imei) = tokio::try_join!(product, imei)?;
        Ok(Self { product, etag, imei })
    }

    fn form(&self, options: &[CategoryOption]) -> Form {
        let option = options.iter().find(|option| option.category.category_name == self.product.category);
        let category = option.map_or_else(|| self.product.category.clone(), |option| option.category_id.to_string());
        self.product.form(&category, self.imei.as_deref()).about(&self.etag)
    }
}

/// Events that orders cause, of which a product may have thousands.
const STOCK_OF_ORDERS: [&str; 4] = ["StockReserved", "StockReleased", "StockShipped", "StockReturned"];

impl ProductPage {
    /// `sent` is the form of a refused command.
    async fn read(staff: &Staff, product_id: i64, sent: Option<(Part, Form, Problem)>) -> Result<Self, Problem> {
        let subject = format!("product/{product_id}");
        let (stored, options, images, place, movements, latest) = tokio::try_join!(
            Stored::read(staff, product_id),
            read_options(staff),
            images::read(staff, product_id),
            read_place(staff, product_id),
            read_latest(staff, product_id),
            history::read_latest(staff, &subject, charts::SEARCHED_EVENTS)
        )?;
        let page = staff.page(stored.product.name.clone()).below("Products", "/admin/products");
        let mut form = stored.form(&options);
        let empty = ["mode", "units", "reason"].map(|name| (name, String::new()));
        let mut stock_form = Form::new(empty).about(&stored.etag);
        let mut refused = None;
        match sent {
            Some((Part::Data, sent, problem)) => form = sent.refused_beside(problem, form),
            Some((Part::Stock, sent, problem)) => stock_form = sent.refused(problem),
            Some((part, _, problem)) => refused = Some(Refused { part, problem }),
            None => {}
        }
        let find = |option: &&CategoryOption| option.category.category_name == stored.product.category;
        let category_id = options.iter().find(find).map(|option| option.category_id);
        Ok(Self {
            prices: charts::Prices::of(&latest.events).chart(&page, &stored.product.price),
            stock: charts::stock_chart(&page, &movements),
            categories: choices(&options, form.value("category")),
            product: stored.product,
            category_id,
            page,
            form,
            stock_form,
            images,
            place,
            movements,
            history: latest.without(staff, &subject, &STOCK_OF_ORDERS),
            refused,
        })
    }

    /// Why the command of a part was refused.
    fn trouble(&self, part: &str) -> Option<String> {
        let refused = self.refused.as_ref()?;
        let name = match refused.part {
            Part::Head => "head",
            Part::Data => "data",
            Part::Stock => "stock",
            Part::Images => "images",
            Part::Family => "family",
        };
        (name == part).then(|| match refused.problem.is_stale() {
            true => "This product was changed in the meantime, so nothing was done. The page shows it as it is now; try again.".to_owned(),
            false => capitalized(&refused.problem.sentence()),
        })
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        fields::facts(&self.form)
    }

    /// The movements that the page lists; the chart shows more.
    fn shown_movements(&self) -> &[Movement] {
        &self.movements[..self.movements.len().min(LISTED_MOVEMENTS)]
    }

    fn specifications(&self) -> Vec<(String, String)> {
        fields::specification_rows(&self.form)
    }

    fn metadata(&self) -> Vec<(String, String)> {
        fields::metadata_rows(&self.form)
    }

    /// Whether the product has details of a phone, or a form with them was refused.
    fn has_phone(&self) -> bool {
        self.product.phone.is_some() || self.form.has_any("phone.")
    }

    fn is_new(&self) -> bool {
        false
    }
}

/// The choice of categories. `chosen` may be a category beyond those that the choice holds.
fn choices(options: &[CategoryOption], chosen: &str) -> Vec<(String, String)> {
    let mut choices: Vec<_> = options.iter().map(CategoryOption::pair).collect();
    if !choices.iter().any(|(value, _)| value == chosen) {
        let text = if chosen.is_empty() { "Choose a category" } else { chosen };
        choices.insert(0, (chosen.to_owned(), text.to_owned()));
    }
    choices
}

pub async fn show(staff: Staff, Id(product_id): Id) -> PageResult {
    respond(&staff, &ProductPage::read(&staff, product_id, None).await?, None)
}

/// The page again, with a refused command where it was sent.
async fn show_refused(staff: &Staff, product_id: i64, part: Part, form: Form, problem: Problem) -> PageResult {
    if !problem.is_about_input() {
        return Err(problem);
    }
    let page = ProductPage::read(staff, product_id, Some((part, form, problem.clone()))).await?;
    respond(staff, &page, Some(&problem))
}

fn respond(staff: &Staff, page: &ProductPage, refused: Option<&Problem>) -> PageResult {
    let mut response = match refused {
        Some(problem) => staff.show_refused(problem, page)?,
        None => staff.show(page)?,
    };
    response.extensions_mut().insert(ShownImages(page.images.iter().map(|image| image.url.clone()).collect()));
    Ok(response)
}

fn address(product_id: i64) -> String {
    format!("/admin/products/{product_id}")
}
