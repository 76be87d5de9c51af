//! Shared helpers: shops, programs, clients, and stand-ins for the outside world. No tests.

pub mod accounts;
pub mod archived;
pub mod bad_values;
pub mod browser;
pub mod card_stub;
pub mod client;
mod database;
pub mod dumps;
pub mod ending;
pub mod failpoints;
mod folders;
pub mod furnished;
pub mod guests;
pub mod load;
pub mod order_slips;
pub mod pages;
pub mod paying_shop;
pub mod pictures;
pub mod pricing;
pub mod program;
pub mod reactors;
pub mod receiver;
pub mod shifted_clock;
mod shop;
pub mod tokens;
pub mod visitor;
pub mod waiting;

pub use database::{POOL_SIZE, as_superuser, bare_database, check_log, fresh_database, lasting_database, pool};
pub use shop::{Answer, TestShop};
