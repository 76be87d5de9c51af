//! Servers killed exactly between two steps: see `src/failpoints.rs`.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::client::{Client, Lost};
use crate::support::failpoints::{assert_killed, run_until_killed, server_on};
use crate::support::load::Load;
use crate::support::program::{Server, ask, command, data_dir, embedded_database, run, text, verify, wait_for};

#[test]
fn a_retry_replays_what_a_killed_server_stored_and_executes_what_it_did_not() {
    let folder = data_dir();
    let mut server = Server::spawn(&mut server_on(folder.path(), 0, ""));
    let port = server.port();
    for (point, stored) in [("journal-append-decided", false), ("journal-append-stored", true)] {
        server.signal(Signal::SIGTERM);
        assert_eq!(server.wait(), Some(0));
        server = Server::spawn(&mut server_on(folder.path(), port, &format!("{point}=return(kill)")));
        let mut client = Client::new(&[port], 0);
        let category = json!({ "category_name": point });
        let lost = client.send("POST", "categories/", point, &category);
        assert!(matches!(lost, Err(Lost::Cut { .. })), "{point}: {lost:?}");
        assert_killed(server.ended(), point);

        server = Server::spawn(&mut server_on(folder.path(), port, ""));
        let reply = client.send("POST", "categories/", point, &category).unwrap();
        assert_eq!((reply.status, reply.replayed), (201, stored), "{point}");
        let again = client.send("POST", "categories/", point, &category).unwrap();
        assert_eq!((again.replayed, again.body), (true, reply.body), "{point}");
    }
    let categories = Client::new(&[port], 0).get("categories/").body;
    assert_eq!(categories.as_array().unwrap().len(), 2, "{categories}");
    verify(folder.path());
}

#[test]
fn a_server_killed_between_two_steps_under_load_loses_and_repeats_nothing() {
    let folder = data_dir();
    let deaths = [
        "journal-append-decided=50*off->return(kill)",
        "journal-append-stored=50*off->return(kill)",
        "projector-step-done=20*off->return(kill)",
        "snapshot-taken=return(kill)",
    ];
    let mut server = Server::spawn(&mut server_on(folder.path(), 0, deaths[0]));
    let port = server.port();
    let ledger = Load::prepare(&[port]).run(|progress| {
        for (place, points) in deaths.iter().enumerate() {
            assert_killed(server.ended(), points);
            let replayed = progress.replayed();
            // A server with a failpoint might die before it serves a request.
            server = Server::spawn(&mut server_on(folder.path(), port, ""));
            progress.more(40);
            if points.starts_with("journal-append-stored") {
                assert!(progress.replayed() > replayed, "no retry was answered from the store");
            }
            if let Some(next) = deaths.get(place + 1) {
                server.signal(Signal::SIGTERM);
                server.ended();
                server = Server::spawn(&mut server_on(folder.path(), port, next));
            }
        }
    });
    ledger.compare_with_log(&embedded_database(folder.path()), port);
    verify(folder.path());
}

#[test]
fn a_server_killed_during_start_or_rebuild_recovers_at_the_next_start() {
    let folder = data_dir();
    // Before there is any read table.
    run_until_killed(&mut server_on(folder.path(), 0, ""), "start-migrated=return(kill)");
    let mut server = Server::spawn(&mut server_on(folder.path(), 0, ""));
    let port = server.port();
    let ledger = Load::prepare(&[port]).run(|progress| progress.more(300));

    for points in
        ["projector-lease-acquired=return(kill)", "rebuild-folded=return(kill)", "rebuild-swapped=return(kill)"]
    {
        // As left by an older version of the shop.
        ask(&embedded_database(folder.path()), async |pool| {
            let old = "update projection set fingerprint = 'older' where name = 'orders'";
            sqlx::query(old).execute(pool).await.unwrap();
        });
        server.signal(Signal::SIGKILL);
        server.ended();
        run_until_killed(&mut server_on(folder.path(), port, ""), points);
        server = Server::spawn(&mut server_on(folder.path(), port, ""));
        let rebuilt = || {
            let projections = Client::new(&[port], 0).get("projections/").body;
            let old = ask(&embedded_database(folder.path()), async |pool| {
                let old = "select exists (select from projection where fingerprint = 'older')";
                sqlx::query_scalar::<_, bool>(old).fetch_one(pool).await.unwrap()
            });
            let live = |projection: &Value| projection["state"] == "live" && projection["lag"] == 0;
            (!old && projections.as_array().unwrap().iter().all(live)).then_some(())
        };
        wait_for("the rebuild", rebuilt);
        verify(folder.path());
    }
    ledger.compare_with_log(&embedded_database(folder.path()), port);
}

#[test]
fn a_rebuild_killed_beside_a_busy_server_leaves_its_tables_in_service() {
    let folder = data_dir();
    let server = Server::spawn(&mut server_on(folder.path(), 0, ""));
    let port = server.port();
    let ledger = Load::prepare(&[port]).run(|progress| {
        progress.more(100);
        for points in ["rebuild-folded=return(kill)", "rebuild-swapped=return(kill)"] {
            run_until_killed(command(folder.path()).args(["replay", "orders"]), points);
            progress.more(60);
        }
        let replayed = run(folder.path(), &["replay", "orders"]);
        assert!(replayed.status.success(), "the next one is not in the way of the dead: {}", text(&replayed));
    });
    ledger.compare_with_log(&embedded_database(folder.path()), port);
    verify(folder.path());
}
