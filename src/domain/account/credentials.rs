//! Hashes of credentials, which only tables beside the log hold.

use std::fmt::{Debug, Formatter, Result, Write};

/// Declares a type whose text never appears in logs or debug output.
macro_rules! secret_text {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// The hash itself: to store it, or to compare it.
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl Debug for $name {
            fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
                formatter.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

secret_text!(
    /// Argon2id hash of a password, as a PHC string.
    PasswordHash
);
secret_text!(
    /// SHA-256 of the token in a mailed link, in hexadecimal.
    LinkHash
);
secret_text!(
    /// SHA-256 of an API key, in hexadecimal.
    ApiKeyHash
);

impl PasswordHash {
    pub fn new(phc: impl Into<String>) -> Self {
        Self(phc.into())
    }
}

impl LinkHash {
    pub fn new(sha256: [u8; 32]) -> Self {
        Self(hexadecimal(sha256))
    }
}

impl ApiKeyHash {
    pub fn new(sha256: [u8; 32]) -> Self {
        Self(hexadecimal(sha256))
    }
}

fn hexadecimal(bytes: [u8; 32]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_hexadecimal_and_never_shown_by_debug() {
        let hash = LinkHash::new([0x0f; 32]);
        assert_eq!(hash.expose(), "0f".repeat(32));
        assert_eq!(format!("{hash:?}"), "LinkHash(…)");
        assert_eq!(format!("{:?}", PasswordHash::new("$argon2id$…")), "PasswordHash(…)");
    }
}
