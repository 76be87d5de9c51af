//! Numbers of new aggregates: from 1, in sequence, and without gaps within a generation of the log.
//!
//! They need no counter: the next number follows the highest one in `events`, the stored highest one of the archive, or
//! the highest that an earlier generation may have given.

use serde::de::Deserialize;
use serde::{Deserializer, Serialize, Serializer};
use sqlx::PgConnection;

use crate::domain::NUMBERED_KINDS;

/// Highest number of each kind of stream, in the order of [`NUMBERED_KINDS`]. Stored by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers([i64; NUMBERED_KINDS.len()]);

impl Numbers {
    /// Reads the highest number of each kind, from the index made for it, and those of the archive and of earlier
    /// generations.
    pub async fn read(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let mut numbers = Self::read_reserved(connection).await?;
        let archived = sqlx::query_as("select kind, highest from archived_number").fetch_all(&mut *connection).await?;
        numbers.raise(&Self::by_kind(archived));
        for (kind, number) in NUMBERED_KINDS.iter().zip(&mut numbers.0) {
            let highest: Option<i64> = sqlx::query_scalar(
                "select max(aggregate_id::bigint) from events
                 where aggregate_type = $1 and sequence = 1 and aggregate_id ~ '^[1-9][0-9]{0,17}$'",
            )
            .bind(kind)
            .fetch_one(&mut *connection)
            .await?;
            *number = highest.unwrap_or(0).max(*number);
        }
        Ok(numbers)
    }

    /// Reads the highest numbers that earlier generations may have given.
    pub async fn read_reserved(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let reserved = sqlx::query_as("select kind, highest from reserved_number");
        Ok(Self::by_kind(reserved.fetch_all(connection).await?))
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

    /// Raises each number to that of `other`, if it is higher.
    pub fn raise(&mut self, other: &Self) {
        for (number, other) in self.0.iter_mut().zip(other.0) {
            *number = other.max(*number);
        }
    }

    /// Each number higher by `count`.
    pub fn raised_by(&self, count: i64) -> Self {
        Self(self.0.map(|number| number.saturating_add(count)))
    }

    /// Whether no number of `other` is higher.
    pub fn covers(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).all(|(number, other)| other <= *number)
    }

    fn by_kind(pairs: impl IntoIterator<Item = (String, i64)>) -> Self {
        let mut numbers = Self::default();
        for (kind, number) in pairs {
            if let Some(highest) = numbers.highest(&kind) {
                *highest = number.max(*highest);
            }
        }
        numbers
    }

    fn highest(&mut self, kind: &str) -> Option<&mut i64> {
        let place = NUMBERED_KINDS.iter().position(|numbered| *numbered == kind)?;
        self.0.get_mut(place)
    }
}

impl Serialize for Numbers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(NUMBERED_KINDS.iter().zip(self.0))
    }
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::collections::BTreeMap::deserialize(deserializer).map(Self::by_kind)
    }
}
