//! A family: the combinations of its options, its members, and its name.

use askama::Template;
use serde_json::json;

use super::list::option_names;
use super::{Family, read_family};
use crate::admin::api::Problem;
use crate::admin::form::{Form, capitalized};
use crate::admin::history::{self, History};
use crate::admin::page::Page;
use crate::admin::products::family::{field_of, place_body};
use crate::admin::staff::{Id, PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/families/detail.html")]
struct FamilyPage {
    page: Page,
    family: Family,
    form: Form,
    member_form: Form,
    /// Why a button was refused.
    trouble: Option<String>,
    history: History,
}

/// A refused command of the page.
enum Refused {
    Data(Form, Problem),
    Member(Form, Problem),
    Button(Problem),
}

/// Combinations that the page names as missing.
const MAX_MISSING: usize = 12;
/// Combinations that are searched for missing ones.
const MAX_COMBINATIONS: usize = 1_000;

impl FamilyPage {
    async fn read(staff: &Staff, family_id: i64, refused: Option<Refused>) -> Result<Self, Problem> {
        let subject = format!("family/{family_id}");
        let (reply, history) = tokio::try_join!(read_family(staff, family_id), history::read(staff, &subject))?;
        let family = reply.data;
        let values = [("name", family.name.clone()), ("options", family.options.join("\n"))];
        let mut form = Form::new(values).about(&reply.etag);
        let fields: Vec<_> = family.options.iter().map(|option| field_of(option)).collect();
        let fields = fields.iter().map(String::as_str).chain(["product_id"]);
        let mut member_form = Form::new(fields.map(|field| (field, String::new())));
        let mut trouble = None;
        match refused {
            Some(Refused::Data(sent, problem)) => form = sent.refused_beside(problem, form),
            Some(Refused::Member(sent, problem)) => member_form = sent.refused(problem),
            Some(Refused::Button(problem)) if problem.is_stale() => {
                let text = "The family was changed in the meantime, so nothing was done. The page shows it as it is now; try again.";
                trouble = Some(text.to_owned());
            }
            Some(Refused::Button(problem)) => trouble = Some(capitalized(&problem.sentence())),
            None => {}
        }
        let page = staff.page(family.name.clone()).below("Families", "/admin/families");
        Ok(Self { page, family, form, member_form, trouble, history })
    }

    /// Combinations of the known values that no product has.
    fn missing_text(&self) -> Option<String> {
        let (missing, has_more) = missing(&self.family);
        let more = if has_more { ", and more" } else { "" };
        (!missing.is_empty()).then(|| format!("Without a product: {}{more}.", missing.join(" · ")))
    }

    fn option_field(&self, option: &str) -> String {
        field_of(option)
    }
}

/// The missing combinations in words, and whether there are more.
fn missing(family: &Family) -> (Vec<String>, bool) {
    let values: Vec<Vec<&str>> = family.options.iter().map(|option| family.values(option)).collect();
    let count = values.iter().try_fold(1_usize, |count, values| count.checked_mul(values.len()));
    let Some(count) = count.filter(|count| *count <= MAX_COMBINATIONS) else { return (Vec::new(), false) };
    let combination = |number: usize| {
        let mut rest = number;
        let mut chosen: Vec<&str> = values
            .iter()
            .rev()
            .map(|values| {
                let value = values[rest % values.len()];
                rest /= values.len();
                value
            })
            .collect();
        chosen.reverse();
        chosen
    };
    let is_taken = |chosen: &[&str]| {
        family.products.iter().any(|product| {
            let pairs = family.options.iter().zip(chosen);
            pairs.into_iter().all(|(option, value)| product.value(option).to_lowercase() == value.to_lowercase())
        })
    };
    let mut missing: Vec<_> =
        (0..count).map(combination).filter(|chosen| !is_taken(chosen)).map(|chosen| chosen.join(", ")).collect();
    let has_more = missing.len() > MAX_MISSING;
    missing.truncate(MAX_MISSING);
    (missing, has_more)
}

pub async fn show(staff: Staff, Id(family_id): Id) -> PageResult {
    staff.show(&FamilyPage::read(&staff, family_id, None).await?)
}

pub async fn save(staff: Staff, Id(family_id): Id, form: Form) -> PageResult {
    let body = json!({ "name": form.text("name"), "options": option_names(&form) });
    let call = staff.api.patch(format!("family/{family_id}")).json(&body);
    match call.if_match(&form.etag).key(&form.key).send_command().await {
        Ok(()) => staff.done(&address(family_id), "The family was saved."),
        Err(problem) => show_refused(&staff, family_id, problem, |problem| Refused::Data(form, problem)).await,
    }
}

/// Puts a product into the family.
pub async fn add(staff: Staff, Id(family_id): Id, form: Form) -> PageResult {
    let Ok(product_id) = form.value("product_id").trim().parse::<i64>() else {
        let problem = Problem::invalid("product_id", "must be the number of a product");
        return show_refused(&staff, family_id, problem, |problem| Refused::Member(form, problem)).await;
    };
    let options = read_family(&staff, family_id).await?.data.options;
    let body = place_body(&form, family_id, &options);
    let call = staff.api.put(format!("product/{product_id}/family")).json(&body).key(&form.key);
    match call.send_command().await {
        Ok(()) => staff.done(&address(family_id), "The product is in the family."),
        Err(problem) => {
            let problem = match problem.code.as_str() {
                "product_not_found" => Problem::invalid("product_id", "is the number of no product"),
                _ => problem,
            };
            show_refused(&staff, family_id, problem, |problem| Refused::Member(form, problem)).await
        }
    }
}

/// Takes a product out of the family.
pub async fn remove(staff: Staff, Id(family_id): Id, form: Form) -> PageResult {
    let Ok(product_id) = form.value("product_id").parse::<i64>() else { return Err(Problem::not_found()) };
    match staff.api.delete(format!("product/{product_id}/family")).send_command().await {
        Ok(()) => staff.done(&address(family_id), "The product is in no family now."),
        Err(problem) => show_refused(&staff, family_id, problem, Refused::Button).await,
    }
}

pub async fn delete(staff: Staff, Id(family_id): Id, form: Form) -> PageResult {
    match staff.api.delete(format!("family/{family_id}")).if_match(&form.etag).send_command().await {
        Ok(()) => staff.done("/admin/families", "The family was deleted."),
        Err(problem) => show_refused(&staff, family_id, problem, Refused::Button).await,
    }
}

async fn show_refused(
    staff: &Staff,
    family_id: i64,
    problem: Problem,
    refused: impl FnOnce(Problem) -> Refused,
) -> PageResult {
    if !problem.is_about_input() {
        return Err(problem);
    }
    let page = FamilyPage::read(staff, family_id, Some(refused(problem.clone()))).await?;
    staff.show_refused(&problem, &page)
}

fn address(family_id: i64) -> String {
    format!("/admin/families/{family_id}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn missing_combinations_are_named() {
        let product = |product_id: i64, storage: &str, color: &str| {
            json!({ "product_id": product_id, "name": "Phone", "options": { "storage": storage, "color": color },
                    "price": "1.00", "stock": 1, "available": true, "reason": null, "sku": null })
        };
        let family = |products: serde_json::Value| -> Family {
            serde_json::from_value(json!({ "family_id": 1, "name": "Phone", "options": ["storage", "color"],
                "price_range": null, "stock": 0, "in_stock": false, "products": products }))
            .unwrap()
        };
        let three =
            family(json!([product(1, "64 GB", "Black"), product(2, "128 GB", "black"), product(3, "64 GB", "Red")]));
        assert_eq!(missing(&three), (vec!["128 GB, Red".to_owned()], false));
        assert_eq!(missing(&family(json!([]))), (vec![], false));
    }
}
