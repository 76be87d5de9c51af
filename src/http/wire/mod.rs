//! What all routes share: access check, input parsing, responses, errors and the OpenAPI document.

pub mod access;
pub mod amount;
pub mod body;
pub mod caller;
pub mod command;
pub mod consistency;
pub mod error;
pub mod fallbacks;
pub mod input;
pub mod json;
pub mod json_input;
pub mod list_format;
pub mod log_position;
pub mod openapi;
pub mod page;
pub mod parameters;
pub mod query;
pub mod ranked_walk;
pub mod recent_writes;
pub mod refusal;
pub mod response_cache;
pub mod responses;
pub mod schema;
pub mod text_input;
pub mod unchanged;
pub mod whole_list;
