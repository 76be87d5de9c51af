//! Checkout: a cart becomes an order with recipients, prices and a payment method.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use tracing::Instrument;
use uuid::Uuid;

use crate::domain::account::Role;
use crate::domain::customer::Country;
use crate::domain::discount::DiscountCode;
use crate::domain::ids::{AddressId, CartId, CustomerId};
use crate::domain::money::Money;
use crate::domain::order::{PaymentMethod, PaymentToken};
use crate::domain::refusal::Refusal;
use crate::domain::text::{Email, Name};
use crate::http::App;
use crate::http::customers::addresses::{GivenAddress, SavedDefaults, find_address, find_default_addresses};
use crate::http::edge::client_address::ClientAddress;
use crate::http::payments;
use crate::http::wire::body::body;
use crate::http::wire::caller::Caller;
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::error::{ApiError, FieldError};
use crate::http::wire::page::Ids;
use crate::http::wire::snapshot::RouterState;
use crate::journal::{CommandError, Context};
use crate::shop::{
    Checkout, Destination, GuestContact, KnownAddress, KnownDefaults, OrderView, PricingRequest, Recipients,
};

/// Attempts at a checkout whose customer changes the default addresses meanwhile.
const DEFAULTS_ATTEMPTS: usize = 5;

body! {
    /// Delivery, discount and payment of an order.
    #[schema(examples(json!({ "shipping_address_id": 1, "payment_method": "invoice", "discount_code": "WELCOME", "expected_total": "44.80" })))]
    pub struct NewCheckout {
        /// An address of the customer; the order keeps a copy of it. If absent, the default shipping address, unless
        /// `shipping_country` is another country.
        pub shipping_address_id: Option<AddressId>,
        /// The billing address, if it differs from the shipping address. If absent, the default billing address.
        pub billing_address_id: Option<AddressId>,
        /// If absent, the method of `payment`, or else `invoice`. `GET payment-methods/` lists the offered methods.
        pub payment_method: Option<PaymentMethod>,
        pub discount_code: Option<DiscountCode>,
        /// Destination, which shipping fees and taxes depend on. Optional with an address; must then be its country.
        pub shipping_country: Option<Country>,
        /// The card to charge at once; required for every method except `invoice`.
        pub payment: Option<payments::InstrumentField>,
        /// The total that the buyer has seen, with shipping and taxes; another total is refused.
        pub expected_total: Option<Money>,
    }
}

body! {
    /// A guest's name, addresses, discount and payment. A quote (`dry_run=true`) needs none of them.
    #[schema(examples(json!({
        "name": "Jo Miller",
        "email": "jo@example.com",
        "shipping_address":
            { "name": "Jo Miller", "line1": "12 Mill Lane", "postal_code": "AB1 2CD", "city": "Milltown", "country": "GB" },
        "payment_method": "invoice"
    })))]
    pub struct GuestCheckout {
        /// Required, unless the request is a quote (`dry_run=true`).
        pub name: Option<Name>,
        /// Recipient of mails about the order. Required, unless the request is a quote.
        pub email: Option<Email>,
        /// Required, unless the request is a quote.
        pub shipping_address: Option<GivenAddress>,
        /// Destination for a quote without an address; with an address it must be its country.
        pub shipping_country: Option<Country>,
        /// The billing address, if it differs from the shipping address.
        pub billing_address: Option<GivenAddress>,
        /// If absent, the method of `payment`, or else `invoice`. `GET payment-methods/` lists those offered to guests.
        pub payment_method: Option<PaymentMethod>,
        pub discount_code: Option<DiscountCode>,
        /// The card to charge at once; required for every method except `invoice`.
        pub payment: Option<payments::InstrumentField>,
        /// The total that the buyer has seen, with shipping and taxes; another total is refused.
        pub expected_total: Option<Money>,
    }
}

/// Check out a customer's cart: place an order
#[utoipa::path(post, path = "/customer/{customer_id}/cart/checkout", tag = "carts", security(("bearer" = ["owner", "editor"])),
    request_body = NewCheckout,
    params(("customer_id" = CustomerId, Path), CommandParams), responses((status = 201, body = OrderView), CommandProblems))]
pub async fn check_out(
    State(app): State<App>,
    Ids(customer_id): Ids<CustomerId>,
    source: CodeSource,
    command: Command<NewCheckout>,
) -> Result<CommandResponse<OrderView>, ApiError> {
    let buyer = app.buyer(&command.context.actor, false, source.address);
    let body = command.body;
    source.count_attempt(&app, body.discount_code.as_ref())?;
    let (payment_method, instrument) = chosen_method(&app, body.payment_method, body.payment)?;
    let mut shipping = find_address(&app, customer_id, body.shipping_address_id).await?;
    if let (Some(address), Some(requested)) = (&mut shipping, &body.shipping_country) {
        address.country = Some(requested.clone());
    }
    let country = shipping.as_ref().and_then(|address| address.country.clone()).or(body.shipping_country);
    let billing = find_address(&app, customer_id, body.billing_address_id).await?;
    let checkout = Checkout {
        cart: CartId::Customer(customer_id).into(),
        recipients: Recipients {
            contact: None,
            // Unless both are named, the customer is taken to have no defaults, until the checkout is refused.
            defaults: (shipping.is_none() || billing.is_none()).then(KnownDefaults::default),
            shipping: shipping.map(Destination::Known),
            billing: billing.map(Destination::Known),
        },
        payment_method,
        pricing: PricingRequest { country, discount_code: body.discount_code },
        instrument,
        payment_policy: app.payment_policy.clone(),
        buyer,
        expected_total: body.expected_total,
    };
    let order = run_with_defaults(&app, customer_id, checkout, command.context).await?;
    Ok(order.created(|order| format!("/shop/api/order/{}/", order.order_id)))
}

/// Runs a customer's checkout, with the default addresses if it names none.
async fn run_with_defaults(
    app: &App,
    customer_id: CustomerId,
    named: Checkout,
    context: Context,
) -> Result<CommandResponse<OrderView>, ApiError> {
    let mut checkout = named.clone();
    for _ in 1..DEFAULTS_ATTEMPTS {
        match app.try_run(checkout, context.clone()).await {
            Err(CommandError::Refused(Refusal::DefaultAddressesUnread)) => {
                checkout = with_defaults(named.clone(), find_default_addresses(app, customer_id).await?);
            }
            concluded => return Ok(concluded?),
        }
    }
    app.run(checkout, context).await
}

/// The checkout with the default addresses of the kinds that it does not name.
fn with_defaults(mut checkout: Checkout, defaults: SavedDefaults) -> Checkout {
    let Checkout { recipients, pricing, .. } = &mut checkout;
    let SavedDefaults { shipping, billing } = defaults;
    let id = |address: &Option<KnownAddress>| address.as_ref().map(|address| address.address_id);
    recipients.defaults = Some(KnownDefaults { shipping: id(&shipping), billing: id(&billing) });
    if recipients.shipping.is_none() {
        // A buyer who names another country does not mean the default address.
        let meant = |address: &KnownAddress| pricing.country.is_none() || pricing.country == address.country;
        if let Some(address) = shipping.filter(meant) {
            pricing.country.clone_from(&address.country);
            recipients.shipping = Some(Destination::Known(address));
        }
    }
    if recipients.billing.is_none() {
        let sent_to = match &recipients.shipping {
            Some(Destination::Known(address)) => Some(address.address_id),
            Some(Destination::Given(_)) | None => None,
        };
        // An order has a billing address only if it differs from the shipping address.
        let differs = |address: &KnownAddress| sent_to != Some(address.address_id);
        recipients.billing = billing.filter(differs).map(Destination::Known);
    }
    checkout
}

/// Check out a guest's cart: place an order
#[utoipa::path(post, path = "/carts/{cart_token}/checkout", tag = "carts", security((), ("bearer" = [])),
    request_body = GuestCheckout,
    params(("cart_token" = Uuid, Path), CommandParams), responses((status = 201, body = OrderView), CommandProblems))]
pub async fn check_out_guest(
    State(app): State<App>,
    Ids(token): Ids<Uuid>,
    source: CodeSource,
    command: Command<GuestCheckout>,
) -> Result<CommandResponse<OrderView>, ApiError> {
    let buyer = app.buyer(&command.context.actor, true, source.address);
    let body = command.body;
    source.count_attempt(&app, body.discount_code.as_ref())?;
    if !command.context.dry_run {
        require_fields(&[
            ("name", body.name.is_some()),
            ("email", body.email.is_some()),
            ("shipping_address", body.shipping_address.is_some()),
        ])?;
    }
    let (payment_method, instrument) = chosen_method(&app, body.payment_method, body.payment)?;
    // A quote names neither address nor method; the payment rules bind the order that follows.
    let is_quote = body.shipping_address.is_none() && payment_method.is_none();
    let buyer = buyer.filter(|_| !is_quote);
    let shipping = body.shipping_address.map(|address| Destination::given(address.0));
    let country = shipping.as_ref().and_then(Destination::country).cloned();
    if country.is_some() && body.shipping_country.is_some() && country != body.shipping_country {
        return Err(Refusal::AddressChanged.into());
    }
    let pricing = PricingRequest { country: country.or(body.shipping_country), discount_code: body.discount_code };
    // A dry run mails nothing; if it checked the limit, it would reveal the recent mails of the address.
    let mailed = body.email.clone().filter(|_| !command.context.dry_run);
    let recipients = Recipients {
        contact: body.name.zip(body.email).map(|(name, email)| GuestContact { name, email }),
        shipping,
        billing: body.billing_address.map(|address| Destination::given(address.0)),
        defaults: None,
    };
    let checkout = Checkout {
        cart: app.guest_cart(token),
        recipients,
        payment_method,
        pricing,
        instrument,
        payment_policy: app.payment_policy.clone(),
        buyer,
        expected_total: body.expected_total,
    };
    let order = match mailed {
        Some(email) => run_mailed(app, email, checkout, command.context).await?,
        None => app.run(checkout, command.context).await?,
    };
    // The route that the guest may read.
    Ok(order.created(|order| format!("/shop/api/carts/{token}/order/{}/", order.order_id)))
}

/// Runs the checkout of a stranger, who may enter any address: an order counts as a mail to it, a refusal does not.
///
/// The mail is counted before the checkout, so that parallel ones share the limit. A task of its own ends the count as
/// the checkout ends, even if the client disconnects.
async fn run_mailed(
    app: App,
    email: Email,
    checkout: Checkout,
    context: Context,
) -> Result<CommandResponse<OrderView>, ApiError> {
    let mail = app.edge.rate_limits.reserve_mail(email.as_str())?;
    let run = async move {
        let order = app.try_run(checkout, context).await;
        let may_mail = match &order {
            Ok(order) => !order.replayed(),
            Err(error) => matches!(error, CommandError::OutcomeUnknown),
        };
        if !may_mail {
            mail.release();
        }
        order
    };
    Ok(tokio::spawn(run.in_current_span()).await.map_err(ApiError::internal)??)
}

/// 400 that names every missing field.
fn require_fields(fields: &[(&str, bool)]) -> Result<(), ApiError> {
    let missing = fields.iter().filter(|(_, given)| !given);
    let errors = missing.map(|(field, _)| FieldError { field: (*field).to_owned(), message: "is required".to_owned() });
    let errors: Vec<_> = errors.collect();
    if errors.is_empty() { Ok(()) } else { Err(ApiError::invalid(errors)) }
}

/// The sender of a discount code, whose attempts are limited so that codes cannot be guessed.
pub struct CodeSource {
    caller: Caller,
    address: Option<ClientAddress>,
}

impl FromRequestParts<RouterState> for CodeSource {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &RouterState) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await?;
        Ok(Self { caller, address: parts.extensions.get().copied() })
    }
}

impl CodeSource {
    /// Counts an attempt at a discount code. Staff can list the codes, so they are not counted.
    fn count_attempt(&self, app: &App, code: Option<&DiscountCode>) -> Result<(), ApiError> {
        let identity = self.caller.identity().ok();
        if code.is_none() || identity.is_some_and(|identity| identity.role > Role::Customer) {
            return Ok(());
        }
        let account = identity.map(|_| self.caller.principal());
        app.edge.rate_limits.per_code_source(self.address, account)
    }
}

/// The payment method, and the token to charge for an online method.
fn chosen_method(
    app: &App,
    method: Option<PaymentMethod>,
    payment: Option<payments::InstrumentField>,
) -> Result<(Option<PaymentMethod>, Option<PaymentToken>), ApiError> {
    let (chosen, instrument) = app.instrument(method, payment)?.unzip();
    Ok((chosen.or(method), instrument))
}
