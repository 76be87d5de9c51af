//! ChromeDriver and its sessions.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use serde_json::json;
use thirtyfour::{ChromeCapabilities, ChromiumLikeCapabilities, LoggingPrefsLogLevel, WebDriver};

use crate::support::ending::EndsWithThisRun;

/// The ChromeDriver of this run.
static DRIVER: LazyLock<Driver> = LazyLock::new(Driver::start);

struct Driver {
    address: String,
    /// Profiles, and what Chromium leaves in the folder of temporary files.
    folder: PathBuf,
    _process: Child,
    _ending: EndsWithThisRun,
}

impl Driver {
    fn start() -> Self {
        // Short, because Chromium puts sockets there.
        let folder = std::env::temp_dir().join(format!("cartwright-browser-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").env("TMPDIR", &folder).env("HOME", &folder);
        let started = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut process = started.expect("install chromium and chromium-driver");
        let ending = EndsWithThisRun::new(&[&process], &folder);
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let port =
            lines.find_map(|line| line.split_once("started successfully on port ").map(|(_, port)| port.to_owned()));
        let port = port.expect("chromedriver ended at once");
        // The rest is read so that the pipe never fills.
        std::thread::spawn(move || lines.for_each(drop));
        let address = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
        Self { address, folder, _process: process, _ending: ending }
    }
}

const FLAGS: [&str; 13] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    // Chromium ends with its driver, even if the driver is killed.
    "--remote-debugging-pipe",
    // No name but the shop's is looked up, so that nothing leaves the machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/// A browser with an empty profile, which is removed with the folder that is returned.
pub async fn open() -> (WebDriver, tempfile::TempDir) {
    // Another test may be starting the driver.
    let driver = tokio::task::spawn_blocking(|| &*DRIVER).await.unwrap();
    let profile = tempfile::tempdir_in(&driver.folder).unwrap();
    (WebDriver::new(&driver.address, capabilities(profile.path())).await.unwrap(), profile)
}

fn capabilities(profile: &Path) -> ChromeCapabilities {
    let mut capabilities = ChromeCapabilities::new();
    for flag in FLAGS {
        capabilities.add_arg(flag).unwrap();
    }
    capabilities.add_arg(&format!("--user-data-dir={}", profile.display())).unwrap();
    for log in ["browser", "performance"] {
        capabilities.set_logging_prefs(log, LoggingPrefsLogLevel::All).unwrap();
    }
    for (option, value) in [
        ("perfLoggingPrefs", json!({ "enableNetwork": true, "enablePage": false })),
        // The first tab is empty.
        ("prefs", json!({ "session": { "restore_on_startup": 4, "startup_urls": ["about:blank"] } })),
    ] {
        capabilities.add_experimental_option(option, value).unwrap();
    }
    capabilities
}
