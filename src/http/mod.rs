//! The shop over HTTP, and the only room that knows axum.
//!
//! A handler takes typed input, builds a command or runs a query, calls, answers. Commands go to the journal, queries
//! to read tables; what holds for all of them (errors, consistency, headers) is in the modules beside the handlers.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use axum::{Router, middleware};
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::Layer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::normalize_path::NormalizePathLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use crate::accounts::Accounts;
use crate::journal::Journal;
use crate::payments::Payments;
use crate::projector::Projector;
use crate::shop::PaymentPolicy;

mod access;
mod address;
mod addresses;
mod auth;
mod body;
mod carts;
mod catalogue;
mod checkout;
mod command;
mod connections;
mod consistency;
mod cors;
mod customers;
mod description;
mod discounts;
mod edge;
mod error;
mod events;
mod export;
mod fallbacks;
mod format;
mod history;
mod json;
mod limits;
mod operations;
mod order_moves;
mod order_summary;
mod orders;
mod page;
mod pages;
mod patience;
mod payments;
mod pricing;
mod reactions;
mod recipients;
mod request;
mod statistics;
mod users;
mod webhooks;

pub use address::{ClientAddress, TrustedProxies};
pub use connections::ConnectionLimits;
pub use cors::Origins;
pub use edge::Edge;
pub use error::ApiError;
pub use limits::Limits;

use access::Rules;
use consistency::RecentWrites;

/// What every handler can reach. Cheap to clone, because each layer and handler of a request does.
#[derive(Clone)]
pub struct Shop(Arc<Parts>);

pub struct Parts {
    journal: Journal,
    projector: Projector,
    accounts: Accounts,
    payments: Payments,
    /// For reads; `search_path` names the read tables.
    pool: PgPool,
    recent_writes: RecentWrites,
    edge: Edge,
    payment_policy: PaymentPolicy,
    metrics: Option<PrometheusHandle>,
    /// Becomes true when the server is to stop; open streams end then.
    stopping: watch::Receiver<bool>,
}

/// What the operator decides.
#[derive(Clone, Default)]
pub struct Settings {
    pub edge: Edge,
    pub payments: Payments,
    pub payment_policy: PaymentPolicy,
}

impl Deref for Shop {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Shop {
    /// Open streams end when `stopping` becomes true.
    pub fn new(
        journal: Journal,
        projector: Projector,
        accounts: Accounts,
        pool: PgPool,
        settings: Settings,
        metrics: Option<PrometheusHandle>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let recent_writes = RecentWrites::default();
        let Settings { edge, payment_policy, payments } = settings;
        Self(Arc::new(Parts {
            journal,
            projector,
            accounts,
            payments,
            pool,
            recent_writes,
            edge,
            payment_policy,
            metrics,
            stopping,
        }))
    }

    async fn stopping(&self) {
        // A sender that is gone cannot tell any more, and the server is ending anyway.
        let _ = self.stopping.clone().wait_for(|stopping| *stopping).await;
    }
}

/// A request that takes longer is answered with 503. It is longer than any wait inside, so that those answer first.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const BODY_LIMIT_BYTES: usize = 1024 * 1024;
/// How long requests are still taken when the shop is to stop: those that are on their way reach it within this time.
const FAREWELL: Duration = Duration::from_millis(250);

#[derive(OpenApi)]
#[openapi(
    modifiers(&Bearer),
    info(title = "Cartwright", description = "An event-sourced shop."),
    tags(
        (name = "accounts", description = "Who somebody is, and what they may do"),
        (name = "catalogue", description = "Products, categories and stock"),
        (name = "customers", description = "People who buy"),
        (name = "carts", description = "Customers' and guests' carts, and checkout"),
        (name = "pricing", description = "Shipping fees, taxes and discounts"),
        (name = "orders", description = "Orders and their life"),
        (name = "payments", description = "What providers of payments say"),
        (name = "statistics", description = "Figures from the log, all at one position"),
        (name = "log", description = "Every change, in order"),
        (name = "webhooks", description = "Who outside is told of events"),
        (name = "operation", description = "Running the shop"),
    )
)]
struct Description;

/// Access tokens and API keys.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// Every route of the shop. Each path answers with and without a trailing slash.
pub fn router(shop: Shop) -> Router {
    let api = OpenApiRouter::new()
        // accounts
        .routes(routes!(auth::register))
        .routes(routes!(auth::log_in))
        .routes(routes!(auth::change_password))
        .routes(routes!(auth::ask_for_reset))
        // Above are guesses at who has an account, and what the password is.
        .layer(middleware::from_fn_with_state(shop.edge.limits.clone(), limits::strict))
        .routes(routes!(auth::confirm))
        .routes(routes!(auth::refresh))
        .routes(routes!(auth::log_out))
        .routes(routes!(auth::reset_password))
        .routes(routes!(auth::me))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::find, users::change))
        .routes(routes!(users::list_keys, users::create_key))
        .routes(routes!(users::revoke_key))
        .routes(routes!(users::audit))
        // catalogue
        .routes(routes!(catalogue::list_products, catalogue::create_product))
        .routes(routes!(catalogue::find_product, catalogue::change_product, catalogue::delete_product))
        .routes(routes!(catalogue::adjust_stock))
        .routes(routes!(catalogue::list_categories, catalogue::create_category))
        .routes(routes!(catalogue::rename_category, catalogue::delete_category))
        // customers
        .routes(routes!(customers::register))
        .routes(routes!(customers::find, customers::change, customers::erase))
        .routes(routes!(customers::list_orders))
        .routes(routes!(export::find))
        .routes(routes!(addresses::list, addresses::add))
        .routes(routes!(addresses::change, addresses::remove))
        // carts
        .routes(routes!(carts::find, carts::empty))
        .routes(routes!(carts::add_item))
        .routes(routes!(carts::set_item, carts::remove_item))
        .routes(routes!(checkout::check_out))
        .routes(routes!(carts::merge))
        .routes(routes!(carts::open_guest_cart))
        .routes(routes!(carts::find_guest_cart, carts::empty_guest_cart))
        .routes(routes!(carts::add_guest_item))
        .routes(routes!(carts::set_guest_item, carts::remove_guest_item))
        .routes(routes!(checkout::check_out_guest))
        .routes(routes!(checkout::find_guests_order))
        .routes(routes!(checkout::pay_guests_order))
        // pricing
        .routes(routes!(pricing::find_fees, pricing::change_fees))
        .routes(routes!(pricing::find_rates, pricing::change_rates))
        .routes(routes!(discounts::list, discounts::create))
        .routes(routes!(discounts::find, discounts::change, discounts::end))
        // orders
        .routes(routes!(orders::list, orders::place))
        .routes(routes!(orders::find_lines))
        .routes(routes!(order_summary::find))
        .routes(routes!(checkout::erase_contact))
        .routes(routes!(order_moves::process))
        .routes(routes!(order_moves::pay))
        .routes(routes!(order_moves::ship))
        .routes(routes!(order_moves::deliver))
        .routes(routes!(order_moves::cancel))
        .routes(routes!(order_moves::take_back))
        .routes(routes!(order_moves::refund))
        .routes(routes!(order_moves::list))
        // payments
        .routes(routes!(payments::list_methods))
        .routes(routes!(payments::take_notice))
        // statistics
        .routes(routes!(statistics::bestsellers))
        .routes(routes!(statistics::low_stock))
        .routes(routes!(statistics::customer_stats))
        .routes(routes!(statistics::category_stats))
        .routes(routes!(statistics::sales))
        .routes(routes!(statistics::never_ordered))
        .routes(routes!(statistics::abandoned_carts))
        // Above are reads of read tables; below, of the log itself and of what is said about them.
        .layer(middleware::from_fn_with_state(shop.clone(), consistency::settle))
        // log
        .routes(routes!(events::list))
        .routes(routes!(history::of_order))
        .routes(routes!(history::of_product))
        .routes(routes!(history::of_customer))
        .routes(routes!(history::of_cart))
        .routes(routes!(history::of_account))
        // operation
        .routes(routes!(operations::list_projections))
        .routes(routes!(operations::rebuild_projection))
        .routes(routes!(operations::list_tasks))
        .routes(routes!(operations::run_task))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::find, webhooks::change, webhooks::remove))
        .routes(routes!(webhooks::rotate_secret))
        .routes(routes!(webhooks::list_deliveries))
        .routes(routes!(webhooks::redeliver))
        .routes(routes!(reactions::list_reactors))
        .routes(routes!(reactions::list))
        .routes(routes!(reactions::retry))
        .routes(routes!(reactions::drop_one))
        .routes(routes!(reactions::decisions))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIMEOUT))
        // An open stream has no time limit.
        .routes(routes!(events::stream));
    let (router, description) = OpenApiRouter::with_openapi(Description::openapi())
        .nest("/shop/api", api)
        .routes(routes!(operations::live))
        .routes(routes!(operations::ready))
        .routes(routes!(operations::metrics))
        .split_for_parts();
    let rules = Rules::of(&description);
    let router = router
        .layer(middleware::from_fn_with_state((shop.clone(), rules), access::check))
        .fallback(fallbacks::not_found)
        .with_state(shop.clone());
    // The page of the description knows its own slashes; everything else answers with and without one.
    let router = Router::new()
        .merge(pages::router())
        .merge(SwaggerUi::new("/docs").url("/openapi.json", description::complete(description)))
        .fallback_service(NormalizePathLayer::trim_trailing_slash().layer(router))
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .layer(CatchPanicLayer::custom(fallbacks::panicked));
    shop.edge
        .around(router)
        .layer(middleware::from_fn(request::trace))
        .layer(middleware::from_fn_with_state(shop.clone(), say_farewell))
}

/// Serves the shop until it is told to stop; requests under way, and those that were sent by then, are finished first.
///
/// A graceful shutdown closes connections that look idle, even if a request waits in their buffers, and turns away
/// connections that nobody has taken up yet. So it begins a moment later, when every client with something to say has
/// said it and was told to go.
pub async fn serve(listener: TcpListener, shop: Shop) -> std::io::Result<()> {
    let stopping = shop.clone();
    let farewell = async move {
        stopping.stopping().await;
        tokio::time::sleep(FAREWELL).await;
    };
    connections::serve(listener, router(shop.clone()), &shop.edge, farewell).await
}

/// Tells a client that its connection ends with this answer, when the shop is to stop.
async fn say_farewell(State(shop): State<Shop>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if *shop.stopping.borrow() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
