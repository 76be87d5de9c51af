//! Details of a product that is a phone. All are optional.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::text::{Description, Text};
use crate::domain::whole::Whole;

/// Capacity of a battery in mAh.
pub type BatteryCapacity = Whole<1, 1_000_000>;
/// Storage in GB.
pub type Storage = Whole<1, 1_000_000>;
/// Memory in GB.
pub type Ram = Whole<1, 100_000>;

/// Declares the details as events hold them, and as clients send them.
macro_rules! phone {
    ($($(#[$meta:meta])* $field:ident: $draft:ty => $stored:ty,)*) => {
        /// Details of a phone, as events hold them.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        pub struct Phone {$(
            $(#[$meta])*
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub $field: Option<$stored>,
        )*}

        /// Details of a phone, as clients send them.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct PhoneDraft {$(
            #[serde(default)]
            pub $field: Option<$draft>,
        )*}

        impl From<PhoneDraft> for Phone {
            fn from(draft: PhoneDraft) -> Self {
                Self { $($field: draft.$field.map(<$stored>::from),)* }
            }
        }
    };
}

phone! {
    brand: Text<100> => String,
    model: Text<100> => String,
    operating_system: Text<100> => String,
    screen_size: Text<100> => String,
    resolution: Text<100> => String,
    processor: Text<100> => String,
    /// In mAh.
    battery_capacity: BatteryCapacity => i64,
    camera_main: Text<200> => String,
    camera_front: Text<200> => String,
    network: Text<100> => String,
    warranty: Text<200> => String,
    is_new: bool => bool,
    box_included: bool => bool,
    accessories: Description => String,
    /// In GB.
    storage: Storage => i64,
    /// In GB.
    ram: Ram => i64,
    color: Text<100> => String,
}

/// Number of a device: 15 or 16 digits. It has no readable `Debug`, so that no log holds it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Imei(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must have 15 digits, or 16 with the software version; spaces and \"-\" are ignored")]
pub struct ImeiError;

impl Imei {
    /// Parses what a client typed.
    pub fn parse(text: &str) -> Result<Self, ImeiError> {
        let digits: String = text.chars().filter(|letter| !matches!(letter, ' ' | '-')).collect();
        let valid = matches!(digits.len(), 15 | 16) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if valid { Ok(Self(digits)) } else { Err(ImeiError) }
    }
}

impl fmt::Debug for Imei {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Imei")
    }
}

impl TryFrom<String> for Imei {
    type Error = ImeiError;

    fn try_from(text: String) -> Result<Self, ImeiError> {
        Self::parse(&text)
    }
}

impl From<Imei> for String {
    fn from(imei: Imei) -> Self {
        imei.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_imei_has_digits_and_does_not_show_in_logs() {
        let imei = Imei::parse("35-693803-564380 9").unwrap();
        assert_eq!(String::from(imei.clone()), "356938035643809");
        assert!(!format!("{imei:?}").contains('3'));
        for text in ["", "35693803564380", "35693803564380x", "35693803564380901", "３56938035643809"] {
            assert_eq!(Imei::parse(text), Err(ImeiError), "{text}");
        }
    }
}
