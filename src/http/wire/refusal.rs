//! The status, code and title of every refusal.

use axum::http::StatusCode;
use serde_json::json;

use super::error::ApiError;
use crate::domain::account::AccountError;
use crate::domain::cart::CartError;
use crate::domain::category::CategoryError;
use crate::domain::claim::ClaimError;
use crate::domain::customer::CustomerError;
use crate::domain::discount::DiscountError;
use crate::domain::family::FamilyError;
use crate::domain::order::OrderError;
use crate::domain::pricing::PricingError;
use crate::domain::product::{ImageError, ImageNumberError, ProductError};
use crate::domain::refusal::Refusal;
use crate::domain::webhook::WebhookError;
use crate::domain::wishlist::WishlistError;

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let (status, code, title) = classify_refusal(&refusal);
        let error = Self::new(status, code, title, refusal.to_string());
        match &refusal {
            Refusal::OpenOrders(order_ids) => error.with("order_ids", json!(order_ids)),
            Refusal::PaymentMethodUnavailable { offered, .. } => error.with("offered", json!(offered)),
            Refusal::ReferenceReused { order_id } => error.with("order_id", json!(order_id)),
            Refusal::ItemsUnavailable(items) => error.with("products", json!(items)),
            Refusal::TotalChanged { expected, total } => {
                error.with("expected", json!(expected)).with("total", json!(total))
            }
            Refusal::Unavailable { product_id, .. } => error.with("product_id", json!(product_id)),
            Refusal::Cart(CartError::AlreadyCheckedOut { order_id }) => error.with("order_id", json!(order_id)),
            Refusal::Family(FamilyError::CombinationTaken { product_id }) => {
                error.with("product_id", json!(product_id))
            }
            Refusal::Rows(rows) => {
                let rows = rows
                    .iter()
                    .map(|(line, refusal)| json!({ "line": line, "problem": Self::from(refusal.clone()).problem() }));
                error.with("rows", rows.collect())
            }
            Refusal::NotOnHand(missing) => error.with("products", json!(missing)),
            _ => error,
        }
    }
}

/// Status, code and title of every refusal.
fn classify_refusal(refusal: &Refusal) -> (StatusCode, &'static str, &'static str) {
    const BAD_REQUEST: StatusCode = StatusCode::BAD_REQUEST;
    const NOT_FOUND: StatusCode = StatusCode::NOT_FOUND;
    const CONFLICT: StatusCode = StatusCode::CONFLICT;
    match refusal {
        Refusal::Account(error) => match error {
            AccountError::NotFound => (NOT_FOUND, "account_not_found", "Account not found"),
            AccountError::AlreadyOpen => (CONFLICT, "account_exists", "Account already exists"),
            AccountError::RoleDoesNotFit => (CONFLICT, "role_does_not_fit", "Role does not fit the account"),
            AccountError::Disabled => (CONFLICT, "account_disabled", "Account disabled"),
            AccountError::KeyExceedsAccount => (CONFLICT, "key_exceeds_account", "API key role exceeds account role"),
            AccountError::KeyNotFound => (NOT_FOUND, "key_not_found", "API key not found"),
            AccountError::KeyExists => (CONFLICT, "key_exists", "API key already exists"),
            AccountError::TooManyKeys => (CONFLICT, "too_many_keys", "Too many API keys"),
        },
        Refusal::Cart(error) => match error {
            CartError::NotFound => (NOT_FOUND, "cart_not_found", "Cart not found"),
            CartError::ItemNotFound => (NOT_FOUND, "item_not_found", "Item not found"),
            CartError::AlreadyExists => (CONFLICT, "cart_exists", "Cart already exists"),
            CartError::Empty => (CONFLICT, "cart_empty", "Cart is empty"),
            CartError::AlreadyCheckedOut { .. } => (CONFLICT, "cart_already_checked_out", "Cart already checked out"),
            CartError::TooManyItems => (CONFLICT, "too_many_items", "Too many items"),
            CartError::TooManyUnits => (CONFLICT, "too_many_units", "Too many units"),
        },
        Refusal::Category(error) => match error {
            CategoryError::NotFound => (NOT_FOUND, "category_not_found", "Category not found"),
            CategoryError::AlreadyExists => (CONFLICT, "category_exists", "Category already exists"),
            CategoryError::HasChildren(_) => (CONFLICT, "category_has_children", "Category has categories below it"),
            CategoryError::BelowItself => (CONFLICT, "category_below_itself", "Category would be below itself"),
            CategoryError::TooManyLevels => (CONFLICT, "too_many_levels", "Too many levels of categories"),
            CategoryError::TooManyChildren => (CONFLICT, "too_many_children", "Too many categories below one"),
            CategoryError::HasProducts { .. } => (CONFLICT, "category_has_products", "Category has products"),
        },
        Refusal::Claim(ClaimError::Taken { .. }) => (CONFLICT, "name_taken", "Name taken"),
        Refusal::Customer(error) => match error {
            CustomerError::NotFound => (NOT_FOUND, "customer_not_found", "Customer not found"),
            CustomerError::AddressNotFound(_) => (NOT_FOUND, "address_not_found", "Address not found"),
            CustomerError::TooManyAddresses => (CONFLICT, "too_many_addresses", "Too many addresses"),
            CustomerError::AlreadyRegistered => (CONFLICT, "customer_exists", "Customer already exists"),
            CustomerError::ErasureRequested => (CONFLICT, "erasure_requested", "Erasure requested"),
        },
        Refusal::Discount(error) => match error {
            DiscountError::NotFound => (NOT_FOUND, "discount_not_found", "Discount not found"),
            DiscountError::AlreadyExists => (CONFLICT, "discount_exists", "Discount already exists"),
            DiscountError::NothingGiven => (BAD_REQUEST, "discount_gives_nothing", "Discount reduces nothing"),
            DiscountError::NeverValid => (BAD_REQUEST, "discount_never_valid", "Discount is never valid"),
            DiscountError::Ended => (CONFLICT, "discount_ended", "Discount ended"),
            DiscountError::NotYetValid { .. } => (CONFLICT, "discount_not_yet_valid", "Discount not yet valid"),
            DiscountError::Expired { .. } => (CONFLICT, "discount_expired", "Discount expired"),
            DiscountError::UsedUp => (CONFLICT, "discount_used_up", "Discount used up"),
            DiscountError::UsedUpByCustomer => {
                (CONFLICT, "discount_used_up_by_customer", "Discount used up by this customer")
            }
            DiscountError::NeedsCustomer => (CONFLICT, "discount_needs_customer", "Discount is for customers only"),
            DiscountError::BelowMinimum { .. } => {
                (CONFLICT, "discount_below_minimum", "Order below the discount's minimum")
            }
        },
        Refusal::Family(error) => match error {
            FamilyError::NotFound => (NOT_FOUND, "family_not_found", "Family not found"),
            FamilyError::AlreadyExists => (CONFLICT, "family_exists", "Family already exists"),
            FamilyError::HasProducts(_) => (CONFLICT, "family_has_products", "Family has products"),
            FamilyError::OptionsDiffer(_) => (BAD_REQUEST, "options_differ", "Options differ from those of the family"),
            FamilyError::CombinationTaken { .. } => (CONFLICT, "combination_taken", "Combination of options taken"),
            FamilyError::TooManyProducts => (CONFLICT, "too_many_products", "Too many products"),
            FamilyError::ProductNotFound => (NOT_FOUND, "product_not_in_family", "Product is in no family"),
        },
        Refusal::Order(error) => match error {
            OrderError::NotFound => (NOT_FOUND, "order_not_found", "Order not found"),
            OrderError::AlreadyPlaced => (CONFLICT, "order_exists", "Order already exists"),
            OrderError::NoLines => (BAD_REQUEST, "order_without_lines", "Order without lines"),
            OrderError::TooManyLines => (BAD_REQUEST, "too_many_lines", "Too many lines"),
            OrderError::TotalTooLarge => (BAD_REQUEST, "total_too_large", "Total too large"),
            OrderError::IllegalMove { .. } => (CONFLICT, "illegal_move", "Move not allowed"),
            OrderError::UnknownLine(_) => (BAD_REQUEST, "line_not_found", "Line not found"),
            OrderError::DuplicateLine(_) => (BAD_REQUEST, "line_named_twice", "Line given twice"),
            OrderError::TooManyUnits { .. } => (CONFLICT, "too_many_units", "Too many units"),
            OrderError::NotShipped { .. } => (CONFLICT, "not_shipped", "Units not shipped"),
            OrderError::AlreadyShipped { .. } => (CONFLICT, "already_shipped", "Units already shipped"),
            OrderError::PartlyShipped => (CONFLICT, "partly_shipped", "Order partly shipped"),
            OrderError::NothingToDeliver => (CONFLICT, "nothing_to_deliver", "Nothing to deliver"),
            OrderError::NothingToShip => (CONFLICT, "nothing_to_ship", "Nothing to ship"),
            OrderError::UnknownShipment(_) => (CONFLICT, "shipment_not_found", "Shipment not found"),
            OrderError::AlreadyDelivered(_) => (CONFLICT, "already_delivered", "Already delivered"),
            OrderError::NotPaid => (CONFLICT, "not_paid", "Not paid"),
            OrderError::NothingDue => (CONFLICT, "nothing_due", "Nothing due"),
            OrderError::PaymentPending => (CONFLICT, "payment_under_way", "Payment in progress"),
            OrderError::RefundTooLarge { .. } => (CONFLICT, "refund_too_large", "Refund too large"),
            OrderError::NoProvider => (BAD_REQUEST, "not_an_online_method", "Not an online method"),
            OrderError::PaidByOtherAttempt => (CONFLICT, "paid_otherwise", "Paid by another method"),
            OrderError::UnknownAttempt(_) => (NOT_FOUND, "attempt_not_found", "Payment attempt not found"),
            OrderError::HasCustomer(_) => (CONFLICT, "order_of_customer", "Order belongs to a customer"),
            OrderError::UnknownRefund(_) => (NOT_FOUND, "refund_not_found", "Refund not found"),
            OrderError::PaymentTooLarge { .. } => (CONFLICT, "payment_too_large", "Payment too large"),
            OrderError::Refunded => (CONFLICT, "order_refunded", "Order refunded"),
            OrderError::AddressMissing => (CONFLICT, "address_missing", "Shipping address missing"),
            OrderError::NothingToSend => (CONFLICT, "nothing_to_send", "Nothing left to send"),
            OrderError::ContactErased => (CONFLICT, "contact_erased", "Personal data erased"),
            OrderError::ContactIncomplete => (CONFLICT, "contact_incomplete", "Contact incomplete"),
            OrderError::CountryChangesPrice(_) => (CONFLICT, "country_changes_price", "Country changes the price"),
            OrderError::StillOpen => (CONFLICT, "open_orders", "Open orders"),
        },
        Refusal::Pricing(error) => match error {
            PricingError::TooManyRows => (BAD_REQUEST, "too_many_rows", "Too many rows"),
            PricingError::DuplicateFee { .. } => (BAD_REQUEST, "fee_twice", "Shipping fee given twice"),
            PricingError::DuplicateRate { .. } => (BAD_REQUEST, "rate_twice", "Tax rate given twice"),
            PricingError::CountryRequired => (CONFLICT, "shipping_country_required", "Shipping country required"),
            PricingError::NotShippedThere(_) => (CONFLICT, "not_shipped_there", "Not shipped there"),
            PricingError::TotalTooLarge => (BAD_REQUEST, "total_too_large", "Total too large"),
        },
        // The path exists; its body names a product that does not.
        Refusal::Unavailable { error: ProductError::NotFound, .. } => {
            (CONFLICT, "product_not_found", "Product not found")
        }
        Refusal::Product(error) | Refusal::Unavailable { error, .. } => match error {
            ProductError::NotFound => (NOT_FOUND, "product_not_found", "Product not found"),
            ProductError::AlreadyExists => (CONFLICT, "product_exists", "Product already exists"),
            ProductError::Discontinued => (CONFLICT, "product_discontinued", "Product discontinued"),
            ProductError::NotOnSale => (CONFLICT, "product_not_on_sale", "Product not on sale"),
            ProductError::Ordered => (CONFLICT, "product_ordered", "Product was ordered"),
            ProductError::OutOfStock { .. } => (CONFLICT, "out_of_stock", "Out of stock"),
            ProductError::NotOnHand { .. } => (CONFLICT, "not_on_hand", "Not on hand"),
            ProductError::BelowReserved { .. } => (CONFLICT, "below_reserved", "Stock below reserved units"),
            ProductError::TooManyUnits => (BAD_REQUEST, "too_many_units", "Too many units"),
            ProductError::NoChange => (BAD_REQUEST, "no_change", "No change"),
            ProductError::NegativeCount => (BAD_REQUEST, "negative_count", "Negative count"),
            ProductError::Image(error) => match error {
                ImageError::NotFound(_) => (NOT_FOUND, "image_not_found", "Image not found"),
                // The path exists; its body names an image that does not.
                ImageError::Unknown(_) => (CONFLICT, "image_not_found", "Image not found"),
                ImageError::Missing(_) => (CONFLICT, "image_missing", "Image missing in the order"),
                ImageError::NamedTwice(_) => (BAD_REQUEST, "image_named_twice", "Image named twice"),
                ImageError::TooMany => (CONFLICT, "too_many_images", "Too many images"),
            },
        },
        Refusal::ImageNumber(ImageNumberError::Taken(_)) => (CONFLICT, "image_exists", "Image already exists"),
        Refusal::PictureGone => (CONFLICT, "picture_gone", "Picture deleted meanwhile"),
        Refusal::Settings(error) => match *error {},
        Refusal::Webhook(error) => match error {
            WebhookError::NotFound => (NOT_FOUND, "webhook_not_found", "Webhook not found"),
            WebhookError::AlreadyExists => (CONFLICT, "webhook_exists", "Webhook already exists"),
            WebhookError::NotFailing => (CONFLICT, "webhook_not_failing", "Webhook is not failing"),
            WebhookError::TooMany => (CONFLICT, "too_many_webhooks", "Too many webhooks"),
        },
        Refusal::Wishlist(error) => match error {
            WishlistError::ItemNotFound(_) => (NOT_FOUND, "item_not_found", "Item not found"),
            WishlistError::TooManyItems => (CONFLICT, "too_many_items", "Too many items"),
        },
        Refusal::Row { refusal, .. } => classify_refusal(refusal),
        Refusal::Rows(_) => (CONFLICT, "rows_refused", "Rows refused"),
        Refusal::UnreadableRow(_) => (BAD_REQUEST, "invalid_request", "Invalid request"),
        Refusal::ProductIncomplete(_) => (BAD_REQUEST, "product_incomplete", "Product incomplete"),
        Refusal::UnknownSku(_) => (CONFLICT, "sku_not_found", "SKU not found"),
        Refusal::PriceTooLarge => (CONFLICT, "price_too_large", "Price too large"),
        Refusal::LeftGroup(_) => (CONFLICT, "left_group", "Product left the group"),
        Refusal::CategoryIdTaken(_) => (CONFLICT, "category_id_taken", "Category number taken"),
        Refusal::FileAppliedElsewhere => (CONFLICT, "file_applied_elsewhere", "File applied elsewhere"),
        Refusal::ItemsUnavailable(_) => (CONFLICT, "items_unavailable", "Items unavailable"),
        Refusal::TotalChanged { .. } => (CONFLICT, "total_changed", "Total changed"),
        Refusal::UnknownDiscount(_) => (CONFLICT, "discount_not_found", "Discount not found"),
        Refusal::UnknownAddress(_) => (CONFLICT, "address_not_found", "Address not found"),
        Refusal::UnknownGuestCart => (CONFLICT, "cart_not_found", "Cart not found"),
        Refusal::NotOnHand(_) => (CONFLICT, "not_on_hand", "Not on hand"),
        Refusal::CategoryNameTaken(_) => (CONFLICT, "category_name_taken", "Category name taken"),
        Refusal::SkuTaken(_) => (CONFLICT, "sku_taken", "SKU taken"),
        Refusal::SlugTaken(_) => (CONFLICT, "slug_taken", "Slug taken"),
        Refusal::ImeiTaken => (CONFLICT, "imei_taken", "IMEI taken"),
        Refusal::ProductIdTaken(_) => (CONFLICT, "product_id_taken", "Product number taken"),
        Refusal::ProductIdOutOfRange(_) => (BAD_REQUEST, "product_id_out_of_range", "Product number out of range"),
        Refusal::CreatedInTheFuture => (BAD_REQUEST, "created_in_the_future", "Created in the future"),
        Refusal::LinkInvalid => (BAD_REQUEST, "link_invalid", "Link is invalid"),
        Refusal::EmailNeedsConfirmation => (CONFLICT, "email_needs_confirmation", "E-mail address needs confirmation"),
        Refusal::EmailTaken => (CONFLICT, "email_taken", "E-mail taken"),
        Refusal::PostalCodeRequired => (CONFLICT, "postal_code_required", "Postal code required"),
        Refusal::DefaultAddressesUnread => (CONFLICT, "address_changed", "Address changed"),
        Refusal::AddressChanged => (CONFLICT, "address_changed", "Address changed"),
        Refusal::UnknownCategory(_) => (CONFLICT, "category_not_found", "Category not found"),
        Refusal::UnknownFamily(_) => (CONFLICT, "family_not_found", "Family not found"),
        Refusal::NotInFamily => (NOT_FOUND, "product_not_in_family", "Product is in no family"),
        Refusal::UnknownCustomer(_) => (CONFLICT, "customer_not_found", "Customer not found"),
        Refusal::OrdersChanged => (CONFLICT, "orders_changed", "Orders changed"),
        Refusal::OpenOrders(_) => (CONFLICT, "open_orders", "Open orders"),
        Refusal::PlacedInTheFuture => (BAD_REQUEST, "placed_in_the_future", "Placed in the future"),
        Refusal::PlacedTooEarly => (BAD_REQUEST, "placed_too_early", "Placed before the shop's first day"),
        Refusal::PaymentMethodUnavailable { .. } => {
            (CONFLICT, "payment_method_unavailable", "Payment method unavailable")
        }
        Refusal::TooManyUnpaidUnits => (CONFLICT, "too_many_unpaid_units", "Too many unpaid units"),
        Refusal::ReferenceReused { .. } => {
            (StatusCode::UNPROCESSABLE_ENTITY, "reference_reused", "Reference used for another request")
        }
    }
}
