use serde_json::json;

use super::*;
use crate::admin::api::FieldProblem;

fn problem(status: u16, errors: &[(&str, &str)]) -> Problem {
    let errors =
        errors.iter().map(|(field, message)| FieldProblem { field: (*field).into(), message: (*message).into() });
    Problem { status, detail: "the category has products".to_owned(), errors: errors.collect(), ..Problem::default() }
}

#[test]
fn a_form_keeps_what_was_typed_and_shows_errors_at_their_fields() {
    let form = Form::parse(b"name=+Tea+pot&price=abc&csrf=x&etag=%223%22&key=k1&ids=1&ids=2");
    assert_eq!((form.etag.as_str(), form.key.as_str()), ("\"3\"", "k1"));
    assert_eq!((form.text("name"), form.value("csrf")), (json!("Tea pot"), ""));
    assert_eq!(form.all("ids"), ["1", "2"]);
    let form = form.refused(problem(400, &[("price", "must be a decimal number in a string"), ("sku", "is taken")]));
    assert_eq!((form.value("name"), form.value("price")), (" Tea pot", "abc"));
    assert_eq!(form.error("price").as_deref(), Some("Must be a decimal number"));
    assert_eq!(form.error("name"), None);
    assert_eq!(form.summary().as_deref(), Some("sku: is taken"), "the form has no such field");
    assert_ne!(form.key, "k1", "the next attempt is another command");
}

#[test]
fn a_rule_without_a_field_is_explained_above_the_form() {
    let form = Form::new([("name", "Tea".to_owned())]).refused(problem(409, &[]));
    assert_eq!(form.summary().as_deref(), Some("The category has products"));
    let form = Form::new([("name", String::new())]).refused(problem(400, &[("name", "is required")]));
    assert_eq!(form.summary().as_deref(), Some("Nothing was saved. Correct the marked fields."));
}

#[test]
fn a_stale_form_shows_both_values() {
    let typed = Form::parse(b"name=Mine&note=same&etag=%223%22");
    let current = Form::new([("name", "Theirs".to_owned()), ("note", "same".to_owned())]).about("\"4\"");
    let form = typed.clone().refused_beside(problem(412, &[]), current.clone());
    assert_eq!((form.value("name"), form.now("name"), form.now("note")), ("Mine", Some("Theirs"), None));
    assert_eq!(form.etag, "\"4\"", "saving again overwrites what was read just now");
    let form = typed.refused_beside(problem(409, &[]), current);
    assert_eq!((form.now("name"), form.etag.as_str()), (None, "\"3\""), "saving again overwrites nothing unseen");
}

#[test]
fn values_become_json_of_the_type_that_the_api_expects() {
    let form = Form::parse(b"stock=12&weight=&count=1.5&on_sale=true&brand=+");
    assert_eq!((form.number("stock"), form.number("weight")), (json!(12), json!(null)));
    assert_eq!(form.number("count"), json!("1.5"), "the API names the field");
    assert_eq!((form.flag("on_sale"), form.flag("absent")), (json!(true), json!(false)));
    assert_eq!((form.optional("brand"), form.text("brand")), (json!(null), json!("")));
}

#[test]
fn a_number_that_is_none_is_refused_and_not_left_out() {
    assert_eq!(Form::parse(b"ids=3&ids=1").numbers("ids").unwrap(), [3, 1]);
    let problem = Form::parse(b"ids=3&ids=x").numbers("ids").unwrap_err();
    assert_eq!(problem.errors[0].field, "ids");
}

#[test]
fn the_way_back_is_the_list_with_its_filters_and_nothing_else() {
    let back = |address: &str| Form::new([("back", address.to_owned())]).back("/admin/orders");
    for own in ["/admin/orders?city=Leeds&after=%C3%A9", "/admin/orders/short"] {
        assert_eq!(back(own), own);
    }
    for end in ["?a\r\nSet-Cookie: x=1", "?q=\u{e9}", "?\0"] {
        assert_eq!(back(&format!("/admin/orders{end}")), "/admin/orders", "{end:?}");
    }
    for other in ["", "?city=Leeds", "//elsewhere.example", "/admin/users"] {
        assert_eq!(back(other), "/admin/orders", "{other:?}");
    }
}
