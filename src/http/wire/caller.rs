//! The caller of a request: a guest, or an account with a token or key.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use uuid::Uuid;

use crate::accounts::{Credential, Identity};
use crate::domain::account::Role;
use crate::domain::ids::CartId;
use crate::http::edge::client_address::ClientAddress;
use crate::http::wire::error::ApiError;
use crate::journal::{Actor, Context};

/// The caller of a request. The access check puts it into the request's extensions.
#[derive(Clone, Debug)]
pub struct Caller {
    identity: Option<Identity>,
    principal: Arc<str>,
    /// A guest's client address, as the principal of requests without the token of a cart.
    reader: Option<Arc<str>>,
}

impl Caller {
    pub fn new(
        identity: Option<Identity>,
        path_params: &HashMap<String, String>,
        address: Option<&ClientAddress>,
    ) -> Self {
        let reader = address.filter(|_| identity.is_none()).map(|address| guest_at(address).into());
        Self { identity, principal: principal(identity, path_params, address).into(), reader }
    }

    /// The caller of a request that has just logged in.
    pub fn of_account(identity: Identity) -> Self {
        Self::new(Some(identity), &HashMap::new(), None)
    }

    /// The actor that events name.
    pub fn actor(&self) -> Actor {
        match self.identity {
            None => Actor { id: "guest".to_owned(), role: "guest" },
            Some(Identity { account_id, role, credential, .. }) => {
                let id = match credential {
                    Credential::Session(_) => format!("account/{account_id}"),
                    Credential::Key(key_id) => format!("account/{account_id}/key/{key_id}"),
                };
                Actor { id, role: role.as_str() }
            }
        }
    }

    /// Owner of idempotency keys and recent writes: an account, a guest's cart, or else a client address.
    pub fn principal(&self) -> &str {
        &self.principal
    }

    /// Context of a command without an idempotency key.
    pub fn context(&self) -> Context {
        let reader = self.reader.as_deref().map(str::to_owned);
        Context { principal: self.principal.to_string(), reader, ..Context::of(self.actor()) }
    }

    /// The role of the caller's account; `None` for a guest.
    pub fn role(&self) -> Option<Role> {
        self.identity.map(|identity| identity.role)
    }

    /// Whether the caller has an account of staff.
    pub fn is_staff(&self) -> bool {
        self.role().is_some_and(|role| role != Role::Customer)
    }

    /// The account and its credential; 401 for a guest, whom only routes with `()` admit.
    pub fn identity(&self) -> Result<Identity, ApiError> {
        self.identity.ok_or_else(|| {
            let detail = "log in, and send the access token as Authorization: Bearer …";
            ApiError::unauthenticated("unauthenticated", detail)
        })
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get().cloned().ok_or_else(|| ApiError::internal("a route is outside the access check"))
    }
}

fn principal(
    identity: Option<Identity>,
    path_params: &HashMap<String, String>,
    address: Option<&ClientAddress>,
) -> String {
    let cart = || path_params.get("cart_token")?.parse::<Uuid>().ok().map(CartId::of_token);
    match identity {
        Some(identity) => format!("account/{}", identity.account_id),
        // The cart's id, not its token: the token is the only key to the cart.
        None => match (cart(), address) {
            (Some(cart), _) => format!("cart/{cart}"),
            (None, Some(address)) => guest_at(address),
            (None, None) => "guest".to_owned(),
        },
    }
}

fn guest_at(address: &ClientAddress) -> String {
    format!("guest/{}", address.0)
}
