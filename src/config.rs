//! Settings: each field names its flag, its variable, its default and its unit.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::database::Location;
use crate::database::embedded::{Durability, EmbeddedOptions, default_data_dir};

/// Where the data is. For every subcommand.
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
    /// Folder with `initdb` and `postgres` for the embedded PostgreSQL [default: searched for]
    #[arg(long, env = "SHOP_PG_BIN", global = true)]
    pub pg_bin: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
pub struct ServeConfig {
    /// Address to listen on; a loopback address, because there are no accounts yet
    #[arg(long, env = "SHOP_LISTEN", default_value = "127.0.0.1:8000")]
    pub listen: SocketAddr,
    /// Listen on an address that others can reach, although anybody there may do anything
    #[arg(long, env = "SHOP_ALLOW_REMOTE")]
    pub allow_remote: bool,
    /// Leave an empty shop empty, instead of playing the sample commands in it
    #[arg(long, env = "SHOP_NO_SEEDS")]
    pub no_seeds: bool,
    /// Bound of the aggregate cache, in entries (an aggregate, an item or a line counts one)
    #[arg(long, env = "SHOP_CACHE_ENTRIES", default_value_t = 200_000)]
    pub cache_entries: usize,
}

impl DatabaseConfig {
    pub fn location(&self) -> Location {
        let url = self.database_url.clone().filter(|url| !url.is_empty());
        match url {
            Some(url) => Location::Url { url, password_file: self.database_password_file.clone() },
            None => Location::Embedded(EmbeddedOptions {
                data_dir: self.data_dir.clone().unwrap_or_else(default_data_dir),
                durability: Durability::Durable,
                binaries: self.pg_bin.clone(),
            }),
        }
    }
}
