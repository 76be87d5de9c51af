//! Bad input to every route of the OpenAPI document: a problem document each time, and nothing is written.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::support::bad_values;
use crate::support::furnished::{fill, furnished};
use crate::support::{Answer, TestShop};

/// One route and method of the document.
struct Operation<'doc> {
    document: &'doc Value,
    method: String,
    path: &'doc str,
    described: &'doc Value,
    /// Of the guest's cart that exists.
    token: &'doc str,
}

/// Words of parsers, which mean nothing to a client.
const PARSER_WORDS: [&str; 14] = [
    "invalid type",
    "invalid value",
    "expected ",
    "unknown variant",
    "unknown field",
    "missing field",
    "duplicate field",
    "Failed to",
    "invalid digit",
    "premature",
    "deserialize",
    "i64",
    "struct ",
    "UUID parsing",
];

/// A request with one thing wrong.
struct Case {
    what: String,
    method: String,
    /// With its query.
    path: String,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
    /// It must be refused; otherwise a read may accept it.
    refused: bool,
    /// The field that the problem must name.
    named: Option<&'static str>,
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_to_any_route_is_a_problem_document_and_writes_nothing() {
    let (shop, token) = furnished().await;
    let document = shop.call(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.body;
    let before = shop.engine.journal.position();
    let (mut sent, mut offences) = (0, Vec::new());
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, described) in methods.as_object().unwrap() {
            let method = method.to_uppercase();
            let operation = Operation { document: &document, method, path, described, token: &token };
            operation.check_good(&shop).await;
            for case in operation.cases() {
                let shown = format!("{} {:.100}: {}", case.method, case.path, case.what);
                let (is_read, refused, named) = (case.method == "GET", case.refused, case.named);
                let answer = shop.call(case.request()).await;
                let harmless = is_read && !refused && answer.status.is_success();
                if answer.status.is_client_error() {
                    answer.problem();
                    if let Some(named) = named {
                        assert_eq!(answer.body["errors"][0]["field"], named, "{shown}: {}", answer.body);
                    }
                    let detail = answer.body["detail"].as_str().unwrap();
                    if PARSER_WORDS.iter().any(|words| detail.contains(words)) {
                        offences.push(format!("{shown}: {detail}"));
                    }
                } else if !harmless {
                    offences.push(format!("{shown}: {} {}", answer.status, answer.body));
                }
                sent += 1;
            }
        }
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if methods.get(method.to_lowercase()).is_none() {
                let answer = call(&shop, method, &fill(path, &token)).await;
                assert_eq!((answer.status, answer.problem()), (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"));
                sent += 1;
            }
        }
    }
    assert_eq!(offences, Vec::<String>::new(), "of {sent} requests");
    assert_eq!(shop.engine.journal.position(), before, "something was written");
    shop.check_log().await;
    assert!(sent > 3_000, "only {sent} requests were made from the document");
    eprintln!("{sent} bad requests");
}

async fn call(shop: &TestShop, method: &str, path: &str) -> Answer {
    shop.call(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await
}

impl Operation<'_> {
    fn parameters(&self, place: &str) -> impl Iterator<Item = (&str, &Value)> {
        let here =
            bad_values::parameters(self.document, self.described).filter(move |parameter| parameter["in"] == place);
        here.map(|parameter| (parameter["name"].as_str().unwrap(), &parameter["schema"]))
    }

    fn is_command(&self) -> bool {
        self.parameters("query").any(|(name, _)| name == "dry_run")
    }

    fn is_stream(&self) -> bool {
        self.described["responses"]["200"]["content"].get("text/event-stream").is_some()
    }

    /// The rows that the route takes instead of a JSON object.
    fn rows(&self) -> Option<&str> {
        self.described.get("requestBody")?["content"]["application/x-ndjson"]["example"].as_str()
    }

    fn body_schema(&self) -> Option<&Value> {
        self.described.get("requestBody")?["content"]["application/json"].get("schema")
    }

    fn good_body(&self) -> String {
        self.rows().map_or_else(|| self.good_object().to_string(), str::to_owned)
    }

    fn good_object(&self) -> Value {
        self.body_schema().map_or(json!({}), |schema| bad_values::good(self.document, schema, self.token))
    }

    fn good_path(&self) -> String {
        fill(self.path, self.token)
    }

    /// Checks that the request without its defect is accepted, or refused by a business rule only.
    async fn check_good(&self, shop: &TestShop) {
        // What is right for an upload is in `features::images`.
        let is_upload = self.described.pointer("/requestBody/content/multipart~1form-data").is_some();
        // The images of a product have numbers of their own, which no example can name.
        let is_of_images = self.path.ends_with("/images/order");
        if self.is_stream() || is_upload || is_of_images || self.method != "GET" && !self.is_command() {
            return;
        }
        let path = if self.is_command() { self.good_path() + "?dry_run=true" } else { self.good_path() };
        let answer = shop.call(self.case("nothing", path, self.good_body()).request()).await;
        let accepted = answer.status.is_success() || self.is_command() && answer.status == StatusCode::CONFLICT;
        assert!(accepted, "{} {}: {} {}", self.method, self.path, answer.status, answer.body);
        if answer.status == StatusCode::OK {
            let described = &self.described["responses"]["200"]["headers"];
            for name in ["ETag", "Projection-Position", "Journal-Position"] {
                let sent = answer.headers.contains_key(name);
                assert_eq!(
                    sent,
                    described.get(name).is_some(),
                    "{} {}: {name} is not as described",
                    self.method,
                    self.path
                );
            }
            // Answers with a line for each row have its events there.
            let lines = self.described["responses"]["200"]["content"].get("application/x-ndjson").is_some();
            if self.is_command() && !lines {
                assert!(answer.body["events"].is_array(), "{} {}: {}", self.method, self.path, answer.body);
                let schema = &self.described["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
                let name = schema.as_str().unwrap().rsplit('/').next().unwrap();
                assert!(name.contains("DryRun"), "{} {}: {name} has no events", self.method, self.path);
            }
        }
    }

    fn case(&self, what: impl Into<String>, path: String, body: impl Into<Vec<u8>>) -> Case {
        let content_type = if self.rows().is_some() { "application/x-ndjson" } else { "application/json" };
        let headers = vec![("content-type", content_type.into())];
        let body = if self.is_command() { body.into() } else { vec![] };
        Case { what: what.into(), method: self.method.clone(), path, headers, body, refused: true, named: None }
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = self.bad_paths();
        cases.extend(self.bad_queries());
        cases.extend(self.bad_headers());
        // A bad row is refused alone, beside the others.
        if self.is_command() && self.rows().is_none() {
            cases.extend(self.bad_bodies());
        }
        if self.is_stream() {
            // A stream that is not refused never ends.
            cases.retain(|case| case.refused);
        }
        cases
    }

    fn bad_paths(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for (name, schema) in self.parameters("path") {
            for id in bad_values::ids(schema) {
                let path = fill(&self.path.replace(&format!("{{{name}}}"), &id), self.token);
                cases.push(self.case(format!("{name} is {id:.40}"), path, self.good_body()));
            }
        }
        cases
    }

    fn bad_queries(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for unknown in ["fromm=2011-03-01", "fromm", "&fromm=%00"] {
            let path = format!("{}?{unknown}", self.good_path());
            let case = self.case(format!("{unknown} is no parameter"), path, self.good_body());
            cases.push(Case { named: Some("fromm"), ..case });
        }
        for (name, schema) in self.parameters("query") {
            let path = format!("{}?{name}=1&{name}=1", self.good_path());
            cases.push(self.case(format!("{name} is given twice"), path, self.good_body()));
            for (value, refused) in bad_values::query(self.document, name, schema) {
                let path = format!("{}?{name}={value}", self.good_path());
                let case = self.case(format!("{name} is {value:.40}"), path, self.good_body());
                // A command that accepts the value would be executed.
                if refused || !self.is_command() {
                    cases.push(Case { refused, ..case });
                }
            }
        }
        cases
    }

    fn bad_headers(&self) -> Vec<Case> {
        let mut values: Vec<(&'static str, Vec<u8>, bool)> = Vec::new();
        for (name, _) in self.parameters("header") {
            let (name, bad): (_, Vec<Vec<u8>>) = match name {
                "If-Match" => {
                    let bad = ["", "yesterday", "3", "\"three\"", "\"9223372036854775808\"", "\"1e400\"", "W/\"1\""];
                    ("if-match", bad.map(|value| value.as_bytes().to_vec()).into())
                }
                "Idempotency-Key" => ("idempotency-key", vec![vec![], vec![b'k'; 256], vec![0xff, 0xfe], "é".into()]),
                "Stripe-Signature" => {
                    let bad = ["", "t=,v1=", "t=1,v1=00", "v1=00", "t=1e400,v1=zz"];
                    ("stripe-signature", bad.map(|value| value.as_bytes().to_vec()).into())
                }
                "Min-Position" => {
                    let bad = ["", "soon", "-1", "1.5", "1e400", "9223372036854775808", "\u{e9}"];
                    ("min-position", bad.map(|value| value.as_bytes().to_vec()).into())
                }
                // Any value is a tag that may be another shop's.
                "If-None-Match" => continue,
                name => panic!("what is wrong for {name}?"),
            };
            values.extend(bad.into_iter().map(|value| (name, value, true)));
        }
        let case = |(name, value, refused): (&'static str, Vec<u8>, bool)| {
            let mut case = self.case(format!("{name} is {value:?}"), self.good_path(), self.good_body());
            case.headers.push((name, value));
            Case { refused, ..case }
        };
        values.into_iter().map(case).collect()
    }

    fn bad_bodies(&self) -> Vec<Case> {
        let good = self.good_object();
        let no_fields = json!({});
        let schema = self.body_schema().unwrap_or(&no_fields);
        let described = bad_values::bodies(self.document, schema, &good);
        let mut bodies: Vec<(String, Vec<u8>)> =
            described.into_iter().map(|(what, body)| (what, body.into())).collect();
        for text in
            ["[]", "[{}]", "null", "true", "7", "1e400", "\"text\"", "{", "{]", "{\"a\"}", "\0", "{}{}", "nonsense"]
        {
            bodies.push((format!("the body is {text:?}"), text.into()));
        }
        let mut not_utf8 = good.to_string().into_bytes();
        not_utf8.splice(1..1, *b"\"\xff\xfe\":1,");
        bodies.push(("the body is not UTF-8".to_owned(), not_utf8));
        bodies.push(("the body is nested deeply".to_owned(), b"{\"a\":".repeat(20_000)));
        let mut padded = good.to_string();
        padded.push_str(&" ".repeat(1024 * 1024 + 1));
        bodies.push(("the body is too large".to_owned(), padded.into()));
        let mut cases: Vec<_> =
            bodies.into_iter().map(|(what, body)| self.case(what, self.good_path(), body)).collect();
        for content_type in
            ["", "text/plain", "application/x-www-form-urlencoded", "json", "application/jsonx", "\u{e9}"]
        {
            let mut case = self.case(format!("{content_type:?}"), self.good_path(), good.to_string());
            case.headers = vec![("content-type", content_type.into())];
            cases.push(case);
        }
        if schema.get("required").is_some() {
            cases.push(self.case("there is no body", self.good_path(), vec![]));
        }
        cases
    }
}

impl Case {
    fn request(self) -> Request<Body> {
        let mut request = Request::builder().method(self.method.as_str()).uri(&self.path);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request.body(Body::from(self.body)).unwrap_or_else(|error| panic!("{} {}: {error}", self.what, self.path))
    }
}
