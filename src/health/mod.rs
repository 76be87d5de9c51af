//! Warnings: what an operator should see to while the shop serves.
//!
//! `/health/ready`, `/metrics` and `cartwright status` show them. Each source is a function that reads the database and
//! returns its warnings. Add a code to [`WarningCode`] and a source to [`warnings`]. `/health/ready` is public, so no
//! detail contains personal data or a secret.

use std::fmt::{Display, Formatter};

use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;

use crate::clock::{self, ClockVerdict};
use crate::database::failure::DatabaseFailure;
use crate::domain::counted::counted;
use crate::files::MediaStore;
use crate::projector::{self, ProjectionState, ProjectionStatus, SetAsideView};
use crate::reactors::{self, RestoredReactions};

mod findings;
mod reactions;

pub use findings::{Finding, record_finding};

/// Something that an operator should see to, although the shop serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"code": "rebuild_failed", "detail": "the rebuild of `orders` failed: …"}))]
pub struct Warning {
    pub code: WarningCode,
    pub detail: String,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// Stable identifier of a kind of warning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
        pub enum WarningCode {
            $($(#[doc = $doc])* #[serde(rename = $name)] $variant,)*
        }

        impl WarningCode {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

codes! {
    /// A rebuild of a read table failed; the table in service stays.
    RebuildFailed = "rebuild_failed",
    /// A read table was built by another version of the program; its rebuild runs or waits.
    TableOutdated = "table_outdated",
    /// The clock of the database is implausible, so scheduled tasks wait.
    ClockImplausible = "clock_implausible",
    /// The clock of this node differs from the database's.
    NodeClockOff = "node_clock_off",
    /// The last verification found differences.
    VerificationFailed = "verification_failed",
    /// A view of others no longer fits the shop's tables; its text is kept.
    ViewSetAside = "view_set_aside",
    /// Tables or views of others stand in the schema of an earlier build, which stays because of them.
    SchemaKept = "schema_kept",
    /// The database refuses to store commands.
    WritesRefused = "writes_refused",
    /// Reactions that were pending when an older database was restored wait for an operator.
    RestoredReactions = "restored_reactions",
    /// This node cannot write its file about the log, so it might not notice a restore at its next start.
    LogFileUnwritable = "log_file_unwritable",
    /// Side effects of events wait for an operator's decision.
    ReactionsParked = "reactions_parked",
    /// The shop has disabled a webhook, because its receiver does not accept deliveries.
    WebhookDisabled = "webhook_disabled",
    /// The media store cannot be written, so no image can be added.
    MediaStoreUnwritable = "media_store_unwritable",
    /// A check for warnings failed itself.
    CheckFailed = "check_failed",
}

/// Views that are named at most; `cartwright views list` shows all.
const VIEWS_SHOWN: usize = 10;

impl Warning {
    pub fn new(code: WarningCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

impl Display for Warning {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.code.name(), self.detail)
    }
}

/// All warnings, with those about `projections`, which the caller has read. Fails only if the database is unavailable.
pub async fn warnings(pool: &PgPool, projections: &[ProjectionStatus]) -> Result<Vec<Warning>, sqlx::Error> {
    let mut warnings = projection_warnings(projections);
    warnings.extend(checked("clock", clock_warnings(pool).await)?);
    warnings.extend(checked("verification", findings::warnings(pool).await)?);
    warnings.extend(checked("views", view_warnings(pool).await)?);
    warnings.extend(checked("reactions", reactions::warnings(pool).await)?);
    warnings.extend(checked("restored", restored_warnings(pool).await)?);
    Ok(warnings)
}

/// The warning about a media store that cannot be written. Each node has its own way to the store.
pub async fn media_warning(store: &MediaStore) -> Option<Warning> {
    let problem = store.problem().await?;
    Some(Warning::new(WarningCode::MediaStoreUnwritable, format!("images cannot be stored: {problem}")))
}

/// A defect of one check must not hide the others, nor make the node look unready.
fn checked(check: &str, outcome: Result<Vec<Warning>, sqlx::Error>) -> Result<Vec<Warning>, sqlx::Error> {
    match outcome {
        Err(error) if !DatabaseFailure::of(&error).is_transient() => {
            tracing::error!(%error, check, "a check for warnings failed");
            Ok(vec![Warning::new(
                WarningCode::CheckFailed,
                format!("the check `{check}` failed; the log has the reason"),
            )])
        }
        outcome => outcome,
    }
}

/// Failed rebuilds, and tables of another version.
fn projection_warnings(projections: &[ProjectionStatus]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for ProjectionStatus { name, state, is_current, rebuild_error, rebuild_attempts, .. } in projections {
        if let Some(error) = rebuild_error {
            let attempts = rebuild_attempts.unwrap_or(1);
            let detail = format!("the rebuild of `{name}` failed, attempts: {attempts}, last error: {error}");
            warnings.push(Warning::new(WarningCode::RebuildFailed, detail));
        }
        if !is_current {
            let detail = match state {
                ProjectionState::Missing => format!("`{name}` is not built yet"),
                ProjectionState::Rebuilding => format!("`{name}` is of another version, and is being rebuilt"),
                _ => format!("`{name}` is of another version, and waits for its rebuild"),
            };
            warnings.push(Warning::new(WarningCode::TableOutdated, detail));
        }
    }
    warnings
}

async fn view_warnings(pool: &PgPool) -> Result<Vec<Warning>, sqlx::Error> {
    let views = projector::set_aside_views(pool).await?;
    let detail = |view: &SetAsideView| format!("`{}` cannot read the shop's new tables: {}", view.name, view.reason);
    let warnings = views.iter().take(VIEWS_SHOWN).map(|view| Warning::new(WarningCode::ViewSetAside, detail(view)));
    let kept = projector::kept_relations(pool).await?;
    let kept = kept.into_iter().map(|relation| {
        let detail =
            format!("`{relation}` is in the schema of an earlier build, which stays; move it to another schema");
        Warning::new(WarningCode::SchemaKept, detail)
    });
    Ok(warnings.chain(kept).collect())
}

/// Reactions that wait since a restore.
async fn restored_warnings(pool: &PgPool) -> Result<Vec<Warning>, sqlx::Error> {
    let waiting = reactors::restored(pool).await?.into_iter().map(|waiting| {
        let RestoredReactions { reactor, parked, not_enqueued } = waiting;
        let parked = counted(parked, "reaction waits", "reactions wait");
        let events = counted(not_enqueued, "event that is", "events that are");
        let detail = format!(
            "{reactor}: {parked} since a restore, and those of {events} not enqueued; \
             `cartwright reactions retry --restored` or `drop --restored` decides"
        );
        Warning::new(WarningCode::RestoredReactions, detail)
    });
    Ok(waiting.collect())
}

async fn clock_warnings(pool: &PgPool) -> Result<Vec<Warning>, sqlx::Error> {
    let reading = clock::read(pool).await?;
    let mut warnings = Vec::new();
    if reading.verdict != ClockVerdict::Plausible {
        let detail = format!("{}; scheduled tasks wait for `cartwright clock accept`", reading.describe());
        warnings.push(Warning::new(WarningCode::ClockImplausible, detail));
    }
    let offset = clock::node_time() - reading.clock_time;
    if offset.abs() > clock::REPORTED_OFFSET {
        warnings.push(Warning::new(WarningCode::NodeClockOff, clock::describe_offset(offset)));
    }
    Ok(warnings)
}
