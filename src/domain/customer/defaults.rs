//! Default addresses: at most one of each kind, because each kind has one place.

use serde::{Deserialize, Serialize};

use crate::domain::ids::AddressId;

/// The addresses that a checkout uses when it names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultAddresses {
    #[serde(rename = "default_shipping", default, skip_serializing_if = "Option::is_none")]
    pub shipping: Option<AddressId>,
    #[serde(rename = "default_billing", default, skip_serializing_if = "Option::is_none")]
    pub billing: Option<AddressId>,
}

/// Whether an address is to be a default; `None` leaves it as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DefaultMarks {
    pub shipping: Option<bool>,
    pub billing: Option<bool>,
}

impl DefaultMarks {
    /// No default of any kind.
    pub const NONE: Self = Self { shipping: Some(false), billing: Some(false) };
}

impl DefaultAddresses {
    /// The defaults after an address was marked.
    pub fn with(self, address_id: AddressId, marks: DefaultMarks) -> Self {
        let marked = |current: Option<AddressId>, mark| match mark {
            Some(true) => Some(address_id),
            Some(false) => current.filter(|current| *current != address_id),
            None => current,
        };
        Self { shipping: marked(self.shipping, marks.shipping), billing: marked(self.billing, marks.billing) }
    }
}
