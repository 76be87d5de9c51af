//! Checks of the templates at start: each must render, and must not begin with text that a buyer may have written.

use serde_json::{Value, json};

use super::order_mails::MAILS;
use super::{Rendered, TemplateError, Templates};

/// Placeholder for text that a buyer may have written.
const BUYER_TEXT: &str = "Jo Miller";

/// Checks the templates by rendering each for an order with every optional part. Returns the problems found.
pub fn check(templates: &Templates) -> Vec<TemplateError> {
    let context = example();
    let mut errors = Vec::new();
    for (_, name) in MAILS {
        match templates.render(name, &context) {
            Ok(mail) => errors.extend(leading_texts(name, &mail)),
            Err(error) => errors.push(error),
        }
    }
    errors.extend(templates.unknown_files());
    errors
}

/// The parts of a mail that begin with a buyer's text: strangers could have the shop mail it to any address.
fn leading_texts(name: &str, mail: &Rendered) -> Vec<TemplateError> {
    let body = mail.html.split_once("<body").map_or(mail.html.as_str(), |(_, body)| body);
    let html = without_tags(body);
    let parts = [("subject.txt", mail.subject.as_str()), ("txt", mail.text.as_str()), ("html", html.as_str())];
    let leading = parts.into_iter().filter(|(_, text)| {
        let first = text.lines().map(str::trim).find(|line| !line.is_empty());
        first.is_some_and(|line| line.contains(BUYER_TEXT))
    });
    leading.map(|(kind, _)| TemplateError::LeadingText(format!("{name}.{kind}"))).collect()
}

/// The text of HTML, with a line per element.
fn without_tags(html: &str) -> String {
    let mut in_tag = html.starts_with(|letter: char| letter != '<');
    let mut text = String::new();
    for letter in html.chars() {
        match letter {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                text.push('\n');
            }
            letter if !in_tag => text.push(letter),
            _ => {}
        }
    }
    text
}

fn example() -> Value {
    let address = json!({
        "name": BUYER_TEXT, "line1": "12 Mill Lane", "line2": "Mill", "postal_code": "AB1 2CD", "city": "Milltown",
        "region": "Millshire", "country": "GB",
    });
    let line = json!({
        "line": 1, "product_id": 1, "product_name": "Kettle", "quantity": 2, "unit_price": "19.90", "subtotal": "39.80",
    });
    json!({
        "shop": { "url": "https://shop.example.com", "currency": "EUR" },
        "name": BUYER_TEXT,
        "order": {
            "order_id": "17", "placed_on": "1 May 2026", "total": "39.80", "lines": [line],
            "pricing": {
                "subtotal": "39.80", "discount": "4.90", "discount_code": "SPRING", "shipping": "4.90", "tax": "6.35",
                "prices_include_tax": true,
            },
            "payment_method": "invoice",
            "pay_by": "15 May 2026", "shipping_address": address, "billing_address": address,
        },
        "event": {
            "amount": "39.80", "due": "10.00", "reason": BUYER_TEXT, "carrier": "Post", "tracking_number": "123",
            "tracking_url": "https://example.com/123", "lines": [line],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_that_begins_with_a_buyers_text_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let problems = || {
            let problems = check(&Templates::new(Some(folder.path().to_owned())));
            problems.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(problems(), Vec::<String>::new(), "the built-in templates");
        write("order_paid.subject.txt", "Thank you, {{ name }}\n");
        write("order_paid.txt", "\n  {{ name }}, thank you\n");
        write("order_cancelled.html", "<html><body style='x'>\n<p>{{ event.reason }}</p></body></html>");
        write("order_shipment_sent.txt", "Hello,\n\n{{ name }}\n");
        let found = problems();
        assert_eq!(found.len(), 3, "{found:?}");
        for (found, file) in found.iter().zip(["order_paid.subject.txt", "order_paid.txt", "order_cancelled.html"]) {
            assert!(found.contains(file) && found.contains("a buyer may have written"), "{found}");
        }
    }
}
