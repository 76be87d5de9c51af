//! What holds when processes, networks, disks and clocks fail, and under concurrency.

mod abandoned_builds;
mod clocks;
mod connections;
mod database_faults;
mod dump_and_restore;
mod earlier_shops;
mod failpoints;
mod full_disk;
mod graceful_shutdown;
mod journal;
mod kills_under_load;
mod log_verification;
mod other_tables;
mod payment_crashes;
mod payment_faults;
mod projection_swaps;
mod races;
mod restored_databases;
mod restored_refunds;
mod rolling_update;
mod side_writes;
mod two_nodes;
mod unread_bodies;
mod views_of_others;
mod warnings;
mod webhook_crashes;
