//! Uploads: commands whose body is a multipart form with one picture.

use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::StatusCode;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::files::MAX_PICTURE_BYTES;
use crate::http::wire::command::CommandHead;
use crate::http::wire::error::{ApiError, FieldError};
use crate::http::wire::input::UNKNOWN_FIELD;
use crate::http::wire::snapshot::RouterState;
use crate::journal::Context;

/// A command with a picture.
pub struct Upload {
    pub content: Vec<u8>,
    pub context: Context,
}

/// A form with a picture.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes the body for OpenAPI")]
pub struct PictureForm {
    /// A JPEG, PNG or WebP picture of at most 10 MiB, 40 million pixels and 12,000 pixels on each side, recognised by its
    /// content. Metadata is removed, and the orientation applied.
    #[schema(value_type = String, format = Binary)]
    image: Vec<u8>,
}

const FIELD: &str = "image";

impl FromRequest<RouterState> for Upload {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &RouterState) -> Result<Self, ApiError> {
        let head = CommandHead::of(&request)?;
        let form = Multipart::from_request(request, app).await.map_err(|_| {
            let detail = "the body must be a form, with the header Content-Type: multipart/form-data and its boundary";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            ApiError::new(status, "unsupported_media_type", "Unsupported media type", detail)
        })?;
        let content = read_form(form).await?;
        // The boundary is another one each time that the same form is sent.
        let context = head.context(app, &Sha256::digest(&content))?;
        Ok(Self { content, context })
    }
}

/// The only field of the form. Every other field is named in the error.
async fn read_form(mut form: Multipart) -> Result<Vec<u8>, ApiError> {
    let mut content = None;
    let mut errors = Vec::new();
    while let Some(field) = form.next_field().await.map_err(|error| explain(&error))? {
        let name = field.name().unwrap_or_default().to_owned();
        let message = match name.as_str() {
            FIELD if content.is_none() => {
                let bytes = field.bytes().await.map_err(|error| explain(&error))?;
                if bytes.len() > MAX_PICTURE_BYTES {
                    return Err(too_large());
                }
                content = Some(bytes.to_vec());
                continue;
            }
            FIELD => "must be given once",
            _ => UNKNOWN_FIELD,
        };
        if errors.len() < 100 {
            errors.push(FieldError { field: name, message: message.to_owned() });
        }
    }
    match content {
        Some(content) if errors.is_empty() => Ok(content),
        Some(_) => Err(ApiError::invalid(errors)),
        None => {
            errors.push(FieldError { field: FIELD.to_owned(), message: "is required".to_owned() });
            Err(ApiError::invalid(errors))
        }
    }
}

fn too_large() -> ApiError {
    let detail = "the picture is larger than 10 MiB";
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", "Payload too large", detail)
}

fn explain(error: &MultipartError) -> ApiError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => ApiError::invalid_field("body", "must be a complete multipart form"),
    }
}
