//! All data about a customer as a file.

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use serde_json::{Map, Value};

use crate::admin::api::Problem;
use crate::admin::staff::{Id, PageResult, Staff};

/// Pages of an export in a file, of 1,000 entries each.
const MAX_PAGES: usize = 200;
/// The lists of an export that come in pages.
const LISTS: [&str; 5] = ["orders", "sign_ins", "sessions", "mailed_links", "history"];

/// Reads every page, and joins their lists. `complete` tells whether the file holds all of them.
pub async fn send(staff: Staff, Id(customer_id): Id) -> PageResult {
    let mut file = Map::new();
    let mut cursor = None;
    for _ in 0..MAX_PAGES {
        let call = staff.api.get(format!("customer/{customer_id}/export"));
        let call = match &cursor {
            Some(cursor) => call.query("cursor", cursor),
            None => call,
        };
        let page = call.read::<Map<String, Value>>().await?;
        join(&mut file, page.data);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let json = serde_json::to_vec_pretty(&file).map_err(Problem::internal)?;
    let disposition = format!("attachment; filename=\"customer-{customer_id}.json\"");
    Ok(([(CONTENT_TYPE, "application/json".to_owned()), (CONTENT_DISPOSITION, disposition)], json).into_response())
}

fn join(file: &mut Map<String, Value>, page: Map<String, Value>) {
    for (name, value) in page {
        match (file.get_mut(&name), value) {
            (Some(Value::Array(rows)), Value::Array(more)) if LISTS.contains(&name.as_str()) => rows.extend(more),
            (_, value) => drop(file.insert(name, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pages_are_joined_and_whole_parts_are_not_repeated() {
        let page = |value: Value| value.as_object().cloned().unwrap();
        let mut file = Map::new();
        join(&mut file, page(json!({ "email": "a@b", "addresses": [1], "orders": [1, 2], "complete": false })));
        join(&mut file, page(json!({ "email": "a@b", "addresses": [1], "orders": [3], "complete": true })));
        let expected = json!({ "email": "a@b", "addresses": [1], "orders": [1, 2, 3], "complete": true });
        assert_eq!(Value::Object(file), expected);
    }
}
