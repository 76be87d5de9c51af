//! Texts that were stored under earlier rules: names, references and e-mail addresses.

use axum::http::StatusCode;
use cartwright::domain::category::{Category, CategoryCommand};
use cartwright::domain::claim::{Claim, ClaimCommand};
use cartwright::domain::text::Name;
use cartwright::journal::{Actor, Context, Interrupt, UnitOfWork, UseCase};
use serde_json::{Value, json};

use crate::support::accounts::{ANOTHER, PASSWORD, token_in};
use crate::support::{TestShop, fresh_database};

/// Creates a category as programs of an earlier rule did: the name as typed, claimed in lower case.
struct CategoryOfEarlierRule(i64, &'static str);

impl UseCase for CategoryOfEarlierRule {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        let Self(category_id, name) = self;
        work.next_number::<Category>()?;
        work.execute::<Claim>(
            format!("category-name:{}", name.to_lowercase()),
            ClaimCommand::Take { holder: *category_id },
        )?;
        work.execute::<Category>(category_id, CategoryCommand::Create { name: Name::stored(*name), parent_id: None })
    }
}

/// Creates categories 1, 2, … of an earlier rule.
async fn create_categories(shop: &TestShop, names: &[&'static str]) {
    for (category_id, name) in (1..).zip(names) {
        run(shop, CategoryOfEarlierRule(category_id, name)).await;
    }
}

async fn run<U: UseCase>(shop: &TestShop, use_case: U) {
    let context = Context::of(Actor { id: "test".to_owned(), role: "admin" });
    shop.engine.journal.run(use_case, context).await.map(drop).unwrap();
}

/// Moves a claim to the id that programs of an earlier rule took.
struct MoveClaim {
    from: &'static str,
    to: &'static str,
    holder: i64,
}

impl UseCase for MoveClaim {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        work.execute::<Claim>(self.from, ClaimCommand::Release)?;
        work.execute::<Claim>(self.to, ClaimCommand::Take { holder: self.holder })
    }
}

#[tokio::test]
async fn names_of_an_earlier_rule_are_found_by_it_and_keep_working() {
    let shop = TestShop::new().await;
    let names = ["Straße", "Strasse", "Cafe\u{301}", "hid\u{202e}den"];
    create_categories(&shop, &names).await;
    for (typed, holder) in [("straße", 1), ("strasse", 2), ("STRASSE", 2), ("Café", 3), ("cafe\u{301}", 3)] {
        let product = json!({ "name": typed, "price": "1.00", "category": typed });
        let product = shop.done("products/", product).await["product_id"].clone();
        shop.settle().await;
        assert_eq!(shop.read(&format!("product/{product}/")).await["category"], names[holder - 1], "{typed}");
        let taken = shop.send("POST", "categories/", json!({ "category_name": typed }), &[]).await;
        assert_eq!(taken.problem(), "category_name_taken", "{typed}");
    }
    let renamed = shop.send("PATCH", "categories/4/", json!({ "category_name": "Open" }), &[]).await;
    assert_eq!(renamed.status, StatusCode::OK, "{}", renamed.body);
    let renamed = shop.send("PATCH", "categories/3/", json!({ "category_name": "Bar" }), &[]).await;
    assert_eq!(renamed.status, StatusCode::OK, "{}", renamed.body);
    shop.done("categories/", json!({ "category_name": "CAFÉ" })).await;
}

#[tokio::test]
async fn commands_and_filters_find_the_same_category_of_an_earlier_rule() {
    let shop = TestShop::new().await;
    create_categories(&shop, &["Café", "Cafe\u{301}", "Straße", "Strasse", "Weiß", "Cafe"]).await;
    for category in 1..=6 {
        let product = json!({ "name": format!("Product {category}"), "price": "1.00", "category": category });
        shop.done("products/", product).await;
    }
    // `Café` composed and decomposed are one text once they are parsed: the composed name is found.
    let cases = [("Caf%C3%A9", "Café", 1), ("CAFE%CC%81", "CAFE\u{301}", 1), ("cafe", "cafe", 6)];
    let cases =
        cases.into_iter().chain([("stra%C3%9Fe", "straße", 3), ("STRASSE", "STRASSE", 4), ("wei%C3%9F", "weiß", 5)]);
    for (filter, typed, category) in cases {
        shop.settle().await;
        let before = shop.read(&format!("products/?category={filter}")).await;
        let found = before.as_array().unwrap();
        assert_eq!((found.len(), &found[0]["name"]), (1, &json!(format!("Product {category}"))), "{typed}");
        let product = json!({ "name": "Added", "price": "1.00", "category": typed });
        let path = format!("product/{}/", shop.done("products/", product).await["product_id"]);
        shop.settle().await;
        let added = shop.read(&format!("products/?category={filter}")).await;
        assert_eq!(added.as_array().unwrap().len(), 2, "{typed}");
        assert_eq!(shop.send("DELETE", &path, Value::Null, &[]).await.status, StatusCode::NO_CONTENT);
    }
}

#[tokio::test]
async fn a_name_of_an_earlier_rule_is_free_once_its_category_is_renamed_or_deleted() {
    let shop = TestShop::new().await;
    create_categories(&shop, &["Weiß", "Cafe\u{301}"]).await;
    let name = |name: &str| json!({ "category_name": name });
    let renamed = shop.send("PATCH", "categories/1/", name("WEISS"), &[]).await;
    assert_eq!(renamed.status, StatusCode::OK, "{}", renamed.body);
    assert_eq!(shop.send("POST", "categories/", name("Weiß"), &[]).await.problem(), "category_name_taken");
    assert_eq!(shop.send("DELETE", "categories/1/", Value::Null, &[]).await.status, StatusCode::NO_CONTENT);
    shop.done("categories/", name("Weiß")).await;

    // A spelling that shares the earlier id keeps it.
    let renamed = shop.send("PATCH", "categories/2/", name("CAFÉ"), &[]).await;
    assert_eq!(renamed.status, StatusCode::OK, "{}", renamed.body);
    assert_eq!(shop.send("POST", "categories/", name("café"), &[]).await.problem(), "category_name_taken");
    assert_eq!(shop.send("DELETE", "categories/2/", Value::Null, &[]).await.status, StatusCode::NO_CONTENT);
    shop.done("categories/", name("café")).await;
}

#[tokio::test]
async fn a_sku_of_an_earlier_rule_is_free_once_its_product_has_another() {
    let shop = TestShop::new().await;
    shop.category("Kitchen").await;
    let product = |sku: &str| json!({ "name": "Paint", "price": "1.00", "category": "Kitchen", "sku": sku });
    let first = shop.done("products/", product("Weiß")).await["product_id"].as_i64().unwrap();
    run(&shop, MoveClaim { from: "product-sku:weiss", to: "product-sku:weiß", holder: first }).await;
    let path = format!("product/{first}/");
    for sku in [json!("WEISS"), Value::Null] {
        let changed = shop.send("PATCH", &path, json!({ "sku": sku }), &[]).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    }
    shop.done("products/", product("Weiß")).await;
}

#[tokio::test]
async fn a_decomposed_reference_of_an_earlier_rule_is_found_by_the_same_request() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "10.00", 5).await;
    let order = json!({ "reference": "E\u{301}-1", "lines": [{ "product_id": product, "quantity": 1 }] });
    let first = shop.done("orders/", order.clone()).await["order_id"].as_i64().unwrap();
    run(&shop, MoveClaim { from: "order-reference:é-1", to: "order-reference:E\u{301}-1", holder: first }).await;
    let again = shop.send("POST", "orders/", order, &[]).await;
    assert_eq!((again.status, &again.body["order_id"]), (StatusCode::OK, &json!(first)), "{}", again.body);
}

#[tokio::test]
async fn an_address_that_was_stored_in_other_letters_has_one_owner_who_can_log_in() {
    let connect = fresh_database().await;
    let earlier = TestShop::on(connect.clone()).await;
    earlier.member("Jo").await;
    for table in ["customer_profile", "account"] {
        let update = format!("update {table} set email = 'jo@bücher.example' where email = 'jo@example.com'");
        assert_eq!(sqlx::query(&update).execute(&earlier.pool).await.unwrap().rows_affected(), 1);
    }
    let two = ["jo@müller.example", "jo@xn--mller-kva.example"];
    for (email, customer) in two.iter().zip([earlier.customer("Ada").await, earlier.customer("Bruno").await]) {
        let update = "update customer_profile set email = $1 where customer_id = $2";
        sqlx::query(update).bind(email).bind(customer).execute(&earlier.pool).await.unwrap();
    }

    // A shop of an earlier version has not done this work.
    sqlx::query("delete from completed_work").execute(&earlier.pool).await.unwrap();
    let shop = TestShop::on(connect.clone()).await;
    let ascii = "jo@xn--bcher-kva.example";
    for email in ["jo@bücher.example", "JO@BÜCHER.example", ascii] {
        assert_eq!(shop.log_in(email, PASSWORD).await.status, StatusCode::OK, "{email}");
        let person = json!({ "first_name": "Jo", "email": email });
        assert_eq!(shop.post("customers/", person.clone()).await.problem(), "email_taken", "{email}");
        let user = json!({ "email": email, "role": "reader" });
        assert_eq!(shop.post("users/", user).await.problem(), "email_taken", "{email}");
    }
    shop.post("auth/register/", json!({ "first_name": "Jo", "email": "jo@bücher.example" })).await;
    assert!(shop.mails(ascii, 1).await[0].contains("You already have an account"));
    shop.post("auth/reset/", json!({ "email": "jo@bücher.example" })).await;
    let token = token_in(&shop.mails(ascii, 2).await[1]);
    let reset = shop.post("auth/reset/confirm/", json!({ "token": token, "new_password": ANOTHER })).await;
    assert_eq!(reset.status, StatusCode::NO_CONTENT, "{}", reset.body);
    assert_eq!(shop.log_in("jo@bücher.example", ANOTHER).await.status, StatusCode::OK);
    // Two owners of before stay as they are.
    let stored = "select email from customer_profile where email like '%ller%' order by customer_id";
    let stored: Vec<String> = sqlx::query_scalar(stored).fetch_all(&shop.pool).await.unwrap();
    assert_eq!(stored, two);
    // It is done once: the next start reads no address.
    sqlx::query("update customer_profile set email = 'jo@tüte.example' where email = $1")
        .bind(two[1])
        .execute(&shop.pool)
        .await
        .unwrap();
    TestShop::on(connect).await;
    let kept = "select count(*) from customer_profile where email = 'jo@tüte.example'";
    assert_eq!(sqlx::query_scalar::<_, i64>(kept).fetch_one(&shop.pool).await.unwrap(), 1);
}
