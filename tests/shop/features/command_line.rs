//! The program itself: started, called with the documented commands, stopped, killed, started again; on disk, durable.

use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::Signal;
use sqlx::{ConnectOptions, Executor};

use crate::support::pages::blocks;
use crate::support::program::{Server, command, data_dir, run, text, url, verify};
use crate::support::{bare_database, fresh_database};

#[test]
fn the_documented_commands_work_from_the_first_start_to_the_last() {
    let folder = data_dir();
    let server = Server::start(folder.path());

    let csv = folder.path().join("sales.csv");
    std::fs::write(
        &csv,
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
         536365,85123A,HEART,6,2010-12-01 08:26:00,2.55,17850,UK\n\
         C536379,D,Discount,-1,2010-12-01 09:41:00,27.5,14527,UK\n",
    )
    .unwrap();
    let commands = blocks("docs/operating.md", "sh").into_iter().find(|block| block.contains("-- play")).unwrap();
    let commands = commands.lines().map(|line| line.split('#').next().unwrap().trim());
    // A restore replaces the shop; `robustness::restored_databases` runs these commands.
    let commands: Vec<_> = commands.filter(|line| !line.contains(" -- restore")).collect();
    assert_eq!(commands.len(), 12);
    for line in commands {
        let args: Vec<_> = line.strip_prefix("cargo run --release -- ").unwrap().split(' ').collect();
        let args: Vec<_> =
            args.into_iter().map(|arg| if arg == "sales.csv" { csv.to_str().unwrap() } else { arg }).collect();
        // The signing key that all servers of a test run share is left unchanged.
        let keys = folder.path().join("keys");
        let output =
            command(folder.path()).current_dir(folder.path()).env("SHOP_KEYS_DIR", keys).args(&args).output().unwrap();
        // One row of the file cannot be imported.
        let code = if args[0] == "play" { 3 } else { 0 };
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", text(&output));
        if args[0] == "play" {
            assert!(text(&output).contains("cancellation"), "{}", text(&output));
        }
    }
    assert!(server.get("/shop/api/customer-stats/?limit=1000").contains("17850@customer.example"));

    let second = run(folder.path(), &["--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1));
    let message = text(&second);
    assert!(message.contains("is in use by process") && message.lines().count() == 1, "{message}");

    let before = server.get("/shop/api/orders/?limit=1000");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Some(0));

    let server = Server::start(folder.path());
    assert_eq!(server.get("/shop/api/orders/?limit=1000"), before, "nothing is lost, and nothing is planted again");
    server.signal(Signal::SIGKILL);
    server.wait();

    let server = Server::start(folder.path());
    assert_eq!(server.get("/shop/api/orders/?limit=1000"), before, "nothing is lost after a kill");
    server.signal(Signal::SIGINT);
    assert_eq!(server.wait(), Some(0));
    verify(folder.path());
}

#[test]
fn a_command_that_is_refused_creates_no_shop() {
    let folder = data_dir();
    let files = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        std::fs::write(files.path().join(name), content).unwrap();
        files.path().join(name).to_str().unwrap().to_owned()
    };
    let csv = file("products.csv", "name,price,category\nCup,1.00,Kitchen\n");
    let dump = |category: i64, images: &str| {
        format!(
            r#"{{"categories":[{{"model":"product.category","pk":1,"fields":{{"name":"Tea"}}}}],
                "products":[{{"model":"product.product","pk":1,"fields":{{"title":"Tea","price":"1.00","category_id":{category}}}}}],
                "phones":[],"images":[{images}]}}"#
        )
    };
    let image = r#"{"model":"product.imageproduct","pk":1,"fields":{"product_id":1,"image":"images/a.jpg","ordre":0}}"#;
    let good = file("good.json", &dump(1, ""));
    let pipe = files.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let pipe = pipe.to_str().unwrap();
    std::fs::create_dir(files.path().join("media")).unwrap();
    std::fs::write(files.path().join("media/.cartwright-log-id"), "17\n").unwrap();
    let owned = files.path().join("media");
    let owned = owned.to_str().unwrap();
    let skipped = files.path().join("skipped.csv");
    let skipped_csv = skipped.to_str().unwrap();
    for (args, expected) in [
        (vec!["products", "deploy", &file("category.json", &dump(2, ""))], "products 1: category 2 not found"),
        (vec!["products", "deploy", &file("image.json", &dump(1, image))], "images/a.jpg is not in the media store"),
        (vec!["products", "deploy", &file("broken.json", "{")], "EOF while parsing"),
        (vec!["products", "deploy", "--backup", &good], "and nothing to back up"),
        (vec!["products", "deploy", pipe], "it is a pipe, not a regular file"),
        (vec!["products", "deploy", "--force", "/nowhere.json"], "cannot read /nowhere.json"),
        (vec!["play", &csv, "--skipped", skipped_csv], "the file has no column"),
        (vec!["play", pipe], "it is a pipe, not a regular file"),
        (vec!["restore", pipe], "it is a pipe, not a regular file"),
        (vec!["serve", "--schedule", "dump=0 4 * * *;dump=0 5 * * *"], "names the task dump twice"),
        (vec!["serve", "--media", "s3://"], "invalid value"),
        (vec!["serve", "--listen", "127.0.0.1:0", "--media", owned], "belongs to the shop with the log 17"),
        (vec!["products", "deploy", "--media", owned, &good], "belongs to the shop with the log 17"),
    ] {
        let output = run(folder.path(), &args);
        let message = text(&output);
        assert!(!output.status.success() && message.contains(expected), "{args:?}: {message}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{args:?} created something");
    }
    assert!(!skipped.exists());
    let planned = run(folder.path(), &["products", "deploy", "--dry-run", &good]);
    assert!(planned.status.success() && text(&planned).contains("products: 1 created"), "{}", text(&planned));
    for place in [folder.path().to_owned(), folder.path().join("missing")] {
        for args in [
            &["status"][..],
            &["verify"],
            &["verify", "--log"],
            &["replay"],
            &["users", "list"],
            &["keys", "rotate"],
            &["reactions", "list"],
            &["restored"],
            &["sql"],
            &["clock"],
            &["views", "list"],
            &["archive", "--older-than", "1d"],
            &["archive", "restore", &csv],
            &["cleanup"],
            &["products", "dump"],
            &["products", "check", &good],
            &["products", "check", "--against", &good],
            &["products", "import", &csv, "--skipped", skipped_csv],
            &["products", "update-image-urls"],
        ] {
            let output = run(&place, args);
            let message = text(&output);
            assert_eq!(output.status.code(), Some(1), "{args:?}: {message}");
            assert!(message.contains("there is no shop yet") && message.lines().count() == 1, "{args:?}: {message}");
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was created");
    assert!(!skipped.exists());
}

#[tokio::test]
async fn a_database_without_a_shop_and_one_of_a_newer_version_are_refused() {
    let empty = url(&bare_database().await);
    let message = text(&command(Path::new("/nowhere")).args(["status", "--database-url", &empty]).output().unwrap());
    assert!(message.contains("there is no shop yet (PostgreSQL at "), "{message}");

    let used = fresh_database().await;
    let insert = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                  values (9999, 'later', true, '', 0)";
    let mut connection = used.connect().await.unwrap();
    connection.execute(insert).await.unwrap();
    let newer = text(&command(Path::new("/nowhere")).args(["status", "--database-url", &url(&used)]).output().unwrap());
    assert!(newer.contains("this shop was used by a newer version of the program"), "{newer}");

    let away = "postgres://shop@127.0.0.1:1/shop";
    let away = text(&command(Path::new("/nowhere")).args(["status", "--database-url", away]).output().unwrap());
    assert!(away.contains("cannot reach PostgreSQL at 127.0.0.1:1: "), "{away}");
}

#[test]
fn errors_are_one_clear_line_and_a_code() {
    let folder = data_dir();
    // As with a folder that the caller may not enter, it is not known whether there is a shop.
    let no_folder = folder.path().join("file");
    std::fs::write(&no_folder, "").unwrap();
    let no_folder = no_folder.to_str().unwrap();
    for (args, expected) in [
        (vec!["play", "/nowhere/sales.csv"], "cannot read /nowhere/sales.csv"),
        (vec!["restore", "/nowhere/shop.dump"], "cannot read /nowhere/shop.dump"),
        (vec!["status", "--data-dir", no_folder], "cannot open the data folder `"),
        (vec!["sql", "--url", "--data-dir", no_folder], "/file`: Not a directory"),
        (vec!["verify", "nothing"], "no projection `nothing`"),
        (vec!["status", "--database-url", "nonsense"], "DATABASE_URL is not the address of a PostgreSQL"),
    ] {
        let output = run(folder.path(), &args);
        let message = text(&output);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {message}");
        assert!(message.contains(expected) && message.trim_end().lines().count() == 1, "{args:?}: {message}");
    }
    let mut help = String::new();
    let mut child = command(folder.path()).arg("--help").stdout(Stdio::piped()).spawn().unwrap();
    child.stdout.take().unwrap().read_to_string(&mut help).unwrap();
    assert!(child.wait().unwrap().success());
    for word in ["serve", "play", "replay", "verify", "status", "SHOP_LISTEN", "DATABASE_URL"] {
        assert!(help.contains(word), "{word} is not in --help");
    }
}
