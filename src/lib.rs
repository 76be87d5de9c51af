//! Cartwright: an event-sourced shop backend on PostgreSQL.
//!
//! Every change is an event. [`http`] receives commands, which run as use cases of [`shop`] on the aggregates of
//! [`domain`]; the [`journal`] appends their events. The [`projector`] folds the log into read tables with the SQL of
//! `projections/`, and queries read those tables. The [`reactors`] retry side effects until they succeed: [`webhooks`],
//! [`mail`] and [`payments`]. [`accounts`] decides which caller may do what.
//!
//! - `domain` is pure: no I/O, no clock, no randomness, no configuration.
//! - Only `journal` writes to the log; only `projections/*/apply.sql` write read tables; only `http` uses axum.
//! - A read table holds nothing that the log and the tables of personal data cannot restore.

pub mod accounts;
mod background;
pub mod cli;
pub mod config;
pub mod database;
pub mod domain;
pub mod failpoints;
pub mod http;
pub mod journal;
pub mod mail;
pub mod payments;
pub mod play;
pub mod projector;
pub mod reactors;
pub mod scheduler;
pub mod seeds;
pub mod server;
pub mod shop;
pub mod webhooks;
