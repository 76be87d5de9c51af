//! Reads a dump as a stream: one element in memory at a time, each with its place in the file.

use std::cell::Cell;
use std::fmt;
use std::io::{BufReader, Read};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::format::Section;
use crate::json::{Unambiguous, without_byte_order_mark};

/// Position of an element in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub offset: u64,
    pub length: u64,
    /// From 1.
    pub line: u64,
}

/// Why a file cannot be read as a dump.
#[derive(Debug, Error)]
pub enum ScanError {
    #[error("line {line}, column {column}: {message}")]
    Malformed { line: usize, column: usize, message: String },
    #[error(transparent)]
    Unreadable(#[from] std::io::Error),
}

/// What a scan learns of the file as a whole.
pub(super) struct Scanned {
    /// SHA-256 in hexadecimal.
    pub digest: String,
    pub sections: Vec<Section>,
}

/// Gets each element of each section, with its text.
pub(super) type Visit<'a> = &'a mut dyn FnMut(Section, Span, &str, Value);

/// Calls `visit` with each element of each section, in the order of the file. A byte order mark is skipped.
pub(super) fn scan(file: impl Read, visit: Visit<'_>) -> Result<Scanned, ScanError> {
    let seen = Seen::default();
    let mut hashed = Hashed { inner: file, digest: Sha256::new() };
    let sections = {
        let mut begin = Vec::new();
        hashed.by_ref().take(3).read_to_end(&mut begin)?;
        if begin.starts_with(b"\xff\xfe") || begin.starts_with(b"\xfe\xff") {
            let message = "the file is UTF-16; save it as UTF-8".to_owned();
            return Err(ScanError::Malformed { line: 1, column: 1, message });
        }
        let text = without_byte_order_mark(&begin);
        seen.bytes.set((begin.len() - text.len()) as u64);
        let counted = Counted { inner: text.chain(BufReader::with_capacity(64 * 1024, &mut hashed)), seen: &seen };
        let mut deserializer = serde_json::Deserializer::from_reader(counted);
        let mut sections = Vec::new();
        let file = FileVisitor { seen: &seen, visit, sections: &mut sections };
        let read = deserializer.deserialize_map(file).and_then(|()| deserializer.end());
        read.map_err(explain)?;
        sections
    };
    Ok(Scanned { digest: hex::encode(hashed.digest.finalize()), sections })
}

fn explain(error: serde_json::Error) -> ScanError {
    let (line, column) = (error.line(), error.column());
    if error.is_io() {
        return ScanError::Unreadable(error.into());
    }
    let message = error.to_string();
    let place = format!(" at line {line} column {column}");
    let message = in_plain_words(message.strip_suffix(&place).unwrap_or(&message));
    ScanError::Malformed { line, column, message }
}

/// The parser's words for a value of another kind, as words of JSON.
fn in_plain_words(message: &str) -> String {
    let Some((given, expected)) =
        message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "))
    else {
        return message.to_owned();
    };
    let given = match given.split(' ').next().unwrap_or_default() {
        "sequence" => "a list",
        "map" => "an object",
        "string" => "a string",
        "boolean" => "true or false",
        "null" | "unit" => "null",
        _ => "a number",
    };
    format!("must be {expected}, not {given}")
}

/// What the parser has taken of the file.
#[derive(Default)]
struct Seen {
    bytes: Cell<u64>,
    line_ends: Cell<u64>,
}

struct Counted<'a, R> {
    inner: R,
    seen: &'a Seen,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let line_ends = buffer.iter().take(read).filter(|byte| **byte == b'\n').count();
        self.seen.bytes.set(self.seen.bytes.get() + read as u64);
        self.seen.line_ends.set(self.seen.line_ends.get() + line_ends as u64);
        Ok(read)
    }
}

struct Hashed<R> {
    inner: R,
    digest: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.digest.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

struct FileVisitor<'a> {
    seen: &'a Seen,
    visit: Visit<'a>,
    sections: &'a mut Vec<Section>,
}

impl<'de> Visitor<'de> for FileVisitor<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with the sections products, phones and images")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(name) = entries.next_key::<String>()? {
            let section = Section::ALL.into_iter().find(|section| section.name() == name);
            let section = section.ok_or_else(|| A::Error::custom(format!("there is no section `{name}`")))?;
            if self.sections.contains(&section) {
                return Err(A::Error::custom(format!("the section `{name}` appears twice")));
            }
            self.sections.push(section);
            entries.next_value_seed(ElementList { section, seen: self.seen, visit: &mut *self.visit })?;
        }
        Ok(())
    }
}

struct ElementList<'a> {
    section: Section,
    seen: &'a Seen,
    visit: Visit<'a>,
}

impl<'de> DeserializeSeed<'de> for ElementList<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ElementList<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some((span, text)) = elements.next_element_seed(Place(self.seen))? {
            let Unambiguous(value) = serde_json::from_str(text.get()).map_err(|error| {
                let message = error.to_string();
                A::Error::custom(message.split(" at line ").next().unwrap_or_default())
            })?;
            (self.visit)(self.section, span, text.get(), value);
        }
        Ok(())
    }
}

/// Reads the text of a value and notes where it stands: the parser has taken its first byte, and none after it.
struct Place<'a>(&'a Seen);

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = (Span, Box<RawValue>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let offset = self.0.bytes.get().saturating_sub(1);
        let line = self.0.line_ends.get() + 1;
        let text: Box<RawValue> = serde::Deserialize::deserialize(deserializer)?;
        Ok((Span { offset, length: text.get().len() as u64, line }, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(text: &str) -> Result<Vec<(Section, Span, Value)>, ScanError> {
        let mut found = Vec::new();
        scan(text.as_bytes(), &mut |section, span, _, value| found.push((section, span, value)))?;
        Ok(found)
    }

    #[test]
    fn every_element_has_its_line_and_its_bytes() {
        let text = "{\n \"products\": [\n  {\"pk\": 1},\n\n  {\n   \"pk\": \"é\"}], \"phones\": [ {\"pk\":[2]} ],\n\"images\":[]}\n";
        for text in [text.to_owned(), format!("\u{feff}{text}")] {
            check_spans(&text);
        }
    }

    fn check_spans(text: &str) {
        let found = spans(text).unwrap();
        let lines: Vec<_> = found.iter().map(|(section, span, _)| (section.name(), span.line)).collect();
        assert_eq!(lines, [("products", 3), ("products", 5), ("phones", 6)]);
        for (_, span, value) in found {
            let bytes = &text.as_bytes()[span.offset as usize..][..span.length as usize];
            assert_eq!(serde_json::from_slice::<Value>(bytes).unwrap(), value);
        }
    }

    #[test]
    fn a_broken_file_is_named_with_its_place() {
        let mut others = Vec::new();
        for (text, place) in [
            ("{\n\"products\": [\n{\"pk\": 1,}\n]}", "line 3, column 10: key must be a string"),
            ("{\"products\": [", "line 1, column 14: EOF while parsing a list"),
            ("[]", "line 1, column 1: must be an object with the sections products, phones and images, not a list"),
            ("{\"products\": {}}", "line 1, column 14: must be a list of elements, not an object"),
            ("{\"product\": []}", "line 1, column 11: there is no section `product`"),
            ("{\"images\": [],\n\"images\": []}", "line 2, column 9: the section `images` appears twice"),
            ("{\"images\": [{\"a\": 1, \"a\": 2}]}", "line 1, column 29: an object has a repeated key"),
            ("{\"images\": 1}", "line 1, column 13: must be a list of elements, not a number"),
            ("{\"images\": [{\"a\": 1e999}]}", "line 1, column 25: number out of range"),
            ("\u{feff}[]", "line 1, column 1: must be an object with"),
            ("{} x", "line 1, column 4: trailing characters"),
            ("", "line 1, column 0: EOF while parsing a value"),
        ] {
            let error = spans(text).unwrap_err().to_string();
            if !error.starts_with(place) {
                others.push((place, error));
            }
        }
        assert!(others.is_empty(), "{others:#?}");
    }
}
