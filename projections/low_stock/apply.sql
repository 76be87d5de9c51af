insert into low_stock (product_id, name, price, category_id, stock, listed, threshold)
select product_id, name, price, category_id, 0, true, low_stock_threshold
from fact.product_created;

update low_stock as product
set name = last.name, category_id = last.category_id
from (
    select distinct on (product_id) product_id, name, category_id
    from fact.product_changed
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

update low_stock as product
set price = last.price
from (
    select distinct on (product_id) product_id, price
    from fact.product_repriced
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

update low_stock as product
set stock = greatest(last.on_hand - last.reserved, 0)
from (
    select distinct on (product_id) product_id, on_hand, reserved
    from fact.stock_level
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

update low_stock as product
set listed = last.listed
from (
    select distinct on (product_id) product_id, listed
    from fact.product_offer
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

update low_stock as product
set threshold = last.threshold
from (
    select distinct on (product_id) product_id, threshold
    from fact.product_low_stock_threshold_changed
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

delete from low_stock as product
using fact.product_deleted as event
where product.product_id = event.product_id;
