//! The pages in a real browser: journeys of staff, and a crawl of every page.

mod checks;
mod public_pages;
