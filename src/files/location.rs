//! Where the media store is: a local folder, or a bucket of an S3-compatible service.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use reqwest::Url;

/// The setting `--media`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaLocation {
    Folder(PathBuf),
    /// `s3://bucket/prefix`; credentials, region and endpoint come from the variables `AWS_*`.
    Bucket(Url),
}

impl MediaLocation {
    /// The folder, if the store is local.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Bucket(_) => None,
        }
    }
}

impl FromStr for MediaLocation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((scheme, _)) = text.split_once("://") else {
            return match text {
                "" => Err("must not be empty".to_owned()),
                folder => Ok(Self::Folder(folder.into())),
            };
        };
        let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
        match scheme {
            "s3" if url.host_str().is_some_and(|bucket| !bucket.is_empty()) => Ok(Self::Bucket(url)),
            "s3" => Err("must name a bucket, as s3://bucket/prefix".to_owned()),
            "file" => url.to_file_path().map(Self::Folder).map_err(|()| "must name an absolute folder".to_owned()),
            _ => Err("must be a folder, or s3://bucket/prefix".to_owned()),
        }
    }
}

impl fmt::Display for MediaLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(formatter),
            Self::Bucket(url) => url.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_folder_or_a_bucket() {
        let read = |text: &str| text.parse::<MediaLocation>();
        assert_eq!(read("/srv/media").unwrap(), MediaLocation::Folder("/srv/media".into()));
        assert_eq!(read("file:///srv/media").unwrap(), MediaLocation::Folder("/srv/media".into()));
        assert_eq!(read("media").unwrap(), MediaLocation::Folder("media".into()));
        assert_eq!(read("s3://pictures/shop").unwrap().to_string(), "s3://pictures/shop");
        for text in ["", "s3://", "s3:///shop", "https://example.com/media", "gs://pictures"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
