//! A page as a person uses it: fields by label, buttons by name, cells by row and column.

use std::time::{Duration, Instant};

use cartwright::domain::account::Role;
use serde_json::{Value, json};
use thirtyfour::error::{WebDriverErrorInner, WebDriverResult};
use thirtyfour::{By, Cookie, Key, WebDriver, WebElement};

use super::api::Api;
use super::quiet::Traffic;
use super::shop::{BrowsedShop, email};
use crate::support::accounts::PASSWORD;

/// How long a journey waits for what it expects.
const PATIENCE: Duration = Duration::from_secs(20);
const FINDERS: &str = include_str!("finders.js");

/// A page in a browser, or a part of it.
#[derive(Clone)]
pub struct Page {
    pub(super) session: WebDriver,
    pub(super) traffic: Traffic,
    shop: &'static BrowsedShop,
    /// The parts and rows to look in, from the outside to the inside.
    scope: Vec<Value>,
}

impl Page {
    pub(super) fn new(session: WebDriver, shop: &'static BrowsedShop) -> Self {
        Self { session, traffic: Traffic::default(), shop, scope: Vec::new() }
    }

    pub fn shop(&self) -> &'static BrowsedShop {
        self.shop
    }

    /// The API, to prepare what a journey needs and to check what it did.
    pub fn api(&self) -> Api {
        Api::new(&self.shop.address)
    }

    /// The part of the page under a heading, a legend or a caption, or with a label.
    pub fn part(&self, name: &str) -> Self {
        self.inside(json!({ "part": name }))
    }

    /// The row of a table in which a cell has this text, or begins with it.
    pub fn row(&self, name: &str) -> Self {
        self.inside(json!({ "row": name }))
    }

    fn inside(&self, step: Value) -> Self {
        let mut inside = self.clone();
        inside.scope.push(step);
        inside
    }

    /// The cookies of the shop.
    pub async fn cookies(&self) -> Vec<Cookie> {
        self.session.get_all_cookies().await.unwrap()
    }

    pub async fn set_cookie(&self, cookie: Cookie) {
        self.session.add_cookie(cookie).await.unwrap();
    }

    /// Switches the scripts of pages off or on.
    pub async fn allow_scripts(&self, allowed: bool) {
        let options = json!({ "value": !allowed });
        self.session.cdp().send_raw("Emulation.setScriptExecutionDisabled", options).await.unwrap();
    }

    pub async fn log_in_as(&self, role: Role) {
        self.visit("/admin/log-in").await;
        self.fill("E-mail address", &email(role)).await;
        self.fill("Password", PASSWORD).await;
        self.press("Log in").await;
        self.until("be logged in", "return document.querySelector('form[action$=\"/log-out\"]') !== null").await;
    }

    /// Opens a page, which must answer 200.
    pub async fn visit(&self, path: &str) {
        let status = self.open(path).await;
        assert_eq!(status, 200, "{path}");
    }

    /// Opens a page; returns the status of its answer.
    pub async fn open(&self, path: &str) -> u64 {
        self.api().catch_up().await;
        self.session.goto(format!("{}{path}", self.shop.address)).await.unwrap();
        self.settle().await;
        self.status().await
    }

    /// Shows a page that the shop does not have.
    pub async fn show(&self, html: &str) {
        self.session.goto("about:blank").await.unwrap();
        self.try_ask("document.open(); document.write(arguments[0]); document.close();", vec![json!(html)])
            .await
            .unwrap();
        self.settle().await;
    }

    /// The status with which the page was answered.
    pub async fn status(&self) -> u64 {
        self.ask("return performance.getEntriesByType('navigation')[0].responseStatus").await.as_u64().unwrap()
    }

    /// The path and query of the page.
    pub async fn path(&self) -> String {
        self.ask("return location.pathname + location.search").await.as_str().unwrap().to_owned()
    }

    /// Types into a field, selects an option, sets a day, or names a file to upload.
    pub async fn fill(&self, label: &str, value: &str) {
        self.act(&format!("fill “{label}” with “{value}”"), async || {
            let field = self.find("field", label).await?;
            self.set(&field, value).await
        })
        .await;
        self.settle().await;
    }

    /// Sets a checkbox, or selects a radio button.
    pub async fn check(&self, label: &str, wanted: bool) {
        self.act(&format!("set “{label}” to {wanted}"), async || {
            let field = self.find("field", label).await?;
            if field.is_selected().await? != wanted {
                field.click().await?;
            }
            Ok(())
        })
        .await;
        self.settle().await;
    }

    /// Presses a button.
    pub async fn press(&self, name: &str) {
        self.click("button", name).await;
    }

    /// Follows a link.
    pub async fn follow(&self, name: &str) {
        self.click("link", name).await;
    }

    async fn click(&self, kind: &str, name: &str) {
        self.act(&format!("press the {kind} “{name}”"), async || Ok(self.find(kind, name).await?.click().await?)).await;
        self.settle().await;
    }

    /// Presses a key, wherever the focus is.
    pub async fn key(&self, key: Key) {
        self.session.action_chain().send_keys(key).perform().await.unwrap();
        self.settle().await;
    }

    /// Drags one element onto another, both given as CSS selectors.
    pub async fn drag(&self, from: &str, to: &str) {
        self.act(&format!("drag {from} to {to}"), async || {
            let (from, to) = (self.session.find(By::Css(from)).await?, self.session.find(By::Css(to)).await?);
            Ok(self.session.action_chain().drag_and_drop_element(&from, &to).perform().await?)
        })
        .await;
        self.settle().await;
    }

    /// The value of a field.
    pub async fn value(&self, label: &str) -> String {
        let read = async || Ok(self.find("field", label).await?.prop("value").await?.unwrap_or_default());
        self.act(&format!("read “{label}”"), read).await
    }

    /// Whether there is a button with this name now.
    pub async fn has_button(&self, name: &str) -> bool {
        self.find("button", name).await.is_ok()
    }

    /// The text of a cell.
    pub async fn cell(&self, row: &str, column: &str) -> String {
        self.act(&format!("read “{column}” of “{row}”"), async || Ok(self.find_cell(row, column).await?.1)).await
    }

    /// Waits until a cell contains this text.
    pub async fn see_cell(&self, row: &str, column: &str, expected: &str) {
        self.act(&format!("see “{expected}” as “{column}” of “{row}”"), async || {
            let (_, seen) = self.find_cell(row, column).await?;
            if seen.contains(expected) { Ok(()) } else { Err(Obstacle(format!("it is “{seen}”"))) }
        })
        .await;
    }

    /// Presses the link or button in a cell.
    pub async fn press_cell(&self, row: &str, column: &str) {
        self.act(&format!("press “{column}” of “{row}”"), async || {
            let (cell, _) = self.find_cell(row, column).await?;
            Ok(cell.find(By::Css("a, button")).await?.click().await?)
        })
        .await;
        self.settle().await;
    }

    async fn find_cell(&self, row: &str, column: &str) -> Result<(WebElement, String), Obstacle> {
        let found = self.call("cell", &[json!(row), json!(column)]).await?;
        let cell = WebElement::from_json(found["element"].clone(), self.session.handle().clone())?;
        Ok((cell, found["text"].as_str().unwrap_or_default().to_owned()))
    }

    /// Waits until the visible text contains this, in any case.
    pub async fn see(&self, text: &str) {
        self.wait_for_text(text, true).await;
    }

    /// Waits until the visible text does not contain this.
    pub async fn see_no(&self, text: &str) {
        self.wait_for_text(text, false).await;
    }

    async fn wait_for_text(&self, text: &str, wanted: bool) {
        let what = if wanted { "see" } else { "not see" };
        self.act(&format!("{what} “{text}”"), async || {
            let is_seen = self.text().await?.to_lowercase().contains(&text.to_lowercase());
            if is_seen == wanted { Ok(()) } else { Err(Obstacle("the text is not as expected".to_owned())) }
        })
        .await;
    }

    /// The visible text, with single spaces.
    pub async fn visible_text(&self) -> String {
        self.act("read the page", async || self.text().await).await
    }

    /// Waits until a script returns something true, and returns it.
    pub async fn until(&self, what: &str, script: &str) -> Value {
        self.act(what, async || {
            let found = self.try_ask(script, Vec::new()).await?;
            let is_true = !matches!(found, Value::Null | Value::Bool(false));
            if is_true { Ok(found) } else { Err(Obstacle(format!("`{script}` is {found}"))) }
        })
        .await
    }

    /// Waits until the page is loaded, and htmx is idle.
    pub async fn settle(&self) {
        self.until("settle", "return isSettled()").await;
    }

    /// The result of a script.
    pub async fn ask(&self, script: &str) -> Value {
        self.try_ask(script, Vec::new()).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// What an asynchronous script passes to its last argument.
    pub async fn ask_async(&self, script: &str, arguments: &[Value]) -> Value {
        let answered = self.session.execute_async(format!("{FINDERS}\n{script}"), arguments).await;
        answered.unwrap_or_else(|error| panic!("{script}: {error}")).json().clone()
    }

    pub(super) async fn try_ask(&self, script: &str, arguments: Vec<Value>) -> WebDriverResult<Value> {
        Ok(self.session.execute(format!("{FINDERS}\n{script}"), arguments).await?.json().clone())
    }

    async fn text(&self) -> Result<String, Obstacle> {
        Ok(self.call("text", &[]).await?["text"].as_str().unwrap_or_default().to_owned())
    }

    async fn find(&self, kind: &str, name: &str) -> Result<WebElement, Obstacle> {
        let found = self.call("find", &[json!(kind), json!(name)]).await?;
        Ok(WebElement::from_json(found["element"].clone(), self.session.handle().clone())?)
    }

    /// Calls a finder in the page's scope.
    async fn call(&self, finder: &str, arguments: &[Value]) -> Result<Value, Obstacle> {
        let mut all = vec![json!(self.scope)];
        all.extend_from_slice(arguments);
        let found = self.try_ask(&format!("return {finder}(...arguments)"), all).await?;
        match found["problem"].as_str() {
            Some(problem) => Err(Obstacle(problem.to_owned())),
            None => Ok(found),
        }
    }

    async fn set(&self, field: &WebElement, value: &str) -> Result<(), Obstacle> {
        let kind = field.prop("type").await?.unwrap_or_default();
        match kind.as_str() {
            "file" => field.send_keys(value).await?,
            "select-one" | "select-multiple" => {
                let options = field.find_all(By::Tag("option")).await?;
                for option in &options {
                    if option.prop("label").await?.is_some_and(|text| text.trim() == value) {
                        return Ok(option.click().await?);
                    }
                }
                return Err(Obstacle(format!("the options are {}", field.text().await?)));
            }
            "date" | "datetime-local" | "month" | "time" => {
                let set = "const [field, value] = arguments; field.value = value;
                    for (const event of ['input', 'change']) field.dispatchEvent(new Event(event, { bubbles: true }));";
                self.try_ask(set, vec![field.to_json()?, json!(value)]).await?;
            }
            _ => {
                self.try_ask("arguments[0].focus(); arguments[0].select();", vec![field.to_json()?]).await?;
                let is_typed = value.chars().all(|letter| letter <= '\u{ffff}');
                match value {
                    "" => field.send_keys(Key::Delete).await?,
                    _ if is_typed => field.send_keys(value).await?,
                    // The driver has keys for the basic plane only.
                    _ => drop(self.session.cdp().send_raw("Input.insertText", json!({ "text": value })).await?),
                }
            }
        }
        Ok(())
    }

    /// Repeats an action until the page allows it.
    async fn act<T>(&self, what: &str, action: impl AsyncFn() -> Result<T, Obstacle>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match action().await {
                Ok(done) => return done,
                Err(Obstacle(problem)) if Instant::now() > deadline => panic!("cannot {what}: {problem}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}

/// Why an action is not possible yet.
struct Obstacle(String);

impl From<thirtyfour::error::WebDriverError> for Obstacle {
    fn from(error: thirtyfour::error::WebDriverError) -> Self {
        match *error {
            // The page has changed since the element was found.
            WebDriverErrorInner::StaleElementReference(_)
            | WebDriverErrorInner::NoSuchElement(_)
            | WebDriverErrorInner::ElementNotInteractable(_)
            | WebDriverErrorInner::ElementClickIntercepted(_)
            | WebDriverErrorInner::JavascriptError(_) => Self(error.to_string()),
            _ => panic!("{error}"),
        }
    }
}
