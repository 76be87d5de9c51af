//! One row of the file: its columns, parsed and validated, or the reason to skip it.

use chrono::{DateTime, NaiveDateTime, Utc};
use csv::StringRecord;

use super::PlayError;
use crate::domain::money::Money;
use crate::domain::quantity::Quantity;
use crate::domain::text::{Email, LastName, Reference, Sku};

/// A sale, or the cancellation of a sale.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RowKind {
    Sale,
    Cancellation,
}

/// Values of a row. The quantity of a cancellation is positive here.
pub(super) struct HistoryRow<'file> {
    pub reference: Reference,
    pub placed_at: DateTime<Utc>,
    pub buyer: Option<Buyer>,
    pub sku: Sku,
    pub description: &'file str,
    pub quantity: Quantity,
    pub unit_price: Money,
}

/// A customer as the history knows them: a number instead of a name.
#[derive(Debug)]
pub struct Buyer {
    pub last_name: LastName,
    pub email: Email,
}

/// Index of each column in the file.
pub(super) type Columns = [usize; 7];

/// The names of each column in the two published forms of the data set.
const COLUMNS: [(&str, &str); 7] = [
    ("InvoiceNo", "Invoice"),
    ("StockCode", "StockCode"),
    ("Description", "Description"),
    ("Quantity", "Quantity"),
    ("InvoiceDate", "InvoiceDate"),
    ("UnitPrice", "Price"),
    ("CustomerID", "Customer ID"),
];

pub(super) fn find_columns<'file>(headers: impl Iterator<Item = &'file str>) -> Result<Columns, PlayError> {
    let headers: Vec<&str> = headers.collect();
    let find = |(name, other): (&str, &str)| {
        headers.iter().position(|header| header.eq_ignore_ascii_case(name) || header.eq_ignore_ascii_case(other))
    };
    let missing: Vec<_> = COLUMNS.into_iter().filter(|names| find(*names).is_none()).map(|(name, _)| name).collect();
    if missing.is_empty() {
        Ok(COLUMNS.map(|names| find(names).unwrap_or_default()))
    } else {
        Err(PlayError::MissingColumns(missing.join(", ")))
    }
}

/// How the two published forms write a date; the second has the month first.
const DATE_FORMATS: [&str; 2] = ["%Y-%m-%d %H:%M:%S", "%m/%d/%Y %H:%M"];

/// Parses a row; an error is the reason to skip it.
pub(super) fn parse_row(record: &StringRecord, columns: Columns) -> Result<(RowKind, HistoryRow<'_>), &'static str> {
    let [number, code, description, quantity, date, price, customer] = columns.map(|column| record[column].trim());
    let kind = match number.as_bytes().first() {
        None => return Err("InvoiceNo is empty"),
        Some(b'C' | b'c') => RowKind::Cancellation,
        Some(b'A' | b'a') => return Err("adjustment"),
        Some(_) => RowKind::Sale,
    };
    let reference = Reference::parse(number).map_err(|_| "InvoiceNo is too long or has control characters")?;
    if code.is_empty() {
        return Err("StockCode is empty");
    }
    let sku = Sku::parse(&code.to_uppercase()).map_err(|_| "StockCode is too long or has control characters")?;
    let units: i64 = quantity.parse().map_err(|_| "Quantity is not a whole number")?;
    let units = match kind {
        RowKind::Sale if units <= 0 => return Err("Quantity is not positive"),
        RowKind::Cancellation if units >= 0 => return Err("Quantity of a cancellation is not negative"),
        RowKind::Sale | RowKind::Cancellation => units.unsigned_abs(),
    };
    let quantity = i64::try_from(units).map_err(|_| "Quantity is too large")?;
    let quantity = Quantity::new(quantity).map_err(|_| "Quantity is too large")?;
    let unit_price = parse_unit_price(price)?;
    let placed_at = DATE_FORMATS.iter().find_map(|format| NaiveDateTime::parse_from_str(date, format).ok());
    let placed_at = placed_at.ok_or("InvoiceDate is not written like 2010-12-01 08:26:00 or 12/1/2010 8:26")?.and_utc();
    let buyer = if customer.is_empty() { None } else { Some(parse_buyer(customer)?) };
    Ok((kind, HistoryRow { reference, placed_at, buyer, sku, description, quantity, unit_price }))
}

/// Parses a price above zero; trailing zeros do not count as decimals.
fn parse_unit_price(price: &str) -> Result<Money, &'static str> {
    if price.starts_with('-') {
        return Err("UnitPrice is not positive");
    }
    let price = if price.contains('.') { price.trim_end_matches('0').trim_end_matches('.') } else { price };
    match Money::parse(price) {
        Ok(price) if price == Money::ZERO => Err("UnitPrice is not positive"),
        Ok(price) => Ok(price),
        Err(_) => Err("UnitPrice is not an amount with two decimals"),
    }
}

fn parse_buyer(customer: &str) -> Result<Buyer, &'static str> {
    // Some exports write the number as a decimal: `13085.0`.
    let number = customer.strip_suffix(".0").filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    let customer = number.filter(|number| !number.is_empty()).unwrap_or(customer);
    let email = Email::parse(&format!("{}@customer.example", customer.to_lowercase()));
    match (LastName::parse(customer), email) {
        (Ok(last_name), Ok(email)) => Ok(Buyer { last_name, email }),
        _ => Err("CustomerID cannot be part of an e-mail address"),
    }
}
