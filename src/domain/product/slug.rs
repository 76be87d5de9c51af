//! The slug of a product: its name in web addresses.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::ids::ProductId;

/// Lower-case letters a to z, digits, `-` and `_`; at least one letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

/// Why a slug from a client is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SlugError {
    #[error("must have at least one letter or digit")]
    Empty,
    #[error("must have at most {} characters", Slug::MAX)]
    TooLong,
    #[error("must have only lower-case letters a to z, digits, \"-\" and \"_\"")]
    Letters,
}

impl Slug {
    /// Maximum number of characters.
    pub const MAX: usize = 255;
    /// Maximum number of characters that are made from a name, so that numbers can follow.
    const MADE: usize = 200;

    /// Parses what a client typed.
    pub fn parse(text: &str) -> Result<Self, SlugError> {
        let text = text.trim();
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        if text.chars().count() > Self::MAX {
            Err(SlugError::TooLong)
        } else if !text.bytes().all(allowed) {
            Err(SlugError::Letters)
        } else if !text.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
            Err(SlugError::Empty)
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// A slug of an event. It was checked by the rule of its time, and is not checked again.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Slugs that are tried for a product without a given one.
    pub const CANDIDATES: usize = 1_000;

    /// Slugs for a product without a given one, in the order in which they are tried.
    pub fn candidates(name: &str, product_id: ProductId) -> impl Iterator<Item = Self> {
        (0..Self::CANDIDATES).map(move |taken| Self::candidate(name, product_id, taken))
    }

    /// The slug that is tried for a product after `taken` others: its name, its name and number, and then with a further
    /// number.
    pub fn candidate(name: &str, product_id: ProductId, taken: usize) -> Self {
        match taken {
            0 => Self::of_name(name),
            1 => Self::of_older(name, product_id),
            next => Self(format!("{}-{next}", Self::of_older(name, product_id).0)),
        }
    }

    /// Slug of a product from before there were slugs, which no event holds: made of its name and number.
    pub fn of_older(name: &str, product_id: ProductId) -> Self {
        Self::of_name(name).numbered(product_id)
    }

    /// The first slug that a product of a name is given.
    pub fn of_name(name: &str) -> Self {
        Self(made(name))
    }

    /// This slug and the number of a product.
    pub fn numbered(&self, product_id: ProductId) -> Self {
        Self(format!("{}-{product_id}", self.0))
    }

    /// The older product that may have this slug without a claim.
    pub fn older_product(&self) -> Option<ProductId> {
        let (_, number) = self.0.rsplit_once('-')?;
        number.parse().ok().filter(|product_id: &ProductId| product_id.0 > 0)
    }
}

/// A name in letters a to z, digits and `-`; `product` for a name without any.
fn made(name: &str) -> String {
    let mut made = slug::slugify(name);
    made.truncate(Slug::MADE);
    match made.trim_matches('-') {
        "" => "product".to_owned(),
        made => made.to_owned(),
    }
}

impl TryFrom<String> for Slug {
    type Error = SlugError;

    fn try_from(text: String) -> Result<Self, SlugError> {
        Self::parse(&text)
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_made_from_the_name_and_then_from_the_number() {
        let first = |name: &str| String::from(Slug::candidates(name, ProductId(7)).next().unwrap());
        for (name, slug) in [
            ("Blue Kettle, 1.7 l", "blue-kettle-1-7-l"),
            ("Café Straße", "cafe-strasse"),
            ("  -- ", "product"),
            ("❤", "heart"),
            ("Чай", "chai"),
        ] {
            assert_eq!(first(name), slug, "{name}");
        }
        let candidates: Vec<_> = Slug::candidates("Tea", ProductId(7)).take(3).map(String::from).collect();
        assert_eq!(candidates, ["tea", "tea-7", "tea-7-2"]);
        assert!(Slug::candidates(&"ß".repeat(200), ProductId(i64::MAX)).all(|slug| Slug::parse(&slug.0) == Ok(slug)));
        assert_eq!(Slug::of_older("Tea", ProductId(7)).older_product(), Some(ProductId(7)));
        assert_eq!(Slug::stored("tea-x").older_product(), None);
    }

    #[test]
    fn a_given_slug_has_plain_letters() {
        assert_eq!(Slug::parse(" tea_1-a ").unwrap().as_str(), "tea_1-a");
        for (text, error) in [
            ("", SlugError::Empty),
            ("--", SlugError::Empty),
            ("Tea", SlugError::Letters),
            ("té", SlugError::Letters),
            ("a b", SlugError::Letters),
            ("a/b", SlugError::Letters),
        ] {
            assert_eq!(Slug::parse(text), Err(error), "{text}");
        }
        assert_eq!(Slug::parse(&"a".repeat(256)), Err(SlugError::TooLong));
    }
}
