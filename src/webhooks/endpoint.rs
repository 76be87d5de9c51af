//! The address of a webhook, which must be public unless private addresses are allowed (protection against SSRF).
//!
//! A host name is resolved here, once per connection, and the connection goes to the checked address. So a name that
//! resolves differently a moment later (DNS rebinding) cannot reach a private address.

use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

use ipnet::IpNet;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::webhook::{WebhookUrl, WebhookUrlError};

/// The parsed URL of a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Endpoint {
    url: Url,
    webhook_url: WebhookUrl,
}

/// The address is inside a private network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("deliveries to private addresses are not allowed")]
pub(super) struct PrivateAddress;

/// Resolves names as the system does, and removes private addresses.
pub(super) struct PublicResolver;

/// Networks that are not globally reachable, by RFC 6890 and its successors.
static NOT_PUBLIC: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    let networks = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        // Parts of the public range 2000::/3: protocols, documentation and 6to4.
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    ];
    networks.iter().filter_map(|network| network.parse().ok()).collect()
});

impl Endpoint {
    /// Parses a URL as a client writes it, and brings it into normal form.
    pub fn parse(text: &str) -> Result<Self, WebhookUrlError> {
        let url: Url = text.trim().parse().map_err(|_| WebhookUrlError::NotAUrl)?;
        let webhook_url = WebhookUrl::parse(url.as_str())?;
        Ok(Self { url, webhook_url })
    }

    pub(super) fn url(&self) -> Url {
        self.url.clone()
    }

    /// Checks a host that is an IP address, which the resolver never sees.
    pub(super) fn check_literal_address(&self) -> Result<(), PrivateAddress> {
        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        match host.parse::<IpAddr>() {
            Ok(address) if !is_public(address) => Err(PrivateAddress),
            _ => Ok(()),
        }
    }
}

impl TryFrom<String> for Endpoint {
    type Error = WebhookUrlError;

    fn try_from(text: String) -> Result<Self, WebhookUrlError> {
        Self::parse(&text)
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.url.into()
    }
}

impl From<Endpoint> for WebhookUrl {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.webhook_url
    }
}

fn is_public(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let in_public_range = match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(address) => address.segments()[0] & 0xe000 == 0x2000,
    };
    in_public_range && !NOT_PUBLIC.iter().any(|network| network.contains(&address))
}

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let public: Vec<_> = found.iter().copied().filter(|address| is_public(address.ip())).collect();
            if public.is_empty() && !found.is_empty() {
                return Err(PrivateAddress.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_http_url_without_credentials() {
        for text in ["http://example.com", "https://example.com:8443/a?b=c", "http://[2a00:1450::1]/"] {
            assert!(Endpoint::parse(text).is_ok(), "{text}");
        }
        for (text, expected) in [
            ("", WebhookUrlError::NotAUrl),
            ("example.com", WebhookUrlError::NotAUrl),
            ("http://", WebhookUrlError::NotAUrl),
            ("ftp://example.com", WebhookUrlError::OtherScheme),
            ("file:///etc/passwd", WebhookUrlError::OtherScheme),
            ("https://jo:secret@example.com", WebhookUrlError::HoldsCredentials),
        ] {
            assert_eq!(Endpoint::parse(text), Err(expected), "{text}");
        }
        assert_eq!(Endpoint::parse(&format!("http://a/{}", "b".repeat(2_000))), Err(WebhookUrlError::TooLong));
    }

    #[test]
    fn private_ip_addresses_are_refused_in_every_notation() {
        for host in [
            "127.0.0.1",
            "127.1",
            "0x7f000001",
            "2130706433",
            "0",
            "10.1.2.3",
            "172.20.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "[::1]",
            "[::]",
            "[::ffff:10.0.0.1]",
            "[fe80::1]",
            "[fd00::1]",
            "[64:ff9b::a00:1]",
            "[2002:a00:1::1]",
            "[ff02::1]",
        ] {
            let endpoint = Endpoint::parse(&format!("http://{host}/")).unwrap();
            assert_eq!(endpoint.check_literal_address(), Err(PrivateAddress), "{host}");
        }
        for host in ["8.8.8.8", "172.32.0.1", "[2a00:1450:4001::1]", "example.com"] {
            assert_eq!(Endpoint::parse(&format!("http://{host}/")).unwrap().check_literal_address(), Ok(()), "{host}");
        }
        assert_eq!(NOT_PUBLIC.len(), 19);
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_a_private_address_is_refused() {
        let resolved = PublicResolver.resolve("localhost".parse().unwrap()).await;
        assert!(resolved.is_err_and(|error| error.is::<PrivateAddress>()));
    }
}
