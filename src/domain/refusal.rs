//! Every business rule that can refuse a command, of aggregates and of use cases.

use serde::Serialize;
use thiserror::Error;

use super::account::AccountError;
use super::cart::CartError;
use super::category::CategoryError;
use super::claim::ClaimError;
use super::customer::CustomerError;
use super::discount::DiscountError;
use super::family::FamilyError;
use super::ids::{AddressId, CategoryId, CustomerId, FamilyId, OrderId, ProductId};
use super::money::Money;
use super::order::{OrderError, PaymentMethod};
use super::pricing::PricingError;
use super::product::{ImageNumberError, ProductError, UnavailableReason};
use super::settings::ShopSettingsError;
use super::webhook::WebhookError;
use super::wishlist::WishlistError;

/// A broken business rule, of an aggregate or a use case.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Cart(#[from] CartError),
    #[error(transparent)]
    Category(#[from] CategoryError),
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error(transparent)]
    Customer(#[from] CustomerError),
    #[error(transparent)]
    Discount(#[from] DiscountError),
    #[error(transparent)]
    Family(#[from] FamilyError),
    #[error(transparent)]
    Order(#[from] OrderError),
    #[error(transparent)]
    Pricing(#[from] PricingError),
    #[error(transparent)]
    Product(#[from] ProductError),
    #[error(transparent)]
    ImageNumber(#[from] ImageNumberError),
    #[error(transparent)]
    Settings(#[from] ShopSettingsError),
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    #[error(transparent)]
    Wishlist(#[from] WishlistError),

    #[error("{}", list_items(.0))]
    ItemsUnavailable(Vec<UnavailableItem>),
    /// The total differs from the one that the buyer expects.
    #[error("the total is {total}, not {expected}")]
    TotalChanged { expected: Money, total: Money },
    /// A shipment has more units than are on hand.
    #[error("{}", list_missing_units(.0))]
    NotOnHand(Vec<MissingUnits>),
    /// A row of a file or of a list, and the rule that it breaks.
    #[error("row {row}: {refusal}")]
    Row { row: u64, refusal: Box<Refusal> },
    /// Rows of a request that is carried out completely or not at all, with their numbers.
    #[error("{}", list_rows(.0))]
    Rows(Vec<(u64, Refusal)>),
    /// Error: a row of the file cannot become a command.
    #[error("{0}")]
    UnreadableRow(String),
    /// A row names an SKU that no product has, and is no new product either; says what it lacks.
    #[error("no product has the SKU, and the row is no new product: {0}")]
    ProductIncomplete(String),
    #[error("no product has the SKU {0}")]
    UnknownSku(String),
    #[error("the new price is above {}", Money::MAX)]
    PriceTooLarge,
    /// A command on the products of a group finds one that belongs to another group meanwhile.
    #[error("product {0} has left the group in the meantime")]
    LeftGroup(ProductId),
    /// Another process has applied rows of the file since this one looked.
    #[error("another process applies this file; wait until it has ended")]
    FileAppliedElsewhere,
    #[error("the number {0} of a category is taken, or is not from 1 to 999999999999")]
    CategoryIdTaken(CategoryId),
    #[error("the name already belongs to category {0}")]
    CategoryNameTaken(CategoryId),
    #[error("the SKU already belongs to product {0}")]
    SkuTaken(ProductId),
    #[error("the slug already belongs to product {0}")]
    SlugTaken(ProductId),
    #[error("the IMEI already belongs to another product")]
    ImeiTaken,
    #[error("the number {0} already belongs to a product, perhaps a deleted one")]
    ProductIdTaken(ProductId),
    #[error("a product cannot have the number {0}")]
    ProductIdOutOfRange(ProductId),
    #[error("a product cannot be created in the future")]
    CreatedInTheFuture,
    #[error("the e-mail address already belongs to a customer or an account")]
    EmailTaken,
    #[error("addresses in this country need a postal code")]
    PostalCodeRequired,
    #[error("the link is invalid, expired or already used")]
    LinkInvalid,
    /// The customer has an account, whose address counts only after a mail to it was answered.
    #[error(
        "the customer has an account: its owner changes the e-mail address with POST auth/email/, which mails a link \
         to the new address"
    )]
    EmailNeedsConfirmation,
    /// The stored address differs from the one that the command was decided with.
    #[error("the address was changed or removed in the meantime; check it and try again")]
    AddressChanged,
    /// The customer has default addresses that the command was not decided with: the caller reads them and tries again.
    #[error("the default addresses were changed in the meantime; check them and try again")]
    DefaultAddressesUnread,
    /// The command names a product that cannot be ordered.
    #[error("product {product_id}: {error}")]
    Unavailable { product_id: ProductId, error: ProductError },
    #[error("category {0} not found")]
    UnknownCategory(String),
    #[error("family {0} not found")]
    UnknownFamily(FamilyId),
    #[error("the product is in no family")]
    NotInFamily,
    #[error("customer {0} not found")]
    UnknownCustomer(CustomerId),
    /// Personal data that open orders still need; names the first of them.
    #[error("{} still open: {}", if .0.len() == 1 { "an order is" } else { "orders are" }, list_orders(.0))]
    OpenOrders(Vec<OrderId>),
    /// An order was placed or changed after the caller looked for open ones.
    #[error("an order of the customer was placed or changed in the meantime; try again")]
    OrdersChanged,
    /// The body names a discount code that does not exist.
    #[error("discount code {0} not found")]
    UnknownDiscount(String),
    /// The body names an address that the customer does not have.
    #[error("the customer has no address {0}")]
    UnknownAddress(AddressId),
    /// The body names a guest's cart that does not exist.
    #[error("the guest's cart was not found")]
    UnknownGuestCart,
    #[error("an order cannot be placed in the future")]
    PlacedInTheFuture,
    #[error("an order cannot be placed before 1900")]
    PlacedTooEarly,
    #[error("another request with this reference placed order {order_id}")]
    ReferenceReused { order_id: OrderId },
    #[error("payment by {} is not offered to this buyer; offered: {}", .method.as_str(), list_methods(.offered))]
    PaymentMethodUnavailable { method: PaymentMethod, offered: Vec<PaymentMethod> },
    #[error(
        "the unpaid orders of this buyer or address would reserve too many units; pay for them first, or order less"
    )]
    TooManyUnpaidUnits,
    /// The file of a picture was deleted before the command could refer to it: the caller uploads it again.
    #[error("the uploaded picture was deleted in the meantime; upload it again")]
    PictureGone,
}

/// A product of an order that cannot be ordered, or not in this quantity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnavailableItem {
    pub product_id: ProductId,
    /// `None` if there never was such a product.
    pub name: Option<String>,
    pub reason: UnavailableReason,
    pub requested: i64,
    /// Units that can be ordered.
    pub available: i64,
}

/// Rows that a message names.
const ROWS_NAMED: usize = 10;

fn list_rows(rows: &[(u64, Refusal)]) -> String {
    let named: Vec<_> =
        rows.iter().take(ROWS_NAMED).map(|(number, refusal)| format!("row {number}: {refusal}")).collect();
    let more = rows.len().saturating_sub(ROWS_NAMED);
    let more = if more > 0 { format!("; and {more} more rows") } else { String::new() };
    format!("nothing was changed: {}{more}", named.join("; "))
}

fn list_orders(order_ids: &[OrderId]) -> String {
    order_ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn list_methods(methods: &[PaymentMethod]) -> String {
    let methods: Vec<_> = methods.iter().map(|method| method.as_str()).collect();
    if methods.is_empty() { "none".to_owned() } else { methods.join(", ") }
}

/// A product with fewer units on hand than a shipment has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingUnits {
    pub product_id: ProductId,
    pub name: String,
    pub requested: i64,
    pub on_hand: i64,
}

fn list_missing_units(missing: &[MissingUnits]) -> String {
    let missing = missing.iter().map(|MissingUnits { product_id, name, requested, on_hand }| {
        format!("product {product_id} ({name}): {requested} to be shipped, {on_hand} on hand")
    });
    missing.collect::<Vec<_>>().join("; ")
}

fn list_items(items: &[UnavailableItem]) -> String {
    let items = items.iter().map(|item| {
        let UnavailableItem { product_id, name, reason, requested, available } = item;
        let name = name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        match reason {
            UnavailableReason::OutOfStock => {
                format!("product {product_id}{name}: {requested} requested, {available} available")
            }
            UnavailableReason::Unknown => format!("product {product_id}: not found"),
            UnavailableReason::Deleted | UnavailableReason::Discontinued | UnavailableReason::NotOnSale => {
                format!("product {product_id}{name}: {}", reason.as_str().replace('_', " "))
            }
        }
    });
    items.collect::<Vec<_>>().join("; ")
}
