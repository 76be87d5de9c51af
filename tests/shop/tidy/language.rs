//! The language of comments, messages and documentation: pronouns without an actor, and metaphors for standard verbs.

use super::{Tried, contains_name};

pub const RULES: [Tried; 2] = [
    (
        texts_use_plain_words,
        "src/shop/x.rs",
        &["/// What somebody did.", "#[error(\"the buyer is\n/// told\")]", "fn nobody_is_here() {}"],
        &["/// What the client sent.", "command: Command<NoBody>", "given(back).when(wanted)", "user `nobody`"],
    ),
    (texts_use_plain_words, "docs/x.md", &["The money is let go of."], &[]),
];

/// Words and phrases that must not come back, with what to write.
const PHRASES: [(&str, &str); 19] = [
    ("somebody", "the actor: client, buyer, staff, operator, node"),
    ("someone", "the actor"),
    ("nobody", "the actor: no client, no node"),
    ("everybody", "the actors"),
    ("anybody", "the actor"),
    ("whoever", "the actor"),
    ("is told", "is notified, receives, is shown"),
    ("are told", "are notified, receive, are shown"),
    ("was told", "was notified, received, was shown"),
    ("were told", "were notified, received, were shown"),
    ("be told", "be notified, receive, be shown"),
    ("is said", "is stated, is set, is given"),
    ("are said", "are stated, are set, are given"),
    ("let go", "void, release, drop"),
    ("let be", "ignore, leave unchanged"),
    ("goes on", "continues, resumes"),
    ("go on", "continue, resume"),
    ("given back", "returned, refunded, released"),
    ("gives back", "returns, refunds, releases"),
];

/// Rooms that have still to pass.
const LATER: [&str; 1] = ["projections/"];

fn texts_use_plain_words(path: &str, text: &str) -> Option<String> {
    let rooms = ["src/", "projections/", "docs/", "tests/", "database/", "templates/"];
    let searched = rooms.iter().any(|room| path.starts_with(room)) || !path.contains('/') && path.ends_with(".md");
    if !searched || LATER.iter().any(|room| path.starts_with(room)) {
        return None;
    }
    let text = flowing(text);
    let (phrase, better) = PHRASES.iter().find(|(phrase, _)| contains_phrase(&text, phrase))?;
    Some(format!("says `{phrase}`; write {better}"))
}

/// Joins the lines, removes comment marks and the system user `nobody`, and splits names into words.
fn flowing(text: &str) -> String {
    let text = text.replace("`nobody`", "").replace("\"nobody\"", "");
    let marks = |line: &str| line.trim_start().trim_start_matches(['/', '!', '-', '*']).trim().replace('_', " ");
    text.lines().map(marks).collect::<Vec<_>>().join(" ")
}

/// Whether the text contains the phrase as whole words, capitalised or not.
fn contains_phrase(text: &str, phrase: &str) -> bool {
    let (first, rest) = phrase.split_at(1);
    [phrase.to_owned(), first.to_uppercase() + rest].iter().any(|phrase| contains_name(text, phrase))
}
