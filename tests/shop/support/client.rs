//! A client on one kept-alive connection that knows whether its request was sent and its answer arrived.

use std::io::{BufRead, BufReader, Error, ErrorKind, Result as IoResult, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::tokens::ADMIN;

pub struct Client {
    /// The ports of the servers; the client moves to the next when one is gone.
    ports: Vec<u16>,
    connection: Option<Connection>,
}

struct Connection {
    stream: BufReader<TcpStream>,
    connected_at: Instant,
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// The answer was stored before this request came.
    pub replayed: bool,
    pub body: Value,
}

/// Why there is no reply.
#[derive(Debug)]
pub enum Lost {
    /// No server listened, or the connection broke before the whole request was sent.
    Unsent,
    /// The whole request was sent over a connection of this age; then it broke.
    Cut { connected_at: Instant },
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Client {
    pub fn new(ports: &[u16], first: usize) -> Self {
        let mut ports = ports.to_vec();
        let first = first % ports.len();
        ports.rotate_left(first);
        Self { ports, connection: None }
    }

    pub fn get(&mut self, path: &str) -> Reply {
        self.send("GET", path, "", &Value::Null).unwrap_or_else(|lost| panic!("GET {path}: {lost:?}"))
    }

    /// Sends one request, once.
    pub fn send(&mut self, method: &str, path: &str, key: &str, body: &Value) -> Result<Reply, Lost> {
        let replied = self.try_send(method, path, key, body);
        if replied.is_err() {
            self.turn();
        }
        replied
    }

    /// Moves to the next server.
    pub fn turn(&mut self) {
        self.connection = None;
        self.ports.rotate_left(1);
    }

    fn try_send(&mut self, method: &str, path: &str, key: &str, body: &Value) -> Result<Reply, Lost> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(connect(self.ports[0]).map_err(|_| Lost::Unsent)?),
        };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} /shop/api/{path} HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {}\r\nIdempotency-Key: {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            *ADMIN,
            body.len()
        );
        let request = if key.is_empty() { request.replace("Idempotency-Key: \r\n", "") } else { request };
        let Connection { stream, connected_at } = connection;
        let connected_at = *connected_at;
        stream.get_mut().write_all(request.as_bytes()).map_err(|_| Lost::Unsent)?;
        let (reply, last) = read_reply(stream).map_err(|_| Lost::Cut { connected_at })?;
        if last {
            self.connection = None;
        }
        Ok(reply)
    }
}

fn connect(port: u16) -> IoResult<Connection> {
    let connected_at = Instant::now();
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(Connection { stream: BufReader::new(stream), connected_at })
}

/// The reply, and whether it is the last on this connection.
fn read_reply(connection: &mut impl BufRead) -> IoResult<(Reply, bool)> {
    let status = read_line(connection)?;
    let status = status.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or(ErrorKind::InvalidData)?;
    let (mut length, mut replayed, mut last) = (0, false, false);
    loop {
        let line = read_line(connection)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").ok_or(ErrorKind::InvalidData)?;
        match (name.to_ascii_lowercase().as_str(), value) {
            ("content-length", value) => length = value.parse().map_err(Error::other)?,
            ("idempotent-replayed", "true") => replayed = true,
            ("connection", "close") => last = true,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? };
    Ok((Reply { status, replayed, body }, last))
}

fn read_line(connection: &mut impl BufRead) -> IoResult<String> {
    let mut line = String::new();
    connection.read_line(&mut line)?;
    line.strip_suffix("\r\n").map(str::to_owned).ok_or_else(|| ErrorKind::UnexpectedEof.into())
}
