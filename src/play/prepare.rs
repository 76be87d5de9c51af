//! Preparation of the orders: products with enough stock, and customers.

use std::collections::{BTreeSet, HashMap};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use super::history::{Goods, Invoice};
use super::report::PlayReport;
use super::row::Buyer;
use super::send::{Preload, send};
use super::{CHUNK, PlayError, PlayOptions};
use crate::domain::claim::ClaimIds;
use crate::domain::ids::{CategoryId, CustomerId, ProductId};
use crate::domain::metadata::Metadata;
use crate::domain::money::Money;
use crate::domain::product::{Product, Slug};
use crate::domain::refusal::Refusal;
use crate::domain::text::{Name, Sku};
use crate::journal::{CommandError, Interrupt, Journal, UnitOfWork, UseCase};
use crate::shop::{
    AdjustStock, CategoryKey, CreateCategory, CreateProduct, RegisterCustomer, StockChange, find_holder,
};

/// Products by index in the history, as far as a due invoice names them.
pub(super) type ProductIds = HashMap<usize, ProductId>;
/// Customers by index in the history, as far as a due invoice names them.
pub(super) type CustomerIds = HashMap<usize, CustomerId>;

const CATEGORY: &str = "General";

/// Finds or creates the products of the due invoices, with enough stock, in the order of the file.
pub(super) async fn prepare_products(
    journal: &Journal,
    goods: &[Goods],
    due: &[Invoice],
    options: &PlayOptions,
    report: &mut PlayReport,
) -> Result<ProductIds, PlayError> {
    let mut needed = vec![0; goods.len()];
    for line in due.iter().flat_map(|invoice| &invoice.lines) {
        needed[line.goods] += line.quantity.get();
    }
    let wanted: Vec<(usize, StockUp)> = (goods.iter().zip(needed).enumerate())
        .filter(|(_, (_, units))| *units > 0)
        .map(|(place, (Goods { sku, name, price }, units))| {
            (place, StockUp { sku: sku.clone(), name: name.clone(), price: *price, units })
        })
        .collect();
    let mut products = ProductIds::with_capacity(wanted.len());
    for wanted in wanted.chunks(CHUNK) {
        let preload = || Preload {
            claims: wanted
                .iter()
                .flat_map(|(_, stock_up)| [stock_up.claim(), ClaimIds::product_slug(&stock_up.slug())])
                .collect(),
            products: wanted.iter().filter_map(|(_, stock_up)| stock_up.slug().older_product()).collect(),
            settings: true,
            category_claim: Some(ClaimIds::category_name(&Name::stored(CATEGORY))),
            ..Preload::default()
        };
        send(journal, preload).await?;
        let stocked = wanted.iter().map(|(place, stock_up)| async move {
            let stocked = send(journal, || stock_up.clone()).await;
            let failed = |error| PlayError::Failed { what: format!("product {}", stock_up.sku), error };
            Ok::<_, PlayError>((*place, stocked.map_err(failed)?))
        });
        let stocked: Vec<(usize, StockedProduct)> =
            stream::iter(stocked).buffered(options.concurrency.max(1)).try_collect().await?;
        report.products_created += stocked.iter().filter(|(_, stocked)| stocked.created).count();
        products.extend(stocked.into_iter().map(|(place, stocked)| (place, stocked.product_id)));
    }
    Ok(products)
}

/// Finds or registers the customers of the due invoices, in the order of the file.
pub(super) async fn prepare_customers(
    journal: &Journal,
    pool: &PgPool,
    buyers: &[Buyer],
    due: &[Invoice],
    options: &PlayOptions,
    report: &mut PlayReport,
) -> Result<CustomerIds, PlayError> {
    let places: BTreeSet<usize> = due.iter().filter_map(|invoice| invoice.buyer).collect();
    let emails = places.iter().map(|place| buyers[*place].email.as_str()).collect();
    let known = find_customers(pool, emails).await?;
    let (found, unknown): (Vec<_>, Vec<_>) = (places.into_iter())
        .map(|place| (place, known.get(&buyers[place].email.folded()).copied()))
        .partition(|(_, customer_id)| customer_id.is_some());
    let registered = unknown
        .into_iter()
        .map(|(place, _)| async move { Ok::<_, PlayError>((place, register(journal, pool, &buyers[place]).await?)) });
    let registered: Vec<(usize, CustomerId)> =
        stream::iter(registered).buffered(options.concurrency.max(1)).try_collect().await?;
    report.customers_registered = registered.len();
    let found = found.into_iter().filter_map(|(place, customer_id)| Some((place, customer_id?)));
    Ok(found.chain(registered).collect())
}

/// Registers a customer. Finds it instead if it was registered meanwhile or by an attempt whose response was lost.
async fn register(journal: &Journal, pool: &PgPool, buyer: &Buyer) -> Result<CustomerId, PlayError> {
    let failed = |error| PlayError::Failed { what: format!("customer {}", buyer.last_name), error };
    let first_name = Name::parse("Customer").map_err(|error| failed(CommandError::Internal(error.to_string())))?;
    let registered = send(journal, || RegisterCustomer {
        first_name: first_name.clone(),
        last_name: buyer.last_name.clone(),
        email: buyer.email.clone(),
        metadata: Metadata::default(),
    });
    match registered.await {
        Ok(registered) => Ok(registered.customer_id),
        Err(error @ CommandError::Refused(Refusal::EmailTaken)) => {
            let found = find_customers(pool, vec![buyer.email.as_str()]).await?;
            found.into_values().next().ok_or_else(|| failed(error))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Finds customers by e-mail address; the keys are in lower case.
pub(super) async fn find_customers(
    pool: &PgPool,
    emails: Vec<&str>,
) -> Result<HashMap<String, CustomerId>, sqlx::Error> {
    let emails: Vec<String> = emails.into_iter().map(str::to_ascii_lowercase).collect();
    let found = sqlx::query_file!("src/play/queries/customers_by_email.sql", &emails).fetch_all(pool).await?;
    Ok(found.into_iter().map(|row| (row.email, CustomerId(row.customer_id))).collect())
}

/// Makes `units` of a product available: creates it, or receives the missing stock. A repetition has no effect.
#[derive(Clone)]
struct StockUp {
    sku: Sku,
    name: Name,
    price: Money,
    units: i64,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct StockedProduct {
    product_id: ProductId,
    created: bool,
}

impl StockUp {
    fn claim(&self) -> ClaimIds {
        ClaimIds::product_sku(&self.sku)
    }

    /// The slug that the product gets if no other has it.
    fn slug(&self) -> Slug {
        Slug::of_name(self.name.as_str())
    }
}

impl UseCase for StockUp {
    type Answer = StockedProduct;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<StockedProduct, Interrupt> {
        if let Some(holder) = find_holder(work, &self.claim())? {
            let product_id = ProductId(holder);
            let stock = work.get::<Product>(product_id)?.listing()?.stock;
            let missing = self.units - (stock.on_hand - stock.reserved);
            if missing > 0 {
                AdjustStock { product_id, change: StockChange::By(missing), reason: None }.decide(work)?;
            }
            return Ok(StockedProduct { product_id, created: false });
        }
        let category = CategoryKey::Id(find_or_create_category(work)?);
        let create = CreateProduct {
            sku: Some(self.sku.clone()),
            stock: self.units,
            ..CreateProduct::new(self.name.clone(), self.price, category)
        };
        Ok(StockedProduct { product_id: create.decide(work)?.product_id, created: true })
    }
}

/// Category of all imported products, created with the first of them.
fn find_or_create_category(work: &mut UnitOfWork<'_>) -> Result<CategoryId, Interrupt> {
    let name = Name::parse(CATEGORY).map_err(|error| Interrupt::Broken(error.to_string()))?;
    match find_holder(work, &ClaimIds::category_name(&name))? {
        Some(holder) => Ok(CategoryId(holder)),
        None => Ok(CreateCategory { name, parent_id: None }.decide(work)?.category_id),
    }
}
