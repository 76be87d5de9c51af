//! Characters that a text may have. `docs/text.md` explains the rules to clients.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Zero-width non-joiner and joiner: scripts such as Persian and Malayalam, and emoji, need them.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// Whether a reader sees anything: at least one character that is not blank, invisible or a mark on another character.
pub fn is_visible(text: &str) -> bool {
    text.chars().any(|letter| {
        !letter.is_whitespace()
            && !is_blank(letter)
            && !is_variation_selector(letter)
            && !is_mark_or_other(letter.general_category())
    })
}

/// Whether every character shows, and none changes the direction of its neighbours.
pub fn is_readable(text: &str) -> bool {
    let mut previous = None;
    text.chars().all(|letter| {
        let allowed = if JOINERS.contains(&letter) {
            previous.is_some_and(joins)
        } else if is_variation_selector(letter) {
            previous.is_some_and(|letter: char| !letter.is_whitespace() && !is_variation_selector(letter))
        } else {
            !is_invisible(letter) && !is_noncharacter(letter)
        };
        previous = Some(letter);
        allowed
    })
}

/// Whether the character only says how its neighbours are drawn; comparison ignores it.
pub fn is_drawing_hint(letter: char) -> bool {
    JOINERS.contains(&letter) || is_variation_selector(letter)
}

/// Format characters, line and paragraph separators, and letters that are drawn as nothing.
fn is_invisible(letter: char) -> bool {
    match letter.general_category() {
        GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator => true,
        GeneralCategory::Format => !is_visible_format(letter),
        _ => is_blank(letter),
    }
}

/// Characters without a shape that are neither white space nor format characters: fillers, the grapheme joiner, the
/// empty Braille pattern, and what Unicode reserves for such use.
fn is_blank(letter: char) -> bool {
    matches!(
        letter,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2065}'
            | '\u{2800}' | '\u{3164}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{e0000}'..='\u{e00ff}'
            | '\u{e01f0}'..='\u{e0fff}'
    )
}

/// Signs of Arabic, Syriac and Kaithi that are drawn around the digits after them.
fn is_visible_format(letter: char) -> bool {
    matches!(
        letter,
        '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}' | '\u{110bd}' | '\u{110cd}'
    )
}

fn is_variation_selector(letter: char) -> bool {
    matches!(letter, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

fn is_noncharacter(letter: char) -> bool {
    matches!(letter, '\u{fdd0}'..='\u{fdef}') || u32::from(letter) & 0xfffe == 0xfffe
}

/// Letters, marks and emoji that a joiner may follow; letters of Latin, Greek and Cyrillic have no use for it.
fn joins(letter: char) -> bool {
    letter >= '\u{590}' && !letter.is_whitespace() && !JOINERS.contains(&letter) && !is_invisible(letter)
}

/// Marks need a character before them; controls, format characters and surrogates have no shape.
fn is_mark_or_other(category: GeneralCategory) -> bool {
    use GeneralCategory::{Control, EnclosingMark, Format, NonspacingMark, SpacingMark, Surrogate};
    matches!(category, Control | EnclosingMark | Format | NonspacingMark | SpacingMark | Surrogate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_every_script_and_emoji_are_readable() {
        for text in [
            "Café",
            "Łódź",
            "Äpfel & Birnen",
            "茶",
            "خانه‌ها",
            "ന്‍",
            "क्‍ष",
            "👩‍🍳 apron",
            "❤️",
            "1️⃣",
            "葛󠄀",
            "½ kg",
            "Tee\u{a0}15 g",
            "שלום",
            "\u{f8ff} phone",
            "👍🏽",
        ] {
            assert!(is_readable(text) && is_visible(text), "{text:?}");
        }
    }

    #[test]
    fn invisible_and_direction_changing_characters_are_not() {
        let hidden = "\u{ad}\u{61c}\u{200b}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2060}\u{2061}\
                      \u{2066}\u{2067}\u{2068}\u{2069}\u{206f}\u{feff}\u{3164}\u{115f}\u{2800}\u{34f}\u{180e}\u{fffe}\u{fdd0}\u{e0041}\u{e007f}";
        for letter in hidden.chars() {
            assert!(!is_readable(&format!("a{letter}b")), "U+{:04X}", u32::from(letter));
            assert!(!is_visible(&letter.to_string()) || is_noncharacter(letter), "U+{:04X}", u32::from(letter));
        }
    }

    #[test]
    fn joiners_and_variation_selectors_need_a_character_that_they_change() {
        for text in [
            "a\u{200d}b",
            "\u{200c}x",
            " \u{200d}",
            "Tea\u{200c}",
            "\u{fe0f}x",
            "❤\u{fe0f}\u{fe0f}",
            "क\u{200d}\u{200d}",
        ] {
            assert!(!is_readable(text), "{text:?}");
        }
    }

    #[test]
    fn blanks_and_marks_alone_are_not_visible() {
        for text in ["", " ", "\u{301}", "\u{fe0f}", "\u{3000}\u{a0}", "\u{2800}\u{3164}"] {
            assert!(!is_visible(text), "{text:?}");
        }
    }
}
