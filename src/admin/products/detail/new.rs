//! New products, empty or with the data of another.

use askama::Template;
use serde::Deserialize;

use super::{Stored, address, choices, fields};
use crate::admin::api::Problem;
use crate::admin::categories::read_options;
use crate::admin::form::Form;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/products/new.html")]
struct NewProductPage {
    page: Page,
    categories: Vec<(String, String)>,
    form: Form,
}

#[derive(Deserialize)]
struct Created {
    product_id: i64,
}

impl NewProductPage {
    async fn read(staff: &Staff, form: Option<Form>) -> Result<Self, Problem> {
        let page = staff.page("New product").below("Products", "/admin/products");
        let copied = staff.query.get("copy").parse::<i64>().ok();
        let stored = async {
            match copied.filter(|_| form.is_none()) {
                Some(product_id) => Stored::read(staff, product_id).await.map(Some),
                None => Ok(None),
            }
        };
        let (options, stored) = tokio::try_join!(read_options(staff), stored)?;
        let form = match (form, stored) {
            (Some(form), _) => form,
            // What is unique stays with the other product.
            (None, Some(stored)) => stored.form(&options).with("sku", "").with("slug", "").with("imei", "").about(""),
            (None, None) => {
                Form::new([("on_sale", "true".to_owned()), ("category", staff.query.get("category_id").to_owned())])
            }
        };
        Ok(Self { categories: choices(&options, form.value("category")), page, form })
    }

    fn specifications(&self) -> Vec<(String, String)> {
        fields::specification_rows(&self.form)
    }

    fn metadata(&self) -> Vec<(String, String)> {
        fields::metadata_rows(&self.form)
    }

    fn has_phone(&self) -> bool {
        self.form.has_any("phone.")
    }

    fn is_new(&self) -> bool {
        true
    }
}

pub async fn show(staff: Staff) -> PageResult {
    staff.require("create_product")?;
    staff.show(&NewProductPage::read(&staff, None).await?)
}

pub async fn create(staff: Staff, form: Form) -> PageResult {
    let form = fields::with_summaries(form);
    let created = match fields::creation(&form) {
        Ok(body) => staff.api.post("products").json(&body).key(&form.key).read::<Created>().await,
        Err(problem) => Err(problem),
    };
    match created {
        Ok(created) => staff.done(&address(created.data.product_id), "The product was created. Add its images below."),
        Err(problem) if problem.is_about_input() => {
            let page = NewProductPage::read(&staff, Some(form.refused(problem.clone()))).await?;
            staff.show_refused(&problem, &page)
        }
        Err(problem) => Err(problem),
    }
}
