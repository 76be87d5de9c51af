//! Sessions and signing keys under concurrency, in unusual orders, and on several nodes.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cartwright::accounts::{Accounts, AccountsConfig, ClientInfo, MailConfig, TokenKeys};
use cartwright::domain::account::Role;
use cartwright::domain::text::Email;
use cartwright::journal::JournalOptions;
use cartwright::projector::ProjectorOptions;
use cartwright::server::Engine;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tower::ServiceExt;

use crate::support::accounts::{ANOTHER, PASSWORD, access, token_in};
use crate::support::tokens::{claims, sign};
use crate::support::{Answer, TestShop, fresh_database, pool};

const ZOE: &str = "zoe@example.com";

/// Repeats `look` until it returns a value.
async fn until<T, F: Future<Output = Option<T>>>(what: &str, look: impl Fn() -> F) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

impl TestShop {
    /// Waits until so many statements wait for a lock.
    async fn blocked(&self, count: i64) {
        until("nothing waits for a lock", || async {
            let waiting = "select count(*) from pg_stat_activity
                           where datname = current_database() and wait_event_type = 'Lock'";
            let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&self.pool).await.unwrap();
            (waiting >= count).then_some(())
        })
        .await;
    }

    async fn who(&self, token: &str) -> Answer {
        self.send_with_token(token, "GET", "auth/me/", Value::Null).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_changes_to_an_account_neither_fail_nor_leave_a_session() {
    let shop = TestShop::new().await;
    shop.member("Zoe").await;
    for round in 0..3 {
        let sessions = join_all((0..3).map(|_| shop.log_in(ZOE, PASSWORD))).await;
        let tokens: Vec<_> = sessions.iter().map(|session| &session.body["refresh_token"]).collect();
        let refreshes = join_all((0..32).map(|_| shop.refresh(tokens[0])));
        let leave = async |token: &Value| shop.post("auth/logout/", json!({ "refresh_token": token })).await;
        let departures = join_all([leave(tokens[0]), leave(tokens[1]), leave(tokens[0]), leave(tokens[1])]);
        let others = join_all((0..8).map(|_| shop.refresh(tokens[1])));
        let set = async |disabled: bool| shop.send("PATCH", "user/1/", json!({ "disabled": disabled }), &[]).await;
        let switches = async {
            let mut answers = vec![];
            for disabled in [true, false, true] {
                answers.push(set(disabled).await);
            }
            answers
        };
        let change = json!({ "current_password": PASSWORD, "new_password": PASSWORD });
        let change = shop.send_with_token(access(&sessions[2]), "POST", "auth/password/", change);
        let (refreshed, departed, other, switched, changed) =
            tokio::join!(refreshes, departures, others, switches, change);
        let answers = refreshed.iter().chain(&departed).chain(&other).chain(&switched).chain([&changed]);
        let all: Vec<_> = answers.collect();
        for answer in &all {
            assert!(answer.status.as_u16() < 500, "round {round}: {} {}", answer.status, answer.body);
        }
        for answer in
            sessions.iter().chain(all.iter().copied()).filter(|answer| answer.body["access_token"].is_string())
        {
            assert_eq!(shop.who(access(answer)).await.problem(), "token_revoked", "round {round}");
            assert_eq!(shop.refresh(&answer.body["refresh_token"]).await.status, StatusCode::UNAUTHORIZED);
        }
        let switched = switched.iter().all(|answer| answer.status == StatusCode::OK);
        assert!(switched && set(false).await.status == StatusCode::OK);
    }
}

#[tokio::test]
async fn a_refresh_and_a_logout_do_not_wait_for_each_other() {
    let shop = TestShop::new().await;
    shop.member("Zoe").await;
    let session = shop.log_in(ZOE, PASSWORD).await;
    let mut holding = shop.pool.begin().await.unwrap();
    sqlx::query("select from session for no key update").execute(&mut *holding).await.unwrap();
    let leave = shop.send_with_token(access(&session), "POST", "auth/logout/", json!({}));
    let refresh = async {
        shop.blocked(1).await;
        shop.refresh(&session.body["refresh_token"]).await
    };
    let (left, refreshed, ()) = tokio::join!(leave, refresh, async {
        shop.blocked(2).await;
        holding.commit().await.unwrap();
    });
    assert_eq!((left.status, refreshed.status), (StatusCode::NO_CONTENT, StatusCode::UNAUTHORIZED));
}

#[tokio::test]
async fn an_ended_session_is_over_when_the_answer_arrives() {
    let shop = TestShop::new().await;
    for _ in 0..10 {
        let claims = claims("customer", 900_001, Some(1));
        let token = sign(&claims);
        // A reader has read the revocations and not yet the keys when a revocation is added.
        let mut holding = shop.pool.begin().await.unwrap();
        sqlx::query("lock table api_key").execute(&mut *holding).await.unwrap();
        let early = join_all([shop.accounts.refresh(), shop.accounts.refresh()]);
        let leave = async {
            shop.blocked(1).await;
            shop.send_with_token(&token, "POST", "auth/logout/", json!({})).await.status
        };
        let release = async {
            let session = claims["sid"].as_str().unwrap();
            until("the session is not ended", || async {
                let ended = "select exists (select from revocation where session_id = $1::uuid)";
                let ended: bool = sqlx::query_scalar(ended).bind(session).fetch_one(&shop.pool).await.unwrap();
                ended.then_some(())
            })
            .await;
            holding.commit().await.unwrap();
        };
        let (early, left, ()) = tokio::join!(early, leave, release);
        assert!(early.iter().all(Result::is_ok) && left == StatusCode::NO_CONTENT, "{early:?} {left}");
        assert_eq!(shop.who(&token).await.problem(), "token_revoked");
    }
}

#[tokio::test]
async fn a_session_starts_with_the_accounts_current_role() {
    let shop = TestShop::new().await;
    let email = Email::parse("ed@example.com").unwrap();
    let password = shop.accounts.open_with_generated_password(email, Role::Admin).await.unwrap();
    // The role is lowered between reading the account and starting the session.
    let mut lowering = shop.pool.begin().await.unwrap();
    let lower = "update account set role = 'reader' where role = 'admin'";
    sqlx::query(lower).execute(&mut *lowering).await.unwrap();
    let (session, ()) = tokio::join!(shop.log_in("ed@example.com", password.expose()), async {
        shop.blocked(1).await;
        lowering.commit().await.unwrap();
    });
    assert_eq!(shop.who(access(&session)).await.body["role"], "reader");
}

#[tokio::test]
async fn a_customer_erased_during_login_has_no_session() {
    let shop = TestShop::new().await;
    let customer = shop.member("Zoe").await;
    let session = uuid::Uuid::new_v4();
    let mut beginning = shop.pool.begin().await.unwrap();
    for statement in [
        "select account_id from account for share",
        "insert into session select $1, account_id, now(), now() + interval '1 day' from account",
    ] {
        let query = sqlx::query(statement);
        let query = if statement.contains("$1") { query.bind(session) } else { query };
        query.execute(&mut *beginning).await.unwrap();
    }
    let path = format!("customer/{customer}/");
    let (erased, ()) = tokio::join!(shop.send("DELETE", &path, Value::Null, &[]), async {
        shop.blocked(1).await;
        beginning.commit().await.unwrap();
    });
    assert_eq!(erased.status, StatusCode::NO_CONTENT, "{}", erased.body);
    let mut token = claims("customer", 1, Some(customer));
    token["sid"] = json!(session);
    assert_eq!(shop.who(&sign(&token)).await.problem(), "token_revoked", "and at once, where it was done");
}

#[tokio::test]
async fn a_stream_of_events_ends_with_the_session() {
    let shop = TestShop::new().await;
    let token = claims("reader", 900_001, None);
    let request = Request::get("/shop/api/events/stream/").header("authorization", format!("Bearer {}", sign(&token)));
    let answer = shop.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let session: uuid::Uuid = serde_json::from_value(token["sid"].clone()).unwrap();
    sqlx::query("select end_session($1)").bind(session).execute(&shop.pool).await.unwrap();
    let rest = axum::body::to_bytes(answer.into_body(), usize::MAX);
    tokio::time::timeout(Duration::from_secs(10), rest).await.expect("the stream ends with the session").unwrap();
}

#[tokio::test]
async fn mails_go_to_the_address_on_record_whatever_was_typed() {
    let shop = TestShop::new().await;
    shop.customer("Bruno").await;
    shop.member("Lili").await;
    // In most locales of the database the lower case of a dotted capital I is an i, which is another address.
    for typed in ["L\u{130}L\u{130}@example.com", "LILI@example.com"] {
        shop.post("auth/reset/", json!({ "email": typed })).await;
    }
    let wish = json!({ "first_name": "B", "last_name": "B", "email": "BRUNO@example.com" });
    shop.post("auth/register/", wish).await;
    let confirmed = shop.confirm(&shop.mails("bruno@example.com", 1).await[0], PASSWORD).await;
    assert_eq!(confirmed.status, StatusCode::CREATED);
    shop.mails("lili@example.com", 2).await;
    let mails = std::fs::read_dir(&shop.mail_dir).unwrap().map(|entry| entry.unwrap().path());
    let texts: Vec<_> = mails.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let known =
        |text: &String| ["lili", "bruno"].iter().any(|name| text.contains(&format!("To: {name}@example.com\r\n")));
    assert!(texts.iter().all(known), "{texts:?}");
    let accounts = shop.read("users/").await;
    assert_eq!(
        (&accounts[0]["email"], &accounts[1]["email"]),
        (&json!("lili@example.com"), &json!("bruno@example.com"))
    );
    // The spelling gives no extra login attempts.
    assert_eq!(shop.log_in("LILI@example.com", PASSWORD).await.status, StatusCode::OK);
    assert_eq!(shop.log_in("L\u{130}L\u{130}@example.com", PASSWORD).await.problem(), "wrong_credentials");
}

#[tokio::test]
async fn an_invalid_email_is_answered_like_an_unknown_one() {
    let shop = TestShop::new().await;
    for email in ["a\u{0}b@example.com", "", "no e-mail", "@", &"x".repeat(100_000)] {
        assert_eq!(shop.log_in(email, PASSWORD).await.problem(), "wrong_credentials", "{email:.20}");
    }
}

#[tokio::test]
async fn opening_an_account_by_one_link_invalidates_the_others() {
    let shop = TestShop::new().await;
    shop.customer("Bruno").await;
    for _ in 0..2 {
        shop.post("auth/reset/", json!({ "email": "bruno@example.com" })).await;
    }
    let mails = shop.mails("bruno@example.com", 2).await;
    let choose = async |mail: &str, password: &str| {
        let token = token_in(mail);
        shop.post("auth/reset/confirm/", json!({ "token": token, "new_password": password })).await
    };
    assert_eq!(choose(&mails[0], PASSWORD).await.status, StatusCode::NO_CONTENT);
    assert_eq!(choose(&mails[1], ANOTHER).await.problem(), "link_invalid");
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(&shop.mail_dir).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "other users of the machine cannot read mails");
}

/// A database on which nodes with keys of their own run, apart from the folder that the other tests share.
struct Nodes {
    connect: PgConnectOptions,
    pool: PgPool,
    engine: Engine,
    folder: tempfile::TempDir,
}

impl Nodes {
    async fn new() -> Self {
        let connect = fresh_database().await;
        let pool = pool(&connect).await;
        let (journal, projector) = (JournalOptions::default(), ProjectorOptions::default());
        let engine = Engine::start(&connect, &pool, journal, projector).await.unwrap();
        Self { connect, pool, engine, folder: tempfile::tempdir().unwrap() }
    }

    fn keys(&self, node: &str) -> PathBuf {
        self.folder.path().join(node)
    }

    async fn start(&self, node: &str) -> Accounts {
        let mail = MailConfig {
            smtp_url: None,
            folder: self.folder.path().join("mail"),
            folder_max: 0,
            from: "shop@example.com".to_owned(),
            public_url: "https://shop.example.com".to_owned(),
        };
        let config = AccountsConfig { keys_dir: self.keys(node), mail };
        Accounts::start(&config, self.connect.clone(), self.pool.clone(), self.engine.journal.clone()).await.unwrap()
    }

    /// Waits until all nodes accept what a node signs, and its key is in force; returns a token.
    async fn signs(&self, signing: &Accounts, password: &str, reading: &[&Accounts]) -> String {
        let client = ClientInfo { network: String::new(), user_agent: String::new() };
        until("its tokens are not honoured", || async {
            let token = signing.log_in(ZOE, password, &client).await.unwrap().access_token.expose().to_owned();
            let key_id = jsonwebtoken::decode_header(&token).unwrap().kid.unwrap();
            let in_force = "select exists (select from token_key where key_id = $1 and retired_at is null)";
            let in_force: bool = sqlx::query_scalar(in_force).bind(key_id).fetch_one(&self.pool).await.unwrap();
            let read = join_all(reading.iter().map(|node| node.identify(&token))).await;
            (in_force && read.iter().all(Result::is_ok)).then_some(token)
        })
        .await
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn a_node_whose_signing_key_was_refused_or_retired_creates_a_new_one() {
    let nodes = Nodes::new().await;
    let (ours, theirs) = (nodes.keys("first"), nodes.keys("second"));
    let first = nodes.start("first").await;
    let password = first.open_with_generated_password(Email::parse(ZOE).unwrap(), Role::Admin).await.unwrap();
    let password = password.expose();
    // The second node starts with a copy of the first one's folder.
    std::fs::create_dir(&theirs).unwrap();
    let key = files(&ours).remove(0);
    std::fs::copy(&key, theirs.join(key.file_name().unwrap())).unwrap();
    let second = nodes.start("second").await;
    let both = [&first, &second];
    nodes.signs(&second, password, &both).await;
    TokenKeys::rotate(&ours, &nodes.pool, false).await.unwrap();
    nodes.signs(&first, password, &both).await;
    let token = nodes.signs(&second, password, &both).await;

    // A refused key stays refused, although its node restarts with it.
    let key = files(&theirs).remove(0);
    let stolen = std::fs::read(&key).unwrap();
    TokenKeys::rotate(&ours, &nodes.pool, true).await.unwrap();
    nodes.signs(&first, password, &both).await;
    nodes.signs(&second, password, &both).await;
    drop(second);
    files(&theirs).iter().for_each(|file| std::fs::remove_file(file).unwrap());
    std::fs::write(&key, stolen).unwrap();
    let second = nodes.start("second").await;
    nodes.signs(&second, password, &[&first, &second]).await;
    assert!(second.identify(&token).await.is_err() && first.identify(&token).await.is_err());
}

#[tokio::test]
async fn a_new_key_is_the_newest_even_if_the_clock_was_set_back() {
    let nodes = Nodes::new().await;
    let folder = nodes.keys("set back");
    let made = TokenKeys::create_key_file(&folder).unwrap();
    std::fs::rename(&files(&folder)[0], folder.join(format!("9000000000000-{made}.pk8"))).unwrap();
    // A file without a key is left unchanged.
    std::fs::write(folder.join("notes.pk8"), "not a key").unwrap();
    let rotated = TokenKeys::rotate(&folder, &nodes.pool, true).await.unwrap();
    let left = files(&folder);
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.iter().any(|file| file.to_string_lossy().contains(&rotated)), "{left:?}");
}

#[tokio::test]
async fn a_node_that_cannot_read_its_keys_still_learns_of_revocations() {
    let nodes = Nodes::new().await;
    let keys = nodes.keys("lost");
    let node = nodes.start("lost").await;
    let password = node.open_with_generated_password(Email::parse(ZOE).unwrap(), Role::Admin).await.unwrap();
    let token = nodes.signs(&node, password.expose(), &[&node]).await;
    std::fs::rename(&keys, nodes.keys("elsewhere")).unwrap();
    std::fs::write(&keys, "no folder").unwrap();
    sqlx::query("select end_session(session_id) from session").execute(&nodes.pool).await.unwrap();
    until("the session ends", || async { node.identify(&token).await.is_err().then_some(()) }).await;
}
