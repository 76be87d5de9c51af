//! Two server processes on one database: killed, stopped, and resumed too late.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use cartwright::database::embedded::{Durability, EmbeddedOptions, EmbeddedPostgres};
use cartwright::database::prepared;
use nix::sys::signal::Signal;
use serde_json::json;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::support::client::Client;
use crate::support::failpoints::assert_killed;
use crate::support::load::Load;
use crate::support::program::{Server, ask, command, data_dir, is_stopped, run, text, wait_for};

/// A durable PostgreSQL that outlives every server on it.
struct Database {
    folder: TempDir,
    connect: PgConnectOptions,
    url: String,
    runtime: Runtime,
    postgres: Option<EmbeddedPostgres>,
}

impl Database {
    fn start() -> Self {
        let folder = data_dir();
        let runtime = Runtime::new().unwrap();
        let data_dir = folder.path().join("data");
        let options = EmbeddedOptions { data_dir, durability: Durability::Durable, binaries: None };
        let postgres = runtime.block_on(EmbeddedPostgres::start(&options)).unwrap();
        let connect = postgres.connect_options("cartwright");
        let url = connect.to_url_lossy().to_string();
        Self { folder, connect: prepared(connect), url, runtime, postgres: Some(postgres) }
    }

    /// The command of a server on the database, with its failpoints.
    fn server(&self, port: u16, points: &str) -> Command {
        let mut command = command(self.folder.path());
        command.args(["--no-seeds", "--listen", &format!("127.0.0.1:{port}")]);
        command.env("DATABASE_URL", &self.url).env("FAILPOINTS", points);
        command
    }

    fn verify(&self) {
        let verified = run(self.folder.path(), &["verify", "--database-url", &self.url]);
        assert!(verified.status.success(), "{}", text(&verified));
    }

    /// The epoch of the projector's lease, and the position of the tables.
    fn lease(&self) -> (i64, i64) {
        let lease = "select epoch, position from projector_lease";
        ask(&self.connect, async |pool| sqlx::query_as(lease).fetch_one(pool).await.unwrap())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(postgres) = self.postgres.take() {
            // A test that fails shows its own error.
            let _ = self.runtime.block_on(postgres.stop());
        }
    }
}

#[test]
fn two_servers_of_which_one_is_killed_under_load_leave_one_gapless_log() {
    let database = Database::start();
    let survivor = Server::spawn(&mut database.server(0, ""));
    let mut killed = Server::spawn(&mut database.server(0, ""));
    let ledger = Load::prepare(&[survivor.port(), killed.port()]).run(|progress| {
        progress.more(300);
        killed.signal(Signal::SIGKILL);
        killed.ended();
        progress.more(300);
    });
    ledger.compare_with_log(&database.connect, survivor.port());
    database.verify();
}

#[test]
fn a_server_killed_while_two_compete_loses_and_repeats_nothing() {
    let database = Database::start();
    let winner = Server::spawn(&mut database.server(0, ""));
    let deaths = [
        "journal-locked-sent=20*off->return(kill)",
        "journal-locked-stored=20*off->return(kill)",
        "journal-recovery-fenced=return(kill)",
    ];
    let mut loser = Server::spawn(&mut database.server(0, deaths[0]));
    let port = loser.port();
    let ledger = Load::prepare(&[winner.port(), port]).run(|progress| {
        for (place, points) in deaths.iter().enumerate() {
            if points.starts_with("journal-recovery") {
                // Sessions that run an append are terminated, until the server with the failpoint has to recover.
                ask(&database.connect, async |pool| {
                    let end = "select pg_terminate_backend(pid) from pg_stat_activity
                               where state = 'active' and pid <> pg_backend_pid()
                                   and query like '%from journal_append(%'";
                    while loser.child.try_wait().unwrap().is_none() {
                        sqlx::query(end).execute(pool).await.unwrap();
                    }
                });
            }
            assert_killed(loser.ended(), points);
            loser = Server::spawn(&mut database.server(port, deaths.get(place + 1).unwrap_or(&"")));
            progress.more(60);
        }
    });
    ledger.compare_with_log(&database.connect, winner.port());
    database.verify();
}

#[test]
fn a_server_resumed_after_its_lease_expired_writes_nothing_and_catches_up() {
    let database = Database::start();
    let log = database.folder.path().join("first.log");
    let sleeper = Server::spawn(database.server(0, "").stderr(File::create(&log).unwrap()));
    wait_for("the first lease", || (database.lease().0 == 1).then_some(()));
    let successor = Server::spawn(&mut database.server(0, ""));
    let ledger = Load::prepare(&[successor.port()]).run(|progress| {
        progress.more(50);
        sleeper.signal(Signal::SIGSTOP);
        let (_, stood_at) = database.lease();
        wait_for("the second lease", || (database.lease().0 == 2).then_some(()));
        progress.more(50);
        assert!(wait_for("projected events", || Some(database.lease().1)) >= stood_at);
        sleeper.signal(Signal::SIGCONT);
        wait_for("the end of the first lease", || {
            read(&log).contains("another node holds the projector's lease now").then_some(())
        });
        progress.more(50);
    });
    ledger.compare_with_log(&database.connect, successor.port());
    // The resumed server answers from the tables that the other updates.
    ledger.compare_with_log(&database.connect, sleeper.port());
    assert_eq!(database.lease().0, 2, "only the second node has projected since");
    database.verify();
}

#[test]
fn a_stopped_server_that_locks_the_head_delays_others_for_seconds_only() {
    let database = Database::start();
    let runner = Server::spawn(&mut database.server(0, ""));
    let sleeper = Server::spawn(&mut database.server(0, "journal-locked-sent=5*off->1*return(stop)"));
    let ledger = Load::prepare(&[runner.port(), sleeper.port()]).run(|progress| {
        wait_for("a stopped process", || is_stopped(sleeper.child.id()).then_some(()));
        let stood_at = Instant::now();
        let mut client = Client::new(&[runner.port()], 0);
        let created = client.send("POST", "categories/", "", &json!({ "category_name": "Garden" })).unwrap();
        assert_eq!(created.status, 201, "{}", created.body);
        assert!(stood_at.elapsed() < Duration::from_secs(4), "{:?}", stood_at.elapsed());
        sleeper.signal(Signal::SIGCONT);
        progress.more(100);
    });
    ledger.compare_with_log(&database.connect, runner.port());
    ledger.compare_with_log(&database.connect, sleeper.port());
    database.verify();
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
