//! A discount: its terms, its uses, its end, and what it was.

use askama::Template;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;

use super::{Discount, address, kinds, terms};
use crate::admin::api::Problem;
use crate::admin::form::Form;
use crate::admin::history::{self, History};
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};
use crate::domain::discount::DiscountCode;

#[derive(Template)]
#[template(path = "admin/discounts/detail.html")]
struct DiscountPage {
    page: Page,
    discount: Discount,
    kinds: Vec<(String, String)>,
    form: Form,
    history: History,
}

type CodePath = Result<Path<String>, PathRejection>;

fn code_of(path: CodePath) -> Result<DiscountCode, Problem> {
    let Path(code) = path.map_err(|_| Problem::not_found())?;
    DiscountCode::parse(&code).map_err(|_| Problem::not_found())
}

async fn read_discount(staff: &Staff, code: &DiscountCode) -> Result<(Discount, Form), Problem> {
    let reply = staff.api.get(format!("discount/{code}")).read::<Discount>().await?;
    let form = reply.data.form(staff).about(&reply.etag);
    Ok((reply.data, form))
}

impl DiscountPage {
    /// `refused` is a form that was sent, and why it was refused.
    async fn read(staff: &Staff, code: &DiscountCode, refused: Option<(Form, Problem)>) -> Result<Self, Problem> {
        let subject = format!("discount/{code}");
        let ((discount, stored), history) =
            tokio::try_join!(read_discount(staff, code), history::read(staff, &subject))?;
        let form = match refused {
            None => stored,
            Some((form, problem)) => form.refused_beside(problem, stored),
        };
        let page = staff.page(discount.code.clone()).below("Discounts", "/admin/discounts");
        Ok(Self { page, discount, kinds: kinds(), form, history })
    }
}

pub async fn show(staff: Staff, path: CodePath) -> PageResult {
    staff.show(&DiscountPage::read(&staff, &code_of(path)?, None).await?)
}

pub async fn save(staff: Staff, path: CodePath, form: Form) -> PageResult {
    let code = code_of(path)?;
    let call = staff.api.patch(format!("discount/{code}")).json(&terms(&staff, &form));
    match call.if_match(&form.etag).key(&form.key).send_command().await {
        Ok(()) => staff.done(&address(code.as_str()), "The discount was saved."),
        Err(problem) => show_refused(&staff, &code, form, problem).await,
    }
}

pub async fn end(staff: Staff, path: CodePath, form: Form) -> PageResult {
    let code = code_of(path)?;
    match staff.api.delete(format!("discount/{code}")).if_match(&form.etag).send_command().await {
        Ok(()) => staff.done(&address(code.as_str()), "The discount was ended."),
        Err(problem) => {
            // The form of the page, not that of the button, shows why.
            let (_, stored) = read_discount(&staff, &code).await?;
            show_refused(&staff, &code, stored, problem).await
        }
    }
}

async fn show_refused(staff: &Staff, code: &DiscountCode, form: Form, problem: Problem) -> PageResult {
    if !problem.is_about_input() {
        return Err(problem);
    }
    let page = DiscountPage::read(staff, code, Some((form, problem.clone()))).await?;
    staff.show_refused(&problem, &page)
}
