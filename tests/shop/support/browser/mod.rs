//! Headless Chromium in front of a running shop: what the tests of pages share.
//!
//! One shop and one ChromeDriver serve all tests of a run; each test has a browser with a profile of its own. A journey
//! finds fields by label, buttons by name and cells by row and column, as a person does, and waits for conditions.

mod accessibility;
mod api;
mod driver;
mod journey;
mod page;
mod quiet;
mod sample;
mod screenshots;
mod shop;

pub use journey::{browse, browse_as};
pub use page::Page;
pub use sample::Sample;
