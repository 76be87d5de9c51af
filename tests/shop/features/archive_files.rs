//! `cartwright archive` as a program: runs that are killed, files of archived events, and the commands of the operators' page.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use sqlx::Executor;
use sqlx::postgres::PgConnectOptions;

use crate::support::archived::{cancel, counts, order, seen};
use crate::support::failpoints::assert_killed;
use crate::support::pages::page;
use crate::support::program::{PROGRAM, command, text, url};
use crate::support::{TestShop, fresh_database};

fn archive_command(database: &PgConnectOptions, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = command(folder);
    command.env("DATABASE_URL", url(database)).arg("archive").args(arguments);
    command
}

fn run_archive(database: &PgConnectOptions, folder: &Path, arguments: &[&str]) -> Output {
    archive_command(database, folder, arguments).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_archiver_continues_and_a_file_brings_the_events_back() {
    let database = fresh_database().await;
    let shop = TestShop::on(database.clone()).await;
    let kettle = shop.product("Kettle", "20.00", 100).await;
    let customers = shop.customers(2).await;
    cancel(&shop, order(&shop, customers[0], kettle).await).await;
    shop.settle().await;
    let before = seen(&shop).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("first.jsonl.zst");
    let file = file.to_str().unwrap();
    let to_file = ["--older-than", "0s", "--to", file];
    let everything = ["--older-than", "0s"];
    let (total, _) = counts(&shop.pool).await;
    let killed = |arguments: &[&str], point: &str| {
        let mut command = archive_command(&database, folder.path(), arguments);
        let ended = command.env("FAILPOINTS", format!("{point}=return(kill)")).output().unwrap();
        assert_killed(ended.status, point);
    };
    killed(&to_file, "archive-file-written");
    assert_eq!(counts(&shop.pool).await, (total, 0));
    // A folder in which not even root may write; a folder that does not exist; a file in place of a folder.
    let (absent, inside) =
        (folder.path().join("absent/x.jsonl.zst"), folder.path().join("first.jsonl.zst/x.jsonl.zst"));
    for target in ["/sys/x.jsonl.zst", absent.to_str().unwrap(), inside.to_str().unwrap()] {
        let refused = run_archive(&database, folder.path(), &["--older-than", "0s", "--to", target]);
        let said = text(&refused);
        assert!(refused.status.code() == Some(1) && said.contains(&format!("cannot write {target}")), "{said}");
        assert_eq!(counts(&shop.pool).await, (total, 0), "{target}");
    }
    let refused = run_archive(&database, folder.path(), &to_file);
    assert!(text(&refused).contains("first.jsonl.zst exists; archive files are not overwritten"), "{refused:?}");
    killed(&everything, "archive-slice-decided");
    assert_eq!(counts(&shop.pool).await, (total, 0));
    killed(&everything, "archive-slice-moved");
    let (_, moved) = counts(&shop.pool).await;
    assert!(moved > 0);
    assert_eq!(seen(&shop).await, before);
    let ended = run_archive(&database, folder.path(), &everything);
    assert!(
        text(&ended).starts_with("archived 0 orders and 0 carts, 0 events; kept 0 that are not closed\n"),
        "{ended:?}"
    );
    shop.check_log().await;

    let none = folder.path().join("none.jsonl.zst");
    let ended = run_archive(&database, folder.path(), &["--older-than", "3650d", "--to", none.to_str().unwrap()]);
    assert!(text(&ended).starts_with("archived 0 orders and 0 carts, 0 events"), "{ended:?}");
    let left = std::fs::read_dir(folder.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with("none."));
    assert_eq!(left.count(), 0, "the name stays free");

    // A second file for what came later, and a database that has lost its archive.
    cancel(&shop, order(&shop, customers[1], kettle).await).await;
    shop.settle().await;
    let later = folder.path().join("later.jsonl.zst");
    let later = later.to_str().unwrap();
    let ended = run_archive(&database, folder.path(), &["--older-than", "0s", "--to", later]);
    assert!(text(&ended).starts_with("archived 1 order and 1 cart, "), "{ended:?}");
    assert!(folder.path().join("later.jsonl.zst.manifest.json").exists());
    let before = seen(&shop).await;
    let present = run_archive(&database, folder.path(), &["restore", file]);
    assert!(text(&present).contains("restored 0, "), "{present:?}");
    let lose = "alter table events_archive disable trigger user; truncate events_archive;
        alter table events_archive enable trigger user";
    shop.pool.execute(lose).await.unwrap();
    assert!(cartwright::journal::check_log(&shop.pool).await.unwrap().iter().any(|rule| rule.offences > 0));
    for file in [file, later] {
        let restored = run_archive(&database, folder.path(), &["restore", file]);
        assert!(text(&restored).contains(", 0 were there already"), "{restored:?}");
    }
    assert_eq!(seen(&shop).await, before);
    shop.check_log().await;
    shop.verify().await;

    // The commands of the operators' page, on this shop.
    let page = page("docs/operating.md");
    let section = page.split("\n## ").find(|section| section.starts_with("Archive\n")).unwrap();
    let commands: String = section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(commands.matches("cartwright ").count(), 7);
    // The file is of an order that was just cancelled.
    cancel(&shop, order(&shop, customers[1], kettle).await).await;
    shop.settle().await;
    let commands = commands.replace("365d --to", "0s --to");
    let programs = Path::new(PROGRAM).parent().unwrap().to_owned();
    let path = std::env::split_paths(&std::env::var_os("PATH").unwrap()).collect::<Vec<_>>();
    let path = std::env::join_paths([programs].into_iter().chain(path)).unwrap();
    let mut bash = Command::new("bash");
    bash.envs(command(folder.path()).get_envs().filter_map(|(name, value)| Some((name, value?))));
    bash.env("PATH", path).env("DATABASE_URL", url(&database)).current_dir(folder.path());
    let ended = bash.args(["-euo", "pipefail", "-c", &commands]).output().unwrap();
    assert!(ended.status.success(), "{}", text(&ended));

    std::fs::copy(file, folder.path().join("damaged.jsonl.zst")).unwrap();
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(format!("{file}.manifest.json")).unwrap()).unwrap();
    manifest["bytes"] = json!(1);
    std::fs::write(folder.path().join("damaged.jsonl.zst.manifest.json"), manifest.to_string()).unwrap();
    let damaged = folder.path().join("damaged.jsonl.zst");
    let damaged = run_archive(&database, folder.path(), &["restore", damaged.to_str().unwrap()]);
    assert!(text(&damaged).contains("size or checksum differ"), "{damaged:?}");
    let change = "alter table events_archive disable trigger user;
        update events_archive set payload = payload || '{\"quantity\": 7}' where event_type = 'CartItemAdded';
        alter table events_archive enable trigger user";
    shop.pool.execute(change).await.unwrap();
    let differs = run_archive(&database, folder.path(), &["restore", file]);
    assert!(text(&differs).contains(" differs from the one in the log; nothing was restored"), "{differs:?}");
    shop.pool.execute("update log_identity set log_id = gen_random_uuid()").await.unwrap();
    let other = run_archive(&database, folder.path(), &["restore", file]);
    assert!(text(&other).contains("the file is of the log "), "{other:?}");
}
