//! SIGTERM under load: whoever is answered is told the truth, and nobody who was in time is left without an answer.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::client::{Client, Lost, Reply};
use crate::support::program::{Server, command, data_dir, verify, wait_for};

const CLIENTS: usize = 16;
const ROUNDS: usize = 5;

/// A command, and what became of it.
struct Sent {
    key: String,
    body: Value,
    outcome: Result<Reply, Lost>,
}

#[test]
fn a_server_that_is_stopped_under_load_answers_everything_it_was_sent_and_tells_the_truth() {
    let folder = data_dir();
    let mut server = Server::spawn(command(folder.path()).args(["--no-seeds", "--listen", "127.0.0.1:0"]));
    let port = server.port();
    let (mut stored, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        let (sent, signalled_at) = stop_under_load(server, port, round);
        server = Server::start_on(folder.path(), &format!("127.0.0.1:{port}"));
        let mut client = Client::new(&[port], 0);
        for Sent { key, body, outcome } in sent {
            let again = client.send("POST", "categories/", &key, &body).unwrap();
            assert_eq!(again.status, 201, "{key}: {}", again.body);
            match outcome {
                Ok(Reply { status: 201, body, .. }) => {
                    assert_eq!((again.replayed, again.body), (true, body), "{key} was acknowledged");
                    stored += 1;
                }
                Ok(Reply { status: 503, body, .. }) => {
                    assert!(!again.replayed, "{key} was refused, but carried out: {body}");
                    refused += 1;
                }
                Ok(reply) => panic!("{key}: {} {}", reply.status, reply.body),
                // The system takes up connections as long as the port is open, even if nobody comes for them any more.
                Err(Lost::Cut { connected_at }) => {
                    assert!(connected_at > signalled_at, "{key} got no answer, on a connection from before the signal");
                }
                Err(Lost::Unsent) => unreachable!("it was not noted"),
            }
        }
    }
    assert!(stored > 100 * ROUNDS, "there was no load");
    eprintln!("{stored} commands were acknowledged, {refused} refused");
    verify(folder.path());
}

/// Sixteen clients send commands, each as soon as the one before is answered, until nobody answers any more.
fn stop_under_load(server: Server, port: u16, round: usize) -> (Vec<Sent>, Instant) {
    let acknowledged = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients = (0..CLIENTS).map(|place| {
            let (acknowledged, stop) = (&acknowledged, &stop);
            scope.spawn(move || {
                let mut client = Client::new(&[port], 0);
                let mut sent = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let key = format!("{round}-{place}-{}", sent.len());
                    let body = json!({ "category_name": key });
                    let outcome = client.send("POST", "categories/", &key, &body);
                    match outcome {
                        Ok(_) => drop(acknowledged.fetch_add(1, Ordering::Relaxed)),
                        Err(_) => std::thread::sleep(Duration::from_millis(1)),
                    }
                    // What did not go out is sent again, under the same key.
                    if !matches!(outcome, Err(Lost::Unsent)) {
                        sent.push(Sent { key, body, outcome });
                    }
                }
                sent
            })
        });
        let clients: Vec<_> = clients.collect();
        wait_for("a load", || (acknowledged.load(Ordering::Relaxed) > 300 + 31 * round).then_some(()));
        let signalled_at = Instant::now();
        server.signal(Signal::SIGTERM);
        let code = server.wait();
        let took = signalled_at.elapsed();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(15), "it took {took:?}");
        (clients.into_iter().flat_map(|client| client.join().unwrap()).collect(), signalled_at)
    })
}
