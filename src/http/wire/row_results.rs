//! Answers to commands with many rows: JSON lines, one result a row, sent while the rows are carried out.
//!
//! Rows are carried out in slices, each one unit of work. With an idempotency key, each slice keeps its answer under a key
//! of its own, so that a repeated request continues where the first one stopped.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::domain::refusal::Refusal;
use crate::http::App;
use crate::http::wire::command::planned_event;
use crate::http::wire::error::ApiError;
use crate::http::wire::negotiation::JSON_LINES;
use crate::http::wire::streamed;
use crate::journal::{CommandError, Context, Receipt, UseCase};
use crate::shop::{Bulk, BulkOutcome, BulkRow};

/// Rows of a slice: so few that other commands wait no longer than for each other.
pub const SLICE_ROWS: usize = 100;
/// How long the rows of a request may take.
const ROWS_TIME: Duration = Duration::from_secs(60);

/// Where the rows come from.
pub trait RowSource: Send + Sync + 'static {
    type Row: UseCase<Answer: RowAnswer>;
    /// Name of the number of a row in its result.
    const NUMBER: &'static str;

    /// The next rows whose number is above `after`, at most `most`; none at the end.
    fn next(
        &mut self,
        after: u64,
        most: usize,
    ) -> impl Future<Output = Result<Vec<BulkRow<Self::Row>>, ApiError>> + Send;
}

/// The answer of a row.
pub trait RowAnswer {
    /// The status of a row that was carried out.
    fn status(&self) -> StatusCode {
        StatusCode::OK
    }
}

/// The lines of a request.
pub struct Lines<Row>(pub Vec<BulkRow<Row>>);

impl<Row: UseCase<Answer: RowAnswer>> RowSource for Lines<Row> {
    type Row = Row;
    const NUMBER: &'static str = "line";

    async fn next(&mut self, after: u64, most: usize) -> Result<Vec<BulkRow<Row>>, ApiError> {
        let begin = self.0.partition_point(|row| row.number <= after);
        Ok(self.0.iter().skip(begin).take(most).cloned().collect())
    }
}

/// The rows of one request.
pub struct RowsRun<Source> {
    pub app: App,
    pub source: Source,
    pub context: Context,
    /// Whether one refused row refuses all, which are one slice then.
    pub all_or_nothing: bool,
    /// Rows of a slice.
    pub slice_rows: usize,
}

/// What one slice answered.
struct SliceResult<Answer> {
    receipt: Receipt<Vec<BulkOutcome<Answer>>>,
    last: u64,
}

impl<Source: RowSource> RowsRun<Source> {
    /// Carries out the rows. `held` is dropped when the answer has ended.
    pub async fn answer(mut self, held: impl Send + 'static) -> Result<Response, ApiError> {
        // The first slice is carried out before the answer begins, so that its failure has a status.
        let first = self.run_next(0).await?;
        let (position, replayed, last) = match &first {
            Some(slice) => (slice.receipt.position, slice.receipt.replayed, slice.last),
            None => (self.app.journal.position(), false, u64::MAX),
        };
        let is_one_slice = self.source.next(last, 1).await?.is_empty();
        let mut response = streamed::answer(HeaderValue::from_static(JSON_LINES), ROWS_TIME, held, {
            async move |mut chunks| {
                let mut next = first;
                while let Some(slice) = next {
                    let last = slice.last;
                    self.write(slice, chunks.buffer())?;
                    chunks.send().await;
                    next = self.run_next(last).await?;
                }
                Ok(chunks)
            }
        })
        .await?;
        let headers = response.headers_mut();
        // Otherwise the position is not known yet; each result has its own.
        if is_one_slice {
            headers.insert(HeaderName::from_static("journal-position"), position.into());
        }
        if replayed {
            headers.insert(HeaderName::from_static("idempotent-replayed"), HeaderValue::from_static("true"));
        }
        Ok(response)
    }

    async fn run_next(&mut self, after: u64) -> Result<Option<SliceResult<AnswerOf<Source>>>, ApiError> {
        let rows = self.source.next(after, self.slice_rows).await?;
        let Some(last) = rows.last().map(|row| row.number) else { return Ok(None) };
        let key = format!("after {after}");
        let answered = match self.run(rows, &key).await {
            // A constraint of the database refuses the whole slice: which row it is shows when each is carried out alone.
            Err(CommandError::Refused(_)) if !self.all_or_nothing => self.run_alone(after).await?,
            answered => answered?,
        };
        // The rows of a repeated request are those of the first one.
        let last = answered.answer.last().map_or(last, |outcome| outcome.number);
        Ok(Some(SliceResult { receipt: answered, last }))
    }

    /// Carries out each row of a slice as a unit of work of its own.
    async fn run_alone(&mut self, after: u64) -> Result<Receipt<Vec<BulkOutcome<AnswerOf<Source>>>>, ApiError> {
        let mut all = Receipt { answer: vec![], position: 0, replayed: false, events: vec![] };
        for row in self.source.next(after, self.slice_rows).await? {
            let number = row.number;
            match self.run(vec![row], &format!("row {number}")).await {
                Ok(Receipt { answer, position, events, .. }) => {
                    all.answer.extend(answer);
                    all.events.extend(events);
                    all.position = position;
                }
                Err(error @ CommandError::Refused(_)) => {
                    let problem = ApiError::from(error).problem();
                    all.answer.push(BulkOutcome { number, result: Err(problem), events: 0 });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(all)
    }

    async fn run(
        &self,
        rows: Vec<BulkRow<Source::Row>>,
        key: &str,
    ) -> Result<Receipt<Vec<BulkOutcome<AnswerOf<Source>>>>, CommandError> {
        let bulk = Bulk { rows, all_or_nothing: self.all_or_nothing, explain };
        let idempotency = self.context.idempotency.as_ref().map(|whole| whole.part(key));
        let context = Context { idempotency, ..self.context.clone() };
        self.app.try_run(bulk, context).await.map(|response| response.into_receipt())
    }

    fn write(&self, slice: SliceResult<AnswerOf<Source>>, out: &mut Vec<u8>) -> Result<(), ApiError> {
        let Receipt { answer, position, events, .. } = slice.receipt;
        let mut events = events.iter();
        for BulkOutcome { number, result, events: count } in answer {
            let mut line = Map::new();
            line.insert(Source::NUMBER.to_owned(), number.into());
            match result {
                Ok(answer) => {
                    line.insert("status".to_owned(), answer.status().as_u16().into());
                    if let Value::Object(fields) = json!(answer) {
                        line.extend(fields);
                    }
                    if !self.context.dry_run {
                        line.insert("position".to_owned(), position.into());
                    }
                }
                Err(problem) => {
                    line.insert("status".to_owned(), problem["status"].clone());
                    line.insert("problem".to_owned(), problem);
                }
            }
            if self.context.dry_run {
                line.insert("events".to_owned(), events.by_ref().take(count).map(planned_event).collect());
            }
            serde_json::to_writer(&mut *out, &line).map_err(ApiError::internal)?;
            out.push(b'\n');
        }
        Ok(())
    }
}

type AnswerOf<Source> = <<Source as RowSource>::Row as UseCase>::Answer;

/// The problem document of a refusal.
fn explain(refusal: &Refusal) -> Value {
    ApiError::from(refusal.clone()).problem()
}
