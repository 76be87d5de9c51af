//! Everything with a database: one binary, a file per subject, a database of its own for each test.

mod audit;
mod bad_input;
mod bad_values;
mod client;
mod conventions;
mod disk;
mod facts;
mod faults;
mod journal;
mod kills;
mod load;
mod nodes;
mod personal_data;
mod play;
mod points;
mod process;
mod program;
mod projections;
mod races;
mod reads;
mod restore;
mod retail;
mod seeds;
mod stops;
mod support;
mod tidy;
