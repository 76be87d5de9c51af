//! What the shop does, a file per noun.

mod accounts;
mod addresses;
mod cancelled_units;
mod card_provider;
mod command_line;
mod customer_export;
mod discounts;
mod documentation;
mod fact_schema;
mod facts;
mod half_year_figures;
mod import_files;
mod mails;
mod order_walkthrough;
mod orders;
mod payments;
mod pricing;
mod projections;
mod reactions;
mod recipients;
mod sales_history;
mod scheduler;
mod seeds;
mod short_stock;
mod text;
mod webhooks;
