//! Both tables, to read.

use askama::Template;

use super::history::{self, PricingHistory};
use super::{Fees, Taxes};
use crate::admin::categories::read_options;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/pricing/overview.html")]
struct PricingPage {
    page: Page,
    taxes: Taxes,
    fees: Fees,
    categories: Vec<(i64, String)>,
    history: PricingHistory,
}

impl PricingPage {
    fn category(&self, category_id: &i64) -> String {
        category_name(&self.categories, *category_id)
    }
}

/// The way of a category, or its number if there is no such category any more.
pub fn category_name(categories: &[(i64, String)], category_id: i64) -> String {
    let found = categories.iter().find(|(found, _)| *found == category_id);
    found.map_or_else(|| format!("category {category_id}"), |(_, way)| way.clone())
}

pub async fn show(staff: Staff) -> PageResult {
    let (taxes, fees, options, entries) = tokio::try_join!(
        staff.api.get("pricing/taxes").read::<Taxes>(),
        staff.api.get("pricing/shipping").read::<Fees>(),
        read_options(&staff),
        history::read(&staff)
    )?;
    let categories: Vec<_> = options.into_iter().map(|option| (option.category_id, option.way)).collect();
    let page = staff.page("Taxes and fees");
    let history = PricingHistory::of(entries, &categories, &page);
    staff.show(&PricingPage { page, taxes: taxes.data, fees: fees.data, categories, history })
}
