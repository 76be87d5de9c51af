//! The key by which lists of names are sorted, and texts are searched: the Rust twin of `projections/text_key.sql`.
//!
//! Projections store keys that SQL made. Cursors, filters and search words get theirs here, from the same table.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Creates the SQL function `fact.text_key`.
pub(super) const TEXT_KEY_SQL: &str = include_str!("../../projections/text_key.sql");

/// Plain letters by letter; a letter that is not in the table stays as it is.
static PLAIN: LazyLock<HashMap<char, String>> = LazyLock::new(|| {
    let table = TEXT_KEY_SQL.split("$table$").nth(1).unwrap_or_default();
    serde_json::from_str(table).unwrap_or_default()
});

/// The text in lower case, without accents, in plain letters and signs. Keys are compared byte by byte.
pub fn text_key(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    if lower.is_ascii() {
        return lower;
    }
    let mut key = String::with_capacity(lower.len());
    for letter in lower.chars() {
        match PLAIN.get(&letter) {
            Some(plain) => key.push_str(plain),
            None => key.push(letter),
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use icu_casemap::CaseMapper;
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    use super::*;

    #[test]
    fn accents_case_and_writing_variants_do_not_count() {
        for (text, key) in [
            ("Äpfel", "apfel"),
            ("Cafe\u{301}", "cafe"),
            ("ŁÓDŹ", "lodz"),
            ("Straße", "strasse"),
            ("Smørrebrød", "smorrebrod"),
            ("O’Neil", "o'neil"),
            ("Ｔｅａ", "tea"),
            ("ΆΛΦΑ", "αλφα"),
            ("Ёлка", "елка"),
            ("чай", "чай"),
            ("İstanbul", "istanbul"),
            ("Œuvre", "oeuvre"),
            ("𝐁𝐨𝐥𝐝", "bold"),
            ("❤\u{fe0f}", "❤"),
            ("茶 がま", "茶 がま"),
            ("½ l", "1/2 l"),
        ] {
            assert_eq!(text_key(text), key, "{text}");
        }
    }

    #[test]
    fn names_sort_as_people_sort() {
        let mut names = ["Zebra", "apple", "Äpfel", "10 pack", "9 pack", "Banana", "ananas", "zoo"];
        names.sort_by_key(|name| text_key(name));
        assert_eq!(names, ["10 pack", "9 pack", "ananas", "Äpfel", "apple", "Banana", "Zebra", "zoo"]);
    }

    /// The decomposition of a letter by Unicode, without the marks that are not significant.
    fn by_unicode(letter: char) -> String {
        let is_mark = |letter: char| matches!(letter, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}');
        let plain = |text: &str| text.nfkd().filter(|letter| !is_mark(*letter)).collect::<String>();
        let folded = CaseMapper::new().fold_string(&plain(&letter.to_string())).into_owned();
        plain(&folded).nfc().collect()
    }

    #[test]
    fn the_table_is_what_unicode_says_of_letters() {
        // Letters that have plain ones without a decomposition, and one that is a letter of its own.
        let others = "øłđðħıŧæœþŋĸȷƀɨɉɍɏƶǥɇⱥⱦƚƙɓɗɖɔɛəйЙŉʼʹ";
        let ranges = ['À'..='ɏ', 'Ͱ'..='ԯ', 'Ḁ'..='\u{1ffc}', 'Ａ'..='ｚ'];
        let letters = ranges.into_iter().flatten().filter(|letter| letter.is_alphabetic());
        let different = letters.map(|letter| (letter, text_key(&letter.to_string()), by_unicode(letter)));
        let different = different.filter(|(letter, key, expected)| {
            key != expected && !expected.chars().chain([*letter]).any(|letter| others.contains(letter))
        });
        assert_eq!(different.collect::<Vec<_>>(), []);
        assert!(PLAIN.len() > 4_000);
    }

    proptest! {
        #[test]
        fn a_key_is_its_own_key(text in "\\PC{0,40}") {
            let key = text_key(&text);
            prop_assert_eq!(text_key(&key), key);
        }
    }
}
