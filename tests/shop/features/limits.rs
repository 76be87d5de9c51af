//! The page of limits is true: each limit is that of its setting or constant, and no table is forgotten.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use cartwright::cli::Cli;
use cartwright::reactors::{self, MAX_DECISIONS};
use cartwright::scheduler::tasks::{TaskContext, sweep_reactions};
use clap::CommandFactory;
use serde_json::{Value, json};

use crate::support::TestShop;
use crate::support::accounts::PASSWORD;
use crate::support::pages::{page, root};

/// A number with a unit, in seconds, bytes or things; `None` for a text without a number.
fn amount(text: &str) -> Option<u64> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let number: u64 = number.replace(',', "").parse().ok()?;
    let factor = match unit {
        "" | "days" => 1,
        "seconds" => 1,
        "hours" => 3_600,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GB" => 1,
        other => panic!("unknown unit: {other}"),
    };
    Some(number * factor)
}

/// The value of the constant, field or setting `name` in the text of a source file.
fn value_of(name: &str, text: &str) -> Option<u64> {
    let line = text.lines().map(str::trim).find(|line| {
        let declared = line.contains(&format!("const {name}: ")) && line.contains(" = ");
        declared
            || line.starts_with(&format!("{name}: ")) && line.ends_with(',') && line.contains(char::is_numeric)
            || line.contains(&format!("\"{name}="))
    })?;
    let (_, value) = line.split_once(" = ").or_else(|| line.split_once(": ")).or_else(|| line.split_once('='))?;
    let is_number = value.starts_with(|letter: char| letter.is_ascii_digit());
    let inner = value.split_once('(').filter(|_| !is_number).map_or(value, |(_, inner)| inner);
    let numbers: String =
        inner.chars().take_while(|letter| letter.is_ascii_digit() || "_* <".contains(*letter)).collect();
    let numbers = numbers.replace('_', "");
    let product = |text: &str| text.split('*').map(|factor| factor.trim().parse::<u64>().ok()).product::<Option<u64>>();
    match numbers.split_once("<<") {
        Some((base, shift)) => Some(product(base)? << product(shift)?),
        None => product(&numbers),
    }
}

#[test]
fn every_limit_is_that_of_its_setting_or_constant() {
    let command = Cli::command();
    let page = page("docs/limits.md");
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.matches(" | ").count() == 3);
    let mut compared = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [what, limit, place, beyond] = cells[..] else { panic!("{row}") };
        assert!(!beyond.is_empty(), "{what}: what happens beyond it?");
        let named: Vec<&str> = place.split('`').skip(1).step_by(2).collect();
        match named[..] {
            [flag] => {
                let argument = command
                    .get_arguments()
                    .find(|argument| argument.get_long().is_some_and(|long| format!("--{long}") == flag));
                let argument = argument.unwrap_or_else(|| panic!("{what}: no setting {flag}"));
                let default = argument.get_default_values()[0].to_str().unwrap();
                assert_eq!(amount(limit), default.parse().ok(), "{what}: {flag}");
            }
            [name, file] => {
                let text = std::fs::read_to_string(root().join(file)).unwrap_or_else(|_| panic!("{what}: no {file}"));
                let mut limit = amount(limit);
                if limit.is_some() && text.contains(&format!("const {name}: Duration")) && row.contains(" days |") {
                    limit = limit.map(|days| days * 86_400);
                }
                assert_eq!(limit, value_of(name, &text), "{what}: {name} in {file}");
            }
            _ => assert!(limit == "where" || limit == "limit" || amount(limit).is_none(), "{row}"),
        }
        compared += usize::from(!named.is_empty());
    }
    assert!(compared > 40, "only {compared} limits were compared");
}

#[test]
fn the_page_of_limits_names_every_table() {
    let page = page("docs/limits.md");
    let mut tables = BTreeSet::new();
    for migration in std::fs::read_dir(root().join("migrations")).unwrap() {
        let path = migration.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            let text = std::fs::read_to_string(path).unwrap();
            let made = text.lines().filter_map(|line| line.strip_prefix("create table "));
            tables.extend(made.filter_map(|rest| Some(rest.split([' ', '(']).next()?.to_owned())));
        }
    }
    assert!(tables.len() > 25, "{tables:?}");
    let missing: Vec<_> = tables.iter().filter(|table| !page.contains(&format!("`{table}`"))).collect();
    assert!(missing.is_empty(), "docs/limits.md does not say what bounds {missing:?}");
}

async fn execute(shop: &TestShop, statement: &str) -> u64 {
    sqlx::query(statement).execute(&shop.pool).await.unwrap().rows_affected()
}

async fn count(shop: &TestShop, what: &str) -> i64 {
    sqlx::query_scalar(&format!("select count(*) from {what}")).fetch_one(&shop.pool).await.unwrap()
}

#[tokio::test]
async fn an_account_has_a_limited_number_of_sessions_and_remembered_tokens() {
    let shop = TestShop::new().await;
    shop.member("Jo").await;
    execute(&shop, "delete from session").await;
    let older = "insert into session (session_id, account_id, started_at, expires_at)
        select gen_random_uuid(), account_id, now() - make_interval(mins => n), now() + interval '1 day'
        from account, generate_series(1, 100) as n where email = 'jo@example.com'";
    assert_eq!(execute(&shop, older).await, 100);
    let began = shop.log_in("jo@example.com", PASSWORD).await;
    assert_eq!(began.status, StatusCode::OK);
    assert_eq!(count(&shop, "session").await, 100);
    assert_eq!(
        count(&shop, "session where started_at < now() - interval '5970 seconds'").await,
        0,
        "the oldest has ended"
    );

    let used = "insert into refresh_token (token_hash, session_id, used_at)
        select uuid_send(gen_random_uuid()), session_id, now() - make_interval(mins => n)
        from refresh_token, generate_series(1, 100) as n";
    assert_eq!(execute(&shop, used).await, 100);
    let refresh_token = &began.body["refresh_token"];
    assert_eq!(shop.refresh(refresh_token).await.status, StatusCode::OK);
    assert_eq!(count(&shop, "refresh_token where used_at is not null").await, 100);
    assert_eq!(count(&shop, "refresh_token where used_at < now() - interval '5970 seconds'").await, 0);
    assert_eq!(shop.refresh(refresh_token).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(count(&shop, "session").await, 99, "a remembered token that comes back ends its session");
}

#[tokio::test]
async fn answers_records_and_parked_mails_are_deleted_beyond_their_limits() {
    let shop = TestShop::new().await;
    for key in ["first", "second", "third"] {
        let made = shop.send("POST", "categories/", json!({ "category_name": key }), &[("idempotency-key", key)]).await;
        assert_eq!(made.status, StatusCode::CREATED);
    }
    let journal = &shop.engine.journal;
    assert_eq!(journal.forget_answers(1).await.unwrap(), (0, false), "each is kept for an hour");
    execute(&shop, "update idempotency set recorded_at = recorded_at - interval '2 hours'").await;
    assert_eq!(journal.forget_answers(3).await.unwrap(), (0, false));
    assert_eq!(journal.forget_answers(1).await.unwrap(), (2, false));
    assert_eq!(count(&shop, "idempotency").await, 1);

    let sign_in = |id: i64| {
        format!(
            "insert into sign_in (sign_in_id, happened_at, outcome, address, user_agent)
             overriding system value values ({id}, now(), 'wrong_password', '', '')"
        )
    };
    for id in [500_000, 1_000_001, 1_500_000] {
        execute(&shop, &sign_in(id)).await;
    }
    shop.accounts.delete_expired(90).await.unwrap();
    assert_eq!(count(&shop, "sign_in where sign_in_id <= 500000").await, 0);
    assert_eq!(count(&shop, "sign_in").await, 2);

    // Mails are dropped after 90 days, payments never.
    execute(
        &shop,
        "insert into reaction (reactor, position, target, parked_at, reason)
         select reactor, 1, days::text, now() - make_interval(days => days), 'the SMTP server refused it'
         from unnest(array['order_mails', 'payments']) as reactor, unnest(array[91, 89, 1]) as days",
    )
    .await;
    let (journal, projector) = (shop.engine.journal.clone(), shop.engine.projector.clone());
    let context = TaskContext { journal, projector, pool: shop.pool.clone() };
    let run = sweep_reactions(&context, 90).run().await.unwrap();
    assert_eq!((run.handled, run.more), (1, false));
    let decided = shop.read("reaction-decisions/").await;
    let expected = json!(["scheduler", "drop", "order_mails", "91"]);
    assert_eq!(
        json!([decided[0]["actor"], decided[0]["decision"], decided[0]["reactor"], decided[0]["target"]]),
        expected
    );
    assert_eq!(reactors::sweep(&shop.pool, &["order_mails"], 0, 1).await.unwrap(), (1, false), "the oldest of two");
    let parked = shop.read("reactions/?state=parked").await;
    let name = |reaction: &Value| format!("{} {}", reaction["reactor"], reaction["target"]).replace('"', "");
    let mut parked: Vec<String> = parked.as_array().unwrap().iter().map(name).collect();
    parked.sort();
    assert_eq!(parked, ["order_mails 1", "payments 1", "payments 89", "payments 91"]);
    let decision = format!(
        "insert into reaction_decision (decision_id, decided_at, actor, decision, reactor, position, target)
         overriding system value values ({MAX_DECISIONS} + 1000, now(), 'cli', 'drop', 'payments', 1, '')"
    );
    execute(&shop, &decision).await;
    reactors::sweep(&shop.pool, &[], 90, 1).await.unwrap();
    assert_eq!(count(&shop, "reaction_decision").await, 1);
}
