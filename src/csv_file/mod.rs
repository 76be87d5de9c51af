//! CSV files of operators. What is suspicious is an error with its line, never a guess.

use std::io::{self, Read};

use csv::{ByteRecord, StringRecord};
use thiserror::Error;

mod checks;
mod formulas;

pub use formulas::{guard_formula, without_guard};

use checks::CheckedFile;

/// A file with a header, read record by record.
pub struct CsvFile<R> {
    reader: csv::Reader<CheckedFile<R>>,
    headers: StringRecord,
}

/// Why nothing of a file can be used.
#[derive(Debug, Error)]
pub enum CsvError {
    #[error("the file is empty; its first line must name the columns")]
    Empty,
    #[error("the file is separated by {0:?}; save it with commas as separators and points as decimal marks")]
    OtherSeparator(char),
    #[error("the file is UTF-16; save it as UTF-8")]
    Utf16,
    #[error("line 1: not UTF-8: save the file as UTF-8")]
    HeaderNotUtf8,
    #[error("line 1: column {0} has no name")]
    UnnamedColumn(usize),
    #[error("line 1: the column {0:?} is there twice")]
    DuplicateColumn(String),
    #[error("line {0}: a quote opens here and does not end with its field; nothing of the file was imported")]
    BrokenQuote(u64),
    #[error("cannot read the file: {0}")]
    Unreadable(#[from] csv::Error),
    #[error("cannot read the file: {0}")]
    Io(#[from] io::Error),
}

/// A record of the file.
#[derive(Debug)]
pub struct CsvRow {
    /// Its first line, from 1.
    pub line: u64,
    /// Its fields, as many as the header has; or why they cannot be used.
    pub fields: Result<StringRecord, BadRow>,
}

/// A record that cannot be used.
#[derive(Debug)]
pub struct BadRow {
    pub reason: &'static str,
    /// Its fields, as far as they can be read.
    pub fields: StringRecord,
}

const NOT_UTF_8: &str = "not UTF-8: save the file as UTF-8 and import it again";
const NUL_BYTE: &str = "the row has a NUL byte: save the file as UTF-8 text and import it again";
const TOO_FEW_COLUMNS: &str = "the row has too few columns";
const TOO_MANY_COLUMNS: &str = "the row has too many columns: a field with a comma must stand in quotes";
/// Separators of other kinds of files, by which a wrong kind is recognised.
const OTHER_SEPARATORS: [char; 3] = [';', '\t', '|'];

impl<R: Read> CsvFile<R> {
    /// Reads and checks the header.
    pub fn open(file: R) -> Result<Self, CsvError> {
        let mut file = CheckedFile::new(file);
        let begin = file.peek()?;
        if begin.starts_with(b"\xff\xfe") || begin.starts_with(b"\xfe\xff") || begin.contains(&0) {
            return Err(CsvError::Utf16);
        }
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
        let headers = reader.byte_headers()?.clone();
        reader.get_mut().next_record_line();
        let headers = StringRecord::from_byte_record(headers).map_err(|_| CsvError::HeaderNotUtf8)?;
        check_headers(&headers)?;
        Ok(Self { reader, headers })
    }

    /// The names of the columns, without spaces around them.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(str::trim)
    }

    /// The next record; `None` at the end. The file is whole only if [`check_end`](Self::check_end) agrees.
    pub fn next_row(&mut self) -> Result<Option<CsvRow>, CsvError> {
        let mut record = ByteRecord::new();
        if !self.reader.read_byte_record(&mut record)? {
            return Ok(None);
        }
        let line = self.reader.get_mut().next_record_line().unwrap_or_default();
        let (reason, fields) = match StringRecord::from_byte_record(record) {
            Ok(fields) => (self.fault_of(&fields), fields),
            Err(error) => (Some(NOT_UTF_8), StringRecord::from_byte_record_lossy(error.into_byte_record())),
        };
        let fields = match reason {
            Some(reason) => Err(BadRow { reason, fields }),
            None => Ok(fields),
        };
        Ok(Some(CsvRow { line, fields }))
    }

    /// After the last record: whether every quote was closed where its field ends.
    pub fn check_end(&self) -> Result<(), CsvError> {
        self.reader.get_ref().broken_line().map_or(Ok(()), |line| Err(CsvError::BrokenQuote(line)))
    }

    fn fault_of(&self, fields: &StringRecord) -> Option<&'static str> {
        if fields.iter().any(|field| field.contains('\0')) {
            return Some(NUL_BYTE);
        }
        match fields.len() {
            found if found < self.headers.len() => Some(TOO_FEW_COLUMNS),
            found if found > self.headers.len() => Some(TOO_MANY_COLUMNS),
            _ => None,
        }
    }
}

fn check_headers(headers: &StringRecord) -> Result<(), CsvError> {
    if headers.iter().all(|name| name.trim().is_empty()) {
        return Err(CsvError::Empty);
    }
    let count = |separator: char| headers.iter().map(|name| name.matches(separator).count()).sum::<usize>();
    let commas = headers.len() - 1;
    if let Some(separator) = OTHER_SEPARATORS.into_iter().find(|separator| count(*separator) > commas) {
        return Err(CsvError::OtherSeparator(separator));
    }
    let mut known = Vec::new();
    for (name, column) in headers.iter().zip(1..) {
        let name = name.trim();
        if name.is_empty() {
            return Err(CsvError::UnnamedColumn(column));
        }
        if name.contains('\0') {
            return Err(CsvError::Utf16);
        }
        let folded = name.to_lowercase();
        if known.contains(&folded) {
            return Err(CsvError::DuplicateColumn(name.to_owned()));
        }
        known.push(folded);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of the records, each with its fields or what is wrong.
    fn read(file: &[u8]) -> Result<Vec<String>, CsvError> {
        let mut file = CsvFile::open(file)?;
        let mut rows = Vec::new();
        while let Some(CsvRow { line, fields }) = file.next_row()? {
            rows.push(match fields {
                Ok(fields) => format!("{line} {}", fields.iter().collect::<Vec<_>>().join("|")),
                Err(BadRow { reason, .. }) => format!("{line} {reason}"),
            });
        }
        file.check_end()?;
        Ok(rows)
    }

    #[test]
    fn records_have_the_lines_where_they_begin() {
        let rows = read(b"\xef\xbb\xbf\"name\", price \r\n\r\nTea,1\r\n\"two\r\nlines\",2\r\n\nCup,3").unwrap();
        assert_eq!(rows, ["3 Tea|1", "4 two\r\nlines|2", "7 Cup|3"]);
    }

    #[test]
    fn a_faulty_record_is_named_and_the_next_is_read() {
        let rows = read(b"a,b\n1\n1,2,3\n\xff,2\n\0,2\n5,6\n").unwrap();
        let lines: Vec<_> = rows.iter().map(String::as_str).collect();
        assert_eq!(
            lines,
            [
                format!("2 {TOO_FEW_COLUMNS}"),
                format!("3 {TOO_MANY_COLUMNS}"),
                format!("4 {NOT_UTF_8}"),
                format!("5 {NUL_BYTE}"),
                "6 5|6".to_owned()
            ]
        );
    }

    #[test]
    fn a_file_of_another_kind_is_refused() {
        for (file, expected) in [
            (&b""[..], "the file is empty"),
            (b"\n\n", "the file is empty"),
            (b"a;b;c\n1;2;3\n", "separated by ';'"),
            (b"a;b, c;d\n1;2;3\n", "separated by ';'"),
            (b"a\tb\n", "separated by '\\t'"),
            (b"\xff\xfea\0,\0b\0", "UTF-16"),
            (b"a\0,\0b\0", "UTF-16"),
            (b"caf\xe9,b\n", "line 1: not UTF-8"),
            (b"a,,b\n", "column 2 has no name"),
            (b"a,b, A \n", "\"A\" is there twice"),
            (b"a,b\n1,\"2\n3,4\n", "line 2: a quote opens here"),
        ] {
            let error = read(file).unwrap_err().to_string();
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }
}
