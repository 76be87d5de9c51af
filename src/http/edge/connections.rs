//! Connections: how many there may be, and how long each may keep the shop waiting.
//!
//! A client that is slow on purpose costs a connection and a little memory, so both are bounded: heads must come in
//! time, answers must be taken, and no address may hold more than its share. The time of a request itself is limited
//! in the router.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

use crate::http::edge::Edge;
use crate::http::edge::client_address::{ClientAddress, Peer};
use crate::http::edge::timeouts::{Exchange, Patient};

/// What connections may cost.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// How many there may be at once; further ones wait until one ends. An address that is no trusted proxy may hold a
    /// quarter of them.
    pub max_connections: usize,
    /// How long the head of a request may take.
    pub head_timeout: Duration,
    /// How long a connection may rest between two requests. Longer than proxies keep theirs, so that none sends a
    /// request into a connection that is being closed.
    pub idle_timeout: Duration,
    /// How long a client may leave an answer lying without taking any of it.
    pub write_timeout: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            max_connections: 1_024,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
        }
    }
}

/// A head that is larger is answered with 431, as is one with more than a hundred headers.
const HEAD_LIMIT_BYTES: usize = 16 * 1024;
/// Connections to the database, and what else a process has open.
const OTHER_FILES: u64 = 256;
/// How long to wait when the system has no room for a connection.
const NO_ROOM: Duration = Duration::from_millis(200);

/// Serves connections until `farewell` is over; then those that rest are closed, and what is under way is finished.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    edge: &Edge,
    farewell: impl Future<Output = ()>,
) -> io::Result<()> {
    let limits = edge.connections;
    reserve_files(limits.max_connections);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.idle_timeout).max_header_size(HEAD_LIMIT_BYTES);
    let house = House::new(limits.max_connections);
    let connections = GracefulShutdown::new();
    let mut farewell = pin!(farewell);
    loop {
        let (stream, peer, place) = tokio::select! {
            come = house.receive(&listener) => come,
            () = &mut farewell => break,
        };
        let Some(seat) = house.seat(place, peer, edge) else { continue };
        // An event of a stream leaves at once, and does not wait until the one before has arrived.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone at once");
        }
        let exchange = Exchange::default();
        let stream = Patient::new(stream, exchange.clone(), limits.head_timeout, limits.write_timeout);
        let router = router.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let under_way = exchange.begin();
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            let answering = router.clone().call(request);
            async move { answering.await.map(|response| response.map(|body| under_way.until_sent(body))) }
        });
        let connection = connections.watch(builder.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection was cut off");
            }
            drop(seat);
        });
    }
    drop(listener);
    connections.shutdown().await;
    Ok(())
}

/// Every connection is an open file, and many systems allow a process a thousand unless it asks for more.
fn reserve_files(connections: usize) {
    let wanted = connections as u64 + OTHER_FILES;
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) if soft < wanted => {
            if hard < wanted {
                tracing::warn!("the system allows {hard} open files, too few for {connections} connections");
            }
            if let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard) {
                tracing::warn!(%error, "the limit of open files could not be raised");
            }
        }
        _ => {}
    }
}

/// The room for connections, and who takes it.
struct House {
    places: Arc<Semaphore>,
    share: usize,
    held: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection's place. It is free again when this is dropped.
struct Seat {
    address: Option<IpAddr>,
    held: Arc<Mutex<HashMap<IpAddr, usize>>>,
    _place: OwnedSemaphorePermit,
}

impl House {
    fn new(places: usize) -> Self {
        let places = places.clamp(1, Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(places)), share: places.div_ceil(4), held: Arc::default() }
    }

    /// The next connection, when there is room for it. Until then it waits where the system keeps it.
    async fn receive(&self, listener: &TcpListener) -> (TcpStream, IpAddr, OwnedSemaphorePermit) {
        loop {
            let Ok(place) = self.places.clone().acquire_owned().await else { continue };
            match listener.accept().await {
                Ok((stream, peer)) => return (stream, peer.ip().to_canonical(), place),
                Err(error) if of_the_client(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "no connection could be taken up");
                    tokio::time::sleep(NO_ROOM).await;
                }
            }
        }
    }

    /// Nothing, if the address holds its share already. A trusted proxy speaks for many.
    fn seat(&self, place: OwnedSemaphorePermit, peer: IpAddr, edge: &Edge) -> Option<Seat> {
        let address = (!edge.trusted_proxies.trust(peer)).then(|| ClientAddress(peer).counted());
        if let Some(address) = address {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            let count = held.entry(address).or_default();
            if *count >= self.share {
                metrics::counter!("http_connections_refused_total").increment(1);
                return None;
            }
            *count += 1;
        }
        metrics::gauge!("http_connections").increment(1);
        Some(Seat { address, held: self.held.clone(), _place: place })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        metrics::gauge!("http_connections").decrement(1);
        let Some(address) = self.address else { return };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                held.remove(&address);
            }
        }
    }
}

/// Whether a connection was gone before it was taken up.
fn of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
