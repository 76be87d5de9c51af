//! Orders: the list, each order, and what staff do with it.

mod action;
pub mod bulk;
pub mod detail;
mod effect;
pub mod list;
pub mod moves;
mod order;
pub mod recipients;
pub mod short;
pub mod slip;
pub mod states;
