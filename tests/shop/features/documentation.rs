//! The documentation tells the truth: its commands work, its settings are those of the program, its links lead somewhere.

use std::path::Path;
use std::process::{Command, Stdio};

use cartwright::cli::Cli;
use clap::CommandFactory;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::pages::{all, blocks, page, root};
use crate::support::program::{PROGRAM, Server, command, data_dir, text, verify, wait_for};

/// Runs the shell blocks of a page in one shell, and returns the answers of their `curl`s.
fn run_page(path: &str, server: &Server, data_dir: &Path) -> Vec<Value> {
    let blocks = blocks(path, "sh");
    let commands: String = blocks.iter().skip_while(|block| !block.starts_with("shop=")).map(String::as_str).collect();
    let count = commands.matches("\ncurl ").count() + commands.matches("\necho ").count();
    let commands = commands
        .replace("http://127.0.0.1:8000", &server.address)
        .replace("cargo run --release -- ", &format!("{PROGRAM} "))
        .replace("\ncurl ", "\ncurl -sS --fail-with-body -w '\\n' ");
    let mut bash = Command::new("bash");
    bash.envs(command(data_dir).get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = bash.env_remove("DATABASE_URL").args(["-euo", "pipefail", "-c", &commands]).output().unwrap();
    assert!(output.status.success(), "{path}: {}", text(&output));
    let answers: Vec<_> = std::str::from_utf8(&output.stdout).unwrap().lines().collect();
    assert_eq!(answers.len(), count, "{path}: {answers:?}");
    answers.iter().map(|answer| serde_json::from_str(answer).unwrap()).collect()
}

/// Runs the shell blocks of an operators' page in a folder. Returns what the page shows and what the commands printed,
/// each up to the last shown line, without times and positions.
fn run_operators_page(path: &str, server: &Server, data_dir: &Path, folder: &Path) -> (String, String) {
    let commands = blocks(path, "sh").concat().replace("http://127.0.0.1:8000", &server.address);
    let mut bash = Command::new("bash");
    bash.envs(command(data_dir).get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(folder);
    let commands = format!("cartwright() {{ {PROGRAM} \"$@\"; }}\n{commands}");
    let output = bash.env_remove("DATABASE_URL").args(["-euo", "pipefail", "-c", &commands]).output().unwrap();
    assert!(output.status.success(), "{path}: {}", text(&output));
    let without_times = |text: &str| {
        let words = text.split_inclusive(' ').map(|word| {
            let digits = word.chars().filter(char::is_ascii_digit).count();
            if digits > 8 && !word.contains('{') {
                word.replace(|letter: char| letter.is_ascii_digit(), "0")
            } else {
                word.to_owned()
            }
        });
        let text: String = words.collect();
        let lines = text
            .lines()
            .filter(|line| !line.starts_with("the format does not hold"))
            .map(|line| line.split_once(" position ").map_or(line, |(before, _)| before))
            .map(|line| line.split_once(",\"position\":").map_or(line, |(before, _)| before));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    let shown = without_times(&blocks(path, "text").concat());
    let printed = without_times(std::str::from_utf8(&output.stdout).unwrap());
    // `…` ends what a page shows of a line.
    let shown: Vec<_> = shown.lines().map(|line| line.trim_end_matches('…')).collect();
    let printed = printed.lines().zip(&shown).map(|(line, shown)| if line.starts_with(shown) { *shown } else { line });
    (shown.join("\n"), printed.collect::<Vec<_>>().join("\n"))
}

fn orders(server: &Server) -> usize {
    let orders: Vec<Value> = serde_json::from_str(&server.get("/shop/api/orders/?limit=1000")).unwrap();
    orders.len()
}

/// Starts an empty shop, and returns it with what it prints.
fn first_start(data_dir: &Path) -> (Server, String) {
    let output = data_dir.join("stdout");
    let mut serve = command(data_dir.join("shop").as_path());
    let stdout = Stdio::from(std::fs::File::create(&output).unwrap());
    let child = serve.args(["--listen", "127.0.0.1:0", "--test-payments"]).stdout(stdout).spawn().unwrap();
    let printed = wait_for("the greeting", || {
        let printed = std::fs::read_to_string(&output).unwrap();
        (printed.contains("auth/login/") && printed.ends_with('\n')).then_some(printed)
    });
    let address = printed.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
    (Server { child, address }, printed)
}

#[test]
fn the_readmes_requests_and_the_tour_work_twice_on_one_shop() {
    let folder = data_dir();
    let (server, printed) = first_start(folder.path());
    let data_dir = folder.path().join("shop");

    let without_password = |text: &str| {
        let lines = text.lines().map(|line| match line.strip_prefix("  password  ") {
            Some(_) => "  password  …",
            None => line,
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let printed = printed.replace(&server.address, "http://127.0.0.1:8000");
    let printed = printed.replace(data_dir.to_str().unwrap(), "/var/lib/cartwright");
    assert_eq!(without_password(&blocks("README.md", "text")[0]), without_password(&printed), "the first start");

    for path in ["docs/catalogue.md", "docs/bulk.md"] {
        let (shown, printed) = run_operators_page(path, &server, &data_dir, folder.path());
        assert_eq!(shown, printed, "{path}");
    }
    for _ in 0..2 {
        let before = orders(&server);
        let answers = run_page("README.md", &server, &data_dir);
        assert_eq!(answers.last().unwrap()["order_id"], before + 1);
        // The reader does not wait for the guest's write.
        wait_for("the order", || (orders(&server) == before + 1).then_some(()));
    }
    for round in 0..2 {
        let before = orders(&server);
        let answers = run_page("docs/tour.md", &server, &data_dir);
        assert_eq!(orders(&server), before + 1, "the second checkout orders nothing");
        let order = answers.iter().filter(|answer| answer["order_id"] == before + 1 && answer["status"].is_string());
        let states: Vec<_> = order.map(|answer| answer["status"].as_str().unwrap()).collect();
        let page = ["pending", "pending", "pending", "processing", "processing", "shipped", "completed"];
        assert_eq!(states[..page.len()], page, "round {round}");
        let best = &answers.last().unwrap()[0];
        assert_eq!((&best["product_id"], &best["total_sold"]), (&16.into(), &(4 + 11 * (round + 1)).into()));
    }
    for _ in 0..2 {
        let answers = run_page("docs/api.md", &server, &data_dir);
        let stale = answers.iter().position(|answer| answer["code"] == "stale").unwrap();
        let [first, second] = &answers[stale - 3..stale - 1] else { panic!("{answers:?}") };
        assert!(first["product_id"].is_i64() && first == second, "the repeated command creates nothing: {answers:?}");
        let invalid = answers.iter().find(|answer| answer["code"] == "invalid_request").unwrap();
        let quoted = blocks("docs/api.md", "json").into_iter().find(|block| block.contains("invalid_request")).unwrap();
        assert_eq!(*invalid, serde_json::from_str::<Value>(&quoted).unwrap());
        let [types, events] = &answers[answers.len() - 2..] else { panic!("{answers:?}") };
        assert_eq!(types[0]["event_type"], events[0]["event_type"]);
    }
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Some(0));
    verify(&data_dir);
}

#[test]
fn the_page_of_settings_lists_every_flag_with_its_variable_and_default() {
    let page = page("docs/settings.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `--"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let command = Cli::command();
    let flags: Vec<_> = command.get_arguments().filter(|argument| argument.get_env().is_some()).collect();
    for flag in &flags {
        let name = format!("`--{}`", flag.get_long().unwrap());
        let row = rows.iter().find(|row| row[1].trim_end_matches(r" \*") == name);
        let row = row.unwrap_or_else(|| panic!("docs/settings.md does not list {name}"));
        assert_eq!(row[2], format!("`{}`", flag.get_env().unwrap().to_str().unwrap()), "{name}");
        assert_eq!(row[1].ends_with(r"\*"), flag.is_global_set(), "{name} is marked if every subcommand takes it");
        if let Some(default) = flag.get_default_values().first().filter(|default| !default.is_empty()) {
            let off = default == "false";
            let shown = if off { "off".to_owned() } else { format!("`{}`", default.to_str().unwrap()) };
            assert_eq!(row[3], shown, "{name}");
        }
        let help = flag.get_help().unwrap().to_string();
        let help = help.split(" [default: ").next().unwrap();
        assert!(row[4].starts_with(help), "{name}: `{}` is not what --help says: `{help}`", row[4]);
    }
    assert_eq!(rows.len(), flags.len());
}

#[test]
fn compose_sets_variables_that_settings_read() {
    let command = Cli::command();
    let settings: Vec<_> = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str()).collect();
    let compose = page("compose.yml");
    let set = compose.lines().filter_map(|line| line.trim().split_once(": ")).map(|(name, _)| name);
    let set: Vec<_> = set.filter(|name| name.starts_with("SHOP_") || *name == "DATABASE_URL").collect();
    assert!(set.len() > 4, "{set:?}");
    assert!(set.iter().all(|name| settings.contains(name)), "{set:?}");
}

/// What a page points at: the targets of its links, and the paths that it names.
fn targets(page: &str) -> Vec<&str> {
    let links = page.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
    let links = links.map(|link| link.split('#').next().unwrap());
    links.filter(|link| !link.is_empty() && !link.contains("://")).collect()
}

fn named_paths(page: &str) -> Vec<&str> {
    const FOLDERS: [&str; 12] = [
        ".ci/",
        "benches/",
        "database/",
        "docs/",
        "migrations/",
        "projections/",
        "seeds/",
        "src/",
        "templates/",
        "tests/",
        "tools/",
        ".sqlx/",
    ];
    let code = page.split('`').skip(1).step_by(2);
    let paths = code.filter(|code| FOLDERS.iter().any(|folder| code.starts_with(folder)));
    paths.filter(|path| !path.contains(['<', '*', '{', ' ', '…'])).collect()
}

#[test]
fn every_link_and_every_path_in_the_documentation_leads_somewhere() {
    let mut missing = Vec::new();
    for path in all() {
        let text = page(path.to_str().unwrap());
        let folder = root().join(path.parent().unwrap());
        let links = targets(&text).into_iter().map(|link| (link, folder.join(link)));
        let paths = named_paths(&text).into_iter().map(|named| (named, root().join(named)));
        let broken = links.chain(paths).filter(|(_, target)| !target.exists());
        missing.extend(broken.map(|(named, _)| format!("{}: {named}", path.display())));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Names of files without a folder, such as `moves.rs`.
fn named_files(page: &str) -> Vec<&str> {
    let code = page.split('`').skip(1).step_by(2);
    let ends = [".rs", ".sql"];
    code.filter(|code| ends.iter().any(|end| code.ends_with(end)) && !code.contains(['/', '<', '*', ' '])).collect()
}

#[test]
fn every_file_and_every_room_that_the_documentation_names_exists() {
    let files: Vec<String> = ["src", "projections", "tests", "database", "migrations", "benches"]
        .into_iter()
        .flat_map(|folder| file_names(&root().join(folder)))
        .collect();
    let mut missing = Vec::new();
    for path in all() {
        let text = page(path.to_str().unwrap());
        let absent = named_files(&text).into_iter().filter(|named| files.iter().all(|file| file != named));
        missing.extend(absent.map(|file| format!("{}: {file}", path.display())));
    }
    let architecture = page("docs/architecture.md");
    let rooms = std::fs::read_dir(root().join("src")).unwrap().map(|entry| entry.unwrap().file_name());
    let rooms = rooms.map(|room| room.into_string().unwrap()).filter(|room| room != "lib.rs");
    let absent = rooms.filter(|room| !architecture.contains(&format!("`src/{room}")));
    missing.extend(absent.map(|room| format!("docs/architecture.md does not name src/{room}")));
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The names of the files in a folder and its folders.
fn file_names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let names = entries.flat_map(|path| match path.is_dir() {
        true => file_names(&path),
        false => vec![path.file_name().unwrap().to_str().unwrap().to_owned()],
    });
    names.collect()
}

/// The text of every file in a folder of the repository, with string literals on one line.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &sources(&path);
        } else if let Ok(file) = std::fs::read_to_string(&path) {
            let mut continued = false;
            for line in file.lines() {
                let line = if continued { line.trim_start() } else { line };
                continued = line.ends_with('\\');
                text += line.trim_end_matches('\\');
                text += if continued { "" } else { "\n" };
            }
        }
    }
    text
}

#[test]
fn every_reactor_of_a_documented_command_exists() {
    let known: Vec<&str> = cartwright::mail::REACTORS.into_iter().chain(["payments", "webhooks"]).collect();
    let mut named = 0;
    for path in all() {
        let text = std::fs::read_to_string(root().join(&path)).unwrap();
        for rest in text.split("--reactor ").skip(1) {
            let name: String =
                rest.chars().take_while(|letter| letter.is_ascii_lowercase() || *letter == '_').collect();
            assert!(name.is_empty() || known.contains(&&*name), "{}: there is no reactor {name}", path.display());
            named += usize::from(!name.is_empty());
        }
    }
    assert!(named > 3, "{named}");
}

#[test]
fn the_operators_page_lists_every_rule_of_the_log() {
    let page = page("docs/operating.md");
    let mut rules = 0;
    for file in std::fs::read_dir(root().join("src/journal/check")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            let rule = path.file_stem().unwrap().to_str().unwrap().to_owned();
            assert!(page.contains(&format!("\n| `{rule}` | ")), "{rule}");
            rules += 1;
        }
    }
    assert!(rules > 10, "{rules}");
}

#[test]
fn every_message_that_troubleshooting_explains_is_one_of_the_program() {
    /// Words of the operating system.
    const SYSTEM: [&str; 1] = ["Address already in use"];
    let sources: String = ["src", "database", "migrations"].map(|folder| sources(&root().join(folder))).concat();
    let page = page("docs/troubleshooting.md");
    let quoted =
        page.lines().filter(|line| line.starts_with("### ")).flat_map(|line| line.split('`').skip(1).step_by(2));
    let quoted: Vec<_> = quoted.filter(|message| !SYSTEM.contains(message)).collect();
    assert!(quoted.len() > 10, "{quoted:?}");
    let unknown: Vec<_> = quoted.iter().filter(|message| !sources.contains(**message)).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}
