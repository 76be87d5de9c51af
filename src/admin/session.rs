//! Sessions of browsers, kept in memory for a few minutes; what ends one is known at once.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lru::LruCache;

use crate::accounts::{Accounts, AccountsError, BrowserSession};

/// The open sessions of this node.
pub struct Sessions {
    accounts: Accounts,
    open: Mutex<LruCache<String, OpenSession>>,
}

/// A session, and when it was read from the database.
#[derive(Clone)]
struct OpenSession {
    session: Arc<BrowserSession>,
    opened_at: Instant,
}

const MAX_OPEN_SESSIONS: NonZeroUsize = NonZeroUsize::new(10_000).expect("it is not zero");
/// A third of the life of an access token.
const KEEP: Duration = Duration::from_secs(5 * 60);

impl Sessions {
    pub fn new(accounts: Accounts) -> Self {
        Self { accounts, open: Mutex::new(LruCache::new(MAX_OPEN_SESSIONS)) }
    }

    /// The session of a cookie; `None` if it has ended.
    pub async fn find(&self, cookie: &str) -> Result<Option<Arc<BrowserSession>>, AccountsError> {
        let kept = self.lock().get(cookie).filter(|kept| kept.opened_at.elapsed() < KEEP).cloned();
        if let Some(OpenSession { session, .. }) = kept
            && self.accounts.identify(session.access_token.expose()).await.is_ok()
        {
            return Ok(Some(session));
        }
        let found = self.accounts.open_browser_session(cookie).await?.map(Arc::new);
        match &found {
            Some(session) => {
                let open = OpenSession { session: Arc::clone(session), opened_at: Instant::now() };
                self.lock().put(cookie.to_owned(), open);
            }
            None => drop(self.lock().pop(cookie)),
        }
        Ok(found)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<String, OpenSession>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Signs with the secret of a session: `purpose` and `text` belong together.
pub fn sign(cookie: &str, purpose: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, cookie.as_bytes());
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, format!("{purpose}\0{text}").as_bytes()))
}

/// Whether `signature` is what [`sign`] returns; the time does not depend on where they differ.
pub fn is_signed(cookie: &str, purpose: &str, text: &str, signature: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, cookie.as_bytes());
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    hmac::verify(&key, format!("{purpose}\0{text}").as_bytes(), &signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_belongs_to_its_session_purpose_and_text() {
        let signature = sign("token", "csrf", "");
        assert!(is_signed("token", "csrf", "", &signature));
        for (cookie, purpose, text) in [("other", "csrf", ""), ("token", "flash", ""), ("token", "csrf", "x")] {
            assert!(!is_signed(cookie, purpose, text, &signature), "{cookie} {purpose} {text}");
        }
        assert!(!is_signed("token", "csrf", "", "") && !is_signed("token", "csrf", "", "nonsense!"));
    }
}
