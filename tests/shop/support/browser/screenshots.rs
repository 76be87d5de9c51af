//! Pictures of pages, light and dark, on a desktop and on a phone.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::page::Page;

/// `SCREENSHOTS_DIR`, or `screenshots/` in the folder of build results.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let folder = std::env::var_os("SCREENSHOTS_DIR").map_or_else(|| build.join("screenshots"), PathBuf::from);
    std::fs::create_dir_all(&folder).unwrap();
    folder
});

#[derive(Clone, Copy)]
struct Screen {
    width: u32,
    height: u32,
    is_phone: bool,
}

const DESKTOP: Screen = Screen { width: 1280, height: 800, is_phone: false };
const PHONE: Screen = Screen { width: 390, height: 844, is_phone: true };

/// Longer pages are cut.
const TALLEST: u64 = 6_000;

/// What reaches beyond the right edge of the screen, outside of parts that scroll by themselves.
const OVERFLOW: &str = "
    const width = arguments[0];
    const whole = document.documentElement.scrollWidth;
    if (whole <= width) return [];
    const scrolls = (element) => element && (getComputedStyle(element).overflowX !== 'visible' || scrolls(element.parentElement));
    const isWide = (element) => {
        const { left, right } = element.getBoundingClientRect();
        return Math.max(right, left + element.scrollWidth) > width + 1 && !scrolls(element.parentElement);
    };
    return [...document.body.querySelectorAll('*')]
        .filter((element) => isWide(element) && ![...element.children].some(isWide))
        .map((element) => element.outerHTML.slice(0, 160)).slice(0, 10).concat(`${whole} of ${width} pixels`);";

impl Page {
    /// The screen and the colours with which a test begins.
    pub(super) async fn use_desktop(&self) {
        self.set_screen(DESKTOP).await;
        self.set_scheme("light").await;
    }

    /// Saves pictures of the page. Returns what is wider than a phone, and what is hard to read in the dark.
    pub async fn shoot(&self, name: &str) -> Vec<String> {
        self.save(&format!("{name}-desktop-light")).await;
        self.set_scheme("dark").await;
        self.save(&format!("{name}-desktop-dark")).await;
        let low_contrasts = self.low_contrasts().await;
        self.set_screen(PHONE).await;
        // A page may look at the screen when it is loaded.
        self.reload().await;
        self.save(&format!("{name}-phone-dark")).await;
        self.set_scheme("light").await;
        self.save(&format!("{name}-phone-light")).await;
        let wide = self.try_ask(OVERFLOW, vec![json!(PHONE.width)]).await.unwrap();
        self.set_screen(DESKTOP).await;
        let wide = wide.as_array().into_iter().flatten().filter_map(Value::as_str);
        let wide = wide.map(|element| format!("wider than a phone: {element}"));
        wide.chain(low_contrasts.into_iter().map(|violation| format!("in the dark: {violation}"))).collect()
    }

    /// Saves one picture; returns its file.
    pub(super) async fn save(&self, name: &str) -> PathBuf {
        let size = self.ask("return [innerWidth, document.documentElement.scrollHeight]").await;
        let height = size[1].as_u64().unwrap_or_default().clamp(1, TALLEST);
        let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": height, "scale": 1 });
        let options = json!({ "format": "png", "captureBeyondViewport": true, "optimizeForSpeed": true, "clip": clip });
        let picture = self.command("Page.captureScreenshot", options).await;
        let file = FOLDER.join(format!("{name}.png"));
        std::fs::write(&file, BASE64_STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()).unwrap();
        file
    }

    async fn set_screen(&self, screen: Screen) {
        let Screen { width, height, is_phone, .. } = screen;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone });
        self.command("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    async fn set_scheme(&self, scheme: &str) {
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            // Nothing moves while a picture is taken.
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.command("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    async fn command(&self, command: &str, options: Value) -> Value {
        self.session.cdp().send_raw(command, options).await.unwrap()
    }
}
