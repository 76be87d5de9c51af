//! Text that buyers write, such as names and addresses, in a form that no mail program turns into a link.
//!
//! Mails may go to an address that the buyer does not own. Without this, a stranger could put a link to any site into a
//! mail that the shop signs.

use serde_json::Value;

/// Dots that separate the labels of a host name, also in scripts other than Latin.
const DOTS: [char; 4] = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'];

/// Separates the parts that mail programs recognise as URLs, host names and e-mail addresses: puts a space after a colon
/// and after a dot that a letter follows, and around an at sign.
pub(super) fn without_links(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied().unwrap_or(' ');
        let splits = match letter {
            '@' | '\u{ff20}' => !next.is_whitespace(),
            ':' => !next.is_whitespace() && !next.is_numeric(),
            dot if DOTS.contains(&dot) => !next.is_whitespace() && !next.is_numeric() && !DOTS.contains(&next),
            _ => false,
        };
        let is_at = matches!(letter, '@' | '\u{ff20}');
        if is_at && shown.chars().next_back().is_some_and(|last| !last.is_whitespace()) {
            shown.push(' ');
        }
        shown.push(letter);
        if splits {
            shown.push(' ');
        }
    }
    shown
}

/// Applies [`without_links`] to every text of a JSON value.
pub(super) fn without_links_in(value: &mut Value) {
    match value {
        Value::String(text) => *text = without_links(text),
        Value::Array(items) => items.iter_mut().for_each(without_links_in),
        Value::Object(fields) => fields.values_mut().for_each(without_links_in),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn urls_host_names_and_addresses_are_separated() {
        for (text, shown) in [
            ("https://evil.example/win?a=1", "https: //evil. example/win?a=1"),
            ("www.evil.example", "www. evil. example"),
            ("Evil.example", "Evil. example"),
            ("jo@evil.example", "jo @ evil. example"),
            ("mailto:jo", "mailto: jo"),
            ("evil\u{3002}example", "evil\u{3002} example"),
        ] {
            assert_eq!(without_links(text), shown);
        }
    }

    #[test]
    fn ordinary_names_numbers_and_times_stay_as_they_are() {
        for text in ["Dr. Jo O'Neil-Smith, Jr.", "12 Mill Lane", "39.80", "Floor 2.5", "wait …", "12:30", "Łódź", ""]
        {
            assert_eq!(without_links(text), text);
        }
    }

    proptest! {
        #[test]
        fn nothing_that_looks_like_a_link_is_left(text in "[a-z0-9.@:/ wA-Zé。-]{0,60}") {
            let shown = without_links(&text);
            let letters: Vec<char> = shown.chars().collect();
            for pair in letters.windows(2) {
                let follows = |first: &[char]| first.contains(&pair[0]) && pair[1].is_alphabetic();
                prop_assert!(!follows(&['.', ':', '@', '\u{3002}']), "{}", shown);
                prop_assert!(!(pair[0] == ':' && pair[1] == '/'), "{}", shown);
            }
            // Nothing is lost.
            let letters_of = |text: &str| text.chars().filter(|letter| *letter != ' ').collect::<String>();
            prop_assert_eq!(letters_of(&shown), letters_of(&text));
        }
    }
}
