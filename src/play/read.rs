//! Reads the file: which rows are sales, and which are not and why.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Utc};
use csv::StringRecord;

use super::report::Skipped;
use super::{PlayError, email};
use crate::domain::money::Money;
use crate::domain::quantity::Quantity;
use crate::domain::text::{Email, Name, Reference, Sku as StoredSku};

/// A stock code, trimmed and in upper case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sku(pub Arc<str>);

/// The sales in a file, in its order.
#[derive(Debug, Default)]
pub struct History {
    pub invoices: Vec<Invoice>,
    pub skipped: Vec<Skipped>,
}

#[derive(Clone, Debug)]
pub struct Invoice {
    pub number: String,
    pub placed_at: DateTime<Utc>,
    /// `None` is a guest.
    pub customer: Option<String>,
    pub rows: Vec<Row>,
}

#[derive(Clone, Debug)]
pub struct Row {
    /// Where the row stands in the file.
    pub line: u64,
    pub sku: Sku,
    pub description: String,
    pub quantity: Quantity,
    pub unit_price: Money,
}

const COLUMNS: [&str; 7] =
    ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"];

/// Reads a whole history; half a year of a real shop has some 200,000 rows.
pub fn read(file: impl Read) -> Result<History, PlayError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let places = places(reader.headers()?)?;
    let mut history = History::default();
    let mut invoice_places: HashMap<String, usize> = HashMap::new();
    let mut skus: HashMap<String, Sku> = HashMap::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) if error.is_io_error() => return Err(error.into()),
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                history.skipped.push(Skipped { line, reason: "unreadable row", row: error.to_string() });
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        let sale = sale(&record, places, &mut skus);
        let (number, placed_at, customer, row) = match sale {
            Ok(sale) => sale,
            Err(reason) => {
                let row = record.iter().collect::<Vec<_>>().join(",");
                history.skipped.push(Skipped { line, reason, row });
                continue;
            }
        };
        let row = Row { line, ..row };
        match invoice_places.get(&number) {
            Some(place) => history.invoices[*place].rows.push(row),
            None => {
                invoice_places.insert(number.clone(), history.invoices.len());
                history.invoices.push(Invoice { number, placed_at, customer, rows: vec![row] });
            }
        }
    }
    Ok(history)
}

fn places(headers: &StringRecord) -> Result<[usize; 7], PlayError> {
    let place = |column: &str| {
        headers.iter().position(|header| header.trim().trim_start_matches('\u{feff}').eq_ignore_ascii_case(column))
    };
    let missing: Vec<_> = COLUMNS.into_iter().filter(|column| place(column).is_none()).collect();
    if !missing.is_empty() {
        return Err(PlayError::MissingColumns(missing.join(", ")));
    }
    Ok(COLUMNS.map(|column| place(column).unwrap_or_default()))
}

type Sale = (String, DateTime<Utc>, Option<String>, Row);

/// The row as a line of a sale, or why it is none.
fn sale(record: &StringRecord, places: [usize; 7], skus: &mut HashMap<String, Sku>) -> Result<Sale, &'static str> {
    let field = |place: usize| record.get(places[place]).map(str::trim).unwrap_or_default();
    let (number, description, customer) = (field(0), field(2), field(6));
    match number.as_bytes().first() {
        None => return Err("no invoice number"),
        Some(b'C' | b'c') => return Err("cancellation"),
        Some(b'A' | b'a') => return Err("adjustment"),
        Some(_) => {}
    }
    let code = field(1).to_uppercase();
    if code.is_empty() {
        return Err("no stock code");
    }
    Reference::parse(number).map_err(|_| "invoice number cannot be stored")?;
    StoredSku::parse(&code).map_err(|_| "stock code cannot be stored")?;
    let storable = Name::parse(customer).is_ok() && Email::parse(&email(customer)).is_ok();
    if !customer.is_empty() && !storable {
        return Err("customer cannot be stored");
    }
    let units: i64 = field(3).parse().map_err(|_| "quantity is not a whole number")?;
    if units <= 0 {
        return Err("quantity is not positive");
    }
    let quantity = Quantity::new(units).map_err(|_| "quantity is too large")?;
    let price = field(5);
    if price.starts_with('-') {
        return Err("price is not positive");
    }
    let price = if price.contains('.') { price.trim_end_matches('0').trim_end_matches('.') } else { price };
    let unit_price = Money::parse(price).map_err(|_| "price is not an amount with two decimals")?;
    if unit_price == Money::ZERO {
        return Err("price is not positive");
    }
    let placed_at = NaiveDateTime::parse_from_str(field(4), "%Y-%m-%d %H:%M:%S").map_err(|_| "unreadable date")?;
    let sku = skus.entry(code).or_insert_with_key(|code| Sku(code.as_str().into())).clone();
    let row = Row { line: 0, sku, description: description.to_owned(), quantity, unit_price };
    let customer = (!customer.is_empty()).then(|| customer.to_owned());
    Ok((number.to_owned(), placed_at.and_utc(), customer, row))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

    fn history(rows: &str) -> History {
        read(format!("{HEADER}{rows}").as_bytes()).unwrap()
    }

    #[test]
    fn rows_of_one_invoice_are_lines_of_one_order() {
        let history = history(
            "1, 85123a ,Heart,6,2010-12-01 08:26:00,2.55,17850,UK\n\
             2,71053,Lantern,1,2010-12-01 08:27:00,3.390,,UK\n\
             1,85123A,Heart,2,2010-12-01 08:26:00,2.10,17850,UK\n",
        );
        assert_eq!(history.invoices.len(), 2);
        let first = &history.invoices[0];
        assert_eq!(
            first.rows.iter().map(|row| (&*row.sku.0, row.line)).collect::<Vec<_>>(),
            [("85123A", 2), ("85123A", 4)]
        );
        assert_eq!(first.customer.as_deref(), Some("17850"));
        assert_eq!(history.invoices[1].customer, None);
        assert!(history.skipped.is_empty());
    }

    #[test]
    fn what_is_no_sale_is_skipped_with_its_line_and_reason() {
        let history = history(
            "C1,A,x,-1,2010-12-01 08:26:00,2.55,1,UK\n\
             A1,A,x,1,2010-12-01 08:26:00,2.55,1,UK\n\
             1,A,x,0,2010-12-01 08:26:00,2.55,1,UK\n\
             1,A,x,1,2010-12-01 08:26:00,0,1,UK\n\
             1,A,x,1,2010-12-01 08:26:00,-3.00,1,UK\n\
             1,A,x,1,2010-12-01 08:26:00,2.555,1,UK\n\
             1,A,x,one,2010-12-01 08:26:00,2.55,1,UK\n\
             1,A,x,1,yesterday,2.55,1,UK\n\
             1,,x,1,2010-12-01 08:26:00,2.55,1,UK\n\
             short\n\
             1,A,x,1,2010-12-01 08:26:00,2.55,a b,UK\n",
        );
        let long = "9".repeat(101);
        for (row, reason) in [
            (format!("{long},A,x,1,2010-12-01 08:26:00,2.55,1,UK\n"), "invoice number cannot be stored"),
            (format!("1,{long},x,1,2010-12-01 08:26:00,2.55,1,UK\n"), "stock code cannot be stored"),
        ] {
            assert_eq!(self::history(&row).skipped[0].reason, reason);
        }
        assert!(history.invoices.is_empty());
        let skipped: Vec<_> = history.skipped.iter().map(|skipped| (skipped.line, skipped.reason)).collect();
        assert_eq!(
            skipped,
            [
                (2, "cancellation"),
                (3, "adjustment"),
                (4, "quantity is not positive"),
                (5, "price is not positive"),
                (6, "price is not positive"),
                (7, "price is not an amount with two decimals"),
                (8, "quantity is not a whole number"),
                (9, "unreadable date"),
                (10, "no stock code"),
                (11, "no stock code"),
                (12, "customer cannot be stored")
            ]
        );
    }

    #[test]
    fn missing_columns_are_named() {
        let error = read("InvoiceNo,StockCode\n1,2\n".as_bytes()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the file has no column Description, Quantity, InvoiceDate, UnitPrice, CustomerID"
        );
    }
}
