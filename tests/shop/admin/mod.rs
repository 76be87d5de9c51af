//! The staff's pages, without a browser: sessions, rights, and what pages show and change.

mod categories;
mod headers;
mod log_in;
mod products;
mod roles;
