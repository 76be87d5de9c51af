//! Numbers of new aggregates: from 1, in sequence, without gaps.
//!
//! They need no counter: the next number follows the highest one in the log.

use sqlx::PgConnection;

use crate::domain::NUMBERED_KINDS;

/// Highest number of each kind of stream, in the order of [`NUMBERED_KINDS`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Numbers([i64; NUMBERED_KINDS.len()]);

impl Numbers {
    /// Reads the highest number of each kind, from the index made for it.
    pub async fn read(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let mut numbers = Self::default();
        for (kind, number) in NUMBERED_KINDS.iter().zip(&mut numbers.0) {
            let highest: Option<i64> = sqlx::query_scalar(
                "select max(aggregate_id::bigint) from events
                 where aggregate_type = $1 and sequence = 1 and aggregate_id ~ '^[1-9][0-9]{0,17}$'",
            )
            .bind(kind)
            .fetch_one(&mut *connection)
            .await?;
            *number = highest.unwrap_or(0);
        }
        Ok(numbers)
    }

    /// Takes the next number of a kind; `None` for a kind without numbers.
    pub fn take_next(&mut self, kind: &str) -> Option<i64> {
        let highest = self.highest(kind)?;
        *highest += 1;
        Some(*highest)
    }

    /// Counts a stream that another process has opened.
    pub fn observe(&mut self, kind: &str, id: &str) {
        if let (Some(highest), Ok(number)) = (self.highest(kind), id.parse::<i64>()) {
            *highest = number.max(*highest);
        }
    }

    fn highest(&mut self, kind: &str) -> Option<&mut i64> {
        let place = NUMBERED_KINDS.iter().position(|numbered| *numbered == kind)?;
        self.0.get_mut(place)
    }
}
