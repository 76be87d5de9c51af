//! The OpenAPI document: its head, and its completion after the routes are known.

use utoipa::openapi::Server;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi, PartialSchema, ToSchema};

use crate::domain::discount::DiscountCode;
use crate::domain::ids::{AccountId, AddressId, CategoryId, CustomerId, ImageId, OrderId, ProductId, WebhookId};
use crate::http::wire::{parameters, responses};

#[derive(OpenApi)]
#[openapi(
    modifiers(&Bearer),
    components(schemas(AccountId, AddressId, CategoryId, CustomerId, DiscountCode, ImageId, OrderId, ProductId, WebhookId)),
    info(title = "Cartwright", description = "An event-sourced web shop.\n\n\
        To log in, call `POST /shop/api/auth/login`, and send its `access_token` as `Authorization: Bearer …`; \
        `POST /shop/api/auth/refresh` renews it. Programs use an API key in the same header.\n\n\
        Responses carry positions of the event log: `Journal-Position` after a command, `Projection-Position` on a read. \
        A read waits for the caller's own commands, and for `Min-Position`. \
        Reads of a single resource carry an `ETag`; `If-None-Match` with it gives 304.\n\n\
        Every error is a problem document (RFC 9457); its `type` is the path of a page of this server that explains it, \
        and `/problems` lists all. `GET /shop/api/event-types` describes the events of the log and of webhooks."),
    tags(
        (name = "accounts", description = "Login, accounts, roles and API keys"),
        (name = "catalogue", description = "Products, categories and stock"),
        (name = "customers", description = "Customers, their addresses and data export"),
        (name = "carts", description = "Customers' and guests' carts, and checkout"),
        (name = "pricing", description = "Shipping fees, taxes and discounts"),
        (name = "orders", description = "Orders: payment, shipping, returns and refunds"),
        (name = "payments", description = "Payment methods and provider notifications"),
        (name = "statistics", description = "Statistics, all at the same position of the log"),
        (name = "log", description = "The event log, and histories of single resources"),
        (name = "webhooks", description = "Delivery of events to external URLs"),
        (name = "operation", description = "Projections, reactions, scheduled tasks, health and metrics"),
    )
)]
pub struct Document;

/// Access tokens and API keys.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("An access token or an API key."))
            .build();
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// An event that a command would append.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes the answer for OpenAPI")]
struct PlannedEvent {
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    payload: serde_json::Value,
}

/// The events of a dry run, in addition to the command's own response.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes the answer for OpenAPI")]
pub(super) struct DryRun {
    events: Vec<PlannedEvent>,
}

/// The events of a dry run; the answer to the command itself has none.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes the answer for OpenAPI")]
pub(super) struct PossibleDryRun {
    /// Only in the answer to a dry run.
    #[schema(nullable = false)]
    events: Option<Vec<PlannedEvent>>,
}

/// Completes the document: what layers add to every route, and one definition of what routes share.
pub fn complete(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    responses::complete(&mut document);
    parameters::share(&mut document);
    document.servers = Some(vec![Server::new("/")]);
    let schemas = &mut document.components.get_or_insert_default().schemas;
    schemas.insert(DryRun::name().into_owned(), DryRun::schema());
    schemas.insert(PossibleDryRun::name().into_owned(), PossibleDryRun::schema());
    schemas.insert(PlannedEvent::name().into_owned(), PlannedEvent::schema());
    document
}

/// Every operation of the document, with its path.
pub(super) fn operations(document: &mut utoipa::openapi::OpenApi) -> impl Iterator<Item = (&str, &mut Operation)> {
    document.paths.paths.iter_mut().flat_map(|(path, item)| {
        let PathItem { get, put, post, delete, patch, .. } = item;
        [get, put, post, delete, patch].into_iter().flatten().map(|operation| (path.as_str(), operation))
    })
}
