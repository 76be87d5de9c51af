//! A customer's address is corrected, and the erasure of the customer waits for an order and is withdrawn.

use cartwright::domain::account::Role;
use serde_json::json;

use crate::support::browser::browse_as;

#[tokio::test]
#[ignore = "needs Chromium and axe-core"]
async fn an_editor_adds_an_address_and_lets_an_erasure_wait_for_an_order() {
    browse_as(Role::Editor, async |page| {
        let api = page.api();
        let product = api.product("Kettle", "24.90", 9).await;
        let customer = api.customer("Jo", "Miller").await;
        let lines = json!([{ "product_id": product, "quantity": 1 }]);
        api.post("orders/", json!({ "customer_id": customer, "lines": lines })).await;
        page.visit(&format!("/admin/customers?search={customer}")).await;
        assert_eq!(page.path().await, format!("/admin/customers/{customer}"));
        page.assert_accessible().await;
        page.follow("Add an address").await;
        page.fill("Street and number", "12 Mill Lane").await;
        page.fill("City", "Milltown").await;
        page.fill("Country", "GB").await;
        page.press("Save").await;
        page.see("Is required in GB").await;
        assert_eq!(page.value("City").await, "Milltown", "nothing typed is lost");
        page.fill("Postal code", "AB1 2CD").await;
        page.press("Save").await;
        page.part("Addresses").see("12 Mill Lane").await;

        page.follow("Erase…").await;
        page.see("cannot be undone").await;
        page.assert_accessible().await;
        page.press("Erase when the orders are closed").await;
        page.press("Erase later").await;
        page.see("The erasure waits until the last open order is closed.").await;
        page.press("Withdraw the erasure").await;
        page.press("Withdraw the erasure").await;
        page.see("The erasure was withdrawn.").await;
    })
    .await;
}
