//! Templates of mails: built in, and each file can be replaced by a file of the same name in a folder.
//!
//! A mail has three templates, `<name>.subject.txt`, `<name>.txt` and `<name>.html`, and the files that they include or
//! extend. Values are escaped in HTML. An undefined variable is an error. Whatever a buyer may have written comes in a
//! form that does not become a link (`free_text`), so that replaced templates are as safe as the built-in ones.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::Serialize;
use thiserror::Error;

/// The templates of mails. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Templates {
    folder: Option<PathBuf>,
    /// The parsed built-in templates, used if there is no folder.
    built_in: Arc<OnceLock<Environment<'static>>>,
}

/// The content of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Why a template cannot be used.
#[derive(Debug, Error)]
pub enum TemplateError {
    /// Names the file and the line.
    #[error("invalid template: {0}")]
    Broken(String),
    /// Strangers may cause mails to any address, so their text must not look like the shop's.
    #[error("{0} begins with text that a buyer may have written; begin with a text of the shop")]
    LeadingText(String),
    #[error("unknown template {0}: no built-in template has this name")]
    Unknown(String),
    #[error("cannot read the template {file}: {error}")]
    Unreadable { file: String, error: std::io::Error },
}

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        /// All files with their contents.
        const BUILT_IN: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../templates/mail/", $name)))),*];
    };
}

built_in![
    "address.html",
    "address.txt",
    "layout.html",
    "lines.html",
    "lines.txt",
    "order_cancelled.html",
    "order_cancelled.subject.txt",
    "order_cancelled.txt",
    "order_paid.html",
    "order_paid.subject.txt",
    "order_paid.txt",
    "order_partially_paid.html",
    "order_partially_paid.subject.txt",
    "order_partially_paid.txt",
    "order_placed.html",
    "order_placed.subject.txt",
    "order_placed.txt",
    "order_refunded.html",
    "order_refunded.subject.txt",
    "order_refunded.txt",
    "order_shipment_sent.html",
    "order_shipment_sent.subject.txt",
    "order_shipment_sent.txt",
    "order_units_cancelled.html",
    "order_units_cancelled.subject.txt",
    "order_units_cancelled.txt",
];

/// The most instructions that a template may execute: more than a mail with 500 lines needs, and few enough that a
/// faulty template cannot block the shop.
const FUEL: u64 = 1_000_000;

impl Templates {
    /// The built-in templates, with those files replaced that `folder` contains.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, ..Self::default() }
    }

    /// Renders a mail. Files of the folder are read for each mail, so a corrected one takes effect without a restart.
    pub fn render(&self, name: &str, context: &impl Serialize) -> Result<Rendered, TemplateError> {
        let environment = match &self.folder {
            Some(_) => &self.load_templates()?,
            None => match self.built_in.get() {
                Some(environment) => environment,
                None => {
                    let environment = self.load_templates()?;
                    self.built_in.get_or_init(|| environment)
                }
            },
        };
        let context = Value::from(Serde(context));
        let render = |kind: &str| {
            let template = environment.get_template(&format!("{name}.{kind}"))?;
            template.render(context.clone())
        };
        let subject = render("subject.txt").map_err(|error| describe_error(&error))?;
        Ok(Rendered {
            // A single line, whatever a buyer's name contains.
            subject: subject.split_whitespace().collect::<Vec<_>>().join(" "),
            text: render("txt").map_err(|error| describe_error(&error))?,
            html: render("html").map_err(|error| describe_error(&error))?,
        })
    }

    /// Reports files in the folder that have no built-in counterpart.
    pub(super) fn unknown_files(&self) -> Vec<TemplateError> {
        let entries = self.folder.as_ref().and_then(|folder| std::fs::read_dir(folder).ok());
        let names = entries.into_iter().flatten().flatten().map(|entry| entry.file_name());
        let strange = names.filter(|found| !BUILT_IN.iter().any(|(name, _)| found == name));
        strange.map(|name| TemplateError::Unknown(name.to_string_lossy().into_owned())).collect()
    }

    fn load_templates(&self) -> Result<Environment<'static>, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_auto_escape_callback(|name| match Path::new(name).extension() {
            Some(extension) if extension == "html" => AutoEscape::Html,
            _ => AutoEscape::None,
        });
        environment.set_fuel(Some(FUEL));
        environment.set_syntax(block_syntax()?);
        for (name, built_in) in BUILT_IN {
            let source = self.read_replacement(name)?.unwrap_or_else(|| (*built_in).to_owned());
            environment.add_template_owned(*name, source).map_err(|error| describe_error(&error))?;
        }
        Ok(environment)
    }

    fn read_replacement(&self, name: &str) -> Result<Option<String>, TemplateError> {
        let Some(folder) = &self.folder else { return Ok(None) };
        match std::fs::read_to_string(folder.join(name)) {
            Ok(source) => Ok(Some(source)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(TemplateError::Unreadable { file: name.to_owned(), error }),
        }
    }
}

/// A line that consists of a block tag produces no output line.
fn block_syntax() -> Result<SyntaxConfig, TemplateError> {
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    syntax.build().map_err(|error| describe_error(&error))
}

/// Describes an error and its place, without values, which may be personal.
fn describe_error(error: &minijinja::Error) -> TemplateError {
    let place = match (error.name(), error.line()) {
        (Some(name), Some(line)) => format!(" in {name}, line {line}"),
        _ => String::new(),
    };
    TemplateError::Broken(format!("{}{place}", error.kind()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/mail");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<_> = files.collect();
        files.sort();
        assert_eq!(files, BUILT_IN.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }

    #[test]
    fn a_file_replaces_its_built_in_template_and_an_error_names_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let templates = Templates::new(Some(folder.path().to_owned()));
        let context = json!({
            "shop": { "url": "https://shop.example.com", "currency": "EUR" }, "name": "<b>Jo</b>\r\nBcc: all@example.com",
            "order": { "order_id": 7, "placed_on": "1 May 2026" }, "event": { "amount": "12.50" },
        });
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("order_paid.subject.txt", "Paid by {{ name }}\n");
        let mail = templates.render("order_paid", &context).unwrap();
        assert_eq!(mail.subject, "Paid by <b>Jo</b> Bcc: all@example.com", "one line, and nothing but text");
        write("order_paid.html", "<p>Thank you, {{ name }}</p>");
        let mail = templates.render("order_paid", &context).unwrap();
        assert!(mail.html.contains("&lt;b&gt;Jo") && !mail.html.contains("<b>Jo"), "{}", mail.html);
        assert!(mail.text.contains("we have received 12.50 EUR for your order 7"), "{}", mail.text);

        for (text, expected) in [
            ("one\n{{ missing }}", "undefined value in order_paid.txt, line 2"),
            ("{% if %}", "syntax error"),
            ("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", "ran out of fuel"),
        ] {
            write("order_paid.txt", text);
            let error = templates.render("order_paid", &context).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        std::fs::write(folder.path().join("order_paid.txt"), [0xff, 0xfe]).unwrap();
        let error = templates.render("order_paid", &context).unwrap_err().to_string();
        assert!(error.contains("cannot read the template order_paid.txt"), "{error}");
    }
}
