//! The list of products: prices and stock edited in place, and many products at once.

use cartwright::domain::account::Role;
use thirtyfour::Key;

use crate::support::browser::browse_as;

#[tokio::test]
#[ignore = "needs Chromium and axe-core"]
async fn an_editor_changes_price_and_stock_in_the_list() {
    browse_as(Role::Editor, async |page| {
        let product = page.api().product("Sauceboat", "12.50", 3).await;
        let path = format!("product/{product}/");
        page.visit("/admin/products?search=sauceboat").await;
        page.press_cell("Sauceboat", "Price").await;
        page.fill("Price of Sauceboat", "a lot").await;
        page.press("Save").await;
        page.see("must be").await;
        assert_eq!(page.value("Price of Sauceboat").await, "a lot", "nothing typed is lost");
        page.assert_accessible().await;
        page.fill("Price of Sauceboat", "1234.5").await;
        page.key(Key::Enter).await;
        page.see_cell("Sauceboat", "Price", "1,234.50 EUR").await;
        assert_eq!(page.api().read(&path).await["price"], "1234.50");

        page.press_cell("Sauceboat", "Stock").await;
        page.fill("Units on hand of Sauceboat", "40").await;
        page.key(Key::Escape).await;
        page.see_cell("Sauceboat", "Stock", "3").await;
        page.press_cell("Sauceboat", "Stock").await;
        page.fill("Units on hand of Sauceboat", "40").await;
        page.press("Save").await;
        page.see_cell("Sauceboat", "Stock", "40").await;
        assert_eq!(page.api().read(&path).await["stock"], 40);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs Chromium and axe-core"]
async fn an_editor_without_scripts_changes_a_price() {
    browse_as(Role::Editor, async |page| {
        page.api().product("Gravy ladle", "12.50", 3).await;
        page.allow_scripts(false).await;
        page.visit("/admin/products?search=gravy+ladle").await;
        page.press_cell("Gravy ladle", "Price").await;
        assert!(page.path().await.ends_with("/price"), "a page of its own");
        page.fill("Price of Gravy ladle", "13").await;
        page.press("Save").await;
        page.see("Gravy ladle costs 13.00 EUR now.").await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs Chromium and axe-core"]
async fn an_editor_reprices_two_products_after_a_preview() {
    browse_as(Role::Editor, async |page| {
        for (name, price) in [("Trivet of cork", "10.00"), ("Trivet of slate", "19.99")] {
            page.api().product(name, price, 3).await;
        }
        page.visit("/admin/products?search=trivet").await;
        page.check("Choose Trivet of cork", true).await;
        page.check("Choose Trivet of slate", true).await;
        page.fill("Change prices by", "-10").await;
        page.press("Change prices…").await;
        page.see("This will change 2 of 2 products. Nothing is changed yet.").await;
        assert_eq!(page.cell("Trivet of slate", "Price after").await, "17.99 EUR");
        page.assert_accessible().await;
        assert_eq!(page.shoot("admin-products-bulk").await, [""; 0]);
        page.press("Change 2 products").await;
        page.see("2 products changed").await;
        assert_eq!(page.cell("Trivet of cork", "Price").await, "9.00 EUR");
        assert_eq!(page.cell("Trivet of slate", "Price").await, "17.99 EUR");
    })
    .await;
}
