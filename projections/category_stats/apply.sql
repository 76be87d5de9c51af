insert into category_stats (category_id, category_name, product_count, total_stock, price_sum)
select category_id, name, 0, 0, 0
from fact.category_created;

update category_stats as category
set category_name = last.name
from (
    select distinct on (category_id) category_id, name
    from fact.category_renamed
    order by category_id, position desc
) as last
where category.category_id = last.category_id;

-- What the batch changes is taken out as it was, changed, and put in again as it is.
update category_stats as category
set product_count = category.product_count - part.products,
    total_stock = category.total_stock - part.stock,
    price_sum = category.price_sum - part.price
from (
    select category_id, count(*) as products, sum(stock) as stock, sum(price) as price
    from category_stats_products
    where product_id in (select product_id from fact.product_event)
    group by category_id
) as part
where category.category_id = part.category_id;

insert into category_stats_products (product_id, category_id, price, stock)
select product_id, category_id, price, 0
from fact.product_created;

update category_stats_products as product
set category_id = last.category_id
from (
    select distinct on (product_id) product_id, category_id
    from fact.product_changed
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

update category_stats_products as product
set price = last.price
from (
    select distinct on (product_id) product_id, price
    from fact.product_repriced
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

update category_stats_products as product
set stock = last.on_hand - last.reserved
from (
    select distinct on (product_id) product_id, on_hand, reserved
    from fact.stock_level
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

delete from category_stats_products as product
using fact.product_discontinued as event
where product.product_id = event.product_id;

delete from category_stats_products as product
using fact.product_deleted as event
where product.product_id = event.product_id;

update category_stats as category
set product_count = category.product_count + part.products,
    total_stock = category.total_stock + part.stock,
    price_sum = category.price_sum + part.price
from (
    select category_id, count(*) as products, sum(stock) as stock, sum(price) as price
    from category_stats_products
    where product_id in (select product_id from fact.product_event)
    group by category_id
) as part
where category.category_id = part.category_id;

delete from category_stats as category
using fact.category_deleted as event
where category.category_id = event.category_id;
