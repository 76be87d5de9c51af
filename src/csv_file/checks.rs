//! Checks of the bytes of a file while it is read.
//!
//! The CSV parser accepts any text: a quote that is never closed takes the rest of the file for one field. Nothing of such
//! a file may be guessed, so these checks find the line where the quote opens, and the line of every record.

use std::collections::VecDeque;
use std::io::{self, Read};

/// Passes a file on without its byte order mark, and follows its quotes and lines.
pub(super) struct CheckedFile<R> {
    file: R,
    state: State,
    line: u64,
    /// The line of the quote whose end is missing or in the wrong place.
    broken: Option<u64>,
    /// Lines of the records that were passed on and not asked for yet.
    records: VecDeque<u64>,
    /// Bytes that were read to find the byte order mark.
    begin: Vec<u8>,
    begun: bool,
}

#[derive(Clone, Copy)]
enum State {
    RecordStart,
    FieldStart,
    Unquoted,
    /// Inside a quote that opened in this line.
    Quoted(u64),
    /// After a quote inside a quoted field: its end, or the first of two that stand for one.
    QuoteInQuoted(u64),
}

/// The byte order mark of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

impl<R: Read> CheckedFile<R> {
    pub fn new(file: R) -> Self {
        let (state, records) = (State::RecordStart, VecDeque::new());
        Self { file, state, line: 1, broken: None, records, begin: Vec::new(), begun: false }
    }

    /// The first bytes of the file, up to the length of a byte order mark.
    pub fn peek(&mut self) -> io::Result<&[u8]> {
        if !self.begun {
            self.begun = true;
            let most = u64::try_from(MARK.len()).unwrap_or_default();
            (&mut self.file).take(most).read_to_end(&mut self.begin)?;
        }
        Ok(&self.begin)
    }
}

impl<R> CheckedFile<R> {
    /// The line where a quote opens that does not end with its field, after the whole file was read.
    pub fn broken_line(&self) -> Option<u64> {
        match self.state {
            State::Quoted(line) => self.broken.or(Some(line)),
            _ => self.broken,
        }
    }

    /// The line of the next record that the parser returns.
    pub fn next_record_line(&mut self) -> Option<u64> {
        self.records.pop_front()
    }

    fn follow(&mut self, byte: u8) {
        use State::{FieldStart, QuoteInQuoted, Quoted, RecordStart, Unquoted};
        if matches!(self.state, RecordStart) && !matches!(byte, b'\n' | b'\r') {
            self.records.push_back(self.line);
        }
        self.state = match (self.state, byte) {
            (RecordStart | FieldStart, b'"') => Quoted(self.line),
            (RecordStart | FieldStart | Unquoted | QuoteInQuoted(_), b',') => FieldStart,
            (RecordStart | FieldStart | Unquoted | QuoteInQuoted(_), b'\n' | b'\r') => RecordStart,
            (RecordStart | FieldStart | Unquoted, _) => Unquoted,
            (Quoted(line), b'"') => QuoteInQuoted(line),
            (Quoted(line), _) => Quoted(line),
            (QuoteInQuoted(line), b'"') => Quoted(line),
            (QuoteInQuoted(line), b' ' | b'\t') => QuoteInQuoted(line),
            (QuoteInQuoted(line), _) => {
                self.broken.get_or_insert(line);
                Unquoted
            }
        };
        if byte == b'\n' {
            self.line += 1;
        }
    }
}

impl<R: Read> Read for CheckedFile<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.peek()?;
        let mut begin = std::mem::take(&mut self.begin);
        if begin == MARK {
            begin.clear();
        }
        let length = match begin.len() {
            0 => self.file.read(buffer)?,
            found => {
                let length = found.min(buffer.len());
                buffer[..length].copy_from_slice(&begin[..length]);
                self.begin = begin.split_off(length);
                length
            }
        };
        for byte in &buffer[..length] {
            self.follow(*byte);
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> (Option<u64>, Vec<u64>, String) {
        let mut file = CheckedFile::new(text.as_bytes());
        let mut read = String::new();
        file.read_to_string(&mut read).unwrap();
        (file.broken_line(), file.records.into_iter().collect(), read)
    }

    #[test]
    fn quotes_that_end_with_their_field_are_accepted() {
        for text in ["", "a,b\n", "a,\"b,c\",d\n\"e\"\"f\"\r\n", "3\" frame,x\n", "\"two\nlines\",x\n", "\"a\" ,b"] {
            assert_eq!(checked(text).0, None, "{text}");
        }
    }

    #[test]
    fn the_line_where_a_broken_quote_opens_is_named() {
        assert_eq!(checked("a,b\nc,\"d,e\nf,g\n").0, Some(2));
        // A later quote seems to close it.
        assert_eq!(checked("a,b\nc,\"d,e\nf,\"g\",h\n").0, Some(2));
        assert_eq!(checked("\"a\"b,c\n").0, Some(1));
    }

    #[test]
    fn every_record_has_its_line() {
        assert_eq!(checked("a\n\n\r\nb,\"x\ny\"\r\nc\n\"d\"").1, [1, 4, 6, 7]);
    }

    #[test]
    fn the_byte_order_mark_is_left_out() {
        assert_eq!(checked("\u{feff}\"a\",b\n").2, "\"a\",b\n");
        for text in ["ab", "abc", "abcd\n", ""] {
            assert_eq!(checked(text).2, text);
        }
    }
}
