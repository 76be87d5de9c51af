//! Everything with a database: one binary, a file per subject, a database of its own for each test.

mod admin;
mod api;
mod browser;
mod features;
mod robustness;
mod security;
mod support;
mod tidy;
