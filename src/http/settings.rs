//! Settings of the shop.

use axum::extract::State;

use crate::domain::settings::{LowStockThreshold, SHOP, SearchLanguage, ShopSettings};
use crate::http::App;
use crate::http::wire::body::body;
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::Versioned;
use crate::journal::EntityTag;
use crate::shop::{ChangeSettings, SettingsView};

body! {
    /// The settings to change; absent settings keep their value.
    #[schema(examples(json!({ "search_language": "german", "low_stock_threshold": 5 })))]
    pub struct SettingsChange {
        /// Language of the stemmer that `sort=relevance` uses; `simple` for none.
        pub search_language: Option<SearchLanguage>,
        /// Units below which the stock of a product without a threshold of its own is low; 0 for never.
        pub low_stock_threshold: Option<LowStockThreshold>,
    }
}

/// Get the settings of the shop
#[utoipa::path(get, path = "/settings", tag = "operation", security(("bearer" = ["reader"])),
    responses((status = 200, body = SettingsView), (status = 503, body = Problem)))]
pub async fn find_settings(State(app): State<App>) -> Result<Versioned<SettingsView>, ApiError> {
    let found = sqlx::query_file!("projections/settings/find.sql", SHOP).fetch_optional(&app.pool).await?;
    let Some(row) = found else {
        let body = SettingsView::of(&ShopSettings::default());
        return Ok(Versioned::new(EntityTag::of_version(0), body));
    };
    let body = SettingsView { search_language: row.search_language, low_stock_threshold: row.low_stock_threshold };
    Ok(Versioned::new(EntityTag::of_version(row.version), body))
}

/// Change the settings of the shop
#[utoipa::path(patch, path = "/settings", tag = "operation", security(("bearer" = ["admin"])),
    request_body = SettingsChange, params(CommandParams),
    responses((status = 200, body = SettingsView), CommandProblems))]
pub async fn change_settings(
    State(app): State<App>,
    command: Command<SettingsChange>,
) -> Result<CommandResponse<SettingsView>, ApiError> {
    let SettingsChange { search_language, low_stock_threshold } = command.body;
    app.run(ChangeSettings { search_language, low_stock_threshold }, command.context).await
}
