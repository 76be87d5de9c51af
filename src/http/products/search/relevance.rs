//! Which words of the documents a client may mean, and the text search queries that find them.

use std::collections::HashMap;

use super::words::{errors_between, tolerated_errors, words_of};

/// A word that may be meant by the word at `place` (from 1), or a category.
pub struct Candidate {
    pub place: i32,
    pub kind: String,
    /// For a category, its name.
    pub word: String,
    pub category_id: i64,
}

/// Text search queries, in the text form of `tsquery`.
#[derive(Debug, PartialEq, Eq)]
pub struct Queries {
    /// Every word, in any text.
    pub anywhere: String,
    /// Every word, in the name or the category.
    pub named: String,
    /// Any word that is exact or has the stem of one; `None` without such words.
    pub exact: Option<String>,
}

/// Words that misspelt words may mean, at most.
const MAX_SIMILAR: usize = 20;

/// What one word of the client may mean.
#[derive(Default)]
struct Meaning {
    exact: Vec<String>,
    parts: Vec<String>,
    /// With the number of typing errors.
    similar: Vec<(usize, String)>,
    categories: Vec<i64>,
    is_stop_word: bool,
}

impl Queries {
    /// `None` if no product can match: a word means nothing.
    pub fn of(asked: &[String], candidates: Vec<Candidate>) -> Option<Self> {
        let meanings = meanings(asked, candidates);
        let only_stop_words = meanings.iter().all(|meaning| meaning.is_stop_word);
        let (mut anywhere, mut named, mut exact) = (vec![], vec![], vec![]);
        for meaning in meanings.iter().filter(|meaning| only_stop_words || !meaning.is_stop_word) {
            let words = meaning.words();
            let categories = || meaning.categories.iter().map(|category_id| format!("'#{category_id}'"));
            let all: Vec<_> = words.iter().map(|word| format!("'{word}'")).chain(categories()).collect();
            if all.is_empty() {
                return None;
            }
            anywhere.push(format!("({})", all.join("|")));
            let all: Vec<_> = words.iter().map(|word| format!("'/{word}'")).chain(categories()).collect();
            named.push(format!("({})", all.join("|")));
            exact.extend(meaning.exact.iter().map(|word| format!("'{word}'")));
        }
        Some(Self {
            anywhere: anywhere.join("&"),
            named: named.join("&"),
            exact: Some(exact.join("|")).filter(|exact| !exact.is_empty()),
        })
    }
}

fn meanings(asked: &[String], candidates: Vec<Candidate>) -> Vec<Meaning> {
    let mut meanings: Vec<Meaning> = asked.iter().map(|_| Meaning::default()).collect();
    let mut categories = HashMap::new();
    for Candidate { place, kind, word, category_id } in candidates {
        if kind == "category" {
            categories.insert(category_id, words_of(&word));
            continue;
        }
        let Some(place) = usize::try_from(place).ok().and_then(|place| place.checked_sub(1)) else { continue };
        let (Some(meaning), Some(asked)) = (meanings.get_mut(place), asked.get(place)) else { continue };
        match kind.as_str() {
            "stem" => meaning.exact.push(word),
            "part" => meaning.parts.push(word),
            "similar" => {
                let errors = errors_between(asked, &word);
                if errors <= tolerated_errors(asked) {
                    meaning.similar.push((errors, word));
                }
            }
            _ => meaning.is_stop_word = true,
        }
    }
    for (meaning, asked) in meanings.iter_mut().zip(asked) {
        meaning.similar.sort();
        let named = categories.iter().filter(|(_, words)| words.iter().any(|word| names_category(asked, word)));
        meaning.categories = named.map(|(category_id, _)| *category_id).collect();
        meaning.categories.sort_unstable();
    }
    meanings
}

/// Whether a word that a client searches for means a word in the name of a category.
fn names_category(asked: &str, word: &str) -> bool {
    let begins = asked.chars().count() > 2 && word.starts_with(asked);
    asked == word || begins || errors_between(asked, word) <= tolerated_errors(asked)
}

impl Meaning {
    /// Misspelt words count only where nothing is spelt so.
    fn words(&self) -> Vec<&str> {
        let spelt: Vec<_> = self.exact.iter().chain(&self.parts).map(String::as_str).collect();
        if !spelt.is_empty() {
            return spelt;
        }
        self.similar.iter().take(MAX_SIMILAR).map(|(_, word)| word.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(place: i32, kind: &str, word: &str) -> Candidate {
        Candidate { place, kind: kind.to_owned(), word: word.to_owned(), category_id: 7 }
    }

    fn queries(asked: &[&str], candidates: Vec<Candidate>) -> Option<(String, String, Option<String>)> {
        let asked: Vec<_> = asked.iter().map(|word| (*word).to_owned()).collect();
        Queries::of(&asked, candidates).map(|queries| (queries.anywhere, queries.named, queries.exact))
    }

    #[test]
    fn every_word_must_be_in_a_document_and_stop_words_need_not() {
        let found = queries(
            &["kettle", "for", "steel"],
            vec![
                candidate(1, "stem", "kettles"),
                candidate(2, "stem", "for"),
                candidate(2, "stop", "for"),
                candidate(3, "stem", "steel"),
                candidate(3, "part", "steelwork"),
            ],
        );
        let (anywhere, named, exact) = found.unwrap();
        assert_eq!(anywhere, "('kettles')&('steel'|'steelwork')");
        assert_eq!(named, "('/kettles')&('/steel'|'/steelwork')");
        assert_eq!(exact.as_deref(), Some("'kettles'|'steel'"));
        let only = queries(&["the"], vec![candidate(1, "stop", "the"), candidate(1, "stem", "the")]).unwrap();
        assert_eq!(only.0, "('the')");
    }

    #[test]
    fn similar_words_count_only_where_nothing_is_spelt_so() {
        let similar = |word| candidate(1, "similar", word);
        let found = queries(&["ketle"], vec![similar("kettle"), similar("kettles"), similar("nettle")]).unwrap();
        assert_eq!((found.0.as_str(), found.2), ("('kettle')", None));
        let spelt = queries(&["ketle"], vec![similar("kettle"), candidate(1, "part", "ketlestone")]).unwrap();
        assert_eq!(spelt.0, "('ketlestone')");
        assert_eq!(queries(&["ketle", "zzz"], vec![similar("kettle")]), None);
    }

    #[test]
    fn a_word_may_name_a_category() {
        let category = candidate(0, "category", "kitchen & dining");
        for asked in ["kitchen", "kitch", "kitchens", "kitchn"] {
            assert_eq!(queries(&[asked], vec![candidate(0, "category", "kitchen & dining")]).unwrap().0, "('#7')");
        }
        assert_eq!(queries(&["garden"], vec![category]), None);
    }
}
