//! The first lines that a server prints: its address, a first command, and the first admin account.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::output::print;
use crate::database::Location;
use crate::server::Opening;

pub(super) fn print_greeting(opening: &Opening, location: &Location) {
    let Opening { first_admin, without_account, .. } = opening;
    let address = base_url(opening);
    print(&format!(
        "Cartwright is running at {address} ({}).\n\
         \n  curl {address}/shop/api/products/\n\
         \nAll routes: {address}/docs",
        location.describe()
    ));
    if let Some((email, password)) = first_admin {
        print(&format!(
            "\nFirst admin account (this password is shown only once):\n\n  email     {email}\n  password  {}\n\
             \n  curl {address}/shop/api/auth/login/ --json '{{\"email\": \"{email}\", \"password\": \"…\"}}'",
            password.expose()
        ));
    }
    if *without_account {
        print("\nThe shop has no account yet. Add the first one: cartwright users add you@example.com --role admin");
    }
}

/// The public URL of a shop that listens on every address, such as one in a container; otherwise the address itself.
fn base_url(opening: &Opening) -> String {
    match &opening.public_url {
        Some(url) if opening.address.ip().is_unspecified() => url.trim_end_matches('/').to_owned(),
        _ => format!("http://{}", reachable(opening.address)),
    }
}

/// The address as a client on this machine reaches it.
fn reachable(listening: SocketAddr) -> SocketAddr {
    match listening.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), listening.port()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), listening.port()),
        _ => listening,
    }
}
