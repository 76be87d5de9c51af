//! The shop that all tests of pages visit: the program with the seeds, hard cases, and an account of each role.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cartwright::domain::account::Role;
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::OnceCell;

use super::api::Api;
use super::sample::{self, Sample};
use crate::support::accounts::{PASSWORD, token_in};
use crate::support::ending::EndsWithThisRun;
use crate::support::lasting_database;
use crate::support::program::{self, Server};

/// The shop of this run.
static SHOP: OnceCell<BrowsedShop> = OnceCell::const_new();

pub struct BrowsedShop {
    /// `http://127.0.0.1:<port>`
    pub address: String,
    pub sample: Sample,
    pub database: PgConnectOptions,
    _server: Server,
    _ending: EndsWithThisRun,
}

/// The shop, started with the first test that needs it.
pub async fn shop() -> &'static BrowsedShop {
    SHOP.get_or_init(BrowsedShop::start).await
}

impl BrowsedShop {
    async fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("cartwright-pages-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let database = lasting_database().await;
        let (started, url) = (folder.clone(), program::url(&database));
        let server = tokio::task::spawn_blocking(move || {
            let mut command = program::command(&started);
            command.env("DATABASE_URL", url).env("SHOP_FIRST_ADMIN", "true");
            command.env("SHOP_TEST_PAYMENTS", "true").env("SHOP_LOG", "error");
            // One failed attempt parks a reaction.
            command.env("SHOP_REACTION_ATTEMPTS", "1");
            Server::spawn(command.args(["serve", "--listen", "127.0.0.1:0"]))
        });
        let server = server.await.unwrap();
        let ending = EndsWithThisRun::new(&[&server.child], &folder);
        let api = Api::new(&server.address);
        for role in [Role::Admin, Role::Editor, Role::Reader] {
            open_account(&api, role, &folder.join("mail")).await;
        }
        let sample = sample::load(&api).await;
        Self { address: server.address.clone(), sample, database, _server: server, _ending: ending }
    }
}

/// The address with which a role logs in; the password is [`PASSWORD`].
pub fn email(role: Role) -> String {
    format!("{}@example.com", role.as_str())
}

/// Invites a member of staff, who sets the password with the mailed link.
async fn open_account(api: &Api, role: Role, mails: &Path) {
    api.post("users/", json!({ "email": email(role), "role": role })).await;
    let mail = mail_to(&email(role), mails).await;
    api.post("auth/reset/confirm/", json!({ "token": token_in(&mail), "new_password": PASSWORD })).await;
}

async fn mail_to(email: &str, mails: &Path) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    let read = |file: PathBuf| std::fs::read_to_string(file).ok();
    loop {
        let files = std::fs::read_dir(mails).into_iter().flatten().flatten();
        let mut texts = files.filter_map(|entry| read(entry.path()));
        let is_complete = |mail: &String| mail.contains(&format!("To: {email}\r\n")) && mail.ends_with('\n');
        if let Some(mail) = texts.find(is_complete) {
            return mail;
        }
        assert!(Instant::now() < deadline, "no mail to {email}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
