//! The rows of a deployed file as commands, and what they would change.

use super::pictures;
use super::rows::{CategoryRow, DeployRow, ProductParts, ProductRow};
use super::slices::FileRow;
use crate::applied_files::{Counts, SectionCounts};
use crate::domain::category::{Category, CategoryError};
use crate::domain::claim::ClaimIds;
use crate::domain::ids::ProductId;
use crate::domain::product::{DetailsChange, Listing, Product, ProductError, Slug};
use crate::domain::refusal::Refusal;
use crate::domain::text::Reason;
use crate::journal::{Interrupt, UnitOfWork, UseCase};
use crate::shop::{
    AdjustStock, CategoryKey, ChangeCategory, ChangeProduct, CreateProduct, ImportCategory, StockChange, find_holder,
    find_slug_holder,
};

/// What a row does, or would do, to its section and to each field.
#[derive(Default)]
pub(super) struct RowOutcome {
    pub counts: Counts,
    /// Differences to the shop, as `section: field`.
    pub differences: Vec<String>,
}

/// Reason of the stock changes of a deployment.
const REASON: &str = "deploy";

impl FileRow for DeployRow {
    fn carry_out(&self, work: &mut UnitOfWork<'_>, counts: &mut Counts) -> Result<(), Interrupt> {
        counts.add(&self.apply(work)?.counts);
        Ok(())
    }
}

impl DeployRow {
    pub fn apply(&self, work: &mut UnitOfWork<'_>) -> Result<RowOutcome, Interrupt> {
        let mut outcome = RowOutcome::default();
        match self {
            Self::Category(row) => row.apply(work, &mut outcome)?,
            Self::Product(parts) => parts.apply(work, &mut outcome)?,
        }
        Ok(outcome)
    }
}

impl RowOutcome {
    pub fn count(&mut self, section: &'static str, created: bool, differences: &[&str]) {
        let counts = SectionCounts {
            created: created.into(),
            changed: (!created && !differences.is_empty()).into(),
            unchanged: (!created && differences.is_empty()).into(),
        };
        let section_counts = self.counts.section(section);
        section_counts.created += counts.created;
        section_counts.changed += counts.changed;
        section_counts.unchanged += counts.unchanged;
        if created {
            self.differences.push(format!("{section}: missing"));
        } else {
            self.differences.extend(differences.iter().map(|field| format!("{section}: {field}")));
        }
    }
}

impl CategoryRow {
    fn apply(&self, work: &mut UnitOfWork<'_>, outcome: &mut RowOutcome) -> Result<(), Interrupt> {
        let category_id = self.category_id;
        let before = work.get::<Category>(category_id)?;
        let name = match before.name() {
            Ok(name) => name,
            Err(CategoryError::NotFound) => {
                let parent_id = self.parent_id.flatten();
                ImportCategory { category_id, name: self.name.clone(), parent_id }.decide(work)?;
                outcome.count("categories", true, &[]);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let differences = [
            ("name", name != self.name.as_str()),
            ("parent_id", self.parent_id.is_some_and(|parent_id| parent_id != before.parent_id())),
        ];
        let differences: Vec<_> =
            differences.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect();
        if !differences.is_empty() {
            ChangeCategory { category_id, name: Some(self.name.clone()), parent_id: self.parent_id }.decide(work)?;
        }
        outcome.count("categories", false, &differences);
        Ok(())
    }
}

impl ProductParts {
    fn apply(&self, work: &mut UnitOfWork<'_>, outcome: &mut RowOutcome) -> Result<(), Interrupt> {
        let product_id = self.product_id;
        let before = work.get::<Product>(product_id)?;
        match (&*before, &self.product) {
            (Product::Unknown | Product::Deleted(_), None) => return Err(ProductError::NotFound.into()),
            (Product::Deleted(_), Some(_)) => return Err(Refusal::ProductIdTaken(product_id).into()),
            (Product::Unknown, Some(row)) => {
                self.yield_names(row, work)?;
                self.create(row, work)?;
            }
            (Product::Listed(listing) | Product::Discontinued(listing), row) => {
                if let Some(row) = row {
                    self.yield_names(row, work)?;
                }
                self.change(matches!(*before, Product::Discontinued(_)), listing, work)?;
            }
        }
        let after = work.get::<Product>(product_id)?;
        let is_new = before.listing().is_err();
        if self.product.is_some() {
            outcome.count("products", is_new, &product_differences(&before, &after));
        }
        if self.phone.is_some() {
            let phone = |product: &Product| product.listing().ok().and_then(|listing| listing.details.phone.clone());
            let (had, has) = (phone(&before), phone(&after));
            let differences: &[&str] = if had == has { &[] } else { &["details"] };
            outcome.count("phones", had.is_none(), differences);
        }
        pictures::apply(product_id, &self.images, work, outcome)
    }

    fn create(&self, row: &ProductRow, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        let create = CreateProduct {
            description: row.description.clone().unwrap_or_default(),
            sku: row.sku.clone().flatten(),
            stock: row.stock.unwrap_or_default(),
            details: DetailsChange { on_sale: row.is_available, ..self.details(row) },
            product_id: Some(self.product_id),
            created_at: row.created_at,
            ..CreateProduct::new(row.title.clone(), row.price, CategoryKey::Id(row.category_id))
        };
        create.decide(work).map(drop)
    }

    fn change(&self, is_discontinued: bool, listing: &Listing, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        let product_id = self.product_id;
        let mut change = ChangeProduct::of(product_id);
        if let Some(row) = &self.product {
            change.name = Some(row.title.clone());
            change.description.clone_from(&row.description);
            change.category = Some(CategoryKey::Id(row.category_id));
            change.price = Some(row.price);
            change.sku.clone_from(&row.sku);
            change.details = self.details(row);
            // A discontinued product is not available, whatever else it is.
            change.discontinued = (row.is_available == Some(true) && is_discontinued).then_some(false);
            change.details.on_sale = row.is_available.filter(|available| *available || !is_discontinued);
            let kept = Slug::of_older(&listing.name, product_id);
            if listing.details.slug.is_none() && row.slug.as_ref() == Some(&kept) {
                change.details.slug = None;
            }
        } else {
            change.details.phone = self.phone.as_ref().map(|row| Some(row.phone.clone()));
        }
        change.decide(work)?;
        let wanted = self.product.as_ref().and_then(|row| row.stock);
        if let Some(stock) = wanted.filter(|stock| *stock != listing.stock.available()) {
            let change = StockChange::Counted(stock + listing.stock.reserved);
            AdjustStock { product_id, change, reason: Some(Reason::stored(REASON)) }.decide(work)?;
        }
        Ok(())
    }

    /// The details of the file, except whether the product is available.
    fn details(&self, row: &ProductRow) -> DetailsChange {
        DetailsChange {
            slug: row.slug.clone(),
            brand: row.brand.clone(),
            specifications: row.specifications.clone(),
            weight_g: row.weight,
            dimensions: row.dimensions.clone(),
            supplier_id: row.supplier_id,
            phone: self.phone.as_ref().map(|row| Some(row.phone.clone())),
            ..DetailsChange::default()
        }
    }

    /// Takes SKU and slug from a product that has others in the file, so that two products can exchange them.
    fn yield_names(&self, row: &ProductRow, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        if let Some(Some(sku)) = &row.sku {
            let ids = ClaimIds::product_sku(sku);
            let holder = find_holder(work, &ids)?.map(ProductId).filter(|holder| *holder != self.product_id);
            if let Some(holder) = holder
                && self.names.skus.get(&holder).is_some_and(|claim| claim != ids.current())
            {
                ChangeProduct { sku: Some(None), ..ChangeProduct::of(holder) }.decide(work)?;
            }
        }
        if let Some(slug) = &row.slug {
            let holder = find_slug_holder(work, slug)?.filter(|holder| *holder != self.product_id);
            if let Some(holder) = holder
                && self.names.slugs.get(&holder).is_some_and(|other| other != slug)
            {
                let name = work.get::<Product>(holder)?.listing()?.name.clone();
                for interim in Slug::candidates(&name, holder).filter(|interim| interim != slug) {
                    if find_slug_holder(work, &interim)?.is_none() {
                        let mut change = ChangeProduct::of(holder);
                        change.details.slug = Some(interim);
                        return change.decide(work).map(drop);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The fields of the format that differ between two states of a product, without phone and images.
fn product_differences(before: &Product, after: &Product) -> Vec<&'static str> {
    let (Ok(old), Ok(new)) = (before.listing(), after.listing()) else { return vec![] };
    let available =
        |product: &Product, listing: &Listing| matches!(product, Product::Listed(_)) && listing.details.on_sale;
    let (old_details, new_details) = (&old.details, &new.details);
    let compared = [
        ("title", old.name != new.name),
        ("slug", old_details.slug != new_details.slug),
        ("description", old.description != new.description),
        ("price", old.price != new.price),
        ("category_id", old.category_id != new.category_id),
        ("supplier_id", old_details.supplier_id != new_details.supplier_id),
        ("brand", old_details.brand != new_details.brand),
        ("is_available", available(before, old) != available(after, new)),
        ("sku", old.sku != new.sku),
        ("stock", old.stock.available() != new.stock.available()),
        ("specifications", old_details.specifications != new_details.specifications),
        ("weight", old_details.weight_g != new_details.weight_g),
        ("dimensions", old_details.dimensions != new_details.dimensions),
    ];
    compared.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect()
}
