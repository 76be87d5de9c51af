//! Text that buyers write, such as names and addresses, in a form that no mail program turns into a link.
//!
//! Mails may go to an address that the buyer does not own. Without this, a stranger could put a link to any site into a
//! mail that the shop signs.

use serde_json::Value;

/// Dots that separate the labels of a host name, also in scripts other than Latin and in compatibility forms.
const DOTS: [char; 6] = ['.', '\u{2024}', '\u{3002}', '\u{fe52}', '\u{ff0e}', '\u{ff61}'];
/// Dots of an IPv4 address; a price has one and a date has two.
const DOTS_OF_ADDRESS: usize = 3;

/// Separates the parts that mail programs recognise as URLs, host names and e-mail addresses: puts a space after a colon
/// and after a dot that a letter follows, after the dots of an IPv4 address, and around an at sign.
pub(super) fn without_links(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let number = rest.find(|letter| !is_in_number(letter)).unwrap_or(rest.len());
        let other = rest[number..].find(is_in_number).map_or(rest.len(), |length| number + length);
        let is_address = rest[..number].matches(is_dot).count() >= DOTS_OF_ADDRESS;
        let mut letters = rest[..other].chars().chain(rest[other..].chars().next()).peekable();
        for _ in rest[..other].chars() {
            if let Some(letter) = letters.next() {
                push_split(&mut shown, letter, letters.peek().copied().unwrap_or(' '), is_address);
            }
        }
        rest = &rest[other..];
    }
    shown
}

/// Appends a letter, and a space where the letter and the `next` one could belong to a link.
fn push_split(shown: &mut String, letter: char, next: char, is_address: bool) {
    let is_at = matches!(letter, '@' | '\u{ff20}');
    let splits = match letter {
        _ if is_at => !next.is_whitespace(),
        ':' => !next.is_whitespace() && !next.is_numeric(),
        dot if is_dot(dot) => !next.is_whitespace() && (is_address || !next.is_numeric()) && !is_dot(next),
        _ => false,
    };
    if is_at && shown.chars().next_back().is_some_and(|last| !last.is_whitespace()) {
        shown.push(' ');
    }
    shown.push(letter);
    if splits {
        shown.push(' ');
    }
}

fn is_dot(letter: char) -> bool {
    DOTS.contains(&letter)
}

fn is_in_number(letter: char) -> bool {
    letter.is_numeric() || is_dot(letter)
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
            ("evil\u{2024}example", "evil\u{2024} example"),
            ("evil\u{fe52}example", "evil\u{fe52} example"),
            ("1.2.3.4", "1. 2. 3. 4"),
            ("see 203.0.113.77:8080/win", "see 203. 0. 113. 77:8080/win"),
            ("203\u{2024}0.113\u{ff0e}77", "203\u{2024} 0. 113\u{ff0e} 77"),
            ("http://1.2.3.4", "http: //1. 2. 3. 4"),
        ] {
            assert_eq!(without_links(text), shown);
        }
    }

    #[test]
    fn ordinary_names_numbers_and_times_stay_as_they_are() {
        for text in [
            "Dr. Jo O'Neil-Smith, Jr.",
            "12 Mill Lane",
            "39.80",
            "Floor 2.5",
            "1.12.2026",
            "wait …",
            "wait ...",
            "flat 7.",
            "12:30",
            "Łódź",
            "",
        ] {
            assert_eq!(without_links(text), text);
        }
    }

    proptest! {
        #[test]
        fn nothing_that_looks_like_a_link_is_left(text in "[a-z0-9.@:/ wA-Zé。․﹒-]{0,60}") {
            let shown = without_links(&text);
            let letters: Vec<char> = shown.chars().collect();
            for pair in letters.windows(2) {
                let follows = |first: &[char]| first.contains(&pair[0]) && pair[1].is_alphabetic();
                prop_assert!(!follows(&['.', ':', '@', '\u{2024}', '\u{3002}', '\u{fe52}']), "{}", shown);
                prop_assert!(!(pair[0] == ':' && pair[1] == '/'), "{}", shown);
            }
            let words = shown.split(|letter| !is_in_number(letter));
            for word in words.filter(|word| word.starts_with(char::is_numeric) && word.ends_with(char::is_numeric)) {
                prop_assert!(word.split(is_dot).filter(|part| !part.is_empty()).count() < 4, "{}", shown);
            }
            // Nothing is lost.
            let letters_of = |text: &str| text.chars().filter(|letter| *letter != ' ').collect::<String>();
            prop_assert_eq!(letters_of(&shown), letters_of(&text));
        }
    }
}
