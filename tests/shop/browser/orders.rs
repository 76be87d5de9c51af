//! Orders: from paid to delivered, with units that are given up, returned and refunded.

use cartwright::domain::account::Role;
use serde_json::json;

use crate::support::browser::browse_as;

#[tokio::test]
#[ignore = "needs Chromium and axe-core"]
async fn an_editor_drives_an_order_from_paid_to_refunded() {
    browse_as(Role::Editor, async |page| {
        let api = page.api();
        let kettle = api.product("Kettle of the journey", "20.00", 50).await;
        let order = api.order(kettle, 3).await;
        api.post(&format!("order/{order}/pay/"), json!({})).await;
        page.visit("/admin/orders").await;
        page.fill("Number, reference or e-mail", &order.to_string()).await;
        page.press("Filter").await;
        page.see(&format!("Order {order}")).await;
        page.press("Start packing").await;
        page.see("The order is being packed.").await;

        page.follow("Ship…").await;
        page.fill("Units of line 1, Kettle of the journey", "2").await;
        page.fill("Carrier", "DHL").await;
        page.press("Ship").await;
        page.see("The shipment was recorded.").await;
        page.part("Shipments").see("with DHL").await;

        page.follow("Give up units…").await;
        page.fill("Units of line 1, Kettle of the journey", "1").await;
        page.fill("Reason", "broken").await;
        page.press("Show what will happen").await;
        page.part("What will happen").see("20.00").await;
        page.assert_accessible().await;
        page.press("Give up units, and refund 20.00 EUR").await;
        page.see("The units were given up.").await;

        page.follow("Record the delivery…").await;
        page.press("Record the delivery").await;
        page.see("completed").await;
        page.follow("Take units back…").await;
        page.fill("Units of line 1, Kettle of the journey", "1").await;
        page.check("Refund what was paid for them", false).await;
        page.press("Show what will happen").await;
        page.see("No money goes back.").await;
        page.press("Take units back").await;
        page.follow("Refund…").await;
        page.fill("Amount", "99.00").await;
        page.press("Show what will happen").await;
        page.see("At most 40.00 can be refunded").await;
        assert_eq!(page.value("Amount").await, "99.00", "nothing typed is lost");
        page.fill("Amount", "20.00").await;
        page.press("Show what will happen").await;
        page.press("Refund 20.00 EUR").await;
        page.part("Refunds").see("20.00").await;
        page.assert_accessible().await;
        page.follow("Packing slip").await;
        page.see("12 Mill Lane").await;
        let summary = api.read(&format!("order/{order}/summary/")).await;
        assert_eq!((&summary["refunded"], &summary["status"]), (&json!("40.00"), &json!("completed")));
    })
    .await;
}
