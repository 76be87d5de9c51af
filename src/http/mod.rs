//! The shop over HTTP. Only this room and `admin`, which it serves, know axum.
//!
//! This file shows every route: one function per noun, each with its own layers. `edge/` is what happens before the
//! router, `wire/` is what all routes share, and the other files are handlers. A handler reads typed input, builds a
//! command or runs a query, calls it, and answers.

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use tokio::net::TcpListener;
use tower::Layer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::normalize_path::NormalizePathLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

mod accounts;
mod admin_pages;
mod app;
mod carts;
mod categories;
mod category_stats;
mod checkout;
mod customers;
mod discounts;
mod edge;
mod erasures;
mod event_types;
mod events;
mod families;
mod history;
mod low_stock;
mod media;
mod metadata;
mod operations;
mod orders;
mod pages;
mod payments;
mod pricing;
mod problem_pages;
mod products;
mod ranks;
mod reactions;
mod sales;
mod settings;
mod statistics;
mod stock_movements;
mod webhooks;
mod wire;

pub use app::{App, AppSettings};
pub use edge::Edge;
pub use edge::client_address::{ClientAddress, TrustedProxies};
pub use edge::connections::ConnectionLimits;
pub use edge::cors::AllowedOrigins;
pub use edge::rate_limits::RateLimits;
pub use products::bulk::read_product_row;
pub use wire::error::ApiError;
pub use wire::input::UNKNOWN_FIELD;
pub use wire::json_input::from_json;
pub use wire::response_cache::ResponseCacheLimits;
pub use wire::whole_list::WholeListLimits;

use accounts::{auth, email_changes, keys, sessions, users};
use customers::{addresses, export, list as customer_list, wishlist};
use edge::drain::DRAIN_DELAY;
use edge::rate_limits::per_credential_source;
use orders::{guest, list as order_list, moves, recipients, short, summary};
use products::{bulk, facets, groups, images, list as product_list};
use wire::access::{Rules, check_access, least_roles};
use wire::consistency::{explain_unfit_queries, read_your_writes, refuse_malformed_position};
use wire::json_lines::ROWS_BODY_BYTES;
use wire::negotiation::{Offers, negotiate};
use wire::openapi::Document;
use wire::query::{QueryParameters, refuse_unknown_parameters};
use wire::snapshot::RouterState;
use wire::unchanged::answer_unchanged;
use wire::{body, fallbacks, openapi, responses};

use crate::files::MAX_PICTURE_BYTES;

/// A request that takes longer is refused with 503. Longer than every wait inside a handler, so that those end first.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const BODY_LIMIT_BYTES: usize = 1024 * 1024;
/// A picture and what surrounds it in a multipart body.
const UPLOAD_LIMIT_BYTES: usize = MAX_PICTURE_BYTES + 64 * 1024;
/// 10 MiB at 1.5 Mbit/s.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(60);

type Routes = OpenApiRouter<RouterState>;

/// Every route of the shop. Each path answers with and without a trailing slash.
pub fn router(app: App) -> Router {
    let api = [
        accounts(&app),
        products(&app),
        families(&app),
        categories(&app),
        customers(&app),
        carts(&app),
        pricing(&app),
        settings(&app),
        orders(&app),
        payments(&app),
        statistics(&app),
        log(),
        event_stream(),
        operation(),
        webhooks(),
        reactions(),
    ];
    let api = api.into_iter().fold(Routes::new(), Routes::merge);
    let (router, document) = Routes::with_openapi(Document::openapi())
        .nest("/shop/api", api)
        .merge(media::routes())
        .merge(health())
        .split_for_parts();
    let roles = least_roles(&document);
    let (rules, parameters) = (Rules::of(&document), QueryParameters::of(&document));
    let offers = Offers::of(app.clone(), &document);
    let router = router
        .layer(from_fn_with_state(offers, negotiate))
        .layer(from_fn_with_state(app.clone(), answer_unchanged))
        .layer(from_fn(refuse_malformed_position))
        .layer(from_fn_with_state(parameters, refuse_unknown_parameters))
        .layer(from_fn_with_state((app.clone(), rules), check_access))
        .layer(from_fn_with_state(app.clone(), explain_unfit_queries))
        .fallback(fallbacks::not_found)
        .with_state(RouterState(app.clone()));
    let api = NormalizePathLayer::trim_trailing_slash().layer(router);
    // The pages of `/docs` need their own slashes; every other path answers with and without a trailing slash.
    let documents = Router::new()
        .merge(pages::router())
        .merge(problem_pages::router())
        .merge(SwaggerUi::new("/docs").url("/openapi.json", openapi::complete(document)))
        .layer(from_fn_with_state(app.clone(), answer_unchanged));
    let router = Router::new()
        .merge(documents)
        .merge(admin_pages::router(&app, api.clone(), roles))
        .fallback_service(api)
        .layer(from_fn(body::refuse_encoded_body))
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .layer(CatchPanicLayer::custom(fallbacks::panicked));
    app.edge.around(router, app.stopping.clone())
}

/// Serves the shop until it is asked to stop; then answers requests in flight and requests already sent.
///
/// hyper's graceful shutdown closes connections that look idle, even if a request waits in their buffers, and refuses
/// connections that were not accepted yet. So it begins after a delay in which each response closes its connection.
pub async fn serve(listener: TcpListener, app: App) -> std::io::Result<()> {
    let stopping = app.clone();
    let drain = async move {
        stopping.stopping().await;
        tokio::time::sleep(DRAIN_DELAY).await;
    };
    let Edge { connections, trusted_proxies, .. } = &app.edge;
    edge::connections::serve(listener, router(app.clone()), *connections, trusted_proxies, drain).await
}

fn accounts(app: &App) -> Routes {
    // These routes accept credentials or send mails, so they get the strict rate limit.
    let credentials = Routes::new()
        .routes(routes!(auth::register))
        .routes(routes!(auth::log_in))
        .routes(routes!(auth::change_password))
        .routes(routes!(auth::request_password_reset))
        .routes(routes!(email_changes::request_email_change))
        .layer(from_fn_with_state(app.edge.rate_limits.clone(), per_credential_source));
    let routes = Routes::new()
        .routes(routes!(auth::confirm_registration))
        .routes(routes!(auth::refresh_session))
        .routes(routes!(auth::log_out))
        .routes(routes!(auth::reset_password))
        .routes(routes!(email_changes::confirm_email_change))
        .routes(routes!(auth::find_own_account))
        .routes(routes!(sessions::list_sessions))
        .routes(routes!(sessions::end_session))
        .routes(routes!(users::list_accounts, users::create_account))
        .routes(routes!(users::find_account, users::change_account))
        .routes(routes!(keys::list_keys, keys::create_key))
        .routes(routes!(keys::revoke_key))
        .routes(routes!(users::list_sign_ins))
        .merge(credentials);
    in_time(consistent(app, routes))
}

fn products(app: &App) -> Routes {
    let routes = Routes::new()
        .routes(routes!(product_list::list_products, products::create_product))
        .routes(routes!(facets::count_facets))
        .routes(routes!(products::find_product, products::change_product, products::delete_product))
        .routes(routes!(products::imei::find_imei))
        .routes(routes!(products::adjust_stock))
        .routes(routes!(groups::reprice_products))
        .routes(routes!(groups::receive_units))
        .merge(rows_of_products())
        .routes(routes!(images::list_images))
        .routes(routes!(images::remove_image))
        .routes(routes!(images::reorder_images));
    in_time(consistent(app, routes)).merge(image_uploads(app))
}

/// Uploads may be larger and take longer than other requests.
fn image_uploads(app: &App) -> Routes {
    let routes = Routes::new()
        .routes(routes!(images::add_image))
        .routes(routes!(images::replace_image))
        .layer(DefaultBodyLimit::max(UPLOAD_LIMIT_BYTES));
    consistent(app, routes).layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, UPLOAD_TIMEOUT))
}

fn families(app: &App) -> Routes {
    let routes = Routes::new()
        .routes(routes!(families::list_families, families::create_family))
        .routes(routes!(families::find_family, families::change_family, families::delete_family))
        .routes(routes!(families::find_family_place, families::put_in_family, families::leave_family));
    in_time(consistent(app, routes))
}

fn rows_of_products() -> Routes {
    Routes::new()
        .routes(routes!(bulk::apply_products))
        .routes(routes!(bulk::adjust_stocks))
        .layer(DefaultBodyLimit::max(ROWS_BODY_BYTES))
}

fn categories(app: &App) -> Routes {
    let routes = Routes::new()
        .routes(routes!(categories::list_categories, categories::create_category))
        .routes(routes!(categories::find_category, categories::change_category, categories::delete_category));
    in_time(consistent(app, routes))
}

fn customers(app: &App) -> Routes {
    let routes = Routes::new()
        .routes(routes!(customer_list::list_customers, customers::register_customer))
        .routes(routes!(customers::find_customer, customers::change_customer, customers::erase_customer))
        .routes(routes!(customers::list_customer_orders))
        .routes(routes!(export::export_customer))
        .routes(routes!(erasures::withdraw_customer_erasure))
        .routes(routes!(erasures::list_erasures))
        .routes(routes!(addresses::list_addresses, addresses::add_address))
        .routes(routes!(addresses::change_address, addresses::remove_address))
        .routes(routes!(wishlist::list_wishes))
        .routes(routes!(wishlist::add_wish, wishlist::remove_wish));
    in_time(consistent(app, routes))
}

fn carts(app: &App) -> Routes {
    let routes = Routes::new()
        .routes(routes!(carts::find_customer_cart, carts::empty_cart, metadata::change_cart_metadata))
        .routes(routes!(carts::add_item))
        .routes(routes!(carts::set_item, carts::remove_item))
        .routes(routes!(checkout::check_out))
        .routes(routes!(carts::merge_guest_cart))
        .routes(routes!(carts::open_guest_cart))
        .routes(routes!(carts::find_guest_cart, carts::empty_guest_cart, metadata::change_guest_cart_metadata))
        .routes(routes!(carts::add_guest_item))
        .routes(routes!(carts::set_guest_item, carts::remove_guest_item))
        .routes(routes!(checkout::check_out_guest))
        .routes(routes!(guest::find_guest_order))
        .routes(routes!(guest::pay_guest_order));
    in_time(consistent(app, routes))
}

fn pricing(app: &App) -> Routes {
    let routes = Routes::new()
        .routes(routes!(pricing::find_shipping_fees, pricing::change_shipping_fees))
        .routes(routes!(pricing::find_tax_rates, pricing::change_tax_rates))
        .routes(routes!(discounts::list_discounts, discounts::create_discount))
        .routes(routes!(discounts::find_discount, discounts::change_discount, discounts::end_discount));
    in_time(consistent(app, routes))
}

fn settings(app: &App) -> Routes {
    in_time(consistent(app, Routes::new().routes(routes!(settings::find_settings, settings::change_settings))))
}

fn orders(app: &App) -> Routes {
    let routes = Routes::new()
        .routes(routes!(order_list::list_orders, orders::place_order))
        .routes(routes!(short::list_short_orders))
        .routes(routes!(orders::list_order_lines, metadata::change_order_metadata))
        .routes(routes!(summary::find_order_summary))
        .routes(routes!(guest::erase_contact, recipients::correct_contact))
        .routes(routes!(guest::withdraw_contact_erasure))
        .routes(routes!(recipients::correct_addresses))
        .routes(routes!(moves::process_order))
        .routes(routes!(moves::pay_order))
        .routes(routes!(moves::ship_order))
        .routes(routes!(moves::deliver_shipment))
        .routes(routes!(moves::cancel_order))
        .routes(routes!(moves::return_units))
        .routes(routes!(moves::refund_order))
        .routes(routes!(moves::list_moves));
    in_time(consistent(app, routes))
}

fn payments(app: &App) -> Routes {
    let routes = Routes::new()
        .routes(routes!(payments::list_payment_methods))
        .routes(routes!(payments::receive_payment_notification));
    in_time(consistent(app, routes))
}

fn statistics(app: &App) -> Routes {
    let routes = Routes::new()
        .routes(routes!(statistics::bestsellers))
        .routes(routes!(low_stock::low_stock))
        .routes(routes!(statistics::customer_stats))
        .routes(routes!(category_stats::category_stats))
        .routes(routes!(sales::sales))
        .routes(routes!(statistics::never_ordered))
        .routes(routes!(statistics::abandoned_carts));
    in_time(consistent(app, routes))
}

/// Reads of the log itself, which has every write at once.
fn log() -> Routes {
    in_time(
        Routes::new()
            .routes(routes!(events::list_events))
            .routes(routes!(stock_movements::list_stock_movements))
            .routes(routes!(event_types::list_event_types))
            .routes(routes!(history::order_history))
            .routes(routes!(history::product_history))
            .routes(routes!(history::family_history))
            .routes(routes!(history::category_history))
            .routes(routes!(history::customer_history))
            .routes(routes!(history::cart_history))
            .routes(routes!(history::wishlist_history))
            .routes(routes!(history::account_history)),
    )
}

/// The only route without a time limit.
fn event_stream() -> Routes {
    Routes::new().routes(routes!(events::stream_events))
}

fn operation() -> Routes {
    in_time(
        Routes::new()
            .routes(routes!(operations::list_projections))
            .routes(routes!(operations::rebuild_projection))
            .routes(routes!(operations::show_clock))
            .routes(routes!(operations::list_tasks))
            .routes(routes!(operations::run_task)),
    )
}

fn webhooks() -> Routes {
    in_time(
        Routes::new()
            .routes(routes!(webhooks::list_webhooks, webhooks::create_webhook))
            .routes(routes!(webhooks::find_webhook, webhooks::change_webhook, webhooks::delete_webhook))
            .routes(routes!(webhooks::rotate_webhook_secret))
            .routes(routes!(webhooks::list_webhook_deliveries))
            .routes(routes!(webhooks::redeliver_event)),
    )
}

fn reactions() -> Routes {
    in_time(
        Routes::new()
            .routes(routes!(reactions::list_reactors))
            .routes(routes!(reactions::list_reactions))
            .routes(routes!(reactions::retry_reaction))
            .routes(routes!(reactions::drop_reaction))
            .routes(routes!(reactions::list_reaction_decisions)),
    )
}

/// Outside `/shop/api`, for load balancers and Prometheus.
fn health() -> Routes {
    Routes::new()
        .routes(routes!(operations::live))
        .routes(routes!(operations::ready))
        .routes(routes!(operations::metrics))
}

/// Routes whose reads wait for the caller's own writes, and may be answered from the response cache.
fn consistent(app: &App, mut routes: Routes) -> Routes {
    responses::note_positions(routes.get_openapi_mut());
    routes.layer(from_fn_with_state(app.clone(), read_your_writes))
}

/// Routes whose requests must end within [`REQUEST_TIMEOUT`].
fn in_time(routes: Routes) -> Routes {
    routes.layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIMEOUT))
}
