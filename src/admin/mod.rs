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
mod carts;
mod categories;
mod chart;
mod cookies;
mod csrf;
mod customers;
mod dashboard;
mod days;
mod discounts;
mod engine;
mod errors;
mod families;
mod flash;
mod form;
mod format;
mod headers;
mod history;
mod keys;
mod list;
mod log_in;
mod navigation;
mod notes;
mod orders;
mod page;
mod pricing;
mod products;
mod query;
mod session;
mod shop_settings;
mod staff;
mod statistics;
mod stock_movements;
mod users;
mod webhooks;

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
        dashboard_pages(),
        account_pages(),
        order_pages(),
        product_pages(),
        product_detail_pages(),
        family_pages(),
        category_pages(),
        customer_pages(),
        pricing_pages(),
        user_pages(),
        key_pages(),
        webhook_pages(),
        engine_pages(),
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

fn dashboard_pages() -> Router<Site> {
    use statistics::reports;
    Router::new()
        .route("/admin/", get(dashboard::show))
        .route("/admin/statistics", get(statistics::sales::show))
        .route("/admin/statistics/orders", get(reports::show_orders))
        .route("/admin/statistics/bestsellers", get(reports::show_bestsellers))
        .route("/admin/statistics/category-sales", get(reports::show_category_sales))
        .route("/admin/statistics/categories", get(reports::show_categories))
        .route("/admin/statistics/buyers", get(reports::show_buyers))
        .route("/admin/statistics/customers", get(reports::show_customers))
        .route("/admin/statistics/never-ordered", get(reports::show_never_ordered))
        .route("/admin/statistics/abandoned-carts", get(reports::show_abandoned_carts))
        .route("/admin/statistics/{report}/csv", get(statistics::csv))
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

fn user_pages() -> Router<Site> {
    Router::new()
        .route("/admin/users", get(users::list::show))
        .route("/admin/users/new", get(users::list::show).post(users::list::create))
        .route("/admin/users/csv", get(users::list::csv))
        .route("/admin/users/{account_id}", get(users::detail::show))
        .route("/admin/users/{account_id}/role", post(users::detail::change_role))
        .route("/admin/users/{account_id}/disable", post(users::detail::disable))
        .route("/admin/users/{account_id}/enable", post(users::detail::enable))
        .route("/admin/users/{account_id}/mail", post(users::detail::mail_link))
        .route("/admin/settings", get(shop_settings::show).post(shop_settings::save))
}

fn key_pages() -> Router<Site> {
    Router::new()
        .route("/admin/keys", get(keys::show).post(keys::create))
        .route("/admin/keys/csv", get(keys::csv))
        .route("/admin/keys/{key_id}/revoke", post(keys::revoke))
}

fn webhook_pages() -> Router<Site> {
    Router::new()
        .route("/admin/webhooks", get(webhooks::list::show).post(webhooks::list::create))
        .route("/admin/webhooks/csv", get(webhooks::list::csv))
        .route("/admin/webhooks/{webhook_id}", get(webhooks::detail::show).post(webhooks::detail::save))
        .route("/admin/webhooks/{webhook_id}/pause", post(webhooks::detail::pause))
        .route("/admin/webhooks/{webhook_id}/resume", post(webhooks::detail::resume))
        .route("/admin/webhooks/{webhook_id}/rotate", post(webhooks::detail::rotate))
        .route("/admin/webhooks/{webhook_id}/delete", post(webhooks::detail::delete))
        .route("/admin/webhooks/{webhook_id}/redeliver", post(webhooks::detail::redeliver))
}

fn engine_pages() -> Router<Site> {
    Router::new()
        .route("/admin/engine", get(engine::overview::show))
        .route("/admin/events", get(engine::events::show))
        .route("/admin/events/csv", get(engine::events::csv))
        .route("/admin/events/{position}", get(engine::events::show_one))
        .route("/admin/projections", get(engine::projections::show))
        .route("/admin/projections/rebuild", post(engine::projections::rebuild))
        .route("/admin/projections/verify", post(engine::projections::verify))
        .route("/admin/reactions", get(engine::reactions::show))
        .route("/admin/reactions/retry", post(engine::reactions::retry))
        .route("/admin/reactions/drop-preview", post(engine::reactions::preview_drop))
        .route("/admin/reactions/drop", post(engine::reactions::drop_chosen))
        .route("/admin/reactions/decisions", get(engine::reactions::show_decisions))
        .route("/admin/reactions/decisions/csv", get(engine::reactions::decisions_csv))
        .route("/admin/tasks", get(engine::tasks::show))
        .route("/admin/tasks/run", post(engine::tasks::run))
        .route("/admin/sign-ins", get(engine::sign_ins::show))
        .route("/admin/sign-ins/csv", get(engine::sign_ins::csv))
}

fn customer_pages() -> Router<Site> {
    use customers::{addresses, create, detail, erase, erasures, export, list};

    Router::new()
        .route("/admin/customers", get(list::show))
        .route("/admin/customers/csv", get(list::csv))
        .route("/admin/customers/new", get(create::show).post(create::create))
        .route("/admin/customers/erasures", get(erasures::show))
        .route("/admin/customers/erasures/csv", get(erasures::csv))
        .route("/admin/customers/erasures/{order_id}/withdraw", post(erasures::withdraw_guest))
        .route("/admin/customers/{customer_id}", get(detail::show).post(detail::save))
        .route("/admin/customers/{customer_id}/notes", post(detail::save_notes))
        .route("/admin/customers/{customer_id}/export", get(export::send))
        .route("/admin/customers/{customer_id}/erase", get(erase::show).post(erase::erase))
        .route("/admin/customers/{customer_id}/keep", post(erasures::withdraw))
        .route("/admin/customers/{customer_id}/addresses/new", get(addresses::show_new).post(addresses::add))
        .route("/admin/customers/{customer_id}/addresses/{address_id}", get(addresses::show).post(addresses::save))
        .route("/admin/customers/{customer_id}/addresses/{address_id}/delete", post(addresses::delete))
        .route("/admin/carts", get(carts::list::show))
        .route("/admin/carts/csv", get(carts::list::csv))
        .route("/admin/carts/{cart_id}", get(carts::detail::show))
}

fn pricing_pages() -> Router<Site> {
    use discounts::{create, detail, list};

    Router::new()
        .route("/admin/discounts", get(list::show))
        .route("/admin/discounts.csv", get(list::csv))
        .route("/admin/new-discount", get(create::show).post(create::create))
        .route("/admin/discounts/{code}", get(detail::show).post(detail::save))
        .route("/admin/discounts/{code}/end", post(detail::end))
        .route("/admin/pricing", get(pricing::overview::show))
        .route("/admin/pricing/shipping", get(pricing::shipping::show).post(pricing::shipping::save))
        .route("/admin/pricing/taxes", get(pricing::taxes::show).post(pricing::taxes::save))
}
