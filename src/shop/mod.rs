//! Use cases: what one client request may change, across aggregates, all or nothing.
//!
//! One file for each noun. A use case is a struct with what the client sent, parsed, and a pure function over a
//! [`UnitOfWork`](crate::journal::UnitOfWork): it may run several times before its outcome is stored.
//! It must not read a clock, a database or a read table.

mod accounts;
mod addresses;
mod carts;
mod categories;
mod checkout;
mod customers;
mod discounts;
mod keys;
mod orders;
mod payments;
mod pricing;
mod products;
mod recipients;
mod stock;
mod webhooks;

pub use accounts::{AccountRef, ChangeAccount, ChangePassword, ConfirmRegistration, OpenAccount};
pub use addresses::{AddAddress, AddressRef, ChangeAddress, RemoveAddress};
pub use carts::{CartChange, CartLine, CartView, ChangeCart, ExpireCart, GuestCartOpened, MergeCarts, OpenGuestCart};
pub use categories::{CategoryCreated, CategoryRef, CreateCategory, DeleteCategory, RenameCategory};
pub use checkout::Checkout;
pub use customers::{ChangeCustomer, CustomerRef, EraseCustomer, RegisterCustomer};
pub use discounts::{ChangeDiscount, CreateDiscount, DiscountView, EndDiscount, TermsChange};
pub use keys::{CreateKey, KeyRef, RevokeKey};
pub use orders::{
    EraseContact, MoveOrder, OrderLineView, OrderStanding, OrderView, PlaceOrder, PricingView, ProductStock,
    RequestedLine,
};
pub use payments::{MoneyStanding, RecordPayment, RequestPayment, Terms};
pub use pricing::{Asked, ChangeShippingFees, ChangeTaxRates, ShippingFeeRow, ShippingFees, TaxRateRow, TaxRates};
pub use products::{ChangeProduct, CreateProduct, DeleteProduct, ProductCreated, ProductView};
pub use recipients::{Guest, KnownAddress, Recipients};
pub use stock::{AdjustStock, StockChange, StockView};
pub use webhooks::{ChangeWebhook, CreateWebhook, RemoveWebhook, RotateWebhookSecret, WebhookRef};
