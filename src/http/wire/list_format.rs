//! Formats of a whole list, written row by row.
//!
//! A new format is a variant of [`ListFormat`]: its media type, and what stands before, between and after the rows.

use axum::http::HeaderMap;
use serde::Serialize;

use crate::http::wire::accept::Accept;
use crate::http::wire::negotiation::{JSON, JSON_LINES};

/// How the rows of a whole list are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListFormat {
    /// One JSON array.
    Json,
    /// One JSON object a line.
    JsonLines,
}

const ALL: [ListFormat; 2] = [ListFormat::Json, ListFormat::JsonLines];

impl ListFormat {
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => JSON,
            Self::JsonLines => JSON_LINES,
        }
    }

    /// The format that the client prefers; JSON if it accepts neither.
    pub fn preferred(headers: &HeaderMap) -> Self {
        let chosen = Accept::of(headers).choose(&ALL.map(Self::media_type));
        chosen.map_or(Self::Json, |place| ALL[place])
    }

    /// What stands before the first row.
    pub fn begin(self, out: &mut Vec<u8>) {
        match self {
            Self::Json => out.push(b'['),
            Self::JsonLines => {}
        }
    }

    /// Writes a row; `first` is that of the list.
    pub fn write_row(self, row: &impl Serialize, first: bool, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        match self {
            Self::Json if first => {}
            Self::Json => out.push(b','),
            Self::JsonLines => {}
        }
        serde_json::to_writer(&mut *out, row)?;
        if self == Self::JsonLines {
            out.push(b'\n');
        }
        Ok(())
    }

    /// What stands after the last row.
    pub fn end(self, out: &mut Vec<u8>) {
        match self {
            Self::Json => out.push(b']'),
            Self::JsonLines => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_one_after_the_other() {
        let written = |format: ListFormat, rows: &[i32]| {
            let mut out = Vec::new();
            format.begin(&mut out);
            for (place, row) in rows.iter().enumerate() {
                format.write_row(row, place == 0, &mut out).unwrap();
            }
            format.end(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(ListFormat::Json, &[1, 2]), "[1,2]");
        assert_eq!(written(ListFormat::Json, &[]), "[]");
        assert_eq!(written(ListFormat::JsonLines, &[1, 2]), "1\n2\n");
        assert_eq!(written(ListFormat::JsonLines, &[]), "");
    }
}
