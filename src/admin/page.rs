//! What every page has: title, way, navigation, member of the staff, message, and the writing of money and times.

use std::ops::Deref;

use super::assets;
use super::flash::Flash;
use super::format::Format;
use super::navigation::{NAVIGATION, NavigationGroup, NavigationItem};
use super::staff::Staff;

/// The frame of a page, as templates use it. Derefs to [`Format`].
pub struct Page {
    pub title: String,
    /// The pages above this one, with their addresses.
    pub crumbs: Vec<(String, String)>,
    staff: Staff,
    format: Format,
}

impl Page {
    pub fn new(staff: Staff, title: String) -> Self {
        let admin = &staff.site.admin;
        let format = Format { currency: admin.currency, zone: admin.time_zone, now: admin.clock.database_time() };
        Self { title, crumbs: Vec::new(), staff, format }
    }

    /// The same page below another.
    pub fn below(mut self, title: impl Into<String>, address: impl Into<String>) -> Self {
        self.crumbs.push((title.into(), address.into()));
        self
    }

    /// Whether the API admits the member to an operation, by its `operationId`. A button that calls another operation
    /// must not be shown.
    pub fn may(&self, operation: &str) -> bool {
        self.staff.may(operation)
    }

    /// Whether the API admits the member to any of these operations.
    pub fn may_any(&self, operations: &[&str]) -> bool {
        operations.iter().any(|operation| self.may(operation))
    }

    /// Whether a script puts this into a page that is shown already.
    pub fn is_fragment(&self) -> bool {
        self.staff.is_fragment
    }

    /// The sender of a command as the pages name it: `account/7` is `account 7`, or the member who reads.
    pub fn actor(&self, actor: &str) -> String {
        let own = format!("account/{}", self.staff.account_id);
        if actor == own { "you".to_owned() } else { actor.replacen('/', " ", 1) }
    }

    /// The page of the account that sent a command.
    pub fn actor_page(&self, actor: &str) -> Option<String> {
        let account_id = actor.strip_prefix("account/")?.split('/').next()?;
        super::engine::page_of(self, "Account", account_id)
    }

    pub fn email(&self) -> &str {
        &self.staff.email
    }

    pub fn role(&self) -> &'static str {
        self.staff.role.as_str()
    }

    /// Token of the forms.
    pub fn csrf(&self) -> &str {
        &self.staff.csrf
    }

    pub fn flash(&self) -> Option<&Flash> {
        self.staff.flash.as_ref()
    }

    /// The address of this page without its query.
    pub fn path(&self) -> &str {
        &self.staff.path
    }

    /// The name of the time zone.
    pub fn zone_name(&self) -> &'static str {
        self.format.zone.name()
    }

    pub fn currency_code(&self) -> &str {
        self.format.currency.code()
    }

    /// The address of a style sheet or script.
    pub fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    /// The groups of the navigation, without those whose pages the API would refuse.
    pub fn navigation(&self) -> Vec<&'static NavigationGroup> {
        NAVIGATION.iter().filter(|group| !self.items(group).is_empty()).collect()
    }

    pub fn items(&self, group: &'static NavigationGroup) -> Vec<&'static NavigationItem> {
        group.items.iter().filter(|item| self.may(item.operation)).collect()
    }

    /// Whether this page is an item of the navigation or below it.
    pub fn is_current(&self, item: &NavigationItem) -> bool {
        let below = self.path().strip_prefix(item.address);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') && item.address != "/admin/")
    }
}

impl Deref for Page {
    type Target = Format;

    fn deref(&self) -> &Format {
        &self.format
    }
}
