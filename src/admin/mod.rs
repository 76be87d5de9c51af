//! The staff's pages: HTML for people, under `/admin/`.
//!
//! The pages are a client of the API inside the process. A handler sends requests to `/shop/api/…` with the token of its
//! session (`api`), reads the answers into small structs, and fills a template of `templates/admin/`. So this room has no
//! SQL, no use case and no rule of its own; whatever the API refuses, it refuses. `docs/admin.md` says how to add a page.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Redirect;
use axum::routing::{get, post};
use chrono_tz::Tz;

mod account;
mod api;
mod assets;
mod categories;
mod chart;
mod cookies;
mod csrf;
mod errors;
mod families;
mod flash;
mod form;
mod format;
mod headers;
mod history;
mod home;
mod list;
mod log_in;
mod navigation;
mod orders;
mod page;
mod products;
mod query;
mod session;
mod staff;
mod stock_movements;

pub use api::ApiService;

use crate::accounts::Accounts;
use crate::clock::Clock;
use crate::domain::account::Role;
use crate::payments::Currency;
use session::Sessions;

/// What the pages are given.
pub struct Admin {
    pub api: ApiService,
    pub accounts: Accounts,
    /// The lowest role that each operation of the API admits, by `operationId`.
    pub least_roles: HashMap<String, Role>,
    pub currency: Currency,
    pub time_zone: Tz,
    pub clock: Clock,
    /// Whether the browser of a request speaks TLS.
    pub is_secure: fn(&axum::http::Extensions) -> bool,
}

/// The state of the pages' router.
#[derive(Clone)]
struct Site(Arc<SiteParts>);

struct SiteParts {
    admin: Admin,
    sessions: Sessions,
}

impl std::ops::Deref for Site {
    type Target = SiteParts;

    fn deref(&self) -> &SiteParts {
        &self.0
    }
}

/// An upload is checked whole by the layer of sessions; the API limits pictures itself.
const BODY_LIMIT_BYTES: usize = 11 * 1024 * 1024;

/// Every page, one function per noun.
pub fn router(admin: Admin) -> Router {
    let site = Site(Arc::new(SiteParts { sessions: Sessions::new(admin.accounts.clone()), admin }));
    let pages = [
        home(),
        account_pages(),
        order_pages(),
        product_pages(),
        product_detail_pages(),
        family_pages(),
        category_pages(),
    ];
    let pages = pages
        .into_iter()
        .fold(Router::new(), Router::merge)
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .layer(from_fn_with_state(site.clone(), staff::require_session));
    let open = Router::new()
        .route("/admin/log-in", get(log_in::show_form).post(log_in::log_in))
        .layer(from_fn(csrf::refuse_other_sites))
        .route("/admin", get(|| async { Redirect::permanent("/admin/") }))
        .route("/admin/assets/{hash}/{name}", get(assets::send));
    let unknown = Router::new()
        .route("/admin/{*path}", get(errors::unknown_page))
        .layer(from_fn_with_state(site.clone(), staff::require_session));
    pages.merge(open).merge(unknown).layer(from_fn(headers::set_headers)).with_state(site)
}

fn home() -> Router<Site> {
    Router::new().route("/admin/", get(home::show)).route("/admin/sales/csv", get(home::sales_csv))
}

fn account_pages() -> Router<Site> {
    Router::new()
        .route("/admin/account", get(account::show))
        .route("/admin/account/password", post(account::change_password))
        .route("/admin/account/sessions/{session_id}/end", post(account::end_session))
        .route("/admin/log-out", post(log_in::log_out))
}

fn order_pages() -> Router<Site> {
    use orders::{bulk, detail, list, moves, recipients, short, slip};

    Router::new()
        .route("/admin/orders", get(list::show))
        .route("/admin/orders/csv", get(list::csv))
        .route("/admin/orders/short", get(short::show))
        .route("/admin/orders/short/csv", get(short::csv))
        .route("/admin/orders/bulk", post(bulk::preview))
        .route("/admin/orders/bulk/apply", post(bulk::apply))
        .route("/admin/orders/{order_id}", get(detail::show))
        .route("/admin/orders/{order_id}/notes", post(detail::save_notes))
        .route("/admin/orders/{order_id}/slip", get(slip::show))
        .route("/admin/orders/{order_id}/recipients", get(recipients::show))
        .route("/admin/orders/{order_id}/addresses/shipping", post(recipients::save_shipping))
        .route("/admin/orders/{order_id}/addresses/billing", post(recipients::save_billing))
        .route("/admin/orders/{order_id}/contact", post(recipients::save_contact))
        .route("/admin/orders/{order_id}/{action}", get(moves::show).post(moves::send))
}

fn product_pages() -> Router<Site> {
    Router::new()
        .route("/admin/products", get(products::list::show))
        .route("/admin/products/csv", get(products::list::csv))
        .route("/admin/products/low-stock", get(products::low_stock::show))
        .route("/admin/products/low-stock/csv", get(products::low_stock::csv))
        .route("/admin/products/bulk", post(products::bulk::preview))
        .route("/admin/products/bulk/apply", post(products::bulk::apply))
        .route("/admin/products/{product_id}/price", get(products::cells::edit_price).post(products::cells::save_price))
        .route("/admin/products/{product_id}/stock", get(products::cells::edit_stock).post(products::cells::save_stock))
}

fn product_detail_pages() -> Router<Site> {
    use products::{detail, family};

    Router::new()
        .route("/admin/products/new", get(detail::new::show).post(detail::new::create))
        .route("/admin/products/{product_id}", get(detail::show).post(detail::commands::save))
        .route("/admin/products/{product_id}/stock/adjust", post(detail::commands::adjust_stock))
        .route("/admin/products/{product_id}/discontinue", post(detail::commands::discontinue))
        .route("/admin/products/{product_id}/relist", post(detail::commands::relist))
        .route("/admin/products/{product_id}/delete", post(detail::commands::delete))
        .route("/admin/products/{product_id}/images", post(detail::images::upload))
        .route("/admin/products/{product_id}/images/order", post(detail::images::reorder))
        .route("/admin/products/{product_id}/images/{image_id}/delete", post(detail::images::delete))
        .route("/admin/products/{product_id}/family", get(family::edit))
        .route("/admin/products/{product_id}/family/save", post(family::save))
        .route("/admin/products/{product_id}/family/leave", post(detail::commands::leave_family))
        .route("/admin/stock-movements", get(stock_movements::show))
        .route("/admin/stock-movements/csv", get(stock_movements::csv))
}

fn family_pages() -> Router<Site> {
    Router::new()
        .route("/admin/families", get(families::list::show).post(families::list::create))
        .route("/admin/families/csv", get(families::list::csv))
        .route("/admin/families/{family_id}", get(families::detail::show).post(families::detail::save))
        .route("/admin/families/{family_id}/add", post(families::detail::add))
        .route("/admin/families/{family_id}/remove", post(families::detail::remove))
        .route("/admin/families/{family_id}/delete", post(families::detail::delete))
}

fn category_pages() -> Router<Site> {
    Router::new()
        .route("/admin/categories", get(categories::list::show).post(categories::list::create))
        .route("/admin/categories/csv", get(categories::list::csv))
        .route("/admin/categories/{category_id}", get(categories::detail::show).post(categories::detail::save))
        .route("/admin/categories/{category_id}/delete", post(categories::detail::delete))
}
