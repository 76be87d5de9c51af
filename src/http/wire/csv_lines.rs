//! A body of JSON lines that becomes CSV while it is sent.

use std::io;

use axum::body::{Body, BodyDataStream, Bytes};
use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::http::wire::csv_rows::CsvWriter;

/// Where the conversion is.
struct Conversion<Held> {
    lines: BodyDataStream,
    /// The beginning of a line whose end has not come yet.
    rest: Vec<u8>,
    writer: CsvWriter,
    _held: Held,
}

/// The CSV of a body of JSON lines. `held` is dropped at the end.
pub fn csv_of_lines(lines: Body, writer: CsvWriter, held: impl Send + 'static) -> Body {
    let conversion = Conversion { lines: lines.into_data_stream(), rest: Vec::new(), writer, _held: held };
    Body::from_stream(stream::try_unfold(conversion, next_bytes))
}

async fn next_bytes<Held>(mut conversion: Conversion<Held>) -> io::Result<Option<(Bytes, Conversion<Held>)>> {
    loop {
        let Some(bytes) = conversion.lines.next().await else {
            let header = conversion.writer.finish().map_err(io::Error::other)?;
            return Ok((!header.is_empty()).then(|| (header.into(), conversion)));
        };
        conversion.rest.extend_from_slice(&bytes.map_err(io::Error::other)?);
        let Some(end) = conversion.rest.iter().rposition(|byte| *byte == b'\n') else { continue };
        let lines: Vec<u8> = conversion.rest.drain(..=end).collect();
        let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let rows = lines.map(serde_json::from_slice).collect::<Result<Vec<Value>, _>>()?;
        let written = conversion.writer.write(&rows).map_err(io::Error::other)?;
        return Ok(Some((written.into(), conversion)));
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use serde_json::json;

    use super::*;
    use crate::http::wire::csv_rows::Columns;

    async fn converted(chunks: Vec<Result<&'static str, io::Error>>) -> Result<String, axum::Error> {
        let document = json!({ "openapi": "3.1.0", "info": { "title": "", "version": "" }, "paths": {} });
        let array = json!({ "type": "array", "items": { "type": "integer" } });
        let document = serde_json::from_value(document).unwrap();
        let columns = Columns::of_array(&document, &serde_json::from_value(array).unwrap(), false).unwrap();
        let body = Body::from_stream(stream::iter(chunks));
        let bytes = to_bytes(csv_of_lines(body, CsvWriter::new(&columns), ()), usize::MAX).await?;
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn lines_are_converted_wherever_the_chunks_end() {
        assert_eq!(converted(vec![Ok("1\n2"), Ok("2\n"), Ok("3\n")]).await.unwrap(), "value\r\n1\r\n22\r\n3\r\n");
        assert_eq!(converted(vec![]).await.unwrap(), "value\r\n");
    }

    #[tokio::test]
    async fn lines_that_break_off_are_an_error() {
        assert!(converted(vec![Ok("1\n"), Err(io::Error::other("gone"))]).await.is_err());
    }
}
