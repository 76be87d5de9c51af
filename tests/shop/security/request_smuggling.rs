//! Request smuggling over a real connection: requests whose end a proxy may see differently.

use std::time::Duration;

use cartwright::http::serve;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::TestShop;

const HOST: &str = "Host: shop\r\nContent-Type: application/json\r\n";
/// Sent inside a body; it must never be answered.
const SMUGGLED: &str = "GET /shop/api/order-moves HTTP/1.1\r\nHost: shop\r\n\r\n";
const HONEST: &str = "GET /health/live HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n";

/// Everything that the shop sends on one connection until it closes it or stays silent; and whether it closed.
async fn talk(address: std::net::SocketAddr, bytes: &[u8]) -> (String, bool) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may have been closed by the time that the rest is sent.
    let _ = stream.write_all(bytes).await;
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match timeout(Duration::from_secs(20), stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return (String::from_utf8_lossy(&heard).into_owned(), true),
            Ok(Ok(length)) => heard.extend_from_slice(&buffer[..length]),
            Err(_) => return (String::from_utf8_lossy(&heard).into_owned(), false),
        }
    }
}

fn statuses(heard: &str) -> Vec<u16> {
    heard.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].parse().unwrap()).collect()
}

#[tokio::test]
async fn no_request_is_smuggled_in_another() {
    let shop = TestShop::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, shop.shop.clone()));

    let post = |head: &str, body: &str| format!("POST /shop/api/auth/login HTTP/1.1\r\n{HOST}{head}\r\n{body}");
    let hidden = format!("0\r\n\r\n{SMUGGLED}");
    let length = hidden.len();
    let cases = [
        (
            "a length, then chunks",
            post(&format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"), &hidden),
        ),
        (
            "chunks, then a length",
            post(&format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n"), &hidden),
        ),
        ("two lengths", post(&format!("Content-Length: 0\r\nContent-Length: {}\r\n", SMUGGLED.len()), SMUGGLED)),
        ("a list of lengths", post(&format!("Content-Length: 0, {}\r\n", SMUGGLED.len()), SMUGGLED)),
        ("a length with a sign", post(&format!("Content-Length: +{}\r\n", SMUGGLED.len()), SMUGGLED)),
        ("a negative length", post("Content-Length: -1\r\n", SMUGGLED)),
        ("a length that overflows", post("Content-Length: 18446744073709551616\r\n", SMUGGLED)),
        ("a length in hexadecimal", post("Content-Length: 0x10\r\n", SMUGGLED)),
        ("an encoding that is none", post("Transfer-Encoding: xchunked\r\n", &hidden)),
        ("chunks that are not last", post("Transfer-Encoding: chunked, identity\r\n", &hidden)),
        ("an encoding before the colon", post("Transfer-Encoding : chunked\r\n", &hidden)),
        ("a space in a name", post("Content Length: 3\r\n", SMUGGLED)),
        ("a space before a name", post(" Content-Length: 3\r\n", SMUGGLED)),
        ("a folded line", post("X-Note: one\r\n two\r\nContent-Length: 0\r\n", SMUGGLED)),
        ("a folded encoding", post("Transfer-Encoding:\r\n chunked\r\n", &hidden)),
        ("a zero byte", post("X-Note: a\0b\r\n", SMUGGLED)),
        ("a lone carriage return", post("X-Note: a\rContent-Length: 5\r\n", SMUGGLED)),
        (
            "a chunk size that overflows",
            post("Transfer-Encoding: chunked\r\n", &format!("FFFFFFFFFFFFFFFFF\r\n{SMUGGLED}")),
        ),
        (
            "a chunk size that wraps",
            post("Transfer-Encoding: chunked\r\n", &format!("10000000000000000\r\n{SMUGGLED}")),
        ),
        ("a chunk size with a sign", post("Transfer-Encoding: chunked\r\n", &format!("-1\r\n{SMUGGLED}"))),
        ("a chunk size that is none", post("Transfer-Encoding: chunked\r\n", &format!("zz\r\n{SMUGGLED}"))),
        (
            "chunks in HTTP/1.0",
            post("Transfer-Encoding: chunked\r\n", &hidden)
                .replace("HTTP/1.1\r\nHost: shop\r\nC", "HTTP/1.0\r\nHost: shop\r\nC"),
        ),
        ("no such version", post("", "").replace("HTTP/1.1", "HTTP/3.7")),
        ("a space in the target", "GET /health/live /x HTTP/1.1\r\nHost: shop\r\n\r\n".to_owned()),
        ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
    ];
    for (what, request) in cases {
        let (heard, closed) = talk(address, format!("{request}{HONEST}").as_bytes()).await;
        let statuses = statuses(&heard);
        assert!(closed, "{what}: the connection stays open: {heard}");
        assert!(statuses.len() <= 1, "{what}: more than one answer: {statuses:?}");
        assert!(statuses.iter().all(|status| (400..500).contains(status) || *status == 505), "{what}: {statuses:?}");
        assert!(!heard.contains("allowed") && !heard.contains("pending"), "{what}: {heard}");
    }

    // Lines may end in a line feed alone, as the standard allows; then both see the same end.
    let (heard, _) = talk(address, format!("GET /health/live HTTP/1.1\nHost: shop\n\n{HONEST}").as_bytes()).await;
    assert!([vec![200, 200], vec![400]].contains(&statuses(&heard)), "{heard}");
    // Valid requests are served: pipelined, in chunks or not.
    let body = r#"{"email":"a@example.com","password":"wrong wrong"}"#;
    let whole = post(&format!("Content-Length: {}\r\n", body.len()), body);
    let (heard, _) = talk(address, format!("{whole}{HONEST}").as_bytes()).await;
    assert_eq!(statuses(&heard), [401, 200]);
    let chunked = post("Transfer-Encoding: chunked\r\n", &format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()));
    let (heard, _) = talk(address, format!("{chunked}{HONEST}").as_bytes()).await;
    assert_eq!(statuses(&heard), [401, 200]);
}
