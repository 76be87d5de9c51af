//! Who may call which route.
//!
//! The rule stands next to the route, as the `security` of its description, so that the description and what is
//! enforced are one. Its names are those of OpenAPI 3.1 for roles: `owner` is the customer that the path speaks of,
//! `user` is anybody who is logged in, and `reader`, `editor` and `admin` are staff with that role or a higher one.
//! `()` lets everybody in; alone it says that the route does not look at tokens at all, and beside `bearer` that a token
//! is welcome and must be good. A route without a rule lets nobody in.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::Operation;
use uuid::Uuid;

use super::Shop;
use super::address::ClientAddress;
use super::consistency;
use super::error::ApiError;
use crate::accounts::{Credential, Identity, Rejected};
use crate::domain::account::Role;
use crate::domain::ids::CartId;
use crate::journal::{Actor, Context};

/// Who sends a request. Put there by [`check`].
#[derive(Clone, Debug)]
pub struct Caller {
    identity: Option<Identity>,
    principal: Arc<str>,
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Rule {
    anybody: bool,
    /// Takes no token, so a bad one does no harm.
    blind: bool,
    user: bool,
    owner: bool,
    staff_from: Option<Role>,
}

/// The rule of every method of every path.
#[derive(Clone, Debug)]
pub(super) struct Rules(Arc<HashMap<String, HashMap<Method, Rule>>>);

impl Caller {
    /// Somebody who has just logged in.
    pub fn known(identity: Identity) -> Self {
        Self { identity: Some(identity), principal: principal(Some(identity), &HashMap::new(), None).into() }
    }

    /// Who an event says it was.
    pub fn actor(&self) -> Actor {
        match self.identity {
            None => Actor { id: "guest".to_owned(), role: "guest" },
            Some(Identity { account_id, role, credential, .. }) => {
                let id = match credential {
                    Credential::Session(_) => format!("account/{account_id}"),
                    Credential::Key(key_id) => format!("account/{account_id}/key/{key_id}"),
                };
                Actor { id, role: role.as_str() }
            }
        }
    }

    /// Who shares idempotency keys and sees own writes: an account, a guest's cart, or else an address.
    pub fn principal(&self) -> &str {
        &self.principal
    }

    /// For a command that takes no idempotency key.
    pub fn context(&self) -> Context {
        Context { principal: self.principal.to_string(), ..Context::of(self.actor()) }
    }

    /// The account, which callers of routes without `()` always have.
    pub fn identity(&self) -> Result<Identity, ApiError> {
        self.identity.ok_or_else(unauthenticated)
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get().cloned().ok_or_else(|| ApiError::internal("a route is outside the check of callers"))
    }
}

impl Rules {
    pub fn of(description: &OpenApi) -> Self {
        let mut rules: HashMap<String, HashMap<Method, Rule>> = HashMap::new();
        for (path, item) in &description.paths.paths {
            let operations = [
                (Method::GET, &item.get),
                (Method::POST, &item.post),
                (Method::PUT, &item.put),
                (Method::PATCH, &item.patch),
                (Method::DELETE, &item.delete),
                (Method::HEAD, &item.head),
                (Method::OPTIONS, &item.options),
                (Method::TRACE, &item.trace),
            ];
            let described =
                operations.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)));
            rules.insert(path.clone(), described.map(|(method, operation)| (method, Rule::of(operation))).collect());
        }
        Self(Arc::new(rules))
    }

    /// `None` for a method that a described path does not take. A path that is not described lets nobody in.
    fn find(&self, path: &str, method: &Method) -> Option<Rule> {
        let Some(methods) = self.0.get(path) else { return Some(Rule::default()) };
        methods.get(if method == Method::HEAD { &Method::GET } else { method }).copied()
    }
}

impl Rule {
    fn of(operation: &Operation) -> Self {
        let anybody = requirements(operation).any(|requirement| requirement == json!({}));
        let roles = roles(operation);
        let mut rule = Self { anybody, blind: anybody && roles.is_none(), ..Self::default() };
        for role in roles.into_iter().flatten() {
            match role.as_str() {
                "user" => rule.user = true,
                "owner" => rule.owner = true,
                staff => rule.staff_from = staff.parse().ok().or(rule.staff_from),
            }
        }
        rule
    }
}

/// The roles that a route's rule names; `None` where it takes no token.
pub(super) fn roles(operation: &Operation) -> Option<Vec<String>> {
    requirements(operation).find_map(|requirement| serde_json::from_value(requirement.get("bearer")?.clone()).ok())
}

fn requirements(operation: &Operation) -> impl Iterator<Item = Value> {
    let security = operation.security.iter().flatten();
    security.map(|requirement| serde_json::to_value(requirement).unwrap_or_default())
}

/// Finds out who the caller is, and lets in whom the route's rule lets in.
pub(super) async fn check(
    State((shop, rules)): State<(Shop, Rules)>,
    path: Option<MatchedPath>,
    mut request: Request,
    next: Next,
) -> Response {
    match admit(&shop, &rules, path.as_ref(), &mut request).await {
        Ok(known) => {
            let mut response = next.run(request).await;
            if known {
                // What was answered to one caller is for no cache between.
                response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
            }
            response
        }
        Err(error) => error.into_response(),
    }
}

/// Whether the caller is known, if the caller may go on.
async fn admit(
    shop: &Shop,
    rules: &Rules,
    path: Option<&MatchedPath>,
    request: &mut Request,
) -> Result<bool, ApiError> {
    let rule = rules.find(path.map_or("", MatchedPath::as_str), request.method());
    let identity = match rule {
        Some(rule) if rule.blind => None,
        _ => identify(shop, request.headers()).await?,
    };
    let params = path_params(request).await;
    let address = request.extensions().get::<ClientAddress>();
    let caller = Caller { identity, principal: principal(identity, &params, address).into() };
    if identity.is_some() {
        shop.edge.limits.check_caller(caller.principal())?;
    }
    if let Some(rule) = rule {
        permit(shop, rule, &caller, &params).await?;
    }
    request.extensions_mut().insert(caller);
    Ok(identity.is_some())
}

async fn permit(shop: &Shop, rule: Rule, caller: &Caller, params: &HashMap<String, String>) -> Result<(), ApiError> {
    if rule.anybody {
        return Ok(());
    }
    let identity = caller.identity()?;
    if rule.user || rule.staff_from.is_some_and(|least| identity.role >= least) {
        return Ok(());
    }
    if rule.owner && owns(shop, caller, identity, params).await? {
        return Ok(());
    }
    Err(ApiError::forbidden())
}

/// Whether the thing that the path speaks of is the caller's.
async fn owns(
    shop: &Shop,
    caller: &Caller,
    identity: Identity,
    params: &HashMap<String, String>,
) -> Result<bool, ApiError> {
    let Some(customer_id) = identity.customer_id else { return Ok(false) };
    let number = |name: &str| match params.get(name).map(|text| text.parse::<i64>()) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(ApiError::invalid_field(name, "must be a whole number")),
    };
    if let Some(named) = number("customer_id")? {
        return Ok(named == customer_id.0);
    }
    if let Some(order_id) = number("order_id")? {
        // The order may be one that the caller has just placed.
        consistency::wait(shop, caller.principal(), 0).await?;
        let found = sqlx::query_file!("projections/orders/owner.sql", order_id).fetch_optional(&shop.pool).await?;
        let order = found.ok_or_else(|| ApiError::not_found("order_not_found", "Order not found"))?;
        return Ok(order.customer_id == Some(customer_id.0));
    }
    Ok(false)
}

/// Whom the token or key of a request speaks for, if it carries one.
pub(super) async fn identify(shop: &Shop, headers: &HeaderMap) -> Result<Option<Identity>, ApiError> {
    match bearer(headers)? {
        None => Ok(None),
        Some(bearer) => Ok(Some(shop.accounts.identify(bearer).await.map_err(rejected)?)),
    }
}

/// The token or key of `Authorization: Bearer …`.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (first, second) = (given.next(), given.next());
    let Some(value) = first else { return Ok(None) };
    let bearer = value.to_str().ok().and_then(|value| value.split_once(' '));
    match bearer {
        Some((scheme, bearer)) if scheme.eq_ignore_ascii_case("bearer") && second.is_none() => Ok(Some(bearer.trim())),
        _ => Err(ApiError::unauthenticated("invalid_token", "Authorization must be \"Bearer\" and one token or key")),
    }
}

async fn path_params(request: &mut Request) -> HashMap<String, String> {
    let (mut parts, body) = std::mem::take(request).into_parts();
    let params = RawPathParams::from_request_parts(&mut parts, &()).await;
    *request = Request::from_parts(parts, body);
    let owned =
        |params: RawPathParams| params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    params.map(owned).unwrap_or_default()
}

fn principal(identity: Option<Identity>, params: &HashMap<String, String>, address: Option<&ClientAddress>) -> String {
    let cart = || params.get("cart_token")?.parse::<Uuid>().ok().map(CartId::of_token);
    match identity {
        Some(identity) => format!("account/{}", identity.account_id),
        // Not the token: it is the only key to the cart.
        None => match (cart(), address) {
            (Some(cart), _) => format!("cart/{cart}"),
            (None, Some(address)) => format!("guest/{}", address.0),
            (None, None) => "guest".to_owned(),
        },
    }
}

fn rejected(rejected: Rejected) -> ApiError {
    let code = match rejected {
        Rejected::Expired => "token_expired",
        Rejected::Revoked => "token_revoked",
        Rejected::Invalid => "invalid_token",
    };
    ApiError::unauthenticated(code, rejected.to_string())
}

fn unauthenticated() -> ApiError {
    ApiError::unauthenticated("unauthenticated", "log in, and send the access token as Authorization: Bearer …")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_described_lets_nobody_in() {
        let description = json!({ "openapi": "3.1.0", "info": { "title": "", "version": "" }, "paths": {
            "/open": { "get": { "security": [{}], "responses": {} } },
            "/forgotten": { "get": { "responses": {} }, "options": { "responses": {} } },
        } });
        let rules = Rules::of(&serde_json::from_value(description).unwrap());
        assert!(rules.find("/open", &Method::HEAD).unwrap().anybody);
        assert_eq!(rules.find("/open", &Method::POST), None, "which is for the router to refuse");
        let nobody = Some(Rule::default());
        for path in ["/forgotten", "/hidden", ""] {
            assert_eq!(rules.find(path, &Method::GET), nobody, "{path}");
        }
        assert_eq!(rules.find("/forgotten", &Method::OPTIONS), nobody);
    }
}
