//! Notes: the metadata of a subject as lines of a name, a colon and a text.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::api::Problem;

/// The lines of metadata.
pub fn lines(metadata: &BTreeMap<String, String>) -> String {
    metadata.iter().map(|(name, text)| format!("{name}: {text}\n")).collect()
}

/// Whether every pair fits a line of the form.
pub fn fit_lines(metadata: &BTreeMap<String, String>) -> bool {
    metadata.iter().all(|(name, text)| !name.contains([':', '\n']) && !text.contains('\n'))
}

/// The pairs of a field `metadata`.
pub fn pairs(text: &str) -> Result<Value, Problem> {
    let mut pairs = Map::new();
    for (place, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let Some((name, text)) = line.split_once(':') else {
            let message = format!("needs a name, a colon and a text in line {}, such as \"since: 2019\"", place + 1);
            return Err(Problem::invalid("metadata", &message));
        };
        if pairs.insert(name.trim().to_owned(), text.trim().into()).is_some() {
            return Err(Problem::invalid("metadata", &format!("has the name {} twice", name.trim())));
        }
    }
    Ok(Value::Object(pairs))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn notes_are_pairs_in_lines() {
        let read = pairs("since: 2019\n\n link : https://example.com/\n").unwrap();
        assert_eq!(read, json!({ "since": "2019", "link": "https://example.com/" }));
        let metadata = BTreeMap::from([("since".to_owned(), "2019".to_owned())]);
        assert_eq!(lines(&metadata), "since: 2019\n");
        assert!(fit_lines(&metadata) && !fit_lines(&BTreeMap::from([("a:b".to_owned(), String::new())])));
        for (notes, part) in [("since", "in line 1"), ("a: 1\nb", "in line 2"), ("a: 1\na: 2", "twice")] {
            let problem = pairs(notes).unwrap_err();
            assert!(problem.errors[0].message.contains(part), "{notes}: {problem:?}");
        }
    }
}
