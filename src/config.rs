//! Settings: each field names its flag, its environment variable, its default and its unit.

use std::net::{SocketAddr, ToSocketAddrs};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use chrono::TimeDelta;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use reqwest::Url;

use crate::accounts::{AccountsConfig, MailConfig};
use crate::database::Location;
use crate::database::embedded::{Durability, EmbeddedOptions, default_data_dir};
use crate::files::MediaLocation;
use crate::http::{AllowedOrigins, ConnectionLimits, Edge, RateLimits, ResponseCacheLimits, TrustedProxies};
use crate::payments::{CardConfig, Currency, PaymentsConfig, ProviderSecret};
use crate::scheduler::ScheduleArgs;
use crate::shop::{OfferedMethods, PaymentPolicy};

/// Locations of the database, the signing keys and the mails. Every subcommand accepts them.
#[derive(Args, Clone)]
pub struct DatabaseConfig {
    /// PostgreSQL 15 to 18 to use instead of the embedded one, as postgres://user@host/database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, global = true)]
    pub database_url: Option<String>,
    /// File that holds the database password, to keep it out of the URL
    #[arg(long, env = "SHOP_DATABASE_PASSWORD_FILE", global = true)]
    pub database_password_file: Option<PathBuf>,
    /// Data folder: the embedded PostgreSQL, signing keys, mails, and what this node knows of the log [default: /var/lib/cartwright for root; else ./data if it exists, else the XDG data folder]
    #[arg(long, env = "SHOP_DATA_DIR", global = true)]
    pub data_dir: Option<PathBuf>,
    /// Folder of this node's signing keys for access tokens [default: `keys` in the data folder]
    #[arg(long, env = "SHOP_KEYS_DIR", global = true)]
    pub keys_dir: Option<PathBuf>,
    /// SMTP server for mails, as smtps://user:password@host [default: none, mails are written to a folder]
    #[arg(long, env = "SHOP_SMTP_URL", hide_env_values = true, global = true)]
    pub smtp_url: Option<String>,
    /// Folder that mails are written to without an SMTP server [default: `mail` in the data folder]
    #[arg(long, env = "SHOP_MAIL_DIR", global = true)]
    pub mail_dir: Option<PathBuf>,
    /// Folder that dumps of the products are written to
    #[arg(long, env = "SHOP_DUMPS_DIR", global = true, default_value = "dumps")]
    pub dumps_dir: PathBuf,
    /// Folder that dumps before a deployment are written to
    #[arg(long, env = "SHOP_BACKUPS_DIR", global = true, default_value = "backups")]
    pub backups_dir: PathBuf,
    /// Folder of product images, or s3://bucket/prefix with the variables AWS_* [default: `media` in the data folder]
    #[arg(long, env = "SHOP_MEDIA", global = true)]
    pub media: Option<MediaLocation>,
    /// Folder with `initdb` and `postgres` for the embedded PostgreSQL [default: search the usual folders]
    #[arg(long, env = "SHOP_PG_BIN", global = true)]
    pub pg_bin: Option<PathBuf>,
}

/// Settings of a server.
#[derive(Args, Clone)]
pub struct ServeConfig {
    /// Address to listen on; a port alone means 127.0.0.1
    #[arg(long, env = "SHOP_LISTEN", default_value = "127.0.0.1:8000", value_parser = parse_listen)]
    pub listen: SocketAddr,
    /// Public URL of the shop, for links in mails [default: http:// and the listen address]
    #[arg(long, env = "SHOP_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Sender of all mails
    #[arg(long, env = "SHOP_MAIL_FROM", default_value = "Cartwright <shop@localhost>")]
    pub mail_from: String,
    /// Keep at most this many mails in the mail folder, the newest; 0 keeps all
    #[arg(long, env = "SHOP_MAIL_FILES", default_value_t = 10_000)]
    pub mail_files: usize,
    /// Folder with your own mail templates: a file in its `mail` folder replaces the built-in one of that name
    #[arg(long, env = "SHOP_TEMPLATES_DIR")]
    pub templates_dir: Option<PathBuf>,
    /// Delete records of logins and failed logins after this many days
    #[arg(long, env = "SHOP_AUDIT_DAYS", default_value_t = 90)]
    pub audit_days: u32,
    /// Empty a customer's cart, and delete a guest's, after this many days without a change; 0 disables
    #[arg(long, env = "SHOP_CART_DAYS", default_value_t = 30)]
    pub cart_days: u32,
    /// Allow webhook URLs at private addresses [default: true if the shop listens on a loopback address]
    #[arg(long, env = "SHOP_WEBHOOK_PRIVATE", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub webhook_private: Option<bool>,
    /// Delete webhook delivery records, and parked deliveries, after this many days
    #[arg(long, env = "SHOP_WEBHOOK_DAYS", default_value_t = 30)]
    pub webhook_days: u32,
    /// Disable a webhook, and mail the admins, when no delivery has succeeded for this many days; 0 disables
    #[arg(long, env = "SHOP_WEBHOOK_OFF_DAYS", default_value_t = 3)]
    pub webhook_off_days: u32,
    /// Drop mails that have been parked for this many days; 0 keeps them
    #[arg(long, env = "SHOP_PARKED_DAYS", default_value_t = 90)]
    pub parked_days: u32,
    /// Attempts to send a webhook or mail before it is parked for an operator
    #[arg(long, env = "SHOP_REACTION_ATTEMPTS", default_value_t = 10, value_parser = clap::value_parser!(i32).range(1..=100))]
    pub reaction_attempts: i32,
    /// Start an empty shop without the sample data
    #[arg(long, env = "SHOP_NO_SEEDS", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, hide_default_value = true, action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub no_seeds: bool,
    /// Create the first admin account of a shop without accounts, and print its password once [default: true with the embedded PostgreSQL]
    #[arg(long, env = "SHOP_FIRST_ADMIN", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub first_admin: Option<bool>,
    /// Size limit of the aggregate cache, in entries; each aggregate, cart item and order line counts one
    #[arg(long, env = "SHOP_CACHE_ENTRIES", default_value_t = 200_000)]
    pub cache_entries: usize,
    /// Size limit of the response cache, in MiB; 0 disables it
    #[arg(long, env = "SHOP_RESPONSE_CACHE_MIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(..=65_536))]
    pub response_cache_mib: u32,
    /// Compute each answer in the response cache anew after this many seconds, also if nothing has changed
    #[arg(long, env = "SHOP_RESPONSE_CACHE_SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    pub response_cache_seconds: u32,
    /// Keep at most this many answers to idempotency keys; beyond them, those older than an hour are deleted before 24 hours are over
    #[arg(long, env = "SHOP_KEPT_ANSWERS", default_value_t = 1_000_000)]
    pub kept_answers: u32,
    /// Cancel an order if the payment provider has not collected the money within this many minutes
    #[arg(long, env = "SHOP_PAY_WITHIN_MINUTES", default_value_t = 60)]
    pub pay_within_minutes: u32,
    /// Cancel unpaid orders after this many days when the payment method is invoice; 0 disables
    #[arg(long, env = "SHOP_INVOICE_DAYS", default_value_t = 30)]
    pub invoice_days: u32,
    /// Payment methods that buyers are offered, comma-separated: invoice, card, test; staff may record any payment
    #[arg(long, env = "SHOP_PAYMENT_METHODS", default_value = "invoice,card,test")]
    pub payment_methods: OfferedMethods,
    /// Offer payment by invoice to guests [default: false; true in a shop that is older than this setting]
    #[arg(long, env = "SHOP_GUEST_INVOICES")]
    pub guest_invoices: Option<bool>,
    /// Units that the unpaid orders of one customer, guest or shipping address may reserve, and ten times as many for one client address; 0 disables the limit
    #[arg(long, env = "SHOP_UNPAID_UNITS", default_value_t = 200)]
    pub unpaid_units: u32,
    #[command(flatten)]
    pub edge: EdgeConfig,
    #[command(flatten)]
    pub payments: PaymentArgs,
    #[command(flatten)]
    pub schedules: ScheduleArgs,
}

/// Payment providers and the currency.
#[derive(Args, Clone)]
pub struct PaymentArgs {
    /// Currency of all prices: an ISO 4217 code of a currency with two decimals
    #[arg(long, env = "SHOP_CURRENCY", default_value = "EUR")]
    pub currency: Currency,
    /// Accept the documented test card numbers as payment
    #[arg(long, env = "SHOP_TEST_PAYMENTS", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, hide_default_value = true, action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub test_payments: bool,
    /// API of the card provider: Stripe or a compatible one; plain HTTP is allowed for localhost only
    #[arg(long, env = "SHOP_CARD_URL", default_value = "https://api.stripe.com")]
    pub card_url: Url,
    /// Secret API key of the card provider, sk_…; without it, card payments are disabled
    #[arg(long, env = "SHOP_CARD_KEY", hide_env_values = true, value_parser = parse_secret)]
    pub card_key: Option<ProviderSecret>,
    /// File that holds the API key of the card provider
    #[arg(long, env = "SHOP_CARD_KEY_FILE")]
    pub card_key_file: Option<PathBuf>,
    /// Secret that verifies the card provider's webhooks, whsec_…; without it, they are rejected
    #[arg(long, env = "SHOP_CARD_WEBHOOK_SECRET", hide_env_values = true, value_parser = parse_secret)]
    pub card_webhook_secret: Option<ProviderSecret>,
    /// File that holds the secret of the card provider's webhooks
    #[arg(long, env = "SHOP_CARD_WEBHOOK_SECRET_FILE")]
    pub card_webhook_secret_file: Option<PathBuf>,
}

/// Limits on incoming connections and requests.
#[derive(Args, Clone)]
pub struct EdgeConfig {
    /// Requests per second for each caller and for each client address; 0 disables the limit
    #[arg(long, env = "SHOP_RATE_LIMIT", default_value_t = 100)]
    pub rate_limit: u32,
    /// Attempts with a password, token, key or discount code per minute and client address, and mails that clients cause per minute and e-mail address; 0 disables both limits
    #[arg(long, env = "SHOP_LOGIN_LIMIT", default_value_t = 10)]
    pub login_limit: u32,
    /// Trusted proxies, whose X-Forwarded-For names the client: addresses or CIDR blocks, comma-separated
    #[arg(long, env = "SHOP_TRUSTED_PROXIES", default_value = "", hide_default_value = true)]
    pub trusted_proxies: TrustedProxies,
    /// Concurrent connections, at most a quarter of them from one address; further connections wait
    #[arg(long, env = "SHOP_MAX_CONNECTIONS", default_value = "1024")]
    pub max_connections: NonZeroUsize,
    /// Origins that browsers may call the API from (CORS), comma-separated
    #[arg(long, env = "SHOP_CORS_ORIGINS", default_value = "", hide_default_value = true)]
    pub cors_origins: AllowedOrigins,
}

impl ServeConfig {
    pub fn response_cache(&self) -> ResponseCacheLimits {
        ResponseCacheLimits {
            bytes: u64::from(self.response_cache_mib) * 1024 * 1024,
            time_to_live: Duration::from_secs(self.response_cache_seconds.into()),
        }
    }

    /// `guest_invoices` is the default of this shop.
    pub fn payment_policy(&self, guest_invoices: bool) -> PaymentPolicy {
        PaymentPolicy {
            methods: self.payment_methods.clone(),
            guest_invoices: self.guest_invoices.unwrap_or(guest_invoices),
            unpaid_units: (self.unpaid_units > 0).then_some(self.unpaid_units),
            online: TimeDelta::minutes(self.pay_within_minutes.into()),
            invoice: (self.invoice_days > 0).then(|| TimeDelta::days(self.invoice_days.into())),
        }
    }
}

impl EdgeConfig {
    pub fn edge(&self) -> Edge {
        Edge {
            rate_limits: RateLimits::new(self.rate_limit, self.login_limit),
            trusted_proxies: self.trusted_proxies.clone(),
            allowed_origins: self.cors_origins.clone(),
            connections: ConnectionLimits {
                max_connections: self.max_connections.get(),
                ..ConnectionLimits::default()
            },
        }
    }
}

impl PaymentArgs {
    pub fn config(&self) -> anyhow::Result<PaymentsConfig> {
        let key = read_secret(self.card_key.as_ref(), self.card_key_file.as_deref())?;
        let webhook_secret = read_secret(self.card_webhook_secret.as_ref(), self.card_webhook_secret_file.as_deref())?;
        let url = self.card_url.clone();
        // Every request carries the key.
        let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        ensure!(url.scheme() == "https" || url.scheme() == "http" && local, "SHOP_CARD_URL must begin with https://");
        let card = key.map(|key| CardConfig { url, key, webhook_secret, timeout: CardConfig::DEFAULT_TIMEOUT });
        Ok(PaymentsConfig { currency: self.currency, test: self.test_payments, card })
    }
}

/// An address with a port, a host name with a port, or a port alone, which means the loopback address.
fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse::<u16>() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    let mut found =
        text.to_socket_addrs().map_err(|_| "must be an address and a port, such as 127.0.0.1:8000".to_owned())?;
    found.next().ok_or_else(|| "is a host name without an address".to_owned())
}

fn parse_secret(text: &str) -> Result<ProviderSecret, std::convert::Infallible> {
    Ok(ProviderSecret::new(text.trim()))
}

/// The secret from the flag or variable, or else from the file. An empty value counts as none.
fn read_secret(given: Option<&ProviderSecret>, file: Option<&Path>) -> anyhow::Result<Option<ProviderSecret>> {
    match (given.filter(|secret| !secret.expose().is_empty()), file) {
        (Some(secret), _) => Ok(Some(secret.clone())),
        (None, Some(file)) => {
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            Ok(Some(ProviderSecret::new(text.trim())))
        }
        (None, None) => Ok(None),
    }
}

impl DatabaseConfig {
    pub fn keys_dir(&self) -> PathBuf {
        self.keys_dir.clone().unwrap_or_else(|| self.data_dir().join("keys"))
    }

    pub fn mail_dir(&self) -> PathBuf {
        self.mail_dir.clone().unwrap_or_else(|| self.data_dir().join("mail"))
    }

    pub fn media(&self) -> MediaLocation {
        self.media.clone().unwrap_or_else(|| MediaLocation::Folder(self.data_dir().join("media")))
    }

    /// Folder of files that are being written; the clean-up deletes what is left in it.
    pub fn temporary_dir(&self) -> PathBuf {
        self.data_dir().join("tmp")
    }

    fn data_dir(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(default_data_dir)
    }

    /// Settings of accounts; `listening` is the default of the public URL.
    pub fn accounts(&self, serve: &ServeConfig, listening: SocketAddr) -> AccountsConfig {
        let public_url = serve.public_url.clone().unwrap_or_else(|| format!("http://{listening}"));
        let mail = MailConfig {
            smtp_url: self.smtp_url.clone().filter(|url| !url.is_empty()),
            folder: self.mail_dir(),
            folder_max: serve.mail_files,
            from: serve.mail_from.clone(),
            public_url: public_url.trim_end_matches('/').to_owned(),
        };
        AccountsConfig { keys_dir: self.keys_dir(), mail }
    }

    pub fn location(&self) -> Location {
        let url = self.database_url.clone().filter(|url| !url.is_empty());
        match url {
            Some(url) => {
                Location::Url { url, password_file: self.database_password_file.clone(), data_dir: self.data_dir() }
            }
            None => Location::Embedded(EmbeddedOptions {
                data_dir: self.data_dir(),
                durability: Durability::Durable,
                binaries: self.pg_bin.clone(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        payments: PaymentArgs,
    }

    fn read(args: &[&str]) -> anyhow::Result<PaymentsConfig> {
        Only::try_parse_from(["cartwright"].iter().chain(args))?.payments.config()
    }

    #[test]
    fn card_and_test_payments_are_off_by_default() {
        let plain = read(&[]).unwrap();
        assert!(plain.card.is_none() && !plain.test && plain.currency == Currency::EUR);
        let card = read(&["--card-key", "sk_test_1", "--currency", "usd"]).unwrap().card.unwrap();
        assert_eq!((card.url.as_str(), card.key.expose()), ("https://api.stripe.com/", "sk_test_1"));
        assert!(card.webhook_secret.is_none());
    }

    #[test]
    fn the_address_to_listen_on_may_be_a_port_or_a_name() {
        assert_eq!(parse_listen("8402").unwrap(), "127.0.0.1:8402".parse().unwrap());
        assert_eq!(parse_listen("0.0.0.0:80").unwrap(), "0.0.0.0:80".parse().unwrap());
        assert!(parse_listen("localhost:8402").unwrap().ip().is_loopback());
        for text in ["", "127.0.0.1", "65536", "nonsense", "127.0.0.1:"] {
            assert!(parse_listen(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_switch_stands_alone_or_with_a_value() {
        let test_payments = |args: &[&str]| read(args).map(|config| config.test);
        for on in ["--test-payments", "--test-payments=true", "--test-payments=yes", "--test-payments=1"] {
            assert!(test_payments(&[on]).unwrap(), "{on}");
        }
        for off in ["--test-payments=false", "--test-payments=no", "--test-payments=0"] {
            assert!(!test_payments(&[off]).unwrap(), "{off}");
        }
        assert!(test_payments(&["--test-payments=perhaps"]).is_err());
    }

    #[test]
    fn a_secret_can_be_read_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "sk_test_2\n").unwrap();
        let file = file.to_str().unwrap();
        let card = read(&["--card-key-file", file, "--card-webhook-secret-file", file]).unwrap().card.unwrap();
        assert_eq!((card.key.expose(), card.webhook_secret.unwrap().expose()), ("sk_test_2", "sk_test_2"));
        assert!(read(&["--card-key-file", "/nowhere"]).is_err());
    }

    #[test]
    fn a_currency_without_cents_and_a_provider_without_tls_are_refused() {
        for args in [["--currency", "JPY"], ["--card-url", "http://example.com"], ["--card-url", "nonsense"]] {
            assert!(read(&args).is_err(), "{args:?}");
        }
        assert!(read(&["--card-url", "http://127.0.0.1:12111"]).is_ok());
    }
}
