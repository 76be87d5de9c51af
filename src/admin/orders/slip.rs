//! The packing slip: what goes into the parcel, without prices.

use askama::Template;

use super::order::{Address, Order, OrderFile};
use crate::admin::page::Page;
use crate::admin::staff::{Id, PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/orders/slip.html")]
struct SlipPage {
    page: Page,
    order: Order,
    /// The shipment of the slip; `None` for what is still to be sent.
    shipment: Option<i64>,
    lines: Vec<SlipLine>,
}

struct SlipLine {
    line: i64,
    product_id: i64,
    name: String,
    units: i64,
    ordered: i64,
}

impl SlipPage {
    fn address(&self) -> Option<&Address> {
        self.order.address("shipping")
    }

    fn units(&self) -> i64 {
        self.lines.iter().map(|line| line.units).sum()
    }
}

pub async fn show(staff: Staff, Id(order_id): Id) -> PageResult {
    let OrderFile { order, .. } = OrderFile::read(&staff, order_id).await?;
    let asked = staff.query.get("shipment");
    let shipment = order.shipments.iter().find(|shipment| shipment.shipment.to_string() == asked);
    let units = |number: i64, open: i64| match shipment {
        Some(shipment) => shipment.lines.iter().filter(|sent| sent.line == number).map(|sent| sent.quantity).sum(),
        None => open,
    };
    let lines = order.lines.iter().map(|line| SlipLine {
        line: line.line,
        product_id: line.product_id,
        name: line.product_name.clone(),
        units: units(line.line, order.open(line)),
        ordered: line.quantity,
    });
    let lines = lines.filter(|line| line.units > 0).collect();
    let shipment = shipment.map(|shipment| shipment.shipment);
    let page = staff.page(format!("Packing slip of order {order_id}")).below("Orders", "/admin/orders");
    let page = page.below(format!("Order {order_id}"), format!("/admin/orders/{order_id}"));
    staff.show(&SlipPage { page, order, shipment, lines })
}
