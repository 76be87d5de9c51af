//! The reactor that docs/reactors.md shows: it is compiled, and does what the page says.

use std::sync::Arc;

use serde_json::Value;

use crate::support::TestShop;
use crate::support::order_slips::OrderSlips;
use crate::support::reactors::{eventually, start_all, wait_until_drained};

#[tokio::test]
async fn the_reactor_of_the_page_reacts_once_its_folder_is_there_and_never_fails_a_command() {
    let code = include_str!("../support/order_slips.rs");
    let (_, code) = code.split_once("\n\n").unwrap();
    assert!(include_str!("../../../docs/reactors.md").contains(code), "the page shows another reactor");

    let shop = TestShop::new().await;
    let folder = shop.media_dir.join("slips");
    let reactors = start_all(&shop, vec![Arc::new(OrderSlips { folder: folder.clone() })]).await;
    let (product, customer) = (shop.product("Kettle", "20.00", 5).await, shop.customer("Ada").await);
    shop.add(customer, product, 2).await;
    assert_eq!(shop.check_out(customer).await.status, 201, "the reactor fails later, and not the command");
    let parked = eventually("a parked reaction", async || {
        shop.read("reactions/?state=parked").await.as_array().unwrap().first().cloned()
    })
    .await;
    std::fs::create_dir(&folder).unwrap();
    shop.post(&format!("reactions/{}/retry/", parked["reaction_id"]), Value::Null).await;
    wait_until_drained(&shop).await;
    let slips: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|slip| slip.unwrap().path()).collect();
    assert_eq!(slips.len(), 1);
    assert_eq!(std::fs::read_to_string(&slips[0]).unwrap(), "order 1\n2 × \"Kettle\"\n");
    reactors.stop().await;
}
