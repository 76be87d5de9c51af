//! A picture: named by the hash of its content, so that equal pictures are one file.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::words::words;

/// A stored picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Picture {
    /// SHA-256 of the content.
    pub hash: PictureHash,
    pub extension: Extension,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Size in bytes.
    pub bytes: u64,
}

words! {
    /// The format of a picture, as the extension of its file.
    Extension {
        Jpeg = "jpg",
        Png = "png",
        WebP = "webp",
    }
}

/// SHA-256 of a picture's content, as 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^[0-9a-f]{64}$"))]
pub struct PictureHash(Box<str>);

/// Name of a picture's file: its hash and extension.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PictureName {
    pub hash: PictureHash,
    pub extension: Extension,
}

/// Address of a folder of pictures: a path of the shop, or a URL of a server that has the same files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct MediaBase(Box<str>);

/// Error: the text is not the address of a folder of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "must begin with http://, https:// or /, without spaces, quotes, ? and #, and with at most {} characters",
    MediaBase::MAX
)]
pub struct MediaBaseError;

impl MediaBase {
    pub const MAX: usize = 500;

    /// Without slashes at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for MediaBase {
    type Error = MediaBaseError;

    fn try_from(text: String) -> Result<Self, MediaBaseError> {
        let base = text.trim_end_matches('/');
        let host = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://"));
        let is_url = host.is_some_and(|host| !host.starts_with('/') && !host.is_empty());
        let is_path = base.starts_with('/') && !base.starts_with("//");
        let is_plain = base.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>?#\\".contains(&byte));
        if (is_url || is_path) && is_plain && base.len() <= Self::MAX {
            Ok(Self(base.into()))
        } else {
            Err(MediaBaseError)
        }
    }
}

impl FromStr for MediaBase {
    type Err = MediaBaseError;

    fn from_str(text: &str) -> Result<Self, MediaBaseError> {
        Self::try_from(text.to_owned())
    }
}

impl From<MediaBase> for String {
    fn from(base: MediaBase) -> Self {
        base.0.into()
    }
}

/// Error: the text is not the hash or name of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be 64 hexadecimal digits, and .jpg, .png or .webp after them in a name")]
pub struct PictureNameError;

impl Picture {
    pub fn name(&self) -> PictureName {
        PictureName { hash: self.hash.clone(), extension: self.extension }
    }
}

impl PictureHash {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PictureHash {
    type Error = PictureNameError;

    fn try_from(text: String) -> Result<Self, PictureNameError> {
        let is_digit = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 64 && text.bytes().all(is_digit) { Ok(Self(text.into())) } else { Err(PictureNameError) }
    }
}

impl From<PictureHash> for String {
    fn from(hash: PictureHash) -> Self {
        hash.0.into()
    }
}

impl FromStr for PictureName {
    type Err = PictureNameError;

    fn from_str(text: &str) -> Result<Self, PictureNameError> {
        let (hash, extension) = text.split_once('.').ok_or(PictureNameError)?;
        let extension = Extension::ALL.iter().find(|known| known.as_str() == extension).ok_or(PictureNameError)?;
        Ok(Self { hash: PictureHash::try_from(hash.to_owned())?, extension: *extension })
    }
}

impl fmt::Display for PictureName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.hash.as_str(), self.extension.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_a_path_or_a_url() {
        for (text, base) in [
            ("https://cdn.example.com/media/", "https://cdn.example.com/media"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("/pictures", "/pictures"),
        ] {
            assert_eq!(text.parse::<MediaBase>().unwrap().as_str(), base);
        }
        for text in
            ["", "/", "//example.com", "cdn.example.com", "https://", "https:///x", "ftp://x", "/a b", "/a?b", "/é"]
        {
            assert_eq!(text.parse::<MediaBase>(), Err(MediaBaseError), "{text}");
        }
    }

    #[test]
    fn a_name_is_a_hash_and_a_known_extension() {
        let hash = "0123456789abcdef".repeat(4);
        let name: PictureName = format!("{hash}.webp").parse().unwrap();
        assert_eq!((name.hash.as_str(), name.extension), (hash.as_str(), Extension::WebP));
        assert_eq!(name.to_string(), format!("{hash}.webp"));
        for text in [
            "",
            ".jpg",
            "..jpg",
            &hash,
            &format!("{hash}.gif"),
            &format!("{}.jpg", &hash[1..]),
            &format!("{}.jpg", hash.to_uppercase()),
            &format!("../{hash}.jpg"),
            &format!("{hash}.jpg.png"),
        ] {
            assert_eq!(text.parse::<PictureName>(), Err(PictureNameError), "{text}");
        }
    }
}
