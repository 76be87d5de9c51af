//! Accounts: logging in with them, and looking after them.

pub mod auth;
pub mod users;
