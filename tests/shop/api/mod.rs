//! What every route of the HTTP interface keeps.

mod bad_input;
mod conventions;
mod documented_reads;
mod golden;
mod openapi;
