//! A postal address, in one shape for requests and side writes. Events never carry its values.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::text::{Name, OptionalText, Text};

/// One line of an address.
pub type AddressLine = Text<200>;
/// A postal code; empty in a country without.
pub type PostalCode = OptionalText<20>;
/// New value of a line that an address may lack; the empty text removes it.
pub type OptionalLine = OptionalText<200>;

/// A complete address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// The recipient's name.
    pub name: Name,
    pub line1: AddressLine,
    pub line2: Option<AddressLine>,
    /// Empty in countries without postal codes.
    pub postal_code: PostalCode,
    pub city: Name,
    pub region: Option<Name>,
    pub country: Country,
}

/// New values of some fields of an address. `None` keeps a field; JSON leaves it out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AddressChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line1: Option<AddressLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line2: Option<OptionalLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<PostalCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<OptionalLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
}

/// Name of a changed field of an address, for events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddressField {
    Name,
    Line1,
    Line2,
    PostalCode,
    City,
    Region,
    Country,
}

impl AddressChange {
    /// Names of the fields that change.
    pub fn fields(&self) -> Vec<AddressField> {
        let given = [
            (AddressField::Name, self.name.is_some()),
            (AddressField::Line1, self.line1.is_some()),
            (AddressField::Line2, self.line2.is_some()),
            (AddressField::PostalCode, self.postal_code.is_some()),
            (AddressField::City, self.city.is_some()),
            (AddressField::Region, self.region.is_some()),
            (AddressField::Country, self.country.is_some()),
        ];
        given.into_iter().filter_map(|(field, given)| given.then_some(field)).collect()
    }
}

impl Address {
    /// Whether the address has a postal code, or its country has none.
    pub fn has_required_postal_code(&self) -> bool {
        !self.postal_code.is_empty() || !self.country.requires_postal_code()
    }
}

/// Country code of ISO 3166-1: two letters in upper case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^[A-Z]{2}$"))]
pub struct Country(String);

const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV \
                         BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES \
                         ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE \
                         IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY \
                         MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU \
                         NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM \
                         SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE \
                         VG VI VN VU WF WS YE YT ZA ZM ZW";

/// Countries where addresses have no postal code, or where many have none (the Universal Postal Union lists them).
const WITHOUT_POSTAL_CODES: &[&str] = &[
    "AE", "AG", "AO", "AQ", "AW", "BF", "BI", "BJ", "BO", "BQ", "BS", "BV", "BW", "BZ", "CD", "CF", "CG", "CI", "CK",
    "CM", "CW", "DJ", "DM", "EH", "ER", "FJ", "GA", "GD", "GH", "GM", "GN", "GQ", "GY", "HK", "HM", "IE", "JM", "KE",
    "KI", "KM", "KN", "KP", "LC", "LY", "ML", "MO", "MR", "MS", "MU", "MW", "NA", "NR", "NU", "PA", "QA", "RW", "SA",
    "SB", "SC", "SL", "SO", "SR", "SS", "ST", "SX", "SY", "TD", "TF", "TG", "TK", "TL", "TO", "TT", "TV", "TZ", "UG",
    "UM", "VU", "WS", "YE", "ZM", "ZW",
];

impl Country {
    /// Whether every address there has a postal code.
    pub fn requires_postal_code(&self) -> bool {
        !WITHOUT_POSTAL_CODES.contains(&self.0.as_str())
    }

    /// The countries where an address may lack a postal code.
    pub fn without_postal_codes() -> &'static [&'static str] {
        WITHOUT_POSTAL_CODES
    }
}

impl TryFrom<String> for Country {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let known = COUNTRIES.split(' ').any(|country| country == text);
        known.then_some(Self(text)).ok_or("must be the two letters of a country in ISO 3166-1, such as \"DE\"")
    }
}

impl From<Country> for String {
    fn from(country: Country) -> Self {
        country.0
    }
}

impl fmt::Display for Country {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_country_without_postal_codes_is_a_country_and_named_once() {
        assert!(WITHOUT_POSTAL_CODES.is_sorted_by(|one, next| one < next));
        for country in WITHOUT_POSTAL_CODES {
            assert!(Country::try_from((*country).to_owned()).is_ok(), "{country}");
        }
    }

    #[test]
    fn a_postal_code_is_required_where_every_address_has_one() {
        let requires = |country: &str| Country::try_from(country.to_owned()).unwrap().requires_postal_code();
        for country in ["DE", "GB", "US", "FR", "JP", "NL"] {
            assert!(requires(country), "{country}");
        }
        for country in ["HK", "AE", "IE"] {
            assert!(!requires(country), "{country}");
        }
    }
}
