//! Side writes: a broken constraint refuses its command, with the refusal of the noun, and spares the neighbours.

use cartwright::domain::account::{LinkHash, PasswordHash, Role};
use cartwright::domain::customer::Country;
use cartwright::domain::ids::{AccountId, AddressId, CartId, CustomerId};
use cartwright::domain::metadata::Metadata;
use cartwright::domain::refusal::Refusal;
use cartwright::domain::text::{Email, Name};
use cartwright::journal::{Actor, CommandError, Context, Interrupt, SideWrite, UnitOfWork, UseCase};
use cartwright::shop::{
    ChangeCustomer, ChangeEmail, ChangePassword, Checkout, ConfirmRegistration, Destination, KnownAddress, OpenAccount,
    Recipients, RegisterCustomer,
};
use serde::Serialize;

use crate::support::TestShop;
use crate::support::guests::address;

impl TestShop {
    /// Runs a use case beside a category that shares its batch, and returns the refusal.
    async fn refusal(&self, use_case: impl UseCase) -> Refusal {
        let context = Context::of(Actor { id: "test".to_owned(), role: "admin" });
        let name = format!("Category {}", self.engine.journal.position());
        let (refused, neighbour) =
            tokio::join!(self.engine.journal.run(use_case, context), async { self.category(&name).await });
        assert!(neighbour > 0);
        match refused.map(drop).unwrap_err() {
            CommandError::Refused(refusal) => refusal,
            other => panic!("not refused, but: {other}"),
        }
    }
}

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn open_account(customer_id: Option<CustomerId>, address: &str) -> OpenAccount {
    let role = if customer_id.is_some() { Role::Customer } else { Role::Editor };
    OpenAccount { role, customer_id, email: email(address), password_hash: None, link_hash: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_constraint_that_a_side_write_breaks_becomes_its_refusal() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "20.00", 50).await;
    let (ada, grace) = (shop.customer("Ada").await, shop.customer("Grace").await);
    let context = || Context::of(Actor { id: "test".to_owned(), role: "admin" });
    let journal = &shop.engine.journal;
    let staff = journal.run(open_account(None, "staff@example.com"), context()).await.unwrap().answer.account_id;
    let customer_id = Some(CustomerId(ada));
    journal.run(open_account(customer_id, "ada@example.com"), context()).await.unwrap();

    // An e-mail address is taken: by a profile, by an account, and by another profile.
    let register = RegisterCustomer {
        first_name: name("Ada"),
        last_name: name("M").into(),
        email: email("ADA@example.com"),
        metadata: Metadata::default(),
    };
    assert_eq!(shop.refusal(register).await, Refusal::EmailTaken);
    assert_eq!(shop.refusal(open_account(None, "STAFF@example.com")).await, Refusal::EmailTaken);
    let change = |customer: i64, address: &str| ChangeCustomer {
        metadata: None,
        customer_id: CustomerId(customer),
        first_name: None,
        last_name: None,
        email: Some(email(address)),
    };
    assert_eq!(shop.refusal(change(grace, "ada@example.com")).await, Refusal::EmailTaken);
    // A customer with an account has an address that a mail proved.
    assert_eq!(shop.refusal(change(ada, "ada.new@example.com")).await, Refusal::EmailNeedsConfirmation);
    // A customer has one account at most.
    assert_eq!(shop.refusal(open_account(customer_id, "other@example.com")).await, Refusal::EmailTaken);

    // The address of an account changes to one that an account or a profile has.
    for (number, (account_id, address)) in
        [(staff, "ada@example.com"), (AccountId(staff.0 + 1), "grace@example.com")].into_iter().enumerate()
    {
        let hash = [u8::try_from(number).unwrap(); 32];
        sqlx::query(
            "insert into mailed_link (link_id, purpose, email, account_id, token_hash, requested_at, expires_at)
             values (gen_random_uuid(), 'change_email', $1, $2, $3, now(), now() + interval '1 hour')",
        )
        .bind(address)
        .bind(account_id.0)
        .bind(hash)
        .execute(&shop.pool)
        .await
        .unwrap();
        let change = ChangeEmail {
            account_id,
            customer_id: (number == 1).then_some(CustomerId(ada)),
            email: email(address),
            kept_session: None,
            link_hash: LinkHash::new(hash),
        };
        assert_eq!(shop.refusal(change).await, Refusal::EmailTaken);
    }

    // A mailed link is unknown.
    let (password_hash, link_hash) = (PasswordHash::new("$argon2id$"), LinkHash::new([7; 32]));
    let reset = ChangePassword {
        account_id: AccountId(staff.0),
        password_hash: password_hash.clone(),
        link_hash: Some(link_hash.clone()),
    };
    assert_eq!(shop.refusal(reset).await, Refusal::LinkInvalid);
    let confirm = ConfirmRegistration {
        link_hash,
        customer_id: None,
        first_name: name("Jo"),
        last_name: name("M").into(),
        email: email("jo@example.com"),
        password_hash,
    };
    assert_eq!(shop.refusal(confirm).await, Refusal::LinkInvalid);

    // An address is no longer in the country that the caller has read.
    shop.done(&format!("customer/{grace}/addresses/"), address("Grace", "GB")).await;
    shop.add(grace, product, 1).await;
    let country = Some(Country::try_from("FR".to_owned()).unwrap());
    let shipping = Some(Destination::Known(KnownAddress { address_id: AddressId(1), country }));
    let recipients = Recipients { shipping, ..Recipients::default() };
    let checkout = Checkout { recipients, ..Checkout::of(CartId::Customer(CustomerId(grace))) };
    assert_eq!(shop.refusal(checkout).await, Refusal::AddressChanged);

    shop.settle().await;
    shop.check_log().await;
}

#[derive(Serialize)]
struct PutUnknown {
    order_id: i64,
}

impl SideWrite for PutUnknown {
    const FUNCTION: &'static str = "put_unknown";
}

struct WriteUnknown;

impl UseCase for WriteUnknown {
    type Answer = ();

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<(), Interrupt> {
        work.add_side_write(&PutUnknown { order_id: 1 })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_side_write_without_a_function_fails_its_command_and_no_other() {
    let shop = TestShop::new().await;
    let context = Context::of(Actor { id: "test".to_owned(), role: "admin" });
    let (failed, category) = tokio::join!(shop.engine.journal.run(WriteUnknown, context), shop.category("Kitchen"));
    assert!(matches!(failed, Err(CommandError::Internal(_))), "{failed:?}");
    assert!(category > 0);
    shop.settle().await;
    shop.check_log().await;
}
