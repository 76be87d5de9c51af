use cqrs_es::test::TestFramework;

use super::*;

fn account(events: Vec<AccountEvent>) -> cqrs_es::test::AggregateTestExecutor<Account> {
    TestFramework::<Account>::with(()).given(events)
}

fn opened(role: Role) -> AccountEvent {
    let customer_id = (role == Role::Customer).then_some(CustomerId(7));
    AccountEvent::Opened { role, customer_id }
}

#[test]
fn the_role_customer_is_for_customers_only_and_cannot_change() {
    let open = |role, customer_id| AccountCommand::Open { role, customer_id };
    let fresh = || TestFramework::<Account>::with(()).given_no_previous_events();
    fresh().when(open(Role::Admin, None)).then_expect_events(vec![opened(Role::Admin)]);
    fresh().when(open(Role::Admin, Some(CustomerId(7)))).then_expect_error(AccountError::RoleDoesNotFit);
    fresh().when(open(Role::Customer, None)).then_expect_error(AccountError::RoleDoesNotFit);
    let promote = AccountCommand::ChangeRole { role: Role::Admin };
    account(vec![opened(Role::Customer)]).when(promote).then_expect_error(AccountError::RoleDoesNotFit);
    let demote = AccountCommand::ChangeRole { role: Role::Customer };
    account(vec![opened(Role::Reader)]).when(demote).then_expect_error(AccountError::RoleDoesNotFit);
}

#[test]
fn a_key_never_has_more_rights_than_its_account() {
    let key_id = Uuid::from_u128(1);
    let create = |role| AccountCommand::CreateKey { key_id, role };
    let created = AccountEvent::KeyCreated { key_id, role: Role::Reader };
    account(vec![opened(Role::Editor)]).when(create(Role::Reader)).then_expect_events(vec![created.clone()]);
    account(vec![opened(Role::Editor)]).when(create(Role::Admin)).then_expect_error(AccountError::KeyExceedsAccount);
    account(vec![opened(Role::Customer)])
        .when(create(Role::Customer))
        .then_expect_error(AccountError::KeyExceedsAccount);
    let revoke = AccountCommand::RevokeKey { key_id };
    let revoked = AccountEvent::KeyRevoked { key_id };
    account(vec![opened(Role::Editor), created.clone()]).when(revoke.clone()).then_expect_events(vec![revoked.clone()]);
    account(vec![opened(Role::Editor), created, revoked]).when(revoke).then_expect_error(AccountError::KeyNotFound);
}

#[test]
fn a_disabled_account_cannot_change_its_password_or_address_until_it_is_enabled() {
    let disabled = vec![opened(Role::Admin), AccountEvent::Disabled {}];
    account(disabled.clone()).when(AccountCommand::ChangePassword).then_expect_error(AccountError::Disabled);
    account(disabled.clone()).when(AccountCommand::ChangeEmail).then_expect_error(AccountError::Disabled);
    account(disabled.clone()).when(AccountCommand::Disable).then_expect_events(vec![]);
    account(disabled).when(AccountCommand::Enable).then_expect_events(vec![AccountEvent::Enabled {}]);
}

#[test]
fn an_erased_account_cannot_be_opened_again() {
    let erased = vec![opened(Role::Customer), AccountEvent::Erased {}];
    account(erased.clone()).when(AccountCommand::Enable).then_expect_error(AccountError::NotFound);
    account(erased.clone()).when(AccountCommand::ChangeEmail).then_expect_error(AccountError::NotFound);
    let open = AccountCommand::Open { role: Role::Customer, customer_id: Some(CustomerId(7)) };
    account(erased).when(open).then_expect_error(AccountError::AlreadyOpen);
}
