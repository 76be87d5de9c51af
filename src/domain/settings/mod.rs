//! Settings of the whole shop that figures or answers depend on. They are events, so that every node agrees on them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Decider;
use super::event::events;
use super::picture::MediaBase;
use super::words::words;

#[cfg(test)]
mod tests;

/// Id of the only stream.
pub const SHOP: &str = "shop";

words! {
    /// Language of the stemmer that search uses. PostgreSQL has a text search configuration of each name.
    SearchLanguage {
        Danish = "danish",
        Dutch = "dutch",
        English = "english",
        Finnish = "finnish",
        French = "french",
        German = "german",
        Hungarian = "hungarian",
        Italian = "italian",
        Norwegian = "norwegian",
        Portuguese = "portuguese",
        Romanian = "romanian",
        Russian = "russian",
        /// No stemming.
        Simple = "simple",
        Spanish = "spanish",
        Swedish = "swedish",
        Turkish = "turkish",
    }
}

/// Units below which the stock of a product is low; 0 for never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "i64", into = "i64")]
#[schemars(description = "Units below which the stock of a product is low; 0 for never.")]
pub struct LowStockThreshold(i64);

/// A number that is no threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be a whole number from 0 to {}", LowStockThreshold::MAX)]
pub struct LowStockThresholdError;

impl LowStockThreshold {
    pub const MAX: i64 = 1_000_000_000;

    pub fn new(units: i64) -> Result<Self, LowStockThresholdError> {
        if (0..=Self::MAX).contains(&units) { Ok(Self(units)) } else { Err(LowStockThresholdError) }
    }

    pub fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for LowStockThreshold {
    type Error = LowStockThresholdError;

    fn try_from(units: i64) -> Result<Self, Self::Error> {
        Self::new(units)
    }
}

impl From<LowStockThreshold> for i64 {
    fn from(threshold: LowStockThreshold) -> Self {
        threshold.0
    }
}

/// The settings in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShopSettings {
    pub search_language: SearchLanguage,
    /// Threshold of products without one of their own.
    pub low_stock_threshold: LowStockThreshold,
    /// Beginning of the addresses of images; `None` for the shop's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_base: Option<MediaBase>,
}

impl Default for ShopSettings {
    /// Settings of a shop that never changed them; `projections/` have the same values.
    fn default() -> Self {
        Self { search_language: SearchLanguage::English, low_stock_threshold: LowStockThreshold(10), media_base: None }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShopSettingsCommand {
    /// Changes the given settings.
    Change { search_language: Option<SearchLanguage>, low_stock_threshold: Option<LowStockThreshold> },
    /// `None` for the shop's own addresses.
    ChangeMediaBase { base: Option<MediaBase> },
}

events! {
    pub enum ShopSettingsEvent {
        SearchLanguageChanged { language: SearchLanguage, previous_language: SearchLanguage }
            = "ShopSearchLanguageChanged",
        LowStockThresholdChanged { threshold: LowStockThreshold, previous_threshold: LowStockThreshold }
            = "ShopLowStockThresholdChanged",
        /// `null` for the shop's own addresses.
        MediaBaseChanged { base: Option<MediaBase>, previous_base: Option<MediaBase> } = "ShopMediaBaseChanged",
    }
}

/// No rule refuses a setting: its type admits valid values only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ShopSettingsError {}

impl Decider for ShopSettings {
    fn decide(&self, command: ShopSettingsCommand) -> Result<Vec<ShopSettingsEvent>, ShopSettingsError> {
        let (search_language, low_stock_threshold) = match command {
            ShopSettingsCommand::Change { search_language, low_stock_threshold } => {
                (search_language, low_stock_threshold)
            }
            ShopSettingsCommand::ChangeMediaBase { base } if base == self.media_base => return Ok(vec![]),
            ShopSettingsCommand::ChangeMediaBase { base } => {
                let previous_base = self.media_base.clone();
                return Ok(vec![ShopSettingsEvent::MediaBaseChanged { base, previous_base }]);
            }
        };
        let language = search_language.filter(|language| *language != self.search_language);
        let threshold = low_stock_threshold.filter(|threshold| *threshold != self.low_stock_threshold);
        let language = language.map(|language| ShopSettingsEvent::SearchLanguageChanged {
            language,
            previous_language: self.search_language,
        });
        let threshold = threshold.map(|threshold| ShopSettingsEvent::LowStockThresholdChanged {
            threshold,
            previous_threshold: self.low_stock_threshold,
        });
        Ok(language.into_iter().chain(threshold).collect())
    }

    fn evolve(&mut self, event: &ShopSettingsEvent) {
        match event {
            ShopSettingsEvent::SearchLanguageChanged { language, .. } => self.search_language = *language,
            ShopSettingsEvent::LowStockThresholdChanged { threshold, .. } => self.low_stock_threshold = *threshold,
            ShopSettingsEvent::MediaBaseChanged { base, .. } => self.media_base.clone_from(base),
        }
    }
}

super::aggregate!(ShopSettings, "ShopSettings", ShopSettingsCommand, ShopSettingsEvent, ShopSettingsError);
