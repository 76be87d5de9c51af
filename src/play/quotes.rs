//! A check of the quotes of a file while it is read.
//!
//! The CSV parser accepts any text: a quote that is never closed takes the rest of the file for one field. Nothing of such
//! a file may be guessed, so this check finds the line where the quote opens.

use std::io::{self, Read};

/// Passes a file on and follows its quotes.
pub(super) struct QuoteCheck<R> {
    file: R,
    state: QuoteState,
    line: u64,
    /// The line of the quote whose end is missing or in the wrong place.
    broken: Option<u64>,
}

#[derive(Clone, Copy)]
enum QuoteState {
    FieldStart,
    Unquoted,
    /// Inside a quote that opened in this line.
    Quoted(u64),
    /// After a quote inside a quoted field: its end, or the first of two that stand for one.
    QuoteInQuoted(u64),
}

impl<R> QuoteCheck<R> {
    pub fn new(file: R) -> Self {
        Self { file, state: QuoteState::FieldStart, line: 1, broken: None }
    }

    /// The line where a quote opens that does not end with its field, after the whole file was read.
    pub fn broken_line(&self) -> Option<u64> {
        match self.state {
            QuoteState::Quoted(line) => self.broken.or(Some(line)),
            _ => self.broken,
        }
    }

    fn follow(&mut self, byte: u8) {
        use QuoteState::{FieldStart, QuoteInQuoted, Quoted, Unquoted};
        self.state = match (self.state, byte) {
            (FieldStart, b'"') => Quoted(self.line),
            (FieldStart | Unquoted, b',' | b'\n' | b'\r') => FieldStart,
            (FieldStart | Unquoted, _) => Unquoted,
            (Quoted(line), b'"') => QuoteInQuoted(line),
            (Quoted(line), _) => Quoted(line),
            (QuoteInQuoted(line), b'"') => Quoted(line),
            (QuoteInQuoted(_), b',' | b'\n' | b'\r') => FieldStart,
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

impl<R: Read> Read for QuoteCheck<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        for byte in &buffer[..length] {
            self.follow(*byte);
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken_line(text: &str) -> Option<u64> {
        let mut check = QuoteCheck::new(text.as_bytes());
        io::copy(&mut check, &mut io::sink()).unwrap();
        check.broken_line()
    }

    #[test]
    fn quotes_that_end_with_their_field_are_accepted() {
        for text in ["", "a,b\n", "a,\"b,c\",d\n\"e\"\"f\"\r\n", "3\" frame,x\n", "\"two\nlines\",x\n", "\"a\" ,b"] {
            assert_eq!(broken_line(text), None, "{text}");
        }
    }

    #[test]
    fn the_line_where_a_broken_quote_opens_is_named() {
        assert_eq!(broken_line("a,b\nc,\"d,e\nf,g\n"), Some(2));
        // A later quote seems to close it.
        assert_eq!(broken_line("a,b\nc,\"d,e\nf,\"g\",h\n"), Some(2));
        assert_eq!(broken_line("\"a\"b,c\n"), Some(1));
    }
}
