//! Orders: from paid to delivered, units that are given up, and units that come back.

use cartwright::domain::account::Role;

use crate::support::browser::browse_as;

#[tokio::test]
#[ignore = "needs Chromium and axe-core"]
async fn an_editor_takes_an_order_from_paid_to_refunded() {
    browse_as(Role::Editor, async |page| {
        let api = page.api();
        let (bowl, spoon) =
            (api.product("Mixing bowl", "20.00", 10).await, api.product("Wooden spoon", "5.00", 10).await);
        let order = api.order(&[(bowl, 3), (spoon, 2)]).await;
        page.visit(&format!("/admin/orders/{order}")).await;
        page.follow("Record a payment…").await;
        assert_eq!(page.value("Amount received").await, "70.00");
        page.press("Record a payment").await;
        page.see("The payment was recorded.").await;
        page.press("Start packing").await;
        page.see("The order is being packed.").await;

        page.follow("Ship…").await;
        page.fill("Units of line 1", "9").await;
        page.fill("Carrier", "DHL").await;
        page.fill("Tracking number", "0034").await;
        page.until(
            "keep impossible numbers from being sent",
            "return !document.querySelector('[name=\"units.1\"]').validity.valid",
        )
        .await;
        page.fill("Units of line 1", "2").await;
        page.press("Ship").await;
        page.see("The shipment was recorded.").await;
        page.see_cell("Mixing bowl", "To send", "1").await;

        // The last bowl is broken.
        page.follow("Give up units…").await;
        page.fill("Units of line 1", "1").await;
        page.fill("Reason", "broken in the warehouse").await;
        page.press("Show what will happen").await;
        page.see("20.00 EUR").await;
        page.assert_accessible().await;
        assert_eq!(page.shoot("admin-orders-give-up-preview").await, [""; 0]);
        page.press("Give up units, and refund 20.00 EUR").await;
        page.see("The units were given up.").await;
        assert_eq!(page.cell("Mixing bowl", "Given up").await, "1");

        page.follow("Record the delivery…").await;
        page.press("Record the delivery").await;
        page.see("The delivery was recorded.").await;
        page.follow("Take units back…").await;
        page.fill("Units of line 2", "1").await;
        page.press("Show what will happen").await;
        page.press("Take units back, and refund 5.00 EUR").await;
        page.see("The return was recorded.").await;
        assert_eq!(page.cell("Wooden spoon", "Returned").await, "1");
        page.part("History").see("broken in the warehouse").await;
        let summary = api.read(&format!("order/{order}/summary/")).await;
        assert_eq!((&summary["status"], &summary["refunded"]), (&"completed".into(), &"25.00".into()));
    })
    .await;
}
