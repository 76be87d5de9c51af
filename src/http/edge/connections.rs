//! Connection limits: how many connections there may be, and how long each may wait for its client.
//!
//! A client that is slow on purpose costs a connection and a little memory, so both are bounded: request heads must
//! arrive in time, responses must be read, and no address may hold more than its share. The router limits the time of
//! a request itself.

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

use crate::http::edge::client_address::{ClientAddress, Peer, TrustedProxies};
use crate::http::edge::timeouts::{RequestTracker, TimedStream};
use crate::metrics;

/// Limits of connections: how many, and how long each may wait for its client.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Connections at once; further connections wait until one ends. An address may hold a quarter of them, unless it
    /// is a trusted proxy.
    pub max_connections: usize,
    /// How long the head of a request may take.
    pub head_timeout: Duration,
    /// How long a connection may be idle between two requests. Longer than the idle timeout of common proxies, so that
    /// no proxy sends a request into a connection that is being closed.
    pub idle_timeout: Duration,
    /// How long a client may read nothing of a response that is ready.
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

/// A larger head is refused with 431, as is a head with more than a hundred headers.
const HEAD_LIMIT_BYTES: usize = 16 * 1024;
/// Open files that are no client connections: database connections, logs and so on.
const OTHER_FILES: u64 = 256;
/// How long to wait before the next `accept` after the system failed to accept a connection.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(200);

/// Serves connections until `drain` ends; then closes idle connections and finishes requests in flight.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    trusted_proxies: &TrustedProxies,
    drain: impl Future<Output = ()>,
) -> io::Result<()> {
    reserve_files(limits.max_connections);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.idle_timeout).max_header_size(HEAD_LIMIT_BYTES);
    let slots = ConnectionSlots::new(limits.max_connections);
    let connections = GracefulShutdown::new();
    let mut drain = pin!(drain);
    loop {
        let (stream, peer, permit) = tokio::select! {
            accepted = slots.accept(&listener) => accepted,
            () = &mut drain => break,
        };
        let address = (!trusted_proxies.trusts(peer)).then(|| ClientAddress(peer).rate_limit_unit());
        let Some(slot) = slots.take_slot(permit, address) else { continue };
        // Sends each event of a stream at once, without waiting for the acknowledgement of the event before.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a client closed its connection at once");
        }
        let requests = RequestTracker::default();
        let stream = TimedStream::new(stream, requests.clone(), limits.head_timeout, limits.write_timeout);
        let router = router.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let in_flight = requests.start_request();
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            let response = router.clone().call(request);
            async move { response.await.map(|response| response.map(|body| in_flight.track_body(body))) }
        });
        let connection = connections.watch(builder.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke");
            }
            drop(slot);
        });
    }
    drop(listener);
    connections.shutdown().await;
    Ok(())
}

/// Raises the limit of open files: a connection is an open file, and many systems allow a process a thousand.
fn reserve_files(connections: usize) {
    let wanted = connections as u64 + OTHER_FILES;
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) if soft < wanted => {
            if hard < wanted {
                tracing::warn!("the system allows {hard} open files, too few for {connections} connections");
            }
            if let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard) {
                tracing::warn!(%error, "cannot raise the limit of open files");
            }
        }
        _ => {}
    }
}

/// The slots for connections, and how many each address holds.
struct ConnectionSlots {
    free: Arc<Semaphore>,
    /// The most that one address may hold.
    share: usize,
    held: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A connection's slot. It is free again when this is dropped.
struct Slot {
    /// `None` for a trusted proxy, whose connections have no share.
    address: Option<IpAddr>,
    held: Arc<Mutex<HashMap<IpAddr, usize>>>,
    _permit: OwnedSemaphorePermit,
}

impl ConnectionSlots {
    fn new(slots: usize) -> Self {
        let slots = slots.clamp(1, Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(slots)), share: slots.div_ceil(4), held: Arc::default() }
    }

    /// Accepts the next connection when a slot is free. Until then connections wait in the system's backlog.
    async fn accept(&self, listener: &TcpListener) -> (TcpStream, IpAddr, OwnedSemaphorePermit) {
        loop {
            let Ok(permit) = self.free.clone().acquire_owned().await else { continue };
            match listener.accept().await {
                Ok((stream, peer)) => return (stream, peer.ip().to_canonical(), permit),
                Err(error) if closed_by_client(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                }
            }
        }
    }

    /// `None` if the address holds its share already.
    fn take_slot(&self, permit: OwnedSemaphorePermit, address: Option<IpAddr>) -> Option<Slot> {
        if let Some(address) = address {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            let count = held.entry(address).or_default();
            if *count >= self.share {
                metrics::HTTP_CONNECTIONS_REFUSED.add(1, &[]);
                return None;
            }
            *count += 1;
        }
        metrics::HTTP_CONNECTIONS.increment();
        Some(Slot { address, held: self.held.clone(), _permit: permit })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        metrics::HTTP_CONNECTIONS.decrement();
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

/// Whether the client closed a connection before it was accepted.
fn closed_by_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
