//! Cartwright: an event-sourced shop backend on PostgreSQL.
pub mod database;
pub mod domain;
pub mod journal;
pub mod projector;
pub mod shop;
