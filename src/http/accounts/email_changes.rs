//! The e-mail address of an account: requested with the password, confirmed with a mailed link.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::NO_KEY;
use super::auth::{Confirmation, MailAccepted, mail_accepted};
use crate::accounts::{ClientInfo, Credential};
use crate::domain::text::Email;
use crate::http::App;
use crate::http::wire::body::{PlainBody, body};
use crate::http::wire::caller::Caller;
use crate::http::wire::error::{ApiError, Problem};

body! {
    /// A new e-mail address for an account, and the current password.
    #[schema(examples(json!({ "email": "jo.miller@example.com", "password": "correct horse battery" })))]
    pub struct EmailChange {
        pub email: Email,
        #[schema(format = Password)]
        pub password: String,
    }
}

/// Request another e-mail address; a link mailed to it confirms it
///
/// The present address gets a notice. The address changes when the link is used; until then everything stays as it is.
/// A later request replaces an earlier one. The response does not reveal whether another account has the address.
#[utoipa::path(post, path = "/auth/email", tag = "accounts", security(("bearer" = ["user"])),
    request_body = EmailChange, responses((status = 202, body = MailAccepted), (status = 401, body = Problem)))]
pub async fn request_email_change(
    State(app): State<App>,
    caller: Caller,
    client: ClientInfo,
    PlainBody(body): PlainBody<EmailChange>,
) -> Result<(StatusCode, Json<MailAccepted>), ApiError> {
    let identity = caller.identity()?;
    let Credential::Session(session_id) = identity.credential else { return Err(ApiError::forbidden(NO_KEY)) };
    app.edge.rate_limits.per_account(&format!("account/{}", identity.account_id))?;
    let owner = app.accounts.prove_owner(identity.account_id, &body.password, &client).await?;
    for recipient in [body.email.as_str(), owner.email()] {
        app.edge.rate_limits.per_recipient(recipient)?;
    }
    app.accounts.request_email_change(&owner, &body.email, session_id, &client).await?;
    Ok(mail_accepted())
}

/// Confirm a new e-mail address with the token of the mailed link; ends all other sessions
#[utoipa::path(post, path = "/auth/email/confirm", tag = "accounts", security(()), request_body = Confirmation,
    responses((status = 204), (status = 409, body = Problem)))]
pub async fn confirm_email_change(
    State(app): State<App>,
    caller: Caller,
    client: ClientInfo,
    PlainBody(body): PlainBody<Confirmation>,
) -> Result<StatusCode, ApiError> {
    app.accounts.confirm_email_change(&body.token, caller.context(), &client).await?;
    Ok(StatusCode::NO_CONTENT)
}
