//! Files of images: deleted when nothing refers to them, and cleaned up.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cartwright::domain::picture::PictureName;
use cartwright::files::{
    Adoption, CleanupOptions, CleanupReport, FileDeletion, MediaFiles, MediaLocation, MediaStore, clean_up,
    storage_path,
};
use futures_util::future::join;
use image::ImageFormat;
use serde_json::{Value, json};

use crate::support::TestShop;
use crate::support::pictures::{picture, upload};
use crate::support::program::{command, text, url};
use crate::support::reactors::{eventually, start_all, wait_until_drained};

fn name(image: &Value) -> PictureName {
    image["url"].as_str().unwrap().rsplit('/').next().unwrap().parse().unwrap()
}

fn file(shop: &TestShop, image: &Value) -> PathBuf {
    shop.media_dir.join(storage_path(&name(image)))
}

async fn remove(shop: &TestShop, product: i64, image: &Value) {
    let path = format!("product/{product}/images/{}/", image["image_id"]);
    assert_eq!(shop.send("DELETE", &path, Value::Null, &[]).await.status, 204);
}

/// Waits until the file of an image is deleted: an attempt in progress is not due.
async fn gone(shop: &TestShop, image: &Value) {
    eventually("the deletion of a file", async || (!file(shop, image).exists()).then_some(())).await;
}

fn deletion(shop: &TestShop) -> Arc<FileDeletion> {
    Arc::new(FileDeletion::new(shop.media.clone()))
}

#[tokio::test]
async fn a_file_goes_with_the_last_image_that_refers_to_it() {
    let shop = TestShop::new().await;
    let reactors = start_all(&shop, vec![deletion(&shop)]).await;
    let (kettle, cup) = (shop.product("Kettle", "20.00", 5).await, shop.product("Cup", "5.00", 5).await);
    let (of_kettle, of_cup) = (format!("product/{kettle}/images/"), format!("product/{cup}/images/"));
    let shared = picture(400, 300, [1, 2, 3], ImageFormat::Jpeg);
    let one = upload(&shop, "POST", &of_kettle, &shared).await.body;
    let other = upload(&shop, "POST", &of_cup, &shared).await.body;
    assert_eq!(one["url"], other["url"], "equal pictures are one file");
    remove(&shop, kettle, &one).await;
    wait_until_drained(&shop).await;
    assert!(file(&shop, &other).exists(), "the cup shows it");
    let replacement = picture(400, 300, [4, 5, 6], ImageFormat::Jpeg);
    let path = format!("{of_cup}{}/", other["image_id"]);
    let replaced = upload(&shop, "PUT", &path, &replacement).await.body;
    gone(&shop, &other).await;
    assert!(file(&shop, &replaced).exists());
    assert_eq!(shop.send("DELETE", &format!("product/{cup}/"), Value::Null, &[]).await.status, 204);
    // Deleted with its product.
    gone(&shop, &replaced).await;
    let left: Vec<_> = files_below(&shop.media_dir.join("thumbnails"));
    assert!(left.is_empty(), "thumbnails go too: {left:?}");

    // While a picture is removed from one product, it is added to another, again and again.
    for _ in 0..10 {
        let one = upload(&shop, "POST", &of_kettle, &shared).await.body;
        let tray = shop.product("Tray", "5.00", 5).await;
        let of_tray = format!("product/{tray}/images/");
        let (added, ()) = join(upload(&shop, "POST", &of_tray, &shared), remove(&shop, kettle, &one)).await;
        assert_eq!(added.status, 201, "{}", added.body);
        wait_until_drained(&shop).await;
        assert!(file(&shop, &added.body).exists());
        remove(&shop, tray, &added.body).await;
    }
    gone(&shop, &one).await;

    // A deletion that fails does not fail the command; it is retried, and parked for an operator.
    let kept = upload(&shop, "POST", &of_kettle, &shared).await.body;
    let blocked = files_below(&shop.media_dir.join("thumbnails")).into_iter().next().unwrap();
    std::fs::remove_file(&blocked).unwrap();
    std::fs::create_dir_all(blocked.join("in the way")).unwrap();
    remove(&shop, kettle, &kept).await;
    let parked = eventually("a parked reaction", async || {
        shop.read("reactions/?state=parked").await.as_array().unwrap().first().cloned()
    })
    .await;
    assert_eq!(parked["reactor"], "file_deletion");
    assert!(file(&shop, &kept).exists());
    std::fs::remove_dir_all(&blocked).unwrap();
    shop.post(&format!("reactions/{}/retry/", parked["reaction_id"]), Value::Null).await;
    gone(&shop, &kept).await;
    reactors.stop().await;
}

#[tokio::test]
async fn a_clean_up_deletes_what_is_old_and_unreferenced_and_nothing_else() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 5).await;
    let path = format!("product/{product}/images/");
    let used = upload(&shop, "POST", &path, &picture(400, 300, [1, 2, 3], ImageFormat::Jpeg)).await.body;
    let mut removed = Vec::new();
    for colour in [[9, 9, 9], [8, 8, 8], [7, 7, 7]] {
        let image = upload(&shop, "POST", &path, &picture(200, 100, colour, ImageFormat::Jpeg)).await.body;
        remove(&shop, product, &image).await;
        removed.push(image);
    }
    let [old, young, stuck] = removed.try_into().unwrap();
    let outside = shop.media_dir.parent().unwrap().join("outside");
    let temporary = shop.media_dir.parent().unwrap().join("tmp");
    for folder in [&outside, &temporary] {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("dump.part"), "half").unwrap();
    }
    std::os::unix::fs::symlink(&outside, shop.media_dir.join("images/link")).unwrap();
    std::os::unix::fs::symlink(&outside, temporary.join("link")).unwrap();
    let half_written = file(&shop, &used).with_extension("jpg#1");
    std::fs::write(&half_written, "half").unwrap();
    let thumbnail = shop.media_dir.join(format!("thumbnails/{}", &name(&stuck).hash.as_str()[..2]));
    let thumbnail = files_below(&thumbnail)
        .into_iter()
        .find(|file| file.to_str().unwrap().contains(name(&stuck).hash.as_str()))
        .unwrap();
    for path in files_below(&shop.media_dir).into_iter().chain([temporary.join("dump.part"), outside.join("dump.part")])
    {
        age(&path);
    }
    std::fs::remove_file(&thumbnail).unwrap();
    std::fs::create_dir_all(thumbnail.join("in the way")).unwrap();
    // The row of a young file is young too.
    let all_but_young = "update media_file set touched_at = now() - interval '30 days' where name <> $1";
    sqlx::query(all_but_young).bind(name(&young).to_string()).execute(&shop.pool).await.unwrap();

    let planned = clean(&shop, &temporary, true).await;
    assert!(file(&shop, &old).exists() && half_written.exists(), "a dry run deletes nothing");
    assert!(planned.deleted > 0 && planned.bytes > 0 && planned.failed == 0);
    let report = clean(&shop, &temporary, false).await;
    assert!(!file(&shop, &old).exists() && !half_written.exists() && !temporary.join("dump.part").exists());
    assert!(file(&shop, &used).exists() && file(&shop, &young).exists());
    assert!(outside.join("dump.part").exists(), "links are not followed");
    assert!(report.failed > 0 && file(&shop, &stuck).exists(), "{report:?}");
    assert!(report.failures.iter().all(|failure| failure.path.contains(name(&stuck).hash.as_str())), "{report:?}");
    assert!(report.kept > 0 && report.bytes > 0);
    let again = clean(&shop, &temporary, false).await;
    assert_eq!((again.deleted, again.bytes), (0, 0));
    let rows: i64 = sqlx::query_scalar("select count(*) from media_file").fetch_one(&shop.pool).await.unwrap();
    assert_eq!(rows, 3, "used, young and stuck");

    // A file of the store is referred to by its path only while it is there and is a picture.
    let Adoption::Adopted(adopted, hold) = shop.media.adopt(&storage_path(&name(&young))).await.unwrap() else {
        panic!("the file is there")
    };
    assert_eq!((adopted.name(), adopted.width), (name(&young), 200));
    shop.media.release(hold).await.unwrap();
    assert!(matches!(shop.media.adopt(&storage_path(&name(&old))).await.unwrap(), Adoption::Missing));
    std::fs::write(shop.media_dir.join("note.jpg"), "tea").unwrap();
    assert!(matches!(shop.media.adopt("note.jpg").await.unwrap(), Adoption::Unfit(_)));
    std::fs::copy(file(&shop, &used), shop.media_dir.join("kettle.jpg")).unwrap();
    assert!(matches!(shop.media.adopt("kettle.jpg").await.unwrap(), Adoption::Adopted(..)));
    assert_eq!(shop.read(&path).await, json!([used]));

    // A store without folders is listed.
    let memory = MediaFiles::new(MediaStore::in_memory(), shop.pool.clone());
    let prepared = memory.prepare(picture(200, 100, [6, 6, 6], ImageFormat::Png)).await.unwrap().unwrap();
    memory.release(memory.keep(&prepared).await.unwrap()).await.unwrap();
    let options = CleanupOptions { max_age: Duration::ZERO, dry_run: false, temporary_folder: None };
    let report = clean_up(&memory, &options).await.unwrap();
    assert_eq!(
        (report.deleted, report.failed, report.kept),
        (2, 0, 1),
        "a picture and its thumbnail, not the mark of the shop"
    );
    assert!(memory.find(&prepared.picture.name(), None).await.unwrap().is_none());
}

#[tokio::test]
async fn a_store_serves_one_shop_alone() {
    let (shop, other) = (TestShop::new().await, TestShop::new().await);
    sqlx::query("update log_identity set log_id = gen_random_uuid()").execute(&other.pool).await.unwrap();
    let open = |folder: &Path| MediaStore::open(&MediaLocation::Folder(folder.to_owned())).unwrap();
    let product = shop.product("Kettle", "20.00", 5).await;
    let path = format!("product/{product}/images/");
    let image = upload(&shop, "POST", &path, &picture(400, 300, [1, 2, 3], ImageFormat::Jpeg)).await.body;
    shop.media.claim_store().await.unwrap();

    let foreign = MediaFiles::new(open(&shop.media_dir), other.pool.clone());
    let before = files_below(&shop.media_dir);
    let now = CleanupOptions { max_age: Duration::ZERO, dry_run: false, temporary_folder: None };
    let prepared = foreign.prepare(picture(200, 100, [6, 6, 6], ImageFormat::Png)).await.unwrap().unwrap();
    let refused = [
        foreign.claim_store().await.unwrap_err(),
        foreign.check_store().await.unwrap_err(),
        foreign.keep(&prepared).await.unwrap_err(),
        foreign.adopt(&storage_path(&name(&image))).await.map(drop).unwrap_err(),
        foreign.delete_unreferenced(&name(&image), Duration::ZERO).await.unwrap_err(),
        clean_up(&foreign, &now).await.unwrap_err(),
        clean_up(&foreign, &CleanupOptions { dry_run: true, ..now.clone() }).await.unwrap_err(),
    ];
    for error in refused {
        assert!(error.to_string().contains("belongs to the shop with the log "), "{error}");
    }
    assert_eq!(foreign.store.problem().await.as_deref(), Some("it belongs to another shop"));
    assert_eq!(files_below(&shop.media_dir), before);
    let folder = tempfile::tempdir().unwrap();
    let mut serve = command(folder.path());
    serve.env("DATABASE_URL", url(&other.pool.connect_options())).args(["--listen", "127.0.0.1:0", "--media"]);
    let ended = serve.arg(&shop.media_dir).output().unwrap();
    assert!(!ended.status.success() && text(&ended).contains("give each shop a store of its own"), "{}", text(&ended));

    // Of two that start at once with a new store, one gets it; without its mark, the store is the next one's.
    let shared = folder.path().join("shared");
    let both = [&shop, &other].map(|shop| MediaFiles::new(open(&shared), shop.pool.clone()));
    let claims = join(both[0].claim_store(), both[1].claim_store()).await;
    assert_eq!([claims.0.is_ok(), claims.1.is_ok()].iter().filter(|claimed| **claimed).count(), 1);
    std::fs::remove_file(shared.join(".cartwright-log-id")).unwrap();
    both[1].claim_store().await.unwrap();
    assert!(both[0].claim_store().await.is_err() && shared.join(".cartwright-media").exists());
}

async fn clean(shop: &TestShop, temporary: &Path, dry_run: bool) -> CleanupReport {
    let max_age = Duration::from_secs(7 * 86_400);
    let options = CleanupOptions { max_age, dry_run, temporary_folder: Some(temporary.to_owned()) };
    clean_up(&shop.media, &options).await.unwrap()
}

/// Makes a file 30 days old.
fn age(path: &Path) {
    let old = SystemTime::now() - Duration::from_secs(30 * 86_400);
    std::fs::File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return vec![] };
    let entries = entries.map(|entry| entry.unwrap().path()).filter(|path| !path.is_symlink());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}
