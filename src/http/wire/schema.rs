//! The OpenAPI schema of each domain type, in one place: fields of requests and responses need no attributes.
//!
//! The domain must not know OpenAPI, so the schemas are here. A schema states the limits that the type's parser checks.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type,
};
use utoipa::{PartialSchema, ToSchema};

use crate::accounts::Password;
use crate::domain::account::Role;
use crate::domain::cart::MergeMode;
use crate::domain::customer::{Country, OptionalLine, PostalCode};
use crate::domain::discount::DiscountCode;
use crate::domain::family::{OptionNames, OptionValues};
use crate::domain::ids::{
    AccountId, AddressId, CategoryId, CustomerId, FamilyId, ImageId, OrderId, ProductId, WebhookId,
};
use crate::domain::metadata::Metadata;
use crate::domain::money::Money;
use crate::domain::order::{Action, AddressKind, Fulfilment, Payment, PaymentMethod, Status};
use crate::domain::price_change::PriceChange;
use crate::domain::pricing::Percent;
use crate::domain::product::{Imei, Slug, Specifications, UnavailableReason};
use crate::domain::quantity::Quantity;
use crate::domain::settings::{LowStockThreshold, SearchLanguage};
use crate::domain::text::{Description, Email, LastName, OptionalSku, Text};
use crate::domain::webhook::EventTypes;
use crate::domain::whole::Whole;
use crate::http::wire::page::Day;
use crate::webhooks::Endpoint;

/// Names each type's schema: `Type = "Name": schema;`.
macro_rules! schemas {
    ($($type:ty = $name:literal: $schema:expr;)*) => {$(
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                $schema.build().into()
            }
        }

        impl ToSchema for $type {
            fn name() -> Cow<'static, str> {
                $name.into()
            }
        }
    )*};
}

schemas! {
    Money = "Money": string("An amount of money from 0.00 to 999999999999.99.")
        .pattern(Some("^[0-9]{1,12}([.][0-9]{1,2})?$")).examples(["24.90"]);
    Percent = "Percent": string("A percentage from 0 to 100, with at most three decimals.")
        .pattern(Some("^[0-9]{1,3}([.][0-9]{1,3})?$")).examples(["19"]);
    PriceChange = "PriceChange":
        string("A percentage above -100 and at most 1000, with at most three decimals.")
            .pattern(Some("^[+-]?[0-9]{1,4}([.][0-9]{1,3})?$")).examples(["-7.5"]);
    Email = "Email": string("An e-mail address.")
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Email))).examples(["jo@example.com"]);
    Password = "Password": string("A password; the most common passwords are refused.")
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
        .min_length(Some(Password::MIN)).max_length(Some(Password::MAX));
    Description = "Description": string("Text of several lines; may be empty.").max_length(Some(Description::MAX));
    OptionalSku = "OptionalSku": string("A stock-keeping unit; empty to remove it.").max_length(Some(64));
    LastName = "LastName": string("Last name of a person; empty for a person with one name.").max_length(Some(200));
    OptionalLine = "OptionalLine": string("A line of text; empty to remove it.").max_length(Some(200));
    PostalCode = "PostalCode": string("A postal code; empty where the country has none.").max_length(Some(20));
    Country = "Country": string("Country code of ISO 3166-1: two letters in upper case.")
        .pattern(Some("^[A-Z]{2}$")).examples(["GB"]);
    Day = "Day": string("A day, UTC.").format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)));
    DiscountCode = "DiscountCode": string("Letters, digits, `-` and `_`; upper and lower case are the same.")
        .min_length(Some(1)).max_length(Some(DiscountCode::MAX))
        .pattern(Some("^[ ]*[A-Za-z0-9_-]+[ ]*$")).examples(["SPRING-24"]);
    Endpoint = "WebhookUrl": string("An http or https URL without a password.")
        .min_length(Some(8)).max_length(Some(2_000)).examples(["https://example.com/hooks"]);
    EventTypes = "EventTypes": ArrayBuilder::new().items(ObjectBuilder::new().schema_type(Type::String))
        .description(Some("Event types, as `GET event-types/` lists them; `*` for all.")).min_items(Some(1)).max_items(Some(50))
        .examples([serde_json::json!(["OrderPlaced"])]);
    OptionNames = "OptionNames": ArrayBuilder::new().items(string("Name of an option.").min_length(Some(1)).max_length(Some(50)))
        .description(Some("Names of options, such as storage and color; upper and lower case are the same.")).min_items(Some(1))
        .max_items(Some(OptionNames::MAX)).examples([serde_json::json!(["storage", "color"])]);
    OptionValues = "OptionValues": ObjectBuilder::new().schema_type(Type::Object)
        .description(Some("A value for each option of the family, by the option's name."))
        .additional_properties(Some(string("Value of an option.").min_length(Some(1)).max_length(Some(100))))
        .examples([serde_json::json!({ "storage": "128 GB", "color": "Black" })]);
    Slug = "Slug": string("Lower-case letters a to z, digits, `-` and `_`.")
        .min_length(Some(1)).max_length(Some(Slug::MAX)).pattern(Some("^[ ]*[a-z0-9_-]+[ ]*$")).examples(["blue-kettle"]);
    Imei = "Imei": string("15 or 16 digits; spaces and `-` are ignored.")
        .pattern(Some("^[0-9 -]{15,32}$")).examples(["356938035643809"]);
    Specifications = "Specifications": ObjectBuilder::new().schema_type(Type::Object)
        .description(Some("A JSON object of the merchant's own, with at most 16384 bytes and nested at most 5 deep. A number that would not be kept as it is written, such as `0.10`, is refused."))
        .additional_properties(Some(AdditionalProperties::FreeForm(true))).examples([serde_json::json!({ "power": "2200 W" })]);
    Metadata = "Metadata": ObjectBuilder::new().schema_type(Type::Object)
        .description(Some("At most 50 pairs of texts: keys of 1 to 40 characters, values of at most 500."))
        .additional_properties(Some(Schema::from(string("A value.").max_length(Some(Metadata::MAX_VALUE)))))
        .examples([serde_json::json!({ "shelf": "A 3" })]);
    Quantity = "Quantity": whole_number("A number of units.").minimum(Some(1)).maximum(Some(Quantity::MAX));
    LowStockThreshold = "LowStockThreshold": whole_number("Units below which the stock of a product is low; 0 for never.")
        .minimum(Some(0)).maximum(Some(LowStockThreshold::MAX));
    AccountId = "AccountId": whole_number("Number of an account.");
    AddressId = "AddressId": whole_number("Number of an address, among the addresses of its customer.");
    CategoryId = "CategoryId": whole_number("Number of a category.");
    CustomerId = "CustomerId": whole_number("Number of a customer.");
    OrderId = "OrderId": whole_number("Number of an order.");
    ImageId = "ImageId": whole_number("Number of an image.");
    FamilyId = "FamilyId": whole_number("Number of a family.");
    ProductId = "ProductId": whole_number("Number of a product.");
    WebhookId = "WebhookId": whole_number("Number of a webhook.");
    SearchLanguage = "SearchLanguage": words(
        "Language of the stemmer that search uses; `simple` for none.",
        SearchLanguage::ALL.iter().map(|word| word.as_str())
    );
    Role = "Role": words("Role of an account.", Role::ALL.iter().map(|word| word.as_str()));
    MergeMode = "MergeMode": words(
        "What happens to products that are in both carts.", ["sum", "keep_larger", "keep_guest", "keep_customer"]
    );
    PaymentMethod = "PaymentMethod": words("How an order is paid.", PaymentMethod::ALL.iter().map(|word| word.as_str()));
    UnavailableReason = "UnavailableReason": words(
        "Why a product cannot be ordered.", UnavailableReason::ALL.iter().map(|word| word.as_str())
    );
    Status = "OrderStatus": words("Status of an order.", Status::ALL.iter().map(|word| word.as_str()));
    Payment = "PaymentState": words("Payment state of an order.", Payment::ALL.iter().map(|word| word.as_str()));
    Fulfilment = "FulfilmentState": words(
        "Fulfilment state of an order.", Fulfilment::ALL.iter().map(|word| word.as_str())
    );
    AddressKind = "AddressKind": words(
        "What an address of an order is for.", AddressKind::ALL.iter().map(|word| word.as_str())
    );
    Action = "OrderAction": words("Last part of the route of a move.", Action::ALL.iter().map(|word| word.as_str()));
}

impl<const MIN: i64, const MAX: i64> PartialSchema for Whole<MIN, MAX> {
    fn schema() -> RefOr<Schema> {
        whole_number("A whole number.").minimum(Some(MIN)).maximum(Some(MAX)).build().into()
    }
}

impl<const MIN: i64, const MAX: i64> ToSchema for Whole<MIN, MAX> {
    fn name() -> Cow<'static, str> {
        format!("Whole{MIN}To{MAX}").into()
    }
}

impl<const MAX: usize> PartialSchema for Text<MAX> {
    fn schema() -> RefOr<Schema> {
        string("A line of text.").min_length(Some(1)).max_length(Some(MAX)).build().into()
    }
}

impl<const MAX: usize> ToSchema for Text<MAX> {
    fn name() -> Cow<'static, str> {
        format!("Text{MAX}").into()
    }
}

pub fn string(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description))
}

pub fn whole_number(description: &str) -> ObjectBuilder {
    let format = SchemaFormat::KnownFormat(KnownFormat::Int64);
    ObjectBuilder::new().schema_type(Type::Integer).format(Some(format)).description(Some(description))
}

/// One of several words.
pub fn words<'word>(description: &str, words: impl IntoIterator<Item = &'word str>) -> ObjectBuilder {
    string(description).enum_values(Some(words))
}
