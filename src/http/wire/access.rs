//! The access check: which callers each route admits.
//!
//! A route's rule is the OpenAPI `security` of its handler, so the documented rule and the enforced rule are the same.
//! OpenAPI 3.1 lets `security` name roles: `owner` is the customer in the path, `user` is any logged-in account, and
//! `reader`, `editor` and `admin` are staff with that role or a higher role. `()` admits every caller: alone, the route
//! ignores tokens; beside `bearer`, a token is optional and must be valid. A route without a rule admits no caller.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::Operation;

use crate::accounts::{Identity, Rejected};
use crate::domain::account::Role;
use crate::http::app::App;
use crate::http::edge::client_address::ClientAddress;
use crate::http::edge::rate_limits::CallerCounted;
use crate::http::wire::caller::Caller;
use crate::http::wire::consistency::wait_for_position;
use crate::http::wire::error::ApiError;

/// The callers that a route admits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Rule {
    public: bool,
    /// Ignores tokens, valid or not.
    ignores_tokens: bool,
    user: bool,
    owner: bool,
    staff_from: Option<Role>,
}

/// Why a route admits a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// By a role of the staff, or as any account.
    Account,
    /// As the owner of the resource in the path.
    Owner,
    Public,
}

/// The routes that are open to the caller of a request, for its resource.
#[derive(Clone, Debug)]
pub struct Permissions {
    rules: Rules,
    identity: Option<Identity>,
    /// Whether this request was admitted because the caller owns the resource.
    owner: bool,
}

impl Permissions {
    /// Why the route with this path, as documented, admits the caller; `None` if it does not.
    pub fn admission(&self, method: &Method, path: &str) -> Option<Admission> {
        self.rules.find(path, method)?.admission(self.identity, self.owner)
    }
}

impl<S: Sync> FromRequestParts<S> for Permissions {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get().cloned().ok_or_else(|| ApiError::internal("a route is outside the access check"))
    }
}

/// The rule of every method of every path.
#[derive(Clone, Debug)]
pub struct Rules(Arc<HashMap<String, HashMap<Method, Rule>>>);

impl Rules {
    pub fn of(document: &OpenApi) -> Self {
        let mut rules: HashMap<String, HashMap<Method, Rule>> = HashMap::new();
        for (path, item) in &document.paths.paths {
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
            let documented =
                operations.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)));
            rules.insert(path.clone(), documented.map(|(method, operation)| (method, Rule::of(operation))).collect());
        }
        Self(Arc::new(rules))
    }

    /// `None` for a method that a documented path does not have. An undocumented path admits no caller.
    /// Whether a read admits every caller, and no secret in its path names one.
    fn is_public_read(&self, path: Option<&MatchedPath>, method: &Method) -> bool {
        let path = path.map_or("", MatchedPath::as_str);
        let is_read = [Method::GET, Method::HEAD].contains(method) && !path.contains("{cart_token}");
        is_read && self.0.contains_key(path) && self.find(path, method).is_some_and(|rule| rule.public)
    }

    fn find(&self, path: &str, method: &Method) -> Option<Rule> {
        let Some(methods) = self.0.get(path) else { return Some(Rule::default()) };
        methods.get(if method == Method::HEAD { &Method::GET } else { method }).copied()
    }
}

/// The lowest role of the staff that each operation admits, by `operationId`.
pub fn least_roles(document: &OpenApi) -> HashMap<String, Role> {
    let items = document.paths.paths.values();
    let operations = items.flat_map(|item| [&item.get, &item.post, &item.put, &item.patch, &item.delete]);
    let named = operations.flatten().filter_map(|operation| {
        let Rule { public, user, staff_from, .. } = Rule::of(operation);
        let least = staff_from.or((public || user).then_some(Role::Reader))?;
        Some((operation.operation_id.clone()?, least))
    });
    named.collect()
}

impl Rule {
    fn of(operation: &Operation) -> Self {
        let public = requirements(operation).any(|requirement| requirement == json!({}));
        let roles = roles(operation);
        let mut rule = Self { public, ignores_tokens: public && roles.is_none(), ..Self::default() };
        for role in roles.into_iter().flatten() {
            match role.as_str() {
                "user" => rule.user = true,
                "owner" => rule.owner = true,
                staff => rule.staff_from = staff.parse().ok().or(rule.staff_from),
            }
        }
        rule
    }

    fn admission(self, identity: Option<Identity>, owner: bool) -> Option<Admission> {
        let by_role = |identity: Identity| self.staff_from.is_some_and(|least| identity.role >= least);
        if identity.is_some_and(|identity| self.user || by_role(identity)) {
            Some(Admission::Account)
        } else if self.owner && owner {
            Some(Admission::Owner)
        } else {
            self.public.then_some(Admission::Public)
        }
    }
}

/// The roles that a route's rule names; `None` if the route ignores tokens.
pub fn roles(operation: &Operation) -> Option<Vec<String>> {
    requirements(operation).find_map(|requirement| serde_json::from_value(requirement.get("bearer")?.clone()).ok())
}

fn requirements(operation: &Operation) -> impl Iterator<Item = Value> {
    let security = operation.security.iter().flatten();
    security.map(|requirement| serde_json::to_value(requirement).unwrap_or_default())
}

/// A layer: identifies the caller and refuses callers that the route's rule does not admit.
pub async fn check_access(
    State((app, rules)): State<(App, Rules)>,
    path: Option<MatchedPath>,
    mut request: Request,
    next: Next,
) -> Response {
    let is_public = rules.is_public_read(path.as_ref(), request.method());
    let (mut response, authenticated) = match admit(&app, &rules, path.as_ref(), &mut request).await {
        Ok(authenticated) => (next.run(request).await, authenticated),
        Err(error) => (error.into_response(), false),
    };
    // Without the header, caches may keep an answer for as long as they guess.
    let is_kept = is_public && [StatusCode::OK, StatusCode::NOT_MODIFIED].contains(&response.status());
    let default = match (is_kept, authenticated) {
        (false, _) => "no-store",
        (true, false) => "no-cache",
        (true, true) => "private, no-cache",
    };
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static(default));
    // The label of the request's metrics.
    if let Some(path) = path {
        response.extensions_mut().insert(path);
    }
    response
}

/// Returns whether the caller is authenticated; an error if the rule does not admit the caller.
async fn admit(app: &App, rules: &Rules, path: Option<&MatchedPath>, request: &mut Request) -> Result<bool, ApiError> {
    let rule = rules.find(path.map_or("", MatchedPath::as_str), request.method());
    let identity = match rule {
        Some(rule) if rule.ignores_tokens => None,
        _ => identify(app, request.headers()).await?,
    };
    let params = path_params(request).await;
    let address = request.extensions().get::<ClientAddress>();
    let caller = Caller::new(identity, &params, address);
    if identity.is_some() && request.extensions().get::<CallerCounted>().is_none() {
        app.edge.rate_limits.per_caller(caller.principal())?;
    }
    let admission = match rule {
        Some(rule) => Some(check_rule(app, rule, &caller, &params).await?),
        None => None,
    };
    let owner = admission == Some(Admission::Owner);
    request.extensions_mut().insert(Permissions { rules: rules.clone(), identity, owner });
    request.extensions_mut().insert(caller);
    Ok(identity.is_some())
}

async fn check_rule(
    app: &App,
    rule: Rule,
    caller: &Caller,
    params: &HashMap<String, String>,
) -> Result<Admission, ApiError> {
    if let Some(admission) = rule.admission(caller.identity().ok(), false) {
        return Ok(admission);
    }
    let identity = caller.identity()?;
    if rule.owner && owns(app, caller, identity, params).await? {
        return Ok(Admission::Owner);
    }
    Err(ApiError::forbidden(explain_refusal(rule, identity, params)))
}

/// Why the rule does not admit the caller: a role that is too low, or another customer's cart, order or profile.
fn explain_refusal(rule: Rule, identity: Identity, params: &HashMap<String, String>) -> String {
    let role = identity.role.as_str();
    match (rule.owner, identity.customer_id) {
        (true, Some(own)) => match params.get("customer_id") {
            Some(other) => format!("the path names customer {other}; this account belongs to customer {own}"),
            None => format!("the order belongs to another customer; this account belongs to customer {own}"),
        },
        _ => match rule.staff_from {
            Some(Role::Admin) => format!("the route needs the role admin; this caller has {role}"),
            Some(least) => {
                format!("the route needs the role {} or a higher one; this caller has {role}", least.as_str())
            }
            None => format!("the route is not open to the role {role}"),
        },
    }
}

/// Whether the customer or order in the path belongs to the caller.
async fn owns(
    app: &App,
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
    if let Some(path_customer_id) = number("customer_id")? {
        return Ok(path_customer_id == customer_id.0);
    }
    if let Some(order_id) = number("order_id")? {
        // The caller may have placed the order a moment ago.
        wait_for_position(app, caller.principal(), 0).await?;
        let found = sqlx::query_file!("projections/orders/owner.sql", order_id).fetch_optional(&app.pool).await?;
        let order = found.ok_or_else(|| ApiError::not_found("order_not_found", "Order not found"))?;
        return Ok(order.customer_id == Some(customer_id.0));
    }
    Ok(false)
}

/// The account of the token or key that a request carries, if any.
pub async fn identify(app: &App, headers: &HeaderMap) -> Result<Option<Identity>, ApiError> {
    match bearer(headers)? {
        None => Ok(None),
        Some(bearer) => Ok(Some(app.accounts.identify(bearer).await.map_err(unauthenticated)?)),
    }
}

/// The token or key of `Authorization: Bearer …`.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (first, second) = (values.next(), values.next());
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

fn unauthenticated(rejected: Rejected) -> ApiError {
    let code = match rejected {
        Rejected::Expired => "token_expired",
        Rejected::Revoked => "token_revoked",
        Rejected::Invalid => "invalid_token",
    };
    ApiError::unauthenticated(code, rejected.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_undocumented_route_admits_no_caller() {
        let document = json!({ "openapi": "3.1.0", "info": { "title": "", "version": "" }, "paths": {
            "/open": { "get": { "security": [{}], "responses": {} } },
            "/forgotten": { "get": { "responses": {} }, "options": { "responses": {} } },
        } });
        let rules = Rules::of(&serde_json::from_value(document).unwrap());
        assert!(rules.find("/open", &Method::HEAD).unwrap().public);
        assert_eq!(rules.find("/open", &Method::POST), None, "the router refuses it");
        let no_caller = Some(Rule::default());
        for path in ["/forgotten", "/hidden", ""] {
            assert_eq!(rules.find(path, &Method::GET), no_caller, "{path}");
        }
        assert_eq!(rules.find("/forgotten", &Method::OPTIONS), no_caller);
    }
}
