//! Where somebody lives or has things sent, as a customer writes it. An event never carries a value of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::text::{Name, Text, TextError};

/// A line of an address.
pub type Line = Text<200>;
pub type PostalCode = Text<20>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Who receives what is sent there.
    pub name: Name,
    pub line1: Line,
    pub line2: Option<Line>,
    pub postal_code: PostalCode,
    pub city: Name,
    pub region: Option<Name>,
    pub country: Country,
}

/// What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressChange {
    pub name: Option<Name>,
    pub line1: Option<Line>,
    pub line2: Option<OptionalLine>,
    pub postal_code: Option<PostalCode>,
    pub city: Option<Name>,
    pub region: Option<OptionalLine>,
    pub country: Option<Country>,
}

/// A field of an address, named in an event that says it changed.
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
    /// The fields that are given.
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

/// A line that an address can do without: the empty text takes it away.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct OptionalLine(Option<Line>);

impl TryFrom<String> for OptionalLine {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        if text.trim().is_empty() { Ok(Self(None)) } else { Line::parse(&text).map(|line| Self(Some(line))) }
    }
}

impl fmt::Display for OptionalLine {
    /// Empty when the line is taken away.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |line| line.fmt(formatter))
    }
}

/// A country by its two letters of ISO 3166-1, in upper case.
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
