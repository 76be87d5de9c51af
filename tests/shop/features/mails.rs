//! Mails to buyers about their orders, and mails that cannot be sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use cartwright::mail::{Mail, MailConfig, Mailer, OrderMails, Templates, check};
use cartwright::payments::Currency;
use cartwright::reactors::{Reaction, Reactor, Reactors, RecordedEvent};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::support::TestShop;
use crate::support::guests::as_guest;
use crate::support::reactors::{eventually, start_all, wait_until_drained};

const ADA: &str = "ada@example.com";

fn config(shop: &TestShop, smtp_url: Option<String>) -> MailConfig {
    MailConfig {
        smtp_url,
        folder: shop.mail_dir.clone(),
        folder_max: 0,
        from: "The Shop <orders@shop.example.com>".to_owned(),
        public_url: "https://shop.example.com".to_owned(),
    }
}

fn order_mails(shop: &TestShop, smtp_url: Option<String>, templates: Templates) -> OrderMails {
    OrderMails::new(
        shop.pool.clone(),
        Mailer::new(&config(shop, smtp_url), shop.engine.journal.clock()),
        templates,
        Currency::EUR,
    )
}

async fn start(shop: &TestShop) -> Reactors {
    start_all(shop, vec![Arc::new(order_mails(shop, None, Templates::default()))]).await
}

/// The number of all mails.
fn count(shop: &TestShop) -> usize {
    std::fs::read_dir(&shop.mail_dir).into_iter().flatten().count()
}

/// The mail as a reader sees it, without the folds of its transport.
fn unfolded(mail: &str) -> String {
    mail.replace("=\r\n", "").replace("=3D", "=").replace("\r\n", "\n")
}

fn header<'mail>(mail: &'mail str, name: &str) -> &'mail str {
    let line = mail.lines().find(|line| line.starts_with(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in {mail}")).split_once(": ").unwrap().1
}

async fn parked(shop: &TestShop) -> Value {
    eventually("a parked mail", async || {
        let parked = shop.read("reactions/?state=parked").await;
        (parked != json!([])).then(|| parked[0].clone())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn buyers_get_a_mail_at_each_step_in_text_and_html() {
    let shop = TestShop::new().await;
    let reactors = start(&shop).await;
    let product = shop.product("Kettle <1 l> & lid", "20.00", 50).await;
    let ada = shop.customer("Ada").await;
    shop.add(ada, product, 2).await;
    let order = shop.check_out(ada).await.body["order_id"].clone();
    let placed = unfolded(&shop.mails(ADA, 1).await[0]);
    assert_eq!(header(&placed, "Subject"), format!("Your order {order}"));
    assert_eq!(header(&placed, "Auto-Submitted"), "auto-generated");
    assert!(header(&placed, "Message-ID").ends_with("@shop.example.com>"), "{placed}");
    assert!(header(&placed, "Content-Type").starts_with("multipart/alternative"), "{placed}");
    let (text, html) = placed.split_once("Content-Type: text/html").unwrap();
    assert!(text.contains("Hello,\n") && text.contains("\nOrdered by: Ada Miller\n"), "{text}");
    assert!(text.contains("2 x Kettle <1 l> & lid, 20.00 each: 40.00\n\n  Total: 40.00 EUR\n"), "{text}");
    assert!(html.contains("Kettle &lt;1 l&gt; &amp; lid"), "{html}");

    let one = json!([{ "line": 1, "quantity": 1 }]);
    shop.done(&format!("order/{order}/cancel/"), json!({ "lines": one, "reason": "one is broken" })).await;
    let cancelled = unfolded(&shop.mails(ADA, 2).await[1]);
    assert_eq!(header(&cancelled, "Subject"), format!("Items of your order {order} have been cancelled"));
    let (text, html) = cancelled.split_once("text/html").unwrap();
    assert!(text.contains("will not be delivered:\n\n  1 x Kettle <1 l> & lid\n\nYou need not"), "{text}");
    assert!(text.contains("Reason: one is broken\n"), "{text}");
    assert!(html.contains("<li>1 x Kettle &lt;1 l&gt; &amp; lid</li>"), "{html}");

    shop.done(&format!("order/{order}/cancel/"), json!({ "reason": "out of fashion" })).await;
    let cancelled = unfolded(&shop.mails(ADA, 3).await[2]);
    assert_eq!(header(&cancelled, "Subject"), format!("Your order {order} has been cancelled"));
    assert!(
        cancelled.contains("has been cancelled.\n") && cancelled.contains("\nReason: out of fashion\n"),
        "{cancelled}"
    );
    wait_until_drained(&shop).await;
    assert_eq!(count(&shop), 3);

    // Where nothing is due any more, no payment is confirmed.
    let gift = shop.product("Gift", "0.00", 50).await;
    shop.add(ada, product, 1).await;
    shop.add(ada, gift, 1).await;
    let order = shop.check_out(ada).await.body["order_id"].clone();
    shop.done(&format!("order/{order}/cancel/"), json!({ "lines": [{ "line": 1, "quantity": 1 }] })).await;
    assert_eq!(shop.read(&format!("order/{order}/summary/")).await["payment"], "paid");
    wait_until_drained(&shop).await;
    assert_eq!(count(&shop), 5, "one for the new order, one for the cancelled unit");
    reactors.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_gets_mails_at_the_given_address_until_it_is_erased() {
    let shop = TestShop::new().await;
    let reactors = start(&shop).await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let fees = json!({ "fees": [{ "country": null, "from": "0.00", "fee": "4.90" }] });
    assert_eq!(shop.send("PUT", "pricing/shipping/", fees, &[]).await.status, StatusCode::OK);
    let cart = shop.guest_cart(product).await;
    let mut body = as_guest("Jo");
    body["payment_method"] = json!("invoice");
    body["shipping_address"]["line2"] = json!("<second> door");
    let order = shop.send_without_token("POST", &format!("{cart}checkout/"), body).await.body["order_id"].clone();
    let to = "jo@example.com";
    let placed = unfolded(&shop.mails(to, 1).await[0]);
    let (text, html) = placed.split_once("text/html").unwrap();
    assert!(
        text.contains("Shipping address:\n\n  Jo Miller\n  12 Mill Lane\n  <second> door\n  AB1 2CD Milltown\n  GB\n"),
        "{text}"
    );
    assert!(text.contains("Payment method: invoice. Please pay by "), "{text}");
    assert!(html.contains("&lt;second&gt; door<br>"), "{html}");
    assert!(text.contains("20.00 each: 20.00\n  Shipping: 4.90\n\n  Total: 24.90 EUR\n"), "{text}");

    shop.done(&format!("order/{order}/pay/"), json!({})).await;
    assert!(unfolded(&shop.mails(to, 2).await[1]).contains("we have received 24.90 EUR for your order"));
    shop.done(&format!("order/{order}/process/"), json!({})).await;
    shop.done(&format!("order/{order}/ship/"), json!({ "carrier": "UPS", "tracking_number": "1Z 9" })).await;
    let sent = unfolded(&shop.mails(to, 3).await[2]);
    let (text, html) = sent.split_once("text/html").unwrap();
    assert!(
        text.contains("  1 x Kettle\n\nUPS, tracking number 1Z 9\nhttps://www.ups.com/track?tracknum=1Z%209\n"),
        "{text}"
    );
    assert!(html.contains("<li>1 x Kettle</li>"), "{html}");
    shop.done(&format!("order/{order}/refund/"), json!({ "amount": "5.00" })).await;
    assert!(unfolded(&shop.mails(to, 4).await[3]).contains("we have refunded 5.00 EUR for your order"));

    shop.done(&format!("order/{order}/deliver/"), json!({})).await;
    let forgotten = shop.send("DELETE", &format!("order/{order}/contact/"), Value::Null, &[]).await;
    assert_eq!(forgotten.status, StatusCode::NO_CONTENT);
    shop.done(&format!("order/{order}/refund/"), json!({ "amount": "6.00" })).await;
    wait_until_drained(&shop).await;
    assert_eq!(count(&shop), 4);
    assert_eq!(shop.read("reactions/?state=parked").await, json!([]));
    reactors.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_orders_and_erased_people_get_no_mail() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let (ada, bruno) = (shop.customer("Ada").await, shop.customer("Bruno").await);
    start(&shop).await.stop().await;
    let lines = json!([{ "product_id": product, "quantity": 1 }]);
    let past = json!({ "customer_id": ada, "lines": lines, "placed_at": "2026-01-31T10:00:00Z" });
    let order = shop.done("orders/", past).await["order_id"].clone();
    shop.done(&format!("order/{order}/cancel/"), json!({})).await;
    shop.done("orders/", json!({ "customer_id": ada, "lines": lines, "reference": "R-17" })).await;
    // A guest without an e-mail address.
    shop.done("orders/", json!({ "lines": lines })).await;
    shop.add(bruno, product, 1).await;
    let order = shop.check_out(bruno).await.body["order_id"].clone();
    shop.done(&format!("order/{order}/cancel/"), json!({})).await;
    let erased = shop.send("DELETE", &format!("customer/{bruno}/"), Value::Null, &[]).await;
    assert_eq!(erased.status, StatusCode::NO_CONTENT);
    // An order whose buyer gets a mail, which proves that mails are sent.
    shop.done("orders/", json!({ "customer_id": ada, "lines": lines })).await;
    let reactors = start(&shop).await;
    shop.mails(ADA, 1).await;
    wait_until_drained(&shop).await;
    assert_eq!(count(&shop), 1);
    assert_eq!(shop.read("reactions/?state=parked").await, json!([]));
    reactors.stop().await;
}

#[tokio::test]
async fn a_mail_that_is_sent_twice_has_one_message_id() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let ada = shop.customer("Ada").await;
    for _ in 0..2 {
        shop.add(ada, product, 1).await;
        shop.check_out(ada).await;
    }
    let events: Vec<RecordedEvent> =
        sqlx::query_as("select * from events where event_type = 'OrderPlaced' order by position")
            .fetch_all(&shop.pool)
            .await
            .unwrap();
    let mails = order_mails(&shop, None, Templates::default());
    for place in [0, 0, 1] {
        let reaction = Reaction { event: events[place].clone(), target: String::new(), attempt: 1 };
        mails.react(&reaction).await.unwrap();
    }
    let mails = shop.mails(ADA, 3).await;
    let mut ids: Vec<_> = mails.iter().map(|mail| header(mail, "Message-ID").trim()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 2, "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_template_parks_its_mails_and_a_corrected_one_sends_them() {
    let shop = TestShop::new().await;
    assert!(check(&Templates::default()).is_empty(), "{:?}", check(&Templates::default()));
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("order_placed.txt", "Dear {{ name }}\n{{ order.colour }}\n");
    write("order_placd.txt", "never used");
    let templates = Templates::new(Some(folder.path().to_owned()));
    let problems: Vec<_> = check(&templates).iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("undefined value in order_placed.txt, line 2"), "{problems:?}");
    assert!(problems[1].contains("unknown template order_placd.txt"), "{problems:?}");

    let reactors = start_all(&shop, vec![Arc::new(order_mails(&shop, None, templates))]).await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let ada = shop.customer("Ada").await;
    shop.add(ada, product, 1).await;
    let order = shop.check_out(ada).await.body["order_id"].clone();
    let waiting = parked(&shop).await;
    assert!(waiting["reason"].as_str().unwrap().contains("order_placed.txt, line 2"), "{waiting}");
    // Other mails are still sent.
    shop.done(&format!("order/{order}/cancel/"), json!({})).await;
    assert!(shop.mails(ADA, 1).await[0].contains("has been cancelled"));

    write("order_placed.txt", "Dear {{ name }}\n");
    shop.done(&format!("reactions/{}/retry/", waiting["reaction_id"]), Value::Null).await;
    let mails = shop.mails(ADA, 2).await;
    let (text, html) = mails[1].split_once("text/html").unwrap();
    assert!(text.contains("Dear Ada Miller") && !text.contains("Hello"), "{text}");
    assert!(html.contains("Ordered by: Ada Miller"), "{html}");
    reactors.stop().await;
}

/// An SMTP server: its reply to each recipient in turn, and the mails that it accepted.
struct Stub {
    answers: Mutex<VecDeque<&'static str>>,
    taken: Mutex<Vec<String>>,
}

impl Stub {
    /// The server and its address.
    async fn start(answers: &[&'static str]) -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let stub = Arc::new(Self { answers: Mutex::new(answers.iter().copied().collect()), taken: Mutex::default() });
        let server = Arc::clone(&stub);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = Arc::clone(&server);
                tokio::spawn(async move { server.talk(stream).await });
            }
        });
        (stub, url)
    }

    async fn talk(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let (reader, mut writer) = stream.split();
        let mut lines = BufReader::new(reader).lines();
        writer.write_all(b"220 stub\r\n").await?;
        while let Some(line) = lines.next_line().await? {
            let answer = match line.get(..4).unwrap_or_default() {
                "RCPT" => self.answers.lock().unwrap().pop_front().unwrap_or("250 ok").to_owned(),
                "DATA" => {
                    writer.write_all(b"354 send it\r\n").await?;
                    let mut mail = String::new();
                    while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                        mail.push_str(&line);
                        mail.push('\n');
                    }
                    self.taken.lock().unwrap().push(mail);
                    "250 taken".to_owned()
                }
                "QUIT" => "221 bye".to_owned(),
                _ => "250 ok".to_owned(),
            };
            writer.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_retried_after_a_temporary_failure_and_parked_after_a_refusal() {
    let shop = TestShop::new().await;
    let (stub, url) = Stub::start(&["451 ada@example.com is busy", "250 ok", "550 no such ada@example.com"]).await;
    let reactors = start_all(&shop, vec![Arc::new(order_mails(&shop, Some(url), Templates::default()))]).await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let ada = shop.customer("Ada").await;
    shop.add(ada, product, 1).await;
    let order = shop.check_out(ada).await.body["order_id"].clone();
    let taken = || stub.taken.lock().unwrap().clone();
    eventually("the mail", async || (!taken().is_empty()).then_some(())).await;
    assert!(taken()[0].contains(&format!("Subject: Your order {order}")), "{:?}", taken());
    assert_eq!(stub.answers.lock().unwrap().len(), 1, "the first attempt was turned away");

    shop.done(&format!("order/{order}/cancel/"), json!({})).await;
    let waiting = parked(&shop).await;
    let reason = waiting["reason"].as_str().unwrap();
    assert!(reason.contains("the SMTP server refused it") && !reason.contains("ada"), "{reason}");
    assert_eq!((taken().len(), count(&shop)), (1, 0));
    shop.done(&format!("reactions/{}/retry/", waiting["reaction_id"]), Value::Null).await;
    eventually("the second mail", async || (taken().len() == 2).then_some(())).await;
    assert!(taken()[1].contains("has been cancelled"), "{:?}", taken());
    reactors.stop().await;
}

#[tokio::test]
async fn the_mail_folder_keeps_the_newest_mails_up_to_its_limit() {
    let shop = TestShop::new().await;
    std::fs::create_dir_all(&shop.mail_dir).unwrap();
    for age in 1..=5 {
        let file = std::fs::File::create(shop.mail_dir.join(format!("{age}.eml"))).unwrap();
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60 * age)).unwrap();
    }
    let config = MailConfig { folder_max: 3, ..config(&shop, None) };
    let mail = Mail { to: ADA.to_owned(), subject: "Hello".to_owned(), text: "Hello".to_owned(), html: None, id: None };
    Mailer::new(&config, shop.engine.journal.clock()).send(&mail).await.unwrap();
    let left = |name: &str| shop.mail_dir.join(name).exists();
    assert_eq!([left("1.eml"), left("2.eml"), left("3.eml")], [true, true, false]);
    assert_eq!(std::fs::read_dir(&shop.mail_dir).unwrap().count(), 3);
}
