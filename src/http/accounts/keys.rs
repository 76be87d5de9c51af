//! API keys: listed, created and revoked by their owner or an admin.

use axum::extract::{OriginalUri, State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::accounts::{ApiKey, Secret};
use crate::domain::account::Role;
use crate::domain::text::Name;
use crate::http::App;
use crate::http::accounts::require_session;
use crate::http::wire::body::{NoBody, body};
use crate::http::wire::caller::Caller;
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::error::ApiError;
use crate::http::wire::page::{DEFAULT_LIMIT, Ids, Page, PageOf, Params};
use crate::shop::{CreateKey, RevokeKey};

body! {
    /// A new API key.
    #[schema(examples(json!({ "name": "notebook", "role": "reader" })))]
    pub struct NewKey {
        pub name: Name,
        pub role: Role,
    }
}

/// A new API key.
#[derive(Serialize, ToSchema)]
pub struct NewKeyView {
    pub key_id: Uuid,
    /// For `Authorization: Bearer …`. Shown only once: null when an idempotent request is replayed.
    pub api_key: Option<String>,
}

/// List the caller's API keys; an admin sees all keys
#[utoipa::path(get, path = "/keys", tag = "accounts", security(("bearer" = ["reader"])), params(Page),
    responses((status = 200, body = Vec<ApiKey>)))]
pub async fn list_keys(
    State(app): State<App>,
    caller: Caller,
    OriginalUri(uri): OriginalUri,
    Params(page): Params<Page>,
) -> Result<PageOf<ApiKey>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let identity = caller.identity()?;
    let of = (identity.role < Role::Admin).then_some(identity.account_id);
    let after = page.after()?.unwrap_or((DateTime::<Utc>::UNIX_EPOCH, Uuid::nil()));
    let rows = app.accounts.list_keys(of, after, limit + 1).await?;
    Ok(PageOf::new(&uri, rows, limit, |key| (key.created_at, key.key_id)))
}

/// Create an API key for the caller; its role is at most the caller's
#[utoipa::path(post, path = "/keys", tag = "accounts", security(("bearer" = ["reader"])), request_body = NewKey,
    params(CommandParams), responses((status = 201, body = NewKeyView), CommandProblems))]
pub async fn create_key(
    State(app): State<App>,
    caller: Caller,
    command: Command<NewKey>,
) -> Result<CommandResponse<NewKeyView>, ApiError> {
    let NewKey { name, role } = command.body;
    let identity = require_session(&caller)?;
    let secret = Secret::api_key()?;
    let create =
        CreateKey { account_id: identity, key_id: Uuid::new_v4(), name, role, secret_hash: secret.api_key_hash() };
    let dry_run = command.context.dry_run;
    let made = app.run(create, command.context).await?;
    if !dry_run {
        app.accounts.refresh().await?;
    }
    let shown = (!dry_run && !made.replayed()).then(|| secret.expose().to_owned());
    let made = made.map(|made| NewKeyView { key_id: made.key_id, api_key: shown });
    Ok(made.created(|made| format!("/shop/api/key/{}/", made.key_id)))
}

/// Revoke an API key of the caller; an admin may revoke any key
#[utoipa::path(delete, path = "/key/{key_id}", tag = "accounts", security(("bearer" = ["reader"])),
    params(("key_id" = Uuid, Path), CommandParams), responses((status = 204), CommandProblems))]
pub async fn revoke_key(
    State(app): State<App>,
    caller: Caller,
    Ids(key_id): Ids<Uuid>,
    command: Command<NoBody>,
) -> Result<CommandResponse<()>, ApiError> {
    let identity = caller.identity()?;
    let holder = app.accounts.key_owner(key_id).await?;
    let holder = holder.filter(|holder| *holder == identity.account_id || identity.role == Role::Admin);
    let account_id = holder.unwrap_or(identity.account_id);
    let revoked = app.run(RevokeKey { account_id, key_id }, command.context).await?;
    app.accounts.refresh().await?;
    Ok(revoked)
}
