//! Accounts, their mails and API keys, for tests that need one.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use cartwright::domain::account::Role;
use cartwright::domain::ids::AccountId;
use cartwright::domain::text::{Email, Name};
use cartwright::journal::{Actor, Context};
use cartwright::shop::{CreateKey, OpenAccount};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, TestShop};

pub const PASSWORD: &str = "brown teapot, no lid";
pub const ANOTHER: &str = "green teapot with lid";

impl TestShop {
    /// Sends a request as the owner of the token.
    pub async fn send_with_token(&self, token: &str, method: &str, path: &str, body: Value) -> Answer {
        self.send(method, path, body, &[("authorization", &format!("Bearer {token}"))]).await
    }

    pub async fn log_in(&self, email: &str, password: &str) -> Answer {
        self.post("auth/login/", json!({ "email": email, "password": password })).await
    }

    pub async fn refresh(&self, refresh_token: &Value) -> Answer {
        self.post("auth/refresh/", json!({ "refresh_token": refresh_token })).await
    }

    /// The texts of all mails to an address, oldest first, once there are `count` of them.
    pub async fn mails(&self, to: &str, count: usize) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let entries = std::fs::read_dir(&self.mail_dir).into_iter().flatten().flatten();
            let mut found: Vec<_> = entries
                .filter_map(|entry| {
                    let written = entry.metadata().ok()?.modified().ok()?;
                    Some((written, std::fs::read_to_string(entry.path()).ok()?))
                })
                .filter(|(_, mail)| mail.contains(&format!("To: {to}\r\n")) && mail.ends_with('\n'))
                .collect();
            found.sort();
            if found.len() >= count {
                return found.into_iter().map(|(_, mail)| mail).collect();
            }
            assert!(Instant::now() < deadline, "{} of {count} mails to {to}", found.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn register(&self, name: &str) -> Answer {
        let email = format!("{}@example.com", name.to_lowercase());
        let wish = json!({ "first_name": name, "last_name": "Miller", "email": email });
        self.post("auth/register/", wish).await
    }

    /// Uses the link in the mail of a registration.
    pub async fn confirm(&self, mail: &str, password: &str) -> Answer {
        self.post("auth/register/confirm/", json!({ "token": token_in(mail), "password": password })).await
    }

    /// Registers a customer with an account; returns its number.
    pub async fn member(&self, name: &str) -> i64 {
        assert_eq!(self.register(name).await.status, StatusCode::ACCEPTED);
        let mails = self.mails(&format!("{}@example.com", name.to_lowercase()), 1).await;
        let confirmed = self.confirm(&mails[0], PASSWORD).await;
        assert_eq!(confirmed.status, StatusCode::CREATED, "{}", confirmed.body);
        confirmed.body["customer_id"].as_i64().unwrap()
    }
}

/// The token behind the `#` of a mail's link.
pub fn token_in(mail: &str) -> String {
    let unfolded = mail.replace("=\r\n", "");
    let after = unfolded.split_once('#').unwrap_or_else(|| panic!("no link in {mail}")).1;
    after.chars().take_while(|letter| letter.is_ascii_alphanumeric() || "-_".contains(*letter)).collect()
}

pub fn access(tokens: &Answer) -> &str {
    assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.body);
    tokens.body["access_token"].as_str().unwrap()
}

/// Creates a staff account with an API key; returns the account, the key's id and the key.
pub async fn api_key(shop: &TestShop, name: &str, role: Role) -> (AccountId, Uuid, String) {
    api_key_called(shop, name, role, Uuid::new_v4()).await
}

/// The same, with the id of the key.
pub async fn api_key_called(shop: &TestShop, name: &str, role: Role, key_id: Uuid) -> (AccountId, Uuid, String) {
    let context = || Context::of(Actor { id: "test".to_owned(), role: "admin" });
    let email = Email::parse(&format!("{name}@example.com")).unwrap();
    let open = OpenAccount { role, customer_id: None, email, password_hash: None, link_hash: None };
    let journal = &shop.engine.journal;
    let account_id = journal.run(open, context()).await.unwrap().answer.account_id;
    let secret = cartwright::accounts::Secret::api_key().unwrap();
    let name = Name::parse(name).unwrap();
    let create = CreateKey { account_id, key_id, name, role, secret_hash: secret.api_key_hash() };
    journal.run(create, context()).await.unwrap();
    shop.accounts.refresh().await.unwrap();
    (account_id, key_id, secret.expose().to_owned())
}
