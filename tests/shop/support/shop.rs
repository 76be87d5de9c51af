//! A shop for one test: a fresh database, the journal, the projector, and the router called in process.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use cartwright::accounts::{Accounts, AccountsConfig, MailConfig};
use cartwright::files::{MediaFiles, MediaLocation, MediaStore};
use cartwright::http::{App, AppSettings, Edge, WholeListLimits, router};
use cartwright::journal::JournalOptions;
use cartwright::payments::{Payments, PaymentsConfig};
use cartwright::projector::{PROJECTIONS, ProjectorOptions, Verifier};
use cartwright::server::Engine;
use cartwright::shop::PaymentPolicy;
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::watch;
use tower::ServiceExt;

use super::database::{check_log, fresh_database, pool};
use super::tokens;

pub struct TestShop {
    pub pool: PgPool,
    pub engine: Engine,
    pub shop: App,
    pub router: Router,
    pub accounts: Accounts,
    /// The folder of sent mails.
    pub mail_dir: PathBuf,
    pub media: MediaFiles,
    /// The folder of pictures.
    pub media_dir: PathBuf,
    /// Where the log ended with the admin's last command.
    admin_position: AtomicI64,
    _folder: tempfile::TempDir,
    _stop: watch::Sender<bool>,
}

/// A response of the shop.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl TestShop {
    pub async fn new() -> Self {
        Self::on(fresh_database().await).await
    }

    /// A node on a database, perhaps one of several.
    pub async fn on(connect: PgConnectOptions) -> Self {
        Self::with(connect, JournalOptions::default()).await
    }

    pub async fn with(connect: PgConnectOptions, journal: JournalOptions) -> Self {
        Self::behind(Edge::default(), connect, journal).await
    }

    pub async fn behind(edge: Edge, connect: PgConnectOptions, journal: JournalOptions) -> Self {
        Self::build(edge, connect, journal, &PaymentsConfig::default(), PaymentPolicy::default()).await
    }

    /// A shop that accepts payments.
    pub async fn paid(connect: PgConnectOptions, payments: &PaymentsConfig) -> Self {
        let journal = JournalOptions::default();
        Self::build(Edge::default(), connect, journal, payments, PaymentPolicy::default()).await
    }

    /// A shop with its own payment rules for buyers.
    pub async fn with_policy(connect: PgConnectOptions, payments: &PaymentsConfig, policy: PaymentPolicy) -> Self {
        // Tests name the client's address, as a proxy does.
        let edge = Edge { trusted_proxies: "127.0.0.1".parse().unwrap(), ..Edge::default() };
        Self::build(edge, connect, JournalOptions::default(), payments, policy).await
    }

    /// A shop with its own bounds of whole lists.
    pub async fn with_whole_lists(limits: WholeListLimits) -> Self {
        let settings = AppSettings { whole_lists: limits, ..AppSettings::default() };
        Self::with_settings(fresh_database().await, settings).await
    }

    /// A node with its own settings.
    pub async fn with_settings(connect: PgConnectOptions, settings: AppSettings) -> Self {
        let settings = AppSettings { cart_days: 30, ..settings };
        Self::build_with(connect, JournalOptions::default(), &PaymentsConfig::default(), settings).await
    }

    async fn build(
        edge: Edge,
        connect: PgConnectOptions,
        journal: JournalOptions,
        payments: &PaymentsConfig,
        payment_policy: PaymentPolicy,
    ) -> Self {
        let settings = AppSettings { edge, payment_policy, cart_days: 30, ..AppSettings::default() };
        Self::build_with(connect, journal, payments, settings).await
    }

    async fn build_with(
        connect: PgConnectOptions,
        journal: JournalOptions,
        payments: &PaymentsConfig,
        settings: AppSettings,
    ) -> Self {
        let pool = pool(&connect).await;
        let options = ProjectorOptions { lease_time_to_live: Duration::from_secs(5), batch_limit: 5_000 };
        let engine = Engine::start(&connect, &pool, journal, options).await.unwrap();
        let (stop, stopping) = watch::channel(false);
        let folder = tempfile::tempdir().unwrap();
        let mail = MailConfig {
            smtp_url: None,
            folder: folder.path().join("mail"),
            folder_max: 0,
            from: "shop@example.com".to_owned(),
            public_url: "https://shop.example.com".to_owned(),
        };
        let config = AccountsConfig { keys_dir: tokens::FOLDER.clone(), mail };
        let journal = engine.journal.clone();
        let accounts = Accounts::start(&config, connect.clone(), pool.clone(), journal.clone()).await.unwrap();
        let projector = engine.projector.clone();
        let payments = Payments::new(payments, &pool).unwrap();
        let media_dir = folder.path().join("media");
        let store = MediaStore::open(&MediaLocation::Folder(media_dir.clone())).unwrap();
        store.prepare_folder().unwrap();
        let media = MediaFiles::new(store.clone(), pool.clone());
        let settings = AppSettings { payments, media: Some(store), ..settings };
        let shop = App::new(journal, projector, accounts.clone(), pool.clone(), settings, None, stopping);
        Self {
            accounts,
            mail_dir: config.mail.folder,
            media,
            media_dir,
            admin_position: AtomicI64::new(0),
            _folder: folder,
            pool,
            engine,
            router: router(shop.clone()),
            shop,
            _stop: stop,
        }
    }

    /// Waits until this node reads everything that is in the log now, whichever node appended it.
    pub async fn settle(&self) {
        let position = self.log_position().await;
        assert!(self.engine.projector.wait_for(position, Duration::from_secs(30)).await, "the projector is stuck");
    }

    pub async fn log_position(&self) -> i64 {
        sqlx::query_scalar("select position from journal_head").fetch_one(&self.pool).await.unwrap()
    }

    /// Sends a request as an admin, unless the headers have an authorization.
    ///
    /// The body is sent as JSON unless it is null.
    pub async fn send(&self, method: &str, path: &str, body: Value, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/shop/api/{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = match body {
            Value::Null => request.body(Body::empty()),
            body => request.header("content-type", "application/json").body(Body::from(body.to_string())),
        };
        self.call(request.unwrap()).await
    }

    /// Sends a request as an admin, unless it has an authorization.
    pub async fn call(&self, mut request: Request<Body>) -> Answer {
        let is_admin = !request.headers().contains_key("authorization");
        let admin = || HeaderValue::from_str(&format!("Bearer {}", *tokens::ADMIN)).unwrap();
        request.headers_mut().entry("authorization").or_insert_with(admin);
        let answer = self.send_unchanged(request).await;
        if is_admin {
            let position = answer.header("journal-position").parse().unwrap_or(0);
            self.admin_position.fetch_max(position, Ordering::Relaxed);
        }
        answer
    }

    pub async fn send_unchanged(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap_or_default() };
        Answer { status, headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, Value::Null, &[]).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, body, &[]).await
    }

    /// The body of an admin's GET that succeeds.
    ///
    /// The shop makes the read wait for the admin's own commands on this node; this waits for those of all others.
    pub async fn read(&self, path: &str) -> Value {
        if self.log_position().await > self.admin_position.load(Ordering::Relaxed) {
            self.settle().await;
        }
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "GET {path}: {}", answer.body);
        answer.body
    }

    /// The body of a POST that succeeds.
    pub async fn done(&self, path: &str, body: Value) -> Value {
        let answer = self.post(path, body.clone()).await;
        assert!(answer.status.is_success(), "POST {path} {body}: {} {}", answer.status, answer.body);
        answer.body
    }

    pub async fn category(&self, name: &str) -> i64 {
        self.done("categories/", json!({ "category_name": name })).await["category_id"].as_i64().unwrap()
    }

    /// A product in the category `Kitchen`, which is created with the first.
    pub async fn product(&self, name: &str, price: &str, stock: i64) -> i64 {
        self.post("categories/", json!({ "category_name": "Kitchen" })).await;
        let product = json!({ "name": name, "price": price, "category": "Kitchen", "stock": stock });
        self.done("products/", product).await["product_id"].as_i64().unwrap()
    }

    pub async fn customer(&self, name: &str) -> i64 {
        let email = format!("{}@example.com", name.to_lowercase());
        let customer = json!({ "first_name": name, "last_name": "Miller", "email": email });
        self.done("customers/", customer).await["customer_id"].as_i64().unwrap()
    }

    pub async fn customers(&self, count: usize) -> Vec<i64> {
        let mut customers = Vec::new();
        for number in 0..count {
            customers.push(self.customer(&format!("Customer{number}")).await);
        }
        customers
    }

    pub async fn add(&self, customer: i64, product: i64, quantity: i64) {
        let item = json!({ "product_id": product, "quantity": quantity });
        self.done(&format!("customer/{customer}/cart/items/"), item).await;
    }

    /// Gives an order a shipping address.
    pub async fn address_order(&self, order: i64) {
        let address = json!({
            "name": "Ada Miller", "line1": "12 Mill Lane", "postal_code": "AB1 2CD", "city": "Milltown", "country": "GB",
        });
        let path = format!("order/{order}/addresses/");
        let answer = self.send("PUT", &path, json!({ "shipping": address }), &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "PUT {path}: {}", answer.body);
    }

    /// Closes an order: paid, collected and delivered.
    pub async fn complete_order(&self, order: i64) {
        let collected = json!({ "collected": true });
        for (action, body) in
            [("pay", json!({})), ("process", Value::Null), ("ship", collected), ("deliver", Value::Null)]
        {
            self.done(&format!("order/{order}/{action}/"), body).await;
        }
    }

    pub async fn check_out(&self, customer: i64) -> Answer {
        self.post(&format!("customer/{customer}/cart/checkout/"), Value::Null).await
    }

    /// Rebuilds every read table and checks that it equals the live one.
    pub async fn verify(&self) {
        let mut verifier = Verifier::new(&self.pool);
        for projection in PROJECTIONS {
            let found = verifier.verify(projection, &|_| ()).await.unwrap();
            assert_eq!(found.different, 0, "{}: {:?}", projection.name, found.examples);
        }
    }

    pub async fn check_log(&self) {
        check_log(&self.pool).await;
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The stable code of a problem document, which must be complete.
    pub fn problem(&self) -> &str {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.body);
        assert_eq!(self.body["status"], self.status.as_u16());
        for member in ["type", "title", "detail", "error"] {
            assert!(self.body[member].is_string(), "{member} is missing in {}", self.body);
        }
        self.body["code"].as_str().unwrap()
    }
}
