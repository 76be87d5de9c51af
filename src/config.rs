//! Settings: each field names its flag, its variable, its default and its unit.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use chrono::TimeDelta;
use clap::Args;
use reqwest::Url;

use crate::accounts::{AccountsConfig, MailConfig};
use crate::database::Location;
use crate::database::embedded::{Durability, EmbeddedOptions, default_data_dir};
use crate::http::{AllowedOrigins, ConnectionLimits, Edge, RateLimits, TrustedProxies};
use crate::payments::{CardConfig, Currency, PaymentsConfig, ProviderSecret};
use crate::shop::Terms;

/// Where the data is, keys and mails included. For every subcommand.
#[derive(Args, Clone, Debug)]
pub struct DatabaseConfig {
    /// PostgreSQL 15 to 18 to use instead of the embedded one: postgres://user@host/database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, global = true)]
    pub database_url: Option<String>,
    /// File with the password for that database, for those who keep it out of addresses
    #[arg(long, env = "SHOP_DATABASE_PASSWORD_FILE", global = true)]
    pub database_password_file: Option<PathBuf>,
    /// Folder of the embedded PostgreSQL [default: /var/lib/cartwright for root; else ./data if it exists, else the XDG data folder]
    #[arg(long, env = "SHOP_DATA_DIR", global = true)]
    pub data_dir: Option<PathBuf>,
    /// Folder of the keys that this node signs access tokens with [default: `keys` in the data folder]
    #[arg(long, env = "SHOP_KEYS_DIR", global = true)]
    pub keys_dir: Option<PathBuf>,
    /// SMTP server for mails, smtps://user:password@host [default: mails are written into a folder]
    #[arg(long, env = "SHOP_SMTP_URL", hide_env_values = true, global = true)]
    pub smtp_url: Option<String>,
    /// Folder that mails are written into where there is no SMTP server [default: `mail` in the data folder]
    #[arg(long, env = "SHOP_MAIL_DIR", global = true)]
    pub mail_dir: Option<PathBuf>,
    /// Folder with `initdb` and `postgres` for the embedded PostgreSQL [default: searched for]
    #[arg(long, env = "SHOP_PG_BIN", global = true)]
    pub pg_bin: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
pub struct ServeConfig {
    /// Address to listen on
    #[arg(long, env = "SHOP_LISTEN", default_value = "127.0.0.1:8000")]
    pub listen: SocketAddr,
    /// Where clients find the shop, for links in mails [default: http:// and the address that it listens on]
    #[arg(long, env = "SHOP_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Who mails are from
    #[arg(long, env = "SHOP_MAIL_FROM", default_value = "Cartwright <shop@localhost>")]
    pub mail_from: String,
    /// Folder whose files in `mail` replace the built-in templates of mails, each by its name
    #[arg(long, env = "SHOP_TEMPLATES_DIR")]
    pub templates_dir: Option<PathBuf>,
    /// Days for which log-ins and failures are kept
    #[arg(long, env = "SHOP_AUDIT_DAYS", default_value_t = 90)]
    pub audit_days: u32,
    /// Days after which a cart that nobody touched is emptied, and a guest's is gone; 0 for never
    #[arg(long, env = "SHOP_CART_DAYS", default_value_t = 30)]
    pub cart_days: u32,
    /// Whether webhooks may be told at private addresses [default: if the shop listens on a loopback address]
    #[arg(long, env = "SHOP_WEBHOOK_PRIVATE")]
    pub webhook_private: Option<bool>,
    /// Days for which it is kept what became of the messages of webhooks
    #[arg(long, env = "SHOP_WEBHOOK_DAYS", default_value_t = 30)]
    pub webhook_days: u32,
    /// Attempts at what follows from an event, such as the message of a webhook, before it waits for a decision
    #[arg(long, env = "SHOP_REACTION_ATTEMPTS", default_value_t = 10, value_parser = clap::value_parser!(i32).range(1..=100))]
    pub reaction_attempts: i32,
    /// Leave an empty shop empty, instead of playing the sample commands in it
    #[arg(long, env = "SHOP_NO_SEEDS")]
    pub no_seeds: bool,
    /// Bound of the aggregate cache, in entries (an aggregate, an item or a line counts one)
    #[arg(long, env = "SHOP_CACHE_ENTRIES", default_value_t = 200_000)]
    pub cache_entries: usize,
    /// Minutes after which an order that a provider could not get paid is cancelled
    #[arg(long, env = "SHOP_PAY_WITHIN_MINUTES", default_value_t = 60)]
    pub pay_within_minutes: u32,
    /// Days after which a buyer's order is cancelled that was to be paid by invoice, or in no told way, and was not; 0 for never
    #[arg(long, env = "SHOP_INVOICE_DAYS", default_value_t = 30)]
    pub invoice_days: u32,
    #[command(flatten)]
    pub edge: EdgeConfig,
    #[command(flatten)]
    pub payments: PaymentArgs,
}

/// Whom customers pay through.
#[derive(Args, Clone, Debug)]
pub struct PaymentArgs {
    /// Currency of all prices, by its three letters; one with cents
    #[arg(long, env = "SHOP_CURRENCY", default_value = "EUR")]
    pub currency: Currency,
    /// Let orders be paid with the documented numbers of cards that do not exist
    #[arg(long, env = "SHOP_TEST_PAYMENTS")]
    pub test_payments: bool,
    /// Card provider: Stripe, or who speaks its protocol
    #[arg(long, env = "SHOP_CARD_URL", default_value = "https://api.stripe.com")]
    pub card_url: Url,
    /// Secret key of the card provider, sk_…; without one no cards are taken
    #[arg(long, env = "SHOP_CARD_KEY", hide_env_values = true)]
    pub card_key: Option<String>,
    /// File with that key, for those who keep it out of the environment
    #[arg(long, env = "SHOP_CARD_KEY_FILE")]
    pub card_key_file: Option<PathBuf>,
    /// Secret with which the card provider signs its messages, whsec_…; without one they are refused
    #[arg(long, env = "SHOP_CARD_WEBHOOK_SECRET", hide_env_values = true)]
    pub card_webhook_secret: Option<String>,
    /// File with that secret
    #[arg(long, env = "SHOP_CARD_WEBHOOK_SECRET_FILE")]
    pub card_webhook_secret_file: Option<PathBuf>,
}

/// How much of the network is let in.
#[derive(Args, Clone, Debug)]
pub struct EdgeConfig {
    /// Requests a second for each caller and for each client address; 0 for any number
    #[arg(long, env = "SHOP_RATE_LIMIT", default_value_t = 100)]
    pub rate_limit: u32,
    /// Attempts a minute at a credential for each client address; 0 for any number
    #[arg(long, env = "SHOP_LOGIN_LIMIT", default_value_t = 10)]
    pub login_limit: u32,
    /// Proxies whose X-Forwarded-For is believed: addresses or CIDR blocks, separated by commas
    #[arg(long, env = "SHOP_TRUSTED_PROXIES", default_value = "", hide_default_value = true)]
    pub trusted_proxies: TrustedProxies,
    /// Connections at once; further ones wait, and one address may hold a quarter of them
    #[arg(long, env = "SHOP_MAX_CONNECTIONS", default_value = "1024")]
    pub max_connections: NonZeroUsize,
    /// AllowedOrigins whose pages may call the API from a browser, separated by commas
    #[arg(long, env = "SHOP_CORS_ORIGINS", default_value = "", hide_default_value = true)]
    pub cors_origins: AllowedOrigins,
}

impl ServeConfig {
    pub fn terms(&self) -> Terms {
        Terms {
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
        let key = secret(self.card_key.as_deref(), self.card_key_file.as_deref())?;
        let webhook_secret = secret(self.card_webhook_secret.as_deref(), self.card_webhook_secret_file.as_deref())?;
        let url = self.card_url.clone();
        // The key goes along with every request.
        let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        ensure!(url.scheme() == "https" || url.scheme() == "http" && local, "SHOP_CARD_URL must begin with https://");
        let card = key.map(|key| CardConfig { url, key, webhook_secret, patience: CardConfig::PATIENCE });
        Ok(PaymentsConfig { currency: self.currency, test: self.test_payments, card })
    }
}

/// A secret that is given, or else stands in a file.
fn secret(given: Option<&str>, file: Option<&Path>) -> anyhow::Result<Option<ProviderSecret>> {
    let read = match (given.filter(|secret| !secret.is_empty()), file) {
        (Some(secret), _) => secret.to_owned(),
        (None, Some(file)) => {
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
        }
        (None, None) => return Ok(None),
    };
    Ok(Some(ProviderSecret::new(read.trim())))
}

impl DatabaseConfig {
    pub fn keys_dir(&self) -> PathBuf {
        self.keys_dir.clone().unwrap_or_else(|| self.data_dir().join("keys"))
    }

    pub fn mail_dir(&self) -> PathBuf {
        self.mail_dir.clone().unwrap_or_else(|| self.data_dir().join("mail"))
    }

    fn data_dir(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(default_data_dir)
    }

    /// Everything that accounts need, with the address that the shop listens on.
    pub fn accounts(&self, serve: &ServeConfig, listening: SocketAddr) -> AccountsConfig {
        let public_url = serve.public_url.clone().unwrap_or_else(|| format!("http://{listening}"));
        let mail = MailConfig {
            smtp_url: self.smtp_url.clone().filter(|url| !url.is_empty()),
            folder: self.mail_dir(),
            from: serve.mail_from.clone(),
            public_url: public_url.trim_end_matches('/').to_owned(),
        };
        AccountsConfig { keys_dir: self.keys_dir(), mail }
    }

    pub fn location(&self) -> Location {
        let url = self.database_url.clone().filter(|url| !url.is_empty());
        match url {
            Some(url) => Location::Url { url, password_file: self.database_password_file.clone() },
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
    fn nothing_is_taken_unless_it_is_set_up() {
        let plain = read(&[]).unwrap();
        assert!(plain.card.is_none() && !plain.test && plain.currency == Currency::EUR);
        let card = read(&["--card-key", "sk_test_1", "--currency", "usd"]).unwrap().card.unwrap();
        assert_eq!((card.url.as_str(), card.key.expose()), ("https://api.stripe.com/", "sk_test_1"));
        assert!(card.webhook_secret.is_none());
    }

    #[test]
    fn a_secret_may_stand_in_a_file() {
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
