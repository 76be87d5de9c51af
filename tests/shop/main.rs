//! Everything with a database: one binary, a file per subject, a database of its own for each test.

mod audit;
mod conventions;
mod disk;
mod facts;
mod faults;
mod journal;
mod personal_data;
mod play;
mod process;
mod program;
mod projections;
mod races;
mod reads;
mod restore;
mod retail;
mod seeds;
mod support;
mod tidy;
