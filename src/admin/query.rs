//! The query of a page's address: filters, order and place of a list.

/// Parameters in their order. A repeated name counts with its first value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

/// Parameters that name a place in a list, which another filter or order does not have.
const PLACE: [&str; 2] = ["cursor", "trail"];

impl Query {
    pub fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().filter(|(_, value)| !value.is_empty()).collect())
    }

    /// The value of a parameter, or the empty text.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    /// Whether a parameter has this value.
    pub fn is(&self, name: &str, value: &str) -> bool {
        self.get(name) == value
    }

    pub fn has(&self, name: &str) -> bool {
        !self.get(name).is_empty()
    }

    /// Whether any of these filters is set.
    pub fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.has(name))
    }

    /// Those of the named parameters that are set.
    pub fn pairs<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        names.iter().map(|name| (*name, self.get(name))).filter(|(_, value)| !value.is_empty())
    }

    /// The query with another value, from the first page on: `?sort=newest`. An empty value removes the parameter.
    pub fn with(&self, name: &str, value: &str) -> String {
        self.changed(&[(name, value)], &PLACE)
    }

    /// The same query for another page of the list.
    pub fn at(&self, cursor: &str, trail: &str) -> String {
        self.changed(&[("cursor", cursor), ("trail", trail)], &[])
    }

    /// The query without its place.
    pub fn filters(&self) -> String {
        self.changed(&[], &PLACE)
    }

    fn changed(&self, changes: &[(&str, &str)], removed: &[&str]) -> String {
        let is_kept = |name: &str| !removed.contains(&name) && changes.iter().all(|(changed, _)| *changed != name);
        let kept = self.0.iter().filter(|(name, _)| is_kept(name)).map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs = kept.chain(changes.iter().copied().filter(|(_, value)| !value.is_empty()));
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        // An empty query would be an empty address, which is the current page with its query.
        format!("?{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_order_begins_at_the_first_page_and_keeps_the_filters() {
        let query = Query::parse("search=tea+pot&sort=name&cursor=abc&trail=x&in_stock=");
        assert_eq!(query.get("search"), "tea pot");
        assert_eq!(query.with("sort", "newest"), "?search=tea+pot&sort=newest");
        assert_eq!(query.with("search", ""), "?sort=name");
        assert_eq!(query.filters(), "?search=tea+pot&sort=name");
        assert_eq!(query.at("def", ""), "?search=tea+pot&sort=name&cursor=def");
        assert!(!query.has("in_stock") && query.has_any(&["in_stock", "sort"]));
        assert_eq!(
            query.pairs(&["sort", "in_stock", "search"]).collect::<Vec<_>>(),
            [("sort", "name"), ("search", "tea pot")]
        );
    }
}
