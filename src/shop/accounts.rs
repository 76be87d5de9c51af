//! Accounts: opening, roles, passwords, e-mail addresses and confirmed registrations.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::customers::{CustomerRef, RegisterCustomer, check_customer};
use super::secrets::{expose, expose_optional};
use crate::domain::account::{Account, AccountCommand, LinkHash, PasswordHash, Role};
use crate::domain::customer::{Customer, CustomerCommand, ProfileField};
use crate::domain::ids::{AccountId, CustomerId};
use crate::domain::metadata::Metadata;
use crate::domain::refusal::Refusal;
use crate::domain::text::{Email, LastName, Name};
use crate::journal::{AggregateRef, Interrupt, SideWrite, UnitOfWork, UseCase};

/// Opens an account: number and role in the log, e-mail address and password beside it.
pub struct OpenAccount {
    pub role: Role,
    /// The owner, if the account is a customer's.
    pub customer_id: Option<CustomerId>,
    pub email: Email,
    /// Without a password the owner chooses one by a mailed link.
    pub password_hash: Option<PasswordHash>,
    /// The mailed link that permits this; `None` if the caller proved the right otherwise.
    pub link_hash: Option<LinkHash>,
}

/// Changes the role of an account, or disables or enables it. `None` keeps a value.
pub struct ChangeAccount {
    pub account_id: AccountId,
    pub role: Option<Role>,
    pub disabled: Option<bool>,
}

/// Sets another password and ends every session of the account.
pub struct ChangePassword {
    pub account_id: AccountId,
    pub password_hash: PasswordHash,
    /// The mailed link that permits this; `None` if the caller proved the right otherwise.
    pub link_hash: Option<LinkHash>,
}

/// Sets the e-mail address of an account, and of its customer, for the link that was mailed to the new address.
pub struct ChangeEmail {
    pub account_id: AccountId,
    /// The owner, if the account is a customer's.
    pub customer_id: Option<CustomerId>,
    pub email: Email,
    /// The session that requested the change; all others end.
    pub kept_session: Option<Uuid>,
    pub link_hash: LinkHash,
}

/// Makes the owner of a confirmed e-mail address a customer with an account.
pub struct ConfirmRegistration {
    pub link_hash: LinkHash,
    /// The customer with this address, if staff entered one before.
    pub customer_id: Option<CustomerId>,
    pub first_name: Name,
    pub last_name: LastName,
    pub email: Email,
    pub password_hash: PasswordHash,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AccountRef {
    pub account_id: AccountId,
}

impl UseCase for OpenAccount {
    type Answer = AccountRef;

    /// The database refuses an e-mail address that is taken: the log holds no addresses.
    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<AccountRef, Interrupt> {
        use_link(work, self.link_hash.as_ref())?;
        if let Some(customer_id) = self.customer_id {
            check_customer(work, customer_id)?;
        }
        let account_id = AccountId(work.next_number::<Account>()?);
        let Self { role, customer_id, email, password_hash, .. } = self;
        let (role, customer_id, password_hash) = (*role, *customer_id, password_hash.as_ref());
        work.execute::<Account>(account_id, AccountCommand::Open { role, customer_id })?;
        work.add_side_write(&PutAccount { account_id, role, customer_id, email, password_hash })?;
        Ok(AccountRef { account_id })
    }
}

impl UseCase for ChangeAccount {
    type Answer = AccountRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<AccountRef, Interrupt> {
        let account_id = self.account_id;
        if let Some(role) = self.role {
            work.execute::<Account>(account_id, AccountCommand::ChangeRole { role })?;
            work.add_side_write(&SetRole { account_id, role })?;
        }
        match self.disabled {
            Some(true) => {
                work.execute::<Account>(account_id, AccountCommand::Disable)?;
                work.add_side_write(&DisableAccount { account_id })?;
            }
            Some(false) => {
                work.execute::<Account>(account_id, AccountCommand::Enable)?;
                work.add_side_write(&EnableAccount { account_id })?;
            }
            None => {}
        }
        Ok(AccountRef { account_id })
    }

    fn subject(&self) -> Option<AggregateRef> {
        Some(AggregateRef::of::<Account>(self.account_id))
    }
}

impl UseCase for ChangePassword {
    type Answer = AccountRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<AccountRef, Interrupt> {
        use_link(work, self.link_hash.as_ref())?;
        let account_id = self.account_id;
        work.execute::<Account>(account_id, AccountCommand::ChangePassword)?;
        work.add_side_write(&SetPassword { account_id, password_hash: &self.password_hash })?;
        Ok(AccountRef { account_id })
    }
}

impl UseCase for ChangeEmail {
    type Answer = AccountRef;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<AccountRef, Interrupt> {
        use_link(work, Some(&self.link_hash))?;
        let Self { account_id, customer_id, email, kept_session, .. } = self;
        let account_id = *account_id;
        work.execute::<Account>(account_id, AccountCommand::ChangeEmail)?;
        if let Some(customer_id) = customer_id {
            work.execute::<Customer>(*customer_id, CustomerCommand::Change { fields: vec![ProfileField::Email] })?;
        }
        work.add_side_write(&SetEmail { account_id, email, kept_session: *kept_session })?;
        Ok(AccountRef { account_id })
    }
}

impl UseCase for ConfirmRegistration {
    type Answer = CustomerRef;

    /// Uses the link first: a used link is reported as such, not as an address that its first use has taken.
    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<CustomerRef, Interrupt> {
        use_link(work, Some(&self.link_hash))?;
        let customer_id = match self.customer_id {
            Some(customer_id) => customer_id,
            None => {
                let (first_name, last_name) = (self.first_name.clone(), self.last_name.clone());
                RegisterCustomer { first_name, last_name, email: self.email.clone(), metadata: Metadata::default() }
                    .decide(work)?
                    .customer_id
            }
        };
        let open = OpenAccount {
            role: Role::Customer,
            customer_id: Some(customer_id),
            email: self.email.clone(),
            password_hash: Some(self.password_hash.clone()),
            link_hash: None,
        };
        open.decide(work)?;
        Ok(CustomerRef { customer_id })
    }
}

fn use_link(work: &mut UnitOfWork<'_>, link_hash: Option<&LinkHash>) -> Result<(), Interrupt> {
    link_hash.map_or(Ok(()), |hash| work.add_side_write(&UseLink { hash }))
}

#[derive(Serialize)]
struct PutAccount<'a> {
    account_id: AccountId,
    role: Role,
    customer_id: Option<CustomerId>,
    email: &'a Email,
    #[serde(serialize_with = "expose_optional")]
    password_hash: Option<&'a PasswordHash>,
}

impl SideWrite for PutAccount<'_> {
    const FUNCTION: &'static str = "open_account";

    fn refusal(constraint: &str) -> Option<Refusal> {
        matches!(constraint, "account_email_key" | "account_customer_id_key").then_some(Refusal::EmailTaken)
    }
}

/// Ends every session too, as [`SetRole`] and [`DisableAccount`] do.
#[derive(Serialize)]
struct SetPassword<'a> {
    account_id: AccountId,
    #[serde(serialize_with = "expose")]
    password_hash: &'a PasswordHash,
}

impl SideWrite for SetPassword<'_> {
    const FUNCTION: &'static str = "set_password";
}

/// Sets the address of the account's customer too.
#[derive(Serialize)]
struct SetEmail<'a> {
    account_id: AccountId,
    email: &'a Email,
    kept_session: Option<Uuid>,
}

impl SideWrite for SetEmail<'_> {
    const FUNCTION: &'static str = "change_email";

    fn refusal(constraint: &str) -> Option<Refusal> {
        matches!(constraint, "account_email_key" | "customer_profile_email_key").then_some(Refusal::EmailTaken)
    }
}

#[derive(Serialize)]
struct SetRole {
    account_id: AccountId,
    role: Role,
}

impl SideWrite for SetRole {
    const FUNCTION: &'static str = "set_role";
}

#[derive(Serialize)]
struct DisableAccount {
    account_id: AccountId,
}

impl SideWrite for DisableAccount {
    const FUNCTION: &'static str = "disable_account";
}

#[derive(Serialize)]
struct EnableAccount {
    account_id: AccountId,
}

impl SideWrite for EnableAccount {
    const FUNCTION: &'static str = "enable_account";
}

/// Uses up a mailed link; a used, expired or unknown link refuses the command.
#[derive(Serialize)]
struct UseLink<'a> {
    #[serde(serialize_with = "expose")]
    hash: &'a LinkHash,
}

impl SideWrite for UseLink<'_> {
    const FUNCTION: &'static str = "use_link";

    fn refusal(constraint: &str) -> Option<Refusal> {
        (constraint == "mailed_link_used_once").then_some(Refusal::LinkInvalid)
    }
}
