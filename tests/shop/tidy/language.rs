//! The language of comments, messages and documentation: words that name nobody, and verbs that are not the field's.

use super::Tried;

pub const RULES: [Tried; 2] = [
    (
        texts_use_plain_words,
        "src/shop/x.rs",
        &["/// What somebody did.", "#[error(\"the buyer is\n/// told\")]", "fn nobody_is_here() {}"],
        &["/// What the client sent.", "let body = 1;"],
    ),
    (texts_use_plain_words, "docs/x.md", &["The money is let go of."], &[]),
];

/// Words and phrases that must not come back, with what to write.
const PHRASES: [(&str, &str); 16] = [
    ("somebody", "the actor: client, buyer, staff, operator, node"),
    ("someone", "the actor"),
    ("nobody", "the actor: no client, no node"),
    ("everybody", "the actors"),
    ("anybody", "the actor"),
    ("whoever", "the actor"),
    ("is told", "is notified, receives, is shown"),
    ("are told", "are notified, receive, are shown"),
    ("was told", "was notified, received, was shown"),
    ("is said", "is stated, is set, is given"),
    ("let go", "void, release, drop"),
    ("let be", "ignore, leave unchanged"),
    ("goes on", "continues, resumes"),
    ("go on", "continue, resume"),
    ("given back", "returned, refunded, released"),
    ("gives back", "returns, refunds, releases"),
];

pub fn texts_use_plain_words(path: &str, text: &str) -> Option<String> {
    let rooms = ["src/", "projections/", "docs/", "tests/", "database/", "templates/"];
    let searched = rooms.iter().any(|room| path.starts_with(room)) || !path.contains('/') && path.ends_with(".md");
    if !searched {
        return None;
    }
    let words = format!(" {} ", words(text));
    let found: Vec<_> = PHRASES.iter().filter(|(phrase, _)| words.contains(&format!(" {phrase} "))).collect();
    let (phrase, better) = found.first()?;
    Some(format!("says `{phrase}`; write {better}"))
}

/// All words in lower case with a space between, also those of identifiers.
fn words(text: &str) -> String {
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}
