//! Servers that are killed between the steps of an upload and of a deletion: no image loses its file.

use std::path::Path;
use std::process::{Command, Output};

use image::ImageFormat;
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::failpoints::{assert_killed, server_on};
use crate::support::pages::blocks;
use crate::support::pictures::picture;
use crate::support::program::{PROGRAM, Server, ask, command, data_dir, embedded_database, run, text, wait_for};
use crate::support::tokens;

fn upload(server: &Server, file: &Path) -> Output {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--fail-with-body", "--oauth2-bearer", &tokens::ADMIN, "--form"]);
    curl.arg(format!("image=@{}", file.display())).arg(format!("{}/shop/api/product/1/images/", server.address));
    curl.output().unwrap()
}

fn is_shown(server: &Server, path: &str) -> bool {
    let address = format!("{}{path}", server.address);
    let curl = Command::new("curl").args(["--silent", "--fail", "--output", "/dev/null", &address]).status();
    curl.unwrap().success()
}

fn pictures(folder: &Path) -> usize {
    let Ok(folders) = std::fs::read_dir(folder.join("media/images")) else { return 0 };
    folders.map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
}

/// The commands of *Clean-up* in `docs/operating.md`, and what they print.
fn run_page(folder: &Path) -> Vec<String> {
    let block =
        blocks("docs/operating.md", "sh").into_iter().find(|block| block.contains("cleanup --dry-run")).unwrap();
    let commands = block.replace("cartwright ", &format!("{PROGRAM} "));
    let mut bash = Command::new("bash");
    bash.envs(command(folder).get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = bash.env_remove("DATABASE_URL").args(["-eu", "-c", &commands]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The addresses begin with another base, and back; a missing file is named.
fn update_addresses(folder: &Path, server: &Server) {
    let update = |args: &[&str]| {
        let update = run(folder, &[&["products", "update-image-urls"], args].concat());
        (update.status.code(), String::from_utf8(update.stdout.clone()).unwrap(), text(&update))
    };
    let main = || {
        let product: Value = serde_json::from_str(&server.get("/shop/api/product/1/")).unwrap();
        product["image_urls"]["main"].as_str().unwrap().to_owned()
    };
    let own = main();
    let check = |args: &[&str], changed: i32, missing: i32| {
        let (code, printed, all) = update(args);
        let unchanged = 1 - changed;
        assert_eq!(
            printed,
            format!("products changed {changed}, unchanged {unchanged}; missing files {missing}\n"),
            "{all}"
        );
        assert_eq!(code, Some(missing));
        all
    };
    check(&[], 0, 0);
    let base = ["--base-url", "https://cdn.example.com/pictures/"];
    check(&base, 1, 0);
    // The server learns of it from the log.
    let elsewhere = own.replace("/media", "https://cdn.example.com/pictures");
    wait_for("the other addresses", || (main() == elsewhere).then_some(()));
    check(&base, 0, 0);
    let folders = std::fs::read_dir(folder.join("media/images")).unwrap();
    let mut files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    let file = files.next().unwrap().unwrap().path();
    let content = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let all = check(&["--base-url", "/media"], 1, 1);
    assert!(all.contains("product 1, image 2: images/"), "{all}");
    wait_for("the shop's own addresses", || (main() == own).then_some(()));
    std::fs::write(&file, content).unwrap();
    let (code, _, all) = update(&["--base-url", "cdn.example.com"]);
    assert!(code == Some(2) && all.contains("must begin with http://"), "{all}");
}

#[test]
fn a_kill_between_two_steps_leaves_no_image_without_file_and_what_is_left_is_cleaned_up() {
    let folder = data_dir();
    let uploads = data_dir();
    let (red, blue) = (uploads.path().join("red.jpg"), uploads.path().join("blue.jpg"));
    std::fs::write(&red, picture(300, 200, [200, 0, 0], ImageFormat::Jpeg)).unwrap();
    std::fs::write(&blue, picture(300, 200, [0, 0, 200], ImageFormat::Jpeg)).unwrap();

    let stored = "media-stored=return(kill)";
    let mut server = Server::spawn(&mut server_on(folder.path(), 0, stored));
    let mut client = Client::new(&[server.port()], 0);
    client.send("POST", "categories/", "", &json!({ "category_name": "Kitchen" })).unwrap();
    let kettle = json!({ "name": "Kettle", "price": "20.00", "category": "Kitchen" });
    assert_eq!(client.send("POST", "products/", "", &kettle).unwrap().status, 201);
    assert!(!upload(&server, &red).status.success());
    assert_killed(server.ended(), stored);
    assert_eq!(pictures(folder.path()), 1, "a file without an image");

    let deleted = "media-deleted=return(kill)";
    let mut server = Server::spawn(&mut server_on(folder.path(), 0, deleted));
    let mut client = Client::new(&[server.port()], 0);
    assert_eq!(client.get("product/1/images/").body, json!([]));
    let added = upload(&server, &blue);
    assert!(added.status.success(), "{}", text(&added));
    assert_eq!(client.send("DELETE", "product/1/images/1/", "", &Value::Null).unwrap().status, 204);
    assert_killed(server.ended(), deleted);
    assert_eq!(pictures(folder.path()), 1, "a row without a file");

    let server = Server::spawn(&mut server_on(folder.path(), 0, ""));
    let added: Value = serde_json::from_slice(&upload(&server, &blue).stdout).unwrap();
    assert_eq!(pictures(folder.path()), 2, "the file is written again, although its row says that it is stored");
    // The hold of the killed upload would last for ten minutes.
    ask(&embedded_database(folder.path()), async |pool| {
        sqlx::query("update media_hold set held_until = now()").execute(pool).await.unwrap();
    });
    let lines = run_page(folder.path());
    assert!(lines[0].starts_with("to delete 0, kept ") && lines.len() == 3, "{lines:?}");
    let cleaned = run(folder.path(), &["cleanup", "--max-age", "0s"]);
    assert!(cleaned.status.success(), "{}", text(&cleaned));
    assert!(text(&cleaned).contains("deleted 2, kept"), "the picture and its thumbnail: {}", text(&cleaned));
    assert_eq!(pictures(folder.path()), 1);
    let url = added["url"].as_str().unwrap();
    assert!(is_shown(&server, url) && is_shown(&server, &format!("{url}?width=160")));
    update_addresses(folder.path(), &server);
}
