//! Accounts and API keys, for those who look after the shop.

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
use crate::http::wire::command::{Answer, Command, CommandParams, CommandProblems};
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Ids, Page, PageOf, Params};
use crate::shop::{AccountRef, ChangeAccount, CreateKey, OpenAccount, RevokeKey};

body! {
    /// A new member of the staff, who chooses a password by a mailed link.
    pub struct NewUser {
        #[schema(value_type = String, format = Email, example = "editor@example.com")]
        pub email: Email,
        #[schema(value_type = String, example = "editor")]
        pub role: Role,
    }
}

body! {
    /// What is to be changed; what is absent stays as it is.
    pub struct UserChange {
        #[schema(value_type = Option<String>, example = "reader")]
        pub role: Option<Role>,
        pub disabled: Option<bool>,
    }
}

body! {
    /// A key for a machine.
    pub struct NewKey {
        #[schema(value_type = String, max_length = 200, example = "notebook")]
        pub name: Name,
        #[schema(value_type = String, example = "reader")]
        pub role: Role,
    }
}

/// A key that was just made.
#[derive(Serialize, ToSchema)]
pub struct KeyMade {
    pub key_id: Uuid,
    /// For `Authorization: Bearer …`. Shown this once; null when the answer is a replay.
    pub api_key: Option<String>,
}

/// All accounts
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

/// An account
#[utoipa::path(get, path = "/user/{account_id}", tag = "accounts", security(("bearer" = ["admin"])),
    params(("account_id" = i64, Path)), responses((status = 200, body = User), (status = 404, body = Problem)))]
pub async fn find(State(app): State<App>, Ids(account_id): Ids<i64>) -> Result<Json<User>, ApiError> {
    let found = app.accounts.find_user(AccountId(account_id)).await?;
    found.map(Json).ok_or_else(|| ApiError::not_found("account_not_found", "Account not found"))
}

/// Opens an account for a member of the staff
#[utoipa::path(post, path = "/users", tag = "accounts", security(("bearer" = ["admin"])), request_body = NewUser,
    params(CommandParams), responses((status = 201, body = AccountRef), CommandProblems))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    client: ClientInfo,
    command: Command<NewUser>,
) -> Result<Answer<AccountRef>, ApiError> {
    session_of_staff(&caller)?;
    let NewUser { email, role } = command.body;
    let dry_run = command.context.dry_run;
    let open = OpenAccount { role, customer_id: None, email: email.clone(), password_hash: None, link_hash: None };
    let opened = app.run(open, command.context).await?;
    if !dry_run {
        app.accounts.request_mail(MailRequest::Reset { email }, &client).await?;
    }
    Ok(opened.created(|opened| format!("/shop/api/user/{}/", opened.account_id)))
}

/// Changes an account's role, or disables it; its sessions end
#[utoipa::path(patch, path = "/user/{account_id}", tag = "accounts", security(("bearer" = ["admin"])),
    request_body = UserChange, params(("account_id" = i64, Path), CommandParams),
    responses((status = 200, body = AccountRef), CommandProblems))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Ids(account_id): Ids<i64>,
    command: Command<UserChange>,
) -> Result<Answer<AccountRef>, ApiError> {
    session_of_staff(&caller)?;
    let UserChange { role, disabled } = command.body;
    let change = ChangeAccount { account_id: AccountId(account_id), role, disabled };
    let changed = app.run(change, command.context).await?;
    app.accounts.refresh().await?;
    Ok(changed)
}

/// The API keys of the caller; of everybody, for an admin
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

/// Makes an API key for the caller, with the caller's role at the most
#[utoipa::path(post, path = "/keys", tag = "accounts", security(("bearer" = ["reader"])), request_body = NewKey,
    params(CommandParams), responses((status = 201, body = KeyMade), CommandProblems))]
pub async fn create_key(
    State(app): State<App>,
    caller: Caller,
    command: Command<NewKey>,
) -> Result<Answer<KeyMade>, ApiError> {
    let NewKey { name, role } = command.body;
    let identity = session_of_staff(&caller)?;
    let secret = Secret::api_key()?;
    let create =
        CreateKey { account_id: identity, key_id: Uuid::new_v4(), name, role, secret_hash: secret.api_key_hash() };
    let dry_run = command.context.dry_run;
    let made = app.run(create, command.context).await?;
    if !dry_run {
        app.accounts.refresh().await?;
    }
    let shown = (!dry_run && !made.replayed()).then(|| secret.expose().to_owned());
    let made = made.map(|made| KeyMade { key_id: made.key_id, api_key: shown });
    Ok(made.created(|made| format!("/shop/api/key/{}/", made.key_id)))
}

/// Revokes an API key: the caller's, or anybody's for an admin
#[utoipa::path(delete, path = "/key/{key_id}", tag = "accounts", security(("bearer" = ["reader"])),
    params(("key_id" = Uuid, Path), CommandParams), responses((status = 204), CommandProblems))]
pub async fn revoke_key(
    State(app): State<App>,
    caller: Caller,
    Ids(key_id): Ids<Uuid>,
    command: Command<NoBody>,
) -> Result<Answer<()>, ApiError> {
    let identity = caller.identity()?;
    let holder = app.accounts.key_owner(key_id).await?;
    let holder = holder.filter(|holder| *holder == identity.account_id || identity.role == Role::Admin);
    let account_id = holder.unwrap_or(identity.account_id);
    let revoked = app.run(RevokeKey { account_id, key_id }, command.context).await?;
    app.accounts.refresh().await?;
    Ok(revoked)
}

/// Log-ins and failures, newest first; what was done with accounts stands in their histories
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

/// An API key makes no keys and manages no accounts: what somebody does with a stolen one ends with it.
fn session_of_staff(caller: &Caller) -> Result<AccountId, ApiError> {
    let identity = caller.identity()?;
    match identity.credential {
        Credential::Session(_) => Ok(identity.account_id),
        Credential::Key(_) => Err(ApiError::forbidden()),
    }
}
