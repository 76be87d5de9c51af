//! Parameters of the OpenAPI document that many routes share, defined once.

use utoipa::openapi::path::Parameter;
use utoipa::openapi::{OpenApi, Ref, RefOr};

use crate::http::wire::openapi::operations;

/// Names of the shared parameters. Each means the same wherever it occurs.
const SHARED: [&str; 8] =
    ["Idempotency-Key", "If-Match", "If-None-Match", "Min-Position", "all", "cursor", "dry_run", "limit"];

/// Replaces shared parameters by references. A route that describes one in its own words keeps it.
pub fn share(document: &mut OpenApi) {
    let mut shared: Vec<Parameter> = Vec::new();
    for (_, operation) in operations(document) {
        for parameter in operation.parameters.iter_mut().flatten() {
            let RefOr::T(own) = parameter else { continue };
            if !SHARED.contains(&own.name.as_str()) {
                continue;
            }
            let name = own.name.clone();
            match shared.iter().find(|shared| shared.name == name) {
                Some(first) if first != own => continue,
                Some(_) => {}
                None => shared.push(own.clone()),
            }
            *parameter = RefOr::Ref(Ref::new(format!("#/components/parameters/{name}")));
        }
    }
    let parameters = &mut document.components.get_or_insert_default().parameters;
    parameters.extend(shared.into_iter().map(|parameter| (parameter.name.clone(), parameter.into())));
}
