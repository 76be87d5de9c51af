//! A dump file that is checked as a whole, and then read row by row.
//!
//! The index of the file holds the place of each element, and the names that must be unique; the elements themselves are
//! read again when their row is applied. So memory is bounded by the number of rows, not by the size of the file.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::hash::Hash;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use serde_json::Value;

use super::format::{Problem, Section};
use super::rows::{CategoryRow, FileNames, ImageRow, PhoneRow, ProductRow};
use super::scan::{ScanError, Scanned, Span, scan};
use crate::domain::ids::{CategoryId, ProductId};
use crate::json::find_inexact_number;
use crate::regular_file;

/// A file that was read completely.
pub(super) struct DumpFile {
    pub path: PathBuf,
    pub digest: String,
    /// Number of elements in each section of the file.
    pub elements: BTreeMap<Section, u64>,
    /// Parents before their children.
    pub categories: Vec<(CategoryRow, u64)>,
    pub products: Vec<IndexedProduct>,
    pub names: Arc<FileNames>,
    file: File,
    version: FileVersion,
}

/// The places of what the file holds of one product.
#[derive(Debug)]
pub(super) struct IndexedProduct {
    pub product_id: ProductId,
    pub product: Option<Span>,
    pub phone: Option<Span>,
    pub images: Vec<Span>,
}

/// What a file holds of one product, read again. Images are in their order.
pub(super) struct ReadProduct {
    pub product: Option<ProductRow>,
    pub phone: Option<PhoneRow>,
    pub images: Vec<(ImageRow, u64)>,
}

/// Size and time of a file, to notice that it is written while it is read.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FileVersion(u64, i64, i64);

impl IndexedProduct {
    /// The line of the product, or else of what the file holds of it.
    pub fn line(&self) -> u64 {
        let spans = self.product.iter().chain(&self.phone).chain(&self.images);
        spans.map(|span| span.line).next().unwrap_or_default()
    }
}

impl DumpFile {
    /// Reads and checks a file; everything that is wrong in it is returned with its place.
    pub fn open(path: &Path) -> anyhow::Result<(Self, Vec<Problem>)> {
        let cannot_read = || format!("cannot read {}", path.display());
        let file = regular_file::open(path).with_context(cannot_read)?;
        let version = version(&file).with_context(cannot_read)?;
        let mut index = Index::default();
        let Scanned { digest, sections } =
            scan(&file, &mut |section, span, text, element| index.add(section, span, text, element)).map_err(
                |error| match error {
                    ScanError::Malformed { .. } => anyhow::Error::from(error).context(path.display().to_string()),
                    ScanError::Unreadable(error) => anyhow::Error::from(error).context(cannot_read()),
                },
            )?;
        for section in Section::REQUIRED.into_iter().filter(|section| !sections.contains(section)) {
            index
                .problems
                .push(Problem { message: format!("the section `{section}` is missing"), ..Problem::default() });
        }
        index.order_categories();
        let Index { categories, mut products, names, elements, mut problems, .. } = index;
        products.sort_by_key(|product| product.product_id);
        problems.sort_by_key(|problem| problem.line);
        let names = Arc::new(names);
        let (path, opened) = (path.to_owned(), file);
        Ok((Self { path, digest, elements, categories, products, names, file: opened, version }, problems))
    }

    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Reads what the file holds of a product. Fails if the file was changed since it was opened.
    pub fn read(&self, indexed: &IndexedProduct) -> anyhow::Result<ReadProduct> {
        let product = indexed.product.map(|span| self.element(span, ProductRow::read)).transpose()?;
        let phone = indexed.phone.map(|span| self.element(span, PhoneRow::read)).transpose()?;
        let images = indexed.images.iter().map(|span| Ok((self.element(*span, ImageRow::read)?, span.line)));
        let mut images: Vec<(ImageRow, u64)> = images.collect::<anyhow::Result<_>>()?;
        images.sort_by_key(|(image, _)| (image.place, image.image_id));
        Ok(ReadProduct { product, phone, images })
    }

    fn element<Row>(
        &self,
        span: Span,
        read: impl FnOnce(u64, Value, &mut Vec<Problem>) -> Option<Row>,
    ) -> anyhow::Result<Row> {
        let cannot_read = || format!("cannot read {}", self.path.display());
        let mut bytes = vec![0; usize::try_from(span.length)?];
        let same = version(&self.file).with_context(cannot_read)? == self.version;
        let row = match self.file.read_exact_at(&mut bytes, span.offset) {
            Ok(()) if same => {
                serde_json::from_slice(&bytes).ok().and_then(|element| read(span.line, element, &mut Vec::new()))
            }
            _ => None,
        };
        row.with_context(|| format!("{} was changed while it was read", self.path.display()))
    }
}

fn version(file: &File) -> std::io::Result<FileVersion> {
    let metadata = file.metadata()?;
    Ok(FileVersion(metadata.size(), metadata.mtime(), metadata.mtime_nsec()))
}

/// What is known of a file while it is read.
#[derive(Default)]
struct Index {
    categories: Vec<(CategoryRow, u64)>,
    products: Vec<IndexedProduct>,
    places: HashMap<ProductId, usize>,
    names: FileNames,
    elements: BTreeMap<Section, u64>,
    problems: Vec<Problem>,
    category_ids: HashSet<CategoryId>,
    category_names: HashMap<String, CategoryId>,
    sku_holders: HashMap<String, ProductId>,
    slug_holders: HashMap<String, ProductId>,
    phone_ids: HashSet<i64>,
    image_ids: HashSet<i64>,
    image_places: HashSet<(ProductId, i64)>,
}

impl Index {
    fn add(&mut self, section: Section, span: Span, text: &str, element: Value) {
        *self.elements.entry(section).or_default() += 1;
        let pk = element.get("pk").and_then(Value::as_i64);
        if let Some(inexact) = find_inexact_number(text.as_bytes())
            && let Some(field) = inexact.path.strip_prefix("fields.")
        {
            let (line, section, field) = (Some(span.line), Some(section), Some(field.to_owned()));
            self.problems.push(Problem { line, section, pk, field, message: inexact.to_string() });
        }
        match section {
            Section::Categories => self.add_category(span, element),
            Section::Products => self.add_product(span, pk, element),
            Section::Phones => self.add_phone(span, pk, element),
            Section::Images => self.add_image(span, element),
        }
    }

    fn add_category(&mut self, span: Span, element: Value) {
        let Some(row) = CategoryRow::read(span.line, element, &mut self.problems) else { return };
        let (section, id) = (Section::Categories, row.category_id);
        if !self.category_ids.insert(id) {
            return self.note(section, span, id.0, "pk", "appears twice in the file".to_owned());
        }
        if let Some(other) = take(&mut self.category_names, row.name.folded(), id) {
            self.note(section, span, id.0, "name", format!("category {other} of the file has this name too"));
        }
        self.categories.push((row, span.line));
    }

    fn add_product(&mut self, span: Span, pk: Option<i64>, element: Value) {
        // A product with problems counts too, so that its phone and images are not said to dangle.
        let section = Section::Products;
        if let Some(pk) = pk.filter(|pk| *pk > 0) {
            let indexed = self.indexed(ProductId(pk));
            if indexed.product.replace(span).is_some() {
                return self.note(section, span, pk, "pk", "appears twice in the file".to_owned());
            }
        }
        let Some(row) = ProductRow::read(span.line, element, &mut self.problems) else { return };
        let id = row.product_id;
        if let Some(claim) = row.sku_claim() {
            if let Some(other) = (!claim.is_empty()).then(|| take(&mut self.sku_holders, claim.clone(), id)).flatten() {
                self.note(section, span, id.0, "sku", format!("product {other} of the file has this SKU too"));
            }
            self.names.skus.insert(id, claim);
        }
        if let Some(slug) = row.slug {
            if let Some(other) = take(&mut self.slug_holders, slug.as_str().to_owned(), id) {
                self.note(section, span, id.0, "slug", format!("product {other} of the file has this slug too"));
            }
            self.names.slugs.insert(id, slug);
        }
    }

    fn add_phone(&mut self, span: Span, pk: Option<i64>, element: Value) {
        let Some(row) = PhoneRow::read(span.line, element, &mut self.problems) else { return };
        let (section, id) = (Section::Phones, pk.unwrap_or_default());
        if !self.phone_ids.insert(id) {
            return self.note(section, span, id, "pk", "appears twice in the file".to_owned());
        }
        let product_id = row.product_id;
        if self.indexed(product_id).phone.replace(span).is_some() {
            self.note(section, span, id, "product_id", format!("product {product_id} has two phones in the file"));
        }
    }

    fn add_image(&mut self, span: Span, element: Value) {
        let Some(row) = ImageRow::read(span.line, element, &mut self.problems) else { return };
        let (section, id) = (Section::Images, row.image_id);
        if !self.image_ids.insert(id) {
            return self.note(section, span, id, "pk", "appears twice in the file".to_owned());
        }
        if !self.image_places.insert((row.product_id, row.place)) {
            let product_id = row.product_id;
            self.note(section, span, id, "ordre", format!("product {product_id} has two images at this place"));
        }
        self.indexed(row.product_id).images.push(span);
    }

    fn indexed(&mut self, product_id: ProductId) -> &mut IndexedProduct {
        let place = *self.places.entry(product_id).or_insert_with(|| {
            self.products.push(IndexedProduct { product_id, product: None, phone: None, images: vec![] });
            self.products.len() - 1
        });
        &mut self.products[place]
    }

    /// Puts parents before their children. A parent that is not in the file is one of the shop.
    fn order_categories(&mut self) {
        self.categories.sort_by_key(|(row, _)| row.category_id);
        let mut waiting = std::mem::take(&mut self.categories);
        let mut placed = HashSet::new();
        while !waiting.is_empty() {
            let is_ready = |row: &CategoryRow, placed: &HashSet<CategoryId>| {
                row.parent_id
                    .flatten()
                    .is_none_or(|parent| placed.contains(&parent) || !self.category_ids.contains(&parent))
            };
            let (ready, left): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(row, _)| is_ready(row, &placed));
            if ready.is_empty() {
                for (row, line) in left {
                    let message = "the categories above it form a circle".to_owned();
                    let span = Span { offset: 0, length: 0, line };
                    self.note(Section::Categories, span, row.category_id.0, "parent_id", message);
                }
                return;
            }
            placed.extend(ready.iter().map(|(row, _)| row.category_id));
            self.categories.extend(ready);
            waiting = left;
        }
    }

    fn note(&mut self, section: Section, span: Span, pk: i64, field: &str, message: String) {
        let (line, section, field) = (Some(span.line), Some(section), Some(field.to_owned()));
        self.problems.push(Problem { line, section, pk: Some(pk), field, message });
    }
}

/// Takes a key for a holder; returns another that has it.
fn take<Key: Hash + Eq, Id: Copy>(holders: &mut HashMap<Key, Id>, key: Key, holder: Id) -> Option<Id> {
    match holders.entry(key) {
        Entry::Occupied(taken) => Some(*taken.get()),
        Entry::Vacant(free) => {
            free.insert(holder);
            None
        }
    }
}
