//! The client address of a request: the peer of its connection, or what trusted proxies report.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The address of the client. In the extensions of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// The client's network, which is all that is stored: IPv4 /24, IPv6 /48.
    pub fn shortened(self) -> IpAddr {
        self.network(24, 48)
    }

    /// The unit that limits count: an IPv6 client can send from a whole /64.
    pub fn rate_limit_unit(self) -> IpAddr {
        self.network(32, 64)
    }

    fn network(self, ipv4_bits: u8, ipv6_bits: u8) -> IpAddr {
        match self.0.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(Ipv4Net::new_assert(address, ipv4_bits).network()),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Net::new_assert(address, ipv6_bits).network()),
        }
    }
}

/// The other end of a connection. A request made inside this process has none.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// Whether the client speaks TLS, as a trusted proxy reports. In the extensions of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecureTransport(pub bool);

/// Proxies whose `X-Forwarded-For` is believed. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl FromStr for TrustedProxies {
    type Err = String;

    /// Addresses and CIDR blocks, separated by commas.
    fn from_str(list: &str) -> Result<Self, String> {
        let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let block = |entry: &str| match entry.parse::<IpAddr>() {
            Ok(address) => Ok(IpNet::from(address.to_canonical())),
            Err(_) => entry.parse().map_err(|_| format!("`{entry}` is neither an address nor a block like 10.0.0.0/8")),
        };
        entries.map(block).collect::<Result<_, _>>().map(Self)
    }
}

impl TrustedProxies {
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|block| block.contains(&address))
    }

    /// The client's address: the rightmost hop outside the trusted proxies.
    ///
    /// Each proxy appends its peer's address on the right. So the rightmost entry is believed if the peer is trusted,
    /// the entry before it if the rightmost is trusted too, and so on; entries further left may be forged. An unreadable
    /// entry ends the search.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let mut client = peer.to_canonical();
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        let mut hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        while self.trusts(client) {
            let Some(hop) = hops.next().and_then(parse_hop) else { break };
            client = hop;
        }
        ClientAddress(client)
    }
}

impl TrustedProxies {
    /// Whether the trusted proxy that sent the request received it over TLS. A header of any other peer is not believed.
    fn is_secure(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let last = headers.get_all("x-forwarded-proto").iter().next_back();
        let last = last.and_then(|line| line.as_bytes().rsplit(|byte| *byte == b',').next());
        self.trusts(peer) && last.is_some_and(|scheme| scheme.trim_ascii().eq_ignore_ascii_case(b"https"))
    }
}

/// An address, with a port or without.
fn parse_hop(entry: &[u8]) -> Option<IpAddr> {
    let entry = str::from_utf8(entry).ok()?.trim();
    let bracketed = || entry.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || entry.parse::<SocketAddr>().ok().map(|address| address.ip());
    entry.parse().ok().or_else(bracketed).or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

/// A layer: puts the [`ClientAddress`] and the [`SecureTransport`] into the extensions of a request.
pub async fn resolve_client_address(
    State(proxies): State<TrustedProxies>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0);
    let client = proxies.client(peer, request.headers());
    let secure = SecureTransport(proxies.is_secure(peer, request.headers()));
    request.extensions_mut().insert(client);
    request.extensions_mut().insert(secure);
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn client(trusted: &str, peer: &str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_str(line).unwrap());
        }
        let proxies: TrustedProxies = trusted.parse().unwrap();
        proxies.client(peer.parse().unwrap(), &headers).0.to_string()
    }

    #[test]
    fn an_untrusted_peer_is_not_believed() {
        assert_eq!(client("", "192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(client("10.0.0.0/8", "192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(client("", "127.0.0.1", &["203.0.113.9"]), "127.0.0.1", "not even a peer on this machine");
    }

    #[test]
    fn the_rightmost_hop_that_is_not_trusted_is_the_client() {
        let trusted = "10.0.0.0/8, 2001:db8:1::/48";
        for (lines, expected) in [
            (&["203.0.113.9"][..], "203.0.113.9"),
            (&["198.51.100.7, 203.0.113.9"], "203.0.113.9"),
            (&["198.51.100.7,203.0.113.9,10.0.0.7"], "203.0.113.9"),
            (&["198.51.100.7", "203.0.113.9", "10.0.0.7, 2001:db8:1::5"], "203.0.113.9"),
            (&["10.0.0.3", "10.0.0.7"], "10.0.0.3"),
            (&["203.0.113.9:4711"], "203.0.113.9"),
            (&["[2001:db8:2::1]:4711"], "2001:db8:2::1"),
            (&["[2001:db8:2::1]"], "2001:db8:2::1"),
            (&["::ffff:203.0.113.9"], "203.0.113.9"),
            (&["::ffff:10.0.0.9"], "10.0.0.9"),
        ] {
            assert_eq!(client(trusted, "10.0.0.1", lines), expected, "{lines:?}");
            assert_eq!(client(trusted, "::ffff:10.0.0.1", lines), expected, "{lines:?}");
        }
        assert_eq!(client(trusted, "10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn an_unreadable_hop_ends_the_search() {
        for (lines, expected) in [
            (&["unknown"][..], "10.0.0.1"),
            (&[""], "10.0.0.1"),
            (&["203.0.113.9,"], "10.0.0.1"),
            (&["203.0.113.9, nonsense, 10.0.0.7"], "10.0.0.7"),
            (&["203.0.113.9", "10.0.0.300"], "10.0.0.1"),
            (&["203.0.113.9, _hidden, 198.51.100.7"], "198.51.100.7"),
            (&["203.0.113.9;10.0.0.7"], "10.0.0.1"),
        ] {
            assert_eq!(client("10.0.0.0/8", "10.0.0.1", lines), expected, "{lines:?}");
        }
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_bytes(b"203.0.113.9, \xff").unwrap());
        let proxies: TrustedProxies = "10.0.0.1".parse().unwrap();
        let peer = IpAddr::from([10, 0, 0, 1]);
        assert_eq!(proxies.client(peer, &headers), ClientAddress(peer));
    }

    proptest! {
        /// A client may forge the header, but the proxy appends the true address on the right, and that counts.
        #[test]
        fn a_client_cannot_choose_its_address(written in prop::collection::vec("[ -~]{0,40}", 0..4), own: [u8; 4]) {
            prop_assume!(own[0] != 10);
            let own = IpAddr::from(own).to_string();
            let written: Vec<&str> = written.iter().map(|line| line.trim()).collect();
            prop_assert_eq!(&client("10.0.0.0/8", "10.0.0.1", &[&written[..], &[&own]].concat()), &own);
            let appended = format!("{},{own}", written.join(","));
            prop_assert_eq!(&client("10.0.0.0/8", "10.0.0.1", &[&appended]), &own);
            prop_assert_eq!(client("10.0.0.0/8", "192.0.2.1", &[&appended]), "192.0.2.1");
        }
    }

    #[test]
    fn addresses_are_shortened_for_storage_and_for_rate_limits() {
        for (address, shortened, unit) in [
            ("203.0.113.9", "203.0.113.0", "203.0.113.9"),
            ("::ffff:203.0.113.9", "203.0.113.0", "203.0.113.9"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::", "2001:db8:1:2::"),
        ] {
            let client = ClientAddress(address.parse().unwrap());
            assert_eq!(client.shortened().to_string(), shortened);
            assert_eq!(client.rate_limit_unit().to_string(), unit);
        }
    }

    #[test]
    fn only_a_trusted_proxy_reports_tls() {
        let proxies: TrustedProxies = "10.0.0.1".parse().unwrap();
        let is_secure = |peer: &str, scheme: &'static str| {
            let headers =
                HeaderMap::from_iter([("x-forwarded-proto".parse().unwrap(), HeaderValue::from_static(scheme))]);
            proxies.is_secure(peer.parse().unwrap(), &headers)
        };
        assert!(is_secure("10.0.0.1", "https") && is_secure("10.0.0.1", "http, HTTPS"));
        assert!(!is_secure("10.0.0.1", "http") && !is_secure("10.0.0.1", "https, http"));
        assert!(!is_secure("192.0.2.1", "https"), "another peer is not believed");
        assert!(!proxies.is_secure(IpAddr::from([10, 0, 0, 1]), &HeaderMap::new()));
    }

    #[test]
    fn an_invalid_list_is_refused() {
        assert_eq!(TrustedProxies::from_str(" , "), Ok(TrustedProxies::default()));
        for list in ["proxy", "10.0.0.0/33", "10.0.0.1, 10.0.0", "*"] {
            assert!(TrustedProxies::from_str(list).is_err(), "{list}");
        }
    }
}
