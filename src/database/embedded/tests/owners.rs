//! Owners, servers and first starts that are killed, dropped or broken off.

use super::*;

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
