//! Accounts and login records, managed by admins.

use axum::Json;
use axum::extract::{OriginalUri, State};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::accounts::{ClientInfo, MailRequest, SignIn, User};
use crate::domain::account::Role;
use crate::domain::ids::AccountId;
use crate::domain::text::Email;
use crate::http::App;
use crate::http::accounts::require_session;
use crate::http::wire::body::body;
use crate::http::wire::caller::Caller;
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Ids, Page, PageOf, Params};
use crate::shop::{AccountRef, ChangeAccount, OpenAccount};

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

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AccountFilter {
    /// `true` returns the accounts of the staff only.
    staff: Option<bool>,
    /// Only the account with this e-mail address.
    email: Option<String>,
}

/// List accounts
#[utoipa::path(get, path = "/users", tag = "accounts", security(("bearer" = ["admin"])), params(AccountFilter, Page),
    responses((status = 200, body = Vec<User>), (status = 400, body = Problem)))]
pub async fn list_accounts(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(filter): Params<AccountFilter>,
    Params(page): Params<Page>,
) -> Result<PageOf<User>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let (after, only_staff) = (page.after()?.unwrap_or(0), filter.staff == Some(true));
    let rows = match &filter.email {
        Some(email) => {
            let found = app.accounts.find_user_by_email(email).await?;
            found.into_iter().filter(|user| user.account_id > after && !(only_staff && user.is_customer())).collect()
        }
        None if only_staff => app.accounts.list_staff(after, limit + 1).await?,
        None => app.accounts.list_users(after, limit + 1).await?,
    };
    Ok(PageOf::new(&uri, rows, limit, |user| user.account_id))
}

/// Get an account
#[utoipa::path(get, path = "/user/{account_id}", tag = "accounts", security(("bearer" = ["admin"])),
    params(("account_id" = AccountId, Path)), responses((status = 200, body = User), (status = 404, body = Problem)))]
pub async fn find_account(State(app): State<App>, Ids(account_id): Ids<AccountId>) -> Result<Json<User>, ApiError> {
    let found = app.accounts.find_user(account_id).await?;
    found.map(Json).ok_or_else(|| ApiError::not_found("account_not_found", "Account not found"))
}

/// Create a staff account
#[utoipa::path(post, path = "/users", tag = "accounts", security(("bearer" = ["admin"])), request_body = NewUser,
    params(CommandParams), responses((status = 201, body = AccountRef), CommandProblems))]
pub async fn create_account(
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
pub async fn change_account(
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

/// List logins and failed logins, newest first
///
/// Changes to accounts are in `GET user/{account_id}/history/`.
#[utoipa::path(get, path = "/audit", tag = "accounts", security(("bearer" = ["admin"])), params(Page),
    responses((status = 200, body = Vec<SignIn>)))]
pub async fn list_sign_ins(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(page): Params<Page>,
) -> Result<PageOf<SignIn>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let rows = app.accounts.list_sign_ins(page.after()?.unwrap_or(i64::MAX), limit + 1).await?;
    Ok(PageOf::new(&uri, rows, limit, |sign_in| sign_in.sign_in_id))
}
