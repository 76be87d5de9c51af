//! What a file would do to the shop as it is: refused rows, differences, and counts. Nothing is stored.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Target;
use super::rows::DeployRow;
use crate::applied_files::Counts;
use crate::clock::node_time;
use crate::journal::{Actor, CommandError, Context, Interrupt, UnitOfWork, UseCase, decide_on_empty_log};

/// Rows that are planned at once.
pub(super) const PLANNED_ROWS: usize = 500;

/// A part of a plan. Rows are named by their place in it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct PlannedPart {
    pub counts: Counts,
    pub refused: Vec<(usize, String)>,
    pub differing: Vec<(usize, Vec<String>)>,
}

/// Decides rows on the newest state and forgets what they decided. `before` are rows that the planned ones build on.
struct PlanRows {
    before: Arc<Vec<DeployRow>>,
    rows: Vec<DeployRow>,
}

/// Plans `rows` on the state after `before`.
pub(super) async fn plan(
    target: Target<'_>,
    before: &Arc<Vec<DeployRow>>,
    rows: Vec<DeployRow>,
) -> Result<PlannedPart, CommandError> {
    let use_case = PlanRows { before: Arc::clone(before), rows };
    match target {
        Target::Shop(shop) => {
            let context = Context::of(Actor { id: "deploy".to_owned(), role: "admin" });
            Ok(shop.journal.run(use_case, context).await?.answer)
        }
        Target::NewShop(_) => decide_on_empty_log(&use_case, node_time()).map_err(|interrupt| match interrupt {
            Interrupt::Refused(refusal) => refusal.into(),
            Interrupt::Missing(_) | Interrupt::Broken(_) => CommandError::Internal(format!("{interrupt:?}")),
        }),
    }
}

impl UseCase for PlanRows {
    type Answer = PlannedPart;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<PlannedPart, Interrupt> {
        work.rehearse(|work| {
            let mut part = PlannedPart::default();
            let mut missing = Vec::new();
            for row in self.before.iter() {
                match work.attempt(|work| row.apply(work)) {
                    // A refused one was reported when it was planned itself.
                    Ok(_) | Err(Interrupt::Refused(_)) => {}
                    Err(Interrupt::Missing(references)) => missing.extend(references),
                    Err(broken) => return Err(broken),
                }
            }
            for (place, row) in self.rows.iter().enumerate() {
                match work.attempt(|work| row.apply(work)) {
                    Ok(outcome) => {
                        part.counts.add(&outcome.counts);
                        let differences: BTreeSet<_> = outcome.differences.into_iter().collect();
                        if !differences.is_empty() {
                            part.differing.push((place, differences.into_iter().collect()));
                        }
                    }
                    Err(Interrupt::Missing(references)) => missing.extend(references),
                    Err(Interrupt::Refused(refusal)) => part.refused.push((place, refusal.to_string())),
                    Err(broken) => return Err(broken),
                }
            }
            if missing.is_empty() { Ok(part) } else { Err(Interrupt::Missing(missing)) }
        })
    }
}
