//! The sample commands.

use cartwright::seeds;

use crate::support::TestShop;

#[tokio::test]
async fn an_empty_shop_is_planted_once_and_every_statistic_has_figures() {
    let shop = TestShop::new().await;
    assert!(seeds::due(&shop.pool).await.unwrap());
    let planted = seeds::plant(&shop.engine.journal).await.unwrap();
    assert!(!seeds::due(&shop.pool).await.unwrap());
    shop.settle().await;
    assert_eq!(shop.read("customer-stats/").await.as_array().unwrap().len(), planted.customers);
    assert_eq!(shop.read("orders/").await.as_array().unwrap().len(), planted.orders);
    for path in ["bestsellers/", "low-stock/", "category-stats/", "sales/", "never-ordered/"] {
        assert!(!shop.read(path).await.as_array().unwrap().is_empty(), "{path}");
    }
    assert!(seeds::plant(&shop.engine.journal).await.is_err(), "planted twice");
    shop.check_log().await;
    shop.verify().await;
}
