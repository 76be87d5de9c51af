//! SIGTERM under load: every request that arrived in time gets an answer, and every answer is true.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::client::{Client, Lost, Reply};
use crate::support::program::{Server, command, data_dir, verify, wait_for};

const CLIENTS: usize = 16;
const ROUNDS: usize = 3;

/// A command and its outcome.
struct Sent {
    key: String,
    body: Value,
    outcome: Result<Reply, Lost>,
}

#[test]
fn a_server_stopped_under_load_answers_every_request_it_received() {
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
                // The system accepts connections while the port is open, also when the server no longer takes them.
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

/// Sixteen clients send one command after the other until the server no longer answers.
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
                    // A request that was not sent is repeated with its key.
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
