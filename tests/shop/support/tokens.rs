//! Access tokens signed like the shop's: every server of a test run uses the key of one folder.

use std::path::PathBuf;
use std::sync::LazyLock;

use cartwright::accounts::TokenKeys;
use chrono::Utc;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use uuid::Uuid;

/// Where the servers of this run find their key.
pub static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("keys-{}", std::process::id()));
    TokenKeys::create_key_file(&folder).unwrap();
    folder
});

/// The token of an admin, of account 1 if there is one: for tests that are about something else.
pub static ADMIN: LazyLock<String> = LazyLock::new(|| sign(&claims("admin", 1, None)));

/// The claims of an account's token.
pub fn claims(role: &str, account_id: i64, customer_id: Option<i64>) -> Value {
    let now = Utc::now().timestamp();
    json!({
        "iss": "cartwright", "sub": account_id.to_string(), "role": role, "customer_id": customer_id,
        "sid": Uuid::new_v4(), "iat": now, "exp": now + 3_600,
    })
}

pub fn sign(claims: &Value) -> String {
    let (key_id, key) = key();
    let header = Header { kid: Some(key_id), ..Header::new(Algorithm::EdDSA) };
    encode(&header, claims, &key).unwrap()
}

/// The id of the key, and the key itself.
pub fn key() -> (String, EncodingKey) {
    let file = std::fs::read_dir(&*FOLDER).unwrap().next().unwrap().unwrap().path();
    let stem = file.file_stem().unwrap().to_str().unwrap();
    (stem.split('-').nth(1).unwrap().to_owned(), EncodingKey::from_ed_der(&std::fs::read(&file).unwrap()))
}
