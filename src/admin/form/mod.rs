//! Forms: what was typed, why it was refused, and what has changed meanwhile.

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::api::Problem;

/// The fields of a form, filled from the API or by the reader.
#[derive(Clone, Debug, Default)]
pub struct Form {
    values: Vec<(String, String)>,
    /// Why the form was refused.
    problem: Option<Problem>,
    /// What the subject holds now, if another change came first.
    current: Option<Vec<(String, String)>>,
    /// The tag of what the reader saw.
    pub etag: String,
    /// The idempotency key of the form: a second click has no second effect.
    pub key: String,
}

/// Fields that belong to the frame, not to the subject.
const OWN_FIELDS: [&str; 3] = [super::csrf::FIELD, "etag", "key"];

impl Form {
    /// A form with these values.
    pub fn new<'a>(values: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { values, key: new_key(), ..Self::default() }
    }

    /// The same, about a subject with this tag.
    pub fn about(self, etag: &str) -> Self {
        Self { etag: etag.to_owned(), ..self }
    }

    /// The same with another value of a field.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.values.retain(|(found, _)| found != name);
        self.values.push((name.to_owned(), value.into()));
        self
    }

    /// Every field with its value, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether a field whose name begins like this holds anything.
    pub fn has_any(&self, prefix: &str) -> bool {
        self.pairs().any(|(name, value)| name.starts_with(prefix) && !value.is_empty())
    }

    /// The same for another command.
    pub fn with_new_key(self) -> Self {
        Self { key: new_key(), ..self }
    }

    fn parse(body: &[u8]) -> Self {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
        let own = |name: &str| pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
        let (etag, key) = (own("etag").unwrap_or_default(), own("key").unwrap_or_default());
        let values = pairs.into_iter().filter(|(name, _)| !OWN_FIELDS.contains(&name.as_str())).collect();
        Self { values, etag, key, ..Self::default() }
    }

    /// The form again with what was typed. The next attempt is another command, so it gets another key.
    pub fn refused(self, problem: Problem) -> Self {
        Self { problem: Some(problem), key: new_key(), ..self }
    }

    /// The form again, where `stored` has what the subject holds now. If another change came first, both are shown and the
    /// next attempt overwrites it; else the form keeps its tag, so that a change that comes first later is not overwritten.
    pub fn refused_beside(self, problem: Problem, stored: Form) -> Self {
        if problem.is_stale() {
            let etag = stored.etag;
            Self { etag, current: Some(stored.values), ..self.refused(problem) }
        } else {
            self.refused(problem)
        }
    }

    /// What a field holds, or the empty text.
    pub fn value(&self, name: &str) -> &str {
        find(&self.values, name).unwrap_or_default()
    }

    /// The names of the fields.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|(name, _)| name.as_str())
    }

    /// Every value of a field with several.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.values.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The numbers of a field with several.
    pub fn numbers(&self, name: &str) -> Result<Vec<i64>, Problem> {
        let numbers = self.all(name).into_iter().map(str::parse).collect::<Result<_, _>>();
        numbers.map_err(|_| Problem::invalid(name, "must be whole numbers"))
    }

    /// The address from which the form was opened, as its field `back` has it: `list`, or what is below it.
    pub fn back(&self, list: &str) -> String {
        let address = self.value("back");
        let is_below = address.starts_with(list) && address.bytes().all(|byte| byte.is_ascii_graphic());
        if is_below { address.to_owned() } else { list.to_owned() }
    }

    /// Whether a field holds this value.
    pub fn is(&self, name: &str, value: &str) -> bool {
        self.value(name) == value
    }

    pub fn is_checked(&self, name: &str) -> bool {
        matches!(self.value(name), "true" | "on")
    }

    /// Why a field was refused.
    pub fn error(&self, name: &str) -> Option<String> {
        let errors = self.problem.as_ref()?.errors.iter();
        let messages: Vec<_> = errors.filter(|error| error.field == name).map(|error| error.message.as_str()).collect();
        (!messages.is_empty()).then(|| capitalized(&in_a_form(&messages.join("; "))))
    }

    /// What a field holds now, if it differs from what was typed.
    pub fn now(&self, name: &str) -> Option<&str> {
        let current = find(self.current.as_deref()?, name).unwrap_or_default();
        (current != self.value(name)).then_some(current)
    }

    /// Why the form was refused, without what its fields show.
    pub fn summary(&self) -> Option<String> {
        let problem = self.problem.as_ref()?;
        if problem.is_stale() {
            let text = "This was changed in the meantime, so your changes were not saved. The fields show what you typed, \
                        and below them what is stored now. Save again to overwrite it.";
            return Some(text.to_owned());
        }
        if problem.code == "idempotency_key_reused" {
            let text =
                "This form was already sent once, and its changes were saved. Save again to send what it shows now.";
            return Some(text.to_owned());
        }
        let elsewhere = problem.errors.iter().filter(|error| find(&self.values, &error.field).is_none());
        let texts: Vec<_> = elsewhere.map(|error| format!("{}: {}", error.field, error.message)).collect();
        Some(match (problem.errors.is_empty(), texts.is_empty()) {
            (true, _) => capitalized(&problem.detail),
            (false, true) => "Nothing was saved. Correct the marked fields.".to_owned(),
            (false, false) => texts.join("; "),
        })
    }

    /// A text for the API.
    pub fn text(&self, name: &str) -> Value {
        Value::from(self.value(name).trim())
    }

    /// A text for the API; `null` if the field is empty.
    pub fn optional(&self, name: &str) -> Value {
        if self.value(name).trim().is_empty() { Value::Null } else { self.text(name) }
    }

    /// A number for the API; `null` if the field is empty. What is no number stays a text, so that the API refuses it and
    /// names the field.
    pub fn number(&self, name: &str) -> Value {
        match self.value(name).trim().parse::<i64>() {
            Ok(number) => Value::from(number),
            Err(_) => self.optional(name),
        }
    }

    /// A switch for the API.
    pub fn flag(&self, name: &str) -> Value {
        Value::from(self.is_checked(name))
    }
}

fn find<'a>(values: &'a [(String, String)], name: &str) -> Option<&'a str> {
    values.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

fn new_key() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// What the API says about its JSON, for a reader who sees a field.
fn in_a_form(message: &str) -> String {
    message.replace(" in a string", "")
}

/// With a large first letter, as a sentence.
pub fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A field of an encoded form.
pub fn field_of(body: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(body).find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = Bytes::from_request(request, state).await.map_err(|_| unreadable())?;
        Ok(Self::parse(&body))
    }
}

/// A form with files.
#[derive(Debug, Default)]
pub struct Upload {
    fields: Vec<(String, String)>,
    pub files: Vec<Bytes>,
}

impl Upload {
    pub async fn read(headers: &HeaderMap, body: Bytes) -> Result<Self, Problem> {
        let mut request = Request::new(Body::from(body));
        *request.headers_mut() = headers.clone();
        // The layer of sessions has limited it already.
        DefaultBodyLimit::disable().apply(&mut request);
        Self::from_request(request, &()).await
    }

    pub fn field(&self, name: &str) -> Option<String> {
        find(&self.fields, name).map(str::to_owned)
    }
}

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let mut form = Multipart::from_request(request, state).await.map_err(|_| unreadable())?;
        let mut upload = Self::default();
        while let Some(part) = form.next_field().await.map_err(|_| unreadable())? {
            let (name, is_file) = (part.name().unwrap_or_default().to_owned(), part.file_name().is_some());
            let content = part.bytes().await.map_err(|_| unreadable())?;
            match is_file {
                // A browser sends an empty file if none was chosen.
                true if content.is_empty() => {}
                true => upload.files.push(content),
                false => upload.fields.push((name, String::from_utf8_lossy(&content).into_owned())),
            }
        }
        Ok(upload)
    }
}

fn unreadable() -> Problem {
    let detail = "The form did not arrive completely. Nothing was changed; send it again.";
    Problem::new(StatusCode::BAD_REQUEST, "unreadable_form", "The form cannot be read", detail)
}

#[cfg(test)]
mod tests;
