//! A postal address, in one shape for requests and side writes. Events never carry its values.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::text::{Name, Text, TextError};

/// One line of an address.
pub type AddressLine = Text<200>;
pub type PostalCode = Text<20>;

/// A complete address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// The recipient's name.
    pub name: Name,
    pub line1: AddressLine,
    pub line2: Option<AddressLine>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// New value of a line that an address may lack; the empty text removes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OptionalLine(Option<AddressLine>);

impl TryFrom<String> for OptionalLine {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        if text.trim().is_empty() { Ok(Self(None)) } else { AddressLine::parse(&text).map(|line| Self(Some(line))) }
    }
}

impl From<OptionalLine> for String {
    /// Empty if the line is removed.
    fn from(line: OptionalLine) -> Self {
        line.0.map_or_else(Self::new, Self::from)
    }
}

impl fmt::Display for OptionalLine {
    /// Empty if the line is removed.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |line| line.fmt(formatter))
    }
}

/// Country code of ISO 3166-1: two letters in upper case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country(String);

const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV \
                         BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES \
                         ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE \
                         IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY \
                         MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU \
                         NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM \
                         SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE \
                         VG VI VN VU WF WS YE YT ZA ZM ZW";

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
