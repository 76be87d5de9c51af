//! The staff's pages, without a browser: sessions, rights, and what pages show and change.

mod categories;
mod customers;
mod dashboard;
mod engine;
mod families;
mod headers;
mod log_in;
mod operators;
mod orders;
mod pricing;
mod product_detail;
mod products;
mod roles;
