//! What every route of the HTTP interface keeps.

mod bad_input;
mod conventions;
mod documented_reads;
mod examples;
mod golden;
