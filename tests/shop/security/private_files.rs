//! What the program writes is for its own user: every file of a data folder, mails in a shared folder, reports.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::support::program::{Server, command, data_dir, run, text, wait_for};

/// Files and folders of a tree that other users could read or enter, except those of PostgreSQL, which has its own rules.
fn exposed(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, metadata) = (entry.path(), entry.metadata().unwrap());
        if metadata.permissions().mode() & 0o077 != 0 && !metadata.file_type().is_symlink() && !is_socket(&metadata) {
            found.push(format!("{} {:o}", path.display(), metadata.permissions().mode()));
        }
        if metadata.is_dir() {
            found.extend(exposed(&path));
        }
    }
    found
}

/// The mode of a socket is that of its folder.
fn is_socket(metadata: &std::fs::Metadata) -> bool {
    metadata.mode() & 0o170000 == 0o140000
}

#[test]
fn no_other_user_can_read_what_the_program_writes() {
    let folder = data_dir();
    let (shop, mails) = (folder.path().join("shop"), folder.path().join("mails"));
    std::fs::create_dir(&mails).unwrap();
    std::fs::set_permissions(&mails, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(mails.join("older.eml"), "a link").unwrap();
    std::fs::set_permissions(mails.join("older.eml"), PermissionsExt::from_mode(0o644)).unwrap();

    // A shell sets the loosest mask that there is.
    let serve = command(&shop);
    let mut loose = Command::new("sh");
    loose.args(["-c", "umask 000; exec \"$0\" --listen 127.0.0.1:0 --no-seeds", serve.get_program().to_str().unwrap()]);
    loose.envs(serve.get_envs().filter_map(|(name, value)| Some((name, value?)))).env_remove("DATABASE_URL");
    loose.env("SHOP_MAIL_DIR", &mails).env("SHOP_KEYS_DIR", folder.path().join("keys"));
    let server = Server::spawn(&mut loose);
    let reset = format!("{}/shop/api/auth/reset/", server.address);
    let body = r#"{"email": "admin@shop.localhost"}"#;
    let asked = Command::new("curl").args(["-sS", "--fail", &reset, "--json", body]).output().unwrap();
    assert!(asked.status.success(), "{}", text(&asked));
    let mail = wait_for("the mail", || {
        let names = std::fs::read_dir(&mails).unwrap().map(|entry| entry.unwrap().path());
        names
            .filter(|path| path.extension().is_some_and(|kind| kind == "eml"))
            .find(|path| !path.ends_with("older.eml"))
    });
    assert!(std::fs::read_to_string(mail).unwrap().contains("admin@shop.localhost"));

    let (file, report) = (folder.path().join("sales.csv"), folder.path().join("skipped.csv"));
    let rows = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
                536365,85123A,HEART,6,2010-12-01 08:26:00,2.55,17850,UK\n\
                C536379,D,Discount,-1,2010-12-01 09:41:00,27.5,14527,UK\n";
    std::fs::write(&file, rows).unwrap();
    let mut play = command(&shop);
    let mut loose = Command::new("sh");
    loose.args(["-c", "umask 000; exec \"$@\"", "sh", play.arg("x").get_program().to_str().unwrap()]);
    loose.arg("play").arg(&file).arg("--skipped").arg(&report);
    loose.envs(play.get_envs().filter_map(|(name, value)| Some((name, value?)))).env_remove("DATABASE_URL");
    let played = loose.output().unwrap();
    assert_eq!(played.status.code(), Some(3), "{}", text(&played));

    assert_eq!(exposed(&shop), [""; 0]);
    assert_eq!(exposed(&mails), [""; 0]);
    assert_eq!(exposed(&folder.path().join("keys")), [""; 0]);
    assert_eq!(report.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let fallen_back = run(&shop, &["sql", "--", "--csv", "--tuples-only", "--command", "select current_user"]);
    assert_eq!(String::from_utf8_lossy(&fallen_back.stdout), "reader\n", "{}", text(&fallen_back));
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Some(0));
    // Without a running shop the command starts the database, and stops it.
    let alone = run(&shop, &["sql", "--", "--csv", "--tuples-only", "--command", "select count(*) from orders"]);
    assert_eq!(String::from_utf8_lossy(&alone.stdout), "1\n", "{}", text(&alone));
    assert!(!shop.join("pgdata/postmaster.pid").exists());
    let address = run(&shop, &["sql", "--url"]);
    assert!(
        String::from_utf8_lossy(&address.stdout).starts_with("postgresql:///cartwright?host="),
        "{}",
        text(&address)
    );
}
