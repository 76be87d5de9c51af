//! The moves an order may make, as one table.

use serde::{Deserialize, Serialize};

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Pending,
    Processing,
    Shipped,
    Completed,
    Cancelled,
}

/// One allowed move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    pub from: Status,
    pub to: Status,
    /// The last part of the route that makes it.
    pub action: &'static str,
}

/// Every allowed move.
pub const MOVES: [Move; 5] = [
    Move { from: Status::Pending, to: Status::Processing, action: "process" },
    Move { from: Status::Processing, to: Status::Shipped, action: "ship" },
    Move { from: Status::Shipped, to: Status::Completed, action: "deliver" },
    Move { from: Status::Pending, to: Status::Cancelled, action: "cancel" },
    Move { from: Status::Processing, to: Status::Cancelled, action: "cancel" },
];

impl Status {
    pub fn may_become(self, to: Self) -> bool {
        self.moves().any(|allowed| allowed.to == to)
    }

    /// The moves allowed from here.
    pub fn moves(self) -> impl Iterator<Item = &'static Move> {
        MOVES.iter().filter(move |allowed| allowed.from == self)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Shipped => "shipped",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}
