//! Parts of a whole: a table whose rows have a bar each, so that the chart and its numbers are one.

use rust_decimal::Decimal;

use super::reads::{Buyers, CategorySales, OrderStates};
use crate::admin::days::Days;
use crate::admin::form::capitalized;
use crate::admin::orders::states::choices;
use crate::admin::page::Page;
use crate::admin::statistics::money;

/// Parts of a whole. The template shows them with the macro `shares`.
pub struct Shares {
    pub title: &'static str,
    /// Name of what is in parts, of the count and of the amount.
    pub heads: [&'static str; 3],
    pub rows: Vec<Share>,
    pub csv: String,
    /// What the figures leave out.
    pub remark: &'static str,
}

/// One part. The bar and the percentage are those of its amount.
pub struct Share {
    pub label: String,
    pub link: String,
    pub count: String,
    pub amount: String,
    pub percent: String,
    /// Width of the bar, 0 to 100.
    pub width: String,
}

/// A part before its share is known.
struct Part {
    label: String,
    link: String,
    count: i64,
    amount: Decimal,
}

pub const INCOMPLETE: &str = "Only the newest 100,000 orders of these days count.";
/// Categories that are shown one by one.
const CATEGORIES: usize = 8;

/// Kinds of buyers: word of the API, and title.
const BUYERS: [(&str, &str); 3] = [("new", "New customers"), ("returning", "Returning customers"), ("guest", "Guests")];

pub fn word_of_buyers(kind: &str) -> &str {
    BUYERS.iter().find(|(name, _)| *name == kind).map_or(kind, |(_, title)| title)
}

pub fn of_states(page: &Page, days: &Days, states: &[OrderStates]) -> Shares {
    let part = |(status, word): (String, String)| {
        let of_status = || states.iter().filter(|states| states.status == status);
        Part {
            label: capitalized(&word),
            link: format!("/admin/orders?status={status}&{}", days.parameters()),
            count: of_status().map(|states| states.orders).sum(),
            amount: of_status().map(|states| states.total_amount).sum(),
        }
    };
    let [statuses, ..] = choices();
    let parts = statuses.into_iter().map(part).filter(|part| part.count > 0).collect();
    Shares {
        title: "Orders by state",
        heads: ["State", "Orders", "Value"],
        rows: shares(page, parts),
        csv: format!("/admin/statistics/orders/csv?{}", days.parameters()),
        remark: if states.iter().all(|states| states.complete) { "" } else { INCOMPLETE },
    }
}

pub fn of_categories(page: &Page, days: &Days, categories: &[CategorySales]) -> Shares {
    let part = |category: &CategorySales| Part {
        label: category.category_name.clone(),
        link: format!("/admin/statistics/bestsellers?category_id={}&{}", category.category_id, days.parameters()),
        count: category.units,
        amount: category.revenue,
    };
    let (first, rest) = categories.split_at(categories.len().min(CATEGORIES));
    let mut parts: Vec<Part> = first.iter().map(part).collect();
    if !rest.is_empty() {
        parts.push(Part {
            label: "Other categories".to_owned(),
            link: format!("/admin/statistics/category-sales?{}", days.parameters()),
            count: rest.iter().map(|category| category.units).sum(),
            amount: rest.iter().map(|category| category.revenue).sum(),
        });
    }
    Shares {
        title: "Shares of the categories",
        heads: ["Category", "Units", "Revenue"],
        rows: shares(page, parts),
        csv: format!("/admin/statistics/category-sales/csv?{}", days.parameters()),
        remark: "",
    }
}

pub fn of_buyers(page: &Page, days: &Days, buyers: &[Buyers]) -> Shares {
    let part = |(kind, title): (&str, &str)| {
        let found = buyers.iter().find(|buyers| buyers.kind == kind)?;
        let label = match kind {
            "guest" => title.to_owned(),
            _ => format!("{title}:\u{a0}{}", page.quantity(&found.customers)),
        };
        let link = format!("/admin/orders?{}", days.parameters());
        Some(Part { label, link, count: found.orders, amount: found.total_amount })
    };
    Shares {
        title: "New and returning customers",
        heads: ["Customers", "Orders", "Revenue"],
        rows: shares(page, BUYERS.into_iter().filter_map(part).collect()),
        csv: format!("/admin/statistics/buyers/csv?{}", days.parameters()),
        remark: if buyers.iter().all(|buyers| buyers.complete) { "" } else { INCOMPLETE },
    }
}

fn shares(page: &Page, parts: Vec<Part>) -> Vec<Share> {
    let whole: Decimal = parts.iter().map(|part| part.amount).sum();
    let share = |part: Part| {
        let width = (part.amount * Decimal::ONE_HUNDRED).checked_div(whole).unwrap_or_default();
        Share {
            count: page.quantity(&part.count),
            amount: money(page, part.amount),
            percent: page.percent(&part.amount, &whole),
            width: width.clamp(Decimal::ZERO, Decimal::ONE_HUNDRED).round_dp(1).to_string(),
            label: part.label,
            link: part.link,
        }
    };
    parts.into_iter().map(share).collect()
}
