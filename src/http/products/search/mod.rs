//! Search of products: by words that name or description contain, and by relevance.
//!
//! Both find words in the vocabulary of the documents first. PostgreSQL then reads only documents that have these words.

mod relevance;
mod words;

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rust_decimal::Decimal;
use serde_json::Value;

use crate::http::App;
use crate::http::products::list::ProductSort;
use crate::http::wire::error::ApiError;
use crate::projector::text_key;

use relevance::{Candidate, Queries};
use words::words_of;

/// Words of a search that are looked up in the vocabulary; the others are compared with the texts only.
const MAX_WORDS: usize = 16;
/// Words of the vocabulary that a part of a word may be in; a part of more of them narrows too little.
const MAX_CONTAINING: usize = 500;
/// Products that a filter by words finds by their documents; of more, the list reads its index in order.
const MAX_FOUND: usize = 2_000;
/// Products of the rarest word up to which its documents are read instead of all texts.
const MAX_NARROWED: i64 = 20_000;

/// Products that a page looks up beyond its limit, because some may be deleted meanwhile.
pub const SPARE: i64 = 20;

/// Products of a list by relevance; `rank.sql` has the same number.
const MAX_RANKED: usize = 1_000;

/// Conditions on products that are not about words.
#[derive(Clone, Copy, Default)]
pub struct ProductConditions<'a> {
    pub discontinued: bool,
    pub category_ids: Option<&'a [i64]>,
    pub min_price: Option<Decimal>,
    pub max_price: Option<Decimal>,
    pub in_stock: Option<bool>,
    /// The only products that count, if any are named.
    pub among: Option<&'a [i64]>,
    /// What `filter_keys` of the details must contain.
    pub detail_keys: Option<&'a Value>,
    pub on_sale: Option<bool>,
}

/// What a search narrows a list to.
#[derive(Default)]
pub struct Found {
    /// Of a search by relevance.
    pub ranks: Option<Arc<Ranks>>,
    /// The only products of the list; `None` for any.
    pub product_ids: Option<Vec<i64>>,
    /// Words that the name or description of a product must contain.
    pub words: Option<Vec<String>>,
    /// A text search query that the documents of all products with these words match; `None` if none narrows them.
    pub documents: Option<String>,
}

/// The products that contain every word of a filter.
enum Containing {
    Products(Vec<i64>),
    /// More than [`MAX_FOUND`]; their documents match the query, if there is one.
    Many(Option<String>),
}

impl Found {
    pub async fn of(
        app: &App,
        search: Option<&str>,
        sort: Option<ProductSort>,
        conditions: ProductConditions<'_>,
    ) -> Result<Self, ApiError> {
        let by_relevance = sort == Some(ProductSort::Relevance);
        let Some(search) = search else {
            let missing = || ApiError::invalid_field("sort", "relevance needs the parameter search");
            let product_ids = conditions.among.map(<[i64]>::to_vec);
            return if by_relevance { Err(missing()) } else { Ok(Self { product_ids, ..Self::default() }) };
        };
        if by_relevance && let Some(ranks) = rank(app, search, conditions).await? {
            let product_ids = Some(ranks.keys().copied().collect());
            return Ok(Self { ranks: Some(Arc::new(ranks)), product_ids, ..Self::default() });
        }
        let mut words: Vec<String> = search.split_whitespace().map(text_key).collect();
        words.sort_unstable();
        words.dedup();
        let among = conditions.among.map(<[i64]>::to_vec);
        Ok(match find_containing(app, &words).await? {
            Containing::Many(documents) => Self { product_ids: among, words: Some(words), documents, ranks: None },
            Containing::Products(found) => {
                let product_ids = match among {
                    Some(among) => both(found, &among),
                    None => found,
                };
                Self { product_ids: Some(product_ids), ..Self::default() }
            }
        })
    }
}

/// The rank of each product that a search finds, by its number; higher is better.
pub type Ranks = HashMap<i64, i64>;

/// The products that are in both lists.
pub fn both(mut products: Vec<i64>, others: &[i64]) -> Vec<i64> {
    let others: HashSet<_> = others.iter().collect();
    products.retain(|product_id| others.contains(product_id));
    products
}

/// Products whose name or description contains every word.
async fn find_containing(app: &App, words: &[String]) -> Result<Containing, ApiError> {
    let mut parts: Vec<String> = words.iter().flat_map(|word| words_of(word)).collect();
    parts.retain(|part| part.chars().count() <= words::MAX_LENGTH);
    parts.sort_by(|part, other| other.len().cmp(&part.len()).then_with(|| part.cmp(other)));
    parts.dedup();
    parts.truncate(MAX_WORDS);
    let mut containing: Vec<(Vec<String>, i64)> = parts.iter().map(|_| (vec![], 0)).collect();
    let rows = sqlx::query_file!("projections/product_search/narrow.sql", &parts).fetch_all(&app.pool).await?;
    for row in rows {
        let place = usize::try_from(row.place).ok().and_then(|place| place.checked_sub(1));
        if let Some((words, products)) = place.and_then(|place| containing.get_mut(place)) {
            words.push(format!("'{}'|", row.word));
            *products += row.products;
        }
    }
    containing.retain(|(words, _)| words.len() <= MAX_CONTAINING);
    let Some(rarest) = containing.iter().map(|(_, products)| *products).min() else {
        return Ok(Containing::Many(None));
    };
    // A word that is too long for a document may contain the part.
    let narrowing: Vec<_> = containing.iter().map(|(words, _)| format!("({}'/long')", words.concat())).collect();
    let documents = narrowing.join("&");
    let found = sqlx::query_file_scalar!("projections/product_search/contain.sql", documents, words);
    let found = found.fetch_all(&app.pool).await?;
    Ok(if found.len() <= MAX_FOUND {
        Containing::Products(found)
    } else {
        Containing::Many(Some(documents).filter(|_| rarest <= MAX_NARROWED))
    })
}

/// The products that a text means, ranked; `None` if it holds no word.
async fn rank(app: &App, search: &str, conditions: ProductConditions<'_>) -> Result<Option<Ranks>, ApiError> {
    let mut asked = words_of(&text_key(search));
    asked.truncate(MAX_WORDS);
    if asked.is_empty() {
        return Ok(None);
    }
    let candidates = sqlx::query_file_as!(Candidate, "projections/product_search/expand.sql", &asked);
    let candidates = candidates.fetch_all(&app.pool).await?;
    let Some(queries) = Queries::of(&asked, candidates) else { return Ok(Some(Ranks::new())) };
    let ProductConditions { discontinued, category_ids, min_price, max_price, in_stock, among, detail_keys, on_sale } =
        conditions;
    let ranked = sqlx::query_file!(
        "projections/product_search/rank.sql",
        queries.anywhere,
        queries.named,
        queries.exact,
        discontinued,
        category_ids,
        min_price,
        max_price,
        in_stock,
        among,
        detail_keys.cloned(),
        on_sale
    );
    let ranked = ranked.fetch_all(&app.pool).await?;
    Ok(Some(ranked.into_iter().take(MAX_RANKED).map(|row| (row.product_id, row.rank)).collect()))
}

/// The products of a page by relevance: best first, then by number, after the one with the given rank and number.
pub fn page_of(ranks: &Ranks, after: (i64, i64), limit: Option<i64>) -> Vec<i64> {
    let mut next: Vec<_> = ranks.iter().map(|(id, rank)| (Reverse(*rank), *id)).collect();
    next.retain(|key| is_after(*key, after));
    next.sort_unstable();
    next.truncate(limit.and_then(|limit| usize::try_from(limit + SPARE).ok()).unwrap_or(usize::MAX));
    next.into_iter().map(|(_, product_id)| product_id).collect()
}

/// The rows of a page by relevance, in their order.
pub fn in_order<Row>(
    rows: Vec<Row>,
    id: impl Fn(&Row) -> i64,
    ranks: &Ranks,
    after: (i64, i64),
    limit: Option<i64>,
) -> Vec<Row> {
    let key = |row: &Row| (Reverse(ranks.get(&id(row)).copied().unwrap_or_default()), id(row));
    let mut rows: Vec<Row> = rows.into_iter().filter(|row| is_after(key(row), after)).collect();
    rows.sort_by_key(key);
    rows.truncate(limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX));
    rows
}

fn is_after(key: (Reverse<i64>, i64), (rank, product_id): (i64, i64)) -> bool {
    key > (Reverse(rank), product_id)
}
