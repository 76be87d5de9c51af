//! Slow, greedy and numerous clients: they lose their connections, and others are not affected.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use cartwright::http::{ConnectionLimits, Edge, serve};
use cartwright::journal::JournalOptions;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::support::tokens::ADMIN;
use crate::support::{TestShop, fresh_database};

const HEAD: Duration = Duration::from_millis(600);
const IDLE: Duration = Duration::from_millis(1_800);
const WRITE: Duration = Duration::from_millis(600);
const PATIENCE: Duration = Duration::from_secs(15);
const LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: shop\r\n\r\n";

/// A listening shop with short timeouts and room for so many connections.
async fn open(max_connections: usize, trusted_proxies: &str) -> (TestShop, SocketAddr) {
    let connections =
        ConnectionLimits { max_connections, head_timeout: HEAD, idle_timeout: IDLE, write_timeout: WRITE };
    let edge = Edge { connections, trusted_proxies: trusted_proxies.parse().unwrap(), ..Edge::default() };
    let shop = TestShop::behind(edge, fresh_database().await, JournalOptions::default()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, shop.shop.clone()));
    (shop, address)
}

/// Connects from 127.0.0.`from`.
async fn connect(shop: SocketAddr, from: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, from)), 0)).unwrap();
    socket.connect(shop).await.unwrap()
}

/// Sends a request and reads its answer, which fits into one packet.
async fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut buffer = vec![0; 64 * 1024];
    let length = timeout(PATIENCE, stream.read(&mut buffer)).await.expect("no answer came").unwrap_or(0);
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

/// Sends `text` byte by byte, repeatedly, until the shop answers or closes; returns the time and the answer.
async fn trickle(stream: TcpStream, text: &str) -> (Duration, String) {
    let started = Instant::now();
    let (mut read, mut write) = stream.into_split();
    let text = text.to_owned();
    let writer = tokio::spawn(async move {
        for byte in text.bytes().cycle() {
            if write.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    });
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, read.read_to_end(&mut answer)).await.expect("the shop went on listening");
    writer.abort();
    (started.elapsed(), String::from_utf8_lossy(&answer).into_owned())
}

/// The time until the shop closes the connection.
async fn until_closed(stream: &mut TcpStream) -> Duration {
    let started = Instant::now();
    let read = timeout(PATIENCE, stream.read(&mut [0; 1])).await.expect("the connection went on");
    assert!(matches!(read, Ok(0) | Err(_)));
    started.elapsed()
}

#[tokio::test]
async fn a_slow_request_head_times_out() {
    let (_shop, address) = open(100, "").await;
    let (took, answer) = trickle(connect(address, 1).await, "GET /health/live HTTP/1.1 and so on").await;
    assert!(took >= HEAD && took < HEAD * 2, "{took:?}");
    assert_eq!(answer, "");
    let silent = until_closed(&mut connect(address, 1).await).await;
    assert!(silent < HEAD * 2, "{silent:?}");

    // The head of a later request as well.
    let mut stream = connect(address, 1).await;
    assert!(ask(&mut stream, LIVE).await.contains("200 OK"));
    let (took, _) = trickle(stream, "GET /health/live HTTP/1.1\r\nX-Slow: and so on").await;
    assert!(took >= HEAD && took < HEAD * 2, "{took:?}");
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_timeout() {
    let (_shop, address) = open(100, "").await;
    let mut stream = connect(address, 1).await;
    for _ in 0..3 {
        assert!(ask(&mut stream, LIVE).await.contains("200 OK"));
        tokio::time::sleep(HEAD * 2).await;
    }
    assert!(ask(&mut stream, &LIVE.repeat(2)).await.contains("200 OK"), "two at once are answered too");
    let mut stream = connect(address, 1).await;
    ask(&mut stream, LIVE).await;
    let rested = until_closed(&mut stream).await;
    assert!(rested >= IDLE - HEAD / 2 && rested < IDLE * 2, "{rested:?}");
}

#[tokio::test]
async fn a_slow_request_body_times_out() {
    let (shop, address) = open(100, "").await;
    let mut stream = connect(address, 1).await;
    let head = format!(
        "POST /shop/api/categories HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n",
        *ADMIN
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (took, answer) = trickle(stream, " ").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\"code\":\"timeout\""), "{answer}");
    assert!(took < Duration::from_secs(12), "{took:?}");
    assert_eq!(shop.engine.journal.position(), 0);
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_disconnected() {
    let (_shop, address) = open(1, "").await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stuck = socket.connect(address).await.unwrap();
    // More than all buffers between the two hold.
    let request = "GET /openapi.json HTTP/1.1\r\nHost: shop\r\n\r\n".repeat(200);
    stuck.write_all(request.as_bytes()).await.unwrap();
    let started = Instant::now();
    let mut waiting = connect(address, 2).await;
    assert!(ask(&mut waiting, LIVE).await.contains("200 OK"), "its place is free again");
    assert!(started.elapsed() < WRITE * 5, "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_event_stream_lives_as_long_as_it_is_read() {
    let (shop, address) = open(100, "").await;
    let mut stream = connect(address, 1).await;
    let request =
        format!("GET /shop/api/events/stream HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {}\r\n\r\n", *ADMIN);
    let head = ask(&mut stream, &request).await;
    assert!(head.contains("text/event-stream"), "{head}");
    tokio::time::sleep(HEAD + IDLE + WRITE).await;
    shop.post("categories/", json!({ "category_name": "Tea" })).await;
    let mut buffer = vec![0; 4_096];
    let length = timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&buffer[..length]).contains("CategoryCreated"));
}

#[tokio::test]
async fn connections_above_the_limit_wait_and_are_served_when_others_close() {
    let (_shop, address) = open(8, "").await;
    let mut flood = Vec::new();
    for from in 1..=4 {
        for _ in 0..2 {
            let mut stream = connect(address, from).await;
            assert!(ask(&mut stream, LIVE).await.contains("200 OK"));
            flood.push(stream);
        }
    }
    let mut outside = connect(address, 5).await;
    outside.write_all(LIVE.as_bytes()).await.unwrap();
    let mut buffer = [0; 1_024];
    let none = timeout(Duration::from_millis(300), outside.read(&mut buffer)).await;
    assert!(none.is_err(), "there is no room");
    flood.pop();
    let length = timeout(PATIENCE, outside.read(&mut buffer)).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&buffer[..length]).contains("200 OK"), "there is room again");

    // Idle connections are closed, and waiting ones are accepted.
    let mut late = connect(address, 6).await;
    assert!(ask(&mut late, LIVE).await.contains("200 OK"));
}

#[tokio::test]
async fn an_address_may_hold_a_quarter_of_all_connections_and_a_trusted_proxy_all() {
    let (_shop, address) = open(8, "127.0.0.9").await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(address, 1).await;
        assert!(ask(&mut stream, LIVE).await.contains("200 OK"));
        held.push(stream);
    }
    let refused = until_closed(&mut connect(address, 1).await).await;
    assert!(refused < HEAD / 2, "{refused:?}");
    for _ in 0..5 {
        let mut stream = connect(address, 9).await;
        assert!(ask(&mut stream, LIVE).await.contains("200 OK"));
        held.push(stream);
    }
    held.remove(0);
    let deadline = Instant::now() + PATIENCE;
    while !ask(&mut connect(address, 1).await, LIVE).await.contains("200 OK") {
        assert!(Instant::now() < deadline, "its place is not free again");
    }
}

#[tokio::test]
async fn a_request_head_that_is_too_large_is_refused() {
    let (_shop, address) = open(100, "").await;
    let many = |count| (0..count).map(|number| format!("X-{number}: 1\r\n")).collect::<String>();
    let large = |length| format!("X-Large: {}\r\n", "x".repeat(length));
    for (headers, status) in [(many(99), 200), (many(100), 431), (large(15_000), 200), (large(17_000), 431)] {
        let mut stream = connect(address, 1).await;
        let answer = ask(&mut stream, &format!("GET /health/live HTTP/1.1\r\nHost: shop\r\n{headers}\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
    }
}
