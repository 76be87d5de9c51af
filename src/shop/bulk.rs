//! Many commands of one request, decided one after the other in one unit of work.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::refusal::Refusal;
use crate::journal::{Interrupt, UnitOfWork, UseCase};

/// Rows of one request. A refused row changes nothing; the others are carried out, unless all or nothing is wanted.
pub struct Bulk<Row> {
    pub rows: Vec<BulkRow<Row>>,
    /// Whether one refused row refuses all.
    pub all_or_nothing: bool,
    /// The problem document of a refusal.
    pub explain: fn(&Refusal) -> Value,
}

pub struct BulkRow<Row> {
    /// Its line in the request, or the number of its product.
    pub number: u64,
    /// The command, or the problem that makes the row unreadable.
    pub command: Result<Arc<Row>, Value>,
}

impl<Row> Clone for BulkRow<Row> {
    fn clone(&self) -> Self {
        Self { number: self.number, command: self.command.clone() }
    }
}

/// What became of a row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BulkOutcome<Answer> {
    pub number: u64,
    /// The answer, or a problem document.
    pub result: Result<Answer, Value>,
    /// Number of its events, which follow those of the rows before it.
    pub events: usize,
}

impl<Row: UseCase> UseCase for Bulk<Row> {
    type Answer = Vec<BulkOutcome<Row::Answer>>;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<Self::Answer, Interrupt> {
        let mut outcomes = Vec::with_capacity(self.rows.len());
        let (mut missing, mut refused) = (Vec::new(), Vec::new());
        for BulkRow { number, command } in &self.rows {
            let number = *number;
            let command = match command {
                Ok(command) => command,
                Err(problem) => {
                    outcomes.push(BulkOutcome { number, result: Err(problem.clone()), events: 0 });
                    continue;
                }
            };
            let before = work.event_count();
            match work.attempt(|work| command.decide(work)) {
                Ok(answer) => {
                    outcomes.push(BulkOutcome { number, result: Ok(answer), events: work.event_count() - before });
                }
                // All rows are tried, so that what they miss is loaded together.
                Err(Interrupt::Missing(references)) => missing.extend(references),
                Err(Interrupt::Refused(refusal)) => {
                    outcomes.push(BulkOutcome { number, result: Err((self.explain)(&refusal)), events: 0 });
                    refused.push((number, refusal));
                }
                Err(broken @ Interrupt::Broken(_)) => return Err(broken),
            }
        }
        if !missing.is_empty() {
            return Err(Interrupt::Missing(missing));
        }
        if self.all_or_nothing && !refused.is_empty() {
            return Err(Refusal::Rows(refused).into());
        }
        Ok(outcomes)
    }
}
