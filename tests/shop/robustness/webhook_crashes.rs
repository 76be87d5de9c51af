//! Webhook deliveries of servers that are killed: every event is delivered at least once, with one id.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::response::IntoResponse;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::client::Client;
use crate::support::failpoints::{assert_killed, server_on};
use crate::support::load::Load;
use crate::support::program::{Server, ask, command, data_dir, embedded_database};
use crate::support::receiver::Receiver;

/// Waits longer than the claims of killed servers and the pauses before retries last.
fn wait_long<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_receiver_has_every_event_once_by_its_id_although_servers_are_killed_under_load() {
    const ROUNDS: usize = 4;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // The receiver refuses one event in a hundred at first.
    let receiver = runtime.block_on(Receiver::answering(|before, message| {
        let position = message.body()["data"]["position"].as_i64().unwrap();
        let refused = before == 0 && position % 100 == 0;
        let status = if refused { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
        Box::pin(async move { status.into_response() })
    }));
    let folder = data_dir();
    let mut server = Server::spawn(command(folder.path()).args(["--no-seeds", "--listen", "127.0.0.1:0"]));
    let port = server.port();
    let load = Load::prepare(&[port]);
    let subscription = json!({ "url": receiver.url("/"), "event_types": ["*"] });
    let made = Client::new(&[port], 0).send("POST", "webhooks/", "", &subscription).unwrap();
    assert_eq!(made.status, 201, "{}", made.body);
    let secret = made.body["secret"].as_str().unwrap().to_owned();
    let (mut delivered_before_a_kill, mut interrupted_by_a_kill) = (Vec::new(), 0);
    load.run(|progress| {
        for round in 0..ROUNDS {
            progress.more(40 + 17 * round);
            let listen = format!("127.0.0.1:{}", server.port());
            server.signal(Signal::SIGKILL);
            server.ended();
            delivered_before_a_kill.push(receiver.messages().len());
            server = Server::start_on(folder.path(), &listen);
            // What the killed server had begun waits until its claim ends.
            interrupted_by_a_kill += ask(&embedded_database(folder.path()), async |pool| {
                let begun = "select count(*) from reaction where attempts > 0 and reason is null";
                sqlx::query_scalar::<_, i64>(begun).fetch_one(pool).await.unwrap()
            });
        }
        progress.more(40);
    });
    let expected: BTreeSet<String> = ask(&embedded_database(folder.path()), async |pool| {
        let events = "select event_id::text from events where position > (select since from webhook)";
        sqlx::query_scalar(events).fetch_all(pool).await.unwrap().into_iter().collect()
    });
    let delivered = || receiver.messages().iter().map(|message| message.id().to_owned()).collect::<BTreeSet<_>>();
    wait_long("every event", || (delivered().len() >= expected.len()).then_some(()));
    wait_long("the end of the reactions", || {
        ask(&embedded_database(folder.path()), async |pool| {
            let left = "select count(*) from reaction";
            (sqlx::query_scalar::<_, i64>(left).fetch_one(pool).await.unwrap() == 0).then_some(())
        })
    });
    assert_eq!(delivered(), expected);
    let mut by_id: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for message in receiver.messages() {
        by_id.entry(message.id().to_owned()).or_default().push(message);
    }
    for (id, messages) in &by_id {
        assert!(messages.iter().all(|message| message.bytes == messages[0].bytes), "{id} has two contents");
    }
    assert!(receiver.messages().last().unwrap().is_signed_with(&secret));
    let twice = by_id.values().filter(|messages| messages.len() > 1).count();
    eprintln!(
        "{} events, {twice} of them delivered more than once, {interrupted_by_a_kill} begun by killed servers",
        by_id.len()
    );
    let delivered_before = delivered_before_a_kill.iter().any(|delivered| *delivered > 0);
    assert!(delivered_before && interrupted_by_a_kill > 0, "no server was killed during a delivery");
    assert!(expected.len() > 300, "only {} events", expected.len());
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn a_killed_server_repeats_only_deliveries_that_it_had_not_recorded() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let receiver = runtime.block_on(Receiver::start());
    let folder = data_dir();
    let mut server = Server::spawn(&mut server_on(folder.path(), 0, ""));
    let port = server.port();
    let subscription = json!({ "url": receiver.url("/"), "event_types": ["CategoryCreated"] });
    assert_eq!(Client::new(&[port], 0).send("POST", "webhooks/", "", &subscription).unwrap().status, 201);
    let delivered = |name: &str| {
        let delivered =
            receiver.messages().into_iter().filter(|message| message.body()["data"]["payload"]["name"] == name);
        delivered.map(|message| message.id().to_owned()).collect::<Vec<_>>()
    };
    for (point, times) in [("reactions-written", 1), ("reactions-enqueued", 1), ("reaction-carried-out", 2)] {
        server.signal(Signal::SIGTERM);
        assert_eq!(server.wait(), Some(0));
        server = Server::spawn(&mut server_on(folder.path(), port, &format!("{point}=return(kill)")));
        let category = json!({ "category_name": point });
        // The server may die before it answers, but not before the category is stored.
        let mut staff = Client::new(&[port], 0);
        let _ = staff.send("POST", "categories/", point, &category);
        assert_killed(server.ended(), point);
        assert_eq!(delivered(point).len(), times - 1, "{point}");
        server = Server::spawn(&mut server_on(folder.path(), port, ""));
        let again = Client::new(&[port], 0).send("POST", "categories/", point, &category).unwrap();
        assert_eq!((again.status, again.replayed), (201, true), "{point}");
        wait_long("the message", || (delivered(point).len() == times).then_some(()));
        wait_long("the end of the reactions", || {
            ask(&embedded_database(folder.path()), async |pool| {
                let left = "select count(*) from reaction";
                (sqlx::query_scalar::<_, i64>(left).fetch_one(pool).await.unwrap() == 0).then_some(())
            })
        });
        let ids = delivered(point);
        assert_eq!(ids.len(), times, "{point}");
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }
}
