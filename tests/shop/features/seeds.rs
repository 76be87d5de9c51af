//! The sample commands.

use cartwright::seeds::{self, Loaded};

use crate::support::{TestShop, fresh_database};

#[tokio::test]
async fn an_empty_shop_is_planted_once_and_every_statistic_has_figures() {
    let shop = TestShop::new().await;
    assert!(seeds::is_empty_shop(&shop.pool).await.unwrap());
    let loaded = seeds::load(&shop.engine.journal).await.unwrap();
    assert!(!seeds::is_empty_shop(&shop.pool).await.unwrap());
    shop.settle().await;
    assert_eq!(shop.read("customer-stats/").await.as_array().unwrap().len(), loaded.customers);
    assert_eq!(shop.read("orders/").await.as_array().unwrap().len(), loaded.orders);
    for path in ["bestsellers/", "low-stock/", "category-stats/", "sales/", "never-ordered/"] {
        assert!(!shop.read(path).await.as_array().unwrap().is_empty(), "{path}");
    }
    assert_eq!(seeds::load(&shop.engine.journal).await.unwrap(), Loaded::default(), "loaded twice");
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_servers_that_find_the_shop_empty_one_plants() {
    let database = fresh_database().await;
    let (first, second) = (TestShop::on(database.clone()).await, TestShop::on(database).await);
    let (first_planted, second_planted) =
        tokio::join!(seeds::load(&first.engine.journal), seeds::load(&second.engine.journal));
    let mut products = [first_planted.unwrap().products, second_planted.unwrap().products];
    products.sort_unstable();
    assert!(products[0] == 0 && products[1] > 0, "{products:?}");
    first.check_log().await;
}
