//! Deployments that are killed between two slices: shown as unfinished, and finished by the same command.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::failpoints::run_until_killed;
use crate::support::program::{PROGRAM, Server, ask, command, data_dir, embedded_database, run, text, verify};

/// A file of more products than one unit of work has.
fn write_file(path: &Path, products: i64) {
    let element = |pk: i64| {
        let fields = json!({ "title": format!("P {pk}"), "price": "1.00", "category_id": 1, "stock": 5 });
        json!({ "model": "product.product", "pk": pk, "fields": fields })
    };
    let category = json!({ "model": "product.category", "pk": 1, "fields": { "name": "All" } });
    let products: Vec<_> = (1..=products).map(element).collect();
    let file = json!({ "categories": [category], "products": products, "phones": [], "images": [] });
    std::fs::write(path, file.to_string()).unwrap();
}

#[test]
fn a_killed_deployment_is_shown_as_unfinished_and_the_same_command_finishes_it() {
    let folder = data_dir();
    let data = folder.path().join("shop");
    let file = folder.path().join("file.json");
    write_file(&file, 1_020);
    let file = file.to_str().unwrap();
    let mut serve = command(&data);
    let _server = Server::spawn(serve.args(["--no-seeds", "--listen", "127.0.0.1:0"]));
    let connect = embedded_database(&data);
    let count = |kind: &str| {
        let query = "select count(*) from events where event_type = $1";
        ask(&connect, async |pool| sqlx::query_scalar::<_, i64>(query).bind(kind).fetch_one(pool).await.unwrap())
    };

    let points = "slice-applied=2*off->return(kill)";
    run_until_killed(command(&data).args(["products", "deploy", file]), points);
    let applied = count("ProductCreated");
    assert!((1..1_020).contains(&applied), "{applied}");
    let status = text(&run(&data, &["status"]));
    assert!(status.contains(&format!("unfinished deploy of {file}: applied {} of 1021 rows", applied + 1)), "{status}");

    let finished = run(&data, &["products", "deploy", file]);
    assert!(finished.status.success(), "{}", text(&finished));
    let printed = text(&finished);
    assert!(printed.contains(&format!("continued after {} rows", applied + 1)), "{printed}");
    assert!(printed.contains("products: 1020 created, 0 changed, 0 unchanged"), "{printed}");
    assert!(printed.trim_end().ends_with("orders, carts and customers"), "{printed}");
    for kind in ["ProductCreated", "StockReceived", "CategoryProductAdded"] {
        assert_eq!(count(kind), 1_020, "{kind}: no event is repeated");
    }
    assert!(!text(&run(&data, &["status"])).contains("unfinished"));
    let again = run(&data, &["products", "deploy", file]);
    assert!(text(&again).contains("the shop has products; deploy with --backup"), "{}", text(&again));
    assert_eq!(again.status.code(), Some(1));
    verify(&data);

    let dumps = folder.path().join("dumps");
    let dump = ["products", "dump", "--dumps-dir", dumps.to_str().unwrap()];
    run_until_killed(command(&data).args(dump), "dump-written=return(kill)");
    assert_eq!(dump_files(&dumps), [""; 0], "a killed dump has no name");
    // A limit of the file size is what a full disk is.
    let limited = "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\"";
    let mut limited_dump = Command::new("bash");
    limited_dump.envs(command(&data).get_envs().filter_map(|(name, value)| Some((name, value?))));
    let full = limited_dump.env_remove("DATABASE_URL").args(["-c", limited, PROGRAM]).args(dump).output().unwrap();
    assert!(text(&full).contains(&format!("cannot write to {}", dumps.display())), "{}", text(&full));
    assert_eq!((full.status.code(), dump_files(&dumps).len()), (Some(1), 0), "nothing is left half");
    let unusable = run(&data, &["products", "dump", "--dumps-dir", "/proc/dumps"]);
    assert!(text(&unusable).contains("cannot create /proc/dumps"), "{}", text(&unusable));
    assert!(run(&data, &dump).status.success());
    assert_eq!(dump_files(&dumps).len(), 1);
    let missing = run(&data, &["products", "deploy", "--dumps-dir", "/proc/dumps"]);
    assert!(text(&missing).contains("there is no products_dump_"), "{}", text(&missing));
}

/// The names of the files of a folder that are not temporary.
fn dump_files(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with('.')).collect()
}
