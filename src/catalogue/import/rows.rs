//! Rows of a CSV file of products, as commands.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{ImportError, ImportOptions, ProductColumns, count};
use crate::applied_files::Counts;
use crate::catalogue::slices::FileRow;
use crate::csv_file::{CsvFile, CsvRow};
use crate::domain::claim::ClaimIds;
use crate::domain::refusal::Refusal;
use crate::http::read_product_row;
use crate::journal::{Interrupt, UnitOfWork, UseCase};
use crate::shop::{AppliedProduct, ApplyProduct, CategoryKey, CreateCategory, find_holder};

/// A row of the file: a command, or why it is none.
pub(super) struct ImportRow {
    pub line: u64,
    pub command: Result<ImportProduct, String>,
}

/// Applies the product of a row, after its category.
pub(super) struct ImportProduct {
    product: ApplyProduct,
    /// Creates the category if there is none of its name.
    create_category: bool,
    /// Digest of a row that names no product, by which it is recognised when it comes again.
    digest: Option<String>,
}

impl UseCase for ImportProduct {
    type Answer = AppliedProduct;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<AppliedProduct, Interrupt> {
        if let (true, Some(CategoryKey::Name(name))) = (self.create_category, &self.product.change.category)
            && find_holder(work, &ClaimIds::category_name(name))?.is_none()
        {
            CreateCategory { name: name.clone(), parent_id: None }.decide(work)?;
        }
        match &self.digest {
            Some(digest) => self.product.apply_once(digest, work),
            None => self.product.decide(work),
        }
    }
}

/// Reads the rows of a file in their order.
pub(super) struct RowReader<'a, R> {
    file: CsvFile<R>,
    columns: ProductColumns,
    options: &'a ImportOptions,
    /// Rows that name no product, by the digest of their content, and how often each was read.
    equal_rows: HashMap<[u8; 32], u64>,
}

impl<'a, R: Read> RowReader<'a, R> {
    pub fn new(file: CsvFile<R>, columns: ProductColumns, options: &'a ImportOptions) -> Self {
        Self { file, columns, options, equal_rows: HashMap::new() }
    }

    /// The next row; `None` at the end.
    pub fn next_row(&mut self) -> Result<Option<ImportRow>, ImportError> {
        let Some(CsvRow { line, fields }) = self.file.next_row()? else { return Ok(None) };
        let row = fields.map_err(|bad| bad.reason.to_owned()).and_then(|fields| self.columns.row(&fields));
        let command = row.and_then(|row| {
            let is_named = row.contains_key("product_id") || row.contains_key("sku");
            let digest = (!is_named && !self.options.again).then(|| self.digest_of(&row));
            let create_category = self.options.create_categories;
            Ok(ImportProduct { product: read_product_row(row)?, create_category, digest })
        });
        Ok(Some(ImportRow { line, command }))
    }

    pub fn slice(&mut self, most: usize) -> Result<Vec<ImportRow>, ImportError> {
        let mut rows = Vec::with_capacity(most);
        while rows.len() < most
            && let Some(row) = self.next_row()?
        {
            rows.push(row);
        }
        Ok(rows)
    }

    /// Digest of the content of a row, and of its number among equal rows, so that each of them is a product. Events hold
    /// no IMEI, and no digest of one.
    fn digest_of(&mut self, row: &Map<String, Value>) -> String {
        let mut content = row.clone();
        content.shift_remove("imei");
        let mut content = Value::Object(content);
        content.sort_all_objects();
        let content: [u8; 32] = Sha256::digest(content.to_string()).into();
        let equal = self.equal_rows.entry(content).or_default();
        *equal += 1;
        hex::encode(Sha256::new().chain_update(content).chain_update(equal.to_be_bytes()).finalize())
    }
}

impl FileRow for Arc<ImportRow> {
    fn carry_out(&self, work: &mut UnitOfWork<'_>, counts: &mut Counts) -> Result<(), Interrupt> {
        let command = self.command.as_ref().map_err(|reason| Refusal::UnreadableRow(reason.clone()))?;
        let applied = command.decide(work)?;
        count(counts, &applied);
        Ok(())
    }
}
