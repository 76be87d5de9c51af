//! The staff's pages, without a browser: sessions, rights, and what pages show and change.

mod categories;
mod families;
mod headers;
mod log_in;
mod orders;
mod product_detail;
mod products;
mod roles;
