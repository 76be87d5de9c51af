//! The place of a product in a family: the family, and the product's value of each option.

use std::collections::BTreeMap;

use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::ProductCell;
use crate::admin::api::Problem;
use crate::admin::families::{Family, read_family, read_family_options};
use crate::admin::form::Form;
use crate::admin::page::Page;
use crate::admin::staff::{Id, PageResult, Staff};

/// The place of a product as the API returns it.
#[derive(Deserialize)]
pub struct Place {
    pub family_id: i64,
    pub name: String,
    pub options: BTreeMap<String, String>,
}

#[derive(Template)]
#[template(path = "admin/products/family.html")]
struct FamilyPlacePage {
    page: Page,
    product: ProductCell,
    /// Families to choose from.
    families: Vec<(String, String)>,
    /// The chosen family.
    family: Option<Family>,
    form: Form,
}

/// The place of a product; `None` if it is in no family.
pub async fn read_place(staff: &Staff, product_id: i64) -> Result<Option<Place>, Problem> {
    match staff.api.get(format!("product/{product_id}/family")).read().await {
        Ok(reply) => Ok(Some(reply.data)),
        Err(problem) if problem.code == "product_not_in_family" => Ok(None),
        Err(problem) => Err(problem),
    }
}

impl FamilyPlacePage {
    async fn read(staff: &Staff, product_id: i64, sent: Option<Form>) -> Result<Self, Problem> {
        let product = async { Ok(staff.api.get(format!("product/{product_id}")).read::<ProductCell>().await?.data) };
        let (product, place, families) =
            tokio::try_join!(product, read_place(staff, product_id), read_family_options(staff))?;
        let asked = sent.as_ref().map_or(staff.query.get("family_id"), |form| form.value("family_id"));
        let family_id = asked.parse().ok().or_else(|| place.as_ref().map(|place| place.family_id));
        let family = match family_id {
            Some(family_id) => Some(read_family(staff, family_id).await?.data),
            None => None,
        };
        let form = sent.unwrap_or_else(|| {
            let chosen = family_id.map(|family_id| family_id.to_string()).unwrap_or_default();
            let options =
                place.iter().filter(|place| Some(place.family_id) == family_id).flat_map(|place| &place.options);
            let options: Vec<_> = options.map(|(name, value)| (field_of(name), value.clone())).collect();
            let options = options.iter().map(|(name, value)| (name.as_str(), value.clone()));
            Form::new([("family_id", chosen)].into_iter().chain(options))
        });
        let page = staff.page("Family").below("Products", "/admin/products");
        let page = page.below(product.name.clone(), format!("/admin/products/{product_id}"));
        Ok(Self { page, product, families, family, form })
    }
}

/// The field of an option.
pub fn field_of(option: &str) -> String {
    format!("options.{option}")
}

/// The body of the command: every option that was typed.
pub fn place_body(form: &Form, family_id: i64, options: &[String]) -> Value {
    let options = options.iter().map(|option| (option.clone(), form.text(&field_of(option))));
    // What is empty is missing, and the API says so.
    let options: Map<_, _> = options.filter(|(_, value)| *value != "").collect();
    json!({ "family_id": family_id, "options": options })
}

pub async fn edit(staff: Staff, Id(product_id): Id) -> PageResult {
    staff.show(&FamilyPlacePage::read(&staff, product_id, None).await?)
}

pub async fn save(staff: Staff, Id(product_id): Id, form: Form) -> PageResult {
    let Ok(family_id) = form.value("family_id").parse::<i64>() else {
        return refuse(&staff, product_id, form, Problem::invalid("family_id", "is missing: choose a family")).await;
    };
    let options = read_family(&staff, family_id).await?.data.options;
    let body = place_body(&form, family_id, &options);
    let call = staff.api.put(format!("product/{product_id}/family")).json(&body).key(&form.key);
    match call.send_command().await {
        Ok(()) => staff.done(&format!("/admin/families/{family_id}"), "The product is in the family."),
        Err(problem) => refuse(&staff, product_id, form, problem).await,
    }
}

async fn refuse(staff: &Staff, product_id: i64, form: Form, problem: Problem) -> PageResult {
    if !problem.is_about_input() {
        return Err(problem);
    }
    let page = FamilyPlacePage::read(staff, product_id, Some(form.refused(problem.clone()))).await?;
    staff.show_refused(&problem, &page)
}
