//! Dumps: the products of the shop as a file, all at one position of the log.
//!
//! The rows are read in pages from one snapshot, so memory is bounded. Two dumps of one state are equal byte for byte.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::Context as _;
use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::types::Json;
use sqlx::{Executor, PgConnection, PgPool};

use super::folder::{DumpName, NewFile, keep_newest};
use super::format::{CategoryFields, Element, ImageFields, PhoneFields, ProductFields, Section};
use super::wait_for_read_tables;
use crate::domain::money::two_decimals;
use crate::domain::picture::PictureName;
use crate::domain::product::{Phone, ProductDetails};
use crate::files::storage_path;
use crate::journal::Journal;
use crate::projector::Projector;
use crate::shop::{ImageUrls, shown_slug};

/// Where and how to dump.
#[derive(Clone, Debug)]
pub struct DumpOptions {
    pub folder: PathBuf,
    pub name: DumpName,
    /// Adds a section of all categories, so that the dump fills an empty shop.
    pub with_categories: bool,
    /// Deletes older files of the folder, so that so many stay.
    pub keep: Option<NonZeroUsize>,
    /// A file that is not deleted, because it is being deployed.
    pub in_use: Option<PathBuf>,
}

/// A written dump.
#[derive(Clone, Debug)]
pub struct DumpReport {
    pub path: PathBuf,
    /// Where the log ended in the snapshot.
    pub position: i64,
    /// Elements of each section, in the order of the file.
    pub elements: Vec<(Section, u64)>,
    /// Older files that were deleted.
    pub deleted: Vec<PathBuf>,
}

/// Rows of a page.
const PAGE: i64 = 1_000;
/// Tables that a dump reads.
const TABLES: &str = "products, product_details, product_images, categories, settings, projector_lease";

/// Writes a dump. `progress` gets the number of written elements. A dump that fails leaves no file.
pub async fn dump(
    journal: &Journal,
    projector: &Projector,
    pool: &PgPool,
    options: &DumpOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> anyhow::Result<DumpReport> {
    wait_for_read_tables(projector, journal.position()).await?;
    let mut file = NewFile::create(&options.folder)?;
    let (position, elements) = write_dump(pool, &mut file, options.with_categories, progress).await?;
    let path = file.publish(options.name, journal.clock().now()).await?;
    let deleted = match options.keep {
        Some(keep) => keep_newest(&options.folder, options.name, keep, options.in_use.as_deref())?,
        None => vec![],
    };
    Ok(DumpReport { path, position, elements, deleted })
}

async fn write_dump(
    pool: &PgPool,
    file: &mut NewFile,
    with_categories: bool,
    progress: &(dyn Fn(u64) + Sync),
) -> anyhow::Result<(i64, Vec<(Section, u64)>)> {
    let mut connection = pool.acquire().await?;
    connection.close_on_drop();
    connection.execute("begin isolation level repeatable read read only").await?;
    // Locked before the snapshot is taken: a table that a rebuild swapped in afterwards would be empty in it.
    connection.execute(format!("lock table {TABLES} in access share mode").as_str()).await?;
    let position = sqlx::query_scalar("select position from projector_lease").fetch_one(&mut *connection).await?;
    let mut writer = SectionWriter { file, progress, elements: Vec::new() };
    writer.file.write(b"{")?;
    if with_categories {
        writer.write_categories(&mut connection).await?;
    }
    writer.write_products(&mut connection).await?;
    writer.write_phones(&mut connection).await?;
    writer.write_images(&mut connection).await?;
    writer.file.write(b"\n}\n")?;
    let elements = writer.elements;
    connection.execute("commit").await?;
    Ok((position, elements))
}

/// Writes sections, each a list of elements, indented by two spaces.
struct SectionWriter<'a> {
    file: &'a mut NewFile,
    progress: &'a (dyn Fn(u64) + Sync),
    elements: Vec<(Section, u64)>,
}

impl SectionWriter<'_> {
    async fn write_categories(&mut self, connection: &mut PgConnection) -> anyhow::Result<()> {
        self.begin(Section::Categories)?;
        let mut after = 0;
        loop {
            let page = sqlx::query_file!("src/catalogue/queries/dump_categories.sql", after, PAGE);
            let page = page.fetch_all(&mut *connection).await?;
            let Some(last) = page.last() else { break };
            after = last.category_id;
            for row in page {
                let fields = CategoryFields { name: row.name, parent_id: row.parent_id };
                self.element(Section::Categories, row.category_id, fields)?;
            }
        }
        self.end()
    }

    async fn write_products(&mut self, connection: &mut PgConnection) -> anyhow::Result<()> {
        self.begin(Section::Products)?;
        let mut after = 0;
        loop {
            let page = sqlx::query_file_as!(ProductPageRow, "src/catalogue/queries/dump_products.sql", after, PAGE);
            let page = page.fetch_all(&mut *connection).await?;
            let Some(last) = page.last() else { break };
            after = last.product_id;
            for row in page {
                self.element(Section::Products, row.product_id, row.fields())?;
            }
        }
        self.end()
    }

    async fn write_phones(&mut self, connection: &mut PgConnection) -> anyhow::Result<()> {
        self.begin(Section::Phones)?;
        let mut after = 0;
        loop {
            let page = sqlx::query_file!("src/catalogue/queries/dump_phones.sql", after, PAGE);
            let page = page.fetch_all(&mut *connection).await?;
            let Some(last) = page.last() else { break };
            after = last.product_id;
            for row in page {
                let Json(phone) = row.phone;
                self.element(Section::Phones, row.product_id, PhoneFields::new(row.product_id, phone))?;
            }
        }
        self.end()
    }

    async fn write_images(&mut self, connection: &mut PgConnection) -> anyhow::Result<()> {
        self.begin(Section::Images)?;
        let mut after = 0;
        loop {
            let page = sqlx::query_file!("src/catalogue/queries/dump_images.sql", after, PAGE);
            let page = page.fetch_all(&mut *connection).await?;
            let Some(last) = page.last() else { break };
            after = last.image_id;
            for row in page {
                let name: PictureName = format!("{}.{}", row.hash, row.extension).parse()?;
                let fields = ImageFields {
                    product_id: row.product_id,
                    image: storage_path(&name),
                    ordre: row.place,
                    created_at: row.created_at,
                    updated_at: row.updated_at,
                };
                self.element(Section::Images, row.image_id, fields)?;
            }
        }
        self.end()
    }

    fn begin(&mut self, section: Section) -> anyhow::Result<()> {
        let separator = if self.elements.is_empty() { "" } else { "," };
        self.elements.push((section, 0));
        self.file.write(format!("{separator}\n  \"{section}\": [").as_bytes())
    }

    fn element<Fields: Serialize>(&mut self, section: Section, pk: i64, fields: Fields) -> anyhow::Result<()> {
        let element = Element { model: section.model(), pk, fields };
        let text = serde_json::to_string_pretty(&element).context("cannot write an element")?;
        let written: u64 = self.elements.iter().map(|(_, count)| count).sum();
        let Some((_, count)) = self.elements.last_mut() else { return Ok(()) };
        let separator = if *count == 0 { "" } else { "," };
        *count += 1;
        (self.progress)(written + 1);
        // Line ends within texts are escaped, so every one belongs to the layout.
        self.file.write(format!("{separator}\n    {}", text.replace('\n', "\n    ")).as_bytes())
    }

    fn end(&mut self) -> anyhow::Result<()> {
        let is_empty = self.elements.last().is_none_or(|(_, count)| *count == 0);
        self.file.write(if is_empty { b"]" } else { b"\n  ]" })
    }
}

struct ProductPageRow {
    product_id: i64,
    name: String,
    description: String,
    price: Decimal,
    category_id: i64,
    sku: Option<String>,
    stock: i64,
    is_available: bool,
    created_at: chrono::DateTime<chrono::Utc>,
    updated_at: chrono::DateTime<chrono::Utc>,
    details: Json<ProductDetails>,
    images: Option<Vec<String>>,
    media_base: Option<String>,
}

impl ProductPageRow {
    fn fields(self) -> ProductFields {
        let Json(details) = self.details;
        ProductFields {
            slug: shown_slug(details.slug.as_deref(), &self.name, self.product_id),
            title: self.name,
            description: self.description,
            price: two_decimals(self.price),
            category_id: self.category_id,
            supplier_id: details.supplier_id,
            brand: details.brand,
            is_available: self.is_available,
            created_at: self.created_at,
            updated_at: self.updated_at,
            image_urls: ImageUrls::of(self.media_base.as_deref(), self.images.iter().flatten()),
            sku: self.sku,
            stock: self.stock,
            specifications: details.specifications,
            weight: details.weight_g,
            dimensions: details.dimensions,
        }
    }
}
