//! The first lines that a server prints: its address, a first command, and the first admin account.

use super::output::print;
use crate::database::Location;
use crate::server::Opening;

pub(super) fn print_greeting(opening: &Opening, location: &Location) {
    let Opening { address, first_admin } = opening;
    print(&format!(
        "Cartwright is running at http://{address} ({}).\n\
         \n  curl http://{address}/shop/api/products/\n\
         \nAll routes: http://{address}/docs",
        location.describe()
    ));
    if let Some((email, password)) = first_admin {
        print(&format!(
            "\nFirst admin account (this password is shown only once):\n\n  email     {email}\n  password  {}\n\
             \n  curl http://{address}/shop/api/auth/login/ --json '{{\"email\": \"{email}\", \"password\": \"…\"}}'",
            password.expose()
        ));
    }
}
