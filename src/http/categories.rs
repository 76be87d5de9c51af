//! Categories of products.

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::claim::ClaimIds;
use crate::domain::ids::CategoryId;
use crate::domain::text::Name;
use crate::http::App;
use crate::http::ranks;
use crate::http::wire::body::{self, FromObject, NoBody, body};
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::error::{ApiError, FieldError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Ids, Params, Versioned};
use crate::http::wire::ranked_walk::{ListRequest, RankedList, RankedPage};
use crate::journal::EntityTag;
use crate::projector::text_key;
use crate::shop::{CategoryKey, CategoryRef, ChangeCategory, CreateCategory, DeleteCategory};

#[derive(Serialize, ToSchema)]
pub struct CategoryRow {
    pub category_id: i64,
    pub category_name: String,
    /// Products in the category, discontinued products included.
    pub product_count: i64,
    /// Number of the category above; `null` at the top.
    pub parent_id: Option<i64>,
}

body! {
    /// A category, at the top or below another.
    #[schema(examples(json!({ "category_name": "Kitchen" })))]
    pub struct NewCategory {
        pub category_name: Name,
        /// Number of the category above; absent or `null` for a category at the top.
        pub parent_id: Option<CategoryId>,
    }
}

/// The fields to change; absent fields keep their value.
#[derive(ToSchema)]
#[schema(examples(json!({ "category_name": "Kitchen", "parent_id": null })))]
pub struct CategoryChange {
    category_name: Option<Name>,
    /// Number of the category above; `null` moves the category to the top.
    #[schema(value_type = Option<CategoryId>)]
    parent_id: Option<Option<CategoryId>>,
}

impl FromObject for CategoryChange {
    fn from_object(mut object: Map<String, Value>) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let moves = object.contains_key("parent_id");
        let category_name = body::take_field(&mut object, "category_name", &mut errors).flatten();
        let parent_id = body::take_field(&mut object, "parent_id", &mut errors).filter(|_| moves);
        body::refuse_unknown(&object, &mut errors);
        if errors.is_empty() { Ok(Self { category_name, parent_id }) } else { Err(errors) }
    }
}

/// The number or the name of a category.
#[derive(Clone, Debug)]
pub struct CategoryField(pub CategoryKey);

impl PartialSchema for CategoryField {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::Integer, Type::String]))
            .description(Some("Number or name of a category."))
            .min_length(Some(1))
            .max_length(Some(200))
            .examples(["Kitchen"])
            .build()
            .into()
    }
}

impl ToSchema for CategoryField {}

impl<'de> Deserialize<'de> for CategoryField {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        match Value::deserialize(deserializer)? {
            Value::Number(number) => {
                let number = number.as_i64().ok_or_else(|| D::Error::custom("must be a whole number or a name"))?;
                Ok(Self(CategoryKey::Id(CategoryId(number))))
            }
            Value::String(name) => {
                Name::parse(&name).map(|name| Self(CategoryKey::Name(name))).map_err(D::Error::custom)
            }
            _ => Err(D::Error::custom("must be the number or the name of a category")),
        }
    }
}

/// The categories that a filter names, as the parameter of a query; `None` without a filter.
///
/// Looks for the category with this number, then for the category of exactly this name, then for categories whose names
/// are the same without accents.
pub async fn find_categories(
    app: &App,
    category: Option<&str>,
    category_id: Option<i64>,
) -> Result<Option<Vec<i64>>, ApiError> {
    let Some(category) = category else { return Ok(category_id.map(|category_id| vec![category_id])) };
    if category_id.is_some() {
        return Err(ApiError::invalid_field("category_id", "must not be combined with category"));
    }
    if category.contains('\0') {
        return Err(ApiError::invalid_field("category", "must not contain control characters"));
    }
    // In the form of a stored name, as commands look for it; a text that no name can be is only compared.
    let name = Name::parse(category).unwrap_or_else(|_| Name::stored(category.trim()));
    let (number, key) = (category.trim().parse::<i64>().ok(), text_key(name.as_str()));
    let rows = sqlx::query_file!("projections/categories/find_named.sql", number, key).fetch_all(&app.pool).await?;
    if let Some(numbered) = rows.iter().find(|row| Some(row.category_id) == number) {
        return Ok(Some(vec![numbered.category_id]));
    }
    let names: Vec<_> = rows.iter().map(|row| Name::stored(&*row.name)).collect();
    Ok(Some(match find_exact(&name, &names) {
        Some(place) => vec![rows[place].category_id],
        None => rows.into_iter().map(|row| row.category_id).collect(),
    }))
}

/// The categories of a filter, with all categories below them if `subtree` asks for these.
pub async fn with_subtrees(
    app: &App,
    categories: Option<Vec<i64>>,
    subtree: Option<bool>,
) -> Result<Option<Vec<i64>>, ApiError> {
    match (categories, subtree) {
        (None, Some(_)) => Err(ApiError::invalid_field("subtree", "needs category or category_id")),
        (Some(categories), Some(true)) => {
            let subtree = sqlx::query_file_scalar!("projections/categories/subtree.sql", &categories);
            Ok(Some(subtree.fetch_all(&app.pool).await?))
        }
        (categories, _) => Ok(categories),
    }
}

/// The place of the category that has exactly this name: by the order of [`ClaimIds`], as commands find it, then by the
/// current rule of equality.
fn find_exact(name: &Name, names: &[Name]) -> Option<usize> {
    let held = |id: &str, earlier: bool| {
        names.iter().position(|stored| match (earlier, ClaimIds::category_name(stored)) {
            (true, ids) => ids.all().next() == Some(id),
            (false, ids) => ids.current() == id,
        })
    };
    let ids = ClaimIds::category_name(name);
    ids.all().find_map(|id| held(id, true).or_else(|| held(id, false))).or_else(|| held(ids.current(), false))
}

/// List categories by name
#[utoipa::path(get, path = "/categories", tag = "catalogue", security((), ("bearer" = [])), params(RankedPage),
    responses((status = 200, body = Vec<CategoryRow>)))]
pub async fn list_categories(
    State(app): State<App>,
    request: ListRequest,
    Params(page): Params<RankedPage>,
) -> Result<Response, ApiError> {
    let list = RankedList { rank: &ranks::CATEGORIES, default_limit: DEFAULT_LIMIT, start: (String::new(), 0) };
    let key = |row: &CategoryRow| (row.category_name.clone(), row.category_id);
    request
        .answer_rows(&app, page, list, key, |connection, (name, id), limit| {
            sqlx::query_file_as!(CategoryRow, "projections/categories/list.sql", text_key(&name), id, limit)
                .fetch(connection)
        })
        .await
}

/// Get a category
#[utoipa::path(get, path = "/categories/{category_id}", tag = "catalogue", security((), ("bearer" = [])),
    params(("category_id" = CategoryId, Path)),
    responses((status = 200, body = CategoryRow), (status = 404, body = Problem)))]
pub async fn find_category(
    State(app): State<App>,
    Ids(category_id): Ids<CategoryId>,
) -> Result<Versioned<CategoryRow>, ApiError> {
    let found = sqlx::query_file!("projections/categories/find.sql", category_id.0).fetch_optional(&app.pool).await?;
    let row = found.ok_or_else(|| ApiError::not_found("category_not_found", "Category not found"))?;
    let body = CategoryRow {
        category_id: row.category_id,
        category_name: row.category_name,
        product_count: row.product_count,
        parent_id: row.parent_id,
    };
    Ok(Versioned::new(EntityTag::of_version(row.version), body))
}

/// Create a category
///
/// Categories have at most 8 levels, and a category at most 500 categories directly below it.
#[utoipa::path(post, path = "/categories", tag = "catalogue", security(("bearer" = ["editor"])),
    request_body = NewCategory, params(CommandParams),
    responses((status = 201, body = CategoryRef), CommandProblems))]
pub async fn create_category(
    State(app): State<App>,
    command: Command<NewCategory>,
) -> Result<CommandResponse<CategoryRef>, ApiError> {
    let NewCategory { category_name: name, parent_id } = command.body;
    let created = app.run(CreateCategory { name, parent_id }, command.context).await?;
    Ok(created.created(|created| format!("/shop/api/categories/{}/", created.category_id)))
}

/// Rename a category, or move it with all categories below it
#[utoipa::path(patch, path = "/categories/{category_id}", tag = "catalogue", security(("bearer" = ["editor"])),
    request_body = CategoryChange,
    params(("category_id" = CategoryId, Path), CommandParams),
    responses((status = 200, body = CategoryRef), CommandProblems))]
pub async fn change_category(
    State(app): State<App>,
    Ids(category_id): Ids<CategoryId>,
    command: Command<CategoryChange>,
) -> Result<CommandResponse<CategoryRef>, ApiError> {
    let CategoryChange { category_name: name, parent_id } = command.body;
    app.run(ChangeCategory { category_id, name, parent_id }, command.context).await
}

/// Delete a category without products and without categories below it
#[utoipa::path(delete, path = "/categories/{category_id}", tag = "catalogue", security(("bearer" = ["editor"])),
    params(("category_id" = CategoryId, Path), CommandParams), responses((status = 204), CommandProblems))]
pub async fn delete_category(
    State(app): State<App>,
    Ids(category_id): Ids<CategoryId>,
    command: Command<NoBody>,
) -> Result<CommandResponse<()>, ApiError> {
    app.run(DeleteCategory { category_id }, command.context).await
}
