//! A browser without scripts that visits the staff's pages of a shop in this process: cookies, links and forms.

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use cartwright::domain::account::Role;
use cartwright::domain::text::Email;
use tower::ServiceExt;
use uuid::Uuid;

use super::TestShop;

pub struct Visitor<'a> {
    pub shop: &'a TestShop,
    pub email: String,
    pub password: String,
    cookies: Mutex<BTreeMap<String, String>>,
    /// Sent with every request.
    pub headers: Vec<(&'static str, String)>,
}

/// A page as it arrived.
#[derive(Debug)]
pub struct VisitedPage {
    pub path: String,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub html: String,
}

/// A form of a page.
#[derive(Clone, Debug)]
pub struct VisitedForm {
    pub action: String,
    pub method: String,
    pub fields: Vec<(String, String)>,
}

impl<'a> Visitor<'a> {
    /// A visitor without a session, who has an account of this role.
    pub async fn new(shop: &'a TestShop, role: Role) -> Visitor<'a> {
        let email = format!("{}-{}@example.com", role.as_str(), Uuid::new_v4().simple());
        let password = shop.accounts.open_with_generated_password(Email::parse(&email).unwrap(), role).await.unwrap();
        Self::with_account(shop, &email, password.expose())
    }

    pub fn with_account(shop: &'a TestShop, email: &str, password: &str) -> Visitor<'a> {
        let (email, password) = (email.to_owned(), password.to_owned());
        Self { shop, email, password, cookies: Mutex::default(), headers: Vec::new() }
    }

    /// A member of the staff with an open session.
    pub async fn logged_in(shop: &'a TestShop, role: Role) -> Visitor<'a> {
        let visitor = Self::new(shop, role).await;
        let page = visitor.log_in("").await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
        visitor
    }

    pub async fn log_in(&self, next: &str) -> VisitedPage {
        let fields = [("email", self.email.as_str()), ("password", self.password.as_str()), ("next", next)];
        self.post("/admin/log-in", &fields).await
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().unwrap().get(name).cloned()
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    pub async fn get(&self, path: &str) -> VisitedPage {
        self.send("GET", path, None, &[]).await
    }

    /// A page that must be there.
    pub async fn visit(&self, path: &str) -> VisitedPage {
        let page = self.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.html);
        page
    }

    /// A part of a page, as a script gets it.
    pub async fn get_part(&self, path: &str) -> VisitedPage {
        self.send("GET", path, None, &[("hx-request", "true")]).await
    }

    /// Sends fields as they are, from a page of this site.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> VisitedPage {
        self.send("POST", path, Some(encode(fields)), &[("sec-fetch-site", "same-origin")]).await
    }

    /// Fills in the form of a page with this action, and sends it.
    pub async fn submit(&self, page: &VisitedPage, action: &str, changes: &[(&str, &str)]) -> VisitedPage {
        let form = page.form(action).with(changes);
        self.send("POST", &form.action, Some(form.encoded()), &[("sec-fetch-site", "same-origin")]).await
    }

    /// Does the same as a script, which gets a part of a page.
    pub async fn submit_part(&self, page: &VisitedPage, action: &str, changes: &[(&str, &str)]) -> VisitedPage {
        let form = page.form(action).with(changes);
        let headers = [("sec-fetch-site", "same-origin"), ("hx-request", "true")];
        self.send("POST", &form.action, Some(form.encoded()), &headers).await
    }

    /// Sends files with the form of a page.
    pub async fn upload(&self, page: &VisitedPage, action: &str, files: &[&[u8]]) -> VisitedPage {
        let boundary = "boundary-of-the-visitor";
        let mut body = Vec::new();
        for (name, value) in page.form(action).fields {
            let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(head.as_bytes());
        }
        for file in files {
            let head = "Content-Disposition: form-data; name=\"image\"; filename=\"a file\"\r\n\r\n";
            body.extend_from_slice(format!("--{boundary}\r\n{head}").as_bytes());
            body.extend_from_slice(file);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={boundary}");
        let headers = [("sec-fetch-site", "same-origin"), ("content-type", kind.as_str())];
        self.send_bytes("POST", action, Some(body), &headers).await
    }

    /// Follows the redirect of a page.
    pub async fn follow(&self, page: &VisitedPage) -> VisitedPage {
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
        self.visit(page.header("location")).await
    }

    pub async fn send(&self, method: &str, path: &str, body: Option<String>, headers: &[(&str, &str)]) -> VisitedPage {
        self.send_bytes(method, path, body.map(String::into_bytes), headers).await
    }

    async fn send_bytes(
        &self,
        method: &str,
        path: &str,
        body: Option<Vec<u8>>,
        headers: &[(&str, &str)],
    ) -> VisitedPage {
        let path = path.split('#').next().unwrap();
        let mut request = Request::builder().method(method).uri(path).header("host", "shop.example.com");
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cookies: Vec<_> =
            self.cookies.lock().unwrap().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        let request = request.body(Body::from(body.unwrap_or_default())).unwrap();
        let response = self.shop.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        self.keep_cookies(&head.headers);
        let html = String::from_utf8_lossy(&bytes).into_owned();
        VisitedPage { path: path.to_owned(), status: head.status, headers: head.headers, html }
    }

    fn keep_cookies(&self, headers: &HeaderMap) {
        for line in headers.get_all("set-cookie") {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            let mut cookies = self.cookies.lock().unwrap();
            match line.contains("Max-Age=0") {
                true => drop(cookies.remove(name)),
                false => drop(cookies.insert(name.to_owned(), value.to_owned())),
            }
        }
    }
}

fn encode(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

impl VisitedPage {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Every address that a link of the page leads to.
    pub fn links(&self) -> Vec<String> {
        tags(&self.html, "a").iter().filter_map(|tag| attribute(tag, "href")).collect()
    }

    /// Every form of the page, with what it holds.
    pub fn forms(&self) -> Vec<VisitedForm> {
        let mut forms = Vec::new();
        for part in self.html.split("<form ").skip(1) {
            let (tag, rest) = part.split_once('>').unwrap();
            let inside = rest.split("</form>").next().unwrap();
            let id = attribute(tag, "id");
            let mut fields = fields_of(inside);
            // Fields elsewhere on the page name their form.
            let elsewhere =
                tags(&self.html, "input").into_iter().filter(|tag| id.is_some() && attribute(tag, "form") == id);
            fields.extend(elsewhere.filter_map(field));
            let method = attribute(tag, "method").unwrap_or_else(|| "get".to_owned());
            let action = attribute(tag, "action").unwrap_or_else(|| self.path.clone());
            forms.push(VisitedForm { action, method, fields });
        }
        forms
    }

    pub fn form(&self, action: &str) -> VisitedForm {
        let mut forms = self.forms();
        let place = forms.iter().position(|form| form.action == action);
        let place = place.unwrap_or_else(|| panic!("no form for {action} on {}: {}", self.path, self.html));
        forms.swap_remove(place)
    }
}

impl VisitedForm {
    pub fn value(&self, name: &str) -> &str {
        self.fields.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    /// The form with other values; several of one name are kept.
    fn with(mut self, changes: &[(&str, &str)]) -> Self {
        self.fields.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        self.fields.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    pub fn encoded(&self) -> String {
        let fields: Vec<_> = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        encode(&fields)
    }
}

fn fields_of(html: &str) -> Vec<(String, String)> {
    let mut fields: Vec<_> = tags(html, "input").into_iter().filter_map(field).collect();
    for (start, end) in [("<select ", "</select>"), ("<textarea ", "</textarea>")] {
        for part in html.split(start).skip(1) {
            let (tag, rest) = part.split_once('>').unwrap();
            let Some(name) = attribute(tag, "name") else { continue };
            let inside = rest.split(end).next().unwrap();
            let value = if end == "</textarea>" {
                unescape(inside.strip_prefix('\n').unwrap_or(inside))
            } else {
                let options = tags(inside, "option");
                let chosen = options.iter().find(|option| option.contains(" selected")).or(options.first());
                chosen.and_then(|option| attribute(option, "value")).unwrap_or_default()
            };
            fields.push((name, value));
        }
    }
    fields
}

/// What a browser sends for an input; nothing for a box that is not checked.
fn field(tag: &str) -> Option<(String, String)> {
    let is_box = attribute(tag, "type").is_some_and(|kind| kind == "checkbox" || kind == "radio");
    let is_sent = !is_box || tag.contains(" checked");
    let is_file = attribute(tag, "type").is_some_and(|kind| kind == "file");
    let name = attribute(tag, "name").filter(|_| is_sent && !is_file)?;
    Some((name, attribute(tag, "value").unwrap_or_default()))
}

/// The insides of the tags with a name.
fn tags<'h>(html: &'h str, name: &str) -> Vec<&'h str> {
    html.split(&format!("<{name} ")).skip(1).map(|part| part.split('>').next().unwrap()).collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = format!(" {tag}");
    let value = tag.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?;
    Some(unescape(value))
}

pub fn unescape(text: &str) -> String {
    let pairs = [
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&quot;", "\""),
        ("&#60;", "<"),
        ("&lt;", "<"),
        ("&#62;", ">"),
        ("&gt;", ">"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ];
    pairs.iter().fold(text.to_owned(), |text, (escaped, letter)| text.replace(escaped, letter))
}
