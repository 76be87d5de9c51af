//! The pages in a real browser: journeys of staff.

mod categories;
mod checks;
mod product_list;
mod public_pages;
mod sessions;
