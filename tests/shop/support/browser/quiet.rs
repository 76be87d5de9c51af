//! What a browser logs: messages of the console, and every request with its answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::page::Page;

/// What a browser has logged so far.
#[derive(Clone, Default)]
pub struct Traffic(Arc<Mutex<Logged>>);

#[derive(Default)]
struct Logged {
    console: Vec<String>,
    /// What the next [`Page::noise`] returns.
    noise: Vec<String>,
    /// Address of each request, by its number.
    addresses: HashMap<String, String>,
    /// Whether the last page can be loaded again without sending a form again.
    is_repeatable: bool,
    /// The content security policy of the last page.
    policy: Option<String>,
}

impl Page {
    /// Fails if, since the last call, the console has warned, a policy was violated, a request has left for another
    /// machine, or a script, style or picture is missing.
    pub async fn assert_quiet(&self) {
        let noise = self.noise().await;
        assert!(noise.is_empty(), "the browser is not quiet: {noise:#?}");
    }

    /// What [`Self::assert_quiet`] complains of.
    pub async fn noise(&self) -> Vec<String> {
        self.read_logs().await;
        std::mem::take(&mut self.traffic.0.lock().unwrap().noise)
    }

    /// The content security policy of the page.
    pub async fn policy(&self) -> String {
        self.read_logs().await;
        self.traffic.0.lock().unwrap().policy.clone().unwrap_or_default()
    }

    /// Loads the page again, unless that would send a form again.
    pub(super) async fn reload(&self) {
        self.read_logs().await;
        let is_repeatable = self.traffic.0.lock().unwrap().is_repeatable;
        if is_repeatable {
            self.session.refresh().await.unwrap();
            self.settle().await;
        }
    }

    /// The messages of the console so far.
    pub(super) async fn console(&self) -> Vec<String> {
        self.read_logs().await;
        self.traffic.0.lock().unwrap().console.clone()
    }

    async fn read_logs(&self) {
        let console = self.session.get_log("browser").await.unwrap_or_default();
        let network = self.session.get_log("performance").await.unwrap_or_default();
        let mut logged = self.traffic.0.lock().unwrap();
        for entry in console {
            let message = format!("{} {}", entry.level, entry.message);
            // A refused request is judged by its answer: a form may well be refused.
            let is_refusal = entry.source.as_deref() == Some("network") && message.contains("with a status of");
            if ["WARNING", "SEVERE"].contains(&entry.level.as_str()) && !is_refusal {
                logged.noise.push(message.clone());
            }
            logged.console.push(message);
        }
        for entry in network {
            let entry: Value = serde_json::from_str(&entry.message).unwrap();
            logged.add(&entry["message"], &self.shop().address);
        }
    }
}

impl Logged {
    /// Judges an event of the network.
    fn add(&mut self, event: &Value, shop: &str) {
        let parameters = &event["params"];
        let kind = parameters["type"].as_str().unwrap_or_default();
        let number = parameters["requestId"].as_str().unwrap_or_default();
        match event["method"].as_str().unwrap_or_default() {
            "Network.requestWillBeSent" => {
                let url = parameters["request"]["url"].as_str().unwrap_or_default();
                let is_inside = ["data:", "blob:", "about:", "chrome:"].iter().any(|scheme| url.starts_with(scheme));
                if !is_inside && !url.starts_with(&format!("{shop}/")) {
                    self.noise.push(format!("a request has left the shop: {url}"));
                }
                self.addresses.insert(number.to_owned(), url.to_owned());
                if kind == "Document" {
                    self.is_repeatable = parameters["request"]["method"] == "GET" && url.starts_with(shop);
                }
            }
            "Network.responseReceived" => {
                let response = &parameters["response"];
                let (url, status) = (&response["url"], response["status"].as_u64().unwrap_or_default());
                let is_refusable = ["Document", "XHR", "Fetch"].contains(&kind);
                if status >= 500 || (status >= 400 && !is_refusable) {
                    self.noise.push(format!("{kind} {url} was answered with {status}"));
                }
                if kind == "Document" {
                    self.policy = header(&response["headers"], "content-security-policy");
                }
            }
            "Network.loadingFailed" if parameters["canceled"] != true => {
                let (error, reason) = (&parameters["errorText"], &parameters["blockedReason"]);
                let url = self.addresses.get(number).cloned().unwrap_or_default();
                self.noise.push(format!("{kind} {url} failed: {error} {reason}"));
            }
            _ => {}
        }
    }
}

fn header(headers: &Value, name: &str) -> Option<String> {
    let mut headers = headers.as_object()?.iter();
    let (_, value) = headers.find(|(header, _)| header.eq_ignore_ascii_case(name))?;
    value.as_str().map(str::to_owned)
}
