//! Reading of the file: every row becomes part of the history or is skipped with a reason.
//!
//! All values are validated here, before the first command, so that a bad row cannot stop the import half-way.

use std::io::Read;

use csv::StringRecord;

use super::PlayError;
use super::history::{History, HistoryBuilder, SkippedRow};
use super::row::{RowKind, find_columns, parse_row};
use crate::csv_file::{BadRow, CsvFile, CsvRow};

/// Reads a whole history. Half a year of a real shop has about 200,000 rows.
pub fn read(file: impl Read) -> Result<History, PlayError> {
    let mut file = CsvFile::open(file)?;
    let columns = find_columns(file.headers())?;
    let mut builder = HistoryBuilder::default();
    while let Some(CsvRow { line, fields }) = file.next_row()? {
        let text = |fields: &StringRecord| fields.iter().collect::<Vec<_>>().join(",");
        let (added, fields) = match fields {
            Ok(fields) => {
                let added = parse_row(&fields, columns).and_then(|(kind, row)| match kind {
                    RowKind::Sale => builder.add_sale(row, line),
                    RowKind::Cancellation => {
                        builder.add_cancellation(row, line, text(&fields));
                        Ok(())
                    }
                });
                (added, fields)
            }
            Err(BadRow { reason, fields }) => (Err(reason), fields),
        };
        if let Err(reason) = added {
            builder.history.skipped.push(SkippedRow { line, reason, row: text(&fields), units_left: None });
        }
    }
    file.check_end()?;
    Ok(builder.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::play::history::Invoice;

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
    fn invalid_rows_are_skipped_with_line_and_reason() {
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
            ("1,A,x,1,yesterday,2.55,1,UK", "InvoiceDate is not written like 2010-12-01 08:26:00 or 12/1/2010 8:26"),
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
        assert_eq!((line.sku.as_str(), line.quantity.get(), line.line_number), ("71053", 2, 5));
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
    fn a_row_of_invalid_text_is_skipped_and_the_next_is_read() {
        let mut file = HEADER.as_bytes().to_vec();
        file.extend(b"1,A,\xff,1,2010-12-01 08:26:00,2.55,1,UK\n2,A,x,1,2010-12-01 08:26:00,2.55,1,UK\n");
        let history = read(&file[..]).unwrap();
        assert_eq!(history.skipped[0].line, 2);
        assert!(history.skipped[0].reason.starts_with("not UTF-8"));
        assert_eq!(history.invoices.len(), 1);
    }

    #[test]
    fn both_published_forms_are_read() {
        let first = history("1,A,x,1,12/1/2010 8:26,2.55,17850,UK\n");
        let second = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n\
                      1,A,x,1,2010-12-01 08:26:00,2.55,17850.0,UK\n";
        let second = read(second.as_bytes()).unwrap();
        for history in [first, second] {
            assert_eq!(history.invoices[0].placed_at.to_rfc3339(), "2010-12-01T08:26:00+00:00");
            assert_eq!(history.buyers[0].email.as_str(), "17850@customer.example");
            assert!(history.skipped.is_empty());
        }
    }

    #[test]
    fn an_invoice_or_cancellation_of_two_buyers_is_refused_whole() {
        let history = history(
            "1,A,x,1,2010-12-01 08:26:00,2.55,,UK\n\
             1,B,x,1,2010-12-01 08:26:00,2.55,17850,UK\n\
             2,C,x,1,2010-12-01 08:26:00,2.55,17851,UK\n\
             C3,C,x,-1,2010-12-01 08:27:00,2.55,17851,UK\n\
             C3,C,x,-1,2010-12-01 08:27:00,2.55,17850,UK\n",
        );
        let numbers: Vec<_> = history.invoices.iter().map(|invoice| invoice.reference.as_str()).collect();
        assert_eq!((numbers, history.cancellations.len()), (vec!["2"], 0));
        let refused: Vec<_> = history.refused.iter().map(|(number, _)| number.as_str()).collect();
        assert_eq!(refused, ["1", "C3"]);
    }

    #[test]
    fn a_file_with_another_separator_is_named_so() {
        for separator in [";", "\t"] {
            let error = read(HEADER.replace(',', separator).as_bytes()).unwrap_err();
            assert!(error.to_string().contains("is separated by"), "{error}");
        }
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
