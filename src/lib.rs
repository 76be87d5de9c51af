//! Cartwright: an event-sourced shop backend on PostgreSQL.
//!
//! Every change is an event. Commands arrive over [`http`], run as use cases of [`shop`] on the aggregates of [`domain`],
//! and their events are appended by the [`journal`]. The [`projector`] folds the log into read tables with the SQL of
//! `projections/`, and queries read those tables. [`reactors`] run side effects outside the database: [`payments`],
//! [`mail`] and [`webhooks`]. The [`scheduler`] runs periodic tasks. The [`clock`] is the database's. [`accounts`] authenticates callers.
//! [`health`] collects the warnings that operators see. [`catalogue`] dumps, checks and deploys the products, and
//! [`applied_files`] keeps how far a file is.
//! [`admin`] is the staff's pages, a client of the API inside the process.
//! [`csv_file`] reads the files that operators import. [`archive`] moves closed orders out of the table of live events.
//!
//! - `domain` is pure: no I/O, no clock, no randomness, no configuration.
//! - Only `journal` writes to the log; only `projections/*/apply.sql` write read tables; only `http` and `admin` know axum.
//! - A read table holds nothing that cannot be rebuilt from the log and the tables of personal data.

pub mod accounts;
pub mod admin;
pub mod applied_files;
pub mod archive;
mod background;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod config;
pub mod csv_file;
pub mod database;
pub mod domain;
pub mod failpoints;
pub mod files;
pub mod health;
pub mod http;
pub mod journal;
mod json;
pub mod mail;
pub mod metrics;
pub mod payments;
pub mod play;
pub mod projector;
pub mod reactors;
mod regular_file;
pub mod scheduled_tasks;
pub mod scheduler;
pub mod seeds;
pub mod server;
pub mod shop;
pub mod status_report;
pub mod webhooks;
