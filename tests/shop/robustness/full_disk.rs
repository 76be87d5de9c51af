//! A disk that fills up under load: clear errors while it is full, and no acknowledged command lost.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::program::{PROGRAM, Server, command, data_dir, text, wait_for};

/// A shop on a disk of its own, which only its processes see.
struct SmallDisk {
    server: Server,
    folder: PathBuf,
}

impl SmallDisk {
    fn start(folder: &Path) -> Self {
        let shop = command(folder);
        let on_disk = |program: &str| {
            let mut unshare = Command::new("unshare");
            let mount = format!("mount -t tmpfs -o size=128m,mode=0700 tmpfs \"$SHOP_DATA_DIR\" && exec {program}");
            unshare.args(["--mount", "--", "sh", "-c", &mount]).env_remove("DATABASE_URL");
            unshare.envs(shop.get_envs().filter_map(|(name, value)| Some((name, value?))));
            unshare
        };
        let tried = on_disk("true").output().unwrap();
        assert!(tried.status.success(), "{}", text(&tried));
        let serve = format!("\"{}\" --listen 127.0.0.1:0", shop.get_program().to_str().unwrap());
        Self { server: Server::spawn(&mut on_disk(&serve)), folder: folder.to_owned() }
    }

    /// Runs a program that sees the disk.
    fn run(&self, program: &str, args: &[&str]) -> Output {
        let namespace = format!("--mount=/proc/{}/ns/mnt", self.server.child.id());
        let mut enter = Command::new("nsenter");
        enter.args([&namespace, program]).args(args).env("SHOP_DATA_DIR", &self.folder).env_remove("DATABASE_URL");
        enter.output().unwrap()
    }

    /// A path on the disk as we see it.
    fn path(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.server.child.id()));
        root.join(self.folder.strip_prefix("/").unwrap()).join(name)
    }

    /// Fills the disk; returns the bytes that were free.
    fn fill(&self) -> usize {
        let mut ballast = File::options().create(true).append(true).open(self.path("ballast")).unwrap();
        let mut room_bytes = 0;
        for piece in [vec![1; 1 << 16], vec![1]] {
            let full = loop {
                match ballast.write(&piece) {
                    Ok(written) => room_bytes += written,
                    Err(error) => break error,
                }
            };
            assert_eq!(full.kind(), ErrorKind::StorageFull);
        }
        room_bytes
    }

    /// Whether PostgreSQL executes the statement.
    fn psql(&self, statement: &str) -> bool {
        let folder = self.folder.display();
        let address = format!("postgresql:///cartwright?host={folder}/run&user=postgres&passfile={folder}/pgpass");
        self.run("psql", &[&address, "-c", statement]).status.success()
    }

    /// Makes PostgreSQL request new files of its write-ahead log until it gets none.
    ///
    /// Then it ends, and cannot be restarted before there is room.
    fn end_postgresql(&self) {
        let next_file = "select pg_logical_emit_message(true, 'test', 'next'), pg_switch_wal()";
        wait_for("a file that PostgreSQL does not get", || (!self.psql(next_file)).then_some(()));
        wait_for("the end of PostgreSQL", || (!self.psql("select")).then_some(()));
    }
}

/// What the customers have seen so far.
#[derive(Default)]
struct Seen {
    acknowledged: AtomicUsize,
    unavailable: AtomicUsize,
    stop: AtomicBool,
}

/// Stops the customers, also when the test fails.
struct StopAtEnd<'seen>(&'seen Seen);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

/// The body of a successful answer; any other must be a problem document that asks for a retry.
fn call(address: &str, path: &str, args: &[&str]) -> Option<Value> {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--oauth2-bearer",
            &crate::support::tokens::ADMIN,
            "--max-time",
            "20",
            "--write-out",
            "\n%{http_code} %{content_type}",
        ])
        .args(args)
        .arg(format!("{address}{path}"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{path}: no answer: {}", text(&output));
    let answer = String::from_utf8(output.stdout).unwrap();
    let (body, status) = answer.rsplit_once('\n').unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    if status == "200 application/json" {
        return Some(body);
    }
    assert_eq!(status, "503 application/problem+json", "{path}: {body}");
    let code = body["code"].as_str().unwrap();
    let known = ["database_unavailable", "outcome_unknown", "position_not_reached", "timeout", "busy"];
    assert!(known.contains(&code), "{path}: {body}");
    None
}

/// Adds one item after the other, each with one key until it is acknowledged; returns how many.
fn fill_cart(address: &str, customer: usize, seen: &Seen) -> usize {
    let (path, item) = (format!("/shop/api/customer/{customer}/cart/items/"), r#"{"product_id": 22, "quantity": 1}"#);
    let mut acknowledged = 0;
    while !seen.stop.load(Ordering::Relaxed) {
        let key = format!("Idempotency-Key: {customer}-{}", acknowledged + 1);
        let began = Instant::now();
        let cart = loop {
            match call(address, &path, &["--header", &key, "--json", item]) {
                Some(cart) => break cart,
                None => seen.unavailable.fetch_add(1, Ordering::Relaxed),
            };
            assert!(began.elapsed() < Duration::from_secs(90), "the shop does not recover");
        };
        acknowledged += 1;
        assert_eq!(cart["items"][0]["quantity"], acknowledged, "acknowledged once, and not lost");
        seen.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    acknowledged
}

/// Nothing is moved and no file is left while the disk is full; the same commands succeed when there is room.
fn archive_on_a_full_disk(disk: &SmallDisk) {
    let file = disk.folder.join("closed.jsonl.zst");
    let archive = |arguments: &[&str]| disk.run(PROGRAM, &[&["archive", "--older-than", "0s"], arguments].concat());
    let to_file = ["--to", file.to_str().unwrap()];
    let would = text(&archive(&["--dry-run"]));
    assert!(would.starts_with("would archive ") && !would.contains(" 0 orders "), "{would}");
    disk.fill();
    for arguments in [&to_file[..], &[]] {
        let refused = archive(arguments);
        let said = text(&refused);
        assert!(refused.status.code() == Some(1) && said.contains("No space left on device"), "{arguments:?}: {said}");
    }
    fs::remove_file(disk.path("ballast")).unwrap();
    let again =
        wait_for("a database with room", || Some(archive(&["--dry-run"])).filter(|ended| ended.status.success()));
    assert_eq!(text(&again), would, "nothing was archived");
    let left = fs::read_dir(disk.path("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.contains("jsonl")).collect::<Vec<_>>(), [""; 0]);
    let done = archive(&to_file);
    assert!(
        done.status.success() && text(&done).starts_with(&would.replace("would archive", "archived")),
        "{}",
        text(&done)
    );
}

#[test]
#[ignore = "needs the right to mount a disk, and psql"]
fn acknowledged_commands_survive_a_full_disk_under_load() {
    let folder = data_dir();
    let disk = SmallDisk::start(folder.path());
    assert!(disk.psql("select"), "psql is needed, to end PostgreSQL");
    let (address, seen) = (&disk.server.address, &Seen::default());
    let more = |what: &str, count: &AtomicUsize, by: usize| {
        let wanted = count.load(Ordering::Relaxed) + by;
        wait_for(what, || (count.load(Ordering::Relaxed) >= wanted).then_some(()));
    };
    let acknowledged: Vec<usize> = std::thread::scope(|scope| {
        let customers: Vec<_> =
            (3..7).map(|customer| scope.spawn(move || fill_cart(address, customer, seen))).collect();
        let stop = StopAtEnd(seen);
        for end_postgresql in [false, true] {
            more("load", &seen.acknowledged, 20);
            assert!(disk.fill() > 1 << 20, "the disk was full before");
            more("commands that are refused", &seen.unavailable, 3);
            if end_postgresql {
                disk.end_postgresql();
                more("commands that are refused", &seen.unavailable, 3);
            }
            for path in ["/shop/api/products/", "/shop/api/orders/", "/health/ready"] {
                call(address, path, &[]);
            }
            fs::remove_file(disk.path("ballast")).unwrap();
        }
        more("load after there is room again", &seen.acknowledged, 20);
        drop(stop);
        customers.into_iter().map(|customer| customer.join().unwrap()).collect()
    });
    for (customer, acknowledged) in (3..7).zip(acknowledged) {
        let cart = call(address, &format!("/shop/api/customer/{customer}/cart/"), &[]).unwrap();
        assert_eq!(cart["items"][0]["quantity"], acknowledged);
    }
    archive_on_a_full_disk(&disk);
    for args in [&["verify"][..], &["verify", "--log"]] {
        let verified = disk.run(PROGRAM, args);
        assert!(verified.status.success(), "{}", text(&verified));
    }
    disk.server.signal(Signal::SIGTERM);
    assert_eq!(disk.server.wait(), Some(0));
}
