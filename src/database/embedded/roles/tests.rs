//! The roles of new clusters, and the move of clusters whose superuser is called `cartwright`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};

use super::super::*;
use super::*;

/// What an operator may have made as the old superuser, one statement a line.
const OLD_OBJECTS: &str = "
create role analyst login
create schema live
create schema reports
create type reports.colour as enum ('red')
create domain reports.name as text check (value <> '')
create table live.receipts (receipt_id bigint generated always as identity primary key, total numeric, colour reports.colour)
insert into live.receipts (total) values (12.50)
create table parts (id serial) partition by range (id)
create table parts_1 partition of parts for values from (1) to (9)
create view reports.my_report as select sum(total) from live.receipts
create materialized view reports.kept as select 1 as one
create sequence reports.numbers
create procedure reports.nothing() language sql as 'select 1'
create aggregate reports.total(numeric) (sfunc = numeric_add, stype = numeric)
create statistics reports.related on receipt_id, total from live.receipts
create operator reports.=== (leftarg = integer, rightarg = integer, function = int4eq)
select lo_create(4711)
grant usage on schema reports to analyst
grant select on reports.my_report to analyst
alter default privileges in schema reports grant select on tables to analyst
";

fn options(data_dir: &Path, durability: Durability) -> EmbeddedOptions {
    EmbeddedOptions { data_dir: data_dir.to_owned(), durability, binaries: None }
}

/// A cluster as the first versions of the program made it, after `statements` of its superuser.
async fn make_old_cluster(data_dir: &Path, statements: &str) {
    let folder = DataFolder::open(data_dir).await.unwrap();
    let binaries = binaries::find_or_fetch(&folder, binaries::search_folders().await, None).await.unwrap();
    let pgdata = folder.join(server::PGDATA);
    let mut initdb = folder.command(&binaries.folder.join("initdb"));
    initdb.arg("--pgdata").arg(&pgdata).args(["--username=cartwright", "--encoding=UTF8", "--locale=C"]);
    initdb.args(["--auth-local=trust", "--auth-host=reject", "--no-sync"]);
    assert!(initdb.output().await.unwrap().status.success());
    let folder = run_as_old_superuser(folder, "postgres", "create database cartwright").await;
    run_as_old_superuser(folder, "cartwright", statements).await;
}

/// Runs statements, one a line, in a server with the rules of `initdb`.
async fn run_as_old_superuser(folder: DataFolder, database: &str, statements: &str) -> DataFolder {
    let binaries = binaries::find_or_fetch(&folder, binaries::search_folders().await, None).await.unwrap();
    let mut server = folder.command(&binaries.folder.join("postgres"));
    server.arg("-D").arg(folder.join(server::PGDATA)).args(["-F", "-c", "listen_addresses=", "-c"]);
    server.arg(format!("unix_socket_directories={}", folder.path.display()));
    let mut server = server.stderr(Stdio::null()).spawn().unwrap();
    let options = PgConnectOptions::new_without_pgpass().socket(&folder.path).username(NAME).database(database);
    let mut connection = loop {
        match options.connect().await {
            Ok(connection) => break connection,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    for statement in statements.trim().lines() {
        connection.execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    connection.close().await.unwrap();
    let pid = Pid::from_raw(server.id().unwrap().cast_signed());
    kill(pid, Signal::SIGINT).unwrap();
    assert!(server.wait().await.unwrap().success());
    folder
}

async fn connect(postgres: &EmbeddedPostgres, role: ClusterRole) -> PgConnection {
    postgres.connect_options_as(role, NAME).connect().await.unwrap()
}

async fn ask(connection: &mut PgConnection, question: &str) -> String {
    sqlx::query_scalar(question).fetch_one(connection).await.unwrap()
}

/// The attributes of every role that can log in.
async fn roles(connection: &mut PgConnection) -> String {
    let roles =
        "select string_agg(concat_ws(' ', rolname, rolsuper, rolcreaterole, rolcreatedb), ', ' order by rolname)
                 from pg_roles where rolcanlogin";
    ask(connection, roles).await
}

#[tokio::test]
async fn a_new_cluster_has_a_superuser_an_owner_and_a_reader() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = EmbeddedPostgres::start(&options(folder.path(), Durability::Durable)).await.unwrap();
    let mut owner = connect(&postgres, ClusterRole::Owner).await;
    assert_eq!(roles(&mut owner).await, "cartwright f f f, postgres t t t, reader f f f");
    let database_owner = "select pg_get_userbyid(datdba)::text from pg_database where datname = 'cartwright'";
    assert_eq!(ask(&mut owner, database_owner).await, "cartwright");
    for forbidden in ["create role other", "create database other", "copy (select 1) to program 'true'", "checkpoint"] {
        assert!(owner.execute(forbidden).await.is_err(), "{forbidden}");
    }
    owner.execute("create table private (name text)").await.unwrap();
    let mut reader = connect(&postgres, ClusterRole::Reader).await;
    for forbidden in ["select * from private", "create table other (id int)", "select pg_read_file('PG_VERSION')"] {
        assert!(reader.execute(forbidden).await.is_err(), "{forbidden}");
    }
    assert_eq!(ask(&mut reader, "select current_setting('search_path')").await, "live, fact");
    assert_eq!(ask(&mut reader, "select current_setting('idle_in_transaction_session_timeout')").await, "5min");

    // With root as its owner, the process that entered the socket folder must know a password too.
    let without_password = PgConnectOptions::new_without_pgpass()
        .socket(&postgres.socket_folder)
        .username(NAME)
        .database(NAME)
        .connect()
        .await;
    assert_eq!(without_password.is_err(), nix::unistd::geteuid().is_root());
    assert_eq!(folder.path().join(roles::PASSWORD_FILE).exists(), nix::unistd::geteuid().is_root());
    drop((owner, reader));

    // A start without the file gives the roles other passwords.
    let (data_dir, address) =
        (postgres.data_dir.clone(), address(&postgres.data_dir, &postgres.socket_folder, ClusterRole::Reader));
    postgres.stop().await.unwrap();
    assert_eq!(address.contains("&user=reader&passfile="), nix::unistd::geteuid().is_root(), "{address}");
    let _ = fs::remove_file(data_dir.join(roles::PASSWORD_FILE));
    let postgres = EmbeddedPostgres::start(&options(folder.path(), Durability::Durable)).await.unwrap();
    for role in [ClusterRole::Superuser, ClusterRole::Owner, ClusterRole::Reader] {
        connect(&postgres, role).await.close().await.unwrap();
    }
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn an_old_cluster_is_moved_once_with_everything_in_it() {
    let folder = tempfile::tempdir().unwrap();
    make_old_cluster(folder.path(), OLD_OBJECTS).await;
    let postgres = EmbeddedPostgres::start(&options(folder.path(), Durability::Durable)).await.unwrap();
    let mut owner = connect(&postgres, ClusterRole::Owner).await;
    assert_eq!(roles(&mut owner).await, "analyst f f f, cartwright f f f, postgres t t t, reader f f f");
    assert_eq!(ask(&mut owner, "select rolname::text from pg_roles where oid = 10").await, "postgres");
    let left = "select coalesce(string_agg(item, ', '), 'nothing') from (
        select oid::regclass::text as item, relowner as owner, oid from pg_class where relkind <> 'i'
        union all select oid::regprocedure::text, proowner, oid from pg_proc
        union all select nspname, nspowner, oid from pg_namespace
        union all select oid::regtype::text, typowner, oid from pg_type
        union all select stxname, stxowner, oid from pg_statistic_ext
        union all select oprname, oprowner, oid from pg_operator
        union all select lomowner::text, lomowner, oid from pg_largeobject_metadata
        ) as items where owner = 10 and (oid >= 16384 or item = '10') and item not like 'pg\\_toast%'";
    assert_eq!(ask(&mut owner, left).await, "nothing");
    // The owner still reads, changes and drops everything.
    assert_eq!(ask(&mut owner, "select sum::text from reports.my_report").await, "12.50");
    for statement in [
        "insert into live.receipts (total) values (1)",
        "alter table live.receipts add column note text",
        "create or replace view reports.my_report as select sum(total) from live.receipts",
        "create table reports.later (id int)",
        "create table public.made (id int)",
        "refresh materialized view reports.kept",
        "drop type reports.colour cascade",
    ] {
        owner.execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    let granted = "select has_table_privilege('analyst', 'reports.my_report', 'select')::text
                          || has_table_privilege('analyst', 'reports.later', 'select')::text";
    assert_eq!(ask(&mut owner, granted).await, "truetrue");
    drop(owner);
    postgres.stop().await.unwrap();

    let moved_at = || fs::metadata(folder.path().join("initdb.log")).unwrap().modified().unwrap();
    let first = moved_at();
    let postgres = EmbeddedPostgres::start(&options(folder.path(), Durability::Durable)).await.unwrap();
    assert_eq!(moved_at(), first, "nothing is moved twice");
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_move_that_fails_changes_nothing_and_is_repeated() {
    let folder = tempfile::tempdir().unwrap();
    make_old_cluster(folder.path(), "create role cartwright_move\ncreate role postgres\ncreate role reader").await;
    let start = async || EmbeddedPostgres::start(&options(folder.path(), Durability::Volatile)).await;
    let error = start().await.unwrap_err().to_string();
    assert!(error.contains("cannot create the roles") && error.contains("cartwright_move"), "{error}");
    assert!(!error.contains('\n'), "{error}");

    let data_folder = DataFolder::open(folder.path()).await.unwrap();
    drop(run_as_old_superuser(data_folder, "cartwright", "drop role cartwright_move").await);
    let postgres = start().await.unwrap();
    let mut owner = connect(&postgres, ClusterRole::Owner).await;
    // The name of the superuser was taken.
    assert_eq!(roles(&mut owner).await, "cartwright f f f, cartwright_superuser t t t, reader f f f");
    drop(owner);
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn roles_of_before_become_those_of_the_shop_and_stay_so() {
    let folder = tempfile::tempdir().unwrap();
    let before = "create role postgres login superuser
create role analyst
create role reader login createdb in role analyst, pg_read_all_data
alter role reader set search_path = public
alter role cartwright set work_mem = '1MB'";
    make_old_cluster(folder.path(), before).await;
    let start = async || EmbeddedPostgres::start(&options(folder.path(), Durability::Durable)).await.unwrap();
    // The roles are as they should be: their attributes, and what every one of them needs to log in.
    let check = async |postgres: &EmbeddedPostgres| {
        let mut superuser = connect(postgres, ClusterRole::Superuser).await;
        assert_eq!(ask(&mut superuser, "select current_user::text").await, "cartwright_superuser");
        let mut owner = connect(postgres, ClusterRole::Owner).await;
        let expected = "cartwright f f f, cartwright_superuser t t t, postgres t f f, reader f f f";
        assert_eq!(roles(&mut owner).await, expected);
        assert_eq!(ask(&mut owner, "select current_setting('work_mem')").await, "4MB");
        let mut reader = connect(postgres, ClusterRole::Reader).await;
        assert_eq!(ask(&mut reader, "select current_setting('search_path')").await, "live, fact");
        let member = "select count(*)::text from pg_auth_members where member = 'reader'::regrole";
        assert_eq!(ask(&mut reader, member).await, "0");
        let url = address(&postgres.data_dir, &postgres.socket_folder, ClusterRole::Superuser);
        assert!(url.contains("&user=cartwright_superuser"), "{url}");
        if let Ok(passwords) = fs::read_to_string(postgres.data_dir.join(PASSWORD_FILE)) {
            assert!(passwords.contains("*:*:*:cartwright_superuser:") && !passwords.contains(":postgres:"));
        }
        reader
    };
    let postgres = start().await;
    let mut reader = check(&postgres).await;
    for statement in ["alter role reader password 'x'", "alter role reader set search_path = public"] {
        reader.execute(statement).await.unwrap();
    }
    drop(reader);
    postgres.stop().await.unwrap();
    let postgres = start().await;
    let mut reader = check(&postgres).await;
    reader.execute("alter role reader password 'x'").await.unwrap();
    drop(reader);
    postgres.stop().await.unwrap();

    // The name of the superuser is found in the cluster.
    for file in [PASSWORD_FILE, SUPERUSER_FILE] {
        let _ = fs::remove_file(folder.path().join(file));
    }
    let postgres = start().await;
    drop(check(&postgres).await);
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_program_is_found_beside_the_server_or_not_at_all() {
    assert_eq!(find_client("no-such-program", None).await, None);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("psql"), "").unwrap();
    assert_eq!(find_client("psql", Some(folder.path())).await, Some(folder.path().join("psql")));
}

#[test]
fn passwords_are_kept_as_long_as_their_owner_alone_can_read_them() {
    let folder = tempfile::tempdir().unwrap();
    let make = || match Authentication::of(folder.path(), true, Durability::Durable).unwrap() {
        Authentication::Passwords(passwords) => passwords,
        Authentication::Socket => panic!("no passwords"),
    };
    let first = make();
    let path = folder.path().join(PASSWORD_FILE);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(make(), first);
    assert_eq!(password(folder.path(), ClusterRole::Owner).unwrap(), first[1]);

    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert_ne!(make(), first);
    let second = make();
    fs::write(&path, "*:*:*:cartwright:x' superuser --\n").unwrap();
    assert_ne!(make(), second);
    let elsewhere = folder.path().join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    make();
    assert!(fs::symlink_metadata(&path).unwrap().is_file(), "the link of another account is replaced");
}

#[test]
fn without_root_or_for_a_test_run_the_socket_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    for (as_root, durability) in [(false, Durability::Durable), (true, Durability::Volatile)] {
        let authentication = Authentication::of(folder.path(), as_root, durability).unwrap();
        assert!(matches!(authentication, Authentication::Socket));
        assert!(!authentication.statements().contains(" password "), "{}", authentication.statements());
    }
    assert!(!folder.path().join(PASSWORD_FILE).exists());
}
