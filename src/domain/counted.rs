//! Numbers with their nouns, for lines that people read.

use std::fmt::Display;

/// A number and its noun: `1 row`, `2 rows`.
pub fn counted<Count: Display + PartialEq + From<u8>>(count: Count, one: &str, many: &str) -> String {
    let noun = if count == Count::from(1) { one } else { many };
    format!("{count} {noun}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_singular() {
        assert_eq!(
            [0, 1, 2].map(|count| counted(count, "category", "categories")),
            ["0 categories", "1 category", "2 categories"]
        );
    }
}
