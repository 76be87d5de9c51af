//! Every page under `/admin/` that links lead to, by an admin and by a reader.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use cartwright::domain::account::Role;
use serde_json::Value;

use crate::support::browser::{Page, Sample, browse_as};

/// More pages than there are; so many say that a number is missing in [`pattern`].
const MOST_PAGES: usize = 150;

/// The addresses of a page's links, and those of its downloads.
const LINKS: &str = "
    const links = [...document.querySelectorAll('a[href]')].filter((link) => link.origin === location.origin);
    const addresses = (chosen) => [...new Set(chosen.map((link) => link.pathname + link.search))];
    return [addresses(links.filter((link) => !link.hasAttribute('download'))),
            addresses(links.filter((link) => link.hasAttribute('download')))];";

/// The status with which each address is answered.
const STATUSES: &str = "
    const [addresses, done] = arguments;
    Promise.all(addresses.map((address) => fetch(address).then(({ status }) => [address, status])))
        .then(done, (error) => done(String(error)));";

/// What is wrong with the bones of a page.
const BONES: &str = "
    const found = [];
    const count = document.querySelectorAll('h1').length;
    if (count !== 1) found.push(`${count} h1`);
    if (!document.title) found.push('no title');
    if (!document.documentElement.lang) found.push('no language');
    for (const field of document.querySelectorAll(KINDS.field)) {
        if (!nameOf(field)) found.push(`no label: ${field.outerHTML.slice(0, 120)}`);
    }
    return found;";

/// Sends every form that changes something; returns the actions that are refused for the role. The log-out and the own
/// account are open to all roles.
const REFUSED: &str = "
    const done = arguments[arguments.length - 1];
    const isOpen = (address) => /^[/]admin[/](log-out|account)/.test(new URL(address, location).pathname);
    const csrf = document.querySelector('meta[name=csrf]')?.content ?? '';
    const send = async (address, method, body) => {
        const answer = await fetch(address, { method, body, headers: { 'X-CSRF-Token': csrf }, redirect: 'manual' });
        return answer.status === 403 ? `${method} ${address}` : null;
    };
    const forms = [...document.forms].filter((form) => form.method === 'post' && !isOpen(form.action)).map((form) => {
        const data = new FormData(form);
        return send(form.action, 'POST', form.enctype.includes('multipart') ? data : new URLSearchParams(data));
    });
    const parts = ['post', 'put', 'patch', 'delete'].flatMap((method) =>
        [...document.querySelectorAll(`[hx-${method}]:not(form)`)].map((part) =>
            send(part.getAttribute(`hx-${method}`), method.toUpperCase())));
    Promise.all([...forms, ...parts]).then((refused) => done(refused.filter(Boolean)), (error) => done([String(error)]));";

#[tokio::test]
#[ignore = "needs Chromium and axe-core"]
async fn every_page_is_accessible_quiet_and_fits_a_phone() {
    browse_as(Role::Admin, async |page| {
        crawl(page, async |page, name| {
            let mut wrong = texts(&page.ask(BONES).await);
            wrong.extend(page.violations().await);
            wrong.extend(page.shoot(name).await);
            wrong.extend(page.noise().await);
            let policy = page.policy().await;
            if policy.is_empty() || policy.contains("unsafe-") {
                wrong.push(format!("the content security policy is `{policy}`"));
            }
            wrong
        })
        .await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs Chromium and axe-core"]
async fn a_reader_sees_no_form_that_is_refused() {
    browse_as(Role::Reader, async |page| {
        crawl(page, async |page, _| {
            let mut wrong = page.noise().await;
            let refused = texts(&page.ask_async(REFUSED, &[]).await);
            wrong.extend(refused.into_iter().map(|action| format!("a reader may not {action}")));
            wrong
        })
        .await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs Chromium and axe-core"]
async fn an_editor_is_led_to_no_page_that_is_refused() {
    browse_as(Role::Editor, async |page| crawl(page, async |page, _| page.noise().await).await).await;
}

/// Visits one page for each pattern of an address, and fails with what is wrong with all of them.
async fn crawl(page: &Page, check: impl AsyncFn(&Page, &str) -> Vec<String>) {
    let hard_cases = hard_cases(&page.shop().sample);
    let mut wrong: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut seen, mut fetched) = (BTreeSet::new(), BTreeSet::new());
    let mut waiting = VecDeque::from(["/admin/".to_owned()]);
    let mut visited = 0;
    while let Some(found) = waiting.pop_front() {
        let path = found.split('?').next().unwrap_or_default().to_owned();
        let pattern = pattern(&path);
        if !seen.insert(pattern.clone()) {
            continue;
        }
        for (nth, address) in instances(&path, &pattern, &hard_cases).into_iter().enumerate() {
            visited += 1;
            assert!(visited <= MOST_PAGES, "too many pages: {seen:#?}");
            let status = page.open(&address).await;
            let mut offences = check(page, &picture_name(&pattern, nth)).await;
            if status != 200 {
                offences.push(format!("answered with {status}"));
            }
            let links = page.ask(LINKS).await;
            let (pages, downloads) = (texts(&links[0]), texts(&links[1]));
            // Further filters of a list that was seen, and downloads, must answer.
            let filters = pages.iter().filter(|link| link.contains('?'));
            let filters: Vec<String> =
                filters.filter(|link| fetched.insert(pattern_with_query(link))).cloned().collect();
            let answered = page.ask_async(STATUSES, &[serde_json::json!(filters)]).await;
            let refused = answered.as_array().into_iter().flatten().filter(|answer| answer[1] != 200);
            offences
                .extend(refused.map(|answer| format!("links to {} which is answered with {}", answer[0], answer[1])));
            for link in downloads.iter().filter(|link| fetched.insert(pattern_with_query(link))) {
                let status = download(page, link).await;
                if status != 200 {
                    offences.push(format!("downloads {link} which is answered with {status}"));
                }
            }
            waiting.extend(pages.into_iter().filter(|link| link.starts_with("/admin/")));
            if !offences.is_empty() {
                wrong.insert(address, offences);
            }
        }
    }
    eprintln!("{visited} pages: {seen:?}");
    assert!(wrong.is_empty(), "{} of {visited} pages are wrong: {wrong:#?}", wrong.len());
}

/// Downloads a file with the session of the browser. Whole lists have a limit at once, so some have to wait for their turn.
async fn download(page: &Page, address: &str) -> u16 {
    let cookies = page.cookies().await.into_iter().map(|cookie| format!("{}={}", cookie.name, cookie.value));
    let cookies = cookies.collect::<Vec<_>>().join("; ");
    loop {
        let request = reqwest::Client::new().get(format!("{}{address}", page.shop().address));
        let answer = request.header("cookie", &cookies).send().await.unwrap();
        let status = answer.status().as_u16();
        let wait = answer.headers().get("retry-after").and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        answer.bytes().await.unwrap();
        match wait {
            Some(seconds) if [429, 503].contains(&status) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            _ => return status,
        }
    }
}

/// The addresses to visit for a pattern: the hard cases of its noun, or what was found.
fn instances(path: &str, pattern: &str, hard_cases: &BTreeMap<&str, Vec<i64>>) -> Vec<String> {
    let noun = pattern.split('/').nth(2).unwrap_or_default();
    match hard_cases.get(noun) {
        // What lies below is found from the first of them: a thousand lines are slow to check, so once is enough.
        Some(ids) if pattern.ends_with("{}") && pattern.matches("{}").count() == 1 => {
            ids.iter().map(|id| pattern.replace("{}", &id.to_string())).collect()
        }
        _ => vec![path.to_owned()],
    }
}

fn hard_cases(sample: &Sample) -> BTreeMap<&'static str, Vec<i64>> {
    BTreeMap::from([
        ("products", vec![sample.product, sample.foreign_product]),
        ("families", vec![sample.family]),
        ("categories", vec![sample.empty_category]),
        ("customers", vec![sample.customer, sample.new_customer]),
        ("orders", vec![sample.open_order, sample.returned_order, sample.long_order]),
        ("webhooks", vec![sample.webhook]),
    ])
}

/// A path with `{}` for each number and UUID.
fn pattern(path: &str) -> String {
    let is_number = |part: &str| part.contains(|letter: char| letter.is_ascii_digit());
    let parts: Vec<&str> = path.split('/').map(|part| if is_number(part) { "{}" } else { part }).collect();
    parts.join("/")
}

/// The same with the names of its parameters.
fn pattern_with_query(address: &str) -> String {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let names: BTreeSet<&str> = query.split('&').filter_map(|pair| pair.split('=').next()).collect();
    format!("{}?{names:?}", pattern(path))
}

fn picture_name(pattern: &str, nth: usize) -> String {
    let name = pattern.trim_matches('/').replace("{}", "one").replace('/', "-");
    if nth == 0 { name } else { format!("{name}-{}", nth + 1) }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
