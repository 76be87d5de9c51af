//! The pages in a real browser: journeys of staff, and a crawl of every page.

mod checks;
mod customers;
mod engine;
mod public_pages;
