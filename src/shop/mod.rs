//! What one client request may change, across aggregates, all or nothing.
//!
//! One file for each use case. A use case is a struct with what the client sent, parsed, and a pure function over a
//! [`UnitOfWork`](crate::journal::UnitOfWork): it may run several times before its outcome is stored.
//! It must not read a clock, a database or a read table.

mod add_address;
mod adjust_stock;
mod change_account;
mod change_address;
mod change_cart;
mod change_customer;
mod change_discount;
mod change_password;
mod change_product;
mod change_shipping_fees;
mod change_tax_rates;
mod change_webhook;
mod checkout;
mod confirm_registration;
mod create_category;
mod create_discount;
mod create_key;
mod create_product;
mod create_webhook;
mod delete_category;
mod delete_product;
mod end_discount;
mod erase_contact;
mod erase_customer;
mod expire_cart;
mod merge_carts;
mod move_order;
mod open_account;
mod open_guest_cart;
mod ordering;
mod place_order;
mod pricing;
mod recipients;
mod record_payment;
mod register_customer;
mod remove_address;
mod remove_webhook;
mod rename_category;
mod request_payment;
mod revoke_key;
mod rotate_webhook_secret;
mod terms;
mod view;

pub use add_address::{AddAddress, AddressRef};
pub use adjust_stock::{AdjustStock, StockChange};
pub use change_account::ChangeAccount;
pub use change_address::ChangeAddress;
pub use change_cart::{CartChange, ChangeCart};
pub use change_customer::ChangeCustomer;
pub use change_discount::{ChangeDiscount, TermsChange};
pub use change_password::ChangePassword;
pub use change_product::ChangeProduct;
pub use change_shipping_fees::{ChangeShippingFees, ShippingFeeRow, ShippingFees};
pub use change_tax_rates::{ChangeTaxRates, TaxRateRow, TaxRates};
pub use change_webhook::ChangeWebhook;
pub use checkout::Checkout;
pub use confirm_registration::ConfirmRegistration;
pub use create_category::{CategoryCreated, CreateCategory};
pub use create_discount::{CreateDiscount, DiscountView};
pub use create_key::{CreateKey, KeyRef};
pub use create_product::{CategoryRef, CreateProduct, ProductCreated};
pub use create_webhook::{CreateWebhook, WebhookRef};
pub use delete_category::DeleteCategory;
pub use delete_product::DeleteProduct;
pub use end_discount::EndDiscount;
pub use erase_contact::EraseContact;
pub use erase_customer::EraseCustomer;
pub use expire_cart::ExpireCart;
pub use merge_carts::MergeCarts;
pub use move_order::MoveOrder;
pub use open_account::{AccountRef, OpenAccount};
pub use open_guest_cart::{GuestCartOpened, OpenGuestCart};
pub use place_order::{PlaceOrder, RequestedLine};
pub use pricing::Asked;
pub use recipients::{Guest, KnownAddress, Recipients};
pub use record_payment::{MoneyStanding, RecordPayment};
pub use register_customer::{CustomerRef, RegisterCustomer};
pub use remove_address::RemoveAddress;
pub use remove_webhook::RemoveWebhook;
pub use rename_category::RenameCategory;
pub use request_payment::RequestPayment;
pub use revoke_key::RevokeKey;
pub use rotate_webhook_secret::RotateWebhookSecret;
pub use terms::Terms;
pub use view::{
    CartLine, CartView, OrderLineView, OrderStanding, OrderView, PricingView, ProductStock, ProductView, StockView,
};
