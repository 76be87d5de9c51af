//! The pages in a real browser: journeys of staff, and a crawl of every page.

mod categories;
mod checks;
mod crawl;
mod customers;
mod engine;
mod images;
mod orders;
mod product_list;
mod public_pages;
mod sessions;
