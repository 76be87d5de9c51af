//! What staff do with an order: names, fields and commands of each action.

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde_json::{Value, json};

use super::order::{Line, Order, amount};
use crate::admin::api::Problem;
use crate::admin::form::Form;
use crate::admin::staff::Staff;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Process,
    Pay,
    Ship,
    Deliver,
    GiveUp,
    Return,
    Refund,
    Cancel,
}

/// A command of the API, and the lines that it names, in its order.
pub struct Command {
    pub body: Value,
    pub lines: Vec<i64>,
}

impl Action {
    /// In the order of their buttons.
    pub const ALL: [Self; 8] =
        [Self::Process, Self::Pay, Self::Ship, Self::Deliver, Self::GiveUp, Self::Return, Self::Refund, Self::Cancel];

    /// End of the page's address.
    pub fn address(self) -> &'static str {
        match self {
            Self::GiveUp => "give-up",
            _ => self.route(),
        }
    }

    /// Last part of the API's route, which is also the word in `allowed`.
    pub fn route(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Pay => "pay",
            Self::Ship => "ship",
            Self::Deliver => "deliver",
            Self::GiveUp | Self::Cancel => "cancel",
            Self::Return => "return",
            Self::Refund => "refund",
        }
    }

    /// The `operationId` of the command.
    pub fn operation(self) -> &'static str {
        match self {
            Self::Process => "process_order",
            Self::Pay => "pay_order",
            Self::Ship => "ship_order",
            Self::Deliver => "deliver_shipment",
            Self::GiveUp | Self::Cancel => "cancel_order",
            Self::Return => "return_units",
            Self::Refund => "refund_order",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Process => "Start packing",
            Self::Pay => "Record a payment",
            Self::Ship => "Ship",
            Self::Deliver => "Record the delivery",
            Self::GiveUp => "Give up units",
            Self::Return => "Take units back",
            Self::Refund => "Refund",
            Self::Cancel => "Cancel the order",
        }
    }

    /// Title of its page.
    pub fn heading(self, order_id: i64) -> String {
        let what = match self {
            Self::Pay => "Record a payment of",
            Self::Deliver => "Record the delivery of",
            Self::GiveUp => "Give up units of",
            Self::Return => "Take back units of",
            Self::Cancel => "Cancel",
            Self::Process | Self::Ship | Self::Refund => self.title(),
        };
        format!("{what} order {order_id}")
    }

    /// What the action is for, above its form.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Process => "Marks the order as being packed. It can be shipped after that.",
            Self::Pay => "Records money that the shop has received, for example by bank transfer. No card is charged.",
            Self::Ship => "Records what leaves the warehouse. The units leave the stock, and the buyer gets a mail.",
            Self::Deliver => "Records that a shipment has arrived.",
            Self::GiveUp => {
                "Cancels units that cannot be sent. They are no longer reserved; what was paid for them is refunded, and \
                 what was not paid is no longer due."
            }
            Self::Return => "Records units that came back.",
            Self::Refund => "Sends money back the way it came. The order and its units stay as they are.",
            Self::Cancel => {
                "Cancels the whole order. Its units are for sale again, and everything that was paid is refunded. This \
                 cannot be undone."
            }
        }
    }

    /// The message after it.
    pub fn done(self) -> &'static str {
        match self {
            Self::Process => "The order is being packed.",
            Self::Pay => "The payment was recorded.",
            Self::Ship => "The shipment was recorded.",
            Self::Deliver => "The delivery was recorded.",
            Self::GiveUp => "The units were given up.",
            Self::Return => "The return was recorded.",
            Self::Refund => "The refund was made or requested.",
            Self::Cancel => "The order was cancelled.",
        }
    }

    /// Whether its form only leads to the preview, because the action cannot be undone.
    pub fn previews_first(self) -> bool {
        matches!(self, Self::GiveUp | Self::Return | Self::Refund | Self::Cancel)
    }

    /// Whether it has a form of its own; otherwise a click is enough.
    pub fn has_form(self) -> bool {
        self != Self::Process
    }

    pub fn has_units(self) -> bool {
        matches!(self, Self::Ship | Self::GiveUp | Self::Return)
    }

    pub fn is_danger(self) -> bool {
        self == Self::Cancel
    }

    /// Units of a line that the action can take.
    pub fn units(self, order: &Order, line: &Line) -> i64 {
        match self {
            Self::Ship | Self::GiveUp => order.open(line),
            Self::Return => line.returnable(),
            _ => 0,
        }
    }

    /// Whether the order allows it now, by the API's word and by its units.
    pub fn is_open(self, order: &Order) -> bool {
        let has_units = match self {
            Self::GiveUp => order.open_units() > 0,
            Self::Cancel => order.shipped_units() == 0,
            _ => true,
        };
        has_units && order.allows(self.route())
    }

    pub fn require(self, staff: &Staff) -> Result<(), Problem> {
        let detail = format!("Your role may not do this: {}.", self.title());
        let forbidden = || Problem::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", &detail);
        if staff.may(self.operation()) { Ok(()) } else { Err(forbidden()) }
    }

    /// The form as it is shown first.
    pub fn form(self, order: &Order, etag: &str) -> Form {
        let names: Vec<String> = order.lines.iter().map(|line| format!("units.{}", line.line)).collect();
        let units = names.iter().zip(&order.lines).map(|(name, line)| {
            let units = if self == Self::Ship { order.open(line).to_string() } else { String::new() };
            (name.as_str(), units)
        });
        let yes = || "true".to_owned();
        let is_paid = order.refundable() > amount("0");
        let fields = match self {
            Self::Pay => vec![("amount", order.due.clone()), ("reference", String::new())],
            Self::Refund => vec![("amount", order.refundable().to_string()), ("reason", String::new())],
            Self::Return if is_paid => vec![("restock", yes()), ("refund", yes()), ("reason", String::new())],
            Self::Return => vec![("restock", yes()), ("reason", String::new())],
            _ => vec![],
        };
        Form::new(fields.into_iter().chain(units.filter(|_| self.has_units()))).about(etag)
    }

    /// The command of a form.
    pub fn command(self, form: &Form, order: &Order) -> Result<Command, Problem> {
        let mut lines = Vec::new();
        let mut units = |with: Option<(&str, Value)>| {
            let mut rows = Vec::new();
            for line in &order.lines {
                let name = format!("units.{}", line.line);
                if matches!(form.value(&name).trim(), "" | "0") {
                    continue;
                }
                let mut row = json!({ "line": line.line, "quantity": form.number(&name) });
                if let Some((field, value)) = &with {
                    row[*field] = value.clone();
                }
                rows.push(row);
                lines.push(line.line);
            }
            if rows.is_empty() { Err(Problem::invalid("units", "enter how many")) } else { Ok(rows) }
        };
        let reason = form.optional("reason");
        let body = match self {
            Self::Process => Value::Null,
            Self::Pay => json!({ "amount": form.optional("amount"), "reference": form.optional("reference") }),
            Self::Ship => json!({
                "carrier": form.optional("carrier"),
                "tracking_number": form.optional("tracking_number"),
                "collected": form.flag("collected"),
                "lines": units(None)?,
            }),
            Self::Deliver => json!({ "shipment": form.number("shipment") }),
            Self::GiveUp => json!({ "lines": units(None)?, "reason": reason }),
            Self::Return => {
                let lines = units(Some(("restock", form.flag("restock"))))?;
                json!({ "lines": lines, "refund": form.flag("refund"), "reason": reason })
            }
            Self::Refund => json!({ "amount": form.optional("amount"), "reason": reason }),
            Self::Cancel => json!({ "reason": reason }),
        };
        Ok(Command { body, lines })
    }
}

/// The order and the action of an address.
pub struct Move(pub i64, pub Action);

impl<S: Send + Sync> FromRequestParts<S> for Move {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Path::<(i64, String)>::from_request_parts(parts, state).await;
        let Path((order_id, address)) = read.map_err(|_| Problem::not_found())?;
        let action = Action::ALL.into_iter().find(|action| action.address() == address);
        action.map(|action| Self(order_id, action)).ok_or_else(Problem::not_found)
    }
}

/// A refusal in plain words, at the fields of the form.
pub fn explain(mut problem: Problem, action: Option<Action>, lines: &[i64]) -> Problem {
    for error in &mut problem.errors {
        let place = error.field.strip_prefix("lines[").and_then(|rest| rest.split_once(']'));
        let line = place.and_then(|(index, _)| lines.get(index.parse::<usize>().ok()?));
        if let Some(line) = line {
            error.field = format!("units.{line}");
        }
    }
    let plain = match problem.code.as_str() {
        "address_missing" => "The order has no shipping address. Enter one, or mark that the buyer collects the goods.",
        "not_paid" => "The order is to be paid online, and the money is not here yet. Ship it when it is paid.",
        "order_refunded" => "Everything was refunded, or its refund is requested, so nothing of it is sent any more.",
        "illegal_move" => match action {
            Some(Action::Process) => "It is not new: packing has begun already, or it was cancelled.",
            Some(Action::Ship) => {
                "It is not being packed: start packing first, unless it was sent or cancelled already."
            }
            Some(Action::Cancel | Action::GiveUp) => "It was sent or cancelled already.",
            Some(Action::Deliver) => "Nothing of it is on its way.",
            Some(Action::Return) => "Nothing of it was sent.",
            Some(Action::Refund) => "There is no money to refund.",
            Some(Action::Pay) => "It is paid, cancelled or refunded, so there is nothing to pay.",
            None => "The order does not allow this in its state.",
        },
        "partly_shipped" => "A part of the order was sent already. Give up the other units instead.",
        "nothing_to_send" => "Everything was sent already, so a correction would reach no parcel.",
        "contact_erased" => "The personal data of the buyer was erased, and cannot be entered again.",
        _ => {
            // What the order is and allows stands on the page.
            let end = problem.detail.find("; the order has status").or_else(|| problem.detail.find("; allowed: "));
            problem.detail.truncate(end.unwrap_or(problem.detail.len()));
            return problem;
        }
    };
    problem.detail = plain.to_owned();
    problem
}
