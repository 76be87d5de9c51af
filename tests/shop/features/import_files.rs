//! Files that are not as they should be: nothing is guessed, everything left out is named, and the exit code tells.

use std::path::Path;

use sqlx::postgres::PgConnectOptions;

use crate::support::fresh_database;
use crate::support::pages::root;
use crate::support::program::{command, data_dir, text, url};

const HEADER: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

/// Imports a file; returns the exit code and everything that was printed.
fn import(database: &PgConnectOptions, folder: &Path, content: &[u8], more: &[&str]) -> (i32, String) {
    let file = folder.join("sales.csv");
    std::fs::write(&file, content).unwrap();
    let mut play = command(&folder.join("shop"));
    let output = play.env("DATABASE_URL", url(database)).arg("play").arg(file).args(more).output().unwrap();
    // Columns of the report are aligned with spaces.
    let printed = text(&output).split_whitespace().collect::<Vec<_>>().join(" ");
    (output.status.code().unwrap(), printed)
}

#[tokio::test(flavor = "multi_thread")]
async fn files_with_mistakes_are_refused_or_imported_without_the_faulty_rows() {
    let (folder, database) = (data_dir(), fresh_database().await);
    let import = |content: &[u8], more: &[&str]| import(&database, folder.path(), content, more);
    let rows = |rows: &str| format!("{HEADER}{rows}").into_bytes();

    let unclosed: String = (0..30)
        .map(|number| {
            let quote = if number == 2 { "\"" } else { "" };
            format!("U{number:03},Z1,{quote}Blue mug,1,2020-05-01 08:00:00,2.50,201,United Kingdom\n")
        })
        .collect();
    let (code, printed) = import(&rows(&unclosed), &[]);
    assert!(code == 1 && printed.contains("line 4: a quote opens here"), "{code}: {printed}");
    // The text of a later row closes it, and the file looks whole.
    let closed = unclosed.replace("U020,Z1,Blue mug", "U020,Z1,\"Blue mug\"");
    let (code, printed) = import(&rows(&closed), &[]);
    assert!(code == 1 && printed.contains("line 4: a quote opens here"), "{code}: {printed}");

    let semicolons = format!("{}V001;Z1;Mug;1;2020-05-01 08:00:00;2,50;201;France\n", HEADER.replace(',', ";"));
    let (code, printed) = import(semicolons.as_bytes(), &[]);
    assert!(code == 1 && printed.contains("separated by ';'"), "{code}: {printed}");

    let mut windows = rows(
        "W001,Z2,Caf# tray,1,2020-05-01 08:00:00,2.50,201,France\nW002,Z1,Mug,1,2020-05-01 08:00:00,2.50,201,France\n",
    );
    let place = windows.iter().position(|byte| *byte == b'#').unwrap();
    windows[place] = 0xe9;
    let (code, printed) = import(&windows, &[]);
    assert!(code == 3 && printed.contains("line 2: not UTF-8: save the file as UTF-8"), "{code}: {printed}");
    assert!(printed.contains("orders imported 1"), "{printed}");

    let buyers = "T001,Z1,Mug,1,2020-05-01 08:00:00,2.50,,France\n\
                  T001,Z2,Tray,1,2020-05-01 08:00:00,4.00,301,France\n\
                  T002,Z1,Mug,1,2020-05-02 08:00:00,2.50,302,France\n";
    let (code, printed) = import(&rows(buyers), &[]);
    assert!(code == 3 && printed.contains("T001: one invoice of two buyers"), "{code}: {printed}");
    assert!(printed.contains("orders imported 1"), "{printed}");
    let (code, _) = import(&rows(buyers), &["--allow-skipped"]);
    assert_eq!(code, 0);

    let first = "G001,Z1,Mug,1,2020-05-01 08:00:00,2.50,303,France\n";
    let (code, printed) = import(&rows(first), &[]);
    assert_eq!(code, 0, "{printed}");
    let (code, printed) = import(&rows(first), &[]);
    assert!(code == 0 && printed.contains("already imported 1"), "{code}: {printed}");
    let grown = format!("{first}G001,Z2,Tray,1,2020-05-01 08:00:00,4.00,303,France\n{first}");
    let skipped = folder.path().join("skipped.csv");
    let (code, printed) = import(&rows(&grown), &["--skipped", skipped.to_str().unwrap()]);
    assert_eq!(code, 3, "{printed}");
    for line in [3, 4] {
        let expected = format!("line {line}: the invoice was imported before, without this row");
        assert!(printed.contains(&expected), "{printed}");
    }
    let written = std::fs::read_to_string(&skipped).unwrap();
    assert!(written.starts_with("line,reason,row,units_left\n3,"), "{written}");
    assert!(written.contains("G001,Z2,Tray,1,2020-05-01 08:00:00,4.00"), "{written}");

    // More is cancelled than was bought: the row says how much is left.
    let cancelled = "B001,Z1,Mug,2,2020-05-01 08:00:00,2.50,304,France\n\
                     CB002,Z1,Mug,-5,2020-05-02 08:00:00,2.50,304,France\n";
    let (code, printed) = import(&rows(cancelled), &[]);
    assert!(code == 3 && printed.contains("units left: 3"), "{code}: {printed}");
    let (code, printed) = import(&rows(&cancelled.replace("B0", "D0")), &["--sales-only"]);
    assert_eq!(code, 0, "what the operator leaves out is not missing: {printed}");

    let sample = std::fs::read(root().join("docs/sample-sales.csv")).unwrap();
    assert_eq!(sample.iter().filter(|byte| **byte == b'\n').count(), 11, "ten rows and the header");
    let (code, printed) = import(&sample, &[]);
    assert!(
        code == 0 && printed.contains("orders imported 7") && printed.contains("units returned 2"),
        "{code}: {printed}"
    );
    let (code, printed) = import(&sample, &[]);
    assert!(code == 0 && printed.contains("already imported 8"), "{code}: {printed}");

    let published = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n\
                     P001,Z1,Mug,1,2009-12-01 07:45:00,2.50,305.0,France\n";
    assert_eq!(import(published.as_bytes(), &[]).0, 0);
    assert_eq!(import(&rows("P002,Z1,Mug,1,12/1/2010 8:26,2.50,305,France\n"), &[]).0, 0);
    for rules in [&[][..], &["--log"]] {
        let mut verify = command(folder.path());
        let verified = verify.env("DATABASE_URL", url(&database)).arg("verify").args(rules).output().unwrap();
        assert!(verified.status.success(), "{}", text(&verified));
    }
}
