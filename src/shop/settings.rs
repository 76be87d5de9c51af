//! Settings of the shop.

use serde::{Deserialize, Serialize};

use crate::domain::settings::{LowStockThreshold, SHOP, SearchLanguage, ShopSettings, ShopSettingsCommand};
use crate::journal::{AggregateRef, Interrupt, UnitOfWork, UseCase};

/// Changes the given settings.
pub struct ChangeSettings {
    pub search_language: Option<SearchLanguage>,
    pub low_stock_threshold: Option<LowStockThreshold>,
}

/// The settings in force.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SettingsView {
    /// Language of the stemmer that `sort=relevance` uses; `simple` for none.
    #[schema(example = "english")]
    pub search_language: String,
    /// Units below which the stock of a product without a threshold of its own is low; 0 for never.
    #[schema(example = 10)]
    pub low_stock_threshold: i64,
}

impl SettingsView {
    pub fn of(settings: &ShopSettings) -> Self {
        let ShopSettings { search_language, low_stock_threshold, .. } = settings;
        Self { search_language: search_language.as_str().to_owned(), low_stock_threshold: low_stock_threshold.get() }
    }
}

impl UseCase for ChangeSettings {
    type Answer = SettingsView;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<SettingsView, Interrupt> {
        let Self { search_language, low_stock_threshold } = *self;
        let change = ShopSettingsCommand::Change { search_language, low_stock_threshold };
        work.execute::<ShopSettings>(SHOP, change)?;
        let settings = work.get::<ShopSettings>(SHOP)?;
        Ok(SettingsView::of(&settings))
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<ShopSettings>(SHOP))
    }
}
