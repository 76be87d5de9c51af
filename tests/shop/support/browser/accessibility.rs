//! Accessibility as axe-core sees it.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::page::Page;

/// The source of axe-core, at the version that `tools/axe` names.
static AXE: LazyLock<String> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(root.join("tools/axe")).output().unwrap();
    assert!(output.status.success(), "tools/axe: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(String::from_utf8(output.stdout).unwrap().trim()).unwrap()
});

const CHECK: &str = "
    const [rules, done] = arguments;
    axe.run(document, { resultTypes: ['violations'], ...(rules && { runOnly: rules }) })
        .then(({ violations }) => done(violations.map(({ id, impact, help, nodes }) => ({
            id, impact, help,
            nodes: nodes.slice(0, 5).map(({ target, any, all }) =>
                `${target.join(' ')}: ${[...any, ...all].map(({ message }) => message).join('; ')}`),
        }))))
        .catch((error) => done(String(error)));";

impl Page {
    /// Fails if axe finds a violation that it calls serious or critical; names all violations then.
    pub async fn assert_accessible(&self) {
        let violations = self.violations().await;
        assert!(violations.is_empty(), "axe finds {violations:#?}");
    }

    /// All violations, if one of them is serious or critical.
    pub async fn violations(&self) -> Vec<String> {
        self.violations_of(Value::Null).await
    }

    /// The same for the contrast of colours alone.
    pub(super) async fn low_contrasts(&self) -> Vec<String> {
        self.violations_of(json!(["color-contrast"])).await
    }

    async fn violations_of(&self, rules: Value) -> Vec<String> {
        if self.ask("return typeof axe").await == "undefined" {
            self.session.execute(AXE.as_str(), Vec::new()).await.unwrap();
        }
        let found = self.ask_async(CHECK, &[rules]).await;
        let found = found.as_array().unwrap_or_else(|| panic!("axe failed: {found}"));
        let is_grave = |violation: &Value| violation["impact"] == "serious" || violation["impact"] == "critical";
        if found.iter().any(is_grave) { found.iter().map(describe).collect() } else { Vec::new() }
    }
}

fn describe(violation: &Value) -> String {
    let text = |field: &str| violation[field].as_str().unwrap_or_default().to_owned();
    let nodes = violation["nodes"].as_array().into_iter().flatten().filter_map(Value::as_str);
    format!("{} {}: {} ({})", text("impact"), text("id"), text("help"), nodes.collect::<Vec<_>>().join(" / "))
}
