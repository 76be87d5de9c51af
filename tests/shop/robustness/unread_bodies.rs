//! Requests that are answered before their body was read: the connection continues, or the answer says that it ends.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use cartwright::http::serve;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::TestShop;
use crate::support::tokens::{ADMIN, claims, sign};

const LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: shop\r\n\r\n";
const BODY: &str = r#"{"category_name":"Never"}"#;
const PATIENCE: Duration = Duration::from_secs(20);

/// How a client sends a body.
#[derive(Clone, Copy, Debug)]
enum Sent {
    WithTheHead,
    Later,
    InChunks,
}

async fn connect(address: SocketAddr) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    BufReader::new(stream)
}

/// The next answer: its status, and whether it says that the connection closes.
async fn answer(stream: &mut BufReader<TcpStream>) -> Option<(u16, bool)> {
    let (mut status, mut length, mut closes) = (None, 0, false);
    loop {
        let mut line = String::new();
        let read = timeout(PATIENCE, stream.read_line(&mut line)).await.expect("no answer came");
        if read.unwrap_or(0) == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        match line.split_once(' ') {
            None if line.is_empty() => break,
            Some(("http/1.1", rest)) => status = rest.split(' ').next().unwrap().parse().ok(),
            Some(("content-length:", value)) => length = value.parse().unwrap(),
            Some(("connection:", "close")) => closes = true,
            _ => {}
        }
    }
    stream.read_exact(&mut vec![0; length]).await.unwrap();
    Some((status.unwrap(), closes))
}

async fn send(stream: &mut BufReader<TcpStream>, head: &str, sent: Sent) {
    let length = format!("Content-Length: {}\r\n\r\n", BODY.len());
    match sent {
        Sent::WithTheHead => stream.write_all(format!("{head}{length}{BODY}").as_bytes()).await.unwrap(),
        Sent::Later => {
            stream.write_all(format!("{head}{length}").as_bytes()).await.unwrap();
            // The shop may refuse the head meanwhile.
            tokio::time::sleep(Duration::from_millis(3)).await;
            stream.write_all(BODY.as_bytes()).await.unwrap();
        }
        Sent::InChunks => {
            let head = format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{BODY}", BODY.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(3)).await;
            stream.write_all(b"\r\n0\r\n\r\n").await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_survives_an_early_refusal_or_its_answer_says_close() {
    let shop = TestShop::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, shop.shop.clone()));
    let head = |request: &str, headers: &str| {
        format!("{request} HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n{headers}")
    };
    let admin = format!("Authorization: Bearer {}\r\n", *ADMIN);
    let customer = format!("Authorization: Bearer {}\r\n", sign(&claims("customer", 2, Some(1))));
    let unknown = head("POST /shop/api/categories/", "");
    for (status, head) in [
        (401, unknown.clone()),
        (403, head("POST /shop/api/categories/", &customer)),
        (404, head("POST /shop/api/nothing/", &admin)),
        (405, head("POST /shop/api/bestsellers/", &admin)),
        (400, head("POST /shop/api/categories/?dryrun=true", &admin)),
        (400, head("POST /shop/api/categories/", &format!("{admin}Min-Position: x\r\n"))),
        (415, head("POST /shop/api/categories/", &format!("{admin}Content-Encoding: gzip\r\n"))),
        (200, head("GET /shop/api/categories/", "")),
    ] {
        let mut stream = connect(address).await;
        for sent in [Sent::WithTheHead, Sent::Later, Sent::InChunks] {
            for turn in 0..15 {
                send(&mut stream, &head, sent).await;
                assert_eq!(answer(&mut stream).await, Some((status, false)), "{head}: {sent:?}, turn {turn}");
                stream.write_all(LIVE.as_bytes()).await.unwrap();
                assert_eq!(answer(&mut stream).await, Some((200, false)), "after {head}: {sent:?}, turn {turn}");
            }
        }
    }

    // A large body, one that does not arrive, and one that waits for the shop.
    for (rest, waits) in [
        ("Content-Length: 1000000\r\n\r\n", false),
        ("Content-Length: 20\r\n\r\n{", true),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\n{", true),
        ("Content-Length: 20\r\nExpect: 100-continue\r\n\r\n", false),
    ] {
        let mut stream = connect(address).await;
        let started = Instant::now();
        stream.write_all(format!("{unknown}{rest}").as_bytes()).await.unwrap();
        assert_eq!(answer(&mut stream).await, Some((401, true)), "{rest}");
        assert!(waits || started.elapsed() < Duration::from_millis(900), "{rest}");
        assert_eq!(answer(&mut stream).await, None, "{rest}");
    }
    let mut stream = connect(address).await;
    // So many bytes that the shop reads all of them before it gives up.
    let long = "x".repeat(64 * 1024 + 1);
    let chunks = format!("{unknown}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{long}", 200_000);
    stream.write_all(chunks.as_bytes()).await.unwrap();
    assert_eq!(answer(&mut stream).await, Some((401, true)));
    assert_eq!(shop.read("categories/").await, serde_json::json!([]));
}
