//! The rows of a dump file, read in parts, with their places and pictures.

use std::sync::Arc;

use super::Target;
use super::file::{DumpFile, IndexedProduct, ReadProduct};
use super::format::{Problem, Section};
use super::pictures::FoundPictures;
use super::rows::{DeployRow, ProductParts};

/// Rows of a file, with their places and what is wrong with their pictures.
pub(super) struct ReadRows {
    pub rows: Vec<DeployRow>,
    pub places: Vec<RowPlace>,
    pub problems: Vec<Problem>,
    pub pictures: FoundPictures,
}

/// Reads rows of the file. The pictures of their images are held until they are released.
pub(super) async fn read_rows(
    target: Target<'_>,
    file: &DumpFile,
    first: u64,
    count: usize,
) -> anyhow::Result<ReadRows> {
    let first = usize::try_from(first)?;
    let (mut rows, mut places, mut problems) = (vec![], vec![], vec![]);
    for (row, line) in file.categories.iter().skip(first).take(count) {
        rows.push(DeployRow::Category(row.clone()));
        places.push(RowPlace { line: *line, section: Section::Categories, pk: row.category_id.0 });
    }
    let skipped = first.saturating_sub(file.categories.len());
    let indexed = file.products.iter().skip(skipped).take(count - rows.len());
    let read: Vec<ReadProduct> = indexed.clone().map(|indexed| file.read(indexed)).collect::<anyhow::Result<_>>()?;
    let images: Vec<_> = read.iter().flat_map(|product| &product.images).map(|(image, _)| image.clone()).collect();
    let pictures = FoundPictures::find(target, &images).await?;
    for (product, indexed) in read.into_iter().zip(indexed) {
        let mut wanted = Vec::with_capacity(product.images.len());
        for (image, line) in &product.images {
            match pictures.wanted(image) {
                Ok(image) => wanted.push(image),
                Err(message) => {
                    let place = RowPlace { line: *line, section: Section::Images, pk: image.image_id };
                    problems.push(place.problem(message));
                }
            }
        }
        rows.push(DeployRow::Product(Box::new(ProductParts {
            product_id: indexed.product_id,
            product: product.product,
            phone: product.phone,
            images: wanted,
            names: Arc::clone(&file.names),
        })));
        places.push(RowPlace::of(indexed));
    }
    Ok(ReadRows { rows, places, problems, pictures })
}

/// The line of a row, by its place among all rows.
pub(super) fn line_of(file: &DumpFile, row: u64) -> u64 {
    let row = usize::try_from(row).unwrap_or(usize::MAX);
    match file.categories.get(row) {
        Some((_, line)) => *line,
        None => file.products.get(row - file.categories.len()).map_or(0, IndexedProduct::line),
    }
}

/// Position of a row in its file.
#[derive(Clone, Copy)]
pub(super) struct RowPlace {
    line: u64,
    section: Section,
    pk: i64,
}

impl RowPlace {
    fn of(indexed: &IndexedProduct) -> Self {
        let section = match (indexed.product, indexed.phone) {
            (Some(_), _) => Section::Products,
            (None, Some(_)) => Section::Phones,
            (None, None) => Section::Images,
        };
        Self { line: indexed.line(), section, pk: indexed.product_id.0 }
    }

    pub fn problem(self, message: String) -> Problem {
        Problem { line: Some(self.line), section: Some(self.section), pk: Some(self.pk), field: None, message }
    }
}
