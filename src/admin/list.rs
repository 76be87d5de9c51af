//! The frame of lists: filters from the address, a page of rows from the API, and the way to the next and previous page.

use std::collections::HashSet;

use serde::de::DeserializeOwned;

use super::api::{Call, Problem};
use super::form::Form;
use super::query::Query;
use super::staff::Staff;

/// Rows of a page.
pub const PAGE_ROWS: usize = 100;
/// Pages that a reader can go back, one by one; beyond them there is the first.
const MAX_TRAIL: usize = 20;
/// Between the cursors of a trail; it is not a letter of base64url.
const SEPARATOR: &str = "~";

/// A page of a list.
pub struct Listing<T> {
    pub rows: Vec<T>,
    pub pager: Pager,
    pub query: Query,
    /// Why the API refused the filters.
    pub problem: Option<Problem>,
}

/// The neighbours of a page, as queries.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pager {
    pub first: Option<String>,
    pub previous: Option<String>,
    pub next: Option<String>,
}

impl<T: DeserializeOwned> Listing<T> {
    /// Reads the page that the address names. `call` is the read of the list; `filters` are the parameters that it takes
    /// over from the address.
    pub async fn read(staff: &Staff, call: Call, filters: &[&str]) -> Result<Self, Problem> {
        let query = staff.query.clone();
        let call = call.queries(query.pairs(filters)).queries(query.pairs(&["cursor"])).query("limit", PAGE_ROWS);
        match call.read::<Vec<T>>().await {
            Ok(reply) => {
                let pager = Pager::new(&query, reply.next.as_deref());
                Ok(Self { rows: reply.data, pager, query, problem: None })
            }
            Err(problem) if problem.is_about_input() => {
                Ok(Self { rows: Vec::new(), pager: Pager::default(), query, problem: Some(problem) })
            }
            Err(problem) => Err(problem),
        }
    }
}

impl<T> Listing<T> {
    /// How many rows are shown, and whether they are all: `All 34 orders`, `100 orders on this page`.
    pub fn count_in_words(&self, row: &str) -> String {
        let plural = if self.rows.len() == 1 { "" } else { "s" };
        let count = format!("{} {row}{plural}", self.rows.len());
        match (self.pager.is_needed(), self.rows.len()) {
            (true, _) => format!("{count} on this page"),
            (false, 1) => count,
            (false, _) => format!("All {count}"),
        }
    }
}

/// The chosen rows of a page, by their numbers, each once; `row` is what one of them is.
pub fn chosen(form: &Form, row: &str) -> Result<Vec<i64>, Problem> {
    let mut chosen = form.numbers("ids")?;
    let mut seen = HashSet::new();
    chosen.retain(|id| seen.insert(*id));
    match chosen.len() {
        0 => Err(Problem::invalid("ids", &format!("are missing: choose at least one {row}"))),
        1..=PAGE_ROWS => Ok(chosen),
        _ => Err(Problem::invalid("ids", &format!("are too many: choose at most {PAGE_ROWS}"))),
    }
}

impl Pager {
    fn new(query: &Query, next: Option<&str>) -> Self {
        let (cursor, trail) = (query.get("cursor"), query.get("trail"));
        let cursors: Vec<&str> = trail.split(SEPARATOR).filter(|cursor| !cursor.is_empty()).collect();
        let later = |next: &str| {
            // The first page has no cursor, and is the end of every trail.
            let passed: Vec<&str> =
                cursors.iter().copied().chain([cursor]).filter(|cursor| !cursor.is_empty()).collect();
            let kept = &passed[passed.len().saturating_sub(MAX_TRAIL)..];
            query.at(next, &kept.join(SEPARATOR))
        };
        let earlier = || match cursors.split_last() {
            Some((previous, rest)) => query.at(previous, &rest.join(SEPARATOR)),
            None => query.filters(),
        };
        Self {
            first: (!cursor.is_empty()).then(|| query.filters()),
            previous: (!cursor.is_empty()).then(earlier),
            next: next.map(later),
        }
    }

    pub fn is_needed(&self) -> bool {
        self.previous.is_some() || self.next.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pager(query: &str, next: Option<&str>) -> Pager {
        Pager::new(&Query::parse(query), next)
    }

    #[test]
    fn the_pager_finds_its_way_back() {
        let first = pager("sort=name", Some("b"));
        assert_eq!((first.first, first.previous), (None, None));
        assert_eq!(first.next.as_deref(), Some("?sort=name&cursor=b"));
        let second = pager("sort=name&cursor=b", Some("c"));
        assert_eq!(second.previous.as_deref(), Some("?sort=name"));
        assert_eq!(second.next.as_deref(), Some("?sort=name&cursor=c&trail=b"));
        let third = pager("sort=name&cursor=c&trail=b", Some("d"));
        assert_eq!(third.previous.as_deref(), Some("?sort=name&cursor=b"));
        assert_eq!(third.next.as_deref(), Some("?sort=name&cursor=d&trail=b%7Ec"));
        let last = pager("sort=name&cursor=d&trail=b~c", None);
        assert_eq!((last.first.as_deref(), last.next), (Some("?sort=name"), None));
        assert_eq!(last.previous.as_deref(), Some("?sort=name&cursor=c&trail=b"));
    }

    #[test]
    fn a_trail_has_an_end() {
        let trail: Vec<_> = (0..20).map(|number| number.to_string()).collect();
        let next = pager(&format!("cursor=20&trail={}", trail.join("~")), Some("21")).next.unwrap();
        assert!(next.contains("trail=1%7E2%7E") && next.ends_with("%7E20"), "{next}");
    }
}
