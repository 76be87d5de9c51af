//! The reactor that deletes the file of a removed or replaced image, once nothing refers to it.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Deserialize;

use super::holds::{Deletion, MediaFiles};
use crate::domain::picture::Picture;
use crate::reactors::{Failure, Reaction, Reactor};

/// Deletes files of removed and replaced images. Deleting again is harmless.
pub struct FileDeletion {
    files: MediaFiles,
}

/// The picture that an event ends to refer to.
#[derive(Deserialize)]
struct EndedReference {
    /// The picture of a removed image, or the new one of a replaced image.
    picture: Picture,
    previous: Option<Picture>,
}

impl FileDeletion {
    pub fn new(files: MediaFiles) -> Self {
        Self { files }
    }

    async fn delete(&self, reaction: &Reaction) -> Result<(), Failure> {
        let payload = &reaction.event.payload;
        let EndedReference { picture, previous } = EndedReference::deserialize(payload)
            .map_err(|error| Failure::Park(format!("the event cannot be read: {error}")))?;
        let name = previous.unwrap_or(picture).name();
        match self.files.delete_unreferenced(&name, Duration::ZERO).await {
            Ok(Deletion::Deleted | Deletion::Kept) => Ok(()),
            Ok(Deletion::Held) => Err(Failure::Retry("an upload of the same picture holds the file".to_owned())),
            Err(error) => Err(Failure::Retry(error.to_string())),
        }
    }
}

impl Reactor for FileDeletion {
    fn name(&self) -> &'static str {
        "file_deletion"
    }

    fn event_types(&self) -> &[&'static str] {
        &["ProductImageRemoved", "ProductImageReplaced"]
    }

    fn react<'a>(&'a self, reaction: &'a Reaction) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(self.delete(reaction))
    }
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgPoolOptions;

    use super::*;
    use crate::domain::event_types::is_event_name;
    use crate::files::MediaStore;

    #[tokio::test]
    async fn the_reactor_names_events_of_the_shop() {
        let pool = PgPoolOptions::new().connect_lazy("postgres://localhost").unwrap();
        let reactor = FileDeletion::new(MediaFiles::new(MediaStore::in_memory(), pool));
        assert!(reactor.event_types().iter().all(|name| is_event_name(name)));
    }
}
