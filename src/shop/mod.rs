//! Use cases: what one client request may change, across aggregates, all or nothing.
//!
//! One file for each noun. A use case is a struct with what the client sent, parsed, and a pure function over a
//! [`UnitOfWork`](crate::journal::UnitOfWork): it may run several times before its outcome is stored.
//! It must not read a clock, a database or a read table.

mod accounts;
mod addresses;
mod bulk;
mod carriers;
mod carts;
mod categories;
mod checkout;
mod corrections;
mod customers;
mod discounts;
mod erasures;
mod families;
mod groups;
mod images;
mod keys;
mod metadata;
mod names;
mod orders;
mod payments;
mod pricing;
mod product_rows;
mod products;
mod recipients;
mod secrets;
mod settings;
mod stock;
mod unpaid;
mod webhooks;
mod wishlists;

pub use crate::domain::cart::CartChange;

pub use accounts::{AccountRef, ChangeAccount, ChangeEmail, ChangePassword, ConfirmRegistration, OpenAccount};
pub use addresses::{AddAddress, AddressRef, ChangeAddress, RemoveAddress};
pub use bulk::{Bulk, BulkOutcome, BulkRow};
pub use carriers::{canonical_carrier, tracking_url};
pub use carts::{CartItem, CartLineView, CartView, ChangeCart, ExpireCart, MergeCarts, RequestedCart};
pub use categories::{CategoryKey, CategoryRef, ChangeCategory, CreateCategory, DeleteCategory, ImportCategory};
pub use checkout::Checkout;
pub use corrections::{CorrectAddresses, CorrectContact, CorrectionView};
pub use customers::{ChangeCustomer, CustomerRef, RegisterCustomer};
pub use discounts::{ChangeDiscount, CreateDiscount, DiscountKind, DiscountView, EndDiscount, TermsChange};
pub use erasures::{EraseContact, EraseCustomer, ErasureView, KeepContact, KeepCustomer, KnownOrders};
pub use families::{
    ChangeFamily, CreateFamily, DeleteFamily, FamilyMember, FamilyPlace, FamilyProduct, FamilyRef, FamilyRow,
    FamilyView, LeaveFamily, PriceRange, PutInFamily,
};
pub use groups::{FindCategory, FindFamily, OfGroup, ProductGroup};
pub use images::{
    AddImage, ChangeMediaBase, ImageAnswer, ImageUrls, PictureFile, RemoveImage, ReorderImages, ReplaceImage, image_url,
};
pub use keys::{CreateKey, KeyRef, RevokeKey};
pub use metadata::{ChangeCartMetadata, ChangeOrderMetadata, OrderRef};
pub use names::{find_holder, take_name};
pub use orders::{
    MoveOrder, OrderLineView, OrderStateView, OrderView, PlaceOrder, PlacedByStaff, PricingView, ProductStockView,
    RequestedLine, order_digest,
};
pub use payments::{BuyerTerms, OfferedMethods, PaymentPolicy, PaymentStateView, RecordPayment, RequestPayment};
pub use pricing::{
    ChangeShippingFees, ChangeTaxRates, PricingRequest, ShippingFeeView, ShippingFeesView, TaxRateView, TaxRatesView,
};
pub use product_rows::{
    AdjustStockOf, AppliedProduct, ApplyProduct, ProductKey, RepriceProduct, RepricedProduct, RowEffect,
};
pub use products::{
    ChangeProduct, CreateProduct, DeleteProduct, PhoneView, ProductRef, ProductView, find_slug_holder, product_digest,
    shown_slug,
};
pub use recipients::{Destination, GuestContact, KnownAddress, KnownDefaults, Recipients};
pub use settings::{ChangeSettings, SettingsView};
pub use stock::{AdjustStock, StockChange, StockView};
pub use webhooks::{ChangeWebhook, CreateWebhook, DisableWebhook, RemoveWebhook, RotateWebhookSecret, WebhookRef};
pub use wishlists::{AddWish, RemoveWish, WishView};

/// Largest number that a command may choose, so that numbers never run out.
const MAX_CHOSEN_NUMBER: i64 = 999_999_999_999;
