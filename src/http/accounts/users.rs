//! Accounts and API keys, managed by staff.

use axum::Json;
use axum::extract::{OriginalUri, State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::accounts::{ApiKey, ClientInfo, Credential, MailRequest, Secret, SignIn, User};
use crate::domain::account::Role;
use crate::domain::ids::AccountId;
use crate::domain::text::{Email, Name};
use crate::http::App;
use crate::http::wire::body::{NoBody, body};
use crate::http::wire::caller::Caller;
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Ids, Page, PageOf, Params};
use crate::shop::{AccountRef, ChangeAccount, CreateKey, OpenAccount, RevokeKey};

body! {
    /// A new staff account; its owner sets a password with a mailed link.
    #[schema(examples(json!({ "email": "editor@example.com", "role": "editor" })))]
    pub struct NewUser {
        pub email: Email,
        pub role: Role,
    }
}

body! {
    /// The fields to change; absent fields keep their value.
    #[schema(examples(json!({ "role": "reader", "disabled": false })))]
    pub struct UserChange {
        pub role: Option<Role>,
        pub disabled: Option<bool>,
    }
}

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

/// List accounts
#[utoipa::path(get, path = "/users", tag = "accounts", security(("bearer" = ["admin"])), params(Page),
    responses((status = 200, body = Vec<User>)))]
pub async fn list(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(page): Params<Page>,
) -> Result<PageOf<User>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let rows = app.accounts.list_users(page.after()?.unwrap_or(0), limit + 1).await?;
    Ok(PageOf::new(&uri, rows, limit, |user| user.account_id))
}

/// Get an account
#[utoipa::path(get, path = "/user/{account_id}", tag = "accounts", security(("bearer" = ["admin"])),
    params(("account_id" = AccountId, Path)), responses((status = 200, body = User), (status = 404, body = Problem)))]
pub async fn find(State(app): State<App>, Ids(account_id): Ids<AccountId>) -> Result<Json<User>, ApiError> {
    let found = app.accounts.find_user(account_id).await?;
    found.map(Json).ok_or_else(|| ApiError::not_found("account_not_found", "Account not found"))
}

/// Create a staff account
#[utoipa::path(post, path = "/users", tag = "accounts", security(("bearer" = ["admin"])), request_body = NewUser,
    params(CommandParams), responses((status = 201, body = AccountRef), CommandProblems))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    client: ClientInfo,
    command: Command<NewUser>,
) -> Result<CommandResponse<AccountRef>, ApiError> {
    require_session(&caller)?;
    let NewUser { email, role } = command.body;
    let dry_run = command.context.dry_run;
    let open = OpenAccount { role, customer_id: None, email: email.clone(), password_hash: None, link_hash: None };
    let opened = app.run(open, command.context).await?;
    if !dry_run {
        app.accounts.request_mail(MailRequest::Reset { email }, &client).await?;
    }
    Ok(opened.created(|opened| format!("/shop/api/user/{}/", opened.account_id)))
}

/// Change the role of an account, or disable it; ends its sessions
#[utoipa::path(patch, path = "/user/{account_id}", tag = "accounts", security(("bearer" = ["admin"])),
    request_body = UserChange, params(("account_id" = AccountId, Path), CommandParams),
    responses((status = 200, body = AccountRef), CommandProblems))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Ids(account_id): Ids<AccountId>,
    command: Command<UserChange>,
) -> Result<CommandResponse<AccountRef>, ApiError> {
    require_session(&caller)?;
    let UserChange { role, disabled } = command.body;
    let change = ChangeAccount { account_id, role, disabled };
    let changed = app.run(change, command.context).await?;
    app.accounts.refresh().await?;
    Ok(changed)
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

/// List sign-ins and failed sign-ins, newest first
///
/// Changes to accounts are in `GET user/{account_id}/history/`.
#[utoipa::path(get, path = "/audit", tag = "accounts", security(("bearer" = ["admin"])), params(Page),
    responses((status = 200, body = Vec<SignIn>)))]
pub async fn audit(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(page): Params<Page>,
) -> Result<PageOf<SignIn>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let rows = app.accounts.list_sign_ins(page.after()?.unwrap_or(i64::MAX), limit + 1).await?;
    Ok(PageOf::new(&uri, rows, limit, |sign_in| sign_in.sign_in_id))
}

/// Refuses API keys: a stolen key must not create keys or manage accounts, which would outlive its revocation.
fn require_session(caller: &Caller) -> Result<AccountId, ApiError> {
    let identity = caller.identity()?;
    match identity.credential {
        Credential::Session(_) => Ok(identity.account_id),
        Credential::Key(_) => Err(ApiError::forbidden()),
    }
}
