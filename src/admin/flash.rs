//! A message for the next page after a change, in a cookie that the session's secret signs.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::session::{is_signed, sign};

const PURPOSE: &str = "flash";
/// A cookie has at most 4 KiB.
const MAX_CHARACTERS: usize = 500;

/// A message that is shown once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flash {
    pub text: String,
}

impl Flash {
    pub fn success(text: impl Into<String>) -> Self {
        Self { text: text.into().chars().take(MAX_CHARACTERS).collect() }
    }

    /// The value of the cookie.
    pub fn seal(&self, session: &str) -> String {
        format!("{}.{}", URL_SAFE_NO_PAD.encode(&self.text), sign(session, PURPOSE, &self.text))
    }

    /// The message of a cookie; `None` if it belongs to another session or was changed.
    pub fn open(session: &str, sealed: &str) -> Option<Self> {
        let (text, signature) = sealed.split_once('.')?;
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        is_signed(session, PURPOSE, &text, signature).then_some(Self { text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_by_its_own_session_only() {
        let sealed = Flash::success("The price is 1,00 €").seal("token");
        assert_eq!(Flash::open("token", &sealed).unwrap().text, "The price is 1,00 €");
        assert_eq!(Flash::open("other", &sealed), None);
        let (_, signature) = sealed.split_once('.').unwrap();
        let forged = format!("{}.{signature}", URL_SAFE_NO_PAD.encode("Call 0900"));
        for changed in [forged.as_str(), "", ".", "nonsense", "no!.base64"] {
            assert_eq!(Flash::open("token", changed), None, "{changed}");
        }
    }
}
