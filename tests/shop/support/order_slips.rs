//! The example of docs/reactors.md.

use std::path::PathBuf;

use cartwright::reactors::{Failure, Reaction, Reactor};
use futures_util::future::BoxFuture;

/// Writes a slip for each new order into a folder that a printer watches.
pub struct OrderSlips {
    pub folder: PathBuf,
}

impl Reactor for OrderSlips {
    fn name(&self) -> &'static str {
        "order_slips"
    }

    fn event_types(&self) -> &[&'static str] {
        &["OrderPlaced"]
    }

    fn react<'a>(&'a self, reaction: &'a Reaction) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let event = &reaction.event;
            let Some(lines) = event.payload["lines"].as_array() else {
                return Err(Failure::Park(format!("the event at position {} has no lines", event.position)));
            };
            let line = |line: &serde_json::Value| format!("{} × {}\n", line["quantity"], line["product_name"]);
            let slip = format!("order {}\n{}", event.aggregate_id, lines.iter().map(line).collect::<String>());
            // Named by the event, so that a second attempt writes the same file.
            let path = self.folder.join(format!("{}.txt", event.event_id));
            std::fs::write(path, slip).map_err(|error| Failure::Retry(error.kind().to_string()))
        })
    }
}
