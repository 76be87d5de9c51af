//! Reads the file: which rows are sales, and which are not and why.
//!
//! Everything that the shop will be told is parsed here, once, so that nothing breaks off half-way. What many rows
//! share is kept once: a row is a few numbers.

use std::collections::HashMap;
use std::io::Read;

use chrono::{DateTime, NaiveDateTime, Utc};
use csv::StringRecord;

use super::PlayError;
use super::report::SkippedRow;
use crate::domain::money::Money;
use crate::domain::quantity::Quantity;
use crate::domain::text::{Email, Name, Reference, Sku};

/// The sales in a file, in its order.
#[derive(Debug, Default)]
pub struct History {
    pub invoices: Vec<Invoice>,
    pub cancellations: Vec<Cancellation>,
    /// In the order of their first sales.
    pub goods: Vec<Goods>,
    /// In the order of their first invoices.
    pub buyers: Vec<Buyer>,
    pub skipped: Vec<SkippedRow>,
}

#[derive(Debug)]
pub struct Invoice {
    pub reference: Reference,
    pub placed_at: DateTime<Utc>,
    /// A place in [`History::buyers`]; `None` is a guest.
    pub buyer: Option<usize>,
    pub lines: Vec<Line>,
}

#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// A place in [`History::goods`].
    pub goods: usize,
    pub quantity: Quantity,
    pub unit_price: Money,
}

/// Units that go back, some of each row.
#[derive(Debug)]
pub struct Cancellation {
    pub reference: Reference,
    pub at: DateTime<Utc>,
    /// Whose units they are; without it nobody can tell.
    pub email: Option<Email>,
    pub lines: Vec<CancelledLine>,
}

#[derive(Debug)]
pub struct CancelledLine {
    pub sku: Sku,
    pub quantity: Quantity,
    pub unit_price: Money,
    /// The line in the file.
    pub place: u64,
    /// The row as it stands in the file.
    pub row: String,
}

/// What is sold under one code, as its first row has it.
#[derive(Debug)]
pub struct Goods {
    pub sku: Sku,
    pub name: Name,
    pub price: Money,
}

#[derive(Debug)]
pub struct Buyer {
    pub last_name: Name,
    pub email: Email,
}

const COLUMNS: [&str; 7] =
    ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"];

/// Reads a whole history; half a year of a real shop has some 200,000 rows.
pub fn read(file: impl Read) -> Result<History, PlayError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let places = places(reader.headers()?)?;
    let mut builder = HistoryBuilder::default();
    for record in reader.records() {
        let (line, taken, row) = match record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                let row = || record.iter().collect::<Vec<_>>().join(",");
                let taken = row_of(&record, places).and_then(|(kind, sale)| match kind {
                    RowKind::Sale => builder.take(sale),
                    RowKind::Cancellation => builder.take_back(sale, line, row()),
                });
                (line, taken, taken.map_or_else(|_| row(), |()| String::new()))
            }
            Err(error) if error.is_io_error() => return Err(error.into()),
            Err(error) => (
                error.position().map_or(0, csv::Position::line),
                Err("the row is not readable text"),
                error.to_string(),
            ),
        };
        if let Err(reason) = taken {
            builder.history.skipped.push(SkippedRow { line, reason, row });
        }
    }
    Ok(builder.history)
}

/// The history so far, and where to find in it what has been seen before.
#[derive(Default)]
struct HistoryBuilder {
    history: History,
    /// By number.
    invoices: HashMap<String, usize>,
    /// By number.
    cancellations: HashMap<String, usize>,
    /// By code, as the shop compares codes.
    goods: HashMap<String, usize>,
    /// By e-mail address, as the shop compares addresses.
    buyers: HashMap<String, usize>,
}

/// What a row does with its units.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RowKind {
    Sale,
    Cancellation,
}

/// What a row says: a sale, or as much of one that is taken back.
struct RowContent<'row> {
    reference: Reference,
    placed_at: DateTime<Utc>,
    buyer: Option<Buyer>,
    sku: Sku,
    description: &'row str,
    quantity: Quantity,
    unit_price: Money,
}

impl HistoryBuilder {
    fn take(&mut self, sale: RowContent<'_>) -> Result<(), &'static str> {
        let History { invoices, goods, buyers, .. } = &mut self.history;
        let RowContent { reference, placed_at, buyer, sku, description, quantity, unit_price } = sale;
        let code = sku.folded();
        let goods_place = match self.goods.get(&code) {
            Some(place) => *place,
            None => {
                // A code is not empty, and shorter than a name may be.
                let name = Name::parse(description).or_else(|_| Name::parse(sku.as_str()));
                let name = name.map_err(|_| "StockCode cannot name a product")?;
                goods.push(Goods { sku, name, price: unit_price });
                self.goods.insert(code, goods.len() - 1);
                goods.len() - 1
            }
        };
        let buyer_place = buyer.map(|buyer| {
            let place = *self.buyers.entry(buyer.email.as_str().to_lowercase()).or_insert(buyers.len());
            if place == buyers.len() {
                buyers.push(buyer);
            }
            place
        });
        let invoice_place = *self.invoices.entry(reference.as_str().to_owned()).or_insert(invoices.len());
        if invoice_place == invoices.len() {
            invoices.push(Invoice { reference, placed_at, buyer: buyer_place, lines: vec![] });
        }
        invoices[invoice_place].lines.push(Line { goods: goods_place, quantity, unit_price });
        Ok(())
    }

    fn take_back(&mut self, sale: RowContent<'_>, place: u64, row: String) -> Result<(), &'static str> {
        let RowContent { reference, placed_at: at, buyer, sku, quantity, unit_price, .. } = sale;
        let cancellations = &mut self.history.cancellations;
        let number = *self.cancellations.entry(reference.as_str().to_owned()).or_insert(cancellations.len());
        if number == cancellations.len() {
            let email = buyer.map(|buyer| buyer.email);
            cancellations.push(Cancellation { reference, at, email, lines: vec![] });
        }
        cancellations[number].lines.push(CancelledLine { sku, quantity, unit_price, place, row });
        Ok(())
    }
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

/// What the row says, or why it says nothing.
fn row_of(record: &StringRecord, places: [usize; 7]) -> Result<(RowKind, RowContent<'_>), &'static str> {
    if places.iter().any(|place| *place >= record.len()) {
        return Err("the row has too few columns");
    }
    let [number, code, description, quantity, date, price, customer] = places.map(|place| record[place].trim());
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
    let unit_price = unit_price(price)?;
    let placed_at = NaiveDateTime::parse_from_str(date, "%Y-%m-%d %H:%M:%S");
    let placed_at = placed_at.map_err(|_| "InvoiceDate is not written like 2010-12-01 08:26:00")?.and_utc();
    let buyer = if customer.is_empty() { None } else { Some(buyer(customer)?) };
    Ok((kind, RowContent { reference, placed_at, buyer, sku, description, quantity, unit_price }))
}

/// A price above zero; zeros at the end of its decimals do not count.
fn unit_price(price: &str) -> Result<Money, &'static str> {
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

fn buyer(customer: &str) -> Result<Buyer, &'static str> {
    let email = Email::parse(&format!("{}@customer.example", customer.to_lowercase()));
    match (Name::parse(customer), email) {
        (Ok(last_name), Ok(email)) => Ok(Buyer { last_name, email }),
        _ => Err("CustomerID cannot be part of an e-mail address"),
    }
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
             2,71053,,1,2010-12-01 08:27:00,3.390,,UK\n\
             1,85123A,Another heart,2,2010-12-01 08:26:00,2.10,17850,UK\n",
        );
        assert_eq!(history.invoices.len(), 2);
        let [first, second] = &history.invoices[..] else { panic!("{:?}", history.invoices) };
        let lines =
            |invoice: &Invoice| invoice.lines.iter().map(|line| (line.goods, line.quantity.get())).collect::<Vec<_>>();
        assert_eq!((lines(first), lines(second)), (vec![(0, 6), (0, 2)], vec![(1, 1)]));
        assert_eq!((first.buyer, second.buyer), (Some(0), None));
        assert_eq!(history.buyers[0].email.as_str(), "17850@customer.example");
        let goods =
            history.goods.iter().map(|goods| (goods.sku.as_str(), goods.name.as_str(), goods.price.to_string()));
        assert_eq!(
            goods.collect::<Vec<_>>(),
            [("85123A", "Heart", "2.55".to_owned()), ("71053", "71053", "3.39".to_owned())]
        );
        assert!(history.skipped.is_empty());
    }

    #[test]
    fn what_is_no_sale_is_skipped_with_its_line_and_reason() {
        let rows = [
            ("C1,A,x,1,2010-12-01 08:26:00,2.55,1,UK", "Quantity of a cancellation is not negative"),
            ("A1,A,x,1,2010-12-01 08:26:00,2.55,1,UK", "adjustment"),
            (",A,x,1,2010-12-01 08:26:00,2.55,1,UK", "InvoiceNo is empty"),
            ("1,A,x,0,2010-12-01 08:26:00,2.55,1,UK", "Quantity is not positive"),
            ("1,A,x,1000001,2010-12-01 08:26:00,2.55,1,UK", "Quantity is too large"),
            ("1,A,x,one,2010-12-01 08:26:00,2.55,1,UK", "Quantity is not a whole number"),
            ("1,A,x,1,2010-12-01 08:26:00,0,1,UK", "UnitPrice is not positive"),
            ("1,A,x,1,2010-12-01 08:26:00,0.000,1,UK", "UnitPrice is not positive"),
            ("1,A,x,1,2010-12-01 08:26:00,-3.00,1,UK", "UnitPrice is not positive"),
            ("1,A,x,1,2010-12-01 08:26:00,2.555,1,UK", "UnitPrice is not an amount with two decimals"),
            ("1,A,x,1,yesterday,2.55,1,UK", "InvoiceDate is not written like 2010-12-01 08:26:00"),
            ("1,,x,1,2010-12-01 08:26:00,2.55,1,UK", "StockCode is empty"),
            ("1,A\u{1}B,x,1,2010-12-01 08:26:00,2.55,1,UK", "StockCode is too long or has control characters"),
            ("1,A,x,1,2010-12-01 08:26:00,2.55,a b,UK", "CustomerID cannot be part of an e-mail address"),
            ("short", "the row has too few columns"),
        ];
        let history = history(&rows.map(|(row, _)| row).join("\n"));
        assert!(history.invoices.is_empty() && history.goods.is_empty() && history.buyers.is_empty());
        let skipped: Vec<_> = history.skipped.iter().map(|skipped| (skipped.line, skipped.reason)).collect();
        assert_eq!(skipped, (2..).zip(rows.map(|(_, reason)| reason)).collect::<Vec<_>>());
    }

    #[test]
    fn rows_of_one_cancellation_belong_together() {
        let history = history(
            "C1, 85123a ,Heart,-6,2010-12-01 08:26:00,2.55,17850,UK\n\
             C2,71053,x,-1,2010-12-01 08:27:00,3.390,,UK\n\
             C1,71053,x,-9223372036854775808,2010-12-01 08:26:00,2.10,17850,UK\n\
             C1,71053,x,-2,2010-12-01 08:26:00,2.10,17850,UK\n",
        );
        assert!(history.invoices.is_empty() && history.goods.is_empty() && history.buyers.is_empty());
        let [first, second] = &history.cancellations[..] else { panic!("{:?}", history.cancellations) };
        assert_eq!((first.email.as_ref().unwrap().as_str(), first.lines.len()), ("17850@customer.example", 2));
        let line = &first.lines[1];
        assert_eq!((line.sku.as_str(), line.quantity.get(), line.place), ("71053", 2, 5));
        assert!(second.email.is_none());
        assert_eq!(history.skipped[0].reason, "Quantity is too large");
    }

    #[test]
    fn numbers_and_codes_that_are_too_long_are_skipped() {
        let long = "9".repeat(101);
        for (row, reason) in [
            (
                format!("{long},A,x,1,2010-12-01 08:26:00,2.55,1,UK\n"),
                "InvoiceNo is too long or has control characters",
            ),
            (
                format!("1,{long},x,1,2010-12-01 08:26:00,2.55,1,UK\n"),
                "StockCode is too long or has control characters",
            ),
        ] {
            assert_eq!(history(&row).skipped[0].reason, reason);
        }
    }

    #[test]
    fn a_row_that_is_no_text_is_skipped_and_the_next_is_read() {
        let mut file = HEADER.as_bytes().to_vec();
        file.extend(b"1,A,\xff,1,2010-12-01 08:26:00,2.55,1,UK\n2,A,x,1,2010-12-01 08:26:00,2.55,1,UK\n");
        let history = read(&file[..]).unwrap();
        assert_eq!((history.skipped[0].line, history.skipped[0].reason), (2, "the row is not readable text"));
        assert_eq!(history.invoices.len(), 1);
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
