//! Texts that a spreadsheet would execute: an apostrophe in front marks them as text.

use std::borrow::Cow;

/// First characters of formulas, and full-width forms that some programs read alike.
const BEGINNINGS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
const MARK: char = '\'';

/// Puts an apostrophe in front of a text that a spreadsheet would take for a formula. Numbers stay as they are.
pub fn guard_formula(text: &str) -> Cow<'_, str> {
    if is_formula(text.trim_start_matches(MARK)) && !is_number(text) {
        Cow::Owned(format!("{MARK}{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Removes the apostrophe of [`guard_formula`].
pub fn without_guard(text: &str) -> &str {
    match text.strip_prefix(MARK) {
        Some(guarded) if is_formula(guarded.trim_start_matches(MARK)) => guarded,
        _ => text,
    }
}

fn is_formula(text: &str) -> bool {
    text.starts_with(BEGINNINGS)
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
    [whole, decimals].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_marked_and_numbers_are_not() {
        for text in ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "＝1", "'=1", "+", "-1.", "+49 30 1"] {
            let guarded = guard_formula(text);
            assert_eq!(guarded, format!("'{text}"));
            assert_eq!(without_guard(&guarded), text);
        }
        for text in ["", "Tea", "-5.00", "+3", "12", "'quoted'", "1-2", "a=b"] {
            assert_eq!(guard_formula(text), text);
            assert_eq!(without_guard(text), text);
        }
    }
}
