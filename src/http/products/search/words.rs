//! Words of a text, as `projections/product_search/apply.sql` splits it.

use std::collections::HashSet;

/// What stands between two words.
const SEPARATORS: &str = "\t\n\r !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~–—«»„“”‚‘’…·•×";
/// Maximum length of a word that documents index, in characters.
pub const MAX_LENGTH: usize = 40;

/// The words of a text key, each once, in their order.
pub fn words_of(key: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    let words = key.split(|letter| SEPARATORS.contains(letter)).filter(|word| !word.is_empty());
    words.filter(|word| seen.insert(*word)).map(str::to_owned).collect()
}

/// Number of typing errors that a word of this length may have: each letter of a short word counts.
pub fn tolerated_errors(word: &str) -> usize {
    let is_code = word.bytes().any(|byte| byte.is_ascii_digit());
    match word.chars().count() {
        _ if is_code => 0,
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    }
}

/// Number of letters to insert, remove, replace or swap to make one word the other.
pub fn errors_between(word: &str, other: &str) -> usize {
    strsim::damerau_levenshtein(word, other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_split_as_the_projection_splits_them() {
        let apply = include_str!("../../../../projections/product_search/apply.sql");
        let escaped = SEPARATORS.replace('\\', "\\\\").replace('\'', "''");
        let escaped = escaped.replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r");
        assert!(apply.contains(&format!("translate(text, e'{escaped}', repeat(' ', 60))")), "{escaped}");
        assert!(SEPARATORS.chars().count() <= 60);
        assert!(apply.contains(&format!("when length(word) > {MAX_LENGTH} then")));
    }

    #[test]
    fn words_are_what_stands_between_signs() {
        assert_eq!(words_of("ket-17 (steel), o'neil's ket"), ["ket", "17", "steel", "o", "neil", "s"]);
        assert_eq!(words_of("%_&|!:*'\\ "), Vec::<String>::new());
    }

    #[test]
    fn longer_words_may_have_more_errors() {
        for (word, errors) in [("mug", 0), ("lamp", 1), ("kettle", 1), ("umbrella", 2), ("iphone15", 0)] {
            assert_eq!(tolerated_errors(word), errors, "{word}");
        }
        for (word, other) in [("kettle", "ketle"), ("kettle", "ketttle"), ("kettle", "kettel"), ("kettle", "kattle")] {
            assert_eq!(errors_between(word, other), 1, "{other}");
        }
    }
}
