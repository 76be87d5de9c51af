//! The three states of an order in plain words, with a tone.

use serde::Deserialize;

/// A state as a badge shows it.
pub struct Badge {
    pub text: String,
    pub tone: &'static str,
}

/// Word of the API, text and tone of each value of a state.
type States = [(&'static str, &'static str, &'static str)];

const STATUS: &States = &[
    ("pending", "new", "calm"),
    ("processing", "being packed", "warn"),
    ("shipped", "shipped", "good"),
    ("completed", "completed", "good"),
    ("cancelled", "cancelled", "bad"),
];

const PAYMENT: &States = &[
    ("pending", "not paid", "warn"),
    ("authorised", "authorised", "warn"),
    ("partially_paid", "partly paid", "warn"),
    ("paid", "paid", "good"),
    ("partially_refunded", "partly refunded", "calm"),
    ("refunded", "refunded", "calm"),
    ("failed", "payment failed", "bad"),
];

const FULFILMENT: &States = &[
    ("unfulfilled", "not sent", "calm"),
    ("partially_shipped", "partly sent", "warn"),
    ("shipped", "on its way", "good"),
    ("delivered", "delivered", "good"),
    ("returned", "returned", "calm"),
];

const REFUND: &States =
    &[("requested", "requested", "warn"), ("done", "refunded", "good"), ("failed", "refund failed", "bad")];

/// The states of an order as the API returns them.
#[derive(Clone, Deserialize)]
pub struct OrderStates {
    pub status: String,
    pub payment: String,
    pub fulfilment: String,
}

impl OrderStates {
    pub fn status(&self) -> Badge {
        badge(STATUS, &self.status)
    }

    pub fn payment(&self) -> Badge {
        badge(PAYMENT, &self.payment)
    }

    pub fn fulfilment(&self) -> Badge {
        badge(FULFILMENT, &self.fulfilment)
    }

    /// What becomes of each state that differs afterwards.
    pub fn changes(&self, after: &Self) -> Vec<String> {
        let states = [
            ("State", self.status(), after.status()),
            ("Payment", self.payment(), after.payment()),
            ("Fulfilment", self.fulfilment(), after.fulfilment()),
        ];
        let changed = states.into_iter().filter(|(_, before, after)| before.text != after.text);
        changed.map(|(name, before, after)| format!("{name}: {} → {}", before.text, after.text)).collect()
    }
}

/// The words of a state: `status`, `payment` or `fulfilment`.
pub fn in_words(field: &str, word: &str) -> String {
    let badge = match field {
        "status" => status(word),
        "payment" => payment(word),
        _ => badge(FULFILMENT, word),
    };
    badge.text
}

pub fn status(word: &str) -> Badge {
    badge(STATUS, word)
}

pub fn payment(word: &str) -> Badge {
    badge(PAYMENT, word)
}

pub fn refund(word: &str) -> Badge {
    badge(REFUND, word)
}

fn badge(states: &States, word: &str) -> Badge {
    match states.iter().find(|(found, ..)| *found == word) {
        Some((_, text, tone)) => Badge { text: (*text).to_owned(), tone },
        None => Badge { text: word.replace('_', " "), tone: "calm" },
    }
}

/// The choices of the filters: status, payment, fulfilment.
pub fn choices() -> [Vec<(String, String)>; 3] {
    [STATUS, PAYMENT, FULFILMENT]
        .map(|states| states.iter().map(|(word, text, _)| ((*word).to_owned(), (*text).to_owned())).collect())
}

pub fn refund_choices() -> Vec<(String, String)> {
    REFUND.iter().map(|(word, text, _)| ((*word).to_owned(), (*text).to_owned())).collect()
}
