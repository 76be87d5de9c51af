//! Entity tags: the version of a resource, and a digest of the other data that a read of it shows.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::context::sha256;

/// The tag of a resource: `ETag` of a read, `If-Match` of a command.
///
/// Written as `3`, or as `3-91b2c0e5d7a84f16` with a digest. A read may append `~` and a digest of what no command can be
/// stale about, such as units in stock or the actions of the caller: `If-None-Match` compares it, `If-Match` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTag {
    /// Version of the resource's stream.
    pub version: i64,
    /// Digest of the data of other streams that is shown; `None` if there is none.
    pub digest: Option<ViewDigest>,
}

/// Digest of what a read shows beyond its resource's own stream, such as the prices of a cart's products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewDigest(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is not an entity tag, such as 3 or 3-91b2c0e5d7a84f16")]
pub struct MalformedTag;

impl EntityTag {
    /// A tag that no resource has.
    pub const UNKNOWN: Self = Self { version: -1, digest: None };

    /// The tag of a resource that shows nothing beyond its stream. In `If-Match` it compares the version alone.
    pub fn of_version(version: i64) -> Self {
        Self { version, digest: None }
    }
}

impl ViewDigest {
    /// Digest of the parts; their boundaries count.
    pub fn of<Part: AsRef<[u8]>>(parts: impl IntoIterator<Item = Part>) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = sha256(parts);
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

impl fmt::Display for EntityTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.version.fmt(formatter)?;
        match self.digest {
            Some(digest) => write!(formatter, "-{digest}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ViewDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl FromStr for EntityTag {
    type Err = MalformedTag;

    fn from_str(text: &str) -> Result<Self, MalformedTag> {
        let parse_digest = |digest: &str| {
            let is_digest = digest.len() == 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
            let digest = u64::from_str_radix(digest, 16).ok().filter(|_| is_digest);
            digest.map(ViewDigest).ok_or(MalformedTag)
        };
        let text = match text.split_once('~') {
            Some((tag, remark)) => parse_digest(remark).map(|_| tag)?,
            None => text,
        };
        let (version, digest) = text.split_once('-').map_or((text, None), |(version, digest)| (version, Some(digest)));
        let is_version = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
        let version = version.parse().ok().filter(|_| is_version).ok_or(MalformedTag)?;
        Ok(Self { version, digest: digest.map(parse_digest).transpose()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read_as_it_is_written() {
        let digest = Some(ViewDigest::of(["Kettle", "20.00"]));
        for tag in [EntityTag::of_version(0), EntityTag { version: 17, digest }] {
            assert_eq!(tag.to_string().parse(), Ok(tag));
            assert_eq!(format!("{tag}~{}", ViewDigest::of(["5"])).parse(), Ok(tag));
        }
        for text in [
            "",
            "-",
            "x",
            "3-",
            "+3",
            "3-1",
            "-3",
            "3-91b2c0e5d7a84f1g",
            "3-91b2c0e5d7a84f16-2",
            "3-+1b2c0e5d7a84f16",
            "3~",
            "3~5",
        ] {
            assert_eq!(text.parse::<EntityTag>(), Err(MalformedTag), "{text}");
        }
    }

    #[test]
    fn the_boundaries_of_the_parts_count() {
        assert_ne!(ViewDigest::of(["ab", "c"]), ViewDigest::of(["a", "bc"]));
        assert_ne!(ViewDigest::of(["a"]), ViewDigest::of(["a", ""]));
    }
}
