//! Facets: numbers of the products of a list, by what a shopper can narrow it to.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::domain::money::Money;
use crate::http::App;
use crate::http::categories::{find_categories, with_subtrees};
use crate::http::products::detail_filter::DetailFilter;
use crate::http::products::list::{ProductSort, find_members, require_staff};
use crate::http::products::search::{Found, ProductConditions};
use crate::http::wire::caller::Caller;
use crate::http::wire::consistency::planned_read;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::Params;

/// Lower bounds of the bands of prices; below the first there is a band from 0. The projection has the same.
const BANDS: [u32; 15] =
    [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 1_000_000];

/// The filters of `GET products/` that do not depend on the caller.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FacetFilter {
    /// Category: looked up by number, then by exact name, then by name without accents.
    category: Option<String>,
    /// Number of a category.
    category_id: Option<i64>,
    /// `true` includes the categories below the category.
    subtree: Option<bool>,
    /// Lowest price, inclusive.
    #[param(inline)]
    min_price: Option<Money>,
    /// Highest price, inclusive.
    #[param(inline)]
    max_price: Option<Money>,
    /// Words as in `GET products/`.
    search: Option<String>,
    /// `true` counts only products with stock, `false` only those without.
    in_stock: Option<bool>,
    /// Number of a family.
    family: Option<i64>,
    /// `relevance` counts what the search finds by relevance, at most 1,000 products.
    #[param(inline)]
    sort: Option<FacetSort>,
}

/// The order decides what a search finds; other orders find the same.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FacetSort {
    Relevance,
}

/// Numbers of products, the largest groups first.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct FacetsView {
    /// Products of the list.
    pub products: i64,
    /// At most 100.
    pub categories: Vec<CategoryFacet>,
    /// At most 100; products without a brand are left out. Spellings of one brand count together, under the most used one.
    pub brands: Vec<BrandFacet>,
    /// By price; bands without products are left out.
    pub prices: Vec<PriceFacet>,
    /// Options of families, with at most 500 values together; spellings of one value count together.
    pub options: Vec<OptionFacet>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CategoryFacet {
    pub category_id: i64,
    pub category: String,
    pub products: i64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct BrandFacet {
    pub brand: String,
    pub products: i64,
}

/// A band of prices; both bounds are inclusive, as `min_price` and `max_price` of `GET products/` are.
#[derive(Debug, Serialize, ToSchema)]
pub struct PriceFacet {
    #[schema(example = "10.00")]
    pub min_price: String,
    /// `null` for the highest band.
    #[schema(example = "24.99")]
    pub max_price: Option<String>,
    pub products: i64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct OptionFacet {
    #[schema(example = "color")]
    pub name: String,
    pub values: Vec<OptionValueFacet>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct OptionValueFacet {
    #[schema(example = "Black")]
    pub value: String,
    pub products: i64,
}

/// A row of the question: one group of one facet.
struct FacetRow {
    facet: String,
    category_id: Option<i64>,
    name: Option<String>,
    band: Option<i32>,
    value: Option<String>,
    products: i64,
}

/// Count products by category, brand, band of the price, and option
///
/// Counts the products that `GET products/` lists with the same filters. With a value of a facet as a further filter
/// (`category_id`, `brand`, `min_price` and `max_price`, `options`), the list has as many products as the facet counts.
#[utoipa::path(get, path = "/products/facets", tag = "catalogue", security((), ("bearer" = [])), params(FacetFilter, DetailFilter),
    responses((status = 200, body = FacetsView), (status = 400, body = Problem)))]
pub async fn count_facets(
    State(app): State<App>,
    caller: Caller,
    Params(filter): Params<FacetFilter>,
    Params(detail_filter): Params<DetailFilter>,
) -> Result<Json<FacetsView>, ApiError> {
    if detail_filter.supplier_id.is_some() {
        require_staff(&caller)?;
    }
    let on_sale = detail_filter.on_sale;
    let detail_keys = detail_filter.keys(&app).await?;
    let categories = find_categories(&app, filter.category.as_deref(), filter.category_id).await?;
    let categories = with_subtrees(&app, categories, filter.subtree).await?;
    let members = match filter.family {
        Some(family_id) => Some(find_members(&app, family_id).await?),
        None => None,
    };
    let (min_price, max_price) = (filter.min_price.map(Money::amount), filter.max_price.map(Money::amount));
    let conditions = ProductConditions {
        discontinued: false,
        category_ids: categories.as_deref(),
        min_price,
        max_price,
        in_stock: filter.in_stock,
        among: members.as_deref(),
        detail_keys: detail_keys.as_ref(),
        on_sale,
    };
    let sort = filter.sort.map(|FacetSort::Relevance| ProductSort::Relevance);
    let Found { product_ids, words, documents, .. } =
        Found::of(&app, filter.search.as_deref(), sort, conditions).await?;
    let filters_products = min_price.is_some()
        || max_price.is_some()
        || filter.in_stock.is_some()
        || words.is_some()
        || detail_keys.is_some()
        || on_sale.is_some()
        || product_ids.is_some();
    let mut read = planned_read(&app.pool).await?;
    let rows = sqlx::query_file_as!(
        FacetRow,
        "projections/product_facets/count.sql",
        categories.as_deref(),
        min_price,
        max_price,
        filter.in_stock,
        words.as_deref(),
        detail_keys,
        on_sale,
        product_ids.as_deref(),
        filters_products,
        documents
    );
    let facets = FacetsView::of(rows.fetch_all(&mut *read).await?);
    read.commit().await?;
    Ok(Json(facets))
}

impl FacetsView {
    fn of(rows: Vec<FacetRow>) -> Self {
        let mut facets = Self::default();
        for FacetRow { facet, category_id, name, band, value, products } in rows {
            match (facet.as_str(), category_id, name, band, value) {
                ("category", Some(category_id), Some(category), _, _) => {
                    facets.categories.push(CategoryFacet { category_id, category, products });
                }
                ("brand", _, Some(brand), _, _) => facets.brands.push(BrandFacet { brand, products }),
                ("price", _, _, Some(band), _) => facets.prices.push(PriceFacet::of(band, products)),
                ("option", _, Some(name), _, Some(value)) => facets.add_option(name, value, products),
                _ => facets.products = products,
            }
        }
        facets
    }

    fn add_option(&mut self, name: String, value: String, products: i64) {
        let value = OptionValueFacet { value, products };
        match self.options.iter_mut().find(|option| option.name == name) {
            Some(option) => option.values.push(value),
            None => self.options.push(OptionFacet { name, values: vec![value] }),
        }
    }
}

impl PriceFacet {
    /// The band with this number, from 0.
    fn of(band: i32, products: i64) -> Self {
        let bound = |band: i32| usize::try_from(band).ok().and_then(|band| BANDS.get(band)).copied();
        let min_price = band.checked_sub(1).and_then(bound).unwrap_or_default();
        Self {
            min_price: format!("{min_price}.00"),
            max_price: bound(band).map(|next| format!("{}.99", next - 1)),
            products,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_projection_has_the_same_bands() {
        let bounds = BANDS.map(|bound| bound.to_string()).join(", ");
        assert!(include_str!("../../../projections/product_facets/apply.sql").contains(&format!("array[{bounds}]")));
    }

    #[test]
    fn bands_leave_no_gap_between_their_inclusive_bounds() {
        let bounds = |band| {
            let PriceFacet { min_price, max_price, .. } = PriceFacet::of(band, 1);
            (min_price, max_price)
        };
        assert_eq!(bounds(0), ("0.00".to_owned(), Some("4.99".to_owned())));
        assert_eq!(bounds(1), ("5.00".to_owned(), Some("9.99".to_owned())));
        assert_eq!(bounds(15), ("1000000.00".to_owned(), None));
    }
}
