//! Side writes: rows beside the log, stored in the commit of a command's events.
//!
//! The journal knows neither their tables nor their constraints: each use case defines the side writes that it needs.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::domain::refusal::Refusal;

/// A change to a table beside the log, as the arguments of a SQL function.
///
/// The value is serialised as one flat JSON object. Its fields are the domain's own types.
pub trait SideWrite: Serialize {
    /// Name of the SQL function `write_<FUNCTION>(change jsonb, changed timestamptz)` that stores it.
    const FUNCTION: &'static str;

    /// Translates a unique constraint that the SQL function may break into the refusal of the command.
    fn refusal(_constraint: &str) -> Option<Refusal> {
        None
    }
}

/// A side write of any type, ready to be stored. It has no `Debug`, because the JSON may hold a secret.
pub(super) struct PendingSideWrite {
    json: Box<RawValue>,
    refusal: fn(&str) -> Option<Refusal>,
}

/// A side write as `store_side_writes` reads it.
#[derive(Serialize)]
struct Call<'a, W> {
    op: &'static str,
    #[serde(flatten)]
    value: &'a W,
}

impl PendingSideWrite {
    pub fn new<W: SideWrite>(side_write: &W) -> Result<Self, serde_json::Error> {
        let json = to_raw_value(&Call { op: W::FUNCTION, value: side_write })?;
        Ok(Self { json, refusal: W::refusal })
    }

    pub fn json(&self) -> &RawValue {
        &self.json
    }

    pub fn refusal(&self, constraint: &str) -> Option<Refusal> {
        (self.refusal)(constraint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct PutNote<'a> {
        order_id: i64,
        text: &'a str,
    }

    impl SideWrite for PutNote<'_> {
        const FUNCTION: &'static str = "put_note";

        fn refusal(constraint: &str) -> Option<Refusal> {
            (constraint == "note_taken").then_some(Refusal::EmailTaken)
        }
    }

    #[test]
    fn a_side_write_names_its_function_and_translates_its_own_constraints_only() {
        let pending = PendingSideWrite::new(&PutNote { order_id: 7, text: "bell" }).unwrap();
        assert_eq!(pending.json().get(), r#"{"op":"put_note","order_id":7,"text":"bell"}"#);
        assert_eq!(pending.refusal("note_taken"), Some(Refusal::EmailTaken));
        assert_eq!(pending.refusal("idempotency_pkey"), None);
    }
}
