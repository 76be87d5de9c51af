//! The staff's pages: HTML for people, under `/admin/`.
//!
//! The pages are a client of the API inside the process. A handler sends requests to `/shop/api/…` with the token of its
//! session (`api`), reads the answers into small structs, and fills a template of `templates/admin/`. So this room has no
//! SQL, no use case and no rule of its own; whatever the API refuses, it refuses. `docs/admin.md` says how to add a page.

#![allow(dead_code, reason = "building blocks that the next pages use")]

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
mod discounts;
mod errors;
mod flash;
mod form;
mod format;
mod headers;
mod history;
mod home;
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
mod staff;

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
    let pages =
        [home(), account_pages(), order_pages(), product_pages(), category_pages(), customer_pages(), pricing_pages()];
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

fn category_pages() -> Router<Site> {
    Router::new()
        .route("/admin/categories", get(categories::list::show).post(categories::list::create))
        .route("/admin/categories/csv", get(categories::list::csv))
        .route("/admin/categories/{category_id}", get(categories::detail::show).post(categories::detail::save))
        .route("/admin/categories/{category_id}/delete", post(categories::detail::delete))
}

fn customer_pages() -> Router<Site> {
    use customers::{addresses, best, create, detail, erase, erasures, export, list};

    Router::new()
        .route("/admin/customers", get(list::show))
        .route("/admin/customers/csv", get(list::csv))
        .route("/admin/customers/new", get(create::show).post(create::create))
        .route("/admin/customers/best", get(best::show))
        .route("/admin/customers/best/csv", get(best::csv))
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
