//! The options in which the products of a family differ, and a product's value of each.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::text::{Text, TextError};

/// Name of an option, such as `storage`.
pub type OptionName = Text<50>;
/// Value of an option, such as `128 GB`.
pub type OptionValue = Text<100>;

/// The options of a family, in the order in which they are shown: 1 to [`OptionNames::MAX`] different names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
#[schemars(description = "Names of options, in the order in which they are shown.")]
pub struct OptionNames(Vec<String>);

/// A value for each option, by the option's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
#[schemars(description = "A value for each option of the family, by the option's name.")]
pub struct OptionValues(BTreeMap<String, String>);

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OptionsError {
    #[error("must name at least one option")]
    NoOption,
    #[error("must name at most {} options", OptionNames::MAX)]
    TooManyOptions,
    #[error("names the option {0:?} twice")]
    Duplicate(String),
    #[error("{place:?} {error}")]
    Text { place: String, error: TextError },
}

/// The options that a product lacks or that its family does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionDifference {
    pub expected: Vec<String>,
    pub missing: Vec<String>,
    pub unknown: Vec<String>,
}

impl OptionNames {
    /// Maximum number of options of a family.
    pub const MAX: usize = 5;

    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// Whether both have the same options, in any order.
    pub fn is_reordered(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().all(|name| other.0.contains(name))
    }

    /// The values under the family's spelling of each option; the difference if an option is missing or unknown.
    pub fn assign(&self, values: &OptionValues) -> Result<OptionValues, OptionDifference> {
        let mut given: BTreeMap<String, (&String, &String)> =
            values.0.iter().map(|(name, value)| (fold(name), (name, value))).collect();
        let mut assigned = BTreeMap::new();
        let mut missing = Vec::new();
        for name in &self.0 {
            match given.remove(&fold(name)) {
                Some((_, value)) => drop(assigned.insert(name.clone(), value.clone())),
                None => missing.push(name.clone()),
            }
        }
        if missing.is_empty() && given.is_empty() {
            return Ok(OptionValues(assigned));
        }
        let unknown = given.into_values().map(|(name, _)| name.clone()).collect();
        Err(OptionDifference { expected: self.0.clone(), missing, unknown })
    }
}

impl OptionValues {
    pub fn as_map(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Canonical form for uniqueness, among products of one family.
    pub fn folded(&self) -> Vec<String> {
        self.0.values().map(|value| fold(value)).collect()
    }
}

/// Upper and lower case are the same, as in other names.
fn fold(text: &str) -> String {
    OptionValue::stored(text).folded()
}

impl TryFrom<Vec<String>> for OptionNames {
    type Error = OptionsError;

    fn try_from(names: Vec<String>) -> Result<Self, OptionsError> {
        if names.is_empty() {
            return Err(OptionsError::NoOption);
        }
        if names.len() > Self::MAX {
            return Err(OptionsError::TooManyOptions);
        }
        let mut checked: Vec<String> = Vec::with_capacity(names.len());
        for name in names {
            let parsed = OptionName::parse(&name).map_err(|error| OptionsError::Text { place: name.clone(), error })?;
            if checked.iter().any(|other| fold(other) == parsed.folded()) {
                return Err(OptionsError::Duplicate(name));
            }
            checked.push(parsed.into());
        }
        Ok(Self(checked))
    }
}

impl From<OptionNames> for Vec<String> {
    fn from(names: OptionNames) -> Self {
        names.0
    }
}

impl TryFrom<BTreeMap<String, String>> for OptionValues {
    type Error = OptionsError;

    fn try_from(values: BTreeMap<String, String>) -> Result<Self, OptionsError> {
        if values.is_empty() {
            return Err(OptionsError::NoOption);
        }
        if values.len() > OptionNames::MAX {
            return Err(OptionsError::TooManyOptions);
        }
        let mut checked = BTreeMap::new();
        let mut names: Vec<String> = Vec::with_capacity(values.len());
        for (name, value) in values {
            let at = |error| OptionsError::Text { place: name.clone(), error };
            let parsed = OptionName::parse(&name).map_err(at)?;
            let value = OptionValue::parse(&value).map_err(at)?;
            if names.contains(&parsed.folded()) {
                return Err(OptionsError::Duplicate(name));
            }
            names.push(parsed.folded());
            checked.insert(parsed.into(), value.into());
        }
        Ok(Self(checked))
    }
}

impl From<OptionValues> for BTreeMap<String, String> {
    fn from(values: OptionValues) -> Self {
        values.0
    }
}
