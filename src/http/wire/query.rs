//! Query parameters: a route accepts those that its description names, each at most once.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::{OpenApi, RefOr};

use crate::http::wire::error::{ApiError, FieldError};

/// The query parameters of every method of every path.
#[derive(Clone, Debug)]
pub struct QueryParameters(Arc<HashMap<String, HashMap<Method, Vec<String>>>>);

/// The only parameter that may be empty, as the search box of a page is. It filters nothing then.
const EMPTY_BOX: &str = "search";

impl QueryParameters {
    pub fn of(document: &OpenApi) -> Self {
        let routes = document.paths.paths.iter().map(|(path, item)| {
            let PathItem { get, put, post, delete, patch, .. } = item;
            let methods = [
                (Method::GET, get),
                (Method::PUT, put),
                (Method::POST, post),
                (Method::DELETE, delete),
                (Method::PATCH, patch),
            ];
            let documented = methods.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)));
            (path.clone(), documented.map(|(method, operation)| (method, names_of(operation))).collect())
        });
        Self(Arc::new(routes.collect()))
    }

    fn check(&self, path: &str, method: &Method, query: &str) -> Result<(), ApiError> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        // The router refuses a method that the path does not have.
        let Some(known) = self.0.get(path).and_then(|methods| methods.get(method)) else { return Ok(()) };
        let mut given = Vec::new();
        let mut errors = Vec::new();
        for (name, value) in pairs(query) {
            let error = match (decode(name), decode(value)) {
                (Some(name), _) if !known.contains(&name) => {
                    let message = format!("is not a parameter of this request, which takes {}", listed(known));
                    FieldError { field: if name.is_empty() { "query".to_owned() } else { name }, message }
                }
                (Some(name), _) if given.contains(&name) => {
                    FieldError { field: name, message: "is given more than once".to_owned() }
                }
                (Some(name), Some(value)) if value.trim().is_empty() && name != EMPTY_BOX => {
                    FieldError { field: name, message: "must not be empty; leave it out instead".to_owned() }
                }
                (Some(name), Some(value)) if !value.contains('\0') => {
                    given.push(name);
                    continue;
                }
                (Some(name), _) => {
                    FieldError { field: name, message: "must be UTF-8 without NUL characters".to_owned() }
                }
                (None, _) => {
                    FieldError { field: "query".to_owned(), message: "must name its parameters in UTF-8".to_owned() }
                }
            };
            errors.push(error);
        }
        if errors.is_empty() { Ok(()) } else { Err(ApiError::invalid(errors)) }
    }
}

/// A layer: refuses query parameters that the route does not have, so that a misspelt filter cannot be ignored.
///
/// A parameter is accepted because the description of the route names it; a new route needs nothing else.
pub async fn refuse_unknown_parameters(
    State(parameters): State<QueryParameters>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let path = path.as_ref().map_or("", MatchedPath::as_str);
    match parameters.check(path, request.method(), request.uri().query().unwrap_or_default()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// The query without the parameter `name`.
pub fn without(query: &str, name: &str) -> String {
    let kept = query.split('&').filter(|pair| !pair.is_empty() && !is_named(pair, name));
    kept.collect::<Vec<_>>().join("&")
}

/// Whether the query has one of the parameters.
pub fn names(uri: &Uri, wanted: &[&str]) -> bool {
    let query = uri.query().unwrap_or_default();
    wanted.iter().any(|name| query.split('&').any(|pair| is_named(pair, name)))
}

/// Whether the query has this parameter with this value: `all=false`.
pub fn has(uri: &Uri, wanted: &str) -> bool {
    uri.query().unwrap_or_default().split('&').any(|pair| decode(pair).is_some_and(|pair| pair == wanted))
}

fn is_named(pair: &str, name: &str) -> bool {
    pairs(pair).any(|(given, _)| decode(given).is_some_and(|given| given == name))
}

/// The names and values of a query, still encoded.
fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// A decoded name or value; `None` if it is not UTF-8.
fn decode(encoded: &str) -> Option<String> {
    let spaced = encoded.replace('+', " ");
    Some(percent_decode_str(&spaced).decode_utf8().ok()?.into_owned())
}

/// The names of the query parameters that an operation documents.
fn names_of(operation: &Operation) -> Vec<String> {
    let parameters = operation.parameters.iter().flatten();
    let named = parameters.filter_map(|parameter| match parameter {
        RefOr::T(parameter) => (parameter.parameter_in == ParameterIn::Query).then(|| parameter.name.clone()),
        RefOr::Ref(reference) => reference.ref_location.rsplit('/').next().map(str::to_owned),
    });
    named.collect()
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, PathItemBuilder, PathsBuilder};
    use utoipa::openapi::{HttpMethod, Info};

    use super::*;

    fn problem(method: Method, query: &str) -> Option<String> {
        let named = |name: &str, place| ParameterBuilder::new().name(name).parameter_in(place).build();
        let read = OperationBuilder::new()
            .parameter(named("from", ParameterIn::Query))
            .parameter(named("limit", ParameterIn::Query))
            .parameter(named("search", ParameterIn::Query))
            .parameter(named("Min-Position", ParameterIn::Header));
        let item =
            PathItemBuilder::new().operation(HttpMethod::Get, read).operation(HttpMethod::Post, Operation::new());
        let paths = PathsBuilder::new().path("/sales", item.build()).build();
        let parameters = QueryParameters::of(&OpenApi::new(Info::new("", ""), paths));
        parameters.check("/sales", &method, query).err().map(|error| error.detail().to_owned())
    }

    #[test]
    fn documented_parameters_are_accepted() {
        for query in ["", "&", "from=2011-03-01&limit=7", "fr%6Fm=a+b%20c", "search=", "search", "search=+"] {
            assert_eq!(problem(Method::GET, query), None, "{query}");
            assert_eq!(problem(Method::HEAD, query), None, "{query}");
        }
        assert_eq!(problem(Method::PUT, "x=1"), None, "the router refuses the method");
    }

    #[test]
    fn other_parameters_are_named() {
        let found = |query| problem(Method::GET, query).unwrap();
        assert_eq!(found("fromm=1"), "fromm is not a parameter of this request, which takes from, limit, search");
        assert!(found("from=1&Limit=1&fr%C3%B6m=1").contains("Limit is not a parameter of this request, which takes"));
        assert!(found("fr%C3%B6m=1").starts_with("fröm is not a parameter"));
        assert!(found("Min-Position=1").starts_with("Min-Position is not a parameter"));
        assert!(found("=1").starts_with("query is not a parameter"));
        assert_eq!(found("from=1&from=1"), "from is given more than once");
        for query in ["from", "from=", "from=+", "from=%20%09", "search=&from="] {
            assert_eq!(found(query), "from must not be empty; leave it out instead", "{query}");
        }
        assert_eq!(found("from=%00"), "from must be UTF-8 without NUL characters");
        assert_eq!(found("from=%FF"), "from must be UTF-8 without NUL characters");
        assert_eq!(found("%FF=1"), "query must name its parameters in UTF-8");
        assert_eq!(problem(Method::POST, "dry_run=true").unwrap(), {
            "dry_run is not a parameter of this request, which takes none"
        });
    }

    #[test]
    fn a_parameter_is_removed_however_it_is_encoded() {
        assert_eq!(without("a=1&dry_run=true&&b=%20&dry%5Frun=false&dry_run", "dry_run"), "a=1&b=%20");
    }
}
