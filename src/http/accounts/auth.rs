//! Registration, login and passwords: what an account's owner does with it.
//!
//! No response reveals whether an e-mail address has an account. Registration and password reset respond before the
//! account is looked up.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::NO_KEY;
use crate::accounts::{ACCESS_TOKEN_LIFE, ClientInfo, Credential, MailRequest, Password, Tokens};
use crate::domain::account::Role;
use crate::domain::cart::MergeMode;
use crate::domain::text::{Email, LastName, Name};
use crate::http::App;
use crate::http::wire::body::{PlainBody, body};
use crate::http::wire::caller::Caller;
use crate::http::wire::error::{ApiError, Problem};
use crate::shop::{CustomerRef, MergeCarts};

body! {
    /// A registration; the password is chosen with the mailed link that confirms it.
    #[schema(examples(json!({ "first_name": "Jo", "last_name": "Miller", "email": "jo@example.com" })))]
    pub struct Registration {
        pub first_name: Name,
        /// Absent or empty for a person with one name.
        pub last_name: Option<LastName>,
        pub email: Email,
        /// Always refused.
        #[schema(ignore)]
        pub password: Option<PasswordAtLink>,
    }
}

/// Refuses a password in a registration, and says where it belongs.
#[derive(Deserialize)]
#[serde(try_from = "serde_json::Value")]
pub enum PasswordAtLink {}

impl TryFrom<serde_json::Value> for PasswordAtLink {
    type Error = &'static str;

    fn try_from(_: serde_json::Value) -> Result<Self, Self::Error> {
        Err("is not a field of this request: it is chosen with the mailed link, at auth/register/confirm/")
    }
}

body! {
    /// The token of the link that was mailed for a registration, and the password of the new account.
    #[schema(examples(json!({ "token": "4Zk1b0m9", "password": "correct horse battery" })))]
    pub struct RegistrationConfirmation {
        pub token: String,
        pub password: Password,
    }
}

body! {
    /// Credentials of an account.
    #[schema(examples(json!({ "email": "jo@example.com", "password": "correct horse battery" })))]
    pub struct Login {
        pub email: String,
        #[schema(format = Password)]
        pub password: String,
        /// Token of a guest's cart to merge into the customer's cart; quantities of the same product are added.
        pub cart_token: Option<Uuid>,
    }
}

body! {
    /// The refresh token of a session; it can be used once.
    #[schema(examples(json!({ "refresh_token": "srt_4Zk1b0m9" })))]
    pub struct Refresh {
        pub refresh_token: String,
    }
}

body! {
    /// The session to end; without a refresh token, the session of the access token.
    #[schema(examples(json!({ "refresh_token": "srt_4Zk1b0m9" })))]
    pub struct Logout {
        pub refresh_token: Option<String>,
    }
}

body! {
    /// The current password and a new password.
    #[schema(examples(json!({ "current_password": "correct horse battery", "new_password": "staple battery horse" })))]
    pub struct PasswordChange {
        #[schema(format = Password)]
        pub current_password: String,
        pub new_password: Password,
    }
}

body! {
    /// The e-mail address of an account whose password is to be reset.
    #[schema(examples(json!({ "email": "jo@example.com" })))]
    pub struct ResetRequest {
        pub email: Email,
    }
}

body! {
    /// The token of a mailed link.
    #[schema(examples(json!({ "token": "4Zk1b0m9" })))]
    pub struct Confirmation {
        pub token: String,
    }
}

body! {
    /// The token of a mailed link, and a new password.
    #[schema(examples(json!({ "token": "4Zk1b0m9", "new_password": "staple battery horse" })))]
    pub struct Reset {
        pub token: String,
        pub new_password: Password,
    }
}

/// The tokens of a session.
#[derive(Serialize, ToSchema)]
pub struct TokenPair {
    /// For `Authorization: Bearer …`.
    pub access_token: String,
    /// For the next pair of tokens; it can be used once.
    pub refresh_token: String,
    /// Seconds until the access token expires.
    pub expires_in: u64,
    /// Whether the guest's cart was merged; absent if the login named no cart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cart_merged: Option<bool>,
}

/// The same response whether or not the account exists.
#[derive(Serialize, ToSchema)]
pub struct MailAccepted {
    pub detail: &'static str,
}

/// The account of a token or API key.
#[derive(Serialize, ToSchema)]
pub struct Me {
    pub account_id: i64,
    pub role: Role,
    /// `null` for staff.
    pub customer_id: Option<i64>,
}

/// Request a registration; a mailed link confirms it
///
/// The password is chosen with the link, so that only the owner of the mailbox can log in.
#[utoipa::path(post, path = "/auth/register", tag = "accounts", security(()), request_body = Registration,
    responses((status = 202, body = MailAccepted)))]
pub async fn register(
    State(app): State<App>,
    client: ClientInfo,
    PlainBody(body): PlainBody<Registration>,
) -> Result<(StatusCode, Json<MailAccepted>), ApiError> {
    let Registration { first_name, last_name, email, password: None } = body;
    app.edge.rate_limits.per_recipient(email.as_str())?;
    let last_name = last_name.unwrap_or_default();
    app.accounts.request_mail(MailRequest::Register { first_name, last_name, email }, &client).await?;
    Ok(mail_accepted())
}

/// Confirm a registration with the token of the mailed link; creates the customer and the account
#[utoipa::path(post, path = "/auth/register/confirm", tag = "accounts", security(()), request_body = RegistrationConfirmation,
    responses((status = 201, body = CustomerRef)))]
pub async fn confirm_registration(
    State(app): State<App>,
    caller: Caller,
    PlainBody(body): PlainBody<RegistrationConfirmation>,
) -> Result<Response, ApiError> {
    let confirmed = app.accounts.confirm_registration(&body.token, &body.password, caller.context()).await?;
    let location = format!("/shop/api/customer/{}/", confirmed.customer_id);
    Ok((StatusCode::CREATED, [("location", location)], Json(confirmed)).into_response())
}

/// Log in
#[utoipa::path(post, path = "/auth/login", tag = "accounts", security(()), request_body = Login,
    responses((status = 200, body = TokenPair), (status = 401, body = Problem)))]
pub async fn log_in(
    State(app): State<App>,
    client: ClientInfo,
    PlainBody(body): PlainBody<Login>,
) -> Result<Response, ApiError> {
    app.edge.rate_limits.per_account(&body.email)?;
    let tokens = app.accounts.log_in(&body.email, &body.password, &client).await?;
    let cart_merged = match body.cart_token {
        Some(cart_token) => Some(merge_guest_cart(&app, &tokens, cart_token).await?),
        None => None,
    };
    Ok(token_pair(tokens, cart_merged))
}

/// Merges a guest's cart into the cart of a customer who has just logged in; returns whether it was merged.
///
/// A cart that cannot be merged (unknown, checked out, too many items) does not prevent the login.
async fn merge_guest_cart(app: &App, tokens: &Tokens, cart_token: Uuid) -> Result<bool, ApiError> {
    let Some(customer_id) = tokens.identity.customer_id else { return Ok(false) };
    let caller = Caller::of_account(tokens.identity);
    let merge = MergeCarts { customer_id, guest_cart: app.guest_cart(cart_token), mode: MergeMode::Sum };
    match app.run(merge, caller.context()).await {
        Ok(_) => Ok(true),
        Err(refused) if refused.is_client_error() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Exchange a refresh token for a new pair of tokens
#[utoipa::path(post, path = "/auth/refresh", tag = "accounts", security(()), request_body = Refresh,
    responses((status = 200, body = TokenPair), (status = 401, body = Problem)))]
pub async fn refresh_session(
    State(app): State<App>,
    client: ClientInfo,
    PlainBody(body): PlainBody<Refresh>,
) -> Result<Response, ApiError> {
    Ok(token_pair(app.accounts.refresh_session(&body.refresh_token, &client).await?, None))
}

/// Log out: end a session
#[utoipa::path(post, path = "/auth/logout", tag = "accounts", security((), ("bearer" = ["user"])), request_body = Logout,
    responses((status = 204), (status = 401, body = Problem)))]
pub async fn log_out(
    State(app): State<App>,
    caller: Caller,
    client: ClientInfo,
    PlainBody(body): PlainBody<Logout>,
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

/// Change the password; ends all other sessions
#[utoipa::path(post, path = "/auth/password", tag = "accounts", security(("bearer" = ["user"])),
    request_body = PasswordChange, responses((status = 200, body = TokenPair), (status = 401, body = Problem)))]
pub async fn change_password(
    State(app): State<App>,
    caller: Caller,
    client: ClientInfo,
    PlainBody(body): PlainBody<PasswordChange>,
) -> Result<Response, ApiError> {
    let identity = caller.identity()?;
    let Credential::Session(_) = identity.credential else { return Err(ApiError::forbidden(NO_KEY)) };
    app.edge.rate_limits.per_account(&format!("account/{}", identity.account_id))?;
    let PasswordChange { current_password, new_password } = body;
    let changed =
        app.accounts.change_password(identity.account_id, &current_password, &new_password, caller.context(), &client);
    Ok(token_pair(changed.await?, None))
}

/// Request a mailed link to reset the password
#[utoipa::path(post, path = "/auth/reset", tag = "accounts", security(()), request_body = ResetRequest,
    responses((status = 202, body = MailAccepted)))]
pub async fn request_password_reset(
    State(app): State<App>,
    client: ClientInfo,
    PlainBody(body): PlainBody<ResetRequest>,
) -> Result<(StatusCode, Json<MailAccepted>), ApiError> {
    app.edge.rate_limits.per_recipient(body.email.as_str())?;
    app.accounts.request_mail(MailRequest::Reset { email: body.email }, &client).await?;
    Ok(mail_accepted())
}

/// Reset the password with the token of the mailed link; ends all sessions
#[utoipa::path(post, path = "/auth/reset/confirm", tag = "accounts", security(()), request_body = Reset,
    responses((status = 204)))]
pub async fn reset_password(
    State(app): State<App>,
    caller: Caller,
    client: ClientInfo,
    PlainBody(body): PlainBody<Reset>,
) -> Result<StatusCode, ApiError> {
    app.accounts.reset_password(&body.token, &body.new_password, caller.context(), &client).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The account of the access token or API key
#[utoipa::path(get, path = "/auth/me", tag = "accounts", security(("bearer" = ["user"])),
    responses((status = 200, body = Me)))]
pub async fn find_own_account(caller: Caller) -> Result<Json<Me>, ApiError> {
    let identity = caller.identity()?;
    let customer_id = identity.customer_id.map(|customer_id| customer_id.0);
    Ok(Json(Me { account_id: identity.account_id.0, role: identity.role, customer_id }))
}

fn token_pair(tokens: Tokens, cart_merged: Option<bool>) -> Response {
    let pair = TokenPair {
        access_token: tokens.access_token.expose().to_owned(),
        refresh_token: tokens.refresh_token.expose().to_owned(),
        expires_in: ACCESS_TOKEN_LIFE.as_secs(),
        cart_merged,
    };
    ([(CACHE_CONTROL, "no-store")], Json(pair)).into_response()
}

pub(super) fn mail_accepted() -> (StatusCode, Json<MailAccepted>) {
    (StatusCode::ACCEPTED, Json(MailAccepted { detail: "if the address is valid, a mail will arrive soon" }))
}
