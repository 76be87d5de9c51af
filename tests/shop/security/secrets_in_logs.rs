//! Logs at their most verbose, and metrics, contain no name, address, password or token of a person.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::accounts::token_in;
use crate::support::program::{Server, command, data_dir, run, text, wait_for};
use crate::support::tokens::ADMIN;

const AGENT: &str = "Zebrowser/7.3";
const ADDRESS: &str = "203.0.113.77";

/// Sends a request with curl: status and body.
fn send(server: &Server, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
    static SENT: AtomicU32 = AtomicU32::new(0);
    let key = format!("Idempotency-Key: idem-zebediah-{}", SENT.fetch_add(1, Ordering::Relaxed));
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--request", method, "--write-out", "\n%{http_code}", "--user-agent", AGENT]);
    curl.args(["--header", &format!("X-Forwarded-For: {ADDRESS}"), "--header", &key]);
    if !token.is_empty() {
        curl.args(["--oauth2-bearer", token]);
    }
    if !body.is_null() {
        curl.args(["--header", "Content-Type: application/json", "--data", &body.to_string()]);
    }
    let output = curl.arg(format!("{}/shop/api/{path}", server.address)).output().unwrap();
    let answer = String::from_utf8(output.stdout).unwrap();
    let (body, status) = answer.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
}

/// The token in the newest of so many mails.
fn mailed(folder: &Path, to: &str, count: usize) -> String {
    wait_for("a mail", || {
        let files = std::fs::read_dir(folder.join("mail")).ok()?.flatten();
        let mut mails: Vec<_> = files
            .filter_map(|file| {
                let mail = std::fs::read_to_string(file.path()).ok()?;
                let written = file.metadata().ok()?.modified().ok()?;
                (mail.contains(&format!("To: {to}\r\n")) && mail.ends_with('\n')).then_some((written, mail))
            })
            .collect();
        mails.sort();
        (mails.len() >= count).then(|| token_in(&mails.last().unwrap().1))
    })
}

#[test]
fn logs_and_metrics_contain_no_personal_data_and_no_secrets() {
    let folder = data_dir();
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("stderr");
    let mut program = command(folder.path());
    // sqlx logs every statement at this level.
    program.env("SHOP_LOG", "trace,sqlx=debug").env("SHOP_TRUSTED_PROXIES", "127.0.0.1");
    program.args(["--listen", "127.0.0.1:0"]).stderr(File::create(&log).unwrap());
    let server = Server::spawn(&mut program);
    let call = |method: &str, path: &str, token: &str, body: Value| send(&server, method, path, token, &body);
    let mut secrets: Vec<String> = [AGENT, ADDRESS, "203.0.113.0", "idem-zebediah", &ADMIN].map(str::to_owned).into();
    let kept = |secrets: &mut Vec<String>, value: &str| {
        secrets.push(value.to_owned());
        json!(value)
    };

    let email = "zebediah.q@example.com";
    let registration = json!({
        "first_name": kept(&mut secrets, "Zebediah"), "last_name": kept(&mut secrets, "Quistgaard"),
        "email": kept(&mut secrets, email),
    });
    assert_eq!(call("POST", "auth/register/", "", registration).0, 202);
    let token = mailed(folder.path(), email, 1);
    let confirm =
        json!({ "token": kept(&mut secrets, &token), "password": kept(&mut secrets, "zebra crossing at noon") });
    let (status, confirmed) = call("POST", "auth/register/confirm/", "", confirm);
    assert_eq!(status, 201, "{confirmed}");
    let own = format!("customer/{}/", confirmed["customer_id"]);
    let wrong = json!({ "email": email, "password": kept(&mut secrets, "zebra with spots") });
    assert_eq!(call("POST", "auth/login/", "", wrong).0, 401);
    let unknown = json!({ "email": kept(&mut secrets, "unknown.z@example.com"), "password": "zebra with spots" });
    assert_eq!(call("POST", "auth/login/", "", unknown).0, 401);
    let right = json!({ "email": email, "password": "zebra crossing at noon" });
    let (status, tokens) = call("POST", "auth/login/", "", right);
    assert_eq!(status, 200);
    let access = tokens["access_token"].as_str().unwrap();
    kept(&mut secrets, access);
    kept(&mut secrets, tokens["refresh_token"].as_str().unwrap());

    let cart = call("POST", "carts/", "", Value::Null).1["cart_token"].as_str().unwrap().to_owned();
    kept(&mut secrets, &cart);
    let item = json!({ "product_id": 16, "quantity": 1 });
    assert_eq!(call("POST", &format!("carts/{cart}/items/"), "", item.clone()).0, 200);
    assert_eq!(call("GET", &format!("carts/{cart}/"), "", Value::Null).0, 200);
    assert_eq!(call("POST", &format!("carts/{cart}x/items/"), "", item).0, 400, "one that cannot be read");
    let merge = json!({ "cart_token": cart, "mode": "sum" });
    assert_eq!(call("POST", &format!("{own}cart/merge/"), access, merge).0, 200);

    let change = json!({ "email": kept(&mut secrets, "zeb.new@example.com"), "password": "zebra crossing at noon" });
    assert_eq!(call("POST", "auth/email/", access, change).0, 202);
    let token = mailed(folder.path(), "zeb.new@example.com", 1);
    let confirm = json!({ "token": kept(&mut secrets, &token) });
    assert_eq!(call("POST", "auth/email/confirm/", "", confirm).0, 204);
    // The database refuses an address in use, with a detailed message.
    let taken = json!({ "first_name": "Jo", "last_name": "Miller", "email": "zeb.new@example.com" });
    assert_eq!(call("POST", "customers/", &ADMIN, taken).0, 409);
    let address = json!({
        "name": kept(&mut secrets, "Recipient Zweig"), "line1": kept(&mut secrets, "17 Zinnia Way"),
        "postal_code": kept(&mut secrets, "ZQ7 7QZ"), "city": kept(&mut secrets, "Zaltbommel"), "country": "NL",
    });
    assert_eq!(call("POST", &format!("{own}addresses/"), access, address).0, 201);
    let bad = json!({ "name": 7, "line1": "17 Zinnia Way", "country": kept(&mut secrets, "Zeeuwland") });
    assert_eq!(call("POST", &format!("{own}addresses/"), access, bad).0, 400);
    assert_eq!(call("POST", "auth/reset/", "", json!({ "email": "zeb.new@example.com" })).0, 202);
    let token = mailed(folder.path(), "zeb.new@example.com", 2);
    let reset = json!({ "token": kept(&mut secrets, &token), "new_password": kept(&mut secrets, "okapi in fog") });
    assert_eq!(call("POST", "auth/reset/confirm/", "", reset).0, 204);
    assert_eq!(call("GET", &format!("{own}export/"), &ADMIN, Value::Null).0, 200);
    kept(&mut secrets, "zebulon");
    for query in
        ["customers/?email=zeb.new@example.com", "customers/?search=zebulon", "orders/?email=zeb.new@example.com"]
    {
        assert_eq!(call("GET", query, &ADMIN, Value::Null).0, 200, "{query}");
        // Refused ones are not logged either: by the route, by the access check, and by the database.
        assert_eq!(call("GET", &format!("{query}&cursor=zebulon"), &ADMIN, Value::Null).0, 400, "{query}");
        assert_eq!(call("GET", &format!("{query}&name=zebulon"), &ADMIN, Value::Null).0, 400, "{query}");
        assert_eq!(call("GET", query, access, Value::Null).0, 401, "{query}");
    }

    // Staff created on the command line, whose log is the terminal and shows the password once.
    let added = run(folder.path(), &["users", "add", "zora.staff@example.com", "--role", "reader"]);
    assert!(added.status.success(), "{}", text(&added));
    kept(&mut secrets, "zora.staff@example.com");
    let (_, users) = call("GET", "users/", &ADMIN, Value::Null);
    let staff = users.as_array().unwrap().iter().find(|user| user["email"] == "zora.staff@example.com").unwrap();
    let (_, history) = call("GET", &format!("user/{}/history/", staff["account_id"]), &ADMIN, Value::Null);
    assert_eq!((&history[0]["actor"], &history[0]["role"]), (&json!("cli"), &json!("admin")));

    assert_eq!(call("DELETE", &own, &ADMIN, Value::Null).0, 204);
    let metrics = server.get("/metrics");
    assert!(metrics.contains("http_requests_total"));
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Some(0));

    let log = std::fs::read_to_string(log).unwrap();
    assert!(
        log.contains("sqlx::query") && log.contains("cartwright::http::edge::request_id"),
        "the log is not talkative"
    );
    let database = std::fs::read_to_string(folder.path().join("postgresql.log")).unwrap();
    assert!(database.contains("duplicate key value"), "the database said nothing of the address that is taken");
    for (place, text) in [("the log", &log), ("the metrics", &metrics), ("the database's log", &database)] {
        for secret in &secrets {
            let line = text.lines().find(|line| line.contains(secret.as_str()));
            assert_eq!(line, None, "{place} tells {secret}");
        }
    }
}
