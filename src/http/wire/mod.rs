//! What every route shares: who may call it, how its input is read, how it answers, and how that is described.

pub mod access;
pub mod body;
pub mod caller;
pub mod command;
pub mod consistency;
pub mod error;
pub mod fallbacks;
pub mod format;
pub mod json;
pub mod openapi;
pub mod page;
pub mod recent_writes;
