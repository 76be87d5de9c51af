//! Formats of a whole list, written row by row.
//!
//! A new format is a variant of [`ListFormat`]: its media type, and what stands before, between and after the rows.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use serde::Serialize;

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
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::JsonLines => "application/x-ndjson",
        }
    }

    /// Whether the format has no pages: a client that asks for it gets the whole list.
    pub fn is_always_whole(self) -> bool {
        match self {
            Self::Json => false,
            Self::JsonLines => true,
        }
    }

    /// The format that the client prefers: of several with the same weight, the first; JSON if it names none.
    pub fn preferred(headers: &HeaderMap) -> Self {
        let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut best = (0.0, Self::Json);
        for (format, weight) in values.flat_map(|value| value.split(',')).filter_map(accepted) {
            if weight > best.0 {
                best = (weight, format);
            }
        }
        best.1
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

/// The format of one media range of `Accept`, and its weight.
fn accepted(range: &str) -> Option<(ListFormat, f32)> {
    let mut parts = range.split(';').map(str::trim);
    let media_type = parts.next()?.to_ascii_lowercase();
    let format = match media_type.as_str() {
        "*/*" | "application/*" => ListFormat::Json,
        name => ALL.into_iter().find(|format| format.media_type() == name)?,
    };
    let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |weight| weight.parse().ok())?;
    Some((format, weight))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn preferred(accept: &str) -> ListFormat {
        ListFormat::preferred(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(accept).unwrap())]))
    }

    #[test]
    fn the_format_is_the_one_that_the_client_prefers() {
        assert_eq!(ListFormat::preferred(&HeaderMap::new()), ListFormat::Json);
        for accept in [
            "*/*",
            "application/json",
            "text/html, */*;q=0.8",
            "application/json, application/x-ndjson",
            "application/x-ndjson;q=0.5, application/json;q=0.9",
            "application/x-ndjson;q=0, */*",
            "application/x-ndjson;q=high",
            "text/plain",
        ] {
            assert_eq!(preferred(accept), ListFormat::Json, "{accept}");
        }
        for accept in ["application/x-ndjson", "Application/X-NDJSON; charset=utf-8", "*/*;q=0.1, application/x-ndjson"]
        {
            assert_eq!(preferred(accept), ListFormat::JsonLines, "{accept}");
        }
    }

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
