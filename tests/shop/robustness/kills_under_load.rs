//! Kills at any moment under load: of the server, of PostgreSQL, of the writer's session.

use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::load::Load;
use crate::support::program::{Server, ask, command, data_dir, embedded_database, verify, wait_for};

const ROUNDS: usize = 6;

/// Runs `kill_one` six times while buyers order; then the log must hold exactly the acknowledged commands.
fn survives(mut kill_one: impl FnMut(&Path, &mut Server)) {
    let folder = data_dir();
    let mut server = Server::spawn(command(folder.path()).args(["--no-seeds", "--listen", "127.0.0.1:0"]));
    let port = server.port();
    let ledger = Load::prepare(&[port]).run(|progress| {
        for round in 0..ROUNDS {
            // After a different number of commands each time, and only when the shop has recovered.
            progress.more(60 + 17 * round);
            kill_one(folder.path(), &mut server);
        }
        progress.more(60);
    });
    ledger.compare_with_log(&embedded_database(folder.path()), port);
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Some(0));
    verify(folder.path());
}

#[test]
fn acknowledged_commands_survive_a_server_killed_under_load() {
    survives(|folder, server| {
        let listen = format!("127.0.0.1:{}", server.port());
        server.signal(Signal::SIGKILL);
        server.ended();
        *server = Server::start_on(folder, &listen);
    });
}

#[test]
fn acknowledged_commands_survive_a_postgresql_killed_under_load() {
    survives(|folder, _| {
        // It may still be restarting after the last kill.
        wait_for("a PostgreSQL to kill", || {
            let pid_file = std::fs::read_to_string(folder.join("pgdata/postmaster.pid")).ok()?;
            let postmaster = pid_file.lines().next()?.parse().ok()?;
            kill(Pid::from_raw(postmaster), Signal::SIGKILL).ok()
        });
    });
}

#[test]
fn acknowledged_commands_survive_a_writers_session_ended_during_an_append() {
    survives(|folder, _| {
        ask(&embedded_database(folder), async |pool| {
            let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                       where state = 'active' and pid <> pg_backend_pid() and query like '%from journal_append(%'";
            while sqlx::query_scalar::<_, i64>(end).fetch_one(pool).await.unwrap() == 0 {}
        });
    });
}
