//! What holds for every route of the HTTP interface, and the documented reads.

mod bad_input;
mod conventions;
mod documented_reads;
mod dry_runs;
mod golden;
mod openapi;
mod parameters;
mod problems;
mod tags;
