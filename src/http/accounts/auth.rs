//! Logging in, and everything that an account's owner does with it.
//!
//! No answer tells whether an address has an account. Registration and reset are answered before that is looked up.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::accounts::{ACCESS_TOKEN_LIFE, ClientInfo, Credential, MailRequest, Password, Tokens};
use crate::domain::account::Role;
use crate::domain::cart::MergeMode;
use crate::domain::text::{Email, Name};
use crate::http::App;
use crate::http::wire::body::{NoQuery, body};
use crate::http::wire::caller::Caller;
use crate::http::wire::error::{ApiError, Problem};
use crate::shop::{CustomerRef, MergeCarts};

body! {
    /// Somebody who wants an account.
    pub struct Registration {
        #[schema(value_type = String, max_length = 200, example = "Jo")]
        pub first_name: Name,
        #[schema(value_type = String, max_length = 200, example = "Miller")]
        pub last_name: Name,
        #[schema(value_type = String, format = Email, example = "jo@example.com")]
        pub email: Email,
        #[schema(value_type = String, format = Password, min_length = 10, max_length = 1000)]
        pub password: Password,
    }
}

body! {
    /// What proves who somebody is.
    pub struct Login {
        #[schema(example = "jo@example.com")]
        pub email: String,
        #[schema(format = Password)]
        pub password: String,
        /// The guest's cart that a customer takes along; what stands in both is added up.
        pub cart_token: Option<Uuid>,
    }
}

body! {
    /// The refresh token of a session; it is used up.
    pub struct Refresh {
        pub refresh_token: String,
    }
}

body! {
    /// The session to be ended; without a refresh token, that of the access token.
    pub struct Logout {
        pub refresh_token: Option<String>,
    }
}

body! {
    /// Another password, for who knows the present one.
    pub struct PasswordChange {
        #[schema(format = Password)]
        pub current_password: String,
        #[schema(value_type = String, format = Password, min_length = 10, max_length = 1000)]
        pub new_password: Password,
    }
}

body! {
    /// Who forgot the password.
    pub struct ResetRequest {
        #[schema(value_type = String, format = Email, example = "jo@example.com")]
        pub email: Email,
    }
}

body! {
    /// The token of a mailed link.
    pub struct Confirmation {
        pub token: String,
    }
}

body! {
    /// The token of a mailed link, and another password.
    pub struct Reset {
        pub token: String,
        #[schema(value_type = String, format = Password, min_length = 10, max_length = 1000)]
        pub new_password: Password,
    }
}

/// What a client that logged in is given.
#[derive(Serialize, ToSchema)]
pub struct TokenPair {
    /// For `Authorization: Bearer …`.
    pub access_token: String,
    /// For the next pair, once.
    pub refresh_token: String,
    /// Seconds until the access token ends.
    pub expires_in: u64,
    /// Whether the guest's cart was taken along, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cart_merged: Option<bool>,
}

/// The same for everybody, whatever becomes of it.
#[derive(Serialize, ToSchema)]
pub struct MailOnItsWay {
    pub detail: &'static str,
}

/// Whose token it is.
#[derive(Serialize, ToSchema)]
pub struct Me {
    pub account_id: i64,
    #[schema(value_type = String, example = "customer")]
    pub role: Role,
    /// Null for staff.
    pub customer_id: Option<i64>,
}

/// Registers; a mailed link confirms it
#[utoipa::path(post, path = "/auth/register", tag = "accounts", security(()), request_body = Registration,
    responses((status = 202, body = MailOnItsWay)))]
pub async fn register(
    State(app): State<App>,
    client: ClientInfo,
    NoQuery(body): NoQuery<Registration>,
) -> Result<(StatusCode, Json<MailOnItsWay>), ApiError> {
    let Registration { first_name, last_name, email, password } = body;
    app.edge.rate_limits.per_recipient(email.as_str())?;
    app.accounts.request_mail(MailRequest::Register { first_name, last_name, email, password }, &client).await?;
    Ok(on_its_way())
}

/// Makes the customer and the account, for the token of the mailed link
#[utoipa::path(post, path = "/auth/register/confirm", tag = "accounts", security(()), request_body = Confirmation,
    responses((status = 201, body = CustomerRef)))]
pub async fn confirm(
    State(app): State<App>,
    caller: Caller,
    NoQuery(body): NoQuery<Confirmation>,
) -> Result<Response, ApiError> {
    let confirmed = app.accounts.confirm_registration(&body.token, caller.context()).await?;
    let location = format!("/shop/api/customer/{}/", confirmed.customer_id);
    Ok((StatusCode::CREATED, [("location", location)], Json(confirmed)).into_response())
}

/// Logs in
#[utoipa::path(post, path = "/auth/login", tag = "accounts", security(()), request_body = Login,
    responses((status = 200, body = TokenPair), (status = 401, body = Problem)))]
pub async fn log_in(
    State(app): State<App>,
    client: ClientInfo,
    NoQuery(body): NoQuery<Login>,
) -> Result<Response, ApiError> {
    app.edge.rate_limits.per_account(&body.email)?;
    let tokens = app.accounts.log_in(&body.email, &body.password, &client).await?;
    let cart_merged = match body.cart_token {
        Some(cart_token) => Some(take_along(&app, &tokens, cart_token).await?),
        None => None,
    };
    Ok(pair(tokens, cart_merged))
}

/// Merges a guest's cart into that of a customer who has just logged in. A cart that cannot be taken along, because it is
/// unknown, ordered, or too much together, keeps nobody from logging in.
async fn take_along(app: &App, tokens: &Tokens, cart_token: Uuid) -> Result<bool, ApiError> {
    let Some(customer_id) = tokens.identity.customer_id else { return Ok(false) };
    let caller = Caller::of_account(tokens.identity);
    let merge = MergeCarts { customer_id, cart_token, mode: MergeMode::Sum };
    match app.run(merge, caller.context()).await {
        Ok(_) => Ok(true),
        Err(refused) if refused.is_client_error() => Ok(false),
        Err(error) => Err(error),
    }
}

/// The next tokens of a session
#[utoipa::path(post, path = "/auth/refresh", tag = "accounts", security(()), request_body = Refresh,
    responses((status = 200, body = TokenPair), (status = 401, body = Problem)))]
pub async fn refresh(
    State(app): State<App>,
    client: ClientInfo,
    NoQuery(body): NoQuery<Refresh>,
) -> Result<Response, ApiError> {
    Ok(pair(app.accounts.refresh_session(&body.refresh_token, &client).await?, None))
}

/// Ends a session
#[utoipa::path(post, path = "/auth/logout", tag = "accounts", security((), ("bearer" = ["user"])), request_body = Logout,
    responses((status = 204), (status = 401, body = Problem)))]
pub async fn log_out(
    State(app): State<App>,
    caller: Caller,
    client: ClientInfo,
    NoQuery(body): NoQuery<Logout>,
) -> Result<StatusCode, ApiError> {
    match body.refresh_token {
        Some(refresh_token) => app.accounts.log_out_by_token(&refresh_token, &client).await?,
        None => {
            let identity = caller.identity()?;
            let Credential::Session(session_id) = identity.credential else {
                return Err(ApiError::invalid_field("Authorization", "is an API key, which has no session"));
            };
            app.accounts.log_out(session_id, identity.account_id, &client).await?;
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Changes the password; every other session ends
#[utoipa::path(post, path = "/auth/password", tag = "accounts", security(("bearer" = ["user"])),
    request_body = PasswordChange, responses((status = 200, body = TokenPair), (status = 401, body = Problem)))]
pub async fn change_password(
    State(app): State<App>,
    caller: Caller,
    client: ClientInfo,
    NoQuery(body): NoQuery<PasswordChange>,
) -> Result<Response, ApiError> {
    let identity = caller.identity()?;
    let Credential::Session(_) = identity.credential else { return Err(ApiError::forbidden()) };
    app.edge.rate_limits.per_account(&format!("account/{}", identity.account_id))?;
    let PasswordChange { current_password, new_password } = body;
    let changed =
        app.accounts.change_password(identity.account_id, &current_password, &new_password, caller.context(), &client);
    Ok(pair(changed.await?, None))
}

/// Asks for a mailed link to choose another password
#[utoipa::path(post, path = "/auth/reset", tag = "accounts", security(()), request_body = ResetRequest,
    responses((status = 202, body = MailOnItsWay)))]
pub async fn ask_for_reset(
    State(app): State<App>,
    client: ClientInfo,
    NoQuery(body): NoQuery<ResetRequest>,
) -> Result<(StatusCode, Json<MailOnItsWay>), ApiError> {
    app.edge.rate_limits.per_recipient(body.email.as_str())?;
    app.accounts.request_mail(MailRequest::Reset { email: body.email }, &client).await?;
    Ok(on_its_way())
}

/// Chooses another password, with the token of the mailed link; every session ends
#[utoipa::path(post, path = "/auth/reset/confirm", tag = "accounts", security(()), request_body = Reset,
    responses((status = 204)))]
pub async fn reset_password(
    State(app): State<App>,
    caller: Caller,
    client: ClientInfo,
    NoQuery(body): NoQuery<Reset>,
) -> Result<StatusCode, ApiError> {
    app.accounts.reset_password(&body.token, &body.new_password, caller.context(), &client).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whose token it is
#[utoipa::path(get, path = "/auth/me", tag = "accounts", security(("bearer" = ["user"])),
    responses((status = 200, body = Me)))]
pub async fn me(caller: Caller) -> Result<Json<Me>, ApiError> {
    let identity = caller.identity()?;
    let customer_id = identity.customer_id.map(|customer_id| customer_id.0);
    Ok(Json(Me { account_id: identity.account_id.0, role: identity.role, customer_id }))
}

fn pair(tokens: Tokens, cart_merged: Option<bool>) -> Response {
    let pair = TokenPair {
        access_token: tokens.access_token,
        refresh_token: tokens.refresh_token.expose().to_owned(),
        expires_in: ACCESS_TOKEN_LIFE.as_secs(),
        cart_merged,
    };
    ([(CACHE_CONTROL, "no-store")], Json(pair)).into_response()
}

fn on_its_way() -> (StatusCode, Json<MailOnItsWay>) {
    (StatusCode::ACCEPTED, Json(MailOnItsWay { detail: "a mail is on its way, if the address is right" }))
}
