//! The tools of journeys: they find what they look for, and the checks of pages find their offenders.

use crate::support::browser::browse;

const HEAD: &str =
    "<!doctype html><html lang=en><title>Offenders</title><meta name=viewport content='width=device-width'>";

#[tokio::test]
#[ignore = "needs Chromium and axe-core"]
async fn every_check_finds_its_offender() {
    browse(async |page| {
        page.show(&format!("{HEAD}<main><h1>None</h1><p>None</p></main>")).await;
        assert_eq!(page.violations().await, [""; 0]);
        assert_eq!(page.shoot("check-nothing").await, [""; 0]);
        assert_eq!(page.noise().await, [""; 0]);

        page.show(&format!(
            "{HEAD}<meta http-equiv=Content-Security-Policy content=\"style-src 'self'\">
             <style>h1 {{ color: red }}</style>
             <main><h1>Offenders</h1><input><pre>{}</pre><img alt='' src='http://elsewhere.example/pixel.png'></main>
             <script>console.warn('a warning'); missing();</script>",
            "wide ".repeat(100),
        ))
        .await;
        let violations = page.violations().await.join("\n");
        assert!(violations.contains("critical label"), "{violations}");
        let shot = page.shoot("check-offenders").await.join("\n");
        assert!(shot.contains("wider than a phone: <pre>"), "{shot}");
        let noise = page.noise().await.join("\n");
        for offender in ["Content Security Policy", "a warning", "missing is not defined", "elsewhere.example"] {
            assert!(noise.contains(offender), "{offender} is not in {noise}");
        }

        page.visit("/admin/log-in").await;
        page.ask("document.body.append(Object.assign(new Image(), { id: 'missing', src: '/missing.png' }))").await;
        page.until("load the picture", "return document.getElementById('missing').complete").await;
        let noise = page.noise().await.join("\n");
        assert!(noise.contains("/missing.png\" was answered with 404"), "{noise}");

        page.show(&format!(
            "{HEAD}<style>@media (prefers-color-scheme: dark) {{ p {{ color: #333; background: #222 }} }}</style>
             <main><h1>Dark</h1><p>Grey on black</p></main>"
        ))
        .await;
        assert_eq!(page.violations().await, [""; 0], "black on white");
        let shot = page.shoot("check-dark").await.join("\n");
        assert!(shot.contains("in the dark: serious color-contrast"), "{shot}");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs Chromium and axe-core"]
async fn a_journey_uses_a_page_as_a_person_does() {
    browse(async |page| {
        page.show(&format!(
            "{HEAD}<main><h1>Orders</h1>
             <form><label>Name <input value=Kettle></label> <label for=day>Day</label><input id=day type=date>
             <label>State <select><option value=1>Paid<option value=2>Shipped</select></label>
             <label><input type=checkbox> Gift</label></form>
             <section><h2>Open</h2><button onclick=\"this.textContent = 'Closed'\">Close</button></section>
             <section><h2>Late</h2><button>Close</button></section>
             <table><thead><tr><th>Order<th>Total<th>Step</thead><tbody>
             <tr><td>7<td>1.00&nbsp;EUR<td><a href='#seven'>Pay</a><tr><td>8<td>2.00&nbsp;EUR<td><a href='#eight'>Pay</a></table>
             <ul><li id=first draggable=true>first</li><li id=last draggable=true>last</li></ul>
             <p id=hidden hidden>Hidden</p></main>
             <script>
             const [first, last] = document.querySelectorAll('li');
             last.ondragstart = (event) => event.dataTransfer.setData('text/plain', 'last');
             first.ondragover = (event) => event.preventDefault();
             first.ondrop = (event) => first.before(document.getElementById(event.dataTransfer.getData('text/plain')));
             </script>"
        ))
        .await;
        page.fill("Name", "Teapot 🫖").await;
        page.fill("Day", "2026-02-28").await;
        page.fill("State", "Shipped").await;
        page.check("Gift", true).await;
        let values = "return [...document.querySelectorAll('input, select')].map((field) => field.checked || field.value)";
        assert_eq!(page.ask(values).await, serde_json::json!(["Teapot 🫖", "2026-02-28", "2", true]));
        page.part("Open").press("Close").await;
        page.part("Open").see("Closed").await;
        page.part("Late").see_no("Closed").await;
        assert_eq!(page.cell("8", "Total").await, "2.00 EUR");
        page.row("8").follow("Pay").await;
        page.until("follow the link", "return location.hash === '#eight'").await;
        page.drag("#last", "#first").await;
        page.see("last first").await;
        page.see_no("Hidden").await;
    })
    .await;
}
